//! A cell with a key that chooses its mistake.

use std::sync::{
    Mutex, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use hatchery_plugin::{
    burn::tensor::{DType, Distribution, FloatDType},
    prelude::*,
    serde_json::json,
};

use super::{assert_failures, report};

/// `h' = tanh(Wx x + Wh h + b)`, or not quite.
///
/// ```toml
/// [cell]
/// type = "tanh"
/// hidden = 4 # width
///
/// [train]
/// steps = 10
/// ```
#[plugin(cell = "tanh")]
#[derive(Debug)]
pub(super) struct Tanh {
    /// Width of the hidden state.
    hidden: usize,
    /// What it does wrong.
    #[plugin(default)]
    mistake: Mistake,
    /// What is in the place of tanh.
    #[plugin(default)]
    activation: Activation,
    /// What a pure function has not.
    #[serde(skip)]
    calls: AtomicU64,
    /// Nor this.
    #[serde(skip)]
    last_input: Mutex<Option<Tensor<2>>>,
    /// Nor this: a number that no other cell has.
    #[serde(skip)]
    own_number: OnceLock<u64>,
}

/// What it does wrong.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mistake {
    #[default]
    None,
    NameTwice,
    ValuesTooFew,
    InitializerFollowsInputs,
    DeclarationChanges,
    OutputTooWide,
    StateSwapped,
    StateDropped,
    Panics,
    SingleOut,
    SingleWithin,
    EpsilonTooSmall,
    RowsMixed,
    RowsReversed,
    CountsCalls,
    RemembersInput,
    DiffersFromTwin,
    Random,
    ParameterUnused,
    BiasDetached,
    StraightThrough,
    Overflows,
    GradientOverflows,
    RootOfZero,
    NoiseUnused,
    NoiseUndeclared,
    NoiseTooLikely,
    DeriveCountsCalls,
    /// No mistake: the hidden state starts at a parameter.
    StartLearned,
    StartDetached,
    StartTooWide,
}

/// What is in the place of tanh: functions with kinks, which are no mistake.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default)]
enum Activation {
    #[default]
    Tanh,
    Relu,
    HardSigmoid,
}

use Mistake as M;

/// So that two cells of one process are never alike.
static CELLS: AtomicU64 = AtomicU64::new(1);

impl Cell for Tanh {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let mut params =
            vec![weight("wx", [self.hidden, inputs]), recurrent("wh", self.hidden), bias("b", self.hidden)];
        match self.mistake {
            M::NameTwice => params[2].name = "wh".into(),
            M::ValuesTooFew => params[2].initializer = Initializer::Values { values: vec![0.0; self.hidden - 1] },
            M::InitializerFollowsInputs if inputs > 1 => params[0].initializer = Initializer::KaimingNormal,
            M::DeclarationChanges => {
                let value = self.calls.fetch_add(1, Ordering::Relaxed) as f64;
                params[2].initializer = Initializer::Constant { value };
            }
            M::ParameterUnused => params.push(bias("peephole", self.hidden)),
            M::StartLearned | M::StartDetached => params.push(bias("h0", self.hidden)),
            M::StartTooWide => params.push(bias("h0", self.hidden + 1)),
            _ => {}
        }
        params
    }

    fn noise(&self, _inputs: usize) -> Vec<NoiseSpec> {
        match self.mistake {
            M::NoiseUnused => vec![mask("drop", self.hidden, 0.5)],
            M::NoiseTooLikely => vec![mask("drop", self.hidden, 1.5)],
            _ => Vec::new(),
        }
    }

    fn derive(&self, params: Params) -> Params {
        if self.mistake != M::DeriveCountsCalls {
            return params;
        }
        let calls = self.calls.fetch_add(1, Ordering::Relaxed) as f64;
        params.map(|name, matrix| if name == "b" { matrix + calls * 1e-3 } else { matrix })
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        let h = zeros("h", self.hidden);
        let is_learned = matches!(self.mistake, M::StartLearned | M::StartDetached | M::StartTooWide);
        vec![if is_learned { h.start_param("h0") } else { h }, zeros("mean", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        let (mut h, mut mean, mut bias) = (state.get("h"), state.get("mean"), params.get("b"));
        let [batch, _] = x.dims();
        let is_double = x.dtype() == DType::F64;
        match self.mistake {
            M::Panics if batch > 1 => panic!("only one row is expected,\n  not {batch}"),
            M::BiasDetached => bias = bias.detach(),
            M::RowsMixed => h = h.clone() * 0.5 + h.mean_dim(0) * 0.5,
            M::RowsReversed => h = h.flip([0]),
            M::StartDetached => h = h.detach(),
            M::NoiseUndeclared => h = h * params.get("drop"),
            M::SingleWithin if is_double => mean = mean.cast(FloatDType::F32).cast(FloatDType::F64),
            _ => {}
        }
        let mut a = linear(x.clone(), params.get("wx"), bias) + linear_no_bias(h, params.get("wh")); // [batch, hidden]
        match self.mistake {
            M::EpsilonTooSmall => a = a.clone() + ((a * 0.0 + 1.0 + 1e-9) - 1.0) * 1e8,
            M::CountsCalls => a = a + calls as f64 * 1e-9,
            M::RemembersInput => a = a + self.remembered(x),
            M::DiffersFromTwin => {
                let number = self.own_number.get_or_init(|| CELLS.fetch_add(1, Ordering::Relaxed));
                a = a + *number as f64 * 1e-3;
            }
            M::Random => a = a.clone() + a.random_like(Distribution::Uniform(0.0, 1e-9)),
            // What a straight-through estimator does: the value of one function, the gradient of another.
            M::StraightThrough => a = a.clone().detach() * 1.01 + (a.clone() - a.detach()),
            _ => {}
        }
        let mut h = match (self.mistake, self.activation) {
            (M::Overflows, _) => a.clone().exp() / (a.exp() + 1.0),
            // The value is right where exp(-a) is infinite, its gradient is infinity times zero.
            (M::GradientOverflows, _) => (a.neg().exp() + 1.0).recip(),
            // The slope of a root is infinite at zero, and infinity minus infinity no number.
            (M::RootOfZero, _) => a.clone().tanh() + (a.clone() - a).sqrt(),
            (_, Activation::Tanh) => a.tanh(),
            (_, Activation::Relu) => a.clamp_min(0.0),
            (_, Activation::HardSigmoid) => hard_sigmoid(a),
        }; // [batch, hidden]
        mean = mean * 0.5 + h.clone();
        let mut output = h.clone() + mean.clone(); // [batch, hidden]
        match self.mistake {
            M::OutputTooWide => output = Tensor::cat(vec![output.clone(), output], 1),
            M::SingleOut if is_double => h = h.cast(FloatDType::F32),
            M::StateSwapped => return (output, State::from([("mean", mean), ("h", h)])),
            M::StateDropped => return (output, State::from([("h", h)])),
            _ => {}
        }
        (output, State::from([("h", h), ("mean", mean)]))
    }
}

impl Tanh {
    /// The mean of the input of the call before: `[batch, 1]`.
    fn remembered(&self, x: Tensor<2>) -> Tensor<2> {
        let last = self.last_input.lock().expect("no thread panics while it holds this").replace(x.clone());
        match last {
            Some(last) if last.dims() == x.dims() && last.dtype() == x.dtype() => last.without_autodiff(),
            _ => x * 0.0,
        }
        .mean_dim(1)
    }
}

hatchery_plugin::plugins![Tanh];

#[track_caller]
fn fails(mistake: M, expected: &[(&str, &str)]) {
    let report = report(&plugins(), Kind::Cell, "tanh", json!({ "hidden": 4, "mistake": mistake }));
    assert_failures(&report, expected);
}

/// Guards against checks that are too strict, at several widths: one unit is where a matrix is a row or a column.
#[test]
fn a_sound_cell_passes() {
    hatchery_plugin::conformance!(plugins(), cell "tanh", { "hidden": 4 });
    hatchery_plugin::conformance!(plugins(), cell "tanh", { "hidden": 1 });
    hatchery_plugin::conformance!(plugins(), cell "tanh", { "hidden": 50 });
    hatchery_plugin::conformance!(plugins(), cell "tanh", { "hidden": 4, "mistake": "start-learned" });
}

/// A slope across a kink is not the gradient at either side: the check must not take that for a mistake.
#[test]
fn a_cell_with_kinks_passes() {
    hatchery_plugin::conformance!(plugins(), cell "tanh", { "hidden": 1, "activation": "relu" });
    hatchery_plugin::conformance!(plugins(), cell "tanh", { "hidden": 16, "activation": "relu" });
    hatchery_plugin::conformance!(plugins(), cell "tanh", { "hidden": 16, "activation": "hard-sigmoid" });
}

#[test]
fn what_a_cell_declares_is_checked() {
    fails(M::NameTwice, &[("declaration", "`params(5)` declares `wh` twice")]);
    fails(M::ValuesTooFew, &[("declaration", "`b` lists 3 first values for 4 entries")]);
    fails(M::InitializerFollowsInputs, &[("declaration", "differ in more than shapes")]);
    fails(M::DeclarationChanges, &[("declaration", "says something else the second time")]);
}

#[test]
fn an_output_of_another_width_is_found() {
    fails(M::OutputTooWide, &[("can be recorded", "`output` is [3, 8] after the step, declared is [3, 4]")]);
}

#[test]
fn a_state_out_of_order_or_missing_is_found() {
    fails(M::StateSwapped, &[("shapes kept", "the next state is [(\"mean\", [3, 4]), (\"h\", [3, 4])]")]);
    fails(M::StateDropped, &[("can be recorded", "`step` does not return the state `mean`, it returns `h`")]);
}

/// The kit must outlive a panic, and say with which sizes it came.
#[test]
fn a_panic_is_a_failed_check() {
    fails(M::Panics, &[("can be recorded", "with batch 3 and 5 inputs: it panicked: only one row is expected, not 3")]);
}

#[test]
fn single_precision_is_found() {
    fails(M::SingleOut, &[("dtype kept", "with F64 everywhere, `h` is F32 after a step")]);
    fails(
        M::SingleWithin,
        &[
            ("double precision used", "changing `mean` by 1e-11 of itself changes no bit"),
            ("gradients are right", "the slope"),
        ],
    );
}

#[test]
fn what_single_precision_cannot_hold_is_found() {
    fails(M::EpsilonTooSmall, &[("single agrees with double", "in F64 and F32")]);
}

/// Each of them trains, and cannot be resumed exactly or gives other numbers the second time.
#[test]
fn a_cell_that_is_no_function_is_found() {
    let again = [("nothing but the arguments", "the same arguments again give something else")];
    fails(M::CountsCalls, &again);
    fails(M::RemembersInput, &[("shapes kept", "it uses a tensor that it kept from an earlier call")]);
    fails(M::Random, &again);
    fails(M::DiffersFromTwin, &[("nothing but the arguments", "two cells of the same keys differ")]);
}

#[test]
fn rows_that_influence_each_other_are_found() {
    let wrong = "changing row 0 of the batch changes others";
    fails(M::RowsMixed, &[("batch rows independent", wrong)]);
    fails(M::RowsReversed, &[("batch rows independent", wrong)]);
}

#[test]
fn a_parameter_that_learns_nothing_is_found() {
    fails(M::ParameterUnused, &[("everything gets a gradient", "for `peephole`;")]);
    fails(
        M::BiasDetached,
        &[("everything gets a gradient", "for `b`;"), ("gradients are right", "gradient of `b`[0, ")],
    );
}

#[test]
fn the_gradient_of_another_function_is_found() {
    fails(M::StraightThrough, &[("gradients are right", "and likewise at 3 other random points")]);
}

/// Each of them trains: without the noise, or with a start that stays as it was.
#[test]
fn noise_and_starts_without_effect_are_found() {
    fails(M::NoiseUnused, &[("noise used", "other values of `drop` change no output")]);
    fails(M::NoiseUndeclared, &[("can be recorded", "no matrix is named `drop`")]);
    fails(M::NoiseTooLikely, &[("declaration", "its noise `drop` is 1 with probability 1.5")]);
    fails(M::StartTooWide, &[("declaration", "starts at `h0`, which is not a parameter of 1 by 4")]);
    fails(M::StartDetached, &[("everything gets a gradient", "`h0`"), ("gradients are right", "the gradient of")]);
}

#[test]
fn what_is_derived_from_more_than_parameters_is_found() {
    fails(M::DeriveCountsCalls, &[("derived from parameters alone", "the same parameters again give something else")]);
}

#[test]
fn numbers_that_overflow_are_found() {
    fails(M::Overflows, &[("finite for large inputs", "is NaN after step")]);
    fails(M::GradientOverflows, &[("finite for large inputs", "the gradient of")]);
}

#[test]
fn a_gradient_of_nan_is_found() {
    fails(M::RootOfZero, &[("finite for ordinary inputs", "; look for 0/0, a root of zero")]);
}
