//! A hint works: who follows it succeeds, or gets a truthful next message.

mod commands;
mod more;
mod sources;
mod sweeps;

use commands::COMMANDS;

use crate::lab::{Lab, TINY, root};

/// What was asked for, a part of the hint, and what a reader of the hint asks for then.
struct Case {
    refused: &'static str,
    hint: &'static str,
    followed: &'static str,
}

const fn case(refused: &'static str, hint: &'static str, followed: &'static str) -> Case {
    Case { refused, hint, followed }
}

fn lab() -> Lab {
    let with = |old: &str, new: &str| {
        assert!(TINY.contains(old), "{old}");
        TINY.replacen(old, new, 1)
    };
    let running = |name: &str, dataset: &str| {
        with("type = \"lines\"\ncorpus = \"dinosaurs\"", &format!("{dataset}\ncorpus = \"running.txt\""))
            .replace("\"tiny\"", &format!("{name:?}"))
    };
    let steep = with("type = \"gru\"", "type = \"vanilla\"\nactivation = \"relu\"")
        .replace("type = \"adam\"\nlearning-rate = 0.01", "type = \"sgd\"\nlearning-rate = 1e39")
        .replace("\"tiny\"", "\"steep\"");
    let lab = Lab::new()
        .with("folder/a.txt", "anna\nbob\ncarla\n".repeat(9))
        .with("folder/b.txt", "dora\nemil\n".repeat(9))
        .with("words.txt", "anna\nbob\ncarla\ndora\n".repeat(9))
        .with("running.txt", "to be or not to be\n".repeat(40))
        .with("capitals.txt", "Anna\nBob\n".repeat(20))
        .with("capitals.toml", with("\"dinosaurs\"", "\"capitals.txt\"").replace("\"tiny\"", "\"capitals\""))
        .with("empty.txt", "")
        .with("blank.txt", "\n\n\n")
        .with("empty/nothing.txt", "")
        .with("huge.txt", "abcdefgh\n".repeat(200_000))
        .with("line.txt", "a".repeat(30_000) + "\nbb\n")
        .with("long.toml", format!("name = \"{}\"", "x".repeat(20_000)))
        .with("long-line.toml", with("\"dinosaurs\"", "\"line.txt\"").replace("valid = 0.1", ""))
        .with("clipped.toml", format!("{TINY}\n[[clipper]]\ntype = \"norm\"\nlimit = 2.0\n"))
        .with("clipper.toml", format!("{TINY}\n[clipper]\ntype = \"norm\"\nlimit = 2.0\n"))
        .with("cells.toml", with("[cell]", "[[cell]]"))
        .with("twice.toml", with("hidden = 8", "hidden = 8\nhidden = 9"))
        .with("circle.toml", format!("base = \"circle.toml\"\n{TINY}"))
        .with("both.toml", with("steps = 6", "steps = 6\nepochs = 2"))
        .with("neither.toml", with("steps = 6\n", ""))
        .with("bare.toml", with("valid = 0.1", "").replace("\"tiny\"", "\"bare\""))
        .with(
            "copied.toml",
            with(
                "type = \"lines\"\ncorpus = \"dinosaurs\"",
                "type = \"copy\"\ncorpus = \"none\"\nlength = 4\nletters = 3\ndocuments = 200",
            )
            .replace("\"tiny\"", "\"copied\""),
        )
        .with("foreign.toml", with("\"dinosaurs\"", "\"words.txt\"").replace("\"tiny\"", "\"foreign\""))
        .with("stream.toml", running("stream", "type = \"stream\"\nsteps = 10"))
        .with("windows.toml", running("windows", "type = \"windows\"\nlength = 10\nstride = 3\npredict = \"all\""))
        .with("experiments/own.toml", TINY)
        .with("steep.toml", steep);
    lab.ok(&format!("new cell mine --hatchery {}", root().display()));
    for name in ["bare", "copied", "foreign", "windows", "tiny"] {
        lab.ok(&format!("train {name}.toml --quiet"));
    }
    lab
}

/// The words of a command line; `''` is an empty one, and `ROOT` the checkout.
fn words(line: &str) -> Vec<String> {
    let word = |word: &str| match word {
        "''" => String::new(),
        "ROOT" => root().display().to_string(),
        word => word.to_owned(),
    };
    line.split_whitespace().map(word).collect()
}

/// Runs the cases one after the other: each hint is printed, and leads to success.
fn follow(lab: &Lab, cases: &[Case]) {
    let run = |line: &str| {
        let words = words(line);
        lab.run_with(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let mut wrong = Vec::new();
    for Case { refused, hint, followed } in cases {
        let said = run(refused).stderr;
        if !said.contains(hint) {
            wrong.push(format!("{refused}: no `{hint}` in:\n{said}"));
        }
        let outcome = run(followed);
        if outcome.code != Some(0) {
            wrong.push(format!("{followed}: the hint `{hint}` leads to:\n{}", outcome.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Would catch: a hint that leads to the same or to another refusal.
#[test]
fn hints_on_the_command_line_lead_on() {
    follow(&lab(), COMMANDS);
}

/// Would catch: a path of Windows of which only "invalid escape" is said.
#[test]
fn a_path_with_backslashes_is_explained() {
    for (written, right) in
        [("C:\\\\users\\\\x".replace("\\\\", "\\"), "C:/users/x"), ("folder\\a.txt".to_owned(), "folder/a.txt")]
    {
        let lab = lab().with("own.toml", TINY.replace("\"dinosaurs\"", &format!("\"{written}\"")));
        let refusal = lab.refused("check own.toml");
        let way = refusal.split("write ").last().unwrap().trim();
        assert!(way.starts_with(&format!("\"{right}\", or '{written}'")), "{refusal}");
        if right.starts_with("folder") {
            let lab = lab.with("own.toml", TINY.replace("\"dinosaurs\"", &format!("\"{right}\"")));
            lab.ok("check own.toml");
        }
    }
}

/// Would catch: names of options that other programs have, and that lead to `--next` here.
#[test]
fn options_have_the_names_that_people_know() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    assert_eq!(lab.ok("sample -n 3 -t 0.5 -p tri"), lab.ok("sample --count 3 --temperature 0.5 --prefix tri"));
    assert_eq!(lab.ok("sample -n 3 --top-k 5"), lab.ok("sample --count 3 --sampler top-k:k=5"));
    assert_eq!(lab.ok("sample -n 3 --top-p 0.5"), lab.ok("sample --count 3 --sampler top-p:p=0.5"));
    let chain = "--sampler temperature:temperature=0.8 --sampler top-k:k=5 --sampler top-p:p=0.9";
    let both = lab.ok("sample -n 3 -t 0.8 --top-k 5 --top-p 0.9");
    assert_eq!(both, format!("temperature 0.8:\n{}", lab.ok(&format!("sample -n 3 {chain}"))));
    assert!(lab.refused("sample --top-k 0").contains("out of range: 0"));
}

/// Would catch: a stream of which half seems to be held out, and a space that cannot be seen.
#[test]
fn numbers_and_symbols_are_shown_as_what_they_are() {
    let stream = TINY
        .replace("type = \"lines\"\ncorpus = \"dinosaurs\"", "type = \"stream\"\nsteps = 10\ncorpus = \"text.txt\"");
    let lab = Lab::new().with("text.txt", "to be or not to be \n".repeat(50)).with("stream.toml", stream);
    let printed = lab.run("train stream.toml --set split.test=0.1").stderr;
    assert!(
        printed.contains(
            "tiny: 800 characters in 4 parallel streams, 100 held out for validation, 100 held out for test; "
        ),
        "{printed}"
    );
    let next = lab.ok("sample --next 20");
    assert!(
        next.lines().any(|line| line.starts_with("␣ ")) && next.lines().any(|line| line.starts_with("\\n ")),
        "{next}"
    );
    let both = lab.run("train tiny.toml --set split.test=0.1").stderr;
    assert!(both.contains(" 240 held out, "), "the test split is held out too: {both}");
}
