//! Scores of texts: by lines and characters, on another corpus, and with training on the way.

use std::{io::Write, process::Stdio};

use serde_json::Value;

use crate::lab::{Lab, TINY};

fn rows(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("{key}: {row}"))
}

/// A lab with a model of names.
fn named() -> Lab {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet --set train.steps=200 --set train.report-every=200");
    lab
}

/// The program with a text on its standard input.
fn piped(lab: &Lab, arguments: &[&str], text: &str) -> String {
    let mut child = lab.command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Would catch: scores that are not the evaluation's, a line end that is left out of one of them, and a sum that is not
/// that of its characters.
#[test]
fn scores_add_up_to_the_evaluation() {
    let names = "triceratops\nallosaurus\nzyx\n";
    let lab = named().with("names.txt", names);
    let lines = rows(&piped(&lab, &["score", "tiny", "-", "--json"], names));
    assert_eq!(lines.len(), 3);
    for line in &lines {
        let symbols = line["symbols"].as_array().unwrap();
        let sum: f64 = symbols.iter().map(|symbol| number(symbol, "nats")).sum();
        assert!((sum - number(line, "nats")).abs() < 1e-9, "{line}");
        assert!((number(line, "bits") - sum / std::f64::consts::LN_2).abs() < 1e-9, "{line}");
        assert_eq!(symbols.last().unwrap()["symbol"], "\n", "the end of a name is predicted too");
    }
    let row = rows(&lab.ok("eval tiny --text names.txt --json")).remove(0);
    let nats: f64 = lines.iter().map(|line| number(line, "nats")).sum();
    let characters: f64 = lines.iter().map(|line| number(line, "characters")).sum();
    assert!((nats / characters - number(&row, "nats_per_character")).abs() < 1e-6, "{row}");
    assert_eq!((row["text"].as_str(), number(&row, "characters")), (Some("names.txt"), characters));
    let single = rows(&lab.ok("score tiny allosaurus --json")).remove(0);
    assert!((number(&single, "nats") - number(&lines[1], "nats")).abs() < 1e-6, "a line depends on no other");
}

/// Would catch: lines in the order of the text, or the least surprising first.
#[test]
fn lines_are_ranked_and_shown() {
    let lab = named();
    let ranked = piped(&lab, &["score", "tiny", "-", "--rank"], "allosaurus\nxqzjk\ntriceratops\n");
    let lines: Vec<Vec<&str>> = ranked.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((lines[1][0], lines[1][5]), ("2", "xqzjk"), "{ranked}");
    assert_eq!(lines[4][0], "all", "{ranked}");
    let characters = lab.ok("score tiny rex --characters");
    let shown: Vec<_> = characters.lines().skip(1).map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(shown, ["r", "e", "x", "\\n"], "{characters}");
    lab.ok("score tiny rex --picture surprise.svg");
    let picture = lab.text("surprise.svg");
    assert!(picture.starts_with("<svg") && picture.matches("<rect").count() > 4, "{picture}");
    let refusal = lab.refused("score tiny T-Rex");
    assert!(refusal.contains("the vocabulary has no `T`"), "{refusal}");
    assert!(lab.refused("score tiny ").contains("required"), "a text is needed");
}

/// Would catch: a running text whose first character is scored although nothing predicts it, and one that is cut at lines.
#[test]
fn a_running_text_is_one_piece() {
    for dataset in [
        "type = \"stream\"\nsteps = 10",
        "type = \"windows\"\nlength = 10",
        "type = \"windows\"\nlength = 5\npredict = \"last\"",
    ] {
        let own =
            TINY.replace("type = \"lines\"\ncorpus = \"dinosaurs\"", &format!("{dataset}\ncorpus = \"text.txt\""));
        let lab = Lab::new().with("text.txt", "to be or not to be\n".repeat(60)).with("text.toml", own);
        lab.ok("train text.toml --quiet");
        let lines = rows(&piped(&lab, &["score", "tiny", "-", "--json"], "to be\nor not"));
        assert_eq!(lines.len(), 2, "{dataset}");
        assert!(
            lines[0]["symbols"][0]["nats"].is_null() && number(&lines[0], "characters") == 5.0,
            "{dataset}: {}",
            lines[0]
        );
        let (first, next) = (&lines[1]["symbols"][0], rows(&piped_next(&lab, "to be\n")));
        let probability = next.iter().find(|row| row["symbol"] == "o").map(|row| number(row, "probability")).unwrap();
        assert!((number(first, "nats") + probability.ln()).abs() < 1e-6, "{dataset}: {first}");
    }
}

fn piped_next(lab: &Lab, prefix: &str) -> String {
    let outcome = lab.run_with(&["sample", "--prefix", prefix, "--next", "20", "--json"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout
}

/// Would catch: characters that are dropped from another text without a count beside its loss.
#[test]
fn unknown_characters_are_counted() {
    let lab = Lab::new().with("names.txt", "Tyrannosaurus\nT-rex\n");
    for (unknown, what) in [("skip", "left out"), ("token", "read as the unknown symbol")] {
        lab.ok(&format!("train tiny.toml --quiet --set vocabulary.unknown={unknown}"));
        let shown = lab.ok("eval --text names.txt");
        assert!(
            shown.contains(&format!("\nunknown              3 characters that the vocabulary lacks: {what}\n")),
            "{shown}"
        );
    }
    lab.ok("train tiny.toml --quiet");
    assert!(lab.refused("eval --text names.txt").contains("no `T`"));
    let shown = lab.ok("eval --text names.txt --skip-unknown");
    assert!(shown.contains("\nunknown              3 characters that the vocabulary lacks: left out\n"), "{shown}");
    let scored = lab.run("score tiny T-rex --skip-unknown");
    assert!(
        scored.stderr.contains("the vocabulary lacks 2 characters of the text") && scored.stdout.contains("  rex\n"),
        "{scored:?}"
    );
}

/// Would catch: dynamic evaluation that trains on what it is about to predict, that changes the checkpoint, or that does
/// nothing.
#[test]
fn dynamic_evaluation_learns_on_the_way() {
    let lab = named().with("names.txt", "quetzalquetzal\n".repeat(40)).with("one.txt", "quetzalquetzal\n");
    let before = lab.bytes("runs/tiny/001/checkpoint.safetensors");
    let nats = |line: &str| number(&rows(&lab.ok(line)).remove(0), "nats_per_character");
    let [still, dynamic] = ["", "--dynamic"].map(|how| nats(&format!("eval tiny --text names.txt {how} --json")));
    assert!(dynamic < 0.8 * still, "{dynamic}, {still}");
    let [still, dynamic] = ["", "--dynamic"].map(|how| nats(&format!("eval tiny --text one.txt {how} --json")));
    assert!((still - dynamic).abs() < 1e-6, "the first sequence is predicted before it is trained on");
    assert!(lab.ok("eval tiny --dynamic 0.05").contains("\ndynamic evaluation   SGD, learning rate 0.05"));
    assert_eq!(lab.bytes("runs/tiny/001/checkpoint.safetensors"), before);
    assert!(lab.refused("eval tiny --dynamic -1").contains("--dynamic"));
}
