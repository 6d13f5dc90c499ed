//! Trainings whose numbers stop being numbers.

use crate::lab::{Lab, TINY};

/// A relu layer has no bound: with a rate that is far too large its numbers soon overflow.
fn steep(rate: &str) -> String {
    TINY.replace("type = \"gru\"", "type = \"vanilla\"\nactivation = \"relu\"")
        .replace("type = \"adam\"\nlearning-rate = 0.01", &format!("type = \"sgd\"\nlearning-rate = {rate}"))
        .replace("steps = 6", "steps = 100\ncheckpoint-every = 1")
}

/// The first update ends in numbers that are none: it must not be saved, sampled from or called a success.
#[test]
fn an_enormous_learning_rate_stops_the_run() {
    let lab = Lab::new().with("steep.toml", steep("1e39").replace("hidden = 8", "hidden = 8\n"));
    let said = lab.refused("train steep.toml");
    for part in [
        "after step 0: the training has diverged",
        "norm of the gradients before clipping: ",
        "hint: lower optimizer.learning-rate",
    ] {
        assert!(said.contains(part), "`{part}` is missing:\n{said}");
    }
    assert!(said.contains("no checkpoint had been written yet"), "{said}");
    assert!(!lab.path("runs/tiny/001/checkpoint.safetensors").exists());
}

/// The checkpoint before the fault stays, and can be used.
#[test]
fn the_last_good_checkpoint_is_kept() {
    let lab = Lab::new().with("steep.toml", steep("1e15"));
    let said = lab.refused("train steep.toml");
    assert!(said.contains("the training has diverged"), "{said}");
    assert!(said.contains("the last good checkpoint is kept: runs/tiny/001/checkpoint.safetensors"), "{said}");
    let step = said.lines().find_map(|line| line.split_once(" step ")).map(|(_, rest)| rest.to_owned());
    let step: u64 = step.unwrap().split(':').next().unwrap().parse().unwrap();
    assert!(step > 0, "{said}");

    assert_eq!(lab.ok("sample --count 2").lines().count(), 2);
    let evaluated: serde_json::Value = serde_json::from_str(&lab.ok("eval --json")).unwrap();
    assert_eq!(evaluated["updates"].as_u64(), Some(step), "{evaluated}: every update but the last one is kept");
    assert!(lab.ok("runs list").contains("interrupted"));
}
