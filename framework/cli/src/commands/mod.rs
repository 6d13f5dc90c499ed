//! One module per command: each calls the framework and prints results to standard output.

pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod checkpoint;
pub(crate) mod compare;
pub(crate) mod data;
pub(crate) mod devices;
pub(crate) mod drift;
pub(crate) mod eval;
pub(crate) mod export;
pub(crate) mod gradients;
pub(crate) mod import;
pub(crate) mod keeping;
pub(crate) mod library;
pub(crate) mod list;
pub(crate) mod new;
pub(crate) mod picture;
pub(crate) mod plugins;
pub(crate) mod reproduce;
pub(crate) mod resume_test;
pub(crate) mod runs;
pub(crate) mod sample;
pub(crate) mod schema;
pub(crate) mod score;
pub(crate) mod sweep;
pub(crate) mod table;
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
    run::checkpoint::Progress,
    session::{self, Drift, Options, Session, Source},
};

use self::checkpoint::Chosen;
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
        drift: Drift::Refused,
        warn: warn_once,
    }
}

/// The session of an experiment file.
pub(crate) fn open_file(file: &Path, libraries: &Libraries, overrides: Vec<String>) -> Result<Session> {
    Session::open(Source::File(file), &options(libraries, overrides))
}

/// The session of a run's checkpoint or of a checkpoint file, by default of the newest run, and which one that is.
pub(crate) fn open_model(run: Option<&Path>, place: &ModelArguments, set: &[String]) -> Result<(Session, Chosen)> {
    let chosen = Chosen::find(run, &place.runs, place.best && !place.last)?;
    let options = options(&place.libraries, overrides(set, place.device.as_deref()));
    let drift = if place.allow_plugin_drift { Drift::Allowed } else { Drift::Refused };
    let options = Options { drift, ..options };
    Ok((Session::open(Source::Checkpoint(&chosen.run), &options)?, chosen))
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

/// What --skip-unknown changes of a recorded experiment.
pub(crate) const SKIP_UNKNOWN: &str = "vocabulary.unknown=skip";

/// A refusal of a text for a character that the vocabulary lacks, with what can be done about it here: the experiment, of
/// which its hint speaks, is recorded and cannot be changed.
pub(crate) fn offering_to_skip(error: Error) -> Error {
    let Error::User(mut problems) = error else { return error };
    for problem in problems.iter_mut().filter(|problem| problem.message.starts_with("the vocabulary has no")) {
        problem.hint = Some("--skip-unknown leaves such characters out and counts them".to_owned());
    }
    Error::User(problems)
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
