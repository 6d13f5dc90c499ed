//! A sampler with a key that chooses its mistake.

use std::sync::atomic::{AtomicU64, Ordering};

use hatchery_plugin::{prelude::*, serde_json::json};

use super::{assert_failures, report};

/// Rules out all tokens more than `width` below the most likely one, or not quite.
///
/// ```toml
/// [[sampler]]
/// type = "near"
/// width = 2.0
/// ```
#[plugin(sampler = "near")]
#[derive(Debug)]
pub(super) struct Near {
    /// Width in nats.
    width: f64,
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
    LooksAtThird,
    LooksAtLastSeen,
    RulesOutAll,
    RulesOutTies,
    LogOfSoftmax,
    Multiplies,
    Revives,
    CountsCalls,
}

use Mistake as M;

impl Sampler for Near {
    fn process(&self, logits: &mut [f64], history: &[Token]) {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match self.mistake {
            M::LooksAtThird => logits[2] += 1.0,
            M::LooksAtLastSeen => logits[history[history.len() - 1] as usize] -= 1.0,
            M::RulesOutAll => logits.fill(f64::NEG_INFINITY),
            M::RulesOutTies if logits.iter().all(|logit| logit.to_bits() == largest.to_bits()) => {
                logits.fill(f64::NEG_INFINITY);
            }
            // Without taking the largest off first: the exponential overflows.
            M::LogOfSoftmax => {
                let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
                logits.iter_mut().for_each(|logit| *logit = (logit.exp() / total).ln());
            }
            M::Multiplies => logits.iter_mut().for_each(|logit| *logit *= 1e10),
            M::Revives => logits.iter_mut().for_each(|logit| *logit = logit.max(largest - 100.0)),
            M::CountsCalls => logits.iter_mut().for_each(|logit| *logit += calls as f64),
            _ => {}
        }
        for logit in logits {
            if largest - *logit > self.width && self.mistake == M::None {
                *logit = f64::NEG_INFINITY;
            }
        }
    }
}

hatchery_plugin::plugins![Near];

#[track_caller]
fn fails(mistake: M, expected: &[(&str, &str)]) {
    assert_failures(&report(&plugins(), Kind::Sampler, "near", json!({ "width": 2.0, "mistake": mistake })), expected);
}

/// Guards against checks that are too strict: a width of zero keeps the largest only, an endless one changes nothing.
#[test]
fn a_sound_sampler_passes() {
    hatchery_plugin::conformance!(plugins(), sampler "near", { "width": 2.0 });
    hatchery_plugin::conformance!(plugins(), sampler "near", { "width": 0.0 });
    hatchery_plugin::conformance!(plugins(), sampler "near", { "width": 1e301 });
}

#[test]
fn an_index_that_is_not_always_there_is_found() {
    fails(
        M::LooksAtThird,
        &[("any logits and history", "two tokens and no history: it panicked: index out of bounds")],
    );
    fails(M::LooksAtLastSeen, &[("any logits and history", "two tokens and no history: it panicked")]);
}

#[test]
fn a_sampler_that_leaves_nothing_is_found() {
    fails(M::RulesOutAll, &[("something remains", "no token is left to draw")]);
    fails(M::RulesOutTies, &[("something remains", "for a tie of all tokens: no token is left")]);
}

#[test]
fn what_is_no_number_is_found() {
    fails(
        M::LogOfSoftmax,
        &[
            ("something remains", "for one token so likely"),
            ("numbers only", "becomes NaN; take the largest off before an `exp`"),
        ],
    );
    fails(
        M::Multiplies,
        &[
            ("something remains", "for the last token left of two: no token is left"),
            ("numbers only", "for logits of ±1e300: the logit of token 0 becomes inf"),
        ],
    );
}

#[test]
fn a_token_that_comes_back_is_found() {
    fails(M::Revives, &[("ruled out stays out", "for one token left: token 0 was ruled out and has logit -103 now")]);
}

#[test]
fn a_sampler_that_remembers_is_found() {
    fails(M::CountsCalls, &[("nothing but the arguments", "a sampler never draws and remembers nothing")]);
}
