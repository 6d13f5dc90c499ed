//! One module per command: each calls the framework and prints results to standard output.

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
    plugins::{Registry, TrustList},
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

/// The options of this program's sessions.
pub(crate) fn options(libraries: &Libraries, overrides: Vec<String>) -> Options<'_> {
    let libraries = &libraries.plugins;
    Options {
        linked: hatchery_cli::registry,
        libraries,
        trusted: TrustList::of_user(),
        overrides,
        allow_plugin_drift: false,
        warn: warn_once,
    }
}

/// The session of an experiment file.
pub(crate) fn open_file(file: &Path, libraries: &Libraries, overrides: Vec<String>) -> Result<Session> {
    Session::open(Source::File(file), &options(libraries, overrides))
}

/// The session of a run or checkpoint, by default the newest run.
pub(crate) fn open_model(run: Option<&Path>, place: &ModelArguments, set: &[String]) -> Result<Session> {
    let run = directory::resolve(run, &place.runs)?;
    let options = options(&place.libraries, overrides(set, place.device.as_deref()));
    Session::open(Source::Checkpoint(&run), &Options { allow_plugin_drift: place.allow_plugin_drift, ..options })
}

/// The network of a session's checkpoint; prints why if it is not compiled.
pub(crate) fn restore(session: &Session) -> Result<(Network, Progress)> {
    let (network, progress) = session.restore()?;
    remark(&network);
    Ok((network, progress))
}

/// The linked-in plugins and those of libraries, without an experiment.
pub(crate) fn registry(libraries: &Libraries) -> Result<Registry> {
    session::registry(&options(libraries, Vec::new()), [])
}

/// Prints a problem as a warning.
pub(crate) fn warn(problem: &Problem) {
    say!("{}", problem.render(false).replacen("error", "warning", 1));
}

/// Prints a warning once: a command may open more than one session.
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

/// Warns if the text has changed since the checkpoint was written.
pub(crate) fn warn_of_another_text(session: &Session, data: &Data) {
    let trained = session.checkpoint.as_ref().and_then(|checkpoint| checkpoint.meta.data.as_ref());
    if trained.is_some_and(|trained| *trained != data.digest()) {
        warn(
            &Problem::new("the text has changed since the model was trained")
                .note("the held-out part may contain text that the model was trained on"),
        );
    }
}

/// Prints what should be known beside the numbers that are measured on the data.
pub(crate) fn notes(data: &Data) {
    for note in &data.notes {
        say!("note: {note}");
    }
}

/// Prints why a model is not compiled.
pub(crate) fn remark(network: &Network) {
    if let Some(remark) = &network.remark {
        say!("note: {remark}");
    }
}
