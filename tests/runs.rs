//! Lists and comparisons of runs: what they show of the losses, and in what runs differ.

mod endings;
mod keeping;
mod pictures;
mod seeds;
mod table;

use serde_json::Value;

use crate::lab::{Lab, TINY};

fn json(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Would catch: a key in which runs differ that is not shown, one that is the same in all that is, one that cannot matter.
#[test]
fn a_comparison_shows_the_keys_that_differ() {
    let lab = Lab::new();
    for (rate, hidden) in [("0.01", "8"), ("0.02", "8"), ("0.02", "9")] {
        let set =
            format!("--set optimizer.learning-rate={rate} --set cell.hidden={hidden} --set sample.count={hidden}");
        lab.ok(&format!("train tiny.toml --quiet {set}"));
    }
    let printed = lab.ok("runs compare tiny/1 tiny/2 tiny/3");
    let lines: Vec<Vec<&str>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
    let measured = ["parameters", "updates", "seconds", "training", "validation", "best"];
    assert_eq!(lines[0], [&["run", "cell", "learning-rate"][..], &measured].concat(), "{printed}");
    assert_eq!(lines[3][..5], ["C", "tiny/003", "gru", "9", "0.02"], "{printed}");
    let picture = lab.text("runs/compare.svg");
    assert!(picture.contains("\nC tiny/003, hidden 9, learning-rate 0.02\n"), "{picture}");
    let rows = json(&lab.ok("runs compare tiny/1 tiny/3 --json"));
    assert_eq!(rows[0]["differs"], serde_json::json!({ "cell.hidden": 8, "optimizer.learning-rate": 0.01 }));

    let many = "seed=5 train.batch=3 train.report-every=2 split.valid=0.2 model.embedding=7 model.dropout=0.25 \
                model.layers=2 optimizer.type=rmsprop name=tiny";
    let many: Vec<_> = many.split_whitespace().map(|set| format!("--set {set}")).collect();
    lab.ok(&format!("train tiny.toml --quiet {}", many.join(" ")));
    let printed = lab.ok("runs compare tiny/1 tiny/4");
    let rest = printed.lines().find_map(|line| line.strip_prefix("they differ also in: ")).expect(&printed);
    let head = printed.lines().next().unwrap();
    for key in ["seed", "batch", "report-every", "valid", "embedding", "dropout", "optimizer.type"] {
        let shown = head.split_whitespace().any(|word| word == key);
        let named = rest.split(", ").any(|one| one == key || one.ends_with(&format!(".{key}")));
        assert!(shown != named, "{key} is to be shown or named:\n{printed}");
    }
    assert!(printed.lines().take(3).all(|line| line.chars().count() <= 120), "{printed}");
}

/// Would catch: one word for two losses, and a best validation that is shown nowhere.
#[test]
fn every_command_shows_the_same_losses() {
    let lab = Lab::new();
    let printed = lab.run("train tiny.toml --set optimizer.learning-rate=2.0").stderr;
    lab.ok("train tiny.toml --quiet");
    let metrics = lab.rows("runs/tiny/001/metrics.jsonl");
    let valid: Vec<(u64, f64)> = metrics
        .iter()
        .filter_map(|row| Some((row["step"].as_u64()?, row["valid"]["nats_per_character"].as_f64()?)))
        .collect();
    let best = *valid.iter().min_by(|one, other| one.1.total_cmp(&other.1)).unwrap();
    let last = *valid.last().unwrap();
    assert!(best.0 < last.0, "a learning rate so high makes it worse again: {valid:?}");
    let training = metrics.last().unwrap()["bits_per_character"].as_f64().unwrap() * std::f64::consts::LN_2;
    let [training, valid, lowest] = [training, last.1, best.1].map(|nats| format!("{nats:.4}"));

    let row = format!("  {training}  {valid:>10}  {lowest}");
    for line in ["runs list", "runs compare tiny/1 tiny/2"] {
        let printed = lab.ok(line);
        let found = printed.lines().find(|line| line.contains("tiny/001")).unwrap();
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed(found).contains(&squeezed(&row)), "no {row} in:\n{printed}");
        assert!(printed.contains("in best.safetensors"), "{printed}");
    }
    let shown = lab.ok("runs show tiny/1");
    for part in [
        format!("training: step 5, {training} nats"),
        format!("validation: step 5, {valid} nats"),
        format!("best validation: step {}, {lowest} nats per character, kept in best.safetensors\n", best.0),
    ] {
        assert!(shown.contains(&part), "no {part} in:\n{shown}");
    }
    let end =
        format!("best validation, {lowest} nats per character, was at step {}: runs/tiny/001/best.safetensors", best.0);
    assert!(printed.contains(&end), "no {end} in:\n{printed}");

    let lines = ["runs list --json", "runs compare tiny/1 tiny/2 --json", "runs show tiny/1 --json"];
    for row in lines.map(|line| json(&lab.ok(line)).remove(0)) {
        assert_eq!((row["run"].as_str(), row["best"]["step"].as_u64()), (Some("tiny/001"), Some(best.0)), "{row}");
        assert_eq!(row["validation"]["nats"].as_f64(), Some(last.1), "{row}");
    }
}

/// Would catch: a loss of thirty digits that pushes the columns aside, and a run that diverged and is called finished.
#[test]
fn a_diverged_run_keeps_its_columns() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    lab.ok("train tiny.toml --quiet --set optimizer={type=\"sgd\",learning-rate=3e12}");
    let list = lab.ok("runs list");
    let lines: Vec<_> = list.lines().take(3).collect();
    assert!(lines[2].ends_with("  finished, diverged") && lines[1].ends_with("  finished"), "{list}");
    let column = |line: &str, word: &str| line.find(word).map(|at| line[..at].chars().count());
    assert_eq!(column(lines[0], "state"), column(lines[2], "finished"), "{list}");
    assert_eq!(column(lines[0], "state"), column(lines[1], "finished"), "{list}");
    let shown = lab.ok("runs show tiny/2");
    assert!(shown.contains("; it has diverged\n"), "{shown}");
    let compared = lab.ok("runs compare tiny/1 tiny/2");
    for printed in [list.as_str(), &compared, shown.split("smoothing").nth(1).unwrap()] {
        let digits =
            |word: &str| word.len() > 10 && word.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
        assert!(!printed.split_whitespace().any(digits), "{printed}");
    }
}

/// Would catch: samples of several lines that run into each other, and only the first line of them indented.
#[test]
fn samples_of_several_lines_have_headings() {
    let text = "to be or not\nto be\n".repeat(60);
    let own = TINY.replace("type = \"lines\"", "type = \"windows\"\nlength = 10");
    let own = own.replace("corpus = \"dinosaurs\"", "corpus = \"text.txt\"").replace("length = 8", "length = 200");
    let lab = Lab::new().with("text.txt", text).with("text.toml", own);
    let printed = lab.run("train text.toml").stderr;
    let shown = lab.ok("runs show");
    let sampled = lab.ok("sample --count 2");
    for (printed, indent) in [(&printed, "  "), (&shown, "  "), (&sampled, "")] {
        for head in ["── 1 of 2 ──", "── 2 of 2 ──"] {
            assert!(printed.contains(&format!("{indent}{head}\n{indent}")), "no {head} in:\n{printed}");
        }
    }
    let samples = shown.split("samples after step 5:\n").nth(1).unwrap();
    assert!(samples.lines().count() > 4 && samples.lines().all(|line| line.starts_with("  ")), "{samples}");
    assert!(!lab.ok("sample --count 1").contains("──"), "one alone needs no line");
}

/// Would catch: an old run that is the newest of the list because it was gone on with.
#[test]
fn runs_are_listed_in_order_of_creation() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    lab.ok("train tiny.toml --quiet --set name=later");
    let names = || -> Vec<String> {
        let rows = json(&lab.ok("runs list --json"));
        rows.iter().map(|row| row["run"].as_str().unwrap().to_owned()).collect()
    };
    let before = names();
    assert_eq!(before, ["tiny/001", "later/001"]);
    lab.ok("train --resume tiny/1 --quiet --set train.steps=9");
    assert_eq!(names(), before);
}
