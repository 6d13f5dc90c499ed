//! What is refused, where the caret stands, and in which words.

use hatchery::experiment::reading;

use super::{LEAST, check_headlines, check_said, least, read, refusal, said};

#[test]
fn an_unknown_key() {
    check_said(
        &refusal(&least("hidden = 8", "hiden = 8")),
        r#"
error: unknown key `hiden` in [cell] (type = "gru")
 --> test.toml:9:1
  |
9 | hiden = 8
  | ^^^^^
  |
  = known keys: activation, bias, gate, hidden, penalties, start, wrap
hint: did you mean `hidden`?"#,
    );
}

/// A key in the wrong table is no typo: saying where it belongs helps, guessing a similar name does not.
#[test]
fn a_key_of_another_table() {
    let said = refusal(&least("steps = 10", "steps = 10\nhidden = 3"));
    assert!(said.contains("hint: `hidden` is a key of [cell]"), "{said}");
    let said = refusal(&least("steps = 10", "steps = 10\nlimit = 3.0"));
    assert!(said.contains("hint: `limit` is a key of [clipper]"), "{said}");
    let said = refusal(&least("steps = 10", "steps = 10\nseed = 3"));
    assert!(said.contains("hint: `seed` stands outside of all tables, before the first one"), "{said}");
}

/// All problems are reported together, in the order of the file.
#[test]
fn all_problems_come_at_once_and_in_order() {
    let text = r#"name = "my run"
sede = 3

[trian]
steps = 10

[dataset]
type = "lines"

[model]
layers = 0
dropout = "0.5"
embedding = "onehot"

[cell]
type = "gur"
hidden = 8
activation = "tan"
gate = { ofset = 1 }

[[clipper]]
type = "value"
limit = 0.0

[clippers]

[optimizer]
type = "sgd"
momentum = 1.5

[sample]
count = 1.0
length = 99999999999999999999999999
"#;
    check_headlines(
        &refusal(text),
        &[
            "1:8 `name` cannot be \"my run\": it names a folder as well",
            "2:1 unknown key `sede`",
            "4:2 unknown table [trian]",
            "7:1 missing key `corpus` in [dataset] (type = \"lines\")",
            "11:10 `layers` in [model] is out of range: 0",
            "12:11 wrong type for `dropout` in [model]: a string",
            "13:13 unknown value \"onehot\" for `embedding` in [model]",
            "16:8 there is no cell named `gur`",
            "18:14 unknown value \"tan\" for `activation` in [cell] (type = \"gru\")",
            "19:10 unknown key `ofset` in [cell.gate]",
            "23:9 `limit` in [[clipper]] (type = \"value\") is out of range: 0",
            "25:2 unknown table [clippers]",
            "27:1 missing key `learning-rate` in [optimizer] (type = \"sgd\")",
            "29:12 `momentum` in [optimizer] (type = \"sgd\") is out of range: 1.5",
            "32:9 wrong type for `count` in [sample]: a number with a fraction",
            "33:10 `length` in [sample] is out of range: 99999999999999999999999999",
        ],
    );
}

/// Would catch: what follows from a fault printed beside it, as if it were another.
#[test]
fn one_fault_is_one_message() {
    let registry = hatchery_cli::registry().unwrap();
    for (set, message) in [
        ("sampler.0.type=topk", "1:22 there is no sampler named `topk`"),
        ("cell.type=lstn", "1:17 there is no cell named `lstn`"),
        ("model.dropout=1.5", "1:21 `dropout` in [model] is out of range: 1.5"),
        ("split.valid=2", "1:19 `valid` in [split] is out of range: 2"),
        ("train.lr=0.1", "1:13 unknown key `lr` in [train]"),
    ] {
        let bare = least("[optimizer]\ntype = \"sgd\"\nlearning-rate = 0.01\n", "[optimizer]\ntype = \"sgd\"\n");
        let text = if set.contains("lr") { bare.as_str() } else { LEAST };
        check_headlines(&said(reading::from_text(text, "test.toml", &[set.to_owned()], &registry)), &[message]);
    }
}

/// What other frameworks call our keys, tables and plugins. Would catch: a newcomer left with a list of names of which
/// none looks like his.
#[test]
fn names_of_other_frameworks() {
    let registry = hatchery_cli::registry().unwrap();
    let check = |text: &str, set: &[&str], hint: &str| {
        let set: Vec<_> = set.iter().map(|set| (*set).to_owned()).collect();
        let said = said(reading::from_text(text, "test.toml", &set, &registry));
        assert!(
            said.contains(&format!("hint: {hint}\n")) || said.ends_with(&format!("hint: {hint}")),
            "{set:?}\n{said}"
        );
    };
    for (set, hint) in [
        ("optimizer.lr=0.1", "did you mean `learning-rate`?"),
        ("train.lr=0.1", "did you mean `optimizer.learning-rate`?"),
        ("lr=0.1", "did you mean `optimizer.learning-rate`?"),
        ("optimizer.weight_decay=0.1", "`weight-decay` is a key of [optimizer] with `type = \"adamw\"`"),
        ("train.batch_size=8", "did you mean `batch`?"),
        ("batch_size=8", "did you mean `train.batch`?"),
        ("train.num_epochs=8", "did you mean `epochs`?"),
        ("epochs=8", "`epochs` is a key of [train]"),
        ("cell.units=8", "did you mean `hidden`?"),
        ("model.hidden_size=8", "did you mean `cell.hidden`?"),
        ("cell.num_layers=2", "did you mean `model.layers`?"),
        ("cell.dropout=0.1", "`dropout` is a key of [model] or [layer]"),
        ("dataset.seq_length=9", "did you mean `length`?"),
        ("train.seq_length=9", "did you mean `dataset.steps` or `dataset.length`?"),
        ("train.random_seed=9", "did you mean `seed`, outside of all tables?"),
        ("train.grad_clip=5", "did you mean a table [[clipper]] with `limit`?"),
        ("cell.type=rnn", "did you mean `vanilla`?"),
        ("sampler.0.type=nucleus", "did you mean `top-p`?"),
    ] {
        check(LEAST, &[set], hint);
    }
    check(&least("steps = 10", "steps = 10\nlr = 1"), &[], "did you mean `learning-rate` in [optimizer]?");
    check(&least("[optimizer]", "[optim]"), &[], "did you mean `[optimizer]`?");
    let said = refusal(&least("[optimizer]\ntype = \"sgd\"\nlearning-rate = 0.01\n", ""));
    assert!(said.contains("missing table [optimizer]") && said.contains("known optimizers: adagrad, adam, "), "{said}");
}

#[test]
fn an_unknown_plugin() {
    check_said(
        &refusal(&least("\"gru\"", "\"gur\"")),
        r#"
error: there is no cell named `gur`
 --> test.toml:8:8
  |
8 | type = "gur"
  |        ^^^^^
  |
  = known cells: gru, plain
hint: did you mean `gru`?"#,
    );
    let said = refusal(&least("\"sgd\"", "\"lamb\""));
    assert!(said.contains("error: there is no optimizer named `lamb`"), "{said}");
    assert!(said.contains("known optimizers: adagrad, adam, adamw, rmsprop, sgd"), "{said}");
    assert!(!said.contains("hint"), "nothing is near: {said}");
}

#[test]
fn a_plugin_that_refuses_its_keys() {
    check_said(
        &refusal(&least("\"gru\"\nhidden = 8", "\"plain\"\nhidden = 7")),
        r"
error: the cell `plain` refuses its keys: 7 units cannot be halved
 --> test.toml:7:1
  |
7 | [cell]
  | ^^^^^^",
    );
}

/// A type that is accepted in the place of another would be read as something else, or panic later.
#[test]
fn wrong_types() {
    for (old, new, message, hint) in [
        (
            "hidden = 8",
            "hidden = 8.0",
            "wrong type for `hidden` in [cell] (type = \"gru\"): a number with a fraction",
            "did you mean `8`?",
        ),
        (
            "hidden = 8",
            "hidden = \"8\"",
            "wrong type for `hidden` in [cell] (type = \"gru\"): a string",
            "leave out the quotes",
        ),
        ("hidden = 8", "hidden = 2026-01-01", "wrong type for `hidden` in [cell] (type = \"gru\"): a date or time", ""),
        (
            "hidden = 8",
            "hidden = 8\nbias = \"true\"",
            "wrong type for `bias` in [cell] (type = \"gru\"): a string",
            "leave out the quotes",
        ),
        ("hidden = 8", "hidden = 8\ngate = [1]", "wrong type for `gate` in [cell] (type = \"gru\"): a list", ""),
        ("hidden = 8", "hidden = 8\ngate.scales = [\"a\"]", "wrong type for an item of `scales`: a string", ""),
        (
            "hidden = 8",
            "hidden = 8\nstart = \"zero\"",
            "wrong type for `start` in [cell] (type = \"gru\"): a string",
            "",
        ),
        ("hidden = 8", "hidden = 8\nstart = {}", "missing key `kind` in [cell.start]", ""),
        (
            "hidden = 8",
            "hidden = 8\nstart.kind = \"levl\"",
            "unknown value \"levl\" for `kind` in [cell.start]",
            "did you mean `level`?",
        ),
        ("\"gru\"", "7", "wrong type for `type` in [cell]: an integer", ""),
        ("\"least\"", "2024", "wrong type for `name`: an integer", "put it in quotes"),
        ("\"dinosaurs\"", "[\"a\"]", "wrong type for `corpus` in [dataset] (type = \"lines\"): a list", ""),
        ("\"dinosaurs\"", "{ globe = \"a\" }", "unknown key `globe` in [dataset.corpus]", "did you mean `glob`?"),
        ("\"dinosaurs\"", "\"\"", "`corpus` in [dataset] (type = \"lines\") has 0 characters", ""),
        ("\"dinosaurs\"", "\"x\"\npadding = \"ab\"", "`padding` in [dataset] (type = \"lines\") has 2 characters", ""),
        (
            "\"dinosaurs\"",
            "\"x\"\nlength = 4294967296",
            "`length` in [dataset] (type = \"lines\") is out of range: 4294967296",
            "",
        ),
        ("0.01", "nan", "`learning-rate` in [optimizer] (type = \"sgd\") is out of range: NaN", ""),
        ("0.01", "1e999", "`learning-rate` in [optimizer] (type = \"sgd\") is out of range: inf", ""),
        (
            "[cell]",
            "[[cell]]",
            "wrong type for `cell`: a list of tables",
            "there is one such table only: write its header in single brackets",
        ),
        (
            "[train]",
            "[sampler]\ntype = \"temperature\"\n[train]",
            "wrong type for `sampler`: a table",
            "there may be several such tables: write the header in double brackets; did you mean `[sample]`?",
        ),
        (
            "[train]",
            "[[sample]]\ntype = \"temperature\"\n[train]",
            "wrong type for `sample`: a list of tables",
            "there is one such table only: write its header in single brackets; did you mean `[[sampler]]`?",
        ),
        (
            "steps = 10",
            "steps = 10\nembedding = 0",
            "unknown key `embedding` in [train]",
            "`embedding` is a key of [model]",
        ),
        ("[train]", "[model]\nembedding = 0\n[train]", "`embedding` in [model] is out of range: 0", ""),
    ] {
        let said = refusal(&least(old, new));
        assert!(said.contains(message), "{new}: {message}\n{said}");
        assert!(said.contains(&format!("hint: {hint}")) || hint.is_empty(), "{new}: {hint}\n{said}");
    }
}

#[test]
fn contradictory_keys() {
    for (old, new, message) in [
        ("steps = 10", "steps = 10\nepochs = 2", "17:1 both `steps` and `epochs` in [train]"),
        ("steps = 10", "batch = 2", "15:1 neither `steps` nor `epochs` in [train]"),
        ("[train]", "[numpy]\n[train]", "15:1 [numpy] without `rng = \"numpy\"`"),
        (
            "\n[dataset]",
            "rng = \"numpy\"\nseed = 4294967296\n[dataset]",
            "3:8 `seed` is too large for NumPy's generator: 4294967296",
        ),
        (
            "[train]",
            "[split]\nvalid = 0.5\ntest = 0.5\n[train]",
            "17:8 nothing is left to train on: `valid` and `test` in [split] together are 1 or more",
        ),
        (
            "[train]",
            "[backend]\ndevice = \"wgpu:1\"\ndtype = \"f64\"\n[train]",
            "17:9 device \"wgpu\" has no 64-bit numbers",
        ),
        ("[train]", "[backend]\ndevice = \"gpu\"\n[train]", "16:10 unknown device \"gpu\""),
        (
            "[train]",
            "[backend]\ndevice = \"cuda:\"\n[train]",
            "16:10 no index or name after the colon in device \"cuda:\"",
        ),
        ("[train]", "[backend]\ndevice = \"cpu:1\"\n[train]", "16:10 device \"cpu\" takes no index"),
        (
            "[train]",
            "[model]\ndropout = 0.5\n[train]",
            "16:11 `dropout` in [model] has no effect: it stands between layers, and there is one",
        ),
        (
            "[train]",
            "[model.initializer]\ntype = \"values\"\nvalues = [1.0]\n[train]",
            "16:8 [model.initializer] is for every weight matrix, `values` fits only one",
        ),
    ] {
        check_headlines(&refusal(&least(old, new)), &[message]);
    }
    for fine in [
        least("[train]", "[model]\ndropout = 0.5\ndropout-last = true\n[train]"),
        least("[train]", "[model]\ndropout = 0.5\nlayers = 2\n[train]"),
        least("[train]", "[backend]\ndevice = \"cuda:0\"\ndtype = \"f64\"\n[train]"),
        least("[train]", "[backend]\ndevice = \"wgpu:llvmpipe\"\n[train]"),
        least("steps = 10", "steps = 10\norder = \"random\"\ncarry-state = true"),
        least("\"least\"", "\"least\"\nseed = 18446744073709551615"),
    ] {
        read(&fine).unwrap_or_else(|error| panic!("{fine}\n{error}"));
    }
}

#[test]
fn broken_syntax() {
    check_said(
        &refusal(&least("\"gru\"", "gru")),
        r"
error: not valid TOML: string values must be quoted, expected literal string
 --> test.toml:8:8
  |
8 | type = gru
  |        ^^^",
    );
    check_headlines(
        &refusal(&least("name = \"least\"", "name = least\nseed = 1 2")),
        &[
            "1:8 not valid TOML: string values must be quoted, expected literal string",
            "2:8 not valid TOML: string values must be quoted, expected literal string",
        ],
    );
}

/// The first of the two is used for what follows, so the other problems of the file are printed as well.
#[test]
fn a_duplicate_key() {
    check_headlines(
        &refusal(&least("hidden = 8", "hidden = 8\nhidden = 9\nbais = true")),
        &["10:1 duplicate key `hidden`", "11:1 unknown key `bais` in [cell] (type = \"gru\")"],
    );
    let said = refusal(&format!("{LEAST}[sample]\ncount = 1\n[[sample]]\ntype = \"temperature\"\n"));
    assert!(said.contains("hint: keep one of the two; did you mean `sampler`?"), "{said}");
}
