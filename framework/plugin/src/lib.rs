//! All that a Hatchery plugin depends on.
//!
//! A plugin is a type that implements one of four traits: [`Dataset`], [`Cell`], [`Clipper`] or [`Sampler`]. The type
//! is its own configuration: its fields are the keys that an experiment file may set, its documentation is what
//! `hatchery plugins show` prints, and [`export!`] lists it under the name used in experiment files.
//!
//! A complete cell, the simple recurrent network of Elman (1990):
//!
//! ```
//! use hatchery_plugin::prelude::*;
//!
//! /// h' = tanh(Wx x + Wh h + b)
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields, rename_all = "kebab-case")]
//! pub struct Elman {
//!     /// Width of the hidden state.
//!     #[schemars(range(min = 1))]
//!     pub hidden: usize,
//! }
//!
//! impl Cell for Elman {
//!     fn params(&self, inputs: usize) -> Vec<ParamSpec> {
//!         vec![
//!             ParamSpec::new("wx", [self.hidden, inputs], Initializer::XavierUniform),
//!             ParamSpec::new("wh", [self.hidden, self.hidden], Initializer::Orthogonal),
//!             ParamSpec::new("b", [1, self.hidden], Initializer::Zeros),
//!         ]
//!     }
//!     fn state(&self) -> Vec<StateSpec> {
//!         vec![StateSpec::new("h", self.hidden)]
//!     }
//!     fn outputs(&self) -> usize {
//!         self.hidden
//!     }
//!     fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
//!         let recurrent = project(state.get("h"), params.get("wh")); // [batch, hidden]
//!         let h = (linear(x, params.get("wx"), params.get("b")) + recurrent).tanh(); // [batch, hidden]
//!         (h.clone(), State::from([("h", h)]))
//!     }
//! }
//!
//! hatchery_plugin::export! {
//!     cell "elman" => Elman,
//! }
//!
//! # fn main() {
//! let provider = plugins();
//! let elman = provider.find(Kind::Cell, "elman").expect("it is exported");
//! assert_eq!(elman.doc, "h' = tanh(Wx x + Wh h + b)");
//! # }
//! ```

pub mod capture;
mod cell;
mod clipper;
#[cfg(feature = "conformance")]
pub mod conformance;
mod dataset;
#[doc(hidden)]
pub mod entry;
mod error;
mod export;
#[doc(hidden)]
pub mod host;
mod initializer;
mod math;
mod matrices;
mod sampler;
pub mod wire;

pub use cell::{Cell, ParamSpec, StateSpec};
pub use clipper::Clipper;
pub use dataset::{Dataset, Documents, Framing, Predict, Source};
pub use error::PluginError;
pub use export::{Build, Builder, Kind, Provider, Variant};
pub use initializer::{Initializer, Rng};
pub use math::{hard_sigmoid, linear, project, sigmoid, split_columns};
pub use matrices::{Gradients, Matrices, Name, Params, State};
pub use sampler::{Sampler, Token};

#[doc(hidden)]
pub mod __private {
    pub use crate::{
        entry,
        export::{configure, variant},
    };
}

pub use burn;
pub use schemars;
pub use serde;
pub use serde_json;

/// What a plugin's source begins with: `use hatchery_plugin::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Cell, Clipper, Dataset, Documents, Framing, Gradients, Initializer, Kind, ParamSpec, Params, PluginError,
        Predict, Sampler, Source, State, StateSpec, Token, hard_sigmoid, linear, project, sigmoid, split_columns,
    };
    pub use burn::Tensor;
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
}
