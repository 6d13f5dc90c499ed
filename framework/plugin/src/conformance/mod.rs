//! The conformance kit: what every plugin must keep to, as checks that any plugin passes with one line.
//!
//! The framework relies on promises that the type system cannot hold: a cell is a pure function, the rows of a batch
//! do not mix, a clipper drops no gradient, a sampler leaves something to draw. A plugin that breaks one trains all the
//! same and learns worse, which stays unnoticed for months. The kit looks for those mistakes, and says what to look at.
//!
//! The line, in the tests of the plugin's crate (with the feature `conformance` of `hatchery-plugin`):
//!
//! ```
//! use hatchery_plugin::prelude::*;
//!
//! /// Keeps every entry of every gradient within `[-limit, limit]`.
//! ///
//! /// ```toml
//! /// [[clipper]]
//! /// type = "limit"
//! /// limit = 5.0
//! /// ```
//! #[plugin(clipper = "limit")]
//! pub struct Limit {
//!     /// Largest absolute value of an entry.
//!     pub limit: f64,
//! }
//!
//! impl Clipper for Limit {
//!     fn clip(&self, gradients: Gradients) -> Gradients {
//!         gradients.map(|_, gradient| gradient.clamp(-self.limit, self.limit))
//!     }
//! }
//!
//! library![Limit];
//!
//! # fn main() {
//! hatchery_plugin::conformance!(plugins(), clipper "limit", { "limit": 0.5 });
//! # }
//! ```
//!
//! Which checks a kind has is said at the top of the file of that kind. All numbers come from the kit's own generator,
//! so a failure repeats itself. Cells run on Burn's `flex` backend.

mod cell;
mod clipper;
mod dataset;
mod keys;
mod numbers;
mod report;
mod sampler;
mod wrapper;

use serde_json::Value;

pub use self::{
    keys::options,
    report::{Outcome, Report},
};
use crate::{Build, Builder, Kind, Provider, Variant};

/// Checks a plugin, built from these keys.
///
/// Small sizes are enough and quick: `{ "hidden": 4 }`. A check that panics has failed, the others are made all the
/// same; when the plugin cannot be built, or a cell's matrices have not the shapes that it declared, what depends on
/// that is left out.
pub fn check(variant: &Variant, keys: Value) -> Report {
    let mut report = Report::new(format!("{} \"{}\"", variant.kind(), variant.name));
    keys::check(&mut report, variant, &keys);
    match &variant.build {
        Build::Dataset(build) => {
            if let Some([dataset, twin]) = built(&mut report, build, keys) {
                dataset::check(&mut report, &*dataset, &*twin);
            }
        }
        Build::Cell(build) => {
            if let Some([cell, twin]) = built(&mut report, build, keys) {
                cell::check(&mut report, &*cell, &*twin);
            }
        }
        Build::Wrapper(build) => {
            if let Some([wrapper, twin]) = built(&mut report, build, keys) {
                wrapper::check(&mut report, variant.name, wrapper, twin);
            }
        }
        Build::Clipper(build) => {
            if let Some([clipper, twin]) = built(&mut report, build, keys) {
                clipper::check(&mut report, &*clipper, &*twin);
            }
        }
        Build::Sampler(build) => {
            if let Some([sampler, twin]) = built(&mut report, build, keys) {
                sampler::check(&mut report, &*sampler, &*twin);
            }
        }
    }
    report
}

/// Checks a cell as [`check`] does, and at the batch size of an experiment besides.
pub fn check_at(variant: &Variant, keys: Value, batch: usize) -> Report {
    let mut report = check(variant, keys.clone());
    if let (Build::Cell(build), true) = (&variant.build, report.passed())
        && let Ok((cell, _)) = build(keys)
    {
        cell::check_at(&mut report, &*cell, batch);
    }
    report
}

/// Builds the plugin twice, so that a kind can tell whether two of the same keys are the same.
fn built<T: ?Sized>(report: &mut Report, build: &Builder<T>, keys: Value) -> Option<[Box<T>; 2]> {
    let given = keys.to_string();
    let mut plugins = None;
    report.run("built", || {
        let refused = |fault| format!("it refuses {given}: {fault}; give the check keys that an experiment could have");
        let (plugin, _) = build(keys.clone()).map_err(refused)?;
        let (twin, _) = build(keys).map_err(refused)?;
        plugins = Some([plugin, twin]);
        Ok(format!("from {given}"))
    });
    plugins
}

/// Checks the plugin of that kind and name; [`conformance!`](crate::conformance!) calls it.
///
/// # Panics
/// When there is none of that kind and name, or when a check fails.
#[doc(hidden)]
#[track_caller]
pub fn assert_conforms(provider: &Provider, kind: Kind, name: &str, keys: Value) {
    let Some(variant) = provider.find(kind, name) else {
        let known: Vec<_> =
            provider.variants.iter().map(|variant| format!("{} \"{}\"", variant.kind(), variant.name)).collect();
        panic!("`{}` has no {kind} \"{name}\"; it has {}", provider.package, known.join(", "));
    };
    check(variant, keys).assert();
}

/// Checks a plugin in one line and panics with a table when it fails: provider, kind, name, keys.
///
/// `conformance!(plugins(), cell "gru", { "hidden": 4 });` The keys may be left out when all have defaults.
#[macro_export]
macro_rules! conformance {
    ($provider:expr, $kind:ident $name:literal) => {
        $crate::conformance!($provider, $kind $name, {})
    };
    ($provider:expr, $kind:ident $name:literal, $keys:tt) => {
        $crate::conformance::assert_conforms(
            &$provider,
            $crate::conformance!(@kind $kind),
            $name,
            $crate::serde_json::json!($keys),
        )
    };
    (@kind dataset) => { $crate::Kind::Dataset };
    (@kind cell) => { $crate::Kind::Cell };
    (@kind wrapper) => { $crate::Kind::Cell };
    (@kind clipper) => { $crate::Kind::Clipper };
    (@kind sampler) => { $crate::Kind::Sampler };
}
