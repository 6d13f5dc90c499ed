//! Cells and optimizers against `PyTorch`: `golden/cells.json` and `golden/optimizers.json`, made by the scripts beside them.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use hatchery::{
    data::Batch,
    executor::{BurnExecutor, Executor},
    experiment::{Dtype, reading},
    model::Model,
    plugins::Part,
    random::Streams,
    tensors::Values,
};
use hatchery_plugin::{
    Clipper, Gradients, Matrices, Params, State,
    burn::tensor::{DType, Device, Tensor, TensorData},
    host::HostCell,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Array {
    shape: Vec<usize>,
    data: Vec<f64>,
}

pub(crate) type Table = Map<String, Value>;

#[derive(Deserialize)]
pub(crate) struct Case {
    name: String,
    params: Vec<Table>,
    inputs: Array,
    initial: Vec<Table>,
    #[serde(rename = "R")]
    output_weights: Array,
    #[serde(rename = "S")]
    final_weights: Vec<Table>,
    output: Array,
    #[serde(rename = "final")]
    ends: Vec<Table>,
    loss: f64,
    gradients: Expected,
}

impl Case {
    /// The shapes of the first layer's parameters.
    pub(crate) fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        let shape = |value: &Value| serde_json::from_value::<Array>(value.clone()).unwrap().shape;
        self.params[0].iter().map(|(name, value)| (name.clone(), shape(value))).collect()
    }
}

#[derive(Deserialize)]
struct Expected {
    params: Vec<Table>,
    inputs: Array,
    initial: Vec<Table>,
}

/// The keys of the cell that a case is about.
fn part(case: &str, hidden: usize) -> Part {
    let keys = match case {
        "vanilla_tanh" => json!({ "type": "vanilla" }),
        "vanilla_relu" => json!({ "type": "vanilla", "activation": "relu" }),
        "lstm" => json!({ "type": "lstm" }),
        "lstm_hard_sigmoid" => json!({ "type": "lstm", "gate-activation": "hard-sigmoid" }),
        "lstm_peephole" => json!({ "type": "lstm", "peepholes": true }),
        "gru_after" => json!({ "type": "gru", "reset": "after" }),
        "gru_before" => json!({ "type": "gru", "reset": "before" }),
        other => panic!("no cell is meant by `{other}`"),
    };
    let mut part: Part = serde_json::from_value(keys).unwrap();
    part.keys.insert("hidden".to_owned(), hidden.into());
    part
}

/// Gates in another order, a state that is not carried, a bias without gradient, a reset gate on the wrong side: each is an
/// error in some number of some case. Two layers, carried state, every gradient.
#[test]
fn cells_equal_pytorch() {
    let golden: Value = serde_json::from_str(include_str!("golden/cells.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_value(golden["cases"].clone()).unwrap();
    assert_eq!(cases.len(), 7);
    for case in &cases {
        let registry = hatchery_cli::registry().unwrap();
        let (cell, _) = registry.cell(&part(&case.name, case.output.shape[2])).unwrap();
        for (dtype, tolerance) in [(DType::F64, 1e-9), (DType::F32, 1e-5)] {
            check_cell(case, &*cell, dtype, tolerance);
        }
    }
}

/// Five cells in two layers, from the equations of their papers. A gate at the wrong head, a matrix that is multiplied from the other
/// side, or a running maximum that changes an output is an error in some number.
#[test]
fn stacked_cells_equal_their_papers() {
    let golden: Value = serde_json::from_str(include_str!("golden/recurrences.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_value(golden["cases"].clone()).unwrap();
    assert_eq!(cases.len(), 5);
    for case in &cases {
        let cell = crate::compile::recurrences::cell(&case.name, case.output.shape[2], 2);
        for (dtype, tolerance) in [(DType::F64, 1e-9), (DType::F32, 1e-4)] {
            check_cell(case, &*cell, dtype, tolerance);
        }
    }
}

/// Compares outputs, final states and all gradients with those of a case.
pub(crate) fn check_cell(case: &Case, cell: &dyn HostCell, dtype: DType, tolerance: f64) {
    let place = |array: &Array| {
        let [.., columns] = array.shape[..] else { panic!("a number has no shape") };
        let data = TensorData::new(array.data.clone(), [array.data.len() / columns, columns]);
        Tensor::<2>::from_data(data, (&Device::flex(), dtype))
    };
    let matrices = |table: &Table| -> Matrices {
        let placed = |(name, value): (&String, &Value)| {
            let array: Array = serde_json::from_value(value.clone()).unwrap();
            (name.clone(), place(&array))
        };
        table.iter().map(placed).collect()
    };
    let track = |matrices: Matrices| matrices.map(|_, matrix| matrix.autodiff().require_grad());
    let plain = |matrices: Matrices| matrices.map(|_, matrix| matrix.autodiff());

    let params: Vec<Params> = case.params.iter().map(|table| track(matrices(table))).collect();
    let initial: Vec<State> = case.initial.iter().map(|table| track(matrices(table))).collect();
    let inputs = place(&case.inputs).autodiff().require_grad(); // [steps × batch, inputs]

    let [steps, batch, _] = case.inputs.shape[..] else { panic!("a sequence has three dimensions") };
    let mut sequence: Vec<_> = (0..steps).map(|step| inputs.clone().narrow(0, step * batch, batch)).collect();
    let mut ends = Vec::new();
    for (params, initial) in params.iter().zip(&initial) {
        let mut state = initial.clone();
        let params = cell.derive(sequence[0].dims()[1], params.clone()).unwrap();
        for x in &mut sequence {
            (*x, state) = cell.step(&params, x.clone(), state).unwrap();
        }
        ends.push(state);
    }
    let output = Tensor::cat(sequence, 0); // [steps × batch, hidden]
    let mut loss = (output.clone() * place(&case.output_weights).autodiff()).sum(); // [1]
    for (end, weights) in ends.iter().zip(&case.final_weights) {
        for (name, weights) in plain(matrices(weights)) {
            loss = loss + (end.get(&name) * weights).sum();
        }
    }

    // The loss is a sum that may happen to be tiny.
    let terms: f64 = case.output.data.iter().zip(&case.output_weights.data).map(|(y, r)| (y * r).abs()).sum();
    let compare = |what: &str, found: Vec<f64>, expected: &[f64]| {
        // Relative to the largest of a tensor: an entry that happens to be tiny is the difference of large ones.
        let least = if what == "loss" { terms } else { f64::MIN_POSITIVE };
        let scale = expected.iter().fold(least, |largest, entry| largest.max(entry.abs()));
        assert_eq!(found.len(), expected.len(), "{}: {what}", case.name);
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            let distance = (found - expected).abs() / scale;
            assert!(distance <= tolerance, "{} {dtype:?}: {what}[{index}] is {found}, not {expected}", case.name);
        }
    };
    let compare_all = |what: &str, found: &dyn Fn(usize, &str) -> Vec<f64>, expected: &[Table]| {
        for (layer, table) in expected.iter().enumerate() {
            for (name, value) in table {
                let array: Array = serde_json::from_value(value.clone()).unwrap();
                compare(&format!("{what} of {name}, layer {layer}"), found(layer, name), &array.data);
            }
        }
    };
    compare("output", numbers(output.inner()), &case.output.data);
    compare_all("final state", &|layer, name| numbers(ends[layer].get(name).inner()), &case.ends);
    compare("loss", numbers(loss.clone().inner().unsqueeze::<2>()), &[case.loss]);
    let gradients = loss.backward();
    let of = |matrix: Tensor<2>| numbers(matrix.grad(&gradients).expect("every matrix has a gradient"));
    compare("gradient of the inputs", of(inputs), &case.gradients.inputs.data);
    compare_all("gradient", &|layer, name| of(params[layer].get(name)), &case.gradients.params);
    compare_all("gradient of the start", &|layer, name| of(initial[layer].get(name)), &case.gradients.initial);
    assert_eq!(params[0].len(), case.params[0].len());
}

fn numbers(matrix: Tensor<2>) -> Vec<f64> {
    matrix.into_data().iter::<f64>().collect()
}

/// A clipper that puts given gradients in place of the model's, so that the optimizer alone decides what an update does.
struct Given {
    gradients: Mutex<VecDeque<Vec<f64>>>,
    dtype: DType,
}

impl Clipper for Given {
    fn clip(&self, gradients: Gradients) -> Gradients {
        let mut given = self.gradients.lock().unwrap_or_else(PoisonError::into_inner);
        let next = given.pop_front().expect("there is a gradient for every step");
        gradients.map(|name, gradient| {
            if name != "head.by" {
                return gradient;
            }
            Tensor::from_data(TensorData::new(next.clone(), gradient.dims()), (&Device::flex(), self.dtype))
        })
    }
}

/// Ten updates of six numbers by each optimizer, through real training steps. A wrong default, a bias correction that is
/// left out, or state that is not kept shows within three steps.
///
/// Plain SGD has no coefficients and agrees to the last digits. The others keep theirs as 32-bit numbers in burn-optim even
/// where the parameters have 64 bits, and so does momentum: `0.9_f32` is off by 3e-8 of itself, `0.999_f32` by 1e-8, but the
/// bias corrections divide by `1 − 0.999`, which multiplies that by a thousand: 2e-5 of a step of 0.01. In 32 bits, sums of
/// squares are good to about 1e-6 besides.
#[test]
fn optimizers_equal_pytorch() {
    let golden: Value = serde_json::from_str(include_str!("golden/optimizers.json")).unwrap();
    let lists = |value: &Value| serde_json::from_value::<Vec<Vec<f64>>>(value.clone()).unwrap();
    let start: Vec<f64> = serde_json::from_value(golden["start"].clone()).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        for (dtype, wide) in [(Dtype::F64, true), (Dtype::F32, false)] {
            let tolerance = match (name, wide) {
                ("sgd", true) => 1e-14,
                (_, true) => 1e-6,
                (_, false) => 2e-6,
            };
            let found = updates(case, dtype, &start, lists(&golden["gradients"]));
            for (step, (found, expected)) in found.iter().zip(lists(&case["after"])).enumerate() {
                for (found, expected) in found.iter().zip(expected) {
                    let distance = (found - expected).abs();
                    assert!(distance <= tolerance, "{name} {dtype:?}, step {step}: {found} is not {expected}");
                }
            }
        }
    }
}

/// The parameters after every step.
fn updates(case: &Value, dtype: Dtype, start: &[f64], gradients: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let settings = &case["settings"];
    let mut table = format!("learning-rate = {}\n", settings["lr"]);
    let name = case["name"].as_str().unwrap();
    table += &format!("type = \"{}\"\n", name.trim_end_matches("_momentum"));
    let renamed = [("momentum", "momentum"), ("eps", "epsilon"), ("alpha", "decay"), ("weight_decay", "weight-decay")];
    for (theirs, ours) in renamed {
        if let Some(value) = settings.get(theirs) {
            table += &format!("{ours} = {:?}\n", value.as_f64().unwrap());
        }
    }
    if let Some(betas) = settings.get("betas") {
        table += &format!("beta1 = {}\nbeta2 = {}\n", betas[0], betas[1]);
    }
    let width = if dtype == Dtype::F64 { "f64" } else { "f32" };
    let text = format!(
        "name = \"updates\"\n[backend]\ndtype = \"{width}\"\n[dataset]\ntype = \"lines\"\ncorpus = \"dinosaurs\"\n\
         [cell]\ntype = \"vanilla\"\nhidden = 1\n[train]\nsteps = 10\n[optimizer]\n{table}"
    );
    let registry = hatchery_cli::registry().unwrap();
    let experiment = reading::from_text(&text, "updates.toml", &[], &registry).unwrap();
    let model = Model::new(&experiment, &registry, start.len()).unwrap();
    let mut values = model.initial_values(1, experiment.rng);
    *values.last_mut().unwrap() = start.to_vec();
    assert_eq!(model.params().last().unwrap().name, "head.by");

    let steps = gradients.len();
    let dtype = if dtype == Dtype::F64 { DType::F64 } else { DType::F32 };
    let given = Given { gradients: Mutex::new(gradients.into()), dtype };
    let mut executor = BurnExecutor::new(model, values, vec![Box::new(given)], &experiment, &Device::flex());
    let batch = Batch {
        rows: 1,
        steps: 1,
        inputs: vec![0],
        targets: vec![1],
        counted: vec![true],
        divisor: 1.0,
        continues: false,
    };
    let after = (0..steps).map(|step| {
        let rate = experiment.optimizer.learning_rate();
        executor.train(&batch, &Streams::new(0, step as u64), rate).unwrap();
        let saved = executor.save().unwrap();
        match &saved.iter().find(|named| named.name == "parameters.head.by").unwrap().values {
            Values::F64(values) => values.clone(),
            Values::F32(values) => values.iter().map(|&value| f64::from(value)).collect(),
        }
    });
    after.collect()
}
