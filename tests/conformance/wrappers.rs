//! A wrapper with a key that chooses its mistake.

use hatchery_plugin::{burn::tensor::Distribution, prelude::*, serde_json::json};

use super::{assert_failures, report};

/// Halves the output and doubles it again, or not quite.
///
/// ```toml
/// [cell]
/// type = "gru"
/// hidden = 4
/// wrap = ["halves"]
/// ```
#[plugin(wrapper = "halves")]
#[derive(Debug)]
pub(super) struct Halves {
    /// What it does wrong.
    #[plugin(default)]
    mistake: Mistake,
}

/// What it does wrong.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mistake {
    #[default]
    None,
    ChangesIdentity,
    FitsNothing,
    Draws,
    DropsState,
}

use Mistake as M;

impl Wrapper for Halves {
    fn declare(&self, _: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
        if self.mistake == M::FitsNothing {
            return Err(PluginError::new("no cell is good enough"));
        }
        Ok(Declaration { outputs: cell.declared.outputs, ..Declaration::default() })
    }

    fn step(&self, cell: &mut Inner<'_>, _: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let output = cell.step(x) * 0.5; // [batch, outputs]
        let output = match self.mistake {
            M::ChangesIdentity => output * 2.1,
            M::Draws => output.clone() * 2.0 + output.random_like(Distribution::Uniform(0.0, 1e-9)),
            _ => output * 2.0,
        };
        if self.mistake == M::DropsState {
            cell.state = State::default();
        }
        (output, state)
    }

    fn keeps_identity(&self) -> bool {
        true
    }
}

hatchery_plugin::plugins![Halves];

#[track_caller]
fn fails(mistake: M, expected: &[(&str, &str)]) {
    assert_failures(&report(&plugins(), Kind::Cell, "halves", json!({ "mistake": mistake })), expected);
}

/// Guards against checks that are too strict.
#[test]
fn a_sound_wrapper_passes() {
    hatchery_plugin::conformance!(plugins(), wrapper "halves");
}

/// Each of them trains.
#[test]
fn wrappers_that_break_a_promise_are_found() {
    fails(M::ChangesIdentity, &[("identity kept", "around a cell that returns its input it changes it")]);
    fails(M::FitsNothing, &[("fits a cell", "no cell is good enough")]);
    fails(
        M::Draws,
        &[
            ("identity kept", "around a cell that returns its input it changes it"),
            ("nothing but the arguments", "the same arguments again give something else"),
        ],
    );
    fails(M::DropsState, &[("can be recorded", "does not return the state")]);
}
