//! Faults injected: never a panic, never a silent wrong continuation, nothing lost that was saved, and always a message
//! that says what to do.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use hatchery::{
    random::Stream,
    run::{
        checkpoint::{self, read},
        compare::differences,
        directory::{RunDirectory, RunRef},
        keep,
    },
    train::Ending,
};
use tempfile::{TempDir, tempdir};

use super::{NAMES, Watch, begin, experiment, refusal, resume_run, resume_run_as};

/// A run that was killed after 22 of 24 updates: its checkpoints are those of 20 and 15.
fn killed(set: &[&str]) -> (TempDir, RunDirectory) {
    let root = tempdir().unwrap();
    let (run, _) = begin(root.path(), &experiment(set), Watch { kill_updated: Some(22), ..Watch::default() });
    (root, run)
}

/// What an undisturbed run comes to.
fn alone(set: &[&str]) -> (TempDir, RunDirectory) {
    let root = tempdir().unwrap();
    let (run, ending) = begin(root.path(), &experiment(set), Watch::default());
    assert_eq!(ending.unwrap().unwrap(), Ending::Finished);
    (root, run)
}

fn assert_same(one: &RunDirectory, other: &RunDirectory) {
    let found = differences(one, other, u64::MAX).unwrap();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Would catch: one bit that is not looked at. Every damaged checkpoint is passed over for the one before, or, where the
/// number of the format is hit, refused.
#[test]
fn flipped_bytes_at_a_thousand_positions() {
    let (_root, run) = killed(&[]);
    let whole = fs::read(run.checkpoint()).unwrap();
    let mut stream = Stream::new(1, "flips", 0);
    let mut refused = 0;
    for round in 0..1000_u64 {
        let mut bytes = whole.clone();
        // The header, where most can go wrong, and everything.
        let at = stream.below(if round % 2 == 0 { 600.min(bytes.len()) } else { bytes.len() });
        bytes[at] ^= 1 << stream.below(8);
        fs::write(run.checkpoint(), &bytes).unwrap();
        match keep::newest(&run) {
            Ok(found) => {
                assert_eq!(found.checkpoint.unwrap().meta.progress.updates, 15, "byte {at}");
                assert_eq!(found.damaged, [run.checkpoint()]);
                let printed = found.reports[0].render(false);
                assert!(printed.contains("the one before is used") && printed.contains("checkpoint-15"), "{printed}");
            }
            Err(error) => {
                assert!(refusal::<()>(Err(error)).contains("or a later one"));
                refused += 1;
            }
        }
    }
    assert!(refused < 20, "a flipped byte is rarely the number of the format: {refused}");
}

/// Would catch: the damaged file taken, overwritten or removed, or another continuation than from the one before.
#[test]
fn a_damaged_checkpoint_is_skipped_and_the_run_is_the_same() {
    let (_alone, alone) = alone(&[]);
    for damage in ["cut", "empty", "flipped", "gone", "other"] {
        let (_root, run) = killed(&[]);
        let mut bytes = fs::read(run.checkpoint()).unwrap();
        match damage {
            "cut" => bytes.truncate(bytes.len() / 2),
            "empty" => bytes.clear(),
            "flipped" => *bytes.last_mut().unwrap() ^= 64,
            "other" => bytes = b"another program's file".to_vec(),
            _ => fs::remove_file(run.checkpoint()).unwrap(),
        }
        if damage != "gone" {
            fs::write(run.checkpoint(), &bytes).unwrap();
        }
        assert_eq!(resume_run(&run, Watch::default()).unwrap(), Some(Ending::Finished), "{damage}");
        assert_same(&alone, &run);
        let kept = run.path().join("checkpoint.damaged-1");
        assert_eq!(kept.exists(), damage != "gone");
        assert!(damage == "gone" || fs::read(kept).unwrap() == bytes, "the damaged file is kept as it was");
    }
}

/// Would catch: beginning anew, silently, where all that was saved is damaged.
#[test]
fn a_run_without_an_intact_checkpoint_is_refused() {
    let (_root, run) = killed(&[]);
    let older = run.path().join("checkpoint-15.safetensors");
    for path in [run.checkpoint(), older.clone()] {
        fs::write(path, "damaged").unwrap();
    }
    let before = fs::read(run.metrics()).unwrap();
    let message = refusal(resume_run(&run, Watch::default()));
    assert!(message.contains("checkpoint-15") && message.contains("no other checkpoint is left"), "{message}");
    assert_eq!(fs::read(run.metrics()).unwrap(), before, "nothing was touched");
    assert!(run.checkpoint().exists() && older.exists());
}

/// Would catch: a checkpoint of the future taken for damaged, and an older one used in its place.
#[test]
fn a_newer_format_is_refused() {
    let (_root, run) = killed(&[]);
    let bytes = fs::read(run.checkpoint()).unwrap();
    let text = br#""hatchery.format":"1""#;
    let at = bytes.windows(text.len()).position(|window| window == text).unwrap() + text.len() - 2;
    let newer = [&bytes[..at], b"2", &bytes[at + 1..]].concat();
    fs::write(run.checkpoint(), &newer).unwrap();
    let message = refusal(resume_run(&run, Watch::default()));
    assert!(message.contains("it has format 2"), "{message}");
    assert_eq!(fs::read(run.checkpoint()).unwrap(), newer);
}

/// Would catch: weights of another cell, symbols of another text, or another text loaded without a word.
#[test]
fn checkpoints_of_something_else_are_refused() {
    let (_root, run) = killed(&[]);
    let (_other, lstm) = killed(&["cell={ type = \"lstm\", hidden = 6 }"]);
    let own = fs::read(run.checkpoint()).unwrap();
    fs::copy(lstm.checkpoint(), run.checkpoint()).unwrap();
    let message = refusal(resume_run(&run, Watch::default()));
    assert!(message.contains("is of another experiment") && message.contains("cell.type: \"lstm\""), "{message}");

    // A text with other symbols, and one with the same symbols.
    fs::write(run.checkpoint(), own).unwrap();
    for text in [NAMES.replace('z', "ž"), NAMES.replace("zamin", "zimin")] {
        let resumed = resume_run_as(&RunRef::Run(run.clone()), None, &text, Watch::default());
        let message = refusal(resumed);
        assert!(message.contains("the text is no longer that") || message.contains('ž'), "{message}");
    }

    // Its own experiment, but the symbols of another text, with a right checksum.
    let whole = read(&run.checkpoint()).unwrap();
    for (vocabulary, what) in [
        (whole.meta.vocabulary.replace('z', "ž"), "no `z`"),
        (format!("{}ž", whole.meta.vocabulary), "in the checkpoint and"),
    ] {
        let mut foreign = whole.clone();
        foreign.meta.vocabulary = vocabulary;
        checkpoint::write(&run.checkpoint(), &foreign).unwrap();
        let message = refusal(resume_run(&run, Watch::default()));
        assert!(message.contains(what), "{message}");
    }

    // Without its optimizer state it would not be the interrupted run.
    let (_root, run) = killed(&[]);
    let mut less = read(&run.checkpoint()).unwrap();
    less.tensors.retain(|tensor| !tensor.name.starts_with("optimizer.head.by"));
    checkpoint::write(&run.checkpoint(), &less).unwrap();
    let message = refusal(resume_run(&run, Watch::default()));
    assert!(message.contains("does not fit its experiment"), "{message}");
}

/// Would catch: two programs writing into one folder, and a folder locked for ever by a program that died.
#[test]
fn a_run_is_resumed_by_one_program_only() {
    let (_root, run) = killed(&[]);
    let held = run.lock().unwrap();
    assert!(run.is_locked());
    let message = refusal(resume_run(&run, Watch::default()));
    let process = std::process::id();
    assert!(message.contains(&format!("another program is training `{}` (process {process})", run.path().display())));
    drop(held);
    assert!(!run.is_locked());
    // What a dead program leaves behind: the file, and in it the number of a process that perhaps lives again.
    fs::write(run.path().join("lock"), "1\n").unwrap();
    assert_eq!(resume_run(&run, Watch::default()).unwrap(), Some(Ending::Finished));
}

/// Would catch: `runs list`, which checks whether a run is locked, locking it so that resuming it is refused.
#[test]
fn listing_a_run_does_not_lock_it() {
    let folder = tempdir().unwrap();
    let run = RunDirectory::create(folder.path(), "tiny").unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                run.is_locked();
            }
        });
        let taken: Vec<bool> = (0..200).map(|_| run.lock().is_ok()).collect();
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(taken.iter().all(|&taken| taken), "{} of 200 were refused", taken.iter().filter(|&&t| !t).count());
    });
}

/// Would catch: a full disk that costs a checkpoint or a row, or that ends in a panic. Needs the right to mount.
#[test]
fn a_full_disk_damages_no_checkpoint() {
    let folder = tempdir().unwrap();
    let Some(_disk) = Disk::mount(folder.path(), "size=400k") else {
        eprintln!("skipped: only who may mount a file system can fill one up");
        return;
    };
    let set = ["cell.hidden=24"];
    let (_alone, alone) = alone(&set);
    let kill = Watch { kill_updated: Some(12), ..Watch::default() };
    let (run, _) = begin(folder.path(), &experiment(&set), kill);
    let filler = folder.path().join("filler");
    for left in [0_usize, 3 << 10, 40 << 10] {
        fill(&filler, left);
        let message = refusal(resume_run(&run, Watch::default()));
        assert!(message.contains("the disk is full"), "{message}");
        assert_eq!(read(&run.checkpoint()).unwrap().meta.progress.updates, 10, "the last good one is there");
        fs::remove_file(&filler).unwrap();
    }
    assert_eq!(resume_run(&run, Watch::default()).unwrap(), Some(Ending::Finished));
    assert_same(&alone, &run);
}

/// Would catch: a write error of the logs that is swallowed, so that rows are missing without a word.
#[test]
fn a_log_that_cannot_be_written_is_reported() {
    if !Path::new("/dev/full").exists() {
        eprintln!("skipped: this system has no /dev/full");
        return;
    }
    let root = tempdir().unwrap();
    let directory = RunDirectory::create(root.path(), "small").unwrap();
    let experiment = experiment(&[]);
    let data = super::data(&experiment, None, NAMES).unwrap();
    let network = hatchery::network::Network::new(experiment, data.vocabulary.clone(), &super::registry()).unwrap();
    let mut training = hatchery::train::Training::begin(network, &data, &directory).unwrap();
    let full = fs::File::options().append(true).open("/dev/full").unwrap();
    training.metrics = hatchery::run::log::Log::appending(directory.metrics(), full);
    let message = refusal(super::drive(training, Watch::default()).unwrap());
    assert!(message.contains("metrics.jsonl") && message.contains("the disk is full"), "{message}");
}

/// Would catch: a panic, or something lost, where nothing can be written. Root may write everywhere: so a file system
/// without the right to write, which needs the right to mount, and a folder in the way of a file, which does not.
#[test]
fn a_folder_that_cannot_be_written_is_reported() {
    let (_root, run) = killed(&[]);
    let logs = (fs::read(run.metrics()).unwrap(), fs::read(run.samples()).unwrap());
    let kept = run.path().join("kept");
    fs::rename(run.checkpoint(), &kept).unwrap();
    fs::create_dir(run.checkpoint()).unwrap();
    let message = refusal(resume_run(&run, Watch::default()));
    assert!(message.contains("is a folder, not a checkpoint"), "{message}");
    assert_eq!((fs::read(run.metrics()).unwrap(), fs::read(run.samples()).unwrap()), logs);
    fs::remove_dir(run.checkpoint()).unwrap();
    fs::rename(&kept, run.checkpoint()).unwrap();

    let folder = tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path(), "size=2m") else {
        eprintln!("skipped: only who may mount a file system can make one read-only");
        return;
    };
    let (run, _) = begin(folder.path(), &experiment(&[]), Watch { kill_updated: Some(12), ..Watch::default() });
    disk.remount("ro");
    let message = refusal(resume_run(&run, Watch::default()));
    assert!(message.contains("its file system is read-only"), "{message}");
    disk.remount("rw");
    assert_eq!(resume_run(&run, Watch::default()).unwrap(), Some(Ending::Finished));
}

/// Fills a disk up to this number of bytes.
fn fill(filler: &PathBuf, left: usize) {
    let mut bytes = Vec::new();
    for size in [64 << 10, 1 << 10] {
        while fs::write(filler, vec![1_u8; bytes.len() + size]).is_ok() {
            bytes.resize(bytes.len() + size, 1);
        }
    }
    bytes.truncate(bytes.len().saturating_sub(left));
    fs::write(filler, &bytes).unwrap();
}

/// A file system in memory, taken down again when it is dropped.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(at: &'a Path, options: &str) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "hatchery"]).arg(at).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }

    fn remount(&self, mode: &str) {
        let status = Command::new("mount").args(["-o", &format!("remount,{mode}")]).arg(self.0).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).output();
    }
}
