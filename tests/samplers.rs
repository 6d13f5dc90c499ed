//! The samplers: the distribution of each, the limits of its keys, extreme logits, and the order of a chain.

use hatchery::random::{self, Stream};
use hatchery_plugin::{Build, Kind, Provider, Token, host::HostSampler};
use serde_json::{Value, json};

const RULED_OUT: f64 = f64::NEG_INFINITY;

fn sampler(name: &str, keys: Value) -> Box<dyn HostSampler> {
    let provider = hatchery_samplers::plugins();
    match provider.find(Kind::Sampler, name).map(|variant| variant.build.clone()) {
        Some(Build::Sampler(build)) => build(keys).expect("these are its keys").0,
        _ => panic!("no sampler is named {name}"),
    }
}

fn processed(name: &str, keys: Value, logits: &[f64], history: &[Token]) -> Vec<f64> {
    let mut logits = logits.to_vec();
    sampler(name, keys).process(&mut logits, history).unwrap();
    logits
}

/// Critical values of chi-square at p = 0.001, by degrees of freedom; with zero degrees no difference is allowed.
const CRITICAL: [f64; 8] = [0.0, 10.828, 13.816, 16.266, 18.467, 20.515, 22.458, 24.322];
const DRAWS: u32 = 100_000;

/// The chi-square statistic of draws from `logits` against `weights`, and its critical value. A draw of weight 0 makes it
/// infinite.
fn chi_square(logits: &[f64], weights: &[f64]) -> (f64, f64) {
    let mut stream = Stream::new(1, "test", 0);
    let mut counts = vec![0.0; weights.len()];
    for _ in 0..DRAWS {
        counts[random::draw(logits, stream.uniform()) as usize] += 1.0;
    }
    let total: f64 = weights.iter().sum();
    let terms =
        counts.iter().zip(weights).filter(|&(&count, &weight)| count > 0.0 || weight > 0.0).map(|(count, weight)| {
            let expected = weight / total * f64::from(DRAWS);
            (count - expected).powi(2) / expected
        });
    (terms.sum(), CRITICAL[weights.iter().filter(|&&weight| weight > 0.0).count() - 1])
}

/// Catches a sampler whose distribution is not the one that its source defines. The weights of the tokens are derived by
/// hand from the definitions, not computed as the samplers do.
#[test]
fn draws_follow_the_distribution_that_each_sampler_defines() {
    // Probabilities 1/36 … 8/36; the logits of the first three are negative, that of the fourth is zero.
    let weights = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0_f64];
    let logits = weights.map(|weight| (weight / 4.0).ln());
    let history = [7, 0, 7, 3, 0];
    let cases = [
        ("greedy", json!({}), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]),
        ("temperature", json!({ "temperature": 1.0 }), weights),
        ("temperature", json!({ "temperature": 2.0 }), weights.map(f64::sqrt)),
        ("temperature", json!({ "temperature": 0.5 }), weights.map(|weight| weight * weight)),
        ("top-k", json!({ "k": 3 }), [0.0, 0.0, 0.0, 0.0, 0.0, 6.0, 7.0, 8.0]),
        // 8 + 7 + 6 = 21 of 36 is less than 0.7, 26 of 36 is more.
        ("top-p", json!({ "p": 0.7 }), [0.0, 0.0, 0.0, 0.0, 5.0, 6.0, 7.0, 8.0]),
        // 0.4 × 8 = 3.2
        ("min-p", json!({ "p": 0.4 }), [0.0, 0.0, 0.0, 4.0, 5.0, 6.0, 7.0, 8.0]),
        // In quarters: the negative logit of 1/4 doubles, that of 1 stays 0, that of 8/4 is halved.
        ("repetition-penalty", json!({ "penalty": 2.0 }), [0.0625, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0_f64.sqrt()]),
        // The entropy is 1.94 nats; closest to it are ln(36/5), ln(36/6), ln(36/4) and ln(36/7): 22 of 36.
        ("typical", json!({ "mass": 0.5 }), [0.0, 0.0, 0.0, 4.0, 5.0, 6.0, 7.0, 0.0]),
        // After 0 there was 7.
        ("no-repeat", json!({ "n": 2 }), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 0.0]),
    ];
    for (name, keys, expected) in cases {
        let (statistic, critical) = chi_square(&processed(name, keys.clone(), &logits, &history), &expected);
        assert!(statistic <= critical, "{name} {keys}: chi-square {statistic} is above {critical}");
    }
    // The test can fail: it detects a temperature of 1.05 in place of 1.
    let (statistic, critical) = chi_square(&logits.map(|logit| logit / 1.05), &weights);
    assert!(statistic > critical, "a wrong distribution passes: {statistic} is not above {critical}");
}

/// Catches a sampler that changes logits at the limit of its range: a nucleus of 1 that drops a token because the sum was
/// rounded, a penalty or a temperature of 1 that changes the last bits.
#[test]
fn at_its_limit_a_sampler_changes_nothing() {
    let logits = [0.3, -45.0, RULED_OUT, 0.1, 0.3, -0.0, -700.0, 12.5];
    let cases = [
        ("temperature", json!({ "temperature": 1.0 })),
        ("top-k", json!({ "k": 8 })),
        ("top-k", json!({ "k": 100 })),
        ("top-p", json!({ "p": 1.0 })),
        ("min-p", json!({ "p": 5e-324 })),
        ("repetition-penalty", json!({ "penalty": 1.0 })),
        ("typical", json!({ "mass": 1.0 })),
        ("no-repeat", json!({ "n": 5 })),
        ("no-repeat", json!({ "n": 6 })),
    ];
    for (name, keys) in cases {
        let after = processed(name, keys.clone(), &logits, &[0, 1, 2, 7]);
        let same = after.iter().zip(&logits).all(|(after, before)| after.to_bits() == before.to_bits());
        assert!(same, "{name} {keys} makes {after:?} of {logits:?}");
    }
}

/// Catches samplers that at their other limit keep more than the most likely token, unlike `greedy`.
#[test]
fn at_its_other_limit_a_sampler_is_greedy() {
    let logits = [0.3, -45.0, RULED_OUT, 12.25, 12.5];
    let greedy = random::softmax(&processed("greedy", json!({}), &logits, &[]));
    assert_eq!(greedy, [0.0, 0.0, 0.0, 0.0, 1.0]);
    let cases = [
        ("temperature", json!({ "temperature": 1e-5 })),
        ("temperature", json!({ "temperature": 1e-300 })),
        ("temperature", json!({ "temperature": 5e-324 })),
        ("top-k", json!({ "k": 1 })),
        ("top-p", json!({ "p": 1e-300 })),
        ("min-p", json!({ "p": 1.0 })),
    ];
    for (name, keys) in cases {
        assert_eq!(random::softmax(&processed(name, keys.clone(), &logits, &[])), greedy, "{name} {keys}");
    }
}

/// Catches a truncation that keeps all equally likely tokens, or the last of them; and zeros that are ordered by sign.
#[test]
fn of_equally_likely_tokens_the_first_remain() {
    let logits = [0.0, 1.0, -0.0, 1.0, 1.0, 0.0];
    let remaining = |name, keys| -> Vec<usize> {
        let after = processed(name, keys, &logits, &[]);
        (0..logits.len()).filter(|&token| after[token] > RULED_OUT).collect()
    };
    assert_eq!(remaining("greedy", json!({})), [1]);
    assert_eq!(remaining("top-k", json!({ "k": 2 })), [1, 3]);
    assert_eq!(remaining("top-k", json!({ "k": 5 })), [0, 1, 2, 3, 4]);
    // Three tokens of weight e: two of them have less than 0.5 of the total, 11.2, and three have 0.73.
    assert_eq!(remaining("top-p", json!({ "p": 0.4 })), [1, 3]);
    assert_eq!(remaining("top-p", json!({ "p": 0.5 })), [1, 3, 4]);
    assert_eq!(remaining("min-p", json!({ "p": 1.0 })), [1, 3, 4]);
}

/// Catches a window over the oldest tokens, a penalty that is applied for every occurrence, and a panic on a token beyond
/// the vocabulary.
#[test]
fn a_repetition_counts_once_and_within_the_window() {
    let logits = [2.0, -2.0, 4.0, RULED_OUT];
    let history = [0, 1, 2, 2, 3, 9];
    let penalty = |keys| processed("repetition-penalty", keys, &logits, &history);
    assert_eq!(penalty(json!({ "penalty": 2.0 })), [1.0, -4.0, 2.0, RULED_OUT]);
    assert_eq!(penalty(json!({ "penalty": 2.0, "window": 4 })), [2.0, -2.0, 2.0, RULED_OUT]);
    assert_eq!(penalty(json!({ "penalty": 2.0, "window": 5 })), [2.0, -4.0, 2.0, RULED_OUT]);
}

/// Catches a sequence that comes twice, one that is blocked too early, and a sampler that leaves nothing to draw.
#[test]
fn no_sequence_comes_twice() {
    let remaining = |n: usize, history: &[Token]| -> Vec<usize> {
        let after = processed("no-repeat", json!({ "n": n }), &[0.0; 3], history);
        (0..3).filter(|&token| after[token] > RULED_OUT).collect()
    };
    assert_eq!(remaining(3, &[0, 1, 2, 0, 1]), [0, 1], "0 1 2 was there");
    assert_eq!(remaining(4, &[0, 1, 2, 0, 1]), [0, 1, 2]);
    assert_eq!(remaining(2, &[1, 0, 1, 2, 1]), [1], "1 0 and 1 2 were there");
    assert_eq!(remaining(1, &[0, 2]), [1]);
    assert_eq!(remaining(1, &[0, 1, 2]), [0, 1, 2], "nothing would be left");
    assert_eq!(remaining(3, &[]), [0, 1, 2]);
}

/// Catches NaN, `+inf` and a result without any token, for every triple of extreme logits, each sampler alone and the
/// chain of all.
#[test]
fn extreme_logits_leave_a_distribution() {
    let extremes = [RULED_OUT, f64::MIN, -1e10, -1.0, -0.0, 0.0, 5e-324, 1.0, 1e10, f64::MAX];
    let mut chains: Vec<Vec<(&str, Value)>> = [
        ("greedy", json!({})),
        ("temperature", json!({ "temperature": 5e-324 })),
        ("temperature", json!({ "temperature": 1e-300 })),
        ("temperature", json!({ "temperature": f64::MAX })),
        ("top-k", json!({ "k": 1 })),
        ("top-p", json!({ "p": 5e-324 })),
        ("top-p", json!({ "p": 0.999_999_999_999_999_9 })),
        ("min-p", json!({ "p": 5e-324 })),
        ("min-p", json!({ "p": 1.0 })),
        ("repetition-penalty", json!({ "penalty": f64::MAX })),
        ("typical", json!({ "mass": 5e-324 })),
        ("no-repeat", json!({ "n": 1 })),
    ]
    .map(|part| vec![part])
    .into();
    chains.push(chains.iter().rev().flatten().cloned().collect());
    for chain in chains {
        let samplers: Vec<_> = chain.iter().map(|(name, keys)| sampler(name, keys.clone())).collect();
        for index in 0..extremes.len().pow(3) {
            let before = [1, 10, 100].map(|place| extremes[index / place % 10]);
            let mut logits = before;
            for sampler in &samplers {
                sampler.process(&mut logits, &[0, 1, 2]).unwrap();
            }
            if before == [RULED_OUT; 3] {
                assert_eq!(logits.as_slice(), before, "{chain:?}");
            } else {
                assert!(random::drawable(&logits), "{chain:?} makes {logits:?} of {before:?}");
            }
        }
        for sampler in &samplers {
            sampler.process(&mut [], &[0]).unwrap();
        }
    }
}

/// Catches a chain in the wrong order: with the temperature first, the nucleus of 0.7 has three tokens; with the nucleus
/// first, two.
#[test]
fn a_chain_runs_in_the_order_of_the_file() {
    let drawn = |chain: &[(&str, Value)]| {
        let chain: Vec<_> = chain.iter().map(|(name, keys)| sampler(name, keys.clone())).collect();
        let mut logits = [8.0, 4.0, 2.0, 1.0, 1.0].map(f64::ln);
        random::sample(&chain, &mut logits, &[], 0.99).unwrap()
    };
    let (temperature, top_p) = (("temperature", json!({ "temperature": 2.0 })), ("top-p", json!({ "p": 0.7 })));
    assert_eq!(drawn(&[temperature.clone(), top_p.clone()]), 2);
    assert_eq!(drawn(&[top_p, temperature]), 1);
    assert_eq!(drawn(&[]), 4);
}

/// Catches a documented example that no longer builds, a plugin whose name differs from its documentation, a key that is
/// lost, and an unknown key that is accepted.
#[test]
fn documented_examples_build() {
    check_examples(&hatchery_samplers::plugins(), |build, keys| match build {
        Build::Sampler(build) => build(keys).map(|(_, resolved)| resolved).map_err(|fault| fault.message),
        _ => Err("this is no sampler".to_owned()),
    });
}

/// Builds the example in the documentation of every plugin of a crate, unchanged and with an unknown key.
pub(crate) fn check_examples(provider: &Provider, build: impl Fn(Build, Value) -> Result<Value, String>) {
    for variant in &provider.variants {
        let example = variant.doc.split("```toml").nth(1).and_then(|rest| rest.split("```").next());
        let example = example.unwrap_or_else(|| panic!("`{}` has no example", variant.name));
        let mut example: Value = toml::from_str(example).expect("the example is TOML");
        let keys = example[variant.kind().word()][0].as_object_mut().expect("the example is one of its tables");
        assert_eq!(keys.remove("type"), Some(variant.name.into()));
        assert_eq!(build(variant.build.clone(), Value::Object(keys.clone())), Ok(Value::Object(keys.clone())));
        keys.insert("unheard-of".to_owned(), 1.into());
        assert!(build(variant.build.clone(), Value::Object(keys.clone())).is_err(), "`{}` takes any key", variant.name);
    }
}

/// Catches a key whose range is not in the schema, on which alone the check of an experiment file relies.
#[test]
fn ranges_are_declared() {
    let provider = hatchery_samplers::plugins();
    let cases = [
        ("temperature", "temperature", json!([0.0, null, null])),
        ("top-k", "k", json!([null, 1, null])),
        ("top-p", "p", json!([0.0, null, 1.0])),
        ("min-p", "p", json!([0.0, null, 1.0])),
        ("repetition-penalty", "penalty", json!([null, 1.0, null])),
        ("repetition-penalty", "window", json!([null, 1, null])),
        ("typical", "mass", json!([0.0, null, 1.0])),
        ("no-repeat", "n", json!([null, 1, null])),
    ];
    for (name, key, expected) in cases {
        let variant = provider.find(Kind::Sampler, name).expect("it is exported");
        let range = ["exclusiveMinimum", "minimum", "maximum"].map(|word| &variant.schema["properties"][key][word]);
        assert_eq!(json!(range), expected, "{name}.{key}");
    }
}
