//! All that a Hatchery plugin depends on.
//!
//! A plugin is a struct with the attribute [`#[plugin]`](macro@plugin) that implements one of four traits: [`Dataset`],
//! [`Cell`], [`Clipper`] or [`Sampler`]. Its fields are the keys that an experiment file may set, its documentation is what
//! `hatchery plugins show` prints, and [`library!`] makes its crate a library that Hatchery loads.
//!
//! A complete cell, the simple recurrent network of Elman (1990):
//!
//! ```
//! use hatchery_plugin::prelude::*;
//!
//! /// h' = tanh(Wx x + Wh h + b)
//! #[plugin(cell = "elman")]
//! pub struct Elman {
//!     /// Width of the hidden state.
//!     #[plugin(min = 1)]
//!     pub hidden: usize,
//! }
//!
//! impl Cell for Elman {
//!     fn params(&self, inputs: usize) -> Vec<ParamSpec> {
//!         vec![weight("wx", [self.hidden, inputs]), recurrent("wh", self.hidden), bias("b", self.hidden)]
//!     }
//!     fn state(&self, _inputs: usize) -> Vec<StateSpec> {
//!         vec![zeros("h", self.hidden)]
//!     }
//!     fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
//!         let [wx, wh, b] = params.get(["wx", "wh", "b"]);
//!         let h = (linear(x, wx, b) + linear_no_bias(state.get("h"), wh)).tanh(); // [batch, hidden]
//!         (h.clone(), State::from([("h", h)]))
//!     }
//! }
//!
//! library![Elman];
//!
//! # fn main() {
//! let provider = plugins();
//! let elman = provider.find(Kind::Cell, "elman").expect("it is listed");
//! assert_eq!(elman.doc, "h' = tanh(Wx x + Wh h + b)");
//! # }
//! ```

mod boundary;
pub mod capture;
mod cell;
mod clipper;
#[cfg(feature = "conformance")]
pub mod conformance;
mod dataset;
mod declaration;
mod error;
#[doc(hidden)]
pub mod host;
mod initializer;
mod kind;
mod math;
mod matrices;
mod noise;
mod sampler;
mod variant;
mod wrapped;
mod wrapper;

#[doc(hidden)]
pub use boundary::entry;
pub use boundary::wire;
pub use cell::Cell;
pub use clipper::Clipper;
pub use dataset::{Dataset, Documents, Framing, Predict, Source};
pub use declaration::{Declaration, NamedShape, ParamSpec, Start, StateSpec, bias, recurrent, weight, zeros};
pub use error::PluginError;
/// Makes a struct a plugin, under a name that experiment files use.
///
/// ```
/// use hatchery_plugin::prelude::*;
///
/// /// Divides the logits by a temperature.
/// #[plugin(sampler = "warm")]
/// pub struct Warm {
///     /// What the logits are divided by.
///     #[plugin(above = 0.0)]
///     temperature: f64,
///     /// Where the division counts.
///     #[plugin(default)]
///     place: Place,
///     /// How many of the most likely tokens are divided; without it, all.
///     #[plugin(min = 1, max = 1000)]
///     first: Option<usize>,
///     /// What is added to every logit.
///     #[plugin(default = 0.5)]
///     shift: f64,
/// }
///
/// /// Where the division counts.
/// #[plugin(key)]
/// #[derive(Default)]
/// pub enum Place {
///     /// For every token.
///     #[default]
///     Everywhere,
///     /// For tokens that the sequence does not hold.
///     NewTokens,
/// }
///
/// impl Sampler for Warm {
///     fn process(&self, logits: &mut [f64], _history: &[Token]) {
///         logits.iter_mut().for_each(|logit| *logit = *logit / self.temperature + self.shift);
///     }
/// }
/// # fn main() {}
/// ```
///
/// On the struct stand its kind (`dataset`, `cell`, `wrapper`, `clipper` or `sampler`) and its name. Every field is a key of the
/// experiment's table, in kebab-case; its documentation is the key's help. A key that the table lacks, or one that it has
/// too many, is an error. On a field may stand
///
/// | | |
/// | --- | --- |
/// | `min = 1`, `max = 9` | the least and the largest value |
/// | `above = 0.0` | a limit that the value must exceed |
/// | `default = 0.5` | the key may be left out: it has this value then |
/// | `default` | the key may be left out: it has the `Default` of its type then |
///
/// A field of type `Option` may be left out, too. An enum without fields, or a struct, is the type of a key with
/// `#[plugin(key)]`: an enum's variants are the values that the key may have, in kebab-case.
pub use hatchery_plugin_macros::plugin;
pub use initializer::{Initializer, Rng};
pub use kind::Kind;
pub use math::{chunk, constant, hard_sigmoid, linear, linear_no_bias, one_minus, sigmoid};
pub use matrices::{Gradients, Matrices, Name, Names, Params, State};
pub use noise::{Distribution, NoiseSpec, Per, mask, normal};
pub use sampler::{Sampler, Token};
pub use variant::{Build, Builder, Keys, Plugin, Provider, Variant};
pub use wrapper::{CellInfo, Inner, Wrapper};

pub use burn;
pub use schemars;
pub use serde;
pub use serde_json;

/// What a plugin's source begins with: `use hatchery_plugin::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Cell, CellInfo, Clipper, Dataset, Declaration, Documents, Framing, Gradients, Initializer, Inner, Kind, Name,
        NoiseSpec, ParamSpec, Params, PluginError, Predict, Sampler, Source, State, StateSpec, Token, Wrapper, bias,
        chunk, constant, hard_sigmoid, library, linear, linear_no_bias, mask, normal, one_minus, plugin, recurrent,
        sigmoid, weight, zeros,
    };
    pub use burn::Tensor;
}
