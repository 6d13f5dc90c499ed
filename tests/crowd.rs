//! Many programs in one place: no run is another's, none is lost, and a folder that goes away is reported.

#![cfg(unix)]

use std::{collections::BTreeSet, fs, process::Stdio, thread, time::Duration};

use crate::lab::Lab;

/// Would catch: two trainings that get one folder, or one that is in the way of another.
#[test]
fn twenty_four_trainings_in_one_folder_of_runs() {
    let (lab, alone) = (Lab::new(), Lab::new());
    alone.ok("train tiny.toml --quiet");
    let start = || {
        let mut command = lab.command(&["train", "tiny.toml", "--quiet"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let outputs = (0..24).map(|_| start()).collect::<Vec<_>>().into_iter().map(|it| it.wait_with_output().unwrap());
    let folders: BTreeSet<_> = outputs
        .map(|output| {
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        })
        .collect();
    assert_eq!(folders.len(), 24, "{folders:?}");
    for folder in folders {
        for file in ["checkpoint.safetensors", "best.safetensors", "metrics.jsonl", "samples.jsonl"] {
            let found = lab.bytes(&format!("{}/{file}", folder.trim_end()));
            assert!(found == alone.bytes(&format!("runs/tiny/001/{file}")), "{folder}: {file}");
        }
    }
    assert_eq!(lab.ok("runs list --json").lines().count(), 24);
}

/// Would catch: a training that goes on for hours although its folder is gone, a panic, or files written into a folder that
/// took the place of its own.
#[test]
fn a_folder_that_is_removed_or_replaced_is_reported() {
    for replaced in [false, true] {
        let lab = Lab::new();
        let line = "train tiny.toml --quiet --set train.steps=100000000 --set train.checkpoint-every=50";
        let mut command = lab.command(&line.split(' ').collect::<Vec<_>>());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while !lab.path("runs/tiny/001/checkpoint.safetensors").exists() {
            thread::sleep(Duration::from_millis(5));
        }
        fs::rename(lab.path("runs"), lab.path("elsewhere")).unwrap();
        if replaced {
            fs::write(lab.path("runs"), "a file").unwrap();
        } else {
            let _ = fs::remove_dir_all(lab.path("elsewhere"));
        }
        let output = child.wait_with_output().unwrap();
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{replaced}: {:?} {reported}", output.status);
        assert!(reported.contains("error: cannot") && !reported.contains("panicked"), "{replaced}: {reported}");
        if replaced {
            // What was saved before is where the folder went, and whole.
            hatchery::run::checkpoint::read(&lab.path("elsewhere/tiny/001/checkpoint.safetensors")).unwrap();
        }
    }
}
