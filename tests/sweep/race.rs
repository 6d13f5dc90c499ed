//! The statistics of sweeps: known values, and races that were simulated.

use std::collections::BTreeMap;

use hatchery::{
    random::Stream,
    sweep::{
        Objective, Outcome, Plan, Repeat, Search, Summary, Sweep, Trial, Variant, Verdict, holm, paired, standing,
    },
};

/// The additional hours of sleep of ten patients under two drugs, Student (1908): R's `t.test(…, paired = TRUE)` gives
/// t = −4.0621, p = 0.002833.
#[test]
fn the_paired_test_gives_the_textbook_value() {
    let one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
    let other = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
    let test = paired(&one, &other);
    assert!((test.difference + 1.58).abs() < 1e-12, "{test:?}");
    assert!((test.p - 0.002_833).abs() < 5e-7, "{test:?}");
}

/// Would catch: a failed trial that counts as a tie, or decides although both sides fail.
#[test]
fn failures_decide_where_only_one_side_fails() {
    let (good, bad) = ([1.0, 1.1, 1.2], [f64::INFINITY; 3]);
    assert_eq!(paired(&bad, &good).p, 0.0);
    assert!(paired(&bad, &good).difference > 0.0 && paired(&good, &bad).difference < 0.0);
    assert_eq!(paired(&bad, &bad).p, 1.0);
    assert_eq!(paired(&[1.0, f64::INFINITY, 1.0], &good).p, 1.0);
}

/// R: `p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")` is 0.03, 0.06, 0.06, 0.02.
#[test]
fn holm_corrects_as_r_does() {
    let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
    assert!(
        corrected.iter().zip([0.03, 0.06, 0.06, 0.02]).all(|(p, known)| (p - known).abs() < 1e-15),
        "{corrected:?}"
    );
}

/// Would catch: an interval that is far too narrow or too wide. 95 of 100 intervals should hold the true mean; those of the
/// bootstrap hold it a little less often for few numbers.
#[test]
fn the_interval_holds_the_mean_about_as_often_as_it_says() {
    let held = (0..1000).filter(|&at| {
        let mut stream = Stream::new(7, "interval", at);
        let values: Vec<f64> = (0..20).map(|_| stream.normal()).collect();
        let [from, to] = Summary::of(&values, at).interval.unwrap();
        from <= 0.0 && 0.0 <= to
    });
    let held = held.count();
    assert!((890..=965).contains(&held), "{held} of 1000");
}

/// A race of which all results are known: `worse` is added to the last variant.
fn race(variants: usize, seeds: u32, worse: f64, at: u64) -> Vec<Option<Verdict>> {
    let sweep = Sweep {
        name: "race".to_owned(),
        experiment: "x.toml".to_owned(),
        seed: 1,
        vary: Vec::new(),
        size: None,
        repeat: Repeat { seeds },
        search: Search::Racing { first: 5, level: 0.05 },
        budget: None,
        objective: Objective::default(),
    };
    let mut plan = Plan { sweep, text: String::new(), variants: Vec::new(), trials: Vec::new() };
    let mut stream = Stream::new(3, "race", at);
    let of_seed: Vec<f64> = (0..seeds).map(|_| stream.normal()).collect();
    let mut outcomes = Vec::new();
    for variant in 0..variants {
        plan.variants.push(Variant { settings: Vec::new(), parameters: 1, updates: 10 });
        for (seed, shared) in of_seed.iter().enumerate() {
            plan.trials.push(Trial { id: String::new(), variant, seed: seed as u64, experiment: String::new() });
            let shift = if variant + 1 == variants { worse } else { 0.0 };
            let nats = 2.0 + shared + 0.1 * stream.normal() + shift;
            outcomes.push(Outcome { measured: BTreeMap::from([(10, nats)]), failed: None });
        }
    }
    standing(&plan, &outcomes).left
}

/// Would catch: tests that are repeated after every round without paying for it, and tests against the best alone.
#[test]
fn a_race_among_equals_seldom_finds_a_difference() {
    let wrong = (0..1000).filter(|&at| race(4, 12, 0.0, at).iter().any(Option::is_some)).count();
    assert!(wrong <= 50, "{wrong} of 1000 races, at a level of 5 %");
}

/// Would catch: a test that finds nothing. The last variant is worse by three standard deviations of a seed's noise.
#[test]
fn a_race_finds_a_clear_difference_and_only_that() {
    let (mut found, mut wrong) = (0, 0);
    for at in 0..500 {
        let left = race(4, 12, 0.3, at);
        found += usize::from(left[3].is_some());
        wrong += usize::from(left[..3].iter().any(Option::is_some));
    }
    assert!(found >= 450 && wrong <= 25, "found in {found} of 500 races, {wrong} false verdicts");
}
