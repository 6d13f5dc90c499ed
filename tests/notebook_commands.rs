//! The commands that the notebooks' sections need: starting from a model, asking for a beginning, comparing runs.

use std::{io::Write, process::Stdio};

use hatchery::run::checkpoint::{self, OPTIMIZER, STATE};
use serde_json::Value;

use super::lab::Lab;

/// The loss of the first and of the last line of a run's log.
fn losses(lab: &Lab, run: &str) -> (f64, f64) {
    let rows = lab.rows(&format!("runs/{run}/metrics.jsonl"));
    let loss = |row: &Value| row["loss"].as_f64().unwrap();
    (loss(&rows[0]), loss(&rows[rows.len() - 1]))
}

/// Would catch: a start that forgets the parameters, or asks for an optimizer state that an import does not have.
#[test]
fn training_starts_from_a_checkpoint() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet --set train.steps=300 --set train.log-every=1");
    let (first, last) = losses(&lab, "tiny/001");
    let whole = checkpoint::read(&lab.path("runs/tiny/001/checkpoint.safetensors")).unwrap();
    let mut bare = whole.clone();
    bare.tensors.retain(|tensor| !tensor.name.starts_with(OPTIMIZER) && !tensor.name.starts_with(STATE));
    assert!(bare.tensors.len() < whole.tensors.len());
    checkpoint::write(&lab.path("bare.safetensors"), &bare).unwrap();

    for (from, run) in [("tiny/1", "tiny/002"), ("bare.safetensors", "tiny/003")] {
        lab.ok(&format!("train tiny.toml --quiet --set train.log-every=1 --from {from}"));
        let (begun, _) = losses(&lab, run);
        // The batches are those of a fresh run; only the parameters are not.
        assert!(begun < first - 0.5 * (first - last), "{from}: {begun}, between {first} and {last}");
    }
    let wider = lab.refused("train tiny.toml --set cell.hidden=9 --from tiny/1");
    assert!(wider.contains("24 by 27 in the checkpoint") && wider.contains("27 by 27 in the experiment"), "{wider}");
}

/// Would catch: a beginning that is not shown or not read, a program that waits for more, one that gives up after a
/// character it does not know.
#[test]
fn beginnings_are_asked_for() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let mut command = lab.command(&["sample", "--interactive", "--length", "5"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all("tri\n\u{2603}\nstego\n".as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stderr}");
    let samples: Vec<_> = stdout.split("\n\n").filter(|sample| !sample.is_empty()).collect();
    assert_eq!(samples.len(), 2, "{stdout:?}");
    for (sample, beginning) in samples.iter().zip(["tri", "stego"]) {
        assert!(sample.starts_with(beginning) && sample.chars().count() <= beginning.len() + 5, "{sample:?}");
    }
    assert_eq!(stderr.matches("The beginning").count(), 4, "{stderr}");
    assert!(stderr.contains("U+2603"), "{stderr}");
}

/// Would catch: probabilities that are logits, or of another place.
#[test]
fn next_characters_have_probabilities() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let printed = lab.ok("sample --prefix tri --next 1000 --json");
    let rows: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let probabilities: Vec<_> = rows.iter().map(|row| row["probability"].as_f64().unwrap()).collect();
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{probabilities:?}");
    assert!(probabilities.is_sorted_by(|a, b| a >= b), "{probabilities:?}");
}

/// Would catch: a run that is left out of the table or the picture, a picture without its curves.
#[test]
fn runs_are_compared() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet --set train.log-every=1");
    lab.ok("train tiny.toml --quiet --set train.log-every=1 --set cell.type=lstm --set cell.hidden=8");
    let printed = lab.ok("runs compare tiny/1 tiny/2");
    for part in ["A  tiny/001", "B  tiny/002", "gru 8", "lstm 8", "nats per character"] {
        assert!(printed.contains(part), "no {part:?} in:\n{printed}");
    }
    let picture = lab.text("runs/compare.svg");
    assert!(
        picture.contains("tiny/001")
            && picture.contains("B tiny/002, cell.type lstm")
            && picture.contains("dashed: validation"),
        "{picture}"
    );
    assert!(lab.path("runs/tiny/001/lengths.svg").exists());
    assert!(lab.refused("runs compare tiny/1 tiny/9").contains("tiny/9"));
}

/// Would catch: an experiment that is missing from the table, or a run of another name in its line.
#[test]
fn experiments_are_listed_with_their_runs() {
    let lab = Lab::new().with("files/one.toml", super::lab::TINY);
    let other = super::lab::TINY.replace("\"tiny\"", "\"other\"");
    let lab = lab.with("files/more/two.toml", format!("# Question: what of two | three? Rest.\n{other}"));
    lab.ok("train files/one.toml --quiet --set train.steps=3");
    let table = lab.ok("runs table files");
    assert!(table.contains("not run as it stands; tiny/001 has train.steps 3, not 6"), "{table}");
    lab.ok("train files/one.toml --quiet");
    let table = lab.ok("runs table files");
    let lines: Vec<_> = table.lines().skip(2).collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert!(lines[0].starts_with("| [one.toml](one.toml) |  | gru 8 |") && lines[0].contains("| 6 |"), "{table}");
    assert!(lines[1].contains("what of two \\| three?") && lines[1].contains("not run"), "{table}");
}

/// Would catch: a baseline that looks at the held-out split, or no answer without a model.
#[test]
fn baselines_stand_beside_the_model() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let printed = lab.ok("eval --baseline uniform,bigram --json");
    let rows: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 3, "{printed}");
    assert!(rows.iter().all(|row| row["characters"] == rows[0]["characters"] && row["split"] == "valid"), "{printed}");
    let nats = |row: usize| rows[row]["nats_per_character"].as_f64().unwrap();
    assert!(nats(2) < nats(1), "{printed}");
    let alone = lab.ok("eval --experiment tiny.toml --baseline bigram --json");
    assert_eq!(alone.trim(), printed.lines().last().unwrap());
}

/// Would catch: a report that counts other symbols than training does, a picture that is not written.
#[test]
fn an_experiments_data_is_shown() {
    let lab = Lab::new();
    let printed = lab.ok("data show --experiment tiny.toml --picture lengths.svg");
    assert!(printed.contains("training") && printed.contains("validation") && printed.contains("the longest of"));
    assert!(lab.text("lengths.svg").contains("<svg"));
}

/// Would catch: a report that is not printed for samples at several temperatures.
#[test]
fn novelty_is_reported() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let printed = lab.ok("sample --novelty --temperature 0.5,1.0 --count 3");
    assert!(printed.contains("word for word: ") && printed.contains("of 6"), "{printed}");
    assert_eq!(printed.matches("longest copied run").count(), 6, "{printed}");
}
