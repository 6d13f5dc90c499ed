//! `runs table`: a row shows a run of its file as it stands, or says that there is none.

use crate::lab::{Lab, TINY};

fn row<'a>(table: &'a str, file: &str) -> &'a str {
    let wanted = format!("| [{file}]");
    table.lines().find(|line| line.starts_with(&wanted)).unwrap_or_else(|| panic!("{file}:\n{table}"))
}

/// Would catch: the numbers of the newest run of a name beside every file of that name, recorded ones of other runs among
/// them.
#[test]
fn a_row_shows_the_run_of_its_file() {
    let lab = Lab::new().with("bigger.toml", TINY.replace("hidden = 8", "hidden = 12"));
    lab.ok("train tiny.toml --quiet");
    lab.ok("train bigger.toml --quiet");
    lab.ok("train tiny.toml --quiet --set optimizer.type=sgd --set cell.hidden=4");
    let table = lab.ok("runs table .");
    let best = |run: &str| {
        let shown: serde_json::Value = serde_json::from_str(&lab.ok(&format!("runs show {run} --json"))).unwrap();
        format!("{:.4}", shown["best"]["nats"].as_f64().unwrap())
    };
    assert!(row(&table, "tiny.toml").ends_with(&format!(" {} |", best("tiny/1"))), "{table}");
    assert!(row(&table, "bigger.toml").ends_with(&format!(" {} |", best("tiny/2"))), "{table}");
    assert_eq!(table.lines().count(), 4, "recorded experiments are no files of their own:\n{table}");
}

/// Would catch: a run made with `--set` that is shown as the file's.
#[test]
fn a_run_with_other_values_is_named_with_them() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet --set optimizer.type=sgd --set cell.hidden=4");
    let table = lab.ok("runs table .");
    let row = row(&table, "tiny.toml");
    assert!(row.contains("not run as it stands; tiny/001 has "), "{table}");
    assert!(row.contains("cell.hidden 4, not 8") && row.contains("optimizer.type sgd, not adam"), "{table}");
    assert!(!lab.ok("runs table . --runs elsewhere").contains("tiny/001"));
}

/// Would catch: a run of a text beside its file that is not recognized because it was begun in another folder.
#[test]
fn the_text_is_the_same_from_wherever_it_is_seen() {
    let own = TINY.replace("corpus = \"dinosaurs\"", "corpus = \"names.txt\"").replace("valid = 0.1", "");
    let lab = Lab::new().with("deep/own.toml", own).with("deep/names.txt", "anna\nbob\ncarl\ndora\n");
    lab.ok("train deep/own.toml --quiet");
    let table = lab.ok("runs table deep");
    assert!(!table.contains("not run"), "{table}");
}

/// Would catch: a sweep in the folder that ends the whole table because it is no experiment.
#[test]
fn a_sweep_is_no_row() {
    let sweep = "name = \"widths\"\nexperiment = \"tiny.toml\"\n\n[[vary]]\n\"cell.hidden\" = [4, 8]\n";
    let lab = Lab::new().with("widths.toml", sweep);
    let table = lab.ok("runs table .");
    assert!(row(&table, "tiny.toml").contains("not run") && !table.contains("widths"), "{table}");
}
