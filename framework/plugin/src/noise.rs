//! Noise that a cell declares and the framework draws.

use serde::{Deserialize, Serialize};

use crate::{Name, PluginError, Rng, declaration::is_width};

/// Values that the framework draws from a stream of their own and hands to a cell's `step`, by name.
///
/// So a cell that needs chance stays a pure function: it can be recorded, gives the same on every device, and a resumed run
/// draws the same values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NoiseSpec {
    /// Its name, unique among parameters and noise.
    pub name: Name,
    /// The number of its columns.
    pub width: usize,
    /// Its distribution.
    pub distribution: Distribution,
    /// How often it is drawn.
    #[serde(default)]
    pub per: Per,
}

/// The distribution of noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// 1 with this probability, otherwise 0.
    Mask(f64),
    /// Normal with mean 0 and standard deviation 1.
    Normal,
}

/// How often noise is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// For every time step and sequence anew: `[batch, width]`.
    #[default]
    Step,
    /// For every sequence of a batch, the same at all its steps: `[batch, width]`.
    Sequence,
    /// For every update, the same for all sequences: `[rows, width]`. `derive` receives it, too.
    Update {
        /// The number of its rows.
        rows: usize,
    },
}

/// A mask: each element is 1 with probability `keep`, otherwise 0, drawn anew for every time step and sequence. Its
/// expectation, which evaluation gets, is `keep`.
pub fn mask(name: impl Into<Name>, width: usize, keep: f64) -> NoiseSpec {
    NoiseSpec { name: name.into(), width, distribution: Distribution::Mask(keep), per: Per::Step }
}

/// Normal values with mean 0 and standard deviation 1, drawn anew for every time step and sequence. Evaluation gets 0.
pub fn normal(name: impl Into<Name>, width: usize) -> NoiseSpec {
    NoiseSpec { name: name.into(), width, distribution: Distribution::Normal, per: Per::Step }
}

impl NoiseSpec {
    /// The same noise, drawn once a sequence.
    #[must_use]
    pub fn per_sequence(self) -> Self {
        Self { per: Per::Sequence, ..self }
    }

    /// The same noise, drawn once an update: a matrix of that many rows.
    #[must_use]
    pub fn per_update(self, rows: usize) -> Self {
        Self { per: Per::Update { rows }, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), PluginError> {
        let Self { name, width, distribution, per } = self;
        let rows = if let Per::Update { rows } = per { *rows } else { 1 };
        if !is_width(*width) || !is_width(rows) || !is_width(rows.saturating_mul(*width)) {
            return Err(PluginError::new(format!("its noise `{name}` is {rows} by {width}")));
        }
        match distribution {
            Distribution::Mask(keep) if !(0.0..=1.0).contains(keep) => {
                Err(PluginError::new(format!("its noise `{name}` is 1 with probability {keep}")))
            }
            Distribution::Mask(_) | Distribution::Normal => Ok(()),
        }
    }
}

impl Distribution {
    /// One value.
    pub fn draw(self, rng: &mut dyn Rng) -> f64 {
        match self {
            Self::Mask(keep) => f64::from(u8::from(rng.uniform() < keep)),
            Self::Normal => rng.normal(),
        }
    }

    /// What evaluation gets in place of a value.
    pub fn expectation(self) -> f64 {
        match self {
            Self::Mask(keep) => keep,
            Self::Normal => 0.0,
        }
    }
}
