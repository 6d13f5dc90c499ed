//! `hatchery import`: models of other frameworks as checkpoints.

use std::path::Path;

use hatchery::{
    data::{Data, Vocabulary},
    error::Result,
    experiment::{Experiment, reading},
    import::{self, Imported},
    plugins::Registry,
    run::checkpoint,
};

use crate::arguments::{Into, Libraries};

/// A model file of Keras.
pub(crate) fn keras(model: &Path, into: &Into) -> Result<()> {
    let registry = registry(into)?;
    let (experiment, vocabulary) = target(into, &registry)?;
    write(&import::keras(model, experiment, vocabulary, &registry)?, &into.output)
}

/// A state dict of `PyTorch`.
pub(crate) fn pytorch(model: &Path, key: Option<&str>, mapping: &Path, into: &Into) -> Result<()> {
    let registry = registry(into)?;
    let (experiment, vocabulary) = target(into, &registry)?;
    write(&import::pytorch(model, key, mapping, experiment, vocabulary, &registry)?, &into.output)
}

fn registry(into: &Into) -> Result<Registry> {
    super::registry(&Libraries::default(), &reading::libraries(&into.experiment, &into.overrides)?)
}

/// The experiment of the imported model, and the vocabulary of its text.
fn target(into: &Into, registry: &Registry) -> Result<(Experiment, Vocabulary)> {
    let experiment = reading::read(&into.experiment, &into.overrides, registry)?;
    let folder = into.experiment.parent().unwrap_or(Path::new("."));
    let data = Data::open(&experiment, folder, registry, None)?;
    Ok((experiment, data.vocabulary.as_ref().clone()))
}

fn write(imported: &Imported, output: &Path) -> Result<()> {
    for note in &imported.notes {
        say!("note: {note}");
    }
    checkpoint::write(output, &imported.checkpoint)?;
    println!("{}", output.display());
    Ok(())
}
