//! `check` finds out what a training would: also what is wrong with the text.

use crate::lab::{Lab, TINY};

/// Would catch: a file that passes the check, and whose training ends before its first update.
#[test]
fn what_a_training_finds_out_the_check_finds_out() {
    let stream = TINY
        .replace("type = \"lines\"\ncorpus = \"dinosaurs\"", "type = \"stream\"\nsteps = 50\ncorpus = \"text.txt\"");
    let lab = Lab::new().with("text.txt", "to be or not to be\n".repeat(20)).with("stream.toml", stream);
    for (arguments, what) in [
        ("tiny.toml --set dataset.corpus=missing.txt", "there is no corpus and no file `missing.txt`"),
        ("stream.toml --set train.batch=100", "the text for training is too short for one batch"),
        ("tiny.toml --set sample.prefix=T-Rex", "the vocabulary has no `T`"),
        ("tiny.toml --set cell.hidden=9223372036854775807", "does not fit the memory"),
    ] {
        for command in ["check", "train"] {
            let refusal = lab.refused(&format!("{command} {arguments}"));
            assert!(refusal.contains(what), "{command} {arguments}:\n{refusal}");
        }
    }
    assert!(lab.has_no_run());
}

/// Would catch: a check on a machine without the text that is refused, and a hint that does not help there.
#[test]
fn a_file_alone_can_be_checked() {
    let lab = Lab::new();
    let missing = "check tiny.toml --set dataset.corpus=missing.txt";
    assert!(lab.refused(missing).contains("--no-data checks the file alone"));
    assert!(lab.ok(&format!("{missing} --no-data")).contains("corpus = \"missing.txt\""));
    assert!(lab.refused("check tiny.toml --no-data --set cell.hiden=3").contains("did you mean `hidden`?"));
}

/// Would catch: a warm-up that is longer than the run, and a batch that is larger than the text, without a word.
#[test]
fn what_cannot_be_reached_is_noted() {
    let lab = Lab::new();
    for (set, note) in [
        ("train.batch=100000", "note: each step trains on 1078 sequences, as there are no more: train.batch is 100000"),
        (
            "schedule={type=\"cosine\",warmup=50}",
            "note: the learning rate never reaches optimizer.learning-rate: schedule.warmup is 50, and there are 6 updates",
        ),
    ] {
        for command in ["check", "train"] {
            let outcome = lab.run(&format!("{command} tiny.toml --set {set}"));
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
            assert!(outcome.stderr.contains(note), "{command} {set}:\n{}", outcome.stderr);
        }
    }
    assert_eq!(lab.run("check tiny.toml").stderr, "");
}
