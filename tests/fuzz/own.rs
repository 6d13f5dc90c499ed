//! Files of users and of this program, other than experiments, checkpoints and logs: tables of documents, texts that are
//! scored, sweeps and their plans, notes of runs, the list of trusted libraries.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hatchery::{
    data::corpus,
    error::Error,
    experiment::Corpus,
    inspect::score::score,
    network::Network,
    plugins::TrustList,
    run::directory::{self, RunDirectory},
    session::{Drift, Options},
    sweep::{Folder, Plan},
};
use tempfile::TempDir;

use super::{fuzz, seed};
use crate::lab::{Lab, TINY};

/// A folder in memory where there is such a place: a million inputs are a million files.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(root).unwrap()
}

fn options() -> Options<'static> {
    Options {
        linked: hatchery_cli::registry,
        libraries: &[],
        trusted: TrustList::in_folder(Path::new("/nowhere")),
        overrides: Vec::new(),
        drift: Drift::Refused,
        warn: |_| {},
    }
}

/// Would catch: a panic on a quote that is not closed, on a row with other columns, on a value that is no text.
#[test]
fn tables_of_documents() {
    let folder = folder();
    for (ending, seeds, words) in [
        (
            "csv",
            ["n,text\r\n1,\"a \"\"b\"\"\nc\"\r\n2,d\r\n", "text;n\nanna;1\nbob;2\n"],
            ["\"", ",", ";", "\r\n", "text", "\u{feff}"],
        ),
        ("tsv", ["n\ttext\n1\tanna\n2\tbob\n", "text\nanna\nbob\n"], ["\"", "\t", "\n", "\r", "text", "\u{0}"]),
        (
            "jsonl",
            ["{\"text\":\"a\\nb\"}\n{\"text\":\"c\",\"n\":[1,{}]}\n", "{\"text\":\"\\ud83d\\ude00\"}\n\n"],
            ["{", "}", "\"text\":", "\\ud800", "[[[[[[[[", "1e999"],
        ),
    ] {
        let corpus = Corpus::Glob {
            glob: format!("*.{ending}"),
            column: Some("text".to_owned()),
            separator: Some("\u{1e}".to_owned()),
        };
        let seeds = seeds.map(|seed| seed.as_bytes().to_vec());
        let tally = fuzz(&format!("tables that end in .{ending}"), &seeds, &words, &mut |bytes| {
            fs::write(folder.path().join("table").with_extension(ending), &bytes).unwrap();
            corpus::open(&corpus, folder.path()).map(drop)
        });
        assert!(tally.read > 0 && tally.refused > 0, "{ending}");
        fs::remove_file(folder.path().join("table").with_extension(ending)).unwrap();
    }
}

/// Would catch: a panic on an empty line, on symbols that the vocabulary lacks, on a text of line ends alone.
#[test]
fn scored_texts() {
    let mut network = Network::restore(&seed(), &[], &hatchery_cli::registry().unwrap()).unwrap().0;
    let seeds = [b"aachenosaurus\nrex\n".to_vec(), b"a\n\n\nb".to_vec()];
    let words = ["\n", "\r\n", "\u{0}", "\u{feff}", "é", "\u{1f600}", "\u{202e}", "aaaaaaaaaaaaaaaa"];
    let tally = fuzz("scored texts", &seeds, &words, &mut |bytes| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines = score(&mut network, &text)?;
        assert!(lines.iter().all(|line| line.nats().is_finite() || line.predicted() == 0));
        Ok(())
    });
    assert!(tally.read > 0 && tally.refused > 0);
}

const SWEEP: &str = "name = \"fuzzed\"\nexperiment = \"tiny.toml\"\n[[vary]]\n\"cell.hidden\" = [4, 5]\n\"model.layers\" = [1, 2]\n\
    [[vary]]\n\"optimizer.learning-rate\" = { log-uniform = [1e-4, 1e-2], draws = 2 }\n[repeat]\nseeds = 2\n[budget]\nsteps = 3\n";

/// A folder with a sweep that is planned.
fn planned() -> (Lab, PathBuf) {
    let lab = Lab::new().with("tiny.toml", TINY.replace("dinosaurs", "names.txt"));
    let lab = lab.with("names.txt", "anna\nbert\ncora\ndora\n".repeat(6)).with("fuzzed.toml", SWEEP);
    lab.ok("sweep plan fuzzed.toml");
    let folder = lab.path("sweeps/fuzzed");
    (lab, folder)
}

/// Would catch: a panic on ranges, counts and keys of a sweep that make no sense, memory for as many trials as it claims.
#[test]
fn sweeps() {
    let (lab, _) = planned();
    let path = lab.path("fuzzed.toml");
    let words = [
        "[",
        "]",
        "\"",
        "{",
        "}",
        "[[vary]]\n",
        "log = [1, 2], points = 3",
        "[search]\ntype = \"halving\"\n",
        "999999999",
    ];
    let words =
        [&words[..], &["nan", "-1", "seeds = ", "draws = 4294967295", "points = 1", "[size]\nparameters = 900\n"]]
            .concat();
    let tally = fuzz("sweeps", &[SWEEP.as_bytes().to_vec()], &words, &mut |bytes| {
        fs::write(&path, &bytes).unwrap();
        Plan::of(&path, None, &options(), None).map(drop)
    });
    assert!(tally.read > 0 && tally.refused > 0);
}

/// Would catch: a panic on a plan or a result that was changed, a trial whose folder is elsewhere.
#[test]
fn plans_of_sweeps() {
    let (_lab, folder) = planned();
    let plan = Folder::new(&folder).plan().unwrap();
    let seed = fs::read(folder.join("plan.json")).unwrap();
    let words = ["../../..", "/etc", "\"variant\":", "18446744073709551615", "-1", "null", "[]", "{", "}", "\\u0000"];
    let tally = fuzz("plans of sweeps", std::slice::from_ref(&seed), &words, &mut |bytes| {
        fs::write(folder.join("plan.json"), &bytes).unwrap();
        let at = Folder::new(&folder);
        let plan = at.plan()?;
        assert!(plan.trials.iter().all(|trial| at.trial(trial).starts_with(folder.join("trials"))));
        at.outcomes(&plan).map(drop)
    });
    assert!(tally.read > 0 && tally.refused > 0);

    let trial = Folder::new(&folder).trial(&plan.trials[0]);
    fs::create_dir_all(&trial).unwrap();
    let outcome = br#"{"measured":{"3":2.5},"failed":null}"#.to_vec();
    let words = ["\"measured\":", "NaN", "1e999", "null", "{", "}", "-1", "18446744073709551616", "[[[[[[[["];
    let tally = fuzz("results of trials", &[outcome], &words, &mut |bytes| {
        fs::write(trial.join("objective.json"), &bytes).unwrap();
        Folder::new(&folder).outcomes(&plan).map(drop)
    });
    assert!(tally.refused > 0);
}

/// Would catch: a list of runs that one damaged file of one run brings down.
#[test]
fn what_a_run_notes() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    lab.ok("runs note tiny/001 a-note");
    let (runs, run) = (lab.path("runs"), lab.path("runs/tiny/001"));
    let words =
        ["\"", "{", "}", "null", "\u{0}", "\n", "../..", "18446744073709551616", "1e999", "\"plugins\":", "\u{1b}[2J"];
    for name in ["environment.json", "origin.json", "times.jsonl", "note.txt", "experiment.toml"] {
        let path = run.join(name);
        let whole = fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        fuzz(&format!("{name} of runs"), std::slice::from_ref(&whole), &words, &mut |bytes| {
            fs::write(&path, &bytes).unwrap();
            let opened = || -> Result<(), Error> {
                let run = RunDirectory::open(&run)?;
                run.note()?;
                run.recorded_experiment()?;
                Ok(())
            };
            let (listed, opened) = (directory::list(&runs), opened());
            listed.map(drop).and(opened)
        });
        fs::write(&path, whole).unwrap();
    }
}

/// Would catch: an entry that makes the list unreadable, or a name that is no hash and counts as one.
#[test]
fn the_list_of_trusted_libraries() {
    let folder = folder();
    let list = TrustList::in_folder(folder.path());
    let seeds = [b"/home/anna/libmgu.so\n".to_vec(), "0123456789abcdef".repeat(4).into_bytes()];
    let tally =
        fuzz("the list of trusted libraries", &seeds, &["\u{0}", "\n", "/", "..", "\u{1b}]0;x\u{7}"], &mut |bytes| {
            let named: String =
                String::from_utf8_lossy(&bytes).chars().filter(|it| !"/\0".contains(*it)).take(64).collect();
            let fixed = "0123456789abcdef".repeat(4);
            let paths = [folder.path().join(fixed), folder.path().join(format!("x{named}"))];
            paths.iter().for_each(|path| drop(fs::write(path, &bytes)));
            let entries = list.entries()?;
            assert!(
                entries.len() <= 1 && entries.iter().all(|entry| !entry.path.contains(['\u{1b}', '\n', '\0'])),
                "{entries:?}"
            );
            paths.iter().for_each(|path| drop(fs::remove_file(path)));
            Ok(())
        });
    assert!(tally.read > 0);
}
