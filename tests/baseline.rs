//! Models that only count, and how new samples are: checked against counts by hand and the published figure.

use std::path::Path;

use hatchery::{
    data::{Data, corpus::Text},
    inspect::{
        baseline::{Baseline, Counts},
        generate::GeneratedText,
        novelty::novelty,
    },
};

use super::experiments::{experiment, registry};

/// The lines of a text as examples.
fn names(text: &str) -> Data {
    let experiment = experiment("dinosaurs.toml", &["split.valid=0", "vocabulary.lowercase=true"]);
    let (dataset, _) = registry().dataset(&experiment.dataset.part).unwrap();
    Data::new(dataset.as_ref(), &Text::new("names", text), &experiment).unwrap()
}

fn nats(baseline: Baseline, data: &Data, smoothing: f64) -> f64 {
    Counts::of(baseline, &data.train, data.vocabulary.len(), smoothing).evaluate(&data.train).nats_per_character
}

/// `ab` and `aa` with their ends are six predictions over the symbols newline, a and b. Would catch: padding that is
/// counted, ends or starts that are not, smoothing in the wrong place.
#[test]
fn counts_agree_with_counting_by_hand() {
    let data = names("ab\naa");
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
    close(nats(Baseline::Uniform, &data, 0.0), 3f64.ln());
    // a three times of six, newline twice, b once.
    let unigram = -(3.0 * 0.5f64.ln() + 2.0 * (1f64 / 3.0).ln() + (1f64 / 6.0).ln()) / 6.0;
    close(nats(Baseline::Unigram, &data, 0.0), unigram);
    // After the start always a, after b always newline, after a each of a, b and newline once.
    close(nats(Baseline::Bigram, &data, 0.0), 3.0 * 3f64.ln() / 6.0);
    // With one more each: 3 of 5, 2 of 4 and 2 of 6.
    let smoothed = -(2.0 * 0.6f64.ln() + 0.5f64.ln() + 3.0 * (1f64 / 3.0).ln()) / 6.0;
    close(nats(Baseline::Bigram, &data, 1.0), smoothed);
}

/// The published bigram figure for these names, 2.4543, is the sum with one added to every count, added up in 32 bits;
/// `tests/golden/bigram.py` shows it. The exact sums are 2.454014 without smoothing and 2.454577 with it.
#[test]
fn bigrams_of_makemores_names() {
    if super::text::data_folder("bigrams_of_makemores_names").is_none() {
        return;
    }
    let experiment = experiment("makemore-names.toml", &["split.valid=0", "split.test=0"]);
    let data = Data::open(&experiment, Path::new("."), &registry(), None).unwrap();
    assert_eq!(data.train.count(), 32_033);
    let exact = nats(Baseline::Bigram, &data, 0.0);
    let smoothed = nats(Baseline::Bigram, &data, 1.0);
    assert!((exact - 2.454_014_489).abs() < 1e-8, "{exact}");
    assert!((smoothed - 2.454_576_820).abs() < 1e-8, "{smoothed}");
}

/// Would catch: a copied run across two names, a distance to the wrong name, a sample that is missed for its case.
#[test]
fn copies_are_found() {
    let data = names("triceratops\nstegosaurus\nraptor");
    let sample = |text: &str| GeneratedText { text: text.to_owned(), tokens: data.vocabulary.encode(text, 0).unwrap() };
    let found = novelty(&data, &["raptor", "tricosaurus", "psst"].map(sample));
    assert!(found[0].is_verbatim);
    assert_eq!(found[0].nearest, Some(("raptor".to_owned(), 0)));
    assert!(!found[1].is_verbatim);
    // The t, e, g of stegosaurus … s-t-e-g → t-r-i-c: five changes to osaurus, none of them shorter elsewhere.
    assert_eq!(found[1].nearest, Some(("stegosaurus".to_owned(), 4)));
    assert_eq!(found[1].longest_run, "osaurus");
    assert_eq!(found[2].longest_run, "ps");
}
