//! What may change when a run is resumed, and what is said about it.

use hatchery::experiment::compare::RESUMABLE;

use crate::lab::{Lab, root};

/// Would catch: a learning rate that cannot be lowered, one that is lowered without a word, and a run that is "not
/// reproduced" although nothing is wrong with it.
#[test]
fn values_of_what_is_still_to_come_may_change() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let set = "--set train.steps=9 --set optimizer.learning-rate=0.001 --set sample.count=3 --set train.keep=3";
    let outcome = lab.run(&format!("train --resume tiny --quiet {set}"));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    for part in [
        "warning: the run is resumed with other values than before",
        "optimizer.learning-rate: 0.01 before, 0.001 now",
        "sample.count: 2 before, 3 now",
    ] {
        assert!(outcome.stderr.contains(part), "{part}:\n{}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains("train.keep"), "no number depends on it:\n{}", outcome.stderr);
    let metrics = lab.rows("runs/tiny/001/metrics.jsonl");
    assert_eq!(metrics.last().unwrap()["learning_rate"].as_f64(), Some(0.001));
    let refusal = lab.refused("runs reproduce tiny");
    assert!(refusal.contains("after 6 updates: optimizer.learning-rate: 0.01 before, 0.001 now"), "{refusal}");
}

/// Would catch: a run that is said to be trained with a value that came after its last update, and cannot be reproduced.
#[test]
fn a_run_that_is_over_keeps_its_values() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let before = lab.text("runs/tiny/001/experiment.toml");
    lab.ok("train --resume tiny --quiet --set optimizer.learning-rate=0.5");
    assert_eq!(lab.text("runs/tiny/001/experiment.toml"), before);
    lab.ok("runs reproduce tiny");
}

/// Would catch: a value in the recorded experiment that a disk or an editor changed, and that is trained with in silence.
#[test]
fn a_recorded_value_that_changed_is_reported() {
    for (before, after) in [("learning-rate = 0.01", "learning-rate = 0.09"), ("keep = 2", "keep = 3")] {
        let lab = Lab::new();
        lab.ok("train tiny.toml --quiet --set train.steps=3");
        let recorded = lab.text("runs/tiny/001/experiment.toml");
        assert!(recorded.contains(before), "{recorded}");
        std::fs::write(lab.path("runs/tiny/001/experiment.toml"), recorded.replace(before, after)).unwrap();
        let outcome = lab.run("train --resume tiny --quiet --set train.steps=6");
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        for part in ["has other values than the checkpoint", "the values of the file are used"] {
            assert!(outcome.stderr.contains(part), "{after}: {}", outcome.stderr);
        }
    }
}

/// Would catch: a refusal that names no way, and a way that is refused too.
#[test]
fn what_may_not_change_has_another_way() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let refusal = lab.refused("train --resume tiny --set train.batch=8 --set train.steps=9");
    assert!(
        refusal.contains("train.batch: 4 before, 8 now") && refusal.contains("a resumed run may change: "),
        "{refusal}"
    );
    let way = refusal.split("hatchery ").last().unwrap().trim().replace("EXPERIMENT.toml", "tiny.toml");
    assert_eq!(lab.ok(&format!("{way} --set train.batch=8 --quiet")), "runs/tiny/002\n");
    let refusal = lab.refused("train --resume tiny/1 --set cell.hidden=9 --set train.steps=9");
    assert!(refusal.contains("other shapes") && !refusal.contains("--from"), "{refusal}");
}

/// Would catch: a run that patience ended and no larger patience brings to continue.
#[test]
fn patience_may_grow() {
    let lab = Lab::new();
    let set = "--set train.report-every=1 --set optimizer.learning-rate=2.0 --set train.steps=60";
    lab.ok(&format!("train tiny.toml --quiet --set train.patience=2 {set}"));
    let before = lab.rows("runs/tiny/001/metrics.jsonl").len();
    let printed = lab.run("train --resume tiny").stderr;
    assert!(
        printed.contains("runs/tiny/001 ended by patience, 2 reports after its best; for more: --set train.patience=4"),
        "{printed}"
    );
    lab.ok("train --resume tiny --quiet --set train.patience=4");
    assert!(lab.rows("runs/tiny/001/metrics.jsonl").len() >= before + 2);
}

/// Would catch: a key that may change and is not in the book's list, and one of the list that is refused.
#[test]
fn the_book_lists_what_may_change() {
    let page = std::fs::read_to_string(root().join("book/src/reference/runs.md")).unwrap();
    let (_, list) = page.split_once("may have other values on `--resume`").expect("the list");
    let (list, _) = list.split_once("\n## ").unwrap();
    for key in RESUMABLE {
        assert!(
            list.contains(&format!("`{key}`"))
                || list.contains(&format!("`[{key}]`"))
                || list.contains(&format!("`[[{key}]]`")),
            "{key}"
        );
    }
}
