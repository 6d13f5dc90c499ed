//! Where an experiment comes from: files, the files they are based on, `--set` arguments.

use std::{fs, path::Path};

use hatchery::experiment::{Optimizer, Schedule, reading};
use serde_json::json;

use super::{FULL, LEAST, check_headlines, check_said, least, read, read_with, registry, said};

/// Mistakes with whole files: each must name the file and what to do, not fail in some later step.
#[test]
fn files_that_are_not_experiments() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let said_of =
        |path: &Path| said(reading::read(path, &[], &registry())).replace(&folder.path().display().to_string(), "F");
    fs::write(path("names.toml"), LEAST).unwrap();
    reading::read(&path("names.toml"), &[], &registry()).unwrap();
    check_said(
        &said_of(&path("name.toml")),
        "error: there is no experiment file `F/name.toml`\n |\nhint: did you mean `F/names.toml`?",
    );
    check_said(
        &said_of(folder.path()),
        "error: `F` is a folder, not an experiment file\n |\n = experiment files in it: names.toml\nhint: name one of them: `F/names.toml`",
    );
    fs::write(path("empty.toml"), "\n# nothing\n").unwrap();
    let said = said_of(&path("empty.toml"));
    assert!(said.contains("error: the experiment file `F/empty.toml` is empty"), "{said}");
    assert!(said.contains("an experiment needs at least: name, dataset, optimizer, train, cell"), "{said}");
    fs::write(path("latin.toml"), b"name = \"a\"\n# caf\xe9\n").unwrap();
    let said = said_of(&path("latin.toml"));
    assert!(said.contains("error: `F/latin.toml` is not UTF-8 text"), "{said}");
    assert!(said.contains("the byte at offset 16, on line 2, is 0xe9"), "{said}");
    fs::write(path("line.toml"), format!("name = \"a\"\nx = \"{}\"\n", "y".repeat(10_000))).unwrap();
    let said = said_of(&path("line.toml"));
    assert!(said.contains("error: line 2 of `F/line.toml` is too long: 10006 bytes"), "{said}");
    fs::write(path("large.toml"), "# a comment\n".repeat(100_000)).unwrap();
    let said = said_of(&path("large.toml"));
    assert!(said.contains("error: `F/large.toml` is too large to be an experiment file"), "{said}");
}

/// TOML writes one number in many ways.
#[test]
fn numbers_in_every_form() {
    for (written, steps) in [("1_000", 1000), ("0x1F", 31), ("0b101", 5), ("+7", 7)] {
        let experiment = read(&least("steps = 10", &format!("steps = {written}"))).unwrap();
        assert_eq!(experiment.train.steps, Some(steps));
    }
    let experiment = read(&least("0.01", "1_0.5e-1")).unwrap();
    assert_eq!(experiment.optimizer, Optimizer::Sgd { learning_rate: 1.05, momentum: 0.0 });
}

/// Files of an editor on another system, with a mark before the first byte and other line ends.
#[test]
fn other_line_ends() {
    let text = format!("\u{feff}{}", LEAST.replace('\n', "\r\n"));
    assert_eq!(read(&text).unwrap(), read(LEAST).unwrap());
}

#[test]
fn a_file_over_its_base() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    };
    write("full.toml", FULL);
    write("inner/middle.toml", "base = \"../full.toml\"\n[train]\nsteps = 5\nsmoothing.decay = 0.5\n");
    let path = write(
        "derived.toml",
        "base = \"inner/middle.toml\"\nname = \"derived\"\n[optimizer]\ntype = \"sgd\"\nlearning-rate = 1\n\
         [cell]\nhidden = 2\n[[clipper]]\ntype = \"value\"\nlimit = 9\n[schedule]\ntype = \"constant\"\n",
    );
    let derived = reading::read(&path, &[], &registry()).unwrap();
    let mut expected = read(FULL).unwrap();
    expected.name = "derived".to_owned();
    expected.train.steps = Some(5);
    expected.train.epochs = None;
    expected.train.smoothing.decay = 0.5;
    expected.optimizer = Optimizer::Sgd { learning_rate: 1.0, momentum: 0.0 };
    expected.schedule = Schedule::Constant;
    expected.cell.as_mut().unwrap().part.keys["hidden"] = json!(2);
    expected.clipper.truncate(1);
    expected.clipper[0].keys["limit"] = json!(9.0);
    assert_eq!(derived, expected);
}

/// A caret in the wrong one of two files sends the reader to a line that is right.
#[test]
fn problems_of_a_base_are_placed_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).display().to_string();
    fs::write(name("base.toml"), least("hidden = 8", "hidden = 8\nbais = true")).unwrap();
    let text = "base = \"base.toml\"\n[train]\nbatch = 0\n";
    let said = said(reading::from_text(text, &name("derived.toml"), &[], &registry()));
    assert!(said.contains(&format!("{}:10:1", name("base.toml"))), "{said}");
    assert!(said.contains(&format!("{}:3:9", name("derived.toml"))), "{said}");
}

#[test]
fn bases_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).display().to_string();
    let said_of = |text: &str| {
        fs::write(name("a.toml"), text).unwrap();
        said(reading::read(Path::new(&name("a.toml")), &[], &registry()))
            .replace(&folder.path().display().to_string(), "F")
    };
    fs::write(name("b.toml"), "base = \"./a.toml\"\n").unwrap();
    check_said(
        &said_of("base = \"b.toml\"\n"),
        r#"
error: these files are based on each other in a circle
 --> F/b.toml:1:8
  |
1 | base = "./a.toml"
  |        ^^^^^^^^^^
  |
  = `F/a.toml` is based on `F/b.toml` is based on `F/./a.toml`
hint: take `base` out of one of them"#,
    );
    check_said(
        &said_of("base = \"c.toml\"\n"),
        r#"
error: there is no experiment file `F/c.toml`
 --> F/a.toml:1:8
  |
1 | base = "c.toml"
  |        ^^^^^^^^
  |
hint: did you mean `F/a.toml` or `F/b.toml`?"#,
    );
    assert!(said_of("base = 3\n").contains("1:8"));
    assert!(said_of("base = \"\"\n").contains("error: `base` is empty"));
}

#[test]
fn values_from_the_command_line() {
    let experiment = read_with(
        FULL,
        &[
            "cell.hidden=32",
            "train.steps = 10",
            "clipper.0.limit=1.0",
            "clipper.2.type=value",
            "clipper.2.limit=3",
            "name=short",
            "train.order=sequential",
            "sample.prefix=\"b c\"",
            "cell.gate.scales=[1, 2]",
        ],
    )
    .unwrap();
    assert_eq!(experiment.cell.as_ref().unwrap().part.keys["hidden"], json!(32));
    assert_eq!((experiment.train.steps, experiment.train.epochs), (Some(10), None));
    let limits: Vec<_> = experiment.clipper.iter().map(|clipper| &clipper.keys["limit"]).collect();
    assert_eq!(limits, [&json!(1.0), &json!(1.5), &json!(3.0)]);
    assert_eq!(experiment.name, "short");
    assert_eq!(experiment.sample.prefix, "b c");
    assert_eq!(experiment.cell.as_ref().unwrap().part.keys["gate"], json!({ "offset": -1.0, "scales": [1.0, 2.0] }));
}

/// A switch of the cell must not fail on the keys that only the file's cell has, and must keep the shared ones.
#[test]
fn another_type_from_the_command_line() {
    let experiment = read_with(FULL, &["cell.type=plain", "sampler.0.type=temperature"]).unwrap();
    let cell = &experiment.cell.as_ref().unwrap().part;
    assert_eq!((cell.name.as_str(), &cell.keys["hidden"]), ("plain", &json!(64)));
    assert_eq!(experiment.sampler[0].keys["temperature"], json!(0.8));
    let said = said(read_with(FULL, &["cell.type=plain", "cell.bias=true"]));
    check_headlines(&said, &["1:12 unknown key `bias` in [cell] (type = \"plain\")"]);
}

#[test]
fn mistakes_on_the_command_line() {
    check_said(
        &said(read_with(LEAST, &["cell.hiden=64"])),
        r#"
error: unknown key `hiden` in [cell] (type = "gru")
 --> --set:1:12
  |
1 | --set cell.hiden=64
  |            ^^^^^
  |
  = known keys: activation, bias, gate, hidden, penalties, start, wrap
hint: did you mean `hidden`?"#,
    );
    for (argument, place_and_message) in [
        ("cell.hidden=many", "1:19 wrong type for `hidden` in [cell] (type = \"gru\"): a string"),
        ("cell.hidden", "1:7 a value is missing"),
        ("cell.hidden=", "1:19 the value is empty"),
        ("cell..hidden=1", "1:7 a part of the key is empty"),
        ("trian.steps=1", "1:7 unknown table [trian]"),
        ("clipper.1.limit=1", "1:15 there is no entry 1"),
        ("clipper.limit=1", "1:7 wrong type for `clipper`: a table"),
        ("name.x=1", "1:12 wrong type for `name`: a table"),
        ("name=\"x", "1:14 not valid TOML: invalid basic string, expected `\"`"),
        ("base=x.toml", "1:7 `base` cannot be set on the command line"),
        ("train.epochs=0", "1:20 `epochs` in [train] is out of range: 0"),
    ] {
        check_headlines(&said(read_with(LEAST, &[argument])), &[place_and_message]);
    }
    check_headlines(
        &said(read_with(LEAST, &["train.steps=1", "train.epochs=2"])),
        &["1:13 both `steps` and `epochs` in [train]"],
    );
    check_headlines(
        &said(read_with(FULL, &["clipper.limit=1"])),
        &["1:15 `limit` is not the index of an entry in a list"],
    );
}
