//! What happens to a command whose output cannot be written, and to a run that is not as it should be.

use std::{
    fs::{self, File},
    process::Stdio,
};

use crate::{
    lab::{Lab, root},
    plugins::{c_library, elman},
};

/// A training that ends, and loses what it has learned, because whoever watched it has gone.
#[test]
fn a_training_continues_without_its_terminal() {
    let lab = Lab::new();
    let train = ["train", "tiny.toml", "--set", "train.steps=200", "--set", "train.report-every=20"];
    let mut child = lab.command(&train).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success());
    assert_eq!(lab.rows("runs/tiny/001/metrics.jsonl").last().unwrap()["step"], 199);
    assert!(lab.path("runs/tiny/001/checkpoint.safetensors").exists());
}

/// A panic where the disk behind standard output is full, or a status that says that all is well.
#[test]
fn results_that_cannot_be_written_are_an_error() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    for line in ["sample", "check tiny.toml", "plugins list", "runs list", "eval --json", "devices", "gradients"] {
        let arguments: Vec<_> = line.split(' ').collect();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = lab.command(&arguments).stdout(full).output().unwrap();
        let printed = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}: {printed}");
        assert!(
            printed.contains("cannot write to standard output") && !printed.contains("panicked"),
            "{line}: {printed}"
        );
    }
}

/// A run that can only be rescued on the device that failed it.
#[test]
fn a_run_is_resumed_on_another_device() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet --device flex --set train.steps=3");
    let outcome = lab.run("train --resume runs/tiny/001 --device cpu --set train.steps=6");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("is resumed on `cpu`; until now it was on `flex`"), "{}", outcome.stderr);
    assert_eq!(lab.rows("runs/tiny/001/metrics.jsonl").last().unwrap()["step"], 5);
}

/// A run that ended before its first checkpoint sends people to look for a wrong path.
#[test]
fn a_run_without_a_checkpoint_says_so() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    for (file, hint) in [("checkpoint.safetensors", "best.safetensors"), ("best.safetensors", "--resume runs/tiny/001")]
    {
        fs::remove_file(lab.path("runs/tiny/001").join(file)).unwrap();
        let refusal = lab.refused("sample runs/tiny/001");
        assert!(refusal.contains("has no checkpoint") && refusal.contains(hint), "{refusal}");
        // The hint is followed.
        match hint {
            "best.safetensors" => lab.ok("sample runs/tiny/001/best.safetensors --count 1"),
            _ => lab.ok("train --resume runs/tiny/001 --quiet"),
        };
    }
    let refusal = lab.refused("sample elsewhere --runs nowhere");
    assert!(refusal.contains("no run or checkpoint `elsewhere`"), "{refusal}");
}

/// Numbers that the memory of no machine has room for.
#[test]
fn requests_beyond_all_memory_are_refused() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    lab.refused("sample --count 1000000001");
    lab.refused("train tiny.toml --set sample.count=1000000001");
    lab.refused("train tiny.toml --set dataset={type=\"copy\",length=6,documents=9223372036854775807}");
    let refusal = lab.refused(&format!("check tiny.toml --set {}a=1", "a.".repeat(20_000)));
    assert!(refusal.contains("more than 64 parts"), "{}", &refusal[..200]);
}

/// A fault of the user that is printed as one of the program, and half a crate that is in the way of the next attempt.
#[test]
fn a_crate_that_cannot_be_written_leaves_nothing() {
    let lab = Lab::new();
    let refusal = lab.refused(&format!("new cell mine --path tiny.toml/mine --hatchery {}", root().display()));
    assert!(refusal.contains("a part of its path is a file"), "{refusal}");
    assert!(lab.path("tiny.toml").is_file());
}

/// The system's loader kills the program when a library is only half copied.
#[test]
fn half_a_library_is_refused() {
    let lab = Lab::new();
    let whole = fs::read(c_library("elman-half", &elman())).unwrap();
    for length in [whole.len() / 2, whole.len() / 4, 100] {
        fs::write(lab.path("half.so"), &whole[..length]).unwrap();
        let refusal = lab.refused("plugins check half.so");
        assert!(refusal.contains("half.so"), "{refusal}");
    }
}
