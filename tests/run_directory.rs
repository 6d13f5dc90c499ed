//! Run folders and logs: no run ever takes another's place, what a stopped run left can be continued, and every way of
//! naming a run finds it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, SystemTime},
};

use hatchery::run::{
    directory::{RunDirectory, RunRef, list, newest, resolve},
    environment::{BURN, End, Environment},
    log::{self, Evaluation, Log, Metric, SampleRow},
    replace,
};
use tempfile::{TempDir, tempdir};

fn metric(step: u64, loss: f64) -> Metric {
    Metric {
        step,
        epoch: 0.1 + 0.2,
        loss,
        smoothed_loss: 2.0 / 3.0,
        bits_per_character: 5e-324,
        perplexity: f64::MAX,
        gradient_norm: 1e-7,
        clipped_norm: -0.0,
        learning_rate: 0.01,
        valid: None,
    }
}

fn sample(step: u64, text: &str) -> SampleRow {
    SampleRow { step, index: 0, text: text.to_owned() }
}

/// A run with an experiment, created this number of seconds after 2020.
fn run(root: &Path, name: &str, seconds: u64) -> RunDirectory {
    let run = RunDirectory::create(root, name).unwrap();
    fs::write(run.experiment(), format!("name = \"{name}\"\n")).unwrap();
    let made = SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800 + seconds);
    fs::File::options().write(true).open(run.experiment()).unwrap().set_modified(made).unwrap();
    run
}

fn found(argument: &str, root: &Path) -> String {
    match resolve(Some(Path::new(argument)), root) {
        Ok(RunRef::Run(run)) => run.to_string(),
        Ok(RunRef::Checkpoint(path)) => format!("file {}", path.file_name().unwrap().display()),
        Err(error) => error.to_string(),
    }
}

fn log_file() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    (folder, path)
}

/// Would catch: looking for a free number first and making the folder afterwards.
#[test]
fn runs_that_start_at_once_never_share_a_folder() {
    let root = tempdir().unwrap();
    let gate = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (root, gate) = (root.path().to_owned(), Arc::clone(&gate));
            thread::spawn(move || {
                gate.wait();
                (0..50).map(|_| RunDirectory::create(&root, "names").unwrap().id().to_owned()).collect::<Vec<_>>()
            })
        })
        .collect();
    let mut ids: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    ids.sort();
    let expected: Vec<_> = (1..=400).map(|number| format!("{number:03}")).collect();
    assert_eq!(ids, expected);
}

/// Would catch: a number given twice after a run was deleted, and names of four digits sorted before those of three.
#[test]
fn ids_increase() {
    let root = tempdir().unwrap();
    for id in ["002", "999", "notes"] {
        fs::create_dir_all(root.path().join("names").join(id)).unwrap();
    }
    assert_eq!(RunDirectory::create(root.path(), "names").unwrap().id(), "1000");
    let old = root.path().join("others/999");
    fs::create_dir_all(&old).unwrap();
    fs::write(old.join("experiment.toml"), "").unwrap();
    let (old, new) = (RunDirectory::open(&old).unwrap(), run(root.path(), "others", 0));
    assert_eq!(new.id(), "1000");
    let same = fs::metadata(new.experiment()).unwrap().modified().unwrap();
    fs::File::options().write(true).open(old.experiment()).unwrap().set_modified(same).unwrap();
    assert_eq!(newest(root.path()).unwrap().to_string(), "others/1000", "at the same time, the id decides");
}

/// Would catch: a name that leads out of the folder of runs.
#[test]
fn a_name_is_one_folder() {
    let root = tempdir().unwrap();
    for name in ["", ".", "..", "a/b", "/tmp/x", "a/", "../a"] {
        let error = RunDirectory::create(root.path(), name).unwrap_err();
        assert_eq!(error.exit_code(), 2, "`{name}`");
        assert!(error.to_string().contains("cannot be the name of a folder"), "{error}");
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    let error = RunDirectory::create(&file, "names").unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
}

/// Would catch: an empty run left behind by an experiment that could not start, and results lost with it.
#[test]
fn only_an_empty_run_is_discarded() {
    let root = tempdir().unwrap();
    let empty = run(root.path(), "names", 0);
    fs::write(empty.metrics(), "").unwrap();
    empty.discard().unwrap();
    assert!(!root.path().join("names").exists());

    let started = run(root.path(), "names", 0);
    fs::write(started.metrics(), "{}\n").unwrap();
    started.clone().discard().unwrap();
    assert!(started.metrics().exists() && started.experiment().exists());

    let foreign = run(root.path(), "names", 0);
    fs::write(foreign.path().join("notes.txt"), "mine").unwrap();
    assert!(foreign.clone().discard().is_err());
    assert!(foreign.path().join("notes.txt").exists());
}

/// Would catch: a way of naming a run that finds another run, or none.
#[test]
fn every_way_of_naming_a_run_finds_it() {
    let root = tempdir().unwrap();
    let root = root.path();
    run(root, "names", 10);
    run(root, "dinosaurs", 30);
    let second = run(root, "names", 20);
    fs::create_dir(root.join("names/003")).unwrap();

    assert_eq!(newest(root).unwrap().to_string(), "dinosaurs/001");
    assert_eq!(resolve(None, root).unwrap(), RunRef::Run(newest(root).unwrap()));
    assert_eq!(found("names", root), "names/002", "a folder without an experiment is no run yet");
    assert_eq!(found("names/001", root), "names/001");
    assert_eq!(found("names/1", root), "names/001");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    assert_eq!(found(&path(second.path()), root), "names/002");
    assert_eq!(found(&path(&root.join("names")), root), "names/002");
    assert_eq!(found(&path(root), Path::new("elsewhere")), "dinosaurs/001");
    assert_eq!(found(&path(&root.join("dinosaurs/../names/001/.")), root), "names/001");
    fs::write(second.checkpoint(), "").unwrap();
    assert_eq!(found(&path(&second.checkpoint()), root), "file checkpoint.safetensors");
    assert_eq!(resolve(Some(second.path()), root).unwrap().checkpoint(), second.checkpoint());

    assert!(found(&path(&second.experiment()), root).contains("is an experiment file, not a run"));
    let wrong = found("dinosaur", root);
    assert!(wrong.contains("there is no run or checkpoint `dinosaur`"), "{wrong}");
    assert!(wrong.contains("dinosaurs, names") && wrong.contains("did you mean `dinosaurs`?"), "{wrong}");
    assert!(found("names/004", root).contains("did you mean `names/00"), "{}", found("names/004", root));
    assert!(found("entirely-else", root).contains("`hatchery runs list`"));
}

/// Would catch: an error that leaves a newcomer without the next step.
#[test]
fn without_runs_the_hint_is_to_train() {
    let root = tempdir().unwrap();
    for root in [root.path(), &root.path().join("none")] {
        for error in [newest(root).unwrap_err(), resolve(Some(Path::new("names")), root).unwrap_err()] {
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("hint: train first"), "{error}");
        }
        assert_eq!(list(root).unwrap(), []);
    }
    let error = RunDirectory::open(root.path()).unwrap_err().to_string();
    assert!(error.contains("is not the folder of a run"), "{error}");
    let error = RunDirectory::open(&root.path().join("none")).unwrap_err().to_string();
    assert!(error.contains("does not exist"), "{error}");
}

/// Would catch: one damaged run that hides all others, and counts of updates that are off by one.
#[test]
fn a_list_shows_every_run() {
    let root = tempdir().unwrap();
    let done = run(root.path(), "names", 20);
    let mut log = Log::open(done.metrics()).unwrap();
    for step in 0..2000 {
        log.append(&metric(step, 1.0 / (step + 1) as f64)).unwrap();
    }
    drop(log);
    let mut environment = Environment::begin("cpu", "f32", []);
    environment.end(2000, 1.5, End::Finished);
    environment.write(&done.environment()).unwrap();
    let damaged = run(root.path(), "dinosaurs", 10);
    fs::write(damaged.metrics(), "what?\n").unwrap();
    fs::write(damaged.environment(), "[").unwrap();

    let list = list(root.path()).unwrap();
    let shown: Vec<_> = list.iter().map(|s| (s.name.as_str(), s.id.as_str(), s.updates, s.loss, s.finished)).collect();
    let nats = metric(0, 1.0).nats();
    assert_eq!(
        shown,
        [("dinosaurs", "001", 0, None, false), ("names", "001", 2000, Some(nats), true)],
        "the oldest first"
    );
}

/// Would catch: numbers rounded on their way through the log.
#[test]
fn rows_read_back_exactly() {
    let (_folder, path) = log_file();
    let mut rows = vec![metric(0, 23.347_654_321), metric(u64::MAX, 1e300)];
    rows[1].valid = Some(Evaluation {
        nats_per_character: 0.1,
        bits_per_character: 0.2,
        perplexity: 0.3,
        accuracy: 1.0 / 3.0,
        characters: 7,
    });
    let mut log = Log::open(&path).unwrap();
    rows.iter().for_each(|row| log.append(row).unwrap());
    log.flush().unwrap();
    assert_eq!(log::read::<Metric>(&path).unwrap(), rows);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("{\"step\":0,\"epoch\":0.30000000000000004,\"loss\":23.347654321,"), "{text}");
    assert!(!text.lines().next().unwrap().contains("valid"), "a row without validation does not speak of it");
}

/// Would catch: a diverged run whose log is no JSON, or cannot be read back.
#[test]
fn values_that_are_not_finite_are_null() {
    let (_folder, path) = log_file();
    let mut log = Log::open(&path).unwrap();
    log.append(&metric(0, f64::NAN)).unwrap();
    log.append(&metric(1, f64::INFINITY)).unwrap();
    log.flush().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().matches("\"loss\":null").count(), 2);
    assert!(log::read::<Metric>(&path).unwrap().iter().all(|row| row.loss.is_nan()));
}

/// Would catch: samples that break the line structure of the file.
#[test]
fn a_sample_of_several_lines_is_one_row() {
    let (_folder, path) = log_file();
    let rows = [sample(0, "one\ntwo\r\n\u{2028}\0 \"é\" 🦖"), sample(1, "")];
    let mut log = Log::open(&path).unwrap();
    rows.iter().for_each(|row| log.append(row).unwrap());
    drop(log);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    assert_eq!(log::read::<SampleRow>(&path).unwrap(), rows);
}

/// Would catch: a continued run whose log differs from that of one that was never stopped.
#[test]
fn a_continued_log_equals_an_unbroken_one() {
    let write = |path: &Path, steps: std::ops::Range<u64>| {
        let mut log = Log::open(path).unwrap();
        steps.for_each(|step| log.append(&metric(step, step as f64 / 3.0)).unwrap());
    };
    let (_whole, whole) = log_file();
    write(&whole, 0..10);
    let whole = fs::read(&whole).unwrap();
    for stopped in 0..=whole.len() {
        let (_folder, path) = log_file();
        fs::write(&path, &whole[..stopped]).unwrap();
        let there = whole[..stopped].iter().filter(|byte| **byte == b'\n').count() as u64;
        // The last checkpoint was up to three updates ago.
        let updates = there.saturating_sub(3);
        assert_eq!(log::read::<Metric>(&path).unwrap().len() as u64, there, "a half-written line is no row");
        log::truncate_after::<Metric>(&path, updates).unwrap();
        write(&path, updates..10);
        assert_eq!(fs::read(&path).unwrap(), whole, "stopped after {stopped} bytes");
    }
    let (_folder, none) = log_file();
    log::truncate_after::<Metric>(&none, 3).unwrap();
    assert!(!none.exists() && log::read::<Metric>(&none).unwrap().is_empty());
}

/// Would catch: damage in the middle taken for the end, which would cut off good rows; a character cut in two.
#[test]
fn damaged_lines_are_located() {
    let (_folder, path) = log_file();
    let good = "{\"step\":0,\"index\":0,\"text\":\"a\"}\n";
    let text = format!("{good}{{\"step\":1,\"index\":0}}\n{good}");
    fs::write(&path, &text).unwrap();
    for error in [
        log::read::<SampleRow>(&path).map(|_| ()).unwrap_err(),
        log::truncate_after::<SampleRow>(&path, 5).unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(error.contains("metrics.jsonl:2:1") && error.contains("missing field `text`"), "{error}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "nothing was cut off");
    fs::write(&path, [good.as_bytes(), &"{\"step\":1,\"index\":0,\"text\":\"é".as_bytes()[..29]].concat()).unwrap();
    assert_eq!(log::read::<SampleRow>(&path).unwrap().len(), 1);
    log::truncate_after::<SampleRow>(&path, 5).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), good);
    // What a machine that lost power may leave at the end: a whole line of zeros.
    fs::write(&path, format!("{good}\0\0\0\n")).unwrap();
    log::truncate_after::<SampleRow>(&path, 5).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), good);
}

/// Would catch: a picture sent to `/dev/null` that takes its place (by an administrator, for the whole machine), and a link
/// that becomes a file of its own.
#[cfg(unix)]
#[test]
fn of_what_the_user_names_only_plain_files_are_replaced() {
    use std::os::unix::fs::{FileTypeExt, symlink};

    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let pipe = at("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    replace::output(&pipe, "into the pipe").unwrap();
    assert_eq!(reader.join().unwrap(), "into the pipe");
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());

    fs::create_dir(at("elsewhere")).unwrap();
    fs::write(at("elsewhere/plain"), "old").unwrap();
    symlink("elsewhere/plain", at("link")).unwrap();
    replace::output(&at("link"), "new").unwrap();
    assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(at("elsewhere/plain")).unwrap(), "new");

    let error = replace::output(&at("elsewhere"), "a folder").unwrap_err().to_string();
    assert!(error.contains("elsewhere"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left beside them");
}

/// Would catch: folders of the user's machine in what may be passed on, and a resumed run that forgets its first part.
#[test]
fn the_environment_tells_what_matters_and_no_more() {
    let (_folder, path) = log_file();
    let arguments = [
        "/home/user/.cargo/bin/hatchery",
        "train",
        "experiments/names.toml",
        "--set",
        "dataset.corpus=\"/home/some body/text.txt\"",
        "--set=x=[\"/home/a.txt\", \"b/c\"]",
        "--runs=/home/user/runs",
        "a/b=c",
        "/",
    ];
    let mut environment = Environment::begin("cpu", "f64", arguments.map(std::ffi::OsString::from));
    assert!(!environment.command.join(" ").contains("home"), "{:?}", environment.command);
    assert_eq!(environment.command[0], "hatchery");
    assert_eq!(environment.command[2], "experiments/names.toml");
    assert_eq!(environment.command[5], "--set=x=[\"a.txt\", \"b/c\"]");
    assert_eq!(environment.command[6..], ["--runs=runs", "a/b=c", "/"]);
    environment.end(5, 1.5, End::Stopped);
    environment.end(9, 2.0, End::Patience);
    assert!((environment.wall_seconds - 3.5).abs() < 1e-12);
    environment.write(&path).unwrap();
    assert_eq!(Environment::read(&path).unwrap(), environment);
    let start = environment.start.as_bytes();
    assert!(
        start.len() == 20 && start[10] == b'T' && start[19] == b'Z' && start.starts_with(b"2"),
        "2026-01-02T03:04:05Z"
    );
}

/// Would catch: a Burn that was updated while runs go on naming the old one.
#[test]
fn the_version_of_burn_is_that_of_the_workspace() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&manifest).unwrap();
    let pinned = manifest["workspace"]["dependencies"]["burn"]["version"].as_str().unwrap();
    assert_eq!(pinned, format!("={BURN}"));
}
