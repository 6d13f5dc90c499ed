//! A file from a stranger does no harm: nothing outside a run's folder is written, nothing waits for ever, no size ends
//! the program, and no terminal obeys.

#![cfg(unix)]

use std::{
    fs::{self, File},
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use hatchery::run::{directory::RunDirectory, keep};

use crate::{
    lab::{Lab, TINY},
    plugins::{c_library, elman},
};

/// A lab with a run that was interrupted after three of six steps.
fn interrupted() -> Lab {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet --set train.steps=3");
    lab
}

fn fifo(path: &Path) {
    let _ = fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Runs a command that must end by itself, and soon.
fn soon(lab: &Lab, line: &str) -> Output {
    let arguments: Vec<_> = line.split_whitespace().collect();
    let mut child = lab.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_mins(1) {
            child.kill().unwrap();
            panic!("`{line}` waits for ever");
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// Would catch: a run unpacked from an archive that empties or replaces a file of its user when it is resumed.
#[test]
fn no_file_of_a_run_is_written_through_a_link() {
    let files = ["lock", "loss.svg", "environment.json", "best.safetensors", "metrics.jsonl", "samples.jsonl"];
    for name in files.into_iter().chain(["lengths.svg", "experiment.toml", "checkpoint-3.safetensors"]) {
        let lab = interrupted();
        let (victim, path) = (lab.path("victim"), lab.path("runs/tiny/001").join(name));
        let content = fs::read(&path).unwrap_or_else(|_| b"precious".to_vec());
        fs::write(&victim, &content).unwrap();
        let _ = fs::remove_file(&path);
        symlink(&victim, &path).unwrap();
        let outcome = lab.run("train --resume runs/tiny/001 --quiet --set train.steps=6");
        assert_eq!(fs::read(&victim).unwrap(), content, "{name}: {outcome:?}");
        assert!(matches!(outcome.code, Some(0 | 2)), "{name}: {outcome:?}");
        if outcome.code == Some(2) {
            assert!(outcome.stderr.contains("it is a link"), "{name}: {}", outcome.stderr);
        }
    }
}

/// Would catch: rows appended to, or numbers written into, a file of the user that has a second name in the run's folder.
#[test]
fn a_second_name_of_a_file_is_not_written_through() {
    for name in ["lock", "metrics.jsonl", "samples.jsonl", "environment.json", "best.safetensors"] {
        let lab = interrupted();
        let (victim, path) = (lab.path("victim"), lab.path("runs/tiny/001").join(name));
        fs::hard_link(&path, &victim).unwrap();
        let content = fs::read(&victim).unwrap();
        let outcome = lab.run("train --resume runs/tiny/001 --quiet --set train.steps=6");
        assert_eq!(outcome.code, Some(0), "{name}: {outcome:?}");
        assert_eq!(fs::read(&victim).unwrap(), content, "{name}");
    }
}

/// Would catch: a command that waits for ever because a file of a run is a pipe.
#[test]
fn pipes_and_devices_are_refused_at_once() {
    for name in ["metrics.jsonl", "samples.jsonl", "environment.json", "origin.json", "lock", "checkpoint.safetensors"]
    {
        let lab = interrupted();
        fifo(&lab.path("runs/tiny/001").join(name));
        for line in ["runs list", "runs show", "sample", "train --resume runs/tiny/001 --quiet --set train.steps=6"] {
            let output = soon(&lab, line);
            let reported = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(matches!(output.status.code(), Some(0 | 2)), "{name}, {line}: {reported}");
            if output.status.code() == Some(2) {
                assert!(reported.contains("it is a pipe, not a file"), "{name}, {line}: {reported}");
            }
        }
    }
    let lab = Lab::new();
    fifo(&lab.path("pipe.toml"));
    fifo(&lab.path("pipe.txt"));
    for (line, what) in [
        ("check pipe.toml", "pipe"),
        ("train tiny.toml --set dataset.corpus=\"pipe.txt\"", "pipe"),
        ("check /dev/zero", "device"),
        ("train tiny.toml --set dataset.corpus=\"/dev/zero\"", "device"),
        ("data show pipe.txt", "pipe"),
    ] {
        let output = soon(&lab, line);
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{line}: {reported}");
        assert!(reported.contains(&format!("it is a {what}, not a file")), "{line}: {reported}");
    }
}

/// Would catch: a file of a terabyte that costs nothing on the disk, and that is read into memory.
#[test]
fn files_that_are_far_too_large_are_refused_at_once() {
    let lab = interrupted();
    for name in ["metrics.jsonl", "environment.json", "checkpoint.safetensors"] {
        let path = lab.path("runs/tiny/001").join(name);
        let kept = fs::read(&path).unwrap();
        // The beginning is right, so that nothing but the size gives it away.
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        for line in ["runs list", "runs show", "sample"] {
            let output = soon(&lab, line);
            let reported = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(matches!(output.status.code(), Some(0 | 2)), "{name}, {line}: {reported}");
        }
        fs::write(&path, kept).unwrap();
    }
}

/// Would catch: a cell that is asked for initial values of a width that no machine can hold, which ends the program.
#[test]
fn sizes_are_judged_before_anything_is_made_of_them() {
    let lab = Lab::new();
    // A parameter alone may be too large, or all that training takes.
    let is_judged =
        |reported: &str| ["does not fit the memory", "is too large: "].iter().any(|part| reported.contains(part));
    for width in [(1_u64 << 63) - 1, 1 << 62, 1 << 40, 1 << 36] {
        for cell in ["lstm", "gru", "vanilla"] {
            let reported = lab.refused(&format!("train tiny.toml --set cell.type={cell} --set cell.hidden={width}"));
            assert!(is_judged(&reported), "{cell} {width}: {reported}");
        }
        for key in ["model.embedding", "dataset.length"] {
            let reported = lab.refused(&format!("train tiny.toml --set {key}={width}"));
            assert!(is_judged(&reported), "{key} {width}: {reported}");
        }
    }
    assert!(lab.has_no_run());
}

/// Would catch: a panic, after the run's folder was made, at a command line that is not UTF-8, and a run that cannot be
/// used because the path of its text was written down with other characters.
#[test]
fn paths_need_not_be_text() {
    let lab = Lab::new();
    let folder = lab.path("").join(std::ffi::OsStr::from_bytes(b"n\xe4mes"));
    if fs::create_dir(&folder).is_err() {
        eprintln!("skipped: this file system takes only names in UTF-8");
        return;
    }
    fs::write(folder.join("tiny.toml"), TINY.replace("\"dinosaurs\"", "\"names.txt\"")).unwrap();
    fs::write(folder.join("names.txt"), "anna\nbob\ncarla\ndora\nemil\nfrida\n".repeat(4)).unwrap();
    let run = |arguments: &[&std::ffi::OsStr]| {
        let output = lab.command(&[]).args(arguments).output().unwrap();
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{reported}");
    };
    let of = |text: &'static str| std::ffi::OsStr::new(text);
    run(&[of("train"), of("-q"), folder.join("tiny.toml").as_os_str()]);
    run(&[of("eval")]);
    run(&[of("train"), of("-q"), of("--resume"), of("runs/tiny/001"), of("--set"), of("train.steps=9")]);
    run(&[of("gradients"), of("--picture"), folder.join("norms.svg").as_os_str()]);
    assert!(folder.join("norms.svg").exists());
    let command = lab.text("runs/tiny/001/environment.json");
    assert!(command.contains("train"), "{command}");
}

/// Would catch: a library that is looked for beside a file whose path was written down with other characters, and a run
/// that records its path so.
#[test]
fn a_library_s_path_need_not_be_text() {
    let lab = Lab::new();
    let folder = lab.path("").join(std::ffi::OsStr::from_bytes(b"n\xe4mes"));
    if fs::create_dir_all(folder.join("below")).is_err() {
        eprintln!("skipped: this file system takes only names in UTF-8");
        return;
    }
    let experiment = TINY.replace("\n[dataset]", "plugins = [\"below/cell.so\"]\n[dataset]").replace("gru", "elman-c");
    fs::write(folder.join("tiny.toml"), experiment).unwrap();
    fs::write(folder.join("based.toml"), "base = \"tiny.toml\"\nname = \"based\"\n").unwrap();
    fs::copy(c_library("not_text", &elman()), folder.join("below/cell.so")).unwrap();
    for file in ["tiny.toml", "based.toml"] {
        for arguments in [&["check"][..], &["train", "-q"]] {
            let output = lab.command(arguments).arg(folder.join(file)).output().unwrap();
            assert!(output.status.success(), "{arguments:?} {file}: {output:?}");
        }
        for line in ["sample", "eval", "runs reproduce"] {
            lab.ok(line);
        }
        let name = file.trim_end_matches(".toml");
        lab.ok(&format!("train -q --resume runs/{name}/001 --set train.steps=9"));
    }
}

/// The program on a terminal of its own, and what that showed.
fn on_a_terminal(lab: &Lab, arguments: &[&str]) -> Option<String> {
    let script = "import os, pty, sys\nsys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let output = Command::new("python3")
        .args(["-c", script, env!("CARGO_BIN_EXE_hatchery")])
        .args(arguments)
        .current_dir(lab.path(""))
        .env("HATCHERY_PLUGINS", "")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Would catch: a sample, or a name, that clears the screen of whoever looks at it, or reorders what was printed.
#[test]
fn terminals_do_not_obey() {
    let text = "\u{1b}[2Jab\u{202e}cd\u{200b}ef\n".repeat(40);
    let lab = Lab::new().with("bad.txt", text).with("bad.toml", TINY.replace("\"dinosaurs\"", "\"bad.txt\""));
    lab.ok("train bad.toml --quiet --set train.steps=300 --set train.report-every=300 --set cell.hidden=32");
    // Into a pipe the text is exact: it is the product.
    let exact = lab.ok("sample --count 3 --length 20 --temperature 0");
    assert!(exact.contains('\u{1b}') && exact.contains('\u{202e}'), "{exact:?}");
    let Some(shown) = on_a_terminal(&lab, &["sample", "--count", "3", "--length", "20", "--temperature", "0"]) else {
        eprintln!("skipped: there is no python3 to make a terminal");
        return;
    };
    assert!(shown.contains(r"\u{1b}[2Jab\u{202e}cd\u{200b}ef"), "{shown:?}");
    let hidden = |text: &str| text.chars().any(|it| it.is_control() && !"\r\n\t".contains(it) || it == '\u{202e}');
    for arguments in [
        &["sample", "--count", "3"][..],
        &["sample", "--count", "1"],
        &["runs", "show"],
        &["data", "show", "bad.txt"],
        &["eval"],
    ] {
        let shown = on_a_terminal(&lab, arguments).unwrap();
        assert!(!hidden(&shown), "{arguments:?}: {shown:?}");
    }
    let raw =
        on_a_terminal(&lab, &["sample", "--raw", "--count", "3", "--length", "20", "--temperature", "0"]).unwrap();
    assert!(raw.contains("\u{1b}[2Jab\u{202e}"), "{raw:?}");
    let reported = lab.refused("sample \u{1b}[2J\u{202e}");
    assert!(!hidden(&reported) && reported.contains(r"\u{1b}[2J"), "{reported:?}");
}

/// Would catch: a training that ends, with an error, because an old checkpoint cannot be removed.
#[test]
fn an_old_checkpoint_that_cannot_be_removed_is_a_warning() {
    let lab = interrupted();
    let run = RunDirectory::open(&lab.path("runs/tiny/001")).unwrap();
    let checkpoint = hatchery::run::checkpoint::read(&run.checkpoint()).unwrap();
    fs::create_dir(run.path().join("checkpoint-1.safetensors")).unwrap();
    let warnings = keep::write(&run, &checkpoint, None, 1).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].message.contains("checkpoint-1.safetensors"), "{warnings:?}");
}

/// Would catch: a comparison that works for minutes and finds then that its picture has no folder.
#[test]
fn a_comparison_makes_the_folder_of_its_picture() {
    let lab = interrupted();
    lab.ok("runs compare tiny tiny --picture some/where/compare.svg");
    assert!(lab.path("some/where/compare.svg").exists());
    // What cannot be made is reported before anything is read.
    fs::write(lab.path("plain"), "a file").unwrap();
    fs::write(lab.path("runs/tiny/001/metrics.jsonl"), "no row\n").unwrap();
    let reported = lab.refused("runs compare tiny tiny --picture plain/compare.svg");
    assert!(reported.contains("cannot create `plain`"), "{reported}");
}

/// Would catch: a digit that changed in a log and is shown by every table and picture from then on.
#[test]
fn a_log_that_was_changed_is_reported_on_resume_and_where_it_is_shown() {
    for (name, old, new) in [
        ("metrics.jsonl", "\"loss\":", "\"loss\":1"),
        ("metrics.jsonl", "{\"step\":0", "{\"step\":1"),
        ("samples.jsonl", "\"text\":\"", "\"text\":\"x"),
    ] {
        let lab = interrupted();
        let path = format!("runs/tiny/001/{name}");
        let changed = lab.text(&path).replacen(old, new, 1);
        assert_ne!(changed, lab.text(&path), "{name}");
        fs::write(lab.path(&path), changed).unwrap();
        for line in ["runs show", "runs compare tiny tiny", "train --resume runs/tiny/001 --set train.steps=6"] {
            let outcome = lab.run(line);
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
            assert!(outcome.stderr.contains("is no longer what the training wrote"), "{name}: {}", outcome.stderr);
            assert!(outcome.stderr.contains(name), "{}", outcome.stderr);
            if line == "runs show" {
                assert!(lab.ok("runs list").contains("log changed"), "{name}");
            }
        }
    }
    let lab = interrupted();
    for line in ["runs show", "runs compare tiny tiny", "train --resume runs/tiny/001 --set train.steps=6"] {
        let outcome = lab.run(line);
        assert!(!outcome.stderr.contains("no longer what"), "{}", outcome.stderr);
    }
    assert!(!lab.ok("runs list").contains("changed"));
    // A checkpoint whose header changed is no reason to accuse a log.
    let path = lab.path("runs/tiny/001/checkpoint.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(13).position(|bytes| bytes == b"hatchery.logs").unwrap() + 35;
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    fs::write(&path, bytes).unwrap();
    assert!(!lab.ok("runs list").contains("changed") && !lab.run("runs show").stderr.contains("no longer"));
}

/// Would catch: a command that waits for ever at a file that the test above does not have.
#[test]
fn pipes_are_refused_by_every_command_that_looks_at_a_run() {
    for name in ["experiment.toml", "times.jsonl", "note.txt", "best.safetensors", "events.jsonl", "metrics.jsonl"] {
        let lab = interrupted();
        fifo(&lab.path("runs/tiny/001").join(name));
        for line in [
            "runs list",
            "runs metrics tiny",
            "runs compare tiny tiny",
            "runs table .",
            "runs note tiny/001 kept",
            "sample tiny --best",
            "eval tiny",
            "score tiny anna",
            "gradients tiny",
            "train --resume runs/tiny/001 --quiet --set train.steps=6",
            "runs delete tiny/001 --yes",
        ] {
            let output = soon(&lab, line);
            let reported = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(matches!(output.status.code(), Some(0 | 2)), "{name}, {line}: {reported}");
        }
    }
}

/// Would catch: a text on standard input that is read for ever, a link that leads around in a circle, and a folder in place of
/// a text that is called an internal error.
#[test]
fn what_never_ends_is_refused() {
    let lab = Lab::new().with("deep/tiny.toml", TINY).with("text.txt", "anna\nbob\n".repeat(20));
    lab.ok("train tiny.toml --quiet");
    for name in ["one", "two"] {
        symlink(".", lab.path("deep").join(name)).unwrap();
    }
    assert_eq!(soon(&lab, "runs table deep").status.code(), Some(0));
    for (input, line, said) in [
        ("/dev/zero", "score tiny -", "more than 64 MiB"),
        ("/dev/zero", "check tiny.toml --set dataset.corpus=-", "more than 1 GiB"),
        ("/", "score tiny -", "cannot read standard input: Is a directory"),
        ("/", "check tiny.toml --set dataset.corpus=-", "cannot read the standard input: Is a directory"),
    ] {
        let arguments: Vec<_> = line.split_whitespace().collect();
        let output = lab.command(&arguments).stdin(File::open(input).unwrap()).output().unwrap();
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && reported.contains(said), "{input}, {line}: {reported}");
    }
    // As the hints say.
    lab.ok("eval tiny --text text.txt");
    lab.ok("check tiny.toml --set dataset.corpus=text.txt");
}
