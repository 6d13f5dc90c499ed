//! Both random generators against numbers made elsewhere, and the way from logits to a token.

use std::collections::{BTreeMap, HashSet};

use hatchery::random::{self, Stream, numpy::RandomState};
use hatchery_plugin::Rng;
use serde::Deserialize;

#[derive(Deserialize)]
struct StreamGolden {
    seed: u64,
    name: String,
    index: u64,
    uniform_100_last: f64,
    normal_5: Vec<f64>,
    below_27_10: Vec<usize>,
    below_large: usize,
    shuffle_10: Vec<usize>,
    choose_5_of_1000: Vec<usize>,
}

/// Catches whatever would make a checkpoint of today go on differently tomorrow: another key, another order of bytes,
/// another way from bits to numbers. `tests/golden/random_stream.py` computes them without our code.
#[test]
fn streams_draw_what_checkpoints_rely_on() {
    let golden: Vec<StreamGolden> =
        serde_json::from_str(include_str!("golden/random_stream.json")).expect("the golden file is whole");
    for golden in golden {
        let fresh = || Stream::new(golden.seed, &golden.name, golden.index);
        let mut stream = fresh();
        let uniform: Vec<f64> = (0..100).map(|_| stream.uniform()).collect();
        assert_eq!(uniform.last(), Some(&golden.uniform_100_last), "{}", golden.name);
        let mut stream = fresh();
        let normal: Vec<f64> = (0..5).map(|_| stream.normal()).collect();
        assert_eq!(normal, golden.normal_5);
        let mut stream = fresh();
        let below: Vec<usize> = (0..10).map(|_| stream.below(27)).collect();
        assert_eq!(below, golden.below_27_10);
        assert_eq!(stream.below(3 << 62), golden.below_large);
        let mut order: Vec<usize> = (0..10).collect();
        fresh().shuffle(&mut order);
        assert_eq!(order, golden.shuffle_10);
        assert_eq!(fresh().choose(1000, 5), golden.choose_5_of_1000);
    }
}

/// Catches a key in which seed, name and index run into each other, or one that leaves one of them out.
#[test]
fn streams_of_other_seeds_names_and_indices_differ() {
    let mut seen = HashSet::new();
    for seed in 0..4 {
        for name in ["", "a", "b", "ab", "a\0"] {
            for index in 0..4 {
                assert!(seen.insert(Stream::new(seed, name, index).uniform().to_bits()), "({seed}, {name:?}, {index})");
            }
        }
    }
}

/// Catches a `below` that leaves some numbers more likely: with this bound, every third number would take half of the
/// draws if no word were drawn again.
#[test]
fn below_is_unbiased_for_bounds_that_do_not_divide_the_range() {
    let mut stream = Stream::new(1, "test", 0);
    let mut counts = [0_u32; 3];
    for _ in 0..30_000 {
        counts[stream.below(3 << 62) % 3] += 1;
    }
    // A standard deviation is 82.
    assert!(counts.iter().all(|count| count.abs_diff(10_000) < 400), "{counts:?}");
}

/// Catches a shuffle or a choice that favours some orders: all 24 of four, all 12 ordered pairs of four.
#[test]
fn every_order_is_equally_likely() {
    let mut stream = Stream::new(1, "test", 1);
    let (mut orders, mut pairs) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..24_000 {
        let mut order = [0, 1, 2, 3];
        stream.shuffle(&mut order);
        *orders.entry(order).or_insert(0_u32) += 1;
        *pairs.entry(stream.choose(4, 2)).or_insert(0_u32) += 1;
    }
    // Standard deviations are 31 and 43.
    assert!(orders.len() == 24 && orders.values().all(|count| count.abs_diff(1000) < 150), "{orders:?}");
    assert!(pairs.len() == 12 && pairs.values().all(|count| count.abs_diff(2000) < 200), "{pairs:?}");
}

/// Catches a choice that repeats or leaves the range where its table of moved places is dense.
#[test]
fn choosing_all_is_a_permutation() {
    let mut all = Stream::new(7, "test", 0).choose(500, 500);
    assert!(!all.is_sorted());
    all.sort_unstable();
    assert_eq!(all, (0..500).collect::<Vec<_>>());
    assert!(Stream::new(7, "test", 0).choose(0, 0).is_empty());
}

#[derive(Deserialize)]
struct NumpyGolden {
    p: Vec<f64>,
    seeds: Vec<NumpySeed>,
}

#[derive(Deserialize)]
struct NumpySeed {
    seed: u32,
    key_3: Vec<u32>,
    words_5: Vec<u32>,
    random_sample_5: Vec<f64>,
    randn_7: Vec<f64>,
    randn_2_after: Vec<f64>,
    randint_100_10: Vec<usize>,
    shuffle_10: Vec<usize>,
    shuffle_1536: Checksum,
    permutation_7: Vec<usize>,
    choice_20: Vec<usize>,
    sequence: Sequence,
}

#[derive(Deserialize)]
struct Checksum {
    first_20: Vec<usize>,
    checksum: usize,
}

#[derive(Deserialize)]
struct Sequence {
    randn_3: Vec<f64>,
    random_sample_2: Vec<f64>,
    randn_1: Vec<f64>,
    shuffle_5: Vec<usize>,
    choice_3: Vec<usize>,
    randn_1_again: Vec<f64>,
    seed_then_randn_1: Vec<f64>,
}

fn numpy() -> NumpyGolden {
    serde_json::from_str(include_str!("golden/numpy_random.json")).expect("the golden file is whole")
}

fn times<T>(count: usize, mut draw: impl FnMut() -> T) -> Vec<T> {
    (0..count).map(|_| draw()).collect()
}

fn shuffled(generator: &mut RandomState, length: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    generator.shuffle(&mut order);
    order
}

/// Catches any draw that differs from `NumPy`'s in its last bit or uses another number of words.
#[test]
fn numpy_draws_are_those_of_numpy() {
    let NumpyGolden { p, seeds } = numpy();
    for golden in seeds {
        let fresh = || RandomState::new(golden.seed);
        let saved = serde_json::to_value(fresh()).expect("a state can be saved");
        let key: Vec<u32> = serde_json::from_value(saved["key"].clone()).expect("its words are numbers");
        assert_eq!(key[..3], golden.key_3);
        let mut state = fresh();
        assert_eq!(times(5, || state.word()), golden.words_5);
        let mut state = fresh();
        assert_eq!(times(5, || Rng::uniform(&mut state)), golden.random_sample_5);
        let mut state = fresh();
        assert_eq!(times(7, || Rng::normal(&mut state)), golden.randn_7);
        assert_eq!(times(2, || state.randn()), golden.randn_2_after);
        let mut state = fresh();
        assert_eq!(times(10, || state.randint(100)), golden.randint_100_10);
        assert_eq!(shuffled(&mut fresh(), 10), golden.shuffle_10);
        assert_eq!(shuffled(&mut fresh(), 7), golden.permutation_7);
        let large = shuffled(&mut fresh(), 1536);
        assert_eq!(large[..20], golden.shuffle_1536.first_20);
        let checksum: usize = large.iter().enumerate().map(|(index, value)| index * value).sum();
        assert_eq!(checksum, golden.shuffle_1536.checksum);
        let mut state = fresh();
        assert_eq!(times(20, || state.choice(&p)), golden.choice_20);
    }
}

/// Catches a kept normal number that is lost, outlives a new seed, or moves other draws; and one that is not saved.
#[test]
fn numpy_draws_follow_one_another_as_in_numpy() {
    let NumpyGolden { p, seeds } = numpy();
    for NumpySeed { seed, sequence, .. } in seeds {
        let mut state = RandomState::new(seed);
        assert_eq!(times(3, || state.randn()), sequence.randn_3);
        let saved = serde_json::to_string(&state).expect("a state can be saved");
        let mut state: RandomState = serde_json::from_str(&saved).expect("and read back");
        assert_eq!(times(2, || state.random_sample()), sequence.random_sample_2);
        assert_eq!(times(1, || state.randn()), sequence.randn_1);
        assert_eq!(shuffled(&mut state, 5), sequence.shuffle_5);
        assert_eq!(times(3, || state.choice(&p)), sequence.choice_3);
        assert_eq!(times(1, || state.randn()), sequence.randn_1_again);
        state = RandomState::new(seed);
        assert_eq!(times(1, || state.randn()), sequence.seed_then_randn_1);
    }
}

/// Catches a damaged checkpoint that would be read and crash at the next draw.
#[test]
fn an_invalid_state_is_refused() {
    let whole = serde_json::to_value(RandomState::new(1)).expect("a state can be saved");
    let refused = |change: fn(&mut serde_json::Value)| {
        let mut damaged = whole.clone();
        change(&mut damaged);
        serde_json::from_value::<RandomState>(damaged).is_err()
    };
    assert!(!refused(|_| ()));
    assert!(refused(|state| state["position"] = 625.into()));
    assert!(refused(|state| state["key"] = vec![0; 623].into()));
}

/// Catches a `randint` above 32 bits that draws one word only, or puts the two in the wrong order. The number is
/// `np.random.RandomState(0).randint(0, 2**40 + 1)`.
#[test]
fn large_bounds_take_two_outputs() {
    assert_eq!(RandomState::new(0).randint((1 << 40) + 1), 741_280_623_151);
}

/// Catches `searchsorted(side = "left")`, sums that are not scaled, and a draw of something impossible at an edge.
#[test]
fn a_choice_is_the_first_running_sum_above() {
    let p = [0.0, 1.0, 0.0, 1.0, 2.0, 0.0];
    let cases = [(0.0, 1), (0.249, 1), (0.25, 3), (0.499, 3), (0.5, 4), (0.999_999, 4), (1.0 - f64::EPSILON / 2.0, 4)];
    for (uniform, index) in cases {
        assert_eq!(random::choice(&p, uniform), index, "{uniform}");
    }
}

/// Catches a softmax that overflows, forgets what is ruled out, or counts in another base than e.
#[test]
fn a_draw_follows_the_softmax() {
    let ruled_out = f64::NEG_INFINITY;
    let ln = |weights: [f64; 4], shift: f64| weights.map(|weight| weight.ln() + shift);
    for shift in [0.0, 700.0, -700.0] {
        let p = random::softmax(&ln([1.0, 0.0, 3.0, 4.0], shift));
        for (p, expected) in p.iter().zip([0.125, 0.0, 0.375, 0.5]) {
            assert!((p - expected).abs() < 1e-12, "{p} is not {expected}");
        }
        for (uniform, token) in [(0.0, 0), (0.124, 0), (0.126, 2), (0.499, 2), (0.501, 3), (0.999, 3)] {
            assert_eq!(random::draw(&ln([1.0, 0.0, 3.0, 4.0], shift), uniform), token, "{uniform}");
        }
    }
    assert_eq!(random::draw(&[f64::MIN, ruled_out, f64::MAX], 0.0), 2);
    assert_eq!(random::draw(&[ruled_out, f64::MIN, ruled_out], 0.9), 1);
}

/// Catches a diverged model whose logits would be drawn from all the same.
#[test]
fn only_distributions_can_be_drawn_from() {
    assert!(random::drawable(&[f64::NEG_INFINITY, 0.0]));
    for logits in [&[][..], &[f64::NEG_INFINITY], &[0.0, f64::NAN], &[0.0, f64::INFINITY]] {
        assert!(!random::drawable(logits), "{logits:?}");
    }
}
