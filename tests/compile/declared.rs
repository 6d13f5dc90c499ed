//! What a cell declares beside parameters and state, in the compiled executor against Burn: noise, derived parameters, a
//! learned start, penalties, wrappers.

use hatchery_cells::{
    Attention, Block, Dropout, Gru, Highway, LayerNorm, Lstm, Multiplicative, Projection, Residual, WeightDrop, Zoneout,
};
use hatchery_compile::{Dtype, Options};
use hatchery_plugin::{
    Cell, Name, NoiseSpec, ParamSpec, Params, State, StateSpec, Wrapper, bias,
    burn::Tensor,
    host::{HostCell, WrappedCell},
    linear, linear_no_bias, mask, normal, recurrent, serde_json, weight, zeros,
};

use super::{Batch, Case, Draws, Noise, cell, compare, compiled, executable, reference::Reference};

/// A cell that needs all of it: noise of every kind, a matrix that is derived, a learned start, and a penalty.
struct All {
    hidden: usize,
}

// ANCHOR: all
impl Cell for All {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]), recurrent("wh", h), bias("b", h), weight("scale", [h, 1]), bias("h0", h)]
    }

    fn state(&self, inputs: usize) -> Vec<StateSpec> {
        let h = self.hidden;
        vec![zeros("h", h).start_param("h0"), zeros("last", inputs), zeros("cost", 1), zeros("c", h).start(0.5)]
    }

    fn noise(&self, inputs: usize) -> Vec<NoiseSpec> {
        let h = self.hidden;
        vec![
            mask("keep", h, 0.7),
            mask("drop-wh", h, 0.8).per_update(h),
            normal("shake", h),
            mask("variational", inputs, 0.6).per_sequence(),
            normal("tilt", h).per_update(1),
        ]
    }

    fn penalties(&self, _inputs: usize) -> Vec<Name> {
        vec!["cost".into()]
    }

    /// Rows of length one, times a scale: weight normalization; then weight drop.
    fn derive(&self, params: Params) -> Params {
        let [wh, scale, drop] = params.get(["wh", "scale", "drop-wh"]);
        let lengths = wh.clone().square().sum_dim(1).sqrt() + 0.1;
        let mut derived: Params =
            params.map(|name, matrix| if name == "wh" { matrix / lengths.clone() * scale.clone() } else { matrix });
        let dropped = derived.get("wh") * drop;
        derived.push("wh-dropped", dropped);
        derived
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b, tilt] = params.get(["wx", "wh-dropped", "b", "tilt"]);
        let [keep, shake, variational] = params.get(["keep", "shake", "variational"]);
        let [h, last, c] = state.get(["h", "last", "c"]);
        let masked = (x.clone() + last * 0.5) * variational;
        let new = (linear(masked, wx, b) + linear_no_bias(h.clone(), wh) + shake * 0.1 + tilt * 0.2).tanh();
        let h = h.clone() + keep * (new - h);
        let c = c * 0.5 + h.clone();
        let cost = h.clone().square().mean_dim(1);
        (h.clone() + c.clone(), State::from([("h", h), ("last", x), ("cost", cost), ("c", c)]))
    }
}
// ANCHOR_END: all

/// Losses, gradients before and after clippers, weights and evaluation: equal to rounding, over several batches of which some
/// continue the one before, and others are of other sizes, so that they begin at the learned start.
fn agrees(layers: impl Fn() -> Vec<Box<dyn HostCell>>, embedding: Option<usize>, penalties: &[(&str, f64)]) {
    let mut case = Case::new(7, layers());
    case.embedding = embedding;
    case.penalties = penalties.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect();
    compare(Dtype::F64, &case, &[(3, 5), (3, 4), (29, 9)], 9, 1e-11);
    compare(Dtype::F32, &case, &[(3, 5), (29, 9)], 4, 2e-4);
}

#[test]
fn all_that_a_cell_declares_agrees_with_burn() {
    let all = || vec![Box::new(All { hidden: 6 }) as Box<dyn HostCell>, Box::new(All { hidden: 5 })];
    agrees(all, None, &[("cost", 0.3)]);
    agrees(all, Some(4), &[("cost", 0.3)]);
}

/// Would catch: noise that depends on the number of threads, or on which batch was prepared before.
#[test]
fn noise_does_not_depend_on_threads() {
    let trained = |threads| {
        let case = Case::new(9, vec![Box::new(All { hidden: 32 })]);
        let mut model = compiled(&case, Dtype::F32, Options { threads: Some(threads), instructions: None });
        let mut noise = Noise(5);
        for step in 0..4 {
            model.train(&Batch::random(&mut noise, 9, 64, 12, true).view(), &Draws(step), 0.1);
            model.evaluate(&Batch::random(&mut noise, 9, 8, 3, true).view());
        }
        (model.losses(), model.parameters())
    };
    assert_eq!(trained(1), trained(3));
}

/// Would catch: an evaluation that sees the noise of the last update, or a generation that does.
#[test]
fn evaluation_and_generation_see_the_expectation() {
    let case = Case::new(5, vec![Box::new(All { hidden: 6 })]);
    let values = case.values(7);
    let mut noise = Noise(5);
    let batch = Batch { continues: false, ..Batch::random(&mut noise, 5, 4, 6, false) };
    let mut model = executable(&case, &values, Dtype::F64, Options::default());
    let fresh = model.evaluate(&batch.view()).nats;
    model.train(&batch.view(), &Draws(3), 0.0);
    assert_eq!(
        model.evaluate(&batch.view()).nats.to_bits(),
        fresh.to_bits(),
        "the rate is 0: the weights are the same"
    );
    let reference = Reference::new(&case, &values, hatchery_plugin::burn::tensor::DType::F64);
    assert!((reference.evaluate(&batch) - fresh).abs() < 1e-11 * fresh);
}

/// The gradient of the learned start is the slope of the loss.
#[test]
fn the_gradient_of_a_learned_start_is_its_slope() {
    let case = Case::new(5, vec![Box::new(All { hidden: 4 })]);
    let mut values = case.values(7);
    // The slope is taken in evaluation: masks that always keep, and no shaking, are what both see.
    let batch = Batch { continues: false, ..Batch::random(&mut Noise(2), 5, 3, 4, true) };
    let index = case.params().iter().position(|(name, _)| name == "layers.0.h0").unwrap();
    let mut model = executable(&case, &values, Dtype::F64, Options::default());
    model.train(&batch.view(), &Draws(0), 0.0);
    let [gradients, _] = model.gradients();
    assert!(gradients[index].iter().any(|value| value.abs() > 1e-6), "{:?}", gradients[index]);
    values[index][0] += 1.0;
    let mut moved = executable(&case, &values, Dtype::F64, Options::default());
    assert!((moved.evaluate(&batch.view()).nats - model.evaluate(&batch.view()).nats).abs() > 1e-9);
}

fn wrapped<W: Wrapper + serde::de::DeserializeOwned + 'static>(
    name: &str,
    keys: &str,
    cell: Box<dyn HostCell>,
) -> Box<dyn HostCell> {
    let wrapper: W = serde_json::from_str(keys).expect("the keys are the wrapper's");
    Box::new(WrappedCell::new(format!("{name}."), Box::new(wrapper), cell))
}

fn gru() -> Box<dyn HostCell> {
    cell::<Gru>(r#"{"hidden": 6}"#)
}

fn lstm() -> Box<dyn HostCell> {
    cell::<Lstm>(r#"{"hidden": 6}"#)
}

#[test]
fn wrappers_agree_with_burn() {
    let one = |layer: &dyn Fn() -> Box<dyn HostCell>| agrees(|| vec![layer()], Some(6), &[]);
    one(&|| wrapped::<Residual>("residual", "{}", gru()));
    one(&|| wrapped::<Highway>("highway", "{}", gru()));
    one(&|| wrapped::<Zoneout>("zoneout", r#"{"keep": 0.8}"#, lstm()));
    one(&|| wrapped::<Dropout>("dropout", r#"{"input": 0.2, "output": 0.3, "per": "sequence"}"#, lstm()));
    one(&|| wrapped::<Dropout>("dropout", r#"{"input": 0.2, "output": 0.3}"#, lstm()));
    one(&|| wrapped::<WeightDrop>("weight-drop", r#"{"share": 0.3, "params": ["wh"]}"#, lstm()));
    one(&|| wrapped::<LayerNorm>("layer-norm", r#"{"place": "before"}"#, gru()));
    one(&|| wrapped::<LayerNorm>("layer-norm", "{}", gru()));
    one(&|| wrapped::<Projection>("projection", r#"{"width": 4}"#, lstm()));
    one(&|| wrapped::<Attention>("attention", r#"{"length": 3}"#, gru()));
    one(&|| wrapped::<Multiplicative>("multiplicative", "{}", lstm()));
    one(&|| wrapped::<Block>("block", r#"{"expand": 2}"#, lstm()));
}

/// Would catch: names of two wrappers, or of a wrapper and its cell, that are mixed up.
#[test]
fn wrappers_around_wrappers_agree_with_burn() {
    let stack = || {
        let dropped = wrapped::<WeightDrop>("weight-drop", r#"{"share": 0.3, "params": ["wh"]}"#, lstm());
        let zoned = wrapped::<Zoneout>("zoneout", r#"{"keep": 0.8}"#, dropped);
        let attentive = wrapped::<Attention>("attention", r#"{"length": 2}"#, zoned);
        vec![wrapped::<Block>("block", r#"{"expand": 2}"#, attentive), wrapped::<Residual>("residual", "{}", gru())]
    };
    agrees(stack, Some(6), &[]);
    let all = || vec![wrapped::<Zoneout>("zoneout", r#"{"keep": 0.8}"#, Box::new(All { hidden: 5 }))];
    agrees(all, None, &[("cost", 0.1)]);
}
