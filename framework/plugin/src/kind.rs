//! The four kinds of plugin.

use serde::{Deserialize, Serialize};

/// The four kinds of plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// How a source becomes sequences.
    Dataset,
    /// What one time step computes.
    Cell,
    /// What happens to gradients.
    Clipper,
    /// What happens to logits.
    Sampler,
}

impl Kind {
    /// All kinds, in the order in which a run uses them.
    pub const ALL: [Self; 4] = [Self::Dataset, Self::Cell, Self::Clipper, Self::Sampler];

    /// The word used in experiment files, messages and paths.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Cell => "cell",
            Self::Clipper => "clipper",
            Self::Sampler => "sampler",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}
