//! The experiments that come with the program, read where no such file is there: so the first commands of the
//! documentation work in every folder. A file on disk comes first.

use std::{
    ffi::OsStr,
    path::{Component, Path, PathBuf},
};

use crate::suggest::nearest;

macro_rules! file {
    ($path:literal) => {
        ($path, include_str!(concat!("../../../../../", $path)))
    };
}

/// Every file below `experiments`, by its path; `tests/experiments.rs` holds the list against the folder.
pub(super) const ALL: &[(&str, &str)] = &[
    file!("experiments/awd-lstm.toml"),
    file!("experiments/brackets.toml"),
    file!("experiments/char-rnn-tinyshakespeare.toml"),
    file!("experiments/copy.toml"),
    file!("experiments/dinosaurs.toml"),
    file!("experiments/dropout.toml"),
    file!("experiments/exploding.toml"),
    file!("experiments/functions.toml"),
    file!("experiments/given-names.toml"),
    file!("experiments/gradients.toml"),
    file!("experiments/griffin.toml"),
    file!("experiments/magic-cards.toml"),
    file!("experiments/makemore-names.toml"),
    file!("experiments/min-char-rnn.toml"),
    file!("experiments/most-likely.toml"),
    file!("experiments/no-repeat.toml"),
    file!("experiments/notebooks/coursera-dinos.toml"),
    file!("experiments/notebooks/hse-names-dynamic.toml"),
    file!("experiments/notebooks/hse-names-gru.toml"),
    file!("experiments/notebooks/hse-names-lstm.toml"),
    file!("experiments/notebooks/hse-names-masked.toml"),
    file!("experiments/notebooks/hse-names.toml"),
    file!("experiments/notebooks/sonnets.toml"),
    file!("experiments/own-source.toml"),
    file!("experiments/parity.toml"),
    file!("experiments/recall.toml"),
    file!("experiments/selective-copy.toml"),
    file!("experiments/shakespeare.toml"),
    file!("experiments/sonnets-small.toml"),
    file!("experiments/sweeps/all-cells.toml"),
    file!("experiments/sweeps/asked.toml"),
    file!("experiments/sweeps/cells.toml"),
    file!("experiments/unclipped.toml"),
    file!("experiments/wrappers.toml"),
    file!("experiments/xlstm.toml"),
];

/// The text of the experiment of that path.
pub(super) fn find(path: &Path) -> Option<&'static str> {
    let path = plain(path)?;
    ALL.iter().find(|(known, _)| Path::new(known) == path).map(|(_, text)| *text)
}

/// A path without `.` and `..`; none if it leads out of the current folder.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            Component::ParentDir if plain.pop() => {}
            _ => return None,
        }
    }
    Some(plain)
}

/// The experiments with that path or nearly that path, and those whose name alone is meant, or nearly (`dinosaur`).
pub(super) fn near(path: &Path) -> impl Iterator<Item = &'static str> {
    let alike = nearest(&path.to_string_lossy(), names());
    let stem = |path: &'static str| Path::new(path).file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let alike_alone = nearest(&path.file_stem().unwrap_or_default().to_string_lossy(), names().map(stem));
    names().filter(move |known| alike.contains(known) || alike_alone.contains(&stem(known)))
}

/// The paths of the experiments that come with the program.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(path, _)| *path)
}
