//! One module a command: each reads its arguments, calls the framework, prints results on standard output.

pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod data;
pub(crate) mod devices;
pub(crate) mod drift;
pub(crate) mod eval;
pub(crate) mod gradients;
pub(crate) mod import;
pub(crate) mod library;
pub(crate) mod new;
pub(crate) mod plugins;
pub(crate) mod reproduce;
pub(crate) mod resume_test;
pub(crate) mod runs;
pub(crate) mod sample;
pub(crate) mod train;

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use clap::CommandFactory;
use hatchery::{
    data::Data,
    error::{Error, Problem, Result},
    network::Network,
    plugins::Registry,
    run::{checkpoint::Progress, directory},
    session::{self, Options, Session, Source},
};

use crate::arguments::{Arguments, Libraries, ModelArguments};

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "hatchery", &mut script);
    put!("{}", String::from_utf8_lossy(&script));
}

/// How this program opens sessions.
pub(crate) fn options(libraries: &Libraries, overrides: Vec<String>) -> Options<'_> {
    let libraries = &libraries.plugins;
    Options { linked: hatchery_cli::registry, libraries, overrides, allow_plugin_drift: false, warn: warn_once }
}

/// The session of an experiment file.
pub(crate) fn open_file(file: &Path, libraries: &Libraries, overrides: Vec<String>) -> Result<Session> {
    Session::open(Source::File(file), &options(libraries, overrides))
}

/// The session of a run or checkpoint as the command line names it; the newest run if it names none.
pub(crate) fn open_model(run: Option<&Path>, place: &ModelArguments, set: &[String]) -> Result<Session> {
    let run = directory::resolve(run, &place.runs)?;
    let options = options(&place.libraries, overrides(set, place.device.as_deref()));
    Session::open(Source::Checkpoint(&run), &Options { allow_plugin_drift: place.allow_plugin_drift, ..options })
}

/// The network of a session's checkpoint, with the reason on standard error if it runs slower than it could.
pub(crate) fn restore(session: &Session) -> Result<(Network, Progress)> {
    let (network, progress) = session.restore()?;
    remark(&network);
    Ok((network, progress))
}

/// The plugins of no experiment: those linked in, and those of libraries.
pub(crate) fn registry(libraries: &Libraries) -> Result<Registry> {
    session::registry(&options(libraries, Vec::new()), &[])
}

/// A warning on standard error.
pub(crate) fn warn(problem: &Problem) {
    say!("{}", problem.render(false).replacen("error", "warning", 1));
}

/// A warning, unless it was given before: a command may open more than one session.
fn warn_once(problem: &Problem) {
    static GIVEN: Mutex<Vec<Problem>> = Mutex::new(Vec::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    if !given.contains(problem) {
        warn(problem);
        given.push(problem.clone());
    }
}

/// The overrides of a command line, `--device` among them.
pub(crate) fn overrides<'a>(set: impl IntoIterator<Item = &'a String>, device: Option<&str>) -> Vec<String> {
    set.into_iter().cloned().chain(device.map(|device| format!("backend.device={device}"))).collect()
}

/// A folder that is removed with everything in it when it is dropped.
pub(crate) fn temporary_folder() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|error| Error::internal("cannot make a temporary folder", error))
}

/// A warning if the text has changed since the checkpoint was written.
pub(crate) fn warn_of_another_text(session: &Session, data: &Data) {
    let trained = session.checkpoint.as_ref().and_then(|checkpoint| checkpoint.meta.data.as_ref());
    if trained.is_some_and(|trained| *trained != data.digest()) {
        warn(
            &Problem::new("the text is no longer that on which the model was trained")
                .note("what is held out now may have been trained on, and the other way about"),
        );
    }
}

/// The reason on standard error why a model runs slower than it could.
pub(crate) fn remark(network: &Network) {
    if let Some(remark) = &network.remark {
        say!("note: {remark}");
    }
}
