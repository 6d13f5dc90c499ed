//! `hatchery import`: models of other frameworks as checkpoints.

use std::path::Path;

use hatchery::{
    data::Vocabulary,
    error::Result,
    import::{self, ImportedModel},
    run::checkpoint,
    session::Session,
};

use crate::arguments::{ImportTarget, Libraries};

/// A model file of Keras.
pub(crate) fn keras(model: &Path, into: &ImportTarget) -> Result<()> {
    let (session, vocabulary) = target(into)?;
    let experiment = session.recorded_in(&into.output)?;
    write(&import::keras(model, experiment, vocabulary, &session.registry)?, &into.output)
}

/// A state dict of `PyTorch`, or a record of Burn.
pub(crate) fn tensors(model: &Path, key: Option<&str>, mapping: &Path, into: &ImportTarget) -> Result<()> {
    let (session, vocabulary) = target(into)?;
    let experiment = session.recorded_in(&into.output)?;
    write(&import::pytorch(model, key, mapping, experiment, vocabulary, &session.registry)?, &into.output)
}

/// The session of the imported model's experiment, and the vocabulary of its text.
fn target(into: &ImportTarget) -> Result<(Session, Vocabulary)> {
    let session = super::open_file(&into.experiment, &Libraries::default(), into.overrides.clone())?;
    let vocabulary = session.data()?.vocabulary.as_ref().clone();
    Ok((session, vocabulary))
}

fn write(imported: &ImportedModel, output: &Path) -> Result<()> {
    for note in &imported.notes {
        say!("note: {note}");
    }
    if imported.order_is_assumed() {
        say!(
            "note: the file does not say which symbol is which: they are taken in the order of their code points; another \
             order is set by vocabulary.symbols"
        );
    }
    checkpoint::export(output, &imported.checkpoint)?;
    out!("{}", output.display());
    Ok(())
}
