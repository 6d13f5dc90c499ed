//! The compiled executor against a reference on Burn's tensors: losses, gradients, weights.

mod reference;
mod speed;

use hatchery_cells::{Gru, Lstm, Vanilla};
use hatchery_compile::{Description, Float, Machine, Options, Run, Width};
use hatchery_plugin::{Cell, burn::tensor::DType, serde_json};

use reference::{Batch, Case, Noise, Reference, numbers};

fn cell<C: Cell + serde::de::DeserializeOwned + 'static>(keys: &str) -> Box<dyn Cell> {
    Box::new(serde_json::from_str::<C>(keys).expect("the keys are the cell's"))
}

/// What a case asks to be compiled.
fn description(case: &Case) -> Description<'_> {
    let layers = case.layers.iter().enumerate().map(|(index, cell)| (&**cell, format!("layers.{index}."))).collect();
    Description {
        vocabulary: case.vocabulary,
        embedding: case.embedding,
        layers,
        dropout: case.dropout,
        dropout_last: case.dropout_last,
        clippers: case.clippers.iter().map(|clipper| &**clipper).collect(),
        optimizer: case.optimizer,
    }
}

/// The machine of a case with its first values.
fn machine<T: Float>(case: &Case, values: &[Vec<f64>], options: Options) -> Machine<T> {
    let mut machine = Machine::<T>::new(&description(case), options).expect("it compiles");
    for ((name, shape), values) in case.params().iter().zip(values) {
        let values: Vec<T> = values.iter().map(|&value| T::from_f64(value)).collect();
        assert!(machine.set_parameter(name, *shape, &values), "{name}");
    }
    machine
}

/// The same behind the interface.
fn compiled(case: &Case, width: Width, options: Options) -> Box<dyn Run> {
    let mut machine = hatchery_compile::compile(&description(case), width, options).expect("it compiles");
    for ((name, shape), values) in case.params().iter().zip(case.values(7)) {
        assert!(machine.set_parameter(name, *shape, &values), "{name}");
    }
    machine
}

/// The largest difference between two lists of numbers, relative to the largest number.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(1e-3_f64, |scale, b| scale.max(b.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max)
}

/// Trains both executors side by side.
fn compare<T: Float>(case: &Case, shapes: &[(usize, usize)], steps: usize, tolerance: f64) {
    let dtype = if size_of::<T>() == 8 { DType::F64 } else { DType::F32 };
    let values = case.values(7);
    let mut machine = machine::<T>(case, &values, Options::default());
    let mut reference = Reference::new(case, &values, dtype);
    let mut noise = Noise(3);
    for step in 0..steps {
        let (rows, length) = shapes[step % shapes.len()];
        let batch = Batch::random(&mut noise, case.vocabulary, rows, length, step % 2 == 1);
        let mut dropout = [Noise(step as u64), Noise(step as u64)];
        let [one, two] = &mut dropout;
        machine.train(&batch.view(), &mut || one.uniform(), 0.05);
        let expected = reference.train(&batch, two, 0.05);
        let losses = machine.losses();
        assert!(difference(&losses, &[expected]) < tolerance, "step {step}: loss {losses:?}, expected {expected}");
        let (raw, clipped) = machine.gradients();
        let (expected_raw, expected_clipped) = reference.gradients.clone().expect("it was trained");
        for (kind, got, expected) in [("gradient", raw, expected_raw), ("clipped", clipped, expected_clipped)] {
            for ((name, expected), got) in expected.iter().zip(got) {
                let got: Vec<f64> = got.iter().map(|value| value.to_f64()).collect();
                let off = difference(&got, &numbers(expected.clone()));
                assert!(off < tolerance, "step {step}: {kind} of {name} is off by {off:e}");
            }
        }
        for ((name, expected), got) in reference.params.iter().zip(machine.parameters()) {
            let got: Vec<f64> = got.values.iter().map(|value| value.to_f64()).collect();
            let off = difference(&got, &numbers(expected.clone()));
            assert!(off < tolerance, "step {step}: {name} is off by {off:e}");
        }
    }
    let batch = Batch::random(&mut noise, case.vocabulary, 5, 6, true);
    let totals = machine.evaluate(&batch.view());
    let expected = reference.evaluate(&batch);
    assert!(difference(&[totals.nats], &[expected]) < tolerance, "evaluated {totals:?}, expected {expected}");
}

#[test]
fn vanilla_agrees_with_burn() {
    for activation in ["tanh", "relu"] {
        let keys = format!(r#"{{"hidden": 13, "activation": "{activation}"}}"#);
        let case = Case::new(9, vec![cell::<Vanilla>(&keys)]);
        compare::<f64>(&case, &[(1, 7), (3, 5), (1, 1)], 50, 1e-12);
        compare::<f32>(&case, &[(1, 7), (3, 5)], 50, 1e-5);
    }
}

#[test]
fn lstm_agrees_with_burn() {
    for keys in [
        r#"{"hidden": 11}"#,
        r#"{"hidden": 8, "gate-activation": "hard-sigmoid"}"#,
        r#"{"hidden": 7, "peepholes": true, "forget-bias": 0.5}"#,
    ] {
        let case = Case::new(10, vec![cell::<Lstm>(keys)]);
        compare::<f64>(&case, &[(4, 6), (1, 3)], 50, 1e-12);
        compare::<f32>(&case, &[(4, 6)], 50, 1e-5);
    }
}

#[test]
fn gru_agrees_with_burn() {
    for reset in ["after", "before"] {
        let case = Case::new(10, vec![cell::<Gru>(&format!(r#"{{"hidden": 9, "reset": "{reset}"}}"#))]);
        compare::<f64>(&case, &[(4, 6), (1, 3)], 50, 1e-12);
        compare::<f32>(&case, &[(4, 6)], 50, 1e-5);
    }
}
