//! The compiled executor against a reference on Burn's tensors: losses, gradients, weights.

mod declared;
mod generated;
mod matrix;
pub(crate) mod recurrences;
mod reference;
mod speed;

use hatchery_cells::{Gru, Lstm, Vanilla};
use hatchery_clippers::{Norm, TensorNorm, Value};
use hatchery_compile::{Description, Dtype, Executable, Head, InstructionSet, LayerDescription, Optimizer, Options};
use hatchery_plugin::{Cell, burn::tensor::DType, host::HostCell, serde_json};

use reference::{Batch, Case, Draws, Noise, Reference, numbers};

fn cell<C: Cell + serde::de::DeserializeOwned + 'static>(keys: &str) -> Box<dyn HostCell> {
    Box::new(serde_json::from_str::<C>(keys).expect("the keys are the cell's"))
}

/// What a case asks to be compiled.
fn description(case: &Case) -> Description<'_> {
    let layers = case.layers.iter().enumerate().map(|(index, cell)| LayerDescription {
        cell: &**cell,
        prefix: format!("layers.{index}."),
        dropout: if case.dropout_last || index + 1 < case.layers.len() { case.dropout } else { 0.0 },
        penalties: case.penalties.clone(),
    });
    Description {
        vocabulary: case.vocabulary,
        embedding: case.embedding,
        layers: layers.collect(),
        head: case.head,
        clippers: case.clippers.iter().map(|clipper| &**clipper).collect(),
        optimizer: case.optimizer,
    }
}

/// The compiled model of a case with these values.
fn executable(case: &Case, values: &[Vec<f64>], dtype: Dtype, options: Options) -> Box<dyn Executable> {
    let mut executable = hatchery_compile::compile(&description(case), dtype, options).expect("it compiles");
    for ((name, shape), values) in case.params().iter().zip(values) {
        assert!(executable.set_parameter(name, *shape, values), "{name}");
    }
    executable
}

/// The compiled model of a case with some values.
fn compiled(case: &Case, dtype: Dtype, options: Options) -> Box<dyn Executable> {
    executable(case, &case.values(7), dtype, options)
}

/// The largest difference between two lists of numbers, relative to the largest number.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(1e-3_f64, |scale, b| scale.max(b.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max)
}

/// Trains both executors side by side.
fn compare(dtype: Dtype, case: &Case, shapes: &[(usize, usize)], steps: usize, tolerance: f64) {
    let values = case.values(7);
    let mut model = executable(case, &values, dtype, Options::default());
    let dtype = if dtype == Dtype::F64 { DType::F64 } else { DType::F32 };
    let mut reference = Reference::new(case, &values, dtype);
    let mut noise = Noise(3);
    for step in 0..steps {
        let (rows, length) = shapes[step % shapes.len()];
        let batch = Batch::random(&mut noise, case.vocabulary, rows, length, step % 2 == 1);
        let streams = Draws(step as u64);
        model.train(&batch.view(), &streams, case.rate);
        let expected = reference.train(&batch, &streams, case.rate);
        let losses = model.losses();
        assert!(difference(&losses, &[expected]) < tolerance, "step {step}: loss {losses:?}, expected {expected}");
        let [raw, clipped] = model.gradients();
        let (expected_raw, expected_clipped) = reference.gradients.clone().expect("it was trained");
        for (kind, got, expected) in [("gradient", raw, expected_raw), ("clipped", clipped, expected_clipped)] {
            for ((name, expected), got) in expected.iter().zip(got) {
                let off = difference(&got, &numbers(expected.clone()));
                assert!(off < tolerance, "step {step}: {kind} of {name} is off by {off:e}");
            }
        }
        for ((name, expected), got) in reference.params.iter().zip(model.parameters()) {
            let off = difference(&got.values, &numbers(expected.clone()));
            assert!(off < tolerance, "step {step}: {name} is off by {off:e}");
        }
    }
    let batch = Batch::random(&mut noise, case.vocabulary, 5, 6, true);
    let totals = model.evaluate(&batch.view());
    let expected = reference.evaluate(&batch);
    assert!(difference(&[totals.nats], &[expected]) < tolerance, "evaluated {totals:?}, expected {expected}");
}

#[test]
fn vanilla_agrees_with_burn() {
    for activation in ["tanh", "relu"] {
        let keys = format!(r#"{{"hidden": 13, "activation": "{activation}"}}"#);
        let case = Case::new(9, vec![cell::<Vanilla>(&keys)]);
        compare(Dtype::F64, &case, &[(1, 7), (3, 5), (1, 1)], 50, 1e-12);
        compare(Dtype::F32, &case, &[(1, 7), (3, 5)], 50, 1e-5);
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
        compare(Dtype::F64, &case, &[(4, 6), (1, 3)], 50, 1e-12);
        compare(Dtype::F32, &case, &[(4, 6)], 50, 1e-5);
    }
}

#[test]
fn gru_agrees_with_burn() {
    for reset in ["after", "before"] {
        let case = Case::new(10, vec![cell::<Gru>(&format!(r#"{{"hidden": 9, "reset": "{reset}"}}"#))]);
        compare(Dtype::F64, &case, &[(4, 6), (1, 3)], 50, 1e-12);
        compare(Dtype::F32, &case, &[(4, 6)], 50, 1e-5);
    }
}

#[test]
fn stacked_layers_with_embedding_and_dropout_agree_with_burn() {
    let mut case = Case::new(8, vec![cell::<Gru>(r#"{"hidden": 6}"#), cell::<Lstm>(r#"{"hidden": 5}"#)]);
    case.layers.push(cell::<Vanilla>(r#"{"hidden": 7}"#));
    compare(Dtype::F64, &case, &[(3, 4), (2, 1), (5, 3)], 50, 1e-12);
    case.embedding = Some(4);
    compare(Dtype::F64, &case, &[(3, 4), (2, 1), (5, 3)], 50, 1e-12);
    (case.dropout, case.dropout_last) = (0.4, false);
    compare(Dtype::F64, &case, &[(3, 4)], 50, 1e-12);
    case.dropout_last = true;
    compare(Dtype::F64, &case, &[(3, 4), (5, 3)], 50, 1e-12);
    compare(Dtype::F32, &case, &[(3, 4)], 50, 1e-5);
}

/// Enough rows and steps for several shards, large products and tiles with a rest.
#[test]
fn large_batches_agree_with_burn() {
    for mut case in [
        Case::new(33, vec![cell::<Lstm>(r#"{"hidden": 37}"#), cell::<Gru>(r#"{"hidden": 65, "reset": "before"}"#)]),
        Case::new(33, vec![cell::<Vanilla>(r#"{"hidden": 70}"#)]),
        // Its gradient is cut into the largest pieces.
        Case::new(9, vec![cell::<Lstm>(r#"{"hidden": 131}"#)]),
    ] {
        compare(Dtype::F64, &case, &[(53, 21), (26, 9)], 3, 1e-12);
        // A thousand rows are summed up in another order than Burn's.
        compare(Dtype::F32, &case, &[(53, 21)], 3, 3e-5);
        (case.embedding, case.dropout) = (Some(17), 0.25);
        compare(Dtype::F64, &case, &[(53, 21)], 3, 1e-12);
    }
}

/// A head whose gradient is too large to be summed up block by block, one sequence of more than a block's steps, and updates
/// in which no prediction counts, or only one shard's.
#[test]
fn heads_of_any_size_agree_with_burn() {
    let mut case = Case::new(700, vec![cell::<Vanilla>(r#"{"hidden": 400}"#)]);
    (case.embedding, case.rate) = (Some(8), 1e-3);
    compare(Dtype::F64, &case, &[(2, 3), (26, 2), (1, 140)], 3, 1e-11);
    for predict in [|_: usize, _: usize| false, |row: usize, step: usize| row == 0 && step == 7] {
        let case = Case::new(9, vec![cell::<Lstm>(r#"{"hidden": 40}"#)]);
        let values = case.values(7);
        let mut model = executable(&case, &values, Dtype::F64, Options::default());
        let mut reference = Reference::new(&case, &values, DType::F64);
        let mut batch = Batch::random(&mut Noise(4), 9, 53, 21, false);
        batch.counted = (0..53 * 21).map(|at| predict(at % 53, at / 53)).collect();
        model.train(&batch.view(), &Draws(0), case.rate);
        let expected = reference.train(&batch, &Draws(1), case.rate);
        assert!(difference(&model.losses(), &[expected]) < 1e-12);
        for ((name, expected), got) in reference.params.iter().zip(model.parameters()) {
            let off = difference(&got.values, &numbers(expected.clone()));
            assert!(off < 1e-12, "{name} is off by {off:e}");
        }
    }
}

/// A gradient that is the sum of two uses, and logits that are the last layer's outputs, in one shard and in several.
#[test]
fn other_heads_agree_with_burn() {
    for (head, hidden) in [(Head::Tied, 12), (Head::LastLayer, 9)] {
        let first = cell::<Lstm>(r#"{"hidden": 10}"#);
        let mut case = Case::new(9, vec![first, cell::<Gru>(&format!(r#"{{"hidden": {hidden}}}"#))]);
        (case.head, case.embedding) = (head, Some(12));
        compare(Dtype::F64, &case, &[(3, 5), (1, 1), (53, 21), (1, 140)], 8, 1e-12);
        compare(Dtype::F32, &case, &[(3, 5)], 20, 1e-5);
    }
}

#[test]
fn clippers_agree_with_burn() {
    let chains: [Vec<Box<dyn hatchery_plugin::host::HostClipper>>; 4] = [
        vec![Box::new(Value { limit: 0.05 })],
        vec![Box::new(Norm { limit: 0.1 })],
        vec![Box::new(TensorNorm { limit: 0.05 })],
        vec![Box::new(Norm { limit: 0.3 }), Box::new(Value { limit: 0.02 })],
    ];
    for chain in chains {
        let mut case = Case::new(7, vec![cell::<Lstm>(r#"{"hidden": 6}"#)]);
        case.clippers = chain;
        compare(Dtype::F64, &case, &[(3, 5)], 50, 1e-12);
    }
}

#[test]
fn gradient_norms_are_those_of_the_last_update() {
    let mut case = Case::new(7, vec![cell::<Vanilla>(r#"{"hidden": 6}"#)]);
    case.clippers = vec![Box::new(Norm { limit: 0.1 })];
    let mut model = executable(&case, &case.values(1), Dtype::F64, Options::default());
    assert!(model.gradient_norms().0.is_nan(), "nothing was trained yet");
    let batch = Batch::random(&mut Noise(4), 7, 3, 5, false);
    model.train(&batch.view(), &Draws(0), 0.1);
    let (before, after) = model.gradient_norms();
    assert!(before > 0.1 && (after - 0.1).abs() < 1e-5, "{before} {after}");
}

#[test]
fn optimizers_agree_with_burn() {
    let (betas, epsilon) = ([0.9, 0.999], 1e-3);
    for optimizer in [
        Optimizer::Sgd { momentum: 0.9 },
        Optimizer::Adagrad { epsilon: 1e-3 },
        Optimizer::Rmsprop { decay: 0.99, epsilon: 1e-3 },
        Optimizer::Adam { betas, epsilon },
        Optimizer::Adamw { betas, epsilon, weight_decay: 0.01 },
    ] {
        let mut case = Case::new(7, vec![cell::<Vanilla>(r#"{"hidden": 6}"#)]);
        (case.optimizer, case.rate) = (optimizer, 0.002);
        // With a small epsilon the direction of a gradient that is nearly zero, mere rounding, would decide.
        compare(Dtype::F64, &case, &[(3, 5)], 50, 1e-12);
    }
}

/// A model restored from another's state continues like it, to the last bit.
#[test]
fn saved_numbers_continue_exactly() {
    let mut case = Case::new(7, vec![cell::<Lstm>(r#"{"hidden": 6}"#)]);
    case.optimizer = Optimizer::Adam { betas: [0.9, 0.999], epsilon: 1e-8 };
    let mut first = compiled(&case, Dtype::F32, Options::default());
    let mut noise = Noise(9);
    let batches: Vec<Batch> = (0..6).map(|_| Batch::random(&mut noise, 7, 3, 5, true)).collect();
    batches[..3].iter().for_each(|batch| first.train(&batch.view(), &Draws(0), 0.01));
    let mut second = compiled(&case, Dtype::F32, Options::default());
    for matrix in first.parameters() {
        assert!(second.set_parameter(&matrix.name, matrix.shape, &matrix.values));
    }
    for matrix in first.optimizer_state() {
        assert!(second.set_optimizer_state(&matrix.name, &matrix.values), "{}", matrix.name);
    }
    second.set_state(&first.state());
    first.losses();
    for batch in &batches[3..] {
        first.train(&batch.view(), &Draws(0), 0.01);
        second.train(&batch.view(), &Draws(0), 0.01);
    }
    assert_eq!(first.losses(), second.losses());
    assert_eq!(first.parameters(), second.parameters());
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let case = Case::new(33, vec![cell::<Lstm>(r#"{"hidden": 37}"#), cell::<Gru>(r#"{"hidden": 40}"#)]);
    let mut noise = Noise(5);
    let batches: Vec<Batch> = (0..3).map(|_| Batch::random(&mut noise, 33, 53, 17, true)).collect();
    let run = |threads: usize| {
        let options = Options { threads: Some(threads), ..Options::default() };
        let mut model = compiled(&case, Dtype::F32, options);
        batches.iter().for_each(|batch| model.train(&batch.view(), &Draws(0), 0.1));
        (model.losses(), model.parameters(), model.state())
    };
    let alone = run(1);
    assert_eq!(alone, run(2));
    assert_eq!(alone, run(3));
}

#[test]
fn every_instruction_set_agrees() {
    let mut case =
        Case::new(19, vec![cell::<Lstm>(r#"{"hidden": 21, "peepholes": true}"#), cell::<Gru>(r#"{"hidden": 10}"#)]);
    case.clippers = vec![Box::new(Norm { limit: 0.5 })];
    case.optimizer = Optimizer::Adam { betas: [0.9, 0.999], epsilon: 1e-3 };
    let mut noise = Noise(6);
    let batches: Vec<Batch> = (0..5).map(|step| Batch::random(&mut noise, 19, 1 + 13 * (step % 3), 7, true)).collect();
    let run = |set: InstructionSet, dtype: Dtype| {
        let mut model = compiled(&case, dtype, Options { instructions: Some(set), ..Options::default() });
        batches.iter().for_each(|batch| model.train(&batch.view(), &Draws(0), 0.01));
        model.parameters()
    };
    for (dtype, tolerance) in [(Dtype::F64, 1e-12), (Dtype::F32, 1e-4)] {
        let portable = run(InstructionSet::Portable, dtype);
        for set in InstructionSet::available() {
            for (got, expected) in run(set, dtype).iter().zip(&portable) {
                let off = difference(&got.values, &expected.values);
                assert!(off < tolerance, "{set:?} {dtype:?}: {} is off by {off:e}", got.name);
            }
        }
    }
}

/// Generated step by step, one or many sequences, the logits are those of the reference.
#[test]
fn generation_agrees_with_burn() {
    let case = Case::new(9, vec![cell::<Lstm>(r#"{"hidden": 8}"#), cell::<Vanilla>(r#"{"hidden": 5}"#)]);
    let values = case.values(2);
    let mut model = executable(&case, &values, Dtype::F64, Options::default());
    let reference = Reference::new(&case, &values, DType::F64);
    for rows in [1, 4, 40] {
        let batch = Batch::random(&mut Noise(8), 9, rows, 6, false);
        let expected = reference.logits(&batch);
        model.begin(rows);
        let got: Vec<f64> = batch.inputs.chunks(rows).flat_map(|tokens| model.advance(tokens)).collect();
        let off = difference(&got, &expected);
        assert!(off < 1e-12, "{rows} rows: off by {off:e}");
    }
}

/// A state that has run away shows as NaN, and a row that does not count never does.
#[test]
fn nan_and_infinity_pass_through() {
    let case = Case::new(5, vec![cell::<Vanilla>(r#"{"hidden": 3}"#)]);
    for bad in [f64::NAN, f64::INFINITY] {
        let mut values = case.values(1);
        values[3][0] = bad; // the head's first weight
        let mut model = executable(&case, &values, Dtype::F64, Options::default());
        let mut batch = Batch::random(&mut Noise(8), 5, 2, 4, false);
        model.train(&batch.view(), &Draws(0), 0.1);
        assert!(model.losses()[0].is_nan(), "{bad} must be seen in the loss");
        batch.counted.fill(false);
        assert_eq!(model.evaluate(&batch.view()).nats, 0.0, "nothing counts");
    }
    // Logits far below the largest: their exp is 0 and not NaN.
    let mut values = case.values(1);
    values[4][2] = -1e6;
    let mut model = executable(&case, &values, Dtype::F32, Options::default());
    let mut batch = Batch::random(&mut Noise(8), 5, 2, 4, false);
    batch.targets.fill(0);
    model.train(&batch.view(), &Draws(0), 0.1);
    assert!(model.losses()[0].is_finite());
    assert!(model.parameters().iter().all(|matrix| matrix.values.iter().all(|value| value.is_finite())));
}

/// By hand for one layer fed with symbols: the recurrent weight is multiplied with forward, backward and for its gradient,
/// the head's too. More rows or steps are as much more work and nothing else.
#[test]
fn products_are_counted() {
    let (vocabulary, hidden) = (5, 16);
    let case = Case::new(vocabulary, vec![cell::<Lstm>(r#"{"hidden": 16}"#)]);
    let options = Options { threads: Some(1), ..Options::default() };
    let mut model = executable(&case, &case.values(1), Dtype::F32, options);
    let mut before = model.products();
    assert_eq!((before.operations, before.seconds, before.threads), (0, 0.0, 1));
    for (rows, steps) in [(1, 4), (2, 4), (2, 8), (60, 8)] {
        let batch = Batch::random(&mut Noise(8), vocabulary, rows, steps, false);
        model.time_products(rows == 60);
        model.train(&batch.view(), &Draws(0), 0.1);
        let now = model.products();
        let entries = rows * steps * 3 * (hidden * 4 * hidden + hidden * vocabulary);
        assert_eq!(now.operations - before.operations, 2 * entries as u64, "{rows} rows, {steps} steps");
        assert_eq!(now.seconds > 0.0, rows == 60, "only what is timed takes time");
        before = now;
    }
}

#[test]
fn three_layers_compile_quickly() {
    let layers = (0..3).map(|_| cell::<Lstm>(r#"{"hidden": 128}"#)).collect();
    let case = Case::new(65, layers);
    let mut times: Vec<f64> = (0..5)
        .map(|_| {
            let start = std::time::Instant::now();
            hatchery_compile::compile(&description(&case), Dtype::F32, Options::default()).expect("it compiles");
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    assert!(times[0] < 0.05, "{times:?}");
}

/// The error of the approximations, in units of the last place of the exact value, over the range that matters.
#[test]
fn approximations_are_exact_to_a_few_units() {
    type Exact = fn(f64) -> f64;
    let known: [(&str, Exact, f64); 3] = [
        ("exp", f64::exp, 700.0),
        ("tanh", f64::tanh, 25.0),
        // Not far below 0: there exp(-x) and with it 1 + exp(-x) are large, and their rounding is the reference's.
        ("sigmoid", |x| if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }, 30.0),
    ];
    let mut noise = Noise(12);
    let special = [0.0, -0.0, 1e-300, -1e-9, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e4, -1e4];
    for set in InstructionSet::available() {
        for (name, exact, range) in known {
            let random = (0..200_000).map(|index| {
                let range = if index % 2 == 0 { range } else { 1.0 };
                (2.0 * noise.uniform() - 1.0) * range
            });
            let x: Vec<f64> = random.chain(special).collect();
            let got = hatchery_compile::approximate(set, Dtype::F64, name, &x).expect("it is known");
            let single: Vec<f64> =
                x.iter().map(|&x| f64::from((x / if range > 100.0 { 10.0 } else { 1.0 }) as f32)).collect();
            let got_single = hatchery_compile::approximate(set, Dtype::F32, name, &single).expect("it is known");
            let (mut worst, mut worst_single) = (0.0_f64, 0.0_f64);
            for (index, &x) in x.iter().enumerate() {
                let (got, expected) = (got[index], exact(x));
                assert_eq!(got.is_nan(), expected.is_nan(), "{name}({x}) is {got}");
                if expected.is_finite() && expected.abs() > 1e-300 {
                    worst = worst.max((got - expected).abs() / (expected.abs() * f64::EPSILON));
                } else if !expected.is_nan() && expected.abs() > 1.0 {
                    assert_eq!(got, expected, "{name}({x})");
                }
                let expected = exact(single[index]);
                let got = got_single[index];
                assert_eq!(got.is_nan(), expected.is_nan(), "{name}({}) is {got}", single[index]);
                if expected.abs() < 1e38 && expected.abs() > 1e-37 {
                    worst_single =
                        worst_single.max((got - expected).abs() / (expected.abs() * f64::from(f32::EPSILON)));
                }
            }
            println!("{name} {set:?}: {worst:.2} units in 64 bits, {worst_single:.2} in 32 bits");
            assert!(worst < 4.0 && worst_single < 4.0, "{name} {set:?}: {worst} {worst_single}");
            let last = &hatchery_compile::approximate(set, Dtype::F64, name, &[-1e5, 1e5]).expect("it is known")[..];
            assert_eq!(last, [exact(-1e5), exact(1e5)], "{name} of what is far away");
        }
    }
}

/// Memory that grows with the batch beyond the tape that `plugins show --program` states: a tape of values that are never read, or
/// room that is set aside for every thread.
#[test]
fn memory_is_the_tape_and_the_parameters() {
    let case = Case::new(20, vec![cell::<Gru>(r#"{"hidden": 48}"#), cell::<Lstm>(r#"{"hidden": 32}"#)]);
    let options = Options { threads: Some(1), ..Options::default() };
    let bytes = |rows, steps| {
        let mut model = executable(&case, &case.values(1), Dtype::F32, options);
        model.train(&Batch::random(&mut Noise(1), 20, rows, steps, false).view(), &Draws(0), 0.1);
        (model.bytes(), model.needs())
    };
    let (small, needs) = bytes(3, 50);
    let (large, _) = bytes(64, 90);
    // 64 rows are cut into four shards, 3 are one.
    let grown = needs.row_and_step * (64 * 90 - 3 * 50) + needs.row * (64 - 3) + needs.shard * (4 - 1);
    let off = (large - small) as f64 / (4 * grown) as f64 - 1.0;
    assert!(off.abs() < 0.01, "grown by {} bytes, {} were stated", large - small, 4 * grown);
    // Gates and state, their gradients, and the products from which they come: fifteen numbers a unit.
    assert!(needs.row_and_step < 16 * (48 + 32), "{needs:?}");
    assert!(needs.fixed > case.values(1).iter().map(Vec::len).sum());
}
