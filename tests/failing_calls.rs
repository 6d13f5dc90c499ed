//! Every call to the system that may fail, made to fail, one at a time: what fails is reported, nothing that was saved is
//! lost, and the command succeeds, with the same bytes, once the cause is gone.
//!
//! `fixtures/failing_calls.c` is preloaded and lets the n-th call of a kind fail; calls that do not go through the C
//! library fail by `strace -e inject`. A normal test run tries a part; `HATCHERY_FAULTS=1` tries every call with every error.

#![cfg(target_os = "linux")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use crate::lab::{Lab, root};

const ENOSPC: &str = "28";
const EIO: &str = "5";
const EDQUOT: &str = "122";
const EROFS: &str = "30";
const EMFILE: &str = "24";
const EINTR: &str = "4";

/// Calls, and what they may fail with; the first is part of every test run.
const CALLS: [(&str, &[&str]); 9] = [
    ("open", &[ENOSPC, EIO, EDQUOT, EROFS, EMFILE, EINTR]),
    ("write", &[ENOSPC, "short", EIO, EDQUOT, EINTR]),
    ("fsync", &[EIO, ENOSPC, EDQUOT, EINTR]),
    ("rename", &[ENOSPC, EIO, EROFS]),
    ("ftruncate", &[EIO, ENOSPC, EINTR]),
    ("unlink", &[EROFS, EIO]),
    ("mmap", &[EIO, EMFILE]),
    ("close", &[EIO, EINTR]),
    ("mkdir", &[ENOSPC, EROFS, EDQUOT]),
];

/// Calls that go around the C library, as `strace` knows them, and the errors with which they fail.
const RAW_CALLS: [(&str, &[&str]); 4] = [
    ("renameat", &["ENOSPC", "EIO", "EROFS", "EDQUOT"]),
    ("unlink", &["EROFS", "EIO"]),
    ("flock", &["EIO", "EINTR"]),
    ("fcntl", &["EMFILE"]),
];

/// A command that writes, and what it is run on.
struct Scene {
    name: &'static str,
    command: &'static str,
    prepare: fn() -> Lab,
    /// Where its results are.
    results: &'static str,
}

const SCENES: [Scene; 7] = [
    Scene { name: "training", command: TRAIN, prepare: Lab::new, results: "runs/tiny" },
    Scene { name: "resuming", command: "train --quiet --resume", prepare: interrupted, results: "runs/tiny" },
    Scene {
        name: "training from a checkpoint",
        command: "train tiny.toml --quiet --from start.safetensors --set train.checkpoint-every=2",
        prepare: with_a_start,
        results: "runs/tiny",
    },
    Scene {
        name: "import",
        command: "import keras model.h5 --experiment sonnets.toml --set dataset.corpus=dinosaurs --set cell.hidden=2 \
            --output out/model.safetensors",
        prepare: with_a_model,
        results: "out",
    },
    Scene {
        name: "trust",
        command: "plugins trust library.so",
        prepare: || Lab::new().with("library.so", "any bytes"),
        results: "state/hatchery/trusted-plugins",
    },
    Scene { name: "deleting a run", command: "runs delete tiny/001 --yes", prepare: with_a_run, results: "runs" },
    Scene {
        name: "planning a sweep",
        command: "sweep plan sweep.toml",
        prepare: with_a_sweep,
        results: "sweeps/varied",
    },
];

const TRAIN: &str = "train tiny.toml --quiet --set train.checkpoint-every=2 --set train.keep=1";

fn interrupted() -> Lab {
    let lab = Lab::new();
    let experiment = lab.text("tiny.toml").replace("[train]", "[train]\ncheckpoint-every = 2");
    fs::write(lab.path("tiny.toml"), experiment).unwrap();
    lab.ok("train tiny.toml --quiet");
    let run = lab.path("runs/tiny/001");
    fs::remove_file(run.join("checkpoint.safetensors")).unwrap();
    let older = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().path());
    assert!(older.into_iter().any(|path| path.ends_with("checkpoint-4.safetensors")));
    // As after a kill: not finished, and with lines that are newer than the checkpoint.
    let environment = lab.text("runs/tiny/001/environment.json").replace("\"finished\": true", "\"finished\": false");
    fs::write(run.join("environment.json"), environment).unwrap();
    lab
}

fn with_a_start() -> Lab {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet --runs first");
    fs::copy(lab.path("first/tiny/001/checkpoint.safetensors"), lab.path("start.safetensors")).unwrap();
    fs::remove_dir_all(lab.path("first")).unwrap();
    lab
}

fn with_a_run() -> Lab {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    lab
}

fn with_a_sweep() -> Lab {
    let sweep =
        "name = \"varied\"\nexperiment = \"tiny.toml\"\n[[vary]]\n\"cell.hidden\" = [3, 4]\n[budget]\nsteps = 2\n";
    Lab::new().with("sweep.toml", sweep)
}

fn with_a_model() -> Lab {
    let golden = |path: &str| fs::read(root().join(path)).unwrap();
    Lab::new()
        .with("model.h5", golden("tests/golden/keras.h5"))
        .with("sonnets.toml", golden("experiments/notebooks/sonnets.toml"))
        .with("out/before", "")
}

impl Scene {
    /// The files that the command made, of the newest run if it makes runs, without what differs from run to run.
    fn results(&self, lab: &Lab) -> BTreeMap<String, Vec<u8>> {
        let mut folder = lab.path(self.results);
        if self.results == "runs/tiny" {
            folder = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
        }
        let differs = ["environment.json", "lock", "origin.json", "times.jsonl"];
        // A run that is deleted takes the folder with it; an empty one may be left.
        let files = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.is_file() || fs::read_dir(path).is_ok_and(|mut all| all.next().is_some()));
        let named = files.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path));
        // An older checkpoint may be left, with a warning or because the command ended before it was removed.
        let named = named.filter(|(name, _)| !differs.contains(&name.as_str()) && !name.starts_with("checkpoint-"));
        let read = |path: &Path| if self.name == "trust" { Vec::new() } else { fs::read(path).unwrap_or_default() };
        named.map(|(name, path)| (name, read(&path))).collect()
    }

    /// The command again, as its user would give it after a fault: a run that was begun is resumed.
    fn again(&self, lab: &Lab) {
        let begun = lab.path("runs/tiny/001/experiment.toml").exists();
        if self.results == "runs" {
            if begun {
                lab.ok(self.command);
            }
            let _ = fs::remove_dir(lab.path("runs/tiny/001"));
        } else if self.results == "runs/tiny" && begun {
            let mut line = "train --quiet --resume runs/tiny/001".to_owned();
            // Without a checkpoint the run begins anew, from the file.
            if !lab.path("runs/tiny/001/checkpoint.safetensors").exists() && self.name == "training from a checkpoint" {
                fs::remove_dir_all(lab.path("runs")).unwrap();
                self.command.clone_into(&mut line);
            }
            lab.ok(&line);
        } else {
            let _ = fs::remove_dir_all(lab.path("runs"));
            lab.ok(self.command);
        }
    }

    /// Runs the command with a fault, and looks at what it left.
    fn survives(&self, expected: &BTreeMap<String, Vec<u8>>, fault: &str, run: impl FnOnce(&Lab) -> Output) {
        let lab = (self.prepare)();
        let output = run(&lab);
        let what = format!("{} with {fault}", self.name);
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!reported.contains("panicked"), "{what}: {reported}");
        assert!(matches!(output.status.code(), Some(0..=2)), "{what}: {:?} {reported}", output.status);
        let succeeded = output.status.success();
        assert!(succeeded || reported.contains("error: "), "{what}: fails without a message: {reported}");
        // A warning may leave something behind; the next command puts it in order.
        let found = succeeded.then(|| self.results(&lab)).filter(|found| found == expected).unwrap_or_else(|| {
            self.again(&lab);
            self.results(&lab)
        });
        let names = |results: &BTreeMap<String, Vec<u8>>| results.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(expected), "{what}: {reported}");
        let differing: Vec<_> = found.iter().filter(|(name, bytes)| expected[*name] != **bytes).collect();
        let differing: Vec<_> = differing.iter().map(|(name, _)| name).collect();
        assert!(differing.is_empty(), "{what}: {differing:?} differ; {reported}");
    }
}

/// The library that is preloaded.
fn shim() -> &'static Path {
    static BUILT: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("failing.so");
        let source = root().join("tests/fixtures/failing_calls.c");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-o"]).args([&path, &source]).arg("-ldl");
        assert!(cc.status().unwrap().success());
        (folder, path)
    });
    path
}

fn faulty(lab: &Lab, command: &str, call: &str, at: usize, with: &str, on: bool) -> Command {
    let mut command = lab.command(&command.split_whitespace().collect::<Vec<_>>());
    command.env("LD_PRELOAD", shim()).env("FAIL_CALL", call).env("FAIL_AT", at.to_string()).env("FAIL_WITH", with);
    command.env("FAIL_UNDER", lab.path("")).env("FAIL_COUNT", lab.path("counted"));
    if on {
        command.env("FAIL_ON", "1");
    }
    command
}

fn is_thorough() -> bool {
    std::env::var_os("HATCHERY_FAULTS").is_some()
}

/// Would catch: a failed write, flush to the disk or rename that is passed over; a checkpoint that is damaged by one, or
/// lost; a panic; a temporary file that stays for ever.
#[test]
fn calls_of_the_c_library() {
    let mut tried = 0;
    for scene in &SCENES {
        let lab = (scene.prepare)();
        lab.ok(scene.command);
        let expected = scene.results(&lab);
        for (call, errors) in CALLS {
            let lab = (scene.prepare)();
            let counted = faulty(&lab, scene.command, call, 0, EIO, false).output().unwrap();
            assert!(counted.status.success(), "{counted:?}");
            let calls = fs::metadata(lab.path("counted")).map_or(0, |file| file.len() as usize);
            // Without the variable about six of each, the first and the last among them, with one error.
            let (errors, stride) = if is_thorough() { (errors, 1) } else { (&errors[..1], calls.div_ceil(6).max(1)) };
            for (number, error) in errors.iter().enumerate() {
                let mut places: Vec<_> = (1..=calls).step_by(stride).collect();
                places.extend((calls > 0 && stride > 1).then_some(calls));
                for at in places {
                    for on in [false, true].into_iter().take(if is_thorough() || number == 0 { 2 } else { 1 }) {
                        if *error == EINTR && on {
                            continue; // A call that is interrupted for ever is repeated for ever.
                        }
                        let fault = format!("{call} {at} of {calls} failing with {error}, from then on: {on}");
                        scene.survives(&expected, &fault, |lab| {
                            faulty(lab, scene.command, call, at, error, on).output().unwrap()
                        });
                        tried += 1;
                    }
                }
            }
        }
    }
    println!("{tried} faults");
}

/// Would catch: what the test above would, for calls that do not go through the C library: renames above all.
#[test]
fn calls_around_the_c_library() {
    let mut trial = Command::new("strace");
    trial.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=rename:error=EIO", "true"]);
    if !trial.output().is_ok_and(|output| output.status.success()) {
        return println!("skipped: there is no strace, or it may not trace");
    }
    let mut tried = 0;
    for scene in &SCENES {
        let lab = (scene.prepare)();
        lab.ok(scene.command);
        let expected = scene.results(&lab);
        for (call, errors) in RAW_CALLS {
            for error in &errors[..if is_thorough() { errors.len() } else { 1 }] {
                for at in 1.. {
                    let mut injected = false;
                    scene.survives(&expected, &format!("{call} {at} failing with {error}"), |lab| {
                        let traced = lab.path("traced");
                        let mut strace = Command::new("strace");
                        strace.args(["-f", "-qq", "-o"]).arg(&traced).args(["-e", &format!("trace=?{call}")]);
                        strace.args(["-e", &format!("inject=?{call}:error={error}:when={at}")]);
                        strace.arg(env!("CARGO_BIN_EXE_hatchery")).args(scene.command.split_whitespace());
                        strace.current_dir(lab.path("")).env("HATCHERY_PLUGINS", "");
                        let output = strace.env("XDG_STATE_HOME", lab.path("state")).output().unwrap();
                        injected = fs::read_to_string(traced).unwrap().contains("(INJECTED)");
                        output
                    });
                    if !injected {
                        break;
                    }
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 20, "{tried} faults");
    println!("{tried} faults");
}
