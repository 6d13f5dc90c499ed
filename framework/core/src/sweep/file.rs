//! The sweep file: its keys, and reading it as strictly as an experiment file.

use std::path::{Path, PathBuf};

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::{
    error::{Problem, Result},
    experiment::{
        checking::walk::Walk,
        reading::{files::load, spanned::Node},
    },
};

/// A sweep file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sweep {
    /// Name of the sweep, and of its folder in `sweeps`.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The experiment file, relative to this file.
    #[schemars(length(min = 1))]
    pub experiment: String,
    /// Seed of the drawn values, of random search and of the bootstrap.
    #[serde(default = "one")]
    pub seed: u64,
    /// Keys of the experiment, each with a list of values or a range. Tables multiply; the lists of one table go together,
    /// first with first.
    #[serde(default)]
    pub vary: Vec<Map<String, Json>>,
    /// An equal size for all.
    pub size: Option<Size>,
    /// Repetitions of every variant.
    #[serde(default)]
    pub repeat: Repeat,
    /// Which variants are trained, and how far.
    #[serde(default)]
    pub search: Search,
    /// The budget of a trial.
    pub budget: Option<Budget>,
    /// The number by which variants are compared: lower is better.
    #[serde(default)]
    pub objective: Objective,
}

/// An equal size for all variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Size {
    /// Parameters of the whole model; `cell.hidden` is solved for, to 1 %.
    #[schemars(range(min = 1))]
    pub parameters: usize,
}

/// Repetitions with other seeds. Trial i of every variant has the same seed: the same first values, the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Repeat {
    /// How many seeds: the experiment's, and those that follow it.
    #[schemars(range(min = 1, max = 10_000))]
    pub seeds: u32,
}

/// Which variants are trained, and how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Search {
    /// Every variant, to its end.
    #[default]
    Grid,
    /// That many of the variants, drawn without repetition, each to its end.
    Random {
        /// How many.
        #[schemars(range(min = 1))]
        variants: usize,
    },
    /// Successive halving: all variants are trained for `first` updates, the best share goes on to 1 / `keep` times as many.
    /// Jamieson and Talwalkar (2016).
    Halving {
        /// Updates of the first rung.
        #[schemars(range(min = 1))]
        first: u64,
        /// Share of the variants that goes on.
        #[serde(default = "third")]
        #[schemars(extend("exclusiveMinimum" = 0.0), extend("exclusiveMaximum" = 1.0))]
        keep: f64,
    },
    /// Variants that another program proposes, such as Optuna: `hatchery sweep ask` adds them, `hatchery sweep tell` gives
    /// their results.
    Ask,
    /// Seeds in rounds: a variant leaves when a paired test puts it behind another.
    Racing {
        /// Seeds before the first test.
        #[serde(default = "five")]
        #[schemars(range(min = 3))]
        first: u32,
        /// Probability that any variant leaves although all are equally good.
        #[serde(default = "twentieth")]
        #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 0.5))]
        level: f64,
    },
}

/// The budget of a trial, in one of these units; in place of the experiment's `train.steps` or `train.epochs`. Each is
/// converted to updates when the sweep is planned, so that a result depends on the plan alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Budget {
    /// Updates.
    #[schemars(range(min = 1))]
    pub steps: Option<u64>,
    /// Characters that are trained on: updates follow from the mean of the first 200 batches.
    #[schemars(range(min = 1))]
    pub characters: Option<u64>,
    /// Seconds of training: the time of an update is measured where the sweep is planned.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub seconds: Option<f64>,
    /// Floating-point operations of the matrix products, as `bench` counts them.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub flops: Option<f64>,
}

/// The number by which variants are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Objective {
    /// The split, always validation: what guides a choice is no test.
    pub split: ObjectiveSplit,
    /// Of which checkpoint.
    pub checkpoint: Chosen,
}

/// The split of the objective.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectiveSplit {
    /// Cross-entropy on the validation split, in nats per character.
    #[default]
    Valid,
}

/// Which parameters of a trial are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Chosen {
    /// Those after the last update.
    #[default]
    Last,
    /// Those of the report with the lowest validation loss.
    Best,
}

impl Default for Repeat {
    fn default() -> Self {
        Self { seeds: 1 }
    }
}

fn one() -> u64 {
    1
}

fn third() -> f64 {
    1.0 / 3.0
}

fn five() -> u32 {
    5
}

fn twentieth() -> f64 {
    0.05
}

impl Sweep {
    /// The JSON schema of sweep files.
    pub fn schema() -> Json {
        schema_for!(Self).to_value()
    }
}

/// A sweep file and its values with their places.
pub(super) struct Written {
    pub(super) sweep: Sweep,
    pub(super) node: Node,
    /// The experiment file.
    pub(super) experiment: PathBuf,
}

/// Reads a sweep file.
///
/// # Errors
/// Everything that is wrong with it by itself.
pub(super) fn read(path: &Path) -> Result<Written> {
    let source = load(path)?;
    let schema = Sweep::schema();
    let tables = ["vary", "size", "repeat", "search", "budget", "objective"];
    let (node, mut problems, usable) = source.parse(&tables);
    if usable {
        problems.extend(Walk::over(&schema, &node).problems);
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let sweep: Sweep = serde_json::from_value(node.to_json())
        .map_err(|error| Problem::new(format!("the sweep cannot be read: {error}")).at(node.place.clone()))?;
    if let Some((budget, entry)) = sweep.budget.zip(node.find(&["budget"])) {
        budget.check().map_err(|problem| problem.at(entry.place.clone()))?;
    }
    let experiment = path.parent().unwrap_or(Path::new("")).join(&sweep.experiment);
    Ok(Written { sweep, node, experiment })
}
