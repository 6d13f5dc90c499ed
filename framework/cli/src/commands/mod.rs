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

/// The linked-in plugins, and those of every library that is named here or that the search folders hold.
pub(crate) fn registry(libraries: &Libraries, more: &[PathBuf]) -> Result<Registry> {
    /// What was told already: a command may ask for a registry more than once.
    static TOLD: Mutex<Vec<Problem>> = Mutex::new(Vec::new());
    let mut registry = hatchery_cli::registry()?;
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    for problem in complete(&mut registry, &[&libraries.plugins, more].concat())? {
        if !told.contains(&problem) {
            warn(&problem);
            told.push(problem);
        }
    }
    Ok(registry)
}

/// Says on standard error what is wrong, when the command goes on nevertheless.
pub(crate) fn warn(problem: &Problem) {
    say!("{}", problem.render(false).replacen("error", "warning", 1));
}

/// The plugins for going on with a checkpoint, the paths in which are relative to `folder`.
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

/// Says on standard error if the text has changed since the checkpoint was written.
pub(crate) fn warn_of_another_text(checkpoint: &Checkpoint, data: &Data) {
    if checkpoint.meta.data.as_ref().is_some_and(|trained| *trained != data.digest()) {
        warn(
            &Problem::new("the text is no longer that on which the model was trained")
                .note("what is held out now may have been trained on, and the other way about"),
        );
    }
}

/// Says on standard error why a model runs slower than it could.
pub(crate) fn remark(network: &hatchery::network::Network) {
    if let Some(remark) = &network.remark {
        say!("note: {remark}");
    }
}
