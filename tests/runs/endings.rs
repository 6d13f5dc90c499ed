//! How a run ended, and which of its checkpoints a result belongs to.

use serde_json::Value;

use crate::lab::{Lab, TINY};

/// A lab with a run of which the last checkpoint is worse than the best.
pub(crate) fn overfitted() -> (Lab, String) {
    let lab = Lab::new();
    let printed = lab.run("train tiny.toml --set optimizer.learning-rate=2.0").stderr;
    (lab, printed)
}

fn nats(lab: &Lab, line: &str) -> (f64, Value) {
    let row: Value = serde_json::from_str(&lab.ok(line)).unwrap();
    (row["nats_per_character"].as_f64().unwrap(), row)
}

/// Would catch: the last checkpoint evaluated under the name of the best, and an answer that does not say which it is.
#[test]
fn the_checkpoint_is_named() {
    let (lab, _) = overfitted();
    let metrics = lab.rows("runs/tiny/001/metrics.jsonl");
    let valid =
        metrics.iter().filter_map(|row| Some((row["step"].as_u64()?, row["valid"]["nats_per_character"].as_f64()?)));
    let valid: Vec<_> = valid.collect();
    let best = *valid.iter().min_by(|one, other| one.1.total_cmp(&other.1)).unwrap();
    let last = *valid.last().unwrap();
    assert!(best.0 < last.0, "{valid:?}");
    let (measured, row) = nats(&lab, "eval --json");
    assert_eq!(
        (row["checkpoint"].as_str(), row["other_checkpoint_updates"].as_u64()),
        (Some("last"), Some(best.0 + 1))
    );
    assert!((measured - last.1).abs() < 1e-12, "{row}");
    for line in ["eval --best --json", "eval tiny/1 --best --json", "eval runs/tiny/001/best.safetensors --json"] {
        let (measured, row) = nats(&lab, line);
        assert!((measured - best.1).abs() < 1e-12, "{row}");
        assert_eq!(row["updates"].as_u64(), Some(best.0 + 1), "{row}");
    }
    let shown = lab.ok("eval");
    assert!(
        shown.contains(&format!("\ncheckpoint           last; the best is after {} updates: --best\n", best.0 + 1)),
        "{shown}"
    );
    let shown = lab.ok("eval --best");
    assert!(
        shown.contains(&format!("\ncheckpoint           best; the last is after {} updates: --last\n", last.0 + 1)),
        "{shown}"
    );
    assert_eq!(lab.ok("eval --best --last"), lab.ok("eval --last"), "the later one counts");
    let sampled = lab.run("sample --count 2");
    assert!(
        sampled.stderr.contains(&format!("checkpoint after {} updates: last; the best is", last.0 + 1)),
        "{sampled:?}"
    );
    assert_eq!(lab.ok("sample --best --count 2"), lab.ok("sample tiny/001/best.safetensors --count 2"));
    assert_ne!(lab.ok("sample --best --count 2"), sampled.stdout);
    let began = lab.run("train tiny.toml --from tiny/1 --set train.steps=1").stderr;
    let other = format!(
        "beginning with the last checkpoint, after {} updates; the best is after {}: --from runs/tiny/001/best.safetensors",
        last.0 + 1,
        best.0 + 1
    );
    assert!(began.contains(&other), "{began}");
}

/// Would catch: `--best` of a run without validation that takes the last checkpoint, and one whose hint is refused too.
#[test]
fn a_best_checkpoint_that_is_not_there_is_refused() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet --set split.valid=0.0");
    let refusal = lab.refused("eval --best");
    assert!(
        refusal.contains("`runs/tiny/001` has no best checkpoint") && refusal.contains("leave out --best"),
        "{refusal}"
    );
    assert!(lab.ok("eval").contains("\ncheckpoint           last\n"));
    let refusal = lab.refused("sample runs/tiny/001/checkpoint.safetensors --best");
    assert!(refusal.contains("is a checkpoint, of which there is no best"), "{refusal}");
}

/// Would catch: closing lines that lead to the overfitted checkpoint.
#[test]
fn the_closing_lines_lead_to_the_best_checkpoint() {
    let (lab, printed) = overfitted();
    let next: Vec<_> = printed.lines().skip_while(|line| !line.ends_with("Next:")).skip(1).collect();
    assert_eq!(
        next,
        ["  hatchery sample runs/tiny/001 --best --count 10", "  hatchery eval runs/tiny/001 --best"],
        "{printed}"
    );
    for line in next {
        lab.ok(line.trim().strip_prefix("hatchery ").unwrap());
    }
}

/// Would catch: a list in which a run that was stopped, one that failed and one that patience ended look alike.
#[test]
fn the_list_says_how_each_run_ended() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let patience =
        "--set train.patience=1 --set train.report-every=1 --set optimizer.learning-rate=2.0 --set train.steps=50";
    let printed = lab.run(&format!("train tiny.toml {patience}")).stderr;
    let steep = TINY
        .replace("type = \"gru\"", "type = \"vanilla\"\nactivation = \"relu\"")
        .replace("type = \"adam\"\nlearning-rate = 0.01", "type = \"sgd\"\nlearning-rate = 1e15")
        .replace("steps = 6", "steps = 100\ncheckpoint-every = 1");
    let lab = lab.with("steep.toml", steep);
    lab.refused("train steep.toml");
    let list = lab.ok("runs list");
    let ends: Vec<_> = list.lines().skip(1).take(3).collect();
    for (line, state) in
        ends.iter().zip(["  finished", "  finished by patience", "  interrupted by an error, diverged"])
    {
        assert!(line.ends_with(state), "{state}:\n{list}");
    }
    // A run that patience ended continues as it says.
    let hint = printed.lines().find_map(|line| line.strip_prefix("To continue: hatchery ")).expect(&printed);
    let before = lab.rows("runs/tiny/002/metrics.jsonl").len();
    lab.ok(&format!("{hint} --quiet"));
    assert!(lab.rows("runs/tiny/002/metrics.jsonl").len() > before);
}

/// Would catch: closing lines that praise a run whose loss is a thousand times its first.
#[test]
fn a_diverged_run_says_so_at_its_end() {
    let lab = Lab::new();
    let set = "--set optimizer={type=\"sgd\",learning-rate=3e12}";
    for quiet in ["", "--quiet"] {
        let printed = lab.run(&format!("train tiny.toml {set} {quiet}")).stderr;
        assert!(
            printed.contains("warning: the training has diverged") && printed.contains("nats per character at first"),
            "{printed}"
        );
    }
    assert!(!lab.run("train tiny.toml").stderr.contains("diverged"));
}
