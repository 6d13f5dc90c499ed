//! The order of sequences in batches, and the state that a batch passes to the next.

use super::*;

/// Would catch: an epoch that leaves out or repeats a sequence, a shuffle that keeps the order, and epochs that are equal
/// or differ where they should not.
#[test]
fn every_epoch_has_every_sequence_once() {
    for order in [Order::Shuffled, Order::ShuffledOnce, Order::Sequential] {
        let data = ordered(30, |experiment| experiment.train.order = order);
        assert_eq!(data.train.steps_per_epoch(), 8);
        assert_eq!(data.train.batch(7).rows, 2);
        for number in 0..3 {
            assert_eq!(sorted(epoch(&data, number)), sorted(names(30)), "{order:?}");
        }
        assert_eq!(epoch(&data, 0) == names(30), order == Order::Sequential);
        assert_eq!(epoch(&data, 0) == epoch(&data, 1), order != Order::Shuffled, "{order:?}");
    }
}

/// Would catch: a batch that depends on the batches made before it, so that a resumed run differs.
#[test]
fn a_batch_depends_on_its_step_alone() {
    for order in [Order::Shuffled, Order::ShuffledOnce, Order::Sequential, Order::ByLength, Order::Random] {
        let make = || ordered(30, |experiment| (experiment.train.order, experiment.train.carry_state) = (order, true));
        let forward: Vec<_> = {
            let data = make();
            (0..40).map(|step| data.train.batch(step)).collect()
        };
        let data = make();
        for step in (0..40).rev() {
            assert_eq!(data.train.batch(step), forward[step as usize], "{order:?}, step {step}");
        }
    }
}

/// Would catch: a sequence lost or repeated among batches of several sizes, a long one that pads others, epochs that are
/// alike, an epoch that is longer or shorter than it says.
#[test]
fn sequences_of_similar_length_share_a_batch() {
    let lines: Vec<String> =
        (1..=60).map(|number| "ab".repeat(if number == 7 { 500 } else { 1 + number % 12 })).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut experiment = experiment();
    (experiment.train.order, experiment.train.batch) = (Order::ByLength, 8);
    let data = documents(&lines, LINES, &experiment).unwrap();
    let steps = data.train.steps_per_epoch();
    let all = |number: u64| -> Vec<Vec<String>> {
        (number * steps..(number + 1) * steps).map(|step| texts(&data, &data.train.batch(step))).collect()
    };
    let (first, second) = (all(0), all(1));
    for epoch in [&first, &second] {
        assert_eq!(sorted(epoch.concat()), sorted(lines.iter().map(|line| (*line).to_owned()).collect()));
        for batch in epoch {
            let lengths: Vec<_> = batch.iter().map(String::len).collect();
            let (least, most) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
            assert!(batch.len() <= 8 && *most <= 2 * least + 10, "{lengths:?}");
        }
        assert_eq!(epoch.iter().filter(|batch| batch.len() == 1).count(), 1, "the long one is alone");
    }
    assert_ne!(first, second);
    let lengths = |epoch: &[Vec<String>]| epoch.iter().map(|batch| batch[0].len()).collect::<Vec<_>>();
    assert!(!lengths(&first).is_sorted(), "batches are shuffled: {:?}", lengths(&first));
}

/// Would catch: a seed that is ignored.
#[test]
fn another_seed_is_another_order() {
    for order in [Order::Shuffled, Order::ShuffledOnce, Order::Random] {
        let with = |seed| ordered(30, |experiment| (experiment.seed, experiment.train.order) = (seed, order));
        assert_ne!(epoch(&with(1), 0), epoch(&with(2), 0), "{order:?}");
    }
}

/// Would catch: repetition within a random batch, sequences that are never drawn, a batch larger than the split.
#[test]
fn a_random_batch_has_no_repetition() {
    let data = ordered(10, |experiment| experiment.train.order = Order::Random);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for step in 0..500 {
        let drawn = texts(&data, &data.train.batch(step));
        let mut distinct = drawn.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 4);
        for name in drawn {
            *counts.entry(name).or_default() += 1;
        }
    }
    // Each is in 200 of 500 batches on average, with a standard deviation of 11.
    assert!(counts.len() == 10 && counts.values().all(|count| (140..260).contains(count)), "{counts:?}");
    let few = ordered(3, |experiment| experiment.train.order = Order::Random);
    assert_eq!(sorted(texts(&few, &few.train.batch(5))), sorted(names(3)));
}

/// Would catch: a shuffle that differs from `NumPy`'s.
///
/// ```text
/// python -c "import numpy; numpy.random.seed(0); l = list(range(10)); numpy.random.shuffle(l); print(l)"
/// [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]
/// ```
#[test]
fn numpy_shuffles_as_numpy_does() {
    let data = ordered(10, |experiment| {
        experiment.train.batch = 1;
        experiment.train.order = Order::ShuffledOnce;
        (experiment.rng, experiment.numpy) = (Rng::Numpy, Some(Numpy::default()));
    });
    let expected = [2, 8, 4, 9, 1, 6, 7, 3, 0, 5].map(|index| format!("name {index}"));
    assert_eq!(epoch(&data, 0), expected);
    assert_eq!(texts(&data, &data.train.batch(23)), [expected[3].clone()], "step s trains on example s % n");
}

/// Would catch: a state carried into a batch of other rows, into the first batch, or into none.
#[test]
fn the_state_is_carried_between_batches_of_the_same_rows() {
    let carried = |count| {
        let data = ordered(count, |experiment| experiment.train.carry_state = true);
        (0..5).map(|step| data.train.batch(step).continues).collect::<Vec<_>>()
    };
    assert_eq!(carried(8), [false, true, true, true, true]);
    assert_eq!(carried(10), [false, true, false, false, true]);
}

/// Would catch: a loss that is a mean where a sum was asked for.
#[test]
fn the_divisor_is_that_of_the_loss() {
    let of = |loss| ordered(8, |experiment| experiment.train.loss = loss).train.batch(0).divisor.to_bits();
    assert_eq!([of(Loss::Mean), of(Loss::Sum)], [28.0, 4.0].map(f64::to_bits));
}
