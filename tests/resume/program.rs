//! The program itself: real kills, real signals, and what it says.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use hatchery::run::{checkpoint, compare::differences, directory::RunDirectory};
use hatchery_cli::interrupt::is_meant;
use tempfile::{TempDir, tempdir};

use crate::plugins::{c_library, elman};

const SMALL: &str = r#"
name = "small"
dataset = { type = "lines", corpus = "dinosaurs" }
split = { valid = 0.05 }
cell = { type = "lstm", hidden = 12 }
optimizer = { type = "adam", learning-rate = 0.01 }
train = { steps = 300, batch = 8, log-every = 7, report-every = 50, checkpoint-every = 20 }
sample = { count = 2, length = 10 }
"#;

pub(super) fn hatchery(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hatchery"));
    command.current_dir(folder).env("NO_COLOR", "1").env("HATCHERY_PLUGINS", "");
    command
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("small.toml"), SMALL).unwrap();
    let path = folder.path().to_owned();
    (folder, path)
}

pub(super) fn output(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Starts a long training, and waits until it has reported this number of lines of metrics.
fn started(folder: &Path, set: &[&str], lines: usize) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut command = hatchery(folder);
    command.args(["train", "small.toml", "--progress", "json", "--set", "train.steps=1000000"]);
    set.iter().for_each(|set| {
        command.args(["--set", set]);
    });
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut printed = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    for _ in 0..lines {
        line.clear();
        assert!(printed.read_line(&mut line).unwrap() > 0, "it ended");
    }
    (child, printed)
}

/// Would catch: a resumed training that is not the same, with a real kill and through all of the program.
#[test]
fn resume_test_kills_and_compares() {
    let (_folder, folder) = folder();
    let test = |set: &[&str]| output(hatchery(&folder).args(["resume-test", "small.toml", "--steps", "30"]).args(set));
    let (status, printed, errors) = test(&[]);
    assert_eq!(status, 0, "{errors}");
    assert!(printed.contains("every bit is the same"), "{printed}");
    let (status, _, errors) = test(&["--set", "cell.hiden=3"]);
    assert_eq!(status, 2, "{errors}");
    assert!(errors.contains("hiden"), "{errors}");
}

/// Would catch: a signal that loses the step, a status that lets scripts go on, or silence about what to type.
#[test]
fn signals_stop_with_a_checkpoint() {
    for name in ["-INT", "-TERM"] {
        let (_folder, folder) = folder();
        let (mut child, mut printed) = started(&folder, &["train.checkpoint-every=1000000"], 5);
        signal(&child, name);
        std::io::copy(&mut printed, &mut std::io::sink()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{name}");
        let run = RunDirectory::open(&folder.join("runs/small/001")).unwrap();
        let updates = checkpoint::read(&run.checkpoint()).unwrap().meta.progress.updates;
        assert!(updates > 0);
        let (status, list, _) = output(hatchery(&folder).args(["runs", "list"]));
        assert!(status == 0 && list.contains("interrupted"), "{list}");

        // Whoever trains again is printed, and whoever resumes it gets it.
        let again = ["--set", "train.steps=1000001", "--set", "train.checkpoint-every=1000000"];
        let (status, _, errors) =
            output(hatchery(&folder).args(["train", "small.toml"]).args(["--set", "train.steps=1"]));
        assert_eq!(status, 0, "{errors}");
        assert!(
            errors.contains("was interrupted") && errors.contains("hatchery train --resume runs/small/001"),
            "{errors}"
        );
        fs::remove_dir_all(folder.join("runs/small/002")).unwrap();
        let (mut child, mut printed) = {
            let mut command = hatchery(&folder);
            command.args(["train", "small.toml", "--resume"]).args(again).args(["--progress", "plain"]);
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let printed = BufReader::new(child.stderr.take().unwrap());
            (child, printed)
        };
        let mut line = String::new();
        printed.read_line(&mut line).unwrap();
        assert_eq!(line, format!("resuming runs/small/001 after {updates} of 1000001 updates\n"));
        printed.read_line(&mut line).unwrap();
        signal(&child, name);
        line.clear();
        std::io::Read::read_to_string(&mut printed, &mut line).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{line}");
        assert!(line.contains("To resume:\n  hatchery train --resume runs/small/001"), "{line}");
    }
}

/// Would catch: a training that a closed terminal, a limit of processor time or a batch system ends without a checkpoint, or
/// that ends at once because such a signal comes every second.
#[test]
fn signals_of_terminals_and_batch_systems_stop_with_a_checkpoint() {
    for name in ["-HUP", "-XCPU", "-USR2"] {
        let (_folder, folder) = folder();
        let slow = ["cell.hidden=400", "train.batch=500", "split.valid=0.0", "train.log-every=1"];
        let (mut child, mut printed) = started(&folder, &slow, 3);
        signal(&child, name);
        signal(&child, name);
        std::io::copy(&mut printed, &mut std::io::sink()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{name}");
        assert!(folder.join("runs/small/001/checkpoint.safetensors").exists(), "{name}");
    }
}

/// Would catch: a training that does not survive its terminal although it was begun by `nohup`.
#[cfg(target_os = "linux")]
#[test]
fn a_program_that_ignores_hup_continues() {
    let (_folder, folder) = folder();
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_hatchery")).current_dir(&folder).env("HATCHERY_PLUGINS", "");
    command.args(["train", "small.toml", "--progress", "json", "--set", "train.steps=1000000"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut next = |count| lines.by_ref().take(count).flatten().count();
    assert_eq!(next(5), 5);
    signal(&child, "-HUP");
    assert_eq!(next(50), 50);
    signal(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// Would catch: USR1 that ends a training, writes nothing, or changes what it computes.
#[test]
fn usr1_writes_a_checkpoint_and_the_training_continues() {
    let (_folder, folder) = folder();
    let set = ["train.checkpoint-every=1000000", "train.steps=6000"];
    let (mut child, mut printed) = started(&folder, &set, 5);
    let path = folder.join("runs/small/001/checkpoint.safetensors");
    assert!(!path.exists());
    signal(&child, "-USR1");
    let mut line = String::new();
    while !path.exists() {
        line.clear();
        assert!(printed.read_line(&mut line).unwrap() > 0, "it ended without a checkpoint");
    }
    let then = checkpoint::read(&path).unwrap().meta.progress.updates;
    assert!(then < 6000, "{then}");
    std::io::copy(&mut printed, &mut std::io::sink()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let alone = ["train", "small.toml", "-q", "--set", set[0], "--set", set[1]];
    assert_eq!(output(hatchery(&folder).args(alone)).0, 0);
    let run = |id: &str| RunDirectory::open(&folder.join("runs/small").join(id)).unwrap();
    assert_eq!(differences(&run("001"), &run("002"), u64::MAX).unwrap(), Vec::<String>::new());
}

/// `timeout` signals the program, and then its group. Would catch: the second of these taken for impatience, and nothing
/// saved.
#[test]
fn two_signals_within_a_second_count_as_one() {
    let (_folder, folder) = folder();
    // Steps that take long: both signals come within one.
    let slow =
        ["cell.hidden=400", "train.batch=500", "split.valid=0.0", "train.log-every=1", "train.report-every=1000000"];
    let (mut child, mut printed) = started(&folder, &slow, 3);
    // Two signals, as two of one kind may come as one; from one shell, as starting a program may take as long as a step.
    let both = format!("kill -INT {0}; kill -TERM {0}", child.id());
    assert!(Command::new("sh").args(["-c", &both]).status().unwrap().success());
    std::io::copy(&mut printed, &mut std::io::sink()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(folder.join("runs/small/001/checkpoint.safetensors").exists());
}

/// Would catch: a second Ctrl-C that never stops the program.
#[test]
fn a_later_signal_stops_at_once() {
    let meant = [0, 1, 900, 1000, 1100, 60_000].map(|after| is_meant(Duration::from_millis(after)));
    assert_eq!(meant, [false, false, false, true, true, true]);
}

/// Would catch: two programs in one folder, and a running training that counts as interrupted.
#[test]
fn a_second_program_is_refused() {
    let (_folder, folder) = folder();
    let (mut child, _printed) = started(&folder, &[], 3);
    let (status, _, errors) = output(hatchery(&folder).args(["train", "--resume", "runs/small/001"]));
    assert_eq!(status, 2, "{errors}");
    assert!(
        errors.contains(&format!("another program is training `runs/small/001` (process {})", child.id())),
        "{errors}"
    );
    let (status, _, errors) = output(hatchery(&folder).args(["train", "small.toml", "--resume"]));
    assert_eq!(status, 2, "{errors}");
    assert!(errors.contains("was not interrupted, or is still training"), "{errors}");
    child.kill().unwrap();
    child.wait().unwrap();
    // The lock died with the program.
    let directory = RunDirectory::open(&folder.join("runs/small/001")).unwrap();
    assert!(directory.path().join("lock").exists() && directory.lock().is_ok());
}

/// Would catch: a run that is reproduced although a bit differs, or not although none does.
#[test]
fn runs_are_reproduced_bit_for_bit() {
    let (_folder, folder) = folder();
    let (status, _, errors) = output(hatchery(&folder).args(["train", "small.toml", "--quiet"]));
    assert_eq!(status, 0, "{errors}");
    let (status, printed, errors) = output(hatchery(&folder).args(["runs", "reproduce"]));
    assert_eq!(status, 0, "{printed}{errors}");
    assert!(printed.contains("300 updates, every bit of metrics, samples and checkpoint"), "{printed}");

    let run = RunDirectory::open(&folder.join("runs/small/001")).unwrap();
    let mut changed = checkpoint::read(&run.checkpoint()).unwrap();
    let hatchery::tensors::Values::F32(values) = &mut changed.tensors[1].values else { panic!("32 bits") };
    values[3] = f32::from_bits(values[3].to_bits() ^ 1);
    checkpoint::write(&run.checkpoint(), &changed).unwrap();
    let samples = fs::read_to_string(run.samples()).unwrap();
    fs::write(run.samples(), samples.replacen("\"index\":1", "\"index\":7", 1)).unwrap();
    let (status, printed, errors) = output(hatchery(&folder).args(["runs", "reproduce", "runs/small/001"]));
    assert_eq!(status, 1, "{printed}{errors}");
    let name = &changed.tensors[1].name;
    assert!(printed.contains(&format!("tensor `{name}`")) && printed.contains("0 more tensors differ"), "{printed}");
    assert!(printed.contains("samples, line 2:"), "{printed}");
    assert!(errors.contains("is not reproduced"), "{errors}");
}

/// Would catch: a run that ended, was given more updates and ended again, printed to be another than the same done at once.
#[test]
fn an_extended_run_is_reproduced_with_its_former_ends() {
    let (_folder, folder) = folder();
    let train = |arguments: &[&str]| {
        let (status, _, errors) = output(hatchery(&folder).args(["train", "--quiet"]).args(arguments));
        assert_eq!(status, 0, "{errors}");
    };
    train(&["small.toml", "--set", "train.steps=130"]);
    train(&["--resume", "runs/small/001", "--set", "train.steps=277"]);
    let run = RunDirectory::open(&folder.join("runs/small/001")).unwrap();
    let samples = fs::read_to_string(run.samples()).unwrap();
    assert!(samples.contains("\"step\":129,") && samples.contains("\"step\":276,"), "{samples}");
    let (status, printed, errors) = output(hatchery(&folder).args(["runs", "reproduce"]));
    assert_eq!(status, 0, "{printed}{errors}");
    assert!(printed.contains("277 updates, every bit of metrics, samples and checkpoint"), "{printed}");
}

/// Would catch: a continued run whose schedule depends on the number of steps repeated as if it had had all of them from
/// the beginning, a learning rate that jumps in silence, and differences printed as the program's own structures.
#[test]
fn a_schedule_that_was_extended_is_reported_and_reproduced() {
    let (_folder, folder) = folder();
    let train = |arguments: &[&str]| {
        let (status, _, errors) = output(hatchery(&folder).arg("train").args(arguments));
        assert_eq!(status, 0, "{errors}");
        errors
    };
    train(&["small.toml", "--set", "train.steps=50", "--set", "schedule={type=\"cosine\"}"]);
    let errors = train(&["--resume", "runs/small/001", "--set", "train.steps=90"]);
    assert!(errors.contains("the learning rate goes from 0 to "), "{errors}");
    assert!(errors.contains(": its schedule was that of 50 steps and is now that of 90\n"), "{errors}");
    let reproduce = || output(hatchery(&folder).args(["runs", "reproduce"]));
    let (status, printed, errors) = reproduce();
    assert_eq!(status, 0, "{printed}{errors}");

    // A run that was stopped before its end left no sign of the steps that it was to have.
    let run = RunDirectory::open(&folder.join("runs/small/001")).unwrap();
    for log in [run.metrics(), run.samples()] {
        let text = fs::read_to_string(&log).unwrap();
        let kept: Vec<_> = text.lines().filter(|line| !line.contains("\"step\":49,")).collect();
        fs::write(&log, kept.join("\n") + "\n").unwrap();
    }
    let (status, printed, errors) = reproduce();
    assert_eq!(status, 1, "{printed}{errors}");
    assert!(printed.contains("progress.smoothed-loss: "), "{printed}");
    assert!(!printed.contains("Progress {") && !printed.contains("Some("), "{printed}");
    assert!(errors.contains("the run was extended, and its schedule depends"), "{errors}");
}

/// Would catch: a kill at a moment that no other test has. The soak script hits a hundred times; this does five, of a
/// cell that is linked in and compiled, and of one from a library on either executor three.
#[test]
fn a_short_soak() {
    soak(5, &[], "gru compiled, device cpu: 5 blows");
    let library = c_library("soak", &elman()).display().to_string();
    let loaded = ["--plugin", &library, "--set", "cell.type=elman-c"];
    soak(3, &loaded, "elman-c compiled, device cpu: 3 blows");
    soak(3, &[&loaded[..], &["--set", "backend.device=flex"]].concat(), "elman-c on Burn, device flex: 3 blows");
}

#[track_caller]
fn soak(kills: u32, arguments: &[&str], expected: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/soak.sh");
    let mut command = Command::new("bash");
    command.arg(script).arg(kills.to_string()).args(arguments).env("HATCHERY", env!("CARGO_BIN_EXE_hatchery"));
    let state = tempdir().unwrap();
    command.env("HATCHERY_PLUGINS", "").env("XDG_STATE_HOME", state.path());
    // A kill asks nothing of the disk; where there is a faster place, the wait for it is saved.
    if Path::new("/dev/shm").is_dir() {
        command.env("TMPDIR", "/dev/shm");
    }
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains(expected), "{printed}");
}

/// Would catch: a comparison that finds nothing because it compares nothing.
#[test]
fn different_runs_are_found_different() {
    let (_folder, folder) = folder();
    for set in ["seed=1", "seed=2"] {
        let (status, _, errors) =
            output(hatchery(&folder).args(["train", "small.toml", "-q", "--set", "train.steps=20", "--set", set]));
        assert_eq!(status, 0, "{errors}");
    }
    let run = |id: &str| RunDirectory::open(&folder.join("runs/small").join(id)).unwrap();
    let found = differences(&run("001"), &run("002"), u64::MAX).unwrap().join("\n");
    for part in ["tensor `", "metrics, line 1", "samples, line 1", "experiment, line"] {
        assert!(found.contains(part), "no {part} in:\n{found}");
    }
}
