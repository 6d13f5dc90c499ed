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
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use clap::CommandFactory;
use hatchery::{
    data::Data,
    error::{Error, Problem, Result},
    experiment::reading,
    plugins::{Registry, check_drift, complete},
    run::checkpoint::Checkpoint,
};

use crate::arguments::{Arguments, Libraries, Place};

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "hatchery", &mut script);
    print!("{}", String::from_utf8_lossy(&script));
}

/// The linked-in plugins, and those of the named libraries and of the libraries in the search folders.
pub(crate) fn registry(libraries: &Libraries, more: &[PathBuf]) -> Result<Registry> {
    /// Warnings that were printed before: a command may open the registry more than once.
    static REPORTED: Mutex<Vec<Problem>> = Mutex::new(Vec::new());
    let mut registry = hatchery_cli::registry()?;
    let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    for problem in complete(&mut registry, &[&libraries.plugins, more].concat())? {
        if !reported.contains(&problem) {
            warn(&problem);
            reported.push(problem);
        }
    }
    Ok(registry)
}

/// Prints a problem as a warning.
pub(crate) fn warn(problem: &Problem) {
    say!("{}", problem.render(false).replacen("error", "warning", 1));
}

/// The plugins of a checkpoint, whose paths of libraries are relative to `folder`.
pub(crate) fn registry_for(checkpoint: &Checkpoint, folder: &Path, place: &Place) -> Result<Registry> {
    let recorded = reading::recorded_libraries(&checkpoint.meta.experiment, folder);
    let registry = registry(&place.libraries, &recorded)?;
    if !place.allow_plugin_drift {
        check_drift(&checkpoint.meta.plugins, &registry)?;
    }
    Ok(registry)
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
pub(crate) fn warn_of_another_text(checkpoint: &Checkpoint, data: &Data) {
    if checkpoint.meta.data.as_ref().is_some_and(|trained| *trained != data.digest()) {
        warn(
            &Problem::new("the text has changed since the model was trained")
                .note("the held-out part may contain text that the model was trained on"),
        );
    }
}

/// Prints why a model is not compiled.
pub(crate) fn remark(network: &hatchery::network::Network) {
    if let Some(remark) = &network.remark {
        say!("note: {remark}");
    }
}
