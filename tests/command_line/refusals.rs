//! What the program refuses: with exit code 2, with what is wrong, where and what to do, and before a run begins.

use crate::lab::{Lab, TINY};

/// The tiny experiment with something in place of something else.
fn tiny(old: &str, new: &str) -> String {
    assert!(TINY.contains(old), "{old}");
    TINY.replacen(old, new, 1)
}

/// Trains an experiment that must be refused, with every part of what is said.
fn check(content: impl AsRef<[u8]>, parts: &[&str]) {
    let lab = Lab::new().with("bad.toml", content);
    check_in(&lab, "train bad.toml", parts);
    assert!(lab.has_no_run(), "a run directory is left behind");
}

fn check_in(lab: &Lab, line: &str, parts: &[&str]) {
    let said = lab.refused(line);
    assert!(said.starts_with("error: "), "{said}");
    for part in parts {
        assert!(said.contains(part), "{line}: `{part}` is missing:\n{said}");
    }
}

/// The whole message, as it is in the terminal.
#[test]
fn a_misspelt_key() {
    let lab = Lab::new().with("bad.toml", tiny("hidden = 8", "hiden = 8"));
    let expected = r#"error: unknown key `hiden` in [cell] (type = "gru")
  --> bad.toml:12:1
   |
12 | hiden = 8
   | ^^^^^
   |
   = known keys: hidden, penalties, reset, wrap
hint: did you mean `hidden`?
"#;
    assert_eq!(lab.refused("train bad.toml"), expected);
    assert!(lab.has_no_run());
}

/// All of them together, so that a file is not fixed error by error.
#[test]
fn all_errors_are_reported_together() {
    let bad = tiny("hidden = 8", "hidden = 0").replace("learning-rate = 0.01", "learning-rate = -1");
    check(
        bad.replace("type = \"lines\"", "type = \"line\""),
        &["bad.toml:4:", "bad.toml:12:", "bad.toml:16:", "did you mean `lines`?", "at least 1", "above 0"],
    );
}

#[test]
fn values_out_of_range() {
    check(tiny("hidden = 8", "hidden = \"eight\""), &["wrong type for `hidden`", "bad.toml:12:10", "integer"]);
    check(tiny("type = \"gru\"", "type = \"gruu\""), &["no cell named `gruu`", "known cells", "did you mean `gru`?"]);
    check(tiny("steps = 6", "steps = 0"), &["`steps` in [train]", "at least 1"]);
    check(tiny("valid = 0.1", "valid = 1.5"), &["`valid` in [split]", "at most 0.9"]);
}

#[test]
fn files_that_are_not_experiments() {
    check("", &["`bad.toml` is empty", "an experiment needs at least: name"]);
    check(b"name = \"\xff\"\n", &["`bad.toml` is not UTF-8", "line 1", "hint: "]);
    check(format!("name = \"{}\"", "x".repeat(200_000)), &["line 1 of `bad.toml` is too long", "hint: "]);
    check(b"\xff\xfen\0a\0", &["`bad.toml` is UTF-16, not UTF-8", "iconv -f utf-16"]);
    check("name = ", &["bad.toml:1:"]);
    // Would catch: thousands of lines about the syntax of what was never meant as TOML.
    for text in ["Abelisaurus\nAchelousaurus\n".repeat(500), "To be, or not: that = the question\n# yes\n".repeat(9)] {
        let lab = Lab::new().with("words.txt", text);
        let said = lab.refused("train words.txt");
        assert!(said.contains("`words.txt` looks like a text, not like an experiment file"), "{said}");
        assert!(said.contains("corpus = \"words.txt\"") && said.lines().count() < 6, "{said}");
    }
    // A list of many lines is no text.
    check(TINY.replace("hidden = 8", &format!("hidden = [\n{}]", "  0.5 0.5,\n".repeat(500))), &["not valid TOML"]);
    let broken = Lab::new().with("bad.toml", TINY.replace(" = ", " = = ")).refused("train bad.toml");
    assert_eq!(broken.matches("error: ").count(), 5, "{broken}");
    let keys = TINY.matches(" = ").count();
    assert!(broken.contains(&format!("and {} more problems of syntax in `bad.toml`", keys - 5)), "{broken}");
    let lab = Lab::new();
    check_in(&lab, "train tinny.toml", &["there is no experiment file `tinny.toml`", "did you mean `tiny.toml`?"]);
    check_in(&lab, "train .", &["is a folder", "tiny.toml"]);
    assert!(lab.has_no_run());
}

#[test]
fn texts_that_cannot_be_trained_on() {
    let with = |content: &[u8], parts: &[&str]| {
        let own = tiny("corpus = \"dinosaurs\"", "corpus = \"own.txt\"").replace("valid = 0.1", "");
        let lab = Lab::new().with("own.toml", own).with("own.txt", content);
        check_in(&lab, "train own.toml", parts);
        assert!(lab.has_no_run());
    };
    with(b"", &["`own.txt` is empty", "hint: "]);
    with(b"caf\xe9\n", &["`own.txt` is not UTF-8", "offset 3", "hint: "]);
    with("a".repeat(30_000).as_bytes(), &["`own.txt` is too long: 30001 symbols, in line 1", "type = \"stream\""]);
    check(tiny("\"dinosaurs\"", "\"dinosaur\""), &["no corpus and no file `dinosaur`", "did you mean `dinosaurs`?"]);

    let stream = tiny("type = \"lines\"", "type = \"stream\"\nsteps = 5").replace("\"dinosaurs\"", "\"own.txt\"");
    let lab = Lab::new().with("own.toml", stream.replace("valid = 0.1", "")).with("own.txt", "a".repeat(1000));
    check_in(&lab, "train own.toml", &["at least two symbols", "only `a`"]);
    assert!(lab.has_no_run());
}

#[test]
fn characters_that_the_model_does_not_know() {
    check(
        tiny("length = 8", "length = 8\nprefix = \"T-Rex\""),
        &["no `T` (U+0054)", "prefix of the samples: \"T-Rex\""],
    );
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    check_in(&lab, "sample --prefix T-Rex", &["no `T`", "its symbols: \\nabc", "hint: begin samples with"]);
    check_in(&lab, "sample --prefix Rex", &["no `R`", "hint: the training text is in small letters", "\"rex\""]);
}

#[test]
fn devices_that_are_not_there() {
    let lab = Lab::new();
    check_in(&lab, "train tiny.toml --device gpu", &["unknown device \"gpu\"", "known devices: cpu, flex", "hint: "]);
    check_in(
        &lab,
        "train tiny.toml --device wgpu --set backend.dtype=f64",
        &["device \"wgpu\" has no 64-bit numbers", "dtype = \"f32\""],
    );
    if !cfg!(feature = "wgpu") {
        let parts = ["this build has no device `wgpu`", "cargo feature `wgpu`", "--features wgpu"];
        check_in(&lab, "train tiny.toml --device wgpu", &parts);
    }
    assert!(lab.has_no_run());
}

#[test]
fn overrides_on_the_command_line() {
    let lab = Lab::new();
    check_in(&lab, "train tiny.toml --set train.stesp=3", &["--set train.stesp=3\n", "did you mean `steps`?"]);
    check_in(&lab, "train tiny.toml --set cell.hidden=0", &["`hidden` in [cell]", "out of range: 0", "at least 1"]);
    check_in(&lab, "train tiny.toml --set cell.hidden", &["--set"]);
    check_in(&lab, "trian tiny.toml", &["unrecognized subcommand 'trian'", "'train'"]);
    check_in(&lab, "train tiny.toml --sett x=1", &["unexpected argument '--sett'", "'--set'"]);
    assert!(lab.has_no_run());
}

#[test]
fn runs_and_checkpoints_that_are_not_there() {
    let lab = Lab::new();
    for line in ["sample", "eval", "runs show", "sample tiny"] {
        check_in(&lab, line, &["there is no run in `runs`", "hatchery train"]);
    }
    lab.ok("train tiny.toml --quiet");
    check_in(&lab, "sample tinny", &["no run or checkpoint `tinny`", "runs in `runs`: tiny", "did you mean `tiny`?"]);
    check_in(
        &lab,
        "sample tiny.toml",
        &["`tiny.toml` is an experiment file, not a run", "hint: ", "hatchery runs list"],
    );
    check_in(&lab, "sample runs/tiny/001/metrics.jsonl", &["cannot read the checkpoint `runs/tiny/001/m", "hint: "]);
    check_in(&lab, "eval --split test", &["the experiment has no split `test`", "--set split.test=0.1"]);
}

/// One flipped bit, or an end that is missing, must not become a model that writes a little worse.
#[test]
fn damaged_checkpoints() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let whole = lab.bytes("runs/tiny/001/checkpoint.safetensors");
    for at in [0, 9, 200, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        let lab = Lab::new().with("damaged.safetensors", damaged);
        check_in(&lab, "sample damaged.safetensors", &["cannot read the checkpoint `damaged.safetensors`"]);
    }
    let lab = Lab::new().with("cut.safetensors", &whole[..whole.len() - 1]);
    check_in(&lab, "eval cut.safetensors", &["cannot read the checkpoint `cut.safetensors`"]);
}

#[test]
fn samples_that_cannot_be_drawn() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    for temperature in ["nan", "-1", "inf"] {
        let parts = ["a temperature is a number of at least 0", "hint: "];
        check_in(&lab, &format!("sample --temperature {temperature}"), &parts);
    }
    check_in(&lab, "sample --temperature hot", &["invalid value 'hot'"]);
    check_in(&lab, "sample --count 0", &["invalid value '0'"]);
    check_in(&lab, "sample --sampler top-q:p=0.5", &["no sampler named `top-q`", "known samplers: greedy, "]);
    check_in(&lab, "sample --sampler top-p", &["missing key `p`"]);
    check_in(&lab, "sample --sampler top-k:k=5,p=0.5", &["unknown key `p`", "known keys: k"]);
    check_in(&lab, "sample --sampler top-k:k=]", &["is not a name with keys", "hint: for example --sampler greedy"]);
}

#[test]
fn unknown_plugins_and_texts() {
    let lab = Lab::new();
    check_in(&lab, "plugins show cell gruu", &["no cell named `gruu`", "known cells", "did you mean `gru`?"]);
    check_in(&lab, "plugins show cel gru", &["a kind is one of dataset, cell, clipper, sampler"]);
    check_in(&lab, "data fetch dino", &["there is no text named `dino`", "known names: dinos"]);
    check_in(&lab, "data show dinosaurs --picture lengths.png", &["pictures are SVG", "lengths.svg"]);
    check_in(&lab, "data show nope", &["no corpus and no file `nope`", "hint: "]);
    let closed = "data fetch dinos --from http://127.0.0.1:1/";
    assert_ne!(lab.run(closed).code, Some(0));
    assert!(!lab.path("cache/dinos.txt").exists());
}
