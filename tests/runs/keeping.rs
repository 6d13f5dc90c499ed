//! Thirty runs: found, sorted, described, noted and deleted; and the metrics of one as a table.

use serde_json::Value;

use super::json;
use crate::lab::Lab;

/// A lab with five runs of two names.
fn lab() -> Lab {
    let lab = Lab::new();
    for hidden in [4, 12, 8] {
        lab.ok(&format!("train tiny.toml --quiet --set cell.hidden={hidden}"));
    }
    for seed in [1, 2] {
        lab.ok(&format!("train tiny.toml --quiet --set name=other --set seed={seed}"));
    }
    lab
}

fn names(lab: &Lab, arguments: &str) -> Vec<String> {
    let rows = json(&lab.ok(&format!("runs list --json {arguments}")));
    rows.iter().map(|row| row["run"].as_str().unwrap().to_owned()).collect()
}

/// Would catch: a filter that is ignored, a sort by text where numbers are meant, and the oldest in place of the newest.
#[test]
fn runs_are_filtered_and_sorted() {
    let lab = lab();
    assert_eq!(names(&lab, ""), ["tiny/001", "tiny/002", "tiny/003", "other/001", "other/002"]);
    assert_eq!(names(&lab, "--name oth"), ["other/001", "other/002"]);
    assert_eq!(names(&lab, "oth"), names(&lab, "--name oth"));
    assert_eq!(names(&lab, "--last 2"), ["other/001", "other/002"]);
    assert_eq!(names(&lab, "tiny --last 2"), ["tiny/002", "tiny/003"]);
    assert_eq!(names(&lab, "--sort run")[0], "other/001");
    for (column, key) in
        [("best", "best"), ("validation", "validation"), ("training", "training"), ("seconds", "seconds")]
    {
        let rows = json(&lab.ok(&format!("runs list --json --sort {column}")));
        let values: Vec<f64> =
            rows.iter().map(|row| row[key]["nats"].as_f64().or(row[key].as_f64()).unwrap()).collect();
        assert!(values.is_sorted(), "{column}: {values:?}");
    }
    let none = lab.ok("runs list nothing");
    assert_eq!(none, "no run in runs has such a name: hatchery runs list\n");
}

/// Would catch: a list in which nothing tells the runs of a name apart.
#[test]
fn a_list_says_when_and_what_differs() {
    let lab = lab();
    let list = lab.ok("runs list");
    let line = |run: &str| list.lines().find(|line| line.starts_with(run)).unwrap_or_else(|| panic!("{run}:\n{list}"));
    assert!(line("tiny/002").contains("hidden 12") && line("other/002").contains("seed 2"), "{list}");
    assert!(!line("other/002").contains("hidden"), "of its name all have the same:\n{list}");
    let rows = json(&lab.ok("runs list --json tiny"));
    assert_eq!(rows[1]["differs"], serde_json::json!({ "cell.hidden": 12 }));
    let started = rows[1]["started"].as_str().unwrap();
    assert!(line("tiny/002").contains(&started[..16].replace('T', " ")), "{list}");
}

/// Would catch: a note that is lost, or that cannot be removed.
#[test]
fn a_run_has_a_note() {
    let lab = lab();
    let note = |text: &str| lab.run_with(&["runs", "note", "tiny/2", text]);
    assert_eq!(note("the widest so far").code, Some(0));
    let list = lab.ok("runs list");
    assert!(list.lines().any(|line| line.starts_with("tiny/002") && line.ends_with("  the widest so far")), "{list}");
    assert!(lab.ok("runs show tiny/2").contains("\nthe widest so far\n"));
    note("");
    assert!(!lab.ok("runs list").contains("widest"));
    let refusal = lab.refused("runs note tiny x");
    assert!(refusal.contains("`tiny` names no single run") && refusal.contains("`tiny/003`"), "{refusal}");
}

/// Would catch: a run that is deleted without being asked for, one that is training, and a file of the user's that goes with
/// it.
#[test]
fn runs_are_deleted_when_it_is_said_twice() {
    let lab = lab().with("runs/tiny/003/notes.md", "precious");
    let outcome = lab.run("runs delete tiny/1 other/002");
    assert_eq!(outcome.stdout, "runs/tiny/001\nruns/other/002\n");
    assert!(outcome.stderr.contains("--yes deletes these runs"), "{outcome:?}");
    assert_eq!(names(&lab, "").len(), 5);
    lab.ok("runs delete tiny/1 other/002 --yes");
    assert_eq!(names(&lab, ""), ["tiny/002", "tiny/003", "other/001"]);
    assert!(!lab.path("runs/tiny/001").exists());
    let kept = lab.ok("runs delete tiny/3 --yes");
    assert!(kept.contains("but for what no run writes: runs/tiny/003/notes.md"), "{kept}");
    assert_eq!(lab.text("runs/tiny/003/notes.md"), "precious");
    assert_eq!(names(&lab, ""), ["tiny/002", "other/001"]);
    lab.refused("runs delete tiny --yes");
    lab.ok("runs delete other/1 --yes");
    assert!(!lab.path("runs/other").exists());
}

/// Would catch: a table without the seconds, with other numbers than the log, or with a row for what a resumed run dropped.
#[test]
fn metrics_are_a_table_with_seconds() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet --set train.log-every=1");
    lab.ok("train --resume tiny/1 --quiet --set train.steps=9");
    let logged = lab.rows("runs/tiny/001/metrics.jsonl");
    let csv = lab.ok("runs metrics");
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let heads = lines.next().unwrap();
    assert_eq!(heads[..3], ["step", "seconds", "epoch"], "{csv}");
    let at = |name: &str| heads.iter().position(|head| *head == name).unwrap();
    let rows: Vec<_> = lines.collect();
    assert_eq!(rows.len(), logged.len());
    let number = |cell: &str| cell.parse::<f64>().unwrap();
    for (row, logged) in rows.iter().zip(&logged) {
        assert_eq!(row.len(), heads.len(), "{csv}");
        assert_eq!(number(row[at("loss")]), logged["loss"].as_f64().unwrap());
        let valid = logged["valid"]["nats_per_character"].as_f64();
        assert_eq!(row[at("valid_nats_per_character")].parse().ok(), valid, "{csv}");
    }
    let seconds: Vec<_> = rows.iter().map(|row| number(row[1])).collect();
    assert!(seconds.is_sorted() && seconds.iter().all(|at| *at < 600.0), "{seconds:?}");
    let as_json: Vec<Value> = json(&lab.ok("runs metrics --json"));
    assert_eq!(as_json.len(), rows.len());
    assert_eq!(as_json[0]["seconds"].as_f64(), Some(seconds[0]));
    let environment: Value = serde_json::from_str(&lab.text("runs/tiny/001/environment.json")).unwrap();
    assert_eq!(environment["ending"], "finished");
}

/// Would catch: a seed of the split under the name of the seed, in a list and in a comparison.
#[test]
fn a_key_is_not_called_as_another() {
    let lab = Lab::new();
    for seed in [3, 4] {
        lab.ok(&format!("train tiny.toml --quiet --set split.shuffle=true --set split.seed={seed}"));
    }
    assert!(lab.ok("runs list").contains(" split.seed 3 "), "{}", lab.ok("runs list"));
    let compared = lab.ok("runs compare tiny/1 tiny/2");
    assert!(compared.lines().next().unwrap().contains("split.seed"), "{compared}");
}
