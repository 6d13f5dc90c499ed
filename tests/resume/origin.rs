//! Where a run comes from is noted in it: from whatever folder, its texts and the checkpoint that it began with are found.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::{TempDir, tempdir};

use super::{
    NAMES,
    program::{hatchery, output},
};

const EXPERIMENT: &str = r#"
name = "placed"
dataset = { type = "lines", corpus = "names.txt" }
cell = { type = "gru", hidden = 6 }
optimizer = { type = "adam", learning-rate = 0.01 }
train = { steps = 30, batch = 4, log-every = 5, report-every = 10 }
sample = { count = 2, length = 8 }
"#;

/// A folder with an experiment, its text beside it, and another folder in which a text of that name is something else.
fn project() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    for (path, text) in
        [("files/placed.toml", EXPERIMENT), ("files/names.txt", NAMES), ("elsewhere/names.txt", "another\ntext\n")]
    {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let path = fs::canonicalize(folder.path()).unwrap();
    (folder, path)
}

#[track_caller]
fn ok(folder: &Path, arguments: &[&str]) -> String {
    let (status, printed, errors) = output(hatchery(folder).args(arguments));
    assert_eq!(status, 0, "{arguments:?}: {printed}{errors}");
    printed
}

#[track_caller]
fn refused(folder: &Path, arguments: &[&str], words: &[&str]) {
    let (status, printed, errors) = output(hatchery(folder).args(arguments));
    assert_eq!(status, 2, "{arguments:?}: {printed}{errors}");
    for word in words {
        assert!(errors.contains(word), "`{word}` is missing in:\n{errors}");
    }
}

/// Everything that needs the text again, in another folder than that in which the run was begun.
#[track_caller]
fn used_from(folder: &Path, run: &Path) {
    let run = run.to_str().unwrap();
    ok(folder, &["train", "--resume", run, "--quiet"]);
    ok(folder, &["eval", run]);
    ok(folder, &["sample", run, "--novelty"]);
    ok(folder, &["runs", "reproduce", run]);
}

/// Would catch: a text that is looked for only where the program is started, and one of the same name there that is taken
/// in its place.
#[test]
fn a_run_is_used_from_any_folder() {
    let (_folder, folder) = project();
    let elsewhere = folder.join("elsewhere");
    // Named from above; named beside the file by a path from the root; and relative to where the program is started.
    ok(&folder, &["train", "files/placed.toml", "--quiet"]);
    let file = folder.join("files/placed.toml");
    ok(&elsewhere, &["train", file.to_str().unwrap(), "--runs", "../runs", "--quiet", "--set", "name=absolute"]);
    let from_here = ["train", "files/placed.toml", "--quiet", "--set", "name=here", "--set", "dataset.corpus=own.txt"];
    fs::write(folder.join("own.txt"), NAMES).unwrap();
    ok(&folder, &from_here);
    for name in ["placed", "absolute", "here"] {
        let run = folder.join("runs").join(name).join("001");
        let noted = fs::read_to_string(run.join("origin.json")).unwrap();
        assert!(!noted.contains(folder.to_str().unwrap()), "an absolute path in {noted}");
        used_from(&elsewhere, &run);
    }
    // The whole project moved.
    let moved = tempdir().unwrap();
    let to = moved.path().join("project");
    fs::rename(&folder, &to).unwrap();
    fs::create_dir(&folder).unwrap();
    used_from(moved.path(), &to.join("runs/placed/001"));
}

/// Would catch: a run that began with a checkpoint and is repeated without it, or with another one.
#[test]
fn a_run_from_a_checkpoint_is_reproduced_from_it() {
    let (_folder, folder) = project();
    ok(&folder, &["train", "files/placed.toml", "--quiet", "--set", "name=first"]);
    ok(&folder, &["train", "files/placed.toml", "--quiet", "--set", "name=second", "--from", "runs/first/001"]);
    let reproduce = ["runs", "reproduce", "runs/second/001"];
    let printed = ok(&folder, &reproduce);
    assert!(printed.contains("30 updates, every bit of metrics, samples and checkpoint"), "{printed}");
    let run = folder.join("runs/second/001");
    ok(&folder.join("elsewhere"), &["runs", "reproduce", run.to_str().unwrap()]);

    let start = folder.join("runs/first/001/checkpoint.safetensors");
    fs::copy(&start, folder.join("copy.safetensors")).unwrap();
    ok(&folder, &["train", "--resume", "runs/first/001", "--quiet", "--set", "train.steps=35"]);
    let words =
        ["the checkpoint with which `runs/second/001` began is no longer the same", "SHA-256 then", "SHA-256 now"];
    refused(&folder, &reproduce, &words);
    ok(&folder, &[&reproduce[..], &["--from", "copy.safetensors"]].concat());
    fs::write(&start, "something else").unwrap();
    refused(&folder, &reproduce, &["is damaged", "--from FILE"]);
    fs::remove_file(&start).unwrap();
    refused(&folder, &reproduce, &["is not there any more", "looked at: runs/first/001/checkpoint.safetensors"]);
    let odd = ["runs", "reproduce", "runs/first/001", "--from", "copy.safetensors"];
    fs::copy(folder.join("copy.safetensors"), &start).unwrap();
    refused(&folder, &odd, &["did not begin with a checkpoint"]);

    // Of a run that an earlier version made, only its command line tells.
    fs::remove_file(run.join("origin.json")).unwrap();
    refused(&folder, &reproduce, &["began with a checkpoint (--from), which it does not record"]);
}
