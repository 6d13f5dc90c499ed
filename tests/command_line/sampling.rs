//! Ways to sample: beam search, blocked repetitions, typical sampling, and several models as one.

use serde_json::Value;

use crate::lab::{Lab, TINY};

fn rows(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A lab with two models of names.
fn lab() -> Lab {
    let lab = Lab::new();
    for hidden in [8, 12] {
        lab.ok(&format!(
            "train tiny.toml --quiet --set cell.hidden={hidden} --set train.steps=100 --set train.report-every=100"
        ));
    }
    lab
}

/// Would catch: a beam that is not sorted, probabilities that are not those of the text, and a wide beam that finds a less
/// likely text than a narrow one.
#[test]
fn a_beam_finds_likely_texts() {
    let lab = lab();
    let found = rows(&lab.ok("sample --prefix tri --beam 6 --length 30 --json"));
    let nats: Vec<_> = found.iter().map(|row| row["nats"].as_f64().unwrap()).collect();
    assert!(nats.len() == 6 && nats.is_sorted(), "{nats:?}");
    let narrow = rows(&lab.ok("sample --prefix tri --beam 1 --length 30 --json"));
    assert!(nats[0] <= narrow[0]["nats"].as_f64().unwrap());
    assert_eq!(
        narrow[0]["text"],
        rows(&lab.ok("sample --prefix tri --sampler greedy --length 30 --count 1 --json"))[0]["text"]
    );
    // The score of the text, from the first character after the prefix on.
    let text = found[0]["text"].as_str().unwrap();
    let scored = rows(&lab.ok(&format!("score tiny {} --json", text.to_lowercase()))).remove(0);
    let after: f64 =
        scored["symbols"].as_array().unwrap()[3..].iter().map(|symbol| symbol["nats"].as_f64().unwrap()).sum();
    assert!((after - nats[0]).abs() < 1e-5, "{after}, {nats:?}");
    let texts: std::collections::BTreeSet<_> = found.iter().map(|row| row["text"].to_string()).collect();
    assert_eq!(texts.len(), 6, "each is another");
}

/// Would catch: a beam that begins with another first input at each step of a running text.
#[test]
fn a_beam_of_a_running_text_keeps_its_beginning() {
    let stream = TINY
        .replace("type = \"lines\"\ncorpus = \"dinosaurs\"", "type = \"stream\"\nsteps = 10\ncorpus = \"text.txt\"");
    let lab = Lab::new().with("text.txt", "to be or not to be\n".repeat(60)).with("stream.toml", stream);
    lab.ok("train stream.toml --quiet --set train.steps=60");
    for prefix in [&[][..], &["--prefix", "to"]] {
        let run = |more: &[&str]| {
            let outcome = lab.run_with(&[&["sample", "--length", "12", "--json"], prefix, more].concat());
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
            rows(&outcome.stdout)[0]["text"].clone()
        };
        assert_eq!(run(&["--beam", "1"]), run(&["--sampler", "greedy", "--count", "1"]));
    }
}

/// Would catch: a sampler that is not asked in a beam.
#[test]
fn repetitions_are_blocked_in_a_beam_too() {
    let lab = lab();
    for arguments in ["--beam 3", "--count 3 --sampler greedy"] {
        let line = format!("sample {arguments} --sampler no-repeat:n=2 --length 40 --json");
        // A chain: what may follow is decided before the most likely is taken.
        let line = line.replace("--sampler greedy --sampler no-repeat:n=2", "--sampler no-repeat:n=2 --sampler greedy");
        for row in rows(&lab.ok(&line)) {
            let letters: Vec<char> = row["text"].as_str().unwrap().chars().collect();
            let mut twos: Vec<_> = letters.windows(2).collect();
            twos.sort_unstable();
            assert!(twos.windows(2).all(|pair| pair[0] != pair[1]), "{row}");
        }
    }
    assert_eq!(rows(&lab.ok("sample --count 4 --sampler typical:mass=0.9 --json")).len(), 4);
}

/// Would catch: several models of which one counts, and models of other symbols that are averaged.
#[test]
fn logits_of_several_models_are_averaged() {
    let lab = lab();
    let next = |runs: &str| {
        let rows = rows(&lab.ok(&format!("sample {runs} --prefix tri --next 27 --json")));
        let mut all: Vec<_> = rows
            .iter()
            .map(|row| (row["symbol"].as_str().unwrap().to_owned(), row["probability"].as_f64().unwrap()))
            .collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all.into_iter().map(|(_, probability)| probability).collect::<Vec<_>>()
    };
    let [one, two, both] = ["tiny/1", "tiny/2", "tiny/1 tiny/2"].map(next);
    let means: Vec<_> = one.iter().zip(&two).map(|(one, two)| (one * two).sqrt()).collect();
    let total: f64 = means.iter().sum();
    for (mean, both) in means.iter().zip(&both) {
        assert!((mean / total - both).abs() < 1e-6, "{mean}, {both}");
    }
    let same = next("tiny/1 tiny/1");
    assert!(same.iter().zip(&one).all(|(same, one)| (same - one).abs() < 1e-9));
    assert_eq!(lab.ok("sample tiny/1 tiny/2 --count 3").lines().count(), 3);

    let lab =
        lab.with("own.toml", TINY.replace("\"dinosaurs\"", "\"own.txt\"")).with("own.txt", "anna\nbob\n".repeat(20));
    lab.ok("train own.toml --quiet");
    let refusal = lab.refused("sample tiny/1 tiny/3");
    assert!(refusal.contains("cannot be averaged: they were trained with other symbols"), "{refusal}");
}
