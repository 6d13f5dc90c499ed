//! What is held out: by which seed, from which text, how much of it, and whether it is also trained on.

use super::{has, lines, on, said};
use crate::lab::{Lab, TINY};

/// The validation documents of an experiment, as `data show` counts them: lines that a model would be asked for.
fn validated(lab: &Lab, set: &[&str]) -> serde_json::Value {
    let set: String = set.iter().map(|set| format!(" --set {set}")).collect();
    lab.ok(&format!("train tiny.toml --quiet{set}"));
    let run = format!("runs/tiny/{:03}", std::fs::read_dir(lab.path("runs/tiny")).unwrap().count());
    lab.rows(&format!("{run}/metrics.jsonl"))[0]["valid"].clone()
}

/// Would catch: a spread over seeds that is one of held-out sets, and a default that splits otherwise than `seed` did.
#[test]
fn the_split_has_a_seed_of_its_own() {
    let lab = on(lines(60));
    let start = ["split.shuffle=true", "train.steps=1"];
    let with = |more: &[&str]| validated(&lab, &[&start[..], more].concat());
    // The characters of the held-out lines are as many, so the numbers tell the texts apart.
    let (one, other) = (with(&["seed=1"]), with(&["seed=2"]));
    assert_ne!(one, other);
    assert_eq!(with(&["seed=1", "split.seed=1"]), one);
    let (fixed, varied) = (with(&["seed=1", "split.seed=7"]), with(&["seed=2", "split.seed=7"]));
    assert_ne!(fixed, one);
    assert_ne!(fixed, varied, "initial values follow `seed`");

    // Two runs with one split seed are comparable, two with two are not.
    let comparable = said(&lab, "runs compare tiny/004 tiny/005");
    assert!(!comparable.contains("different texts"), "{comparable}");
    let not = said(&lab, "runs compare tiny/001 tiny/002");
    has(&not, &["validated on different texts", "split.seed = 1, 2", "set `split.seed`, and vary `seed` alone"]);
    // Followed, the hint leads to runs that are comparable.
    let eval = lab.ok("eval tiny/004 --json");
    assert_eq!(lab.ok("eval tiny/004 --seed 7 --json"), eval, "the recorded seed of the split");
    has(&said(&lab, "eval tiny/004 --seed 8"), &["splits the text differently than in training"]);
}

/// Would catch: a seed that is believed to mix what is cut in order.
#[test]
fn a_split_seed_without_effect_is_mentioned() {
    let lab = on(lines(60));
    has(&said(&lab, "train tiny.toml --set split.seed=3"), &["split.seed = 3 has no effect", "split.shuffle"]);
}

/// Would catch: validation on lines that are trained on, praised as if they were new.
#[test]
fn copies_in_two_splits_are_counted_and_can_be_prevented() {
    // Ten different lines, each twice: the copies are the second half, of which the last tenth is held out.
    let lab = on(format!("{0}{0}", lines(10)));
    for line in ["train tiny.toml", "eval tiny/001", "train --resume tiny/001 --set train.steps=8"] {
        has(&said(&lab, line), &["2 of 2 documents for validation (100.0 %) are also trained on"]);
    }
    assert!(!lab.ok("data show --experiment tiny.toml").contains("left out"));

    let dropped = said(&lab, "train tiny.toml --set split.duplicates=drop");
    has(&dropped, &["tiny: 9 sequences, 1 held out", "10 documents that are copies are left out"]);
    assert!(!dropped.contains("also trained on"), "{dropped}");
    let together = said(&lab, "train tiny.toml --set split.duplicates=together --set split.shuffle=true");
    has(&together, &["tiny: 18 sequences, 2 held out"]);
    assert!(!together.contains("also trained on") && !together.contains("copies"), "{together}");
    // In lower case they are equal.
    let cases = on(format!("{}{}", lines(10), lines(10).to_uppercase()));
    assert!(!said(&cases, "train tiny.toml").contains("also trained on"));
    has(&said(&cases, "train tiny.toml --set vocabulary.lowercase=true"), &["2 of 2 documents for validation"]);
    // A running text has no documents.
    let stream = "train tiny.toml --set dataset.type=stream --set dataset.steps=3 --set split.duplicates=drop";
    has(&lab.refused(stream), &["`duplicates` in [split] has no effect", "type = \"lines\""]);
}

/// Would catch: a number from one line or one character that looks like any other.
#[test]
fn a_small_split_says_what_its_number_is_worth() {
    let lab = on(lines(20));
    let trained = said(&lab, "train tiny.toml --set split.valid=0.05");
    has(&trained, &["the number for validation is the mean of 1 document with 4 predictions: it says little"]);
    let evaluated = lab.ok("eval tiny/001");
    has(&evaluated, &["split                valid, 1 sequence, 4 characters", "nats per character   2."]);
    assert!(!evaluated.contains('±'), "one sequence has no standard error: {evaluated}");
    let none: serde_json::Value = serde_json::from_str(&lab.ok("eval tiny/001 --json")).unwrap();
    assert!(none["standard_error"].is_null(), "{none}");

    lab.ok("train tiny.toml --set split.valid=0.5 --quiet");
    has(&lab.ok("eval tiny/002"), &["valid, 10 sequences, 40 characters", " ± 0."]);
    let some: serde_json::Value = serde_json::from_str(&lab.ok("eval tiny/002 --json")).unwrap();
    let error = some["standard_error"].as_f64().unwrap();
    assert!((0.001..0.5).contains(&error), "{error}");
    // More of the same kind of text, and the error is smaller.
    let train: serde_json::Value = serde_json::from_str(&lab.ok("eval tiny/001 --split train --json")).unwrap();
    assert!(train["standard_error"].as_f64().unwrap() < error, "{train}");

    let stream = "train tiny.toml --set dataset.type=stream --set dataset.steps=3 --set split.valid=0.025";
    has(&lab.refused(stream), &["a single prediction measures nothing", "hold out more in [split]"]);
    let more = stream.replace("0.025", "0.05");
    has(&said(&lab, &more), &["the number for validation is the mean of 3 predictions"]);
}

/// Would catch: a split that got nothing, blamed on a key that has nothing to do with it; a hint that does not help.
#[test]
fn an_empty_split_names_the_key_that_fills_it() {
    let lab = on(lines(10));
    let refused = |set: &str| lab.refused(&format!("train tiny.toml {set}"));
    // The test took what was left.
    let valid = refused("--set split.valid=0.01 --set split.test=0.05");
    has(&valid, &["nothing is left for validation", "its share: 0.010000 of 10 documents of `text.txt`"]);
    let share = valid.split("set split.valid to ").nth(1).unwrap().split(' ').next().unwrap();
    lab.ok(&format!("train tiny.toml --quiet --set split.valid={share} --set split.test=0.05"));
    let train = refused("--set split.valid=0.9 --set split.test=0.05");
    has(&train, &["nothing is left for training", "make split.valid and split.test smaller"]);
    // Fewer documents than splits: no share helps.
    let few = on(lines(2));
    let said = few.refused("train tiny.toml --set split.test=0.1");
    has(&said, &["nothing is left for", "of 2 documents", "take a larger corpus", "stream"]);
    assert!(!said.contains("change the shares"), "{said}");
}

/// Would catch: published corpora with splits of their own that have to be glued together and cut again.
#[test]
fn a_split_may_be_a_text() {
    let lab = on(lines(30)).with("held/valid.txt", "zzz\nqqq\n").with("held/test.txt", "xxx\n".repeat(3));
    let files = TINY
        .replace("\"dinosaurs\"", "\"../text.txt\"")
        .replace("valid = 0.1", "valid = \"valid.txt\"\ntest = { glob = \"te*.txt\" }");
    let lab = lab.with("held/files.toml", &files);
    has(&said(&lab, "train held/files.toml"), &["30 sequences, 5 held out"]);
    // From a run, in whatever folder, the texts are found again.
    has(&lab.ok("eval tiny/001"), &["valid, 2 sequences, 8 characters"]);
    has(&lab.ok("eval tiny/001 --split test"), &["test, 3 sequences, 12 characters"]);
    // Another text is noticed, and so are copies.
    let lab = lab.with("held/valid.txt", "zzz\nban\n");
    let other = said(&lab, "eval tiny/001");
    has(&other, &["the text has changed since the model was trained", "1 of 2 documents for validation (50.0 %)"]);
    let dropped = said(&lab, "train held/files.toml --set split.duplicates=drop");
    has(&dropped, &["29 sequences, 5 held out", "1 document that is a copy"]);
    // A text for one and a share for the other.
    has(&said(&lab, "train held/files.toml --set split.test=0.1"), &["27 sequences, 5 held out"]);
    let missing = lab.refused("train held/files.toml --set split.valid=absent.txt");
    has(&missing, &["no corpus and no file `absent.txt`"]);
    let quoted = lab.refused("train held/files.toml --set split.valid=\"0.1\"");
    has(&quoted, &["a share is written without quotes: 0.1"]);
}
