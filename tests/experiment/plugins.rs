//! Plugins with every sort of key: plain, limited, renamed, nested, tagged, words, lists, characters.

use hatchery_plugin::{
    Provider, Variant,
    prelude::*,
    schemars::JsonSchema,
    serde::{Deserialize, Serialize},
};

/// A gated cell.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hatchery_plugin::schemars")]
#[serde(crate = "hatchery_plugin::serde", deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Gru {
    /// Width of the hidden state.
    #[schemars(range(min = 1))]
    pub(super) hidden: usize,
    /// Whether there are biases.
    #[serde(default = "yes")]
    pub(super) bias: bool,
    /// The gates.
    #[serde(default)]
    pub(super) gate: Gate,
    /// What bends the candidate.
    #[serde(default, rename = "activation")]
    pub(super) bend: Bend,
    /// The first state.
    #[serde(default)]
    pub(super) start: Option<Start>,
}

fn yes() -> bool {
    true
}

/// The gates.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hatchery_plugin::schemars")]
#[serde(crate = "hatchery_plugin::serde", deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Gate {
    /// Added before the logistic function.
    pub(super) offset: f64,
    /// Its scale, for each gate.
    pub(super) scales: Vec<f64>,
}

/// What bends the candidate.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hatchery_plugin::schemars")]
#[serde(crate = "hatchery_plugin::serde", rename_all = "kebab-case")]
pub(super) enum Bend {
    /// Hyperbolic tangent.
    #[default]
    Tanh,
    /// Its piecewise linear stand-in.
    HardTanh,
}

/// The first state.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hatchery_plugin::schemars")]
#[serde(crate = "hatchery_plugin::serde", tag = "kind", deny_unknown_fields, rename_all = "kebab-case")]
pub(super) enum Start {
    /// Nothing.
    Zero,
    /// One number.
    Level {
        /// The number.
        height: f32,
    },
}

/// A cell without gates, whose width must be even.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hatchery_plugin::schemars")]
#[serde(crate = "hatchery_plugin::serde", deny_unknown_fields, try_from = "PlainKeys")]
pub(super) struct Plain {
    /// Width of the hidden state.
    pub(super) hidden: usize,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "hatchery_plugin::schemars")]
#[serde(crate = "hatchery_plugin::serde", deny_unknown_fields)]
struct PlainKeys {
    hidden: usize,
}

impl TryFrom<PlainKeys> for Plain {
    type Error = String;

    fn try_from(PlainKeys { hidden }: PlainKeys) -> Result<Self, String> {
        if hidden % 2 == 0 { Ok(Self { hidden }) } else { Err(format!("{hidden} units cannot be halved")) }
    }
}

impl Cell for Gru {
    fn params(&self, _: usize) -> Vec<ParamSpec> {
        Vec::new()
    }
    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        Vec::new()
    }
    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }
    fn step(&self, _: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        (x, state)
    }
}

impl Cell for Plain {
    fn params(&self, _: usize) -> Vec<ParamSpec> {
        Vec::new()
    }
    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        Vec::new()
    }
    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }
    fn step(&self, _: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        (x, state)
    }
}

/// One document a line.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hatchery_plugin::schemars")]
#[serde(crate = "hatchery_plugin::serde", deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Lines {
    /// What fills a sequence.
    #[serde(default = "space")]
    pub(super) padding: char,
    /// Cut to this many symbols.
    #[serde(default)]
    pub(super) length: Option<u32>,
}

fn space() -> char {
    ' '
}

impl Dataset for Lines {
    fn documents(&self, _: &Source<'_>) -> Result<Documents, PluginError> {
        Ok(Documents::Text(Vec::new()))
    }
    fn framing(&self) -> Framing {
        Framing::Stream { steps: 1 }
    }
}

/// Cuts each gradient.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hatchery_plugin::schemars")]
#[serde(crate = "hatchery_plugin::serde", deny_unknown_fields)]
pub(super) struct Value {
    /// The largest size.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub(super) limit: f64,
}

impl Clipper for Value {
    fn clip(&self, gradients: Gradients) -> Gradients {
        gradients
    }
}

/// Divides the logits.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hatchery_plugin::schemars")]
#[serde(crate = "hatchery_plugin::serde", deny_unknown_fields, default)]
pub(super) struct Temperature {
    /// The divisor.
    #[schemars(range(min = 0.01, max = 100.0))]
    pub(super) temperature: f64,
}

impl Default for Temperature {
    fn default() -> Self {
        Self { temperature: 1.0 }
    }
}

impl Sampler for Temperature {
    fn process(&self, _: &mut [f64], _: &[Token]) {}
}

pub(super) fn plugins() -> Provider {
    let variants = vec![
        Variant::cell::<Gru>("gru"),
        Variant::cell::<Plain>("plain"),
        Variant::dataset::<Lines>("lines"),
        Variant::clipper::<Value>("value"),
        Variant::sampler::<Temperature>("temperature"),
    ];
    Provider { package: "hatchery-cli", version: "0.1.0", variants }
}
