//! The tables `[optimizer]` and `[schedule]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How parameters follow their gradients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Optimizer {
    /// Stochastic gradient descent, with momentum if it is not 0.
    Sgd {
        /// Learning rate.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        learning_rate: f64,
        /// Decay of the last update.
        #[serde(default)]
        #[schemars(range(min = 0.0, max = 1.0))]
        momentum: f64,
    },
    /// Duchi et al. (2011).
    Adagrad {
        /// Learning rate.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        learning_rate: f64,
        /// Added to the root of the sum of squares.
        #[serde(default = "default::adagrad_epsilon")]
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        epsilon: f64,
    },
    /// Tieleman and Hinton (2012).
    Rmsprop {
        /// Learning rate.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        learning_rate: f64,
        /// Decay of the mean of squares.
        #[serde(default = "default::rmsprop_decay")]
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        decay: f64,
        /// Added to the root of the mean of squares.
        #[serde(default = "default::epsilon")]
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        epsilon: f64,
    },
    /// Kingma and Ba (2015).
    Adam {
        /// Learning rate.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        learning_rate: f64,
        /// Decay of the mean of gradients.
        #[serde(default = "default::beta1")]
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        beta1: f64,
        /// Decay of the mean of their squares.
        #[serde(default = "default::beta2")]
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        beta2: f64,
        /// Added to the root of the mean of squares.
        #[serde(default = "default::epsilon")]
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        epsilon: f64,
    },
    /// Loshchilov and Hutter (2019): Adam with decoupled weight decay.
    Adamw {
        /// Learning rate.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        learning_rate: f64,
        /// Decay of the mean of gradients.
        #[serde(default = "default::beta1")]
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        beta1: f64,
        /// Decay of the mean of their squares.
        #[serde(default = "default::beta2")]
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        beta2: f64,
        /// Added to the root of the mean of squares.
        #[serde(default = "default::epsilon")]
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        epsilon: f64,
        /// Decay of each parameter per step, times the learning rate.
        #[serde(default = "default::weight_decay")]
        #[schemars(range(min = 0.0))]
        weight_decay: f64,
    },
}

/// The factor on the learning rate over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Schedule {
    /// Always 1.
    #[default]
    Constant,
    /// `factor` for every `every` epochs (or steps) done, from `start` on.
    Decay {
        /// The factor.
        #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
        factor: f64,
        /// Epochs or steps between two multiplications.
        #[schemars(range(min = 1))]
        every: u64,
        /// Count in epochs or in steps.
        #[serde(default)]
        unit: Unit,
        /// The first epoch or step with a lower rate.
        #[serde(default)]
        start: u64,
    },
    /// From 1 down along half a cosine to `floor` at the last step, after a linear rise over `warmup` steps.
    Cosine {
        /// Steps of the rise.
        #[serde(default)]
        warmup: u64,
        /// The last factor.
        #[serde(default)]
        #[schemars(range(min = 0.0, max = 1.0))]
        floor: f64,
    },
    /// From 1 down in a straight line to `floor` at the last step, after a linear rise over `warmup` steps.
    Linear {
        /// Steps of the rise.
        #[serde(default)]
        warmup: u64,
        /// The last factor.
        #[serde(default)]
        #[schemars(range(min = 0.0, max = 1.0))]
        floor: f64,
    },
}

/// The unit of a length of training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// One pass over the training split.
    #[default]
    Epochs,
    /// One update.
    Steps,
}

/// Defaults of single keys.
mod default {
    pub(super) fn epsilon() -> f64 {
        1e-8
    }
    pub(super) fn adagrad_epsilon() -> f64 {
        1e-10
    }
    pub(super) fn rmsprop_decay() -> f64 {
        0.99
    }
    pub(super) fn beta1() -> f64 {
        0.9
    }
    pub(super) fn beta2() -> f64 {
        0.999
    }
    pub(super) fn weight_decay() -> f64 {
        0.01
    }
}
