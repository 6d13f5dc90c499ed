//! Little of everything: whatever limit a program meets, it works or says what is missing, and what was saved can be used.

#![cfg(unix)]

use std::process::{Command, Output};

use crate::lab::Lab;

/// The program, run by a shell that sets limits first.
fn limited(lab: &Lab, limits: &str, line: &str) -> Output {
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("{limits}; exec \"$0\" {line}"), env!("CARGO_BIN_EXE_hatchery")]);
    shell.current_dir(lab.path("")).env("HATCHERY_PLUGINS", "").env("XDG_STATE_HOME", lab.path("state"));
    shell.output().unwrap()
}

const TRAIN: &str = "train tiny.toml --quiet";

/// Trains under limits. If that fails, it says why, and without them the run that was begun is resumed to the same bytes.
#[track_caller]
fn survives(limits: &str) -> (Option<i32>, String) {
    let (lab, alone) = (Lab::new(), Lab::new());
    alone.ok(TRAIN);
    let output = limited(&lab, limits, TRAIN);
    let reported = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!reported.contains("panicked"), "{limits}: {reported}");
    assert!(matches!(output.status.code(), Some(0..=2)), "{limits}: {:?} {reported}", output.status);
    if !output.status.success() {
        assert!(reported.contains("error: ") || limits.contains("2>"), "{limits}: {reported}");
        let begun = lab.path("runs/tiny/001/experiment.toml").exists();
        lab.ok(if begun { "train --quiet --resume runs/tiny/001" } else { TRAIN });
    }
    for file in ["checkpoint.safetensors", "best.safetensors", "metrics.jsonl", "samples.jsonl"] {
        let path = format!("runs/tiny/001/{file}");
        assert!(lab.bytes(&path) == alone.bytes(&path), "{limits}: {file} differs");
    }
    (output.status.code(), reported)
}

/// Would catch: a program that dies of a signal, without a message, at a limit for files.
#[test]
fn large_files_are_reported() {
    for blocks in [0, 1, 4, 16] {
        let (code, reported) = survives(&format!("ulimit -f {blocks}"));
        assert_eq!(code, Some(2), "{reported}");
        assert!(reported.contains("larger than your limit for files"), "{reported}");
    }
}

/// Would catch: a file that is left open, or a message that does not say that too many are.
#[test]
fn few_descriptors_are_enough() {
    assert_eq!(survives("ulimit -n 10").0, Some(0));
    for limit in 4..10 {
        let (code, reported) = survives(&format!("ulimit -n {limit}"));
        assert!(code == Some(0) || reported.contains("Too many open files"), "{limit}: {reported}");
    }
}

/// Would catch: a program that needs more stack than some systems give.
#[test]
fn a_small_stack_is_enough() {
    for kilobytes in [128, 256, 1024] {
        assert_eq!(survives(&format!("ulimit -s {kilobytes}")).0, Some(0), "{kilobytes}");
    }
}

/// Would catch: a panic, or a training that stops, because no one reads what it prints.
#[test]
fn outputs_may_be_missing() {
    for limits in ["exec 1>&-", "exec 2>&-", "exec 0<&- 1>&- 2>&-", "exec 2>/dev/full"] {
        assert_eq!(survives(limits).0, Some(0), "{limits}");
    }
    let (code, reported) = survives("exec >/dev/full");
    assert!(code == Some(1) && reported.contains("cannot write to standard output"), "{reported}");
    let lab = Lab::new();
    lab.ok(TRAIN);
    for line in ["plugins list", "runs show", "sample --count 2000", "check tiny.toml", "data show dinosaurs"] {
        let piped = format!("set -o pipefail; \"$0\" {line} | head -1 > /dev/null");
        let mut shell = Command::new("bash");
        shell.args(["-c", &piped, env!("CARGO_BIN_EXE_hatchery")]).current_dir(lab.path(""));
        let output = shell.env("HATCHERY_PLUGINS", "").output().unwrap();
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && reported.is_empty(), "{line}: {:?} {reported}", output.status);
    }
}

/// Would catch: numbers that depend on where the clock is, or a folder that is needed without need.
#[test]
fn folders_and_time_zones_do_not_matter() {
    for limits in [
        "unset HOME TMPDIR XDG_STATE_HOME",
        "export HOME=/nowhere TMPDIR=/nowhere XDG_STATE_HOME=/nowhere",
        "export TZ=Asia/Kathmandu LC_ALL=tr_TR.UTF-8",
        "ulimit -v 400000",
    ] {
        assert_eq!(survives(limits).0, Some(0), "{limits}");
    }
}

/// Would catch: memory for a one-hot vector of each symbol: the square of the vocabulary, 400 MB for 10,000 symbols.
#[test]
fn a_large_vocabulary_takes_no_square() {
    let symbols: Vec<char> = (0x4e00..0x4e00 + 10_000).filter_map(char::from_u32).collect();
    let lines: String = symbols.chunks(10).map(|line| line.iter().collect::<String>() + "\n").collect();
    let lab = Lab::new().with("many.txt", lines);
    let program = std::fs::metadata(env!("CARGO_BIN_EXE_hatchery")).unwrap().len() / 1024;
    let set = "--set dataset.corpus=many.txt --set split.valid=0 --set train.steps=2 --set sample.count=1";
    // Threads and their stacks are address space too: on one.
    let limits = format!("export RAYON_NUM_THREADS=1 MALLOC_ARENA_MAX=1; ulimit -v {}", program + 230_000);
    let output = limited(&lab, &limits, &format!("{TRAIN} {set}"));
    assert!(output.status.success(), "{:?} {}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// Would catch: a log that is held in memory as text, or row by row as a table: a million rows took 0.5 and 4 GB.
#[test]
fn a_long_log_is_read_as_a_stream() {
    let lab = Lab::new();
    lab.ok(TRAIN);
    let rows = lab.text("runs/tiny/001/metrics.jsonl");
    let first = rows.lines().next().unwrap();
    let numbered = |step: usize| first.replacen("\"step\":0", &format!("\"step\":{step}"), 1) + "\n";
    let long: String = (0..40_000).map(numbered).collect();
    assert!(long.len() > 15_000_000, "{}", long.len());
    std::fs::write(lab.path("runs/tiny/001/metrics.jsonl"), long).unwrap();
    // The program itself is mapped into memory, and takes 40 MB besides.
    let program = std::fs::metadata(env!("CARGO_BIN_EXE_hatchery")).unwrap().len() / 1024;
    for line in ["runs show tiny", "runs metrics tiny", "runs list"] {
        let output = limited(&lab, &format!("ulimit -v {}", program + 80_000), &format!("{line} > printed"));
        assert!(output.status.success(), "{line}: {:?} {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(lab.text("printed").lines().next().unwrap().split_whitespace().next(), Some("run"));
}
