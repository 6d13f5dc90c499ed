//! Keys that were spelled otherwise in the first version: refused in files, rewritten on demand, read in what was recorded.

use std::fs;

use crate::lab::{Lab, files, root};

const FIXTURE: &str = "tests/fixtures/first-spelling";

/// The fixture in a folder of its own.
fn lab() -> Lab {
    let mut paths: Vec<_> =
        ["toml", "safetensors", "json", "jsonl"].iter().flat_map(|kind| files(FIXTURE, kind)).collect();
    paths.retain(|path| !path.contains("resumed"));
    paths.iter().fold(Lab::new(), |lab, path| {
        lab.with(path.trim_start_matches(FIXTURE).trim_start_matches('/'), fs::read(root().join(path)).unwrap())
    })
}

fn expected(name: &str) -> String {
    fs::read_to_string(root().join(FIXTURE).join(name)).unwrap()
}

/// An old name that is silently ignored would train another model.
#[test]
fn old_names_are_refused_with_the_new_ones() {
    let said = lab().refused("check old.toml");
    for expected in [
        "unknown table [model.initialiser]",
        "hint: the key is `initializer`, in American spelling; `hatchery check --fix old.toml` rewrites it",
        "unknown key `capitalise` in [sample]",
        "hint: the key is `capitalize`, in American spelling; `hatchery check --fix old.toml` rewrites it",
    ] {
        assert!(said.contains(expected), "{expected}:\n{said}");
    }
    let said = lab().refused("check tiny.toml --set sample.capitalise=true");
    assert!(said.contains("hint: the key is `capitalize`, in American spelling\n"), "{said}");
}

/// A file that is rewritten from its values loses its comments; one that is searched for words changes its comments.
#[test]
fn a_fixed_file_differs_in_its_keys_alone() {
    let forms = [
        (
            "[model]\ninitialiser = { type = \"zeros\" } # initialiser\n",
            "[model]\ninitializer = { type = \"zeros\" } # initialiser\n",
        ),
        (
            "[model.initialiser]\n# capitalise\ntype = \"zeros\"\n",
            "[model.initializer]\n# capitalise\ntype = \"zeros\"\n",
        ),
        ("[model]\n\"initialiser\" = { type='zeros' }\n", "[model]\n\"initializer\" = { type='zeros' }\n"),
        (
            "[model]\ninitialiser.type = \"normal\"\ninitialiser.std = 0.1\n[sample]\ncapitalise   = true\nprefix = \"capitalise\"\n",
            "[model]\ninitializer.type = \"normal\"\ninitializer.std = 0.1\n[sample]\ncapitalize   = true\nprefix = \"capitalise\"\n",
        ),
    ];
    for (old, new) in forms {
        let tiny = crate::lab::TINY.replace("[sample]\ncount = 2\nlength = 8\n", "");
        let lab = Lab::new().with("old.toml", format!("{tiny}{old}"));
        let outcome = lab.run("check --fix old.toml");
        assert!(outcome.stderr.contains("old.toml: [model] `initialiser` → `initializer`\n"), "{}", outcome.stderr);
        assert_eq!(lab.text("old.toml"), format!("{tiny}{new}"));
    }
    let lab = Lab::new();
    let before = lab.text("tiny.toml");
    assert_eq!(lab.run("check --fix tiny.toml").stderr, "");
    assert_eq!(lab.text("tiny.toml"), before);
}

/// What was recorded before cannot be written anew by its user.
#[test]
fn a_run_of_the_first_version_is_sampled_measured_and_resumed() {
    let lab = lab();
    assert_eq!(lab.ok("sample old --seed 3"), expected("samples.txt"));
    let digits = |text: &str| {
        let words =
            text.split_whitespace().map(|word| word.parse::<f64>().map_or(word.to_owned(), |it| format!("{it:.4}")));
        words.collect::<Vec<_>>()
    };
    // The first version said neither which checkpoint it evaluated nor how many sequences, and had no standard error.
    let evaluated = lab.ok("eval old").replace("checkpoint           last\n", "").replace("120 sequences, ", "");
    let evaluated = evaluated.replace(" ± 0.0294", "");
    assert_eq!(digits(&evaluated), digits(&expected("eval.txt")));
    lab.ok("runs show old");
    assert!(lab.ok("runs compare old/001 old/001").contains("old/001"));

    lab.ok("train --resume runs/old/001 --set train.steps=80 --quiet");
    let rows = lab.rows("runs/old/001/metrics.jsonl");
    let theirs: Vec<serde_json::Value> =
        expected("resumed-metrics.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), theirs.len());
    for (row, theirs) in rows.iter().zip(&theirs) {
        assert_eq!(row["step"], theirs["step"]);
        for key in ["loss", "smoothed_loss", "gradient_norm"] {
            let [one, other] = [row, theirs].map(|row| row[key].as_f64().unwrap());
            assert!((one - other).abs() <= 1e-4 * other, "{key} at {}: {one} and {other}", row["step"]);
        }
    }
    assert!(lab.text("runs/old/001/experiment.toml").contains("[model.initializer]"));
}
