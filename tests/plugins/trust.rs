//! No library is loaded unless the user trusts its bytes. The library here writes a file as soon as it is loaded, before
//! anything of it is called.

use std::{
    env::consts::DLL_SUFFIX,
    fs,
    path::{Path, PathBuf},
};

use super::{c_library, elman};
use crate::lab::{Lab, Outcome};
use hatchery::plugins::{LibraryFile, NamedBy, TrustList, load};

/// A cell in C whose library leaves a mark when it is loaded.
fn marking() -> PathBuf {
    let mark = "\n#include <fcntl.h>\n#include <stdlib.h>\n__attribute__((constructor)) static void mark(void) {\n\
        \tconst char *path = getenv(\"MARK\");\n\tif (path) (void)open(path, O_CREAT | O_WRONLY, 0600);\n}\n";
    c_library("marking", &(elman() + mark))
}

const EXPERIMENT: &str = "name = \"loaded\"\nplugins = [\"cell.so\"]\n[dataset]\ntype = \"lines\"\ncorpus = \"dinosaurs\"\n\
    [split]\nvalid = 0.1\n[cell]\ntype = \"elman-c\"\nhidden = 4\n[optimizer]\ntype = \"sgd\"\nlearning-rate = 0.1\n\
    [train]\nsteps = 6\nbatch = 4\n";

/// A lab with an experiment and its library.
fn lab() -> Lab {
    let lab = Lab::new().with("own.toml", EXPERIMENT);
    fs::copy(marking(), lab.path("cell.so")).unwrap();
    lab
}

/// A lab in which a stranger trained: nothing is trusted, and nothing was loaded yet.
fn unpacked() -> Lab {
    let lab = lab();
    let training = ["train", "own.toml", "--quiet"];
    for steps in ["train.steps=3", "train.steps=4"] {
        let stranger = lab.path("state-of-a-stranger");
        let output = lab.command(&training).args(["--set", steps]).env("XDG_STATE_HOME", stranger).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    fs::rename(lab.path("own.toml"), lab.path("stranger.toml")).unwrap();
    lab
}

/// A command, and whether it loaded the library.
fn run(lab: &Lab, line: &str) -> (Outcome, bool) {
    let mark = lab.path("mark");
    let _ = fs::remove_file(&mark);
    let output = lab.command(&line.split_whitespace().collect::<Vec<_>>()).env("MARK", &mark).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let outcome = Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert!(!outcome.stderr.contains("panicked"), "{line}: {outcome:?}");
    (outcome, mark.exists())
}

#[track_caller]
fn refused(lab: &Lab, line: &str) -> String {
    let (outcome, loaded) = run(lab, line);
    assert!(!loaded, "`{line}` runs the code of a library that no one trusts");
    assert_eq!(outcome.code, Some(2), "{line}: {outcome:?}");
    outcome.stderr
}

#[track_caller]
fn accepted(lab: &Lab, line: &str) {
    let (outcome, loaded) = run(lab, line);
    assert_eq!((outcome.code, loaded), (Some(0), true), "{line}: {outcome:?}");
}

fn sha256(path: &Path) -> String {
    LibraryFile::read(path).unwrap().sha256().to_owned()
}

/// Commands on a run, a checkpoint, or the experiment that is in a run's folder.
const OF_A_RUN: [&str; 20] = [
    "sample",
    "sample runs/loaded/001 --allow-plugin-drift",
    "sample runs/loaded/001/checkpoint.safetensors --next 3",
    "eval runs/loaded/001",
    "gradients runs/loaded/001",
    "gradients runs/loaded/001 --untrained",
    "train --resume runs/loaded/001 --quiet --set train.steps=9",
    "train --resume runs/loaded/001/experiment.toml --quiet",
    "train runs/loaded/001/experiment.toml --quiet",
    "train based.toml --quiet",
    "runs reproduce runs/loaded/001",
    "runs compare runs/loaded/001 runs/loaded/002",
    "check runs/loaded/001/experiment.toml",
    "check runs/loaded/001/another.toml",
    "bench runs/loaded/001/experiment.toml --steps 1 --repeats 1",
    "drift runs/loaded/001/experiment.toml --devices cpu,flex --steps 1",
    "data show --experiment runs/loaded/001/experiment.toml",
    "eval --experiment runs/loaded/001/experiment.toml --baseline unigram",
    "resume-test runs/loaded/001/experiment.toml --steps 2",
    "import keras model.h5 --experiment runs/loaded/001/experiment.toml --output out.safetensors",
];

/// Whether a command needs nothing of a library but what a checkpoint recorded of it.
fn is_recorded(line: &str) -> bool {
    let of_checkpoint =
        ["sample", "eval runs", "gradients", "train --resume runs/loaded/001 ", "runs reproduce", "runs compare"];
    of_checkpoint.iter().any(|start| line.starts_with(start)) && !line.contains("--allow-plugin-drift")
}

/// Would catch: a checkpoint or run of a stranger that runs code of theirs when it is looked at.
#[test]
fn a_stranger_s_run_loads_nothing() {
    let lab = unpacked().with("based.toml", "base = \"runs/loaded/001/experiment.toml\"\nname = \"based\"\n");
    fs::copy(lab.path("runs/loaded/001/experiment.toml"), lab.path("runs/loaded/001/another.toml")).unwrap();
    let hash = sha256(&lab.path("cell.so"));
    for line in OF_A_RUN {
        let (outcome, loaded) = run(&lab, line);
        assert!(!loaded, "`{line}` runs the code of a library that no one trusts");
        if is_recorded(line) {
            // The graph that the checkpoint has takes the library's place.
            assert_eq!(outcome.code, Some(0), "{line}: {outcome:?}");
            continue;
        }
        let reported = refused(&lab, line);
        for word in [
            "the plugin library `cell.so` is not trusted",
            &hash,
            "hint: if you know where it comes from: hatchery plugins trust cell.so",
        ] {
            assert!(reported.contains(word), "{line}: `{word}` is missing in\n{reported}");
        }
    }
    // What only lists runs needs no library.
    for line in ["runs list", "runs show runs/loaded/001", "runs table runs"] {
        let (outcome, loaded) = run(&lab, line);
        assert_eq!((outcome.code, loaded), (Some(0), false), "{line}: {outcome:?}");
    }
    // The hint works, and is taken back.
    assert_eq!(run(&lab, "plugins trust cell.so").0.stdout, format!("{hash}  cell.so\n"));
    for line in OF_A_RUN {
        // There is no model to import, and a finished run is not resumed unless it is named.
        if line.starts_with("import") || line.starts_with("train --resume runs/loaded/001/experiment.toml") {
            assert!(run(&lab, line).1, "{line}");
        } else {
            accepted(&lab, line);
        }
    }
    let listed = lab.ok("plugins trust --list");
    assert!(listed.starts_with(&hash) && listed.trim_end().ends_with("/cell.so"), "{listed}");
    lab.ok("plugins trust --remove cell.so");
    refused(&lab, "sample --allow-plugin-drift");
    assert!(lab.refused(&format!("plugins trust --remove {hash}")).contains("is not in the list"));
    assert_eq!(lab.ok("plugins trust --list"), "");
}

/// Would catch: a file that was changed after it was trusted.
#[test]
fn other_bytes_are_another_library() {
    let lab = unpacked();
    lab.ok("plugins trust cell.so");
    accepted(&lab, "sample runs/loaded/001");
    fs::OpenOptions::new()
        .append(true)
        .open(lab.path("cell.so"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"\n"))
        .unwrap();
    let reported = refused(&lab, "sample runs/loaded/001 --allow-plugin-drift");
    assert!(reported.contains("the checkpoint says that it was made with another library"), "{reported}");
    // Trusted, it is still not the one that the model was trained with: what was recorded of that one is.
    lab.ok("plugins trust cell.so");
    let (outcome, loaded) = run(&lab, "sample runs/loaded/001");
    assert_eq!((outcome.code, loaded), (Some(0), false), "{outcome:?}");
    assert!(outcome.stderr.contains("the cell `elman-c` is the one that is recorded in the checkpoint"), "{outcome:?}");
    accepted(&lab, "sample runs/loaded/001 --allow-plugin-drift");
}

/// Would catch: an author who has to say more than before, after each build.
#[test]
fn what_the_user_names_is_trusted() {
    for line in [
        "plugins check cell.so",
        "plugins list --plugin cell.so",
        "plugins show cell elman-c --plugin cell.so",
        "check own.toml",
        "train own.toml --quiet",
        "train tiny.toml --quiet --set plugins=[\"cell.so\"] --set cell.type=elman-c",
        "train tiny.toml --quiet --plugin cell.so --set cell.type=elman-c",
        "train based.toml --quiet",
        "bench own.toml --steps 1 --repeats 1",
        "data show --experiment own.toml",
    ] {
        let lab = lab().with("based.toml", "base = \"own.toml\"\nname = \"based\"\n");
        accepted(&lab, line);
        assert!(lab.ok("plugins trust --list").contains("cell.so"), "{line}");
        if line.starts_with("train") && !line.contains("--plugin") {
            accepted(&lab, "sample");
            accepted(&lab, "eval");
        }
    }
    // A folder of experiments is not a file that was named.
    let lab = lab();
    let reported = refused(&lab, "runs table .");
    assert!(reported.contains("a file that the command found by itself"), "{reported}");
}

/// Would catch: an experiment of someone else on the same computer that runs code by being looked at.
#[cfg(unix)]
#[test]
fn another_user_s_experiment_is_not_one_s_own() {
    let lab = lab();
    if std::os::unix::fs::chown(lab.path("own.toml"), Some(65_534), None).is_err() {
        return println!("skipped: only root can give a file to another user");
    }
    let reported = refused(&lab, "check own.toml");
    assert!(reported.contains("`own.toml` names it, which belongs to another user"), "{reported}");
    accepted(&lab, "check own.toml --plugin cell.so");
    accepted(&lab, "check own.toml");
}

/// Would catch: a library that runs because it is in a folder, and one that lies there and stops a command.
#[test]
fn a_search_folder_makes_nothing_trusted() {
    let lab = unpacked();
    fs::create_dir(lab.path("found")).unwrap();
    fs::rename(lab.path("cell.so"), lab.path("found").join(format!("cell{DLL_SUFFIX}"))).unwrap();
    let list = |lab: &Lab| {
        let mark = lab.path("mark");
        let mut command = lab.command(&["plugins", "list"]);
        let output = command.env("MARK", &mark).env("HATCHERY_PLUGINS", lab.path("found")).output().unwrap();
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{reported}");
        (reported, fs::remove_file(&mark).is_ok())
    };
    let (reported, loaded) = list(&lab);
    assert!(!loaded && reported.contains("warning: the plugin library") && reported.contains("left out"), "{reported}");
    let hint = reported.lines().find_map(|line| line.split_once(": hatchery ")).unwrap().1;
    lab.ok(hint);
    assert_eq!(list(&lab), (String::new(), true));
}

/// Would catch: a diagnosis that runs what it was asked about.
#[test]
fn the_doctor_does_not_load_what_is_not_trusted() {
    let lab = lab();
    let (outcome, loaded) = run(&lab, "plugins doctor cell.so");
    assert_eq!((outcome.code, loaded), (Some(2), false), "{outcome:?}");
    assert!(outcome.stdout.contains("WRONG   trust         not in your list"), "{}", outcome.stdout);
    lab.ok("plugins trust cell.so");
    accepted(&lab, "plugins doctor cell.so");
}

/// Would catch: a library that is exchanged, or written over, between the look at it and the loading.
#[test]
fn what_was_hashed_is_what_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("library.so");
    let list = TrustList::in_folder(&folder.path().join("state"));
    for (name, exchange) in [
        ("written over", (|path, other| fs::write(path, other)) as fn(&Path, &[u8]) -> std::io::Result<()>),
        ("exchanged", |path, other| fs::remove_file(path).and_then(|()| fs::write(path, other))),
        ("removed", |path, _| fs::remove_file(path)),
    ] {
        let cell = c_library(&format!("seen {name}"), &elman().replacen("0.1.0", &format!("0.1.0-{name}"), 1));
        fs::copy(cell, &path).unwrap();
        let (library, _) = list.admit(LibraryFile::read(&path).unwrap(), &NamedBy::User).unwrap();
        exchange(&path, &fs::read(marking()).unwrap()).unwrap();
        let loaded = load(&library).unwrap();
        assert_eq!(loaded.provider.version, format!("0.1.0-{name}"));
        assert_eq!(loaded.sha256, library.file().sha256());
    }
}

/// Would catch: a broken list that trusts more than it did, or that stops a training whose library was named.
#[test]
fn a_list_that_cannot_be_used_is_a_warning() {
    let lab = lab().with("state", "a file where a folder belongs");
    let (outcome, loaded) = run(&lab, "train own.toml --quiet");
    assert_eq!((outcome.code, loaded), (Some(0), true), "{outcome:?}");
    assert!(outcome.stderr.contains("warning: cannot note that `cell.so` is trusted"), "{outcome:?}");
    refused(&lab, "sample --allow-plugin-drift");
    accepted(&lab, "sample --plugin cell.so");
    assert!(lab.refused("plugins trust cell.so").contains("cannot note that `cell.so` is trusted"));

    let lab = unpacked();
    let list = lab.path("state/hatchery/trusted-plugins");
    let entry = list.join(sha256(&lab.path("cell.so")));
    fs::create_dir_all(&entry).unwrap();
    refused(&lab, "sample --allow-plugin-drift");
    fs::remove_dir(&entry).unwrap();
    fs::write(list.join("trailing.partial"), sha256(&lab.path("cell.so"))).unwrap();
    refused(&lab, "sample --allow-plugin-drift");
    // What is in an entry is for people to read.
    for content in [&b""[..], b"\xff\x1b[2J\n\n", &*vec![b'x'; 1 << 17]] {
        fs::write(&entry, content).unwrap();
        accepted(&lab, "sample");
        assert!(!lab.ok("plugins trust --list").contains('\u{1b}'));
    }
}

/// Would catch: entries that are lost when several programs add to the list at once.
#[test]
fn many_add_at_once() {
    let lab = lab();
    let names: Vec<_> = (0..24).map(|number| format!("{number}.so")).collect();
    for name in &names {
        fs::write(lab.path(name), name).unwrap();
    }
    let start = |name: &String| lab.command(&["plugins", "trust", "cell.so", name]).spawn().unwrap();
    for mut child in names.iter().map(start).collect::<Vec<_>>() {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(lab.ok("plugins trust --list").lines().count(), 25);
    assert_eq!(fs::read_dir(lab.path("state/hatchery/trusted-plugins")).unwrap().count(), 25, "nothing is left over");
}

/// Would catch: a hint that does something else than it says, because a file is called so.
#[test]
fn a_name_is_one_word_of_the_hint() {
    let lab = unpacked();
    let odd = "$(touch harm); 'x' y.so";
    fs::rename(lab.path("cell.so"), lab.path(odd)).unwrap();
    let recorded = lab.text("runs/loaded/001/experiment.toml").replace("cell.so", odd);
    fs::write(lab.path("runs/loaded/001/experiment.toml"), recorded).unwrap();
    let reported = refused(&lab, "check runs/loaded/001/experiment.toml");
    let hint = reported.lines().find_map(|line| line.split_once(": hatchery ")).unwrap().1;
    let script = format!("{} {hint}", env!("CARGO_BIN_EXE_hatchery"));
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &script]).current_dir(lab.path("")).env("XDG_STATE_HOME", lab.path("state"));
    assert!(shell.status().unwrap().success(), "{hint}");
    assert!(!lab.path("harm").exists(), "{hint}");
    accepted(&lab, "check runs/loaded/001/experiment.toml");
}
