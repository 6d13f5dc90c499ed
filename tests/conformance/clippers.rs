//! A clipper with a key that chooses its mistake.

use std::sync::atomic::{AtomicU64, Ordering};

use hatchery_plugin::{
    burn::tensor::{DType, FloatDType},
    prelude::*,
    serde_json::json,
};

use super::{assert_failures, report};

/// Scales all gradients down so that the norm of each is at most 1, or not quite.
///
/// ```toml
/// [[clipper]]
/// type = "scale"
/// ```
#[plugin(clipper = "scale")]
#[derive(Debug, Default)]
pub(super) struct Scale {
    /// What it does wrong.
    #[plugin(default)]
    mistake: Mistake,
    /// What a pure function has not.
    #[serde(skip)]
    calls: AtomicU64,
}

/// What it does wrong.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mistake {
    #[default]
    None,
    Drops,
    SwapsNames,
    Transposes,
    ComesOutSingle,
    Amplifies,
    Normalizes,
    DividesByZero,
    AddsNoise,
    TurnsAround,
    CountsCalls,
}

use Mistake as M;

impl Clipper for Scale {
    fn clip(&self, gradients: Gradients) -> Gradients {
        let names: Vec<String> = gradients.names().map(str::to_owned).collect();
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        let is_double = gradients.iter().any(|(_, gradient)| gradient.dtype() == DType::F64);
        // The largest entry taken out first, so that the squares do not overflow.
        let mut clipped = gradients.map(|_, gradient| {
            let largest = gradient.clone().abs().max().reshape([1, 1]).clamp_min(1e-30);
            let norm = (gradient.clone() / largest.clone()).powi_scalar(2).sum().sqrt().reshape([1, 1]) * largest;
            match self.mistake {
                M::Transposes => gradient.transpose(),
                M::ComesOutSingle if is_double => gradient.cast(FloatDType::F32),
                M::Amplifies => gradient * 1.01,
                M::Normalizes => gradient / norm.clamp_min(1e-20),
                M::DividesByZero => gradient.clone() / gradient.powi_scalar(2).sum().sqrt().reshape([1, 1]),
                M::AddsNoise => gradient + 1e-3,
                M::TurnsAround => gradient.neg(),
                M::CountsCalls => gradient / (norm.clamp_min(1.0) + calls as f64),
                _ => gradient / norm.clamp_min(1.0),
            }
        });
        match self.mistake {
            M::Drops => clipped = clipped.into_iter().skip(1).collect(),
            M::SwapsNames => clipped = names.into_iter().rev().zip(clipped.into_iter().map(|(_, g)| g)).collect(),
            _ => {}
        }
        clipped
    }
}

hatchery_plugin::plugins![Scale];

#[track_caller]
fn fails(mistake: M, expected: &[(&str, &str)]) {
    assert_failures(&report(&plugins(), Kind::Clipper, "scale", json!({ "mistake": mistake })), expected);
}

/// Guards against checks that are too strict.
#[test]
fn a_sound_clipper_passes() {
    hatchery_plugin::conformance!(plugins(), clipper "scale");
}

/// The optimizer goes through parameters and gradients side by side.
#[test]
fn gradients_that_are_lost_or_mixed_up_are_found() {
    fails(M::Drops, &[("names and shapes kept", "out came [(\"wh\", [12, 4])")]);
    fails(M::SwapsNames, &[("names and shapes kept", "all gradients must come out, in the same order")]);
    fails(M::Transposes, &[("names and shapes kept", "out came [(\"wx\", [7, 12])")]);
}

#[test]
fn another_precision_is_found() {
    fails(M::ComesOutSingle, &[("dtype kept", "in F64: `wx` comes out as F32")]);
}

#[test]
fn a_clipper_that_amplifies_is_found() {
    fails(M::Amplifies, &[("never larger", "the global norm was")]);
    // Right for large gradients, wrong for small ones.
    fails(M::Normalizes, &[("never larger", "for gradients of about 1e-3")]);
}

#[test]
fn a_division_by_a_norm_of_zero_is_found() {
    fails(
        M::DividesByZero,
        &[
            ("zero stays zero", "was 0 and is NaN; look for a division by a norm"),
            ("finite stays finite", "is NaN"),
            ("never larger", ""),
        ],
    );
}

#[test]
fn what_does_not_come_from_the_gradient_is_found() {
    fails(M::AddsNoise, &[("zero stays zero", "was 0 and is 0.001"), ("never larger", ""), ("signs kept", "")]);
}

#[test]
fn a_step_uphill_is_found() {
    fails(M::TurnsAround, &[("signs kept", "the step would go uphill")]);
}

#[test]
fn a_clipper_that_remembers_is_found() {
    fails(M::CountsCalls, &[("nothing but the gradients", "again gives something else")]);
}
