//! Reading experiment files: what is accepted, what is refused and in which words.

use std::{collections::BTreeSet, fs, path::Path};

use hatchery::{
    error::Error,
    experiment::{Corpus, DatasetPart, Embedding, Experiment, Optimizer, check, read},
    registry::Registry,
};
use proptest::prelude::*;
use serde_json::json;
use toml::de::{DeTable, DeValue};

/// Plugins with every sort of key: plain, limited, renamed, nested, tagged, words, lists, characters.
mod plugins {
    use hatchery_plugin::prelude::*;

    /// A gated cell.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[schemars(crate = "hatchery_plugin::schemars")]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    pub(super) struct Gru {
        /// Width of the hidden state.
        #[schemars(range(min = 1))]
        pub(super) hidden: usize,
        /// Whether there are biases.
        #[serde(default = "yes")]
        pub(super) bias: bool,
        /// The gates.
        #[serde(default)]
        pub(super) gate: Gate,
        /// What bends the candidate.
        #[serde(default, rename = "activation")]
        pub(super) bend: Bend,
        /// The first state.
        #[serde(default)]
        pub(super) start: Option<Start>,
    }

    fn yes() -> bool {
        true
    }

    /// The gates.
    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[schemars(crate = "hatchery_plugin::schemars")]
    #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
    pub(super) struct Gate {
        /// Added before the logistic function.
        pub(super) offset: f64,
        /// Its scale, for each gate.
        pub(super) scales: Vec<f64>,
    }

    /// What bends the candidate.
    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[schemars(crate = "hatchery_plugin::schemars")]
    #[serde(rename_all = "kebab-case")]
    pub(super) enum Bend {
        /// Hyperbolic tangent.
        #[default]
        Tanh,
        /// Its piecewise linear stand-in.
        HardTanh,
    }

    /// The first state.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[schemars(crate = "hatchery_plugin::schemars")]
    #[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case")]
    pub(super) enum Start {
        /// Nothing.
        Zero,
        /// One number.
        Level {
            /// The number.
            height: f32,
        },
    }

    /// A cell without gates, whose width must be even.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[schemars(crate = "hatchery_plugin::schemars")]
    #[serde(deny_unknown_fields, try_from = "PlainKeys")]
    pub(super) struct Plain {
        /// Width of the hidden state.
        pub(super) hidden: usize,
    }

    #[derive(Deserialize, JsonSchema)]
    #[schemars(crate = "hatchery_plugin::schemars")]
    #[serde(deny_unknown_fields)]
    struct PlainKeys {
        hidden: usize,
    }

    impl TryFrom<PlainKeys> for Plain {
        type Error = String;

        fn try_from(PlainKeys { hidden }: PlainKeys) -> Result<Self, String> {
            if hidden % 2 == 0 { Ok(Self { hidden }) } else { Err(format!("{hidden} units cannot be halved")) }
        }
    }

    impl Cell for Gru {
        fn params(&self, _: usize) -> Vec<ParamSpec> {
            Vec::new()
        }
        fn state(&self) -> Vec<StateSpec> {
            Vec::new()
        }
        fn outputs(&self) -> usize {
            self.hidden
        }
        fn step(&self, _: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
            (x, state)
        }
    }

    impl Cell for Plain {
        fn params(&self, _: usize) -> Vec<ParamSpec> {
            Vec::new()
        }
        fn state(&self) -> Vec<StateSpec> {
            Vec::new()
        }
        fn outputs(&self) -> usize {
            self.hidden
        }
        fn step(&self, _: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
            (x, state)
        }
    }

    /// One document a line.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[schemars(crate = "hatchery_plugin::schemars")]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    pub(super) struct Lines {
        /// What fills a sequence.
        #[serde(default = "space")]
        pub(super) padding: char,
        /// Cut to this many symbols.
        #[serde(default)]
        pub(super) length: Option<u32>,
    }

    fn space() -> char {
        ' '
    }

    impl Dataset for Lines {
        fn documents(&self, _: &Source<'_>) -> hatchery_plugin::Result<Documents> {
            Ok(Documents::Text(Vec::new()))
        }
        fn framing(&self) -> Framing {
            Framing::Stream { steps: 1 }
        }
    }

    /// Cuts each gradient.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[schemars(crate = "hatchery_plugin::schemars")]
    #[serde(deny_unknown_fields)]
    pub(super) struct Value {
        /// The largest size.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        pub(super) limit: f64,
    }

    impl Clipper for Value {
        fn clip(&self, gradients: Gradients) -> Gradients {
            gradients
        }
    }

    /// Divides the logits.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[schemars(crate = "hatchery_plugin::schemars")]
    #[serde(deny_unknown_fields, default)]
    pub(super) struct Temperature {
        /// The divisor.
        #[schemars(range(min = 0.01, max = 100.0))]
        pub(super) temperature: f64,
    }

    impl Default for Temperature {
        fn default() -> Self {
            Self { temperature: 1.0 }
        }
    }

    impl Sampler for Temperature {
        fn reshape(&self, _: &mut [f64], _: &[Token]) {}
    }

    hatchery_plugin::export! {
        cell "gru" => Gru,
        cell "plain" => Plain,
        dataset "lines" => Lines,
        clipper "value" => Value,
        sampler "temperature" => Temperature,
    }
}

fn registry() -> Registry {
    Registry::new([plugins::plugins()]).unwrap()
}

/// The least that an experiment can be.
const LEAST: &str = r#"name = "least"

[dataset]
type = "lines"
corpus = "dinosaurs"

[cell]
type = "gru"
hidden = 8

[optimizer]
type = "sgd"
learning-rate = 0.01

[train]
steps = 10
"#;

/// Everything that an experiment can say.
const FULL: &str = r#"name = "full-1.0"
seed = 7
rng = "numpy"

[numpy]
shuffle-seed = 3
reseed-each-character = true

[backend]
device = "flex"
dtype = "f64"

[dataset]
type = "lines"
corpus = { glob = "texts/*.txt" }
padding = "."
length = 20

[vocabulary]
lowercase = true
unknown = "skip"

[split]
valid = 0.1
test = 0.1
shuffle = true

[model]
embedding = 16
layers = 2
dropout = 0.25
dropout-last = true

[model.initialiser]
type = "uniform"
limit = 0.1

[cell]
type = "gru"
hidden = 64
bias = false
activation = "hard-tanh"

[cell.gate]
offset = -1
scales = [1, 2.5]

[cell.start]
kind = "level"
height = 0.5

[[clipper]]
type = "value"
limit = 5

[[clipper]]
type = "value"
limit = 1.5

[optimizer]
type = "adam"
learning-rate = 0.001
beta1 = 0.8
beta2 = 0.99
epsilon = 1e-7

[schedule]
type = "decay"
factor = 0.97
every = 1
unit = "steps"
start = 10

[train]
epochs = 3
batch = 50
order = "shuffled-once"
carry-state = true
loss = "sum"
log-every = 10
report-every = 20
checkpoint-every = 30

[train.smoothing]
decay = 0.999
start-length = 7.0

[[sampler]]
type = "temperature"
temperature = 0.8

[sample]
count = 3
length = 30
prefix = "a\"\n"
capitalise = true
"#;

fn read(text: &str) -> Result<Experiment, Error> {
    read::from_text(text, "test.toml", &[], &registry())
}

fn read_with(text: &str, overrides: &[&str]) -> Result<Experiment, Error> {
    let overrides: Vec<_> = overrides.iter().map(|argument| (*argument).to_owned()).collect();
    read::from_text(text, "test.toml", &overrides, &registry())
}

/// What is said about a text that must be refused.
fn refusal(text: &str) -> String {
    said(read(text))
}

fn said(outcome: Result<Experiment, Error>) -> String {
    let error = outcome.expect_err("it should be refused");
    assert_eq!(error.exit_code(), 2, "the user's fault: {error}");
    error.render(false)
}

/// The least experiment, with something in place of something else in it.
fn least(old: &str, new: &str) -> String {
    assert!(LEAST.contains(old), "{old}");
    LEAST.replacen(old, new, 1)
}

fn check_said(said: &str, expected: &str) {
    assert_eq!(said.trim(), expected.trim(), "\n{said}\n");
}

/// Defaults that do not reach the resolved experiment would be missing from the run's own copy of it.
#[test]
fn every_default_is_filled_in() {
    let experiment = read(LEAST).unwrap();
    assert_eq!(experiment.seed, 1);
    assert_eq!(experiment.train.batch, 32);
    assert_eq!(experiment.model.embedding, Embedding::OneHot);
    assert_eq!(
        serde_json::Value::Object(experiment.cell.keys),
        json!({
            "hidden": 8, "bias": true, "gate": { "offset": 0.0, "scales": [] }, "activation": "tanh", "start": null
        })
    );
    let DatasetPart { corpus, part } = experiment.dataset;
    assert_eq!(corpus, Corpus::Name("dinosaurs".to_owned()));
    assert_eq!(serde_json::Value::Object(part.keys), json!({ "padding": " ", "length": null }));
    assert_eq!(experiment.optimizer, Optimizer::Sgd { learning_rate: 0.01, momentum: 0.0 });
    assert!(experiment.numpy.is_none());
}

/// With NumPy's generator its own table is a default like any other.
#[test]
fn numpy_has_its_defaults_too() {
    let experiment = read(&format!("rng = \"numpy\"\n{LEAST}")).unwrap();
    assert_eq!(experiment.numpy, Some(hatchery::experiment::Numpy::default()));
}

/// A key that is not written, or written in a way that reads as something else, would make a resumed run another one.
#[test]
fn what_is_written_reads_as_the_same() {
    for text in [LEAST, FULL] {
        let experiment = read(text).unwrap();
        let written = experiment.to_toml();
        assert_eq!(read(&written).unwrap_or_else(|error| panic!("{error}\n{written}")), experiment, "{written}");
    }
}

#[test]
fn the_written_form_is_readable() {
    let written = read(LEAST).unwrap().to_toml();
    let expected = r#"name = "least"
seed = 1
rng = "hatchery"
clipper = []
sampler = []

[backend]
device = "cpu"
dtype = "f32"

[dataset]
type = "lines"
corpus = "dinosaurs"
padding = " "

[vocabulary]
lowercase = false
unknown = "error"

[split]
valid = 0.0
test = 0.0
shuffle = false

[model]
embedding = "one-hot"
layers = 1
dropout = 0.0
dropout-last = false

[cell]
type = "gru"
hidden = 8
bias = true
activation = "tanh"

[cell.gate]
offset = 0.0
scales = []

[optimizer]
type = "sgd"
learning-rate = 0.01
momentum = 0.0

[schedule]
type = "constant"

[train]
steps = 10
batch = 32
order = "shuffled"
carry-state = false
loss = "mean"
log-every = 100
report-every = 1000
checkpoint-every = 1000

[train.smoothing]
decay = 0.99
start-length = 1.0

[sample]
count = 7
length = 50
prefix = ""
capitalise = false
"#;
    assert_eq!(written, expected);
}

proptest! {
    /// Quotes, control characters, extreme numbers: whatever a value is, writing must not change it.
    #[test]
    fn any_value_is_written_faithfully(
        prefix in any::<String>(), seed in any::<u64>(), rate in f64::MIN_POSITIVE..f64::MAX, glob in "\\PC+",
    ) {
        let mut experiment = read(LEAST).unwrap();
        experiment.sample.prefix = prefix;
        experiment.seed = seed;
        experiment.optimizer = Optimizer::Sgd { learning_rate: rate, momentum: 0.5 };
        experiment.dataset.corpus = Corpus::Glob { glob };
        prop_assert_eq!(read(&experiment.to_toml()).unwrap(), experiment);
    }

    /// Reading is for whatever a user's editor or disk makes: it may refuse, it must not panic.
    #[test]
    fn no_text_makes_it_panic(at in 0..FULL.len(), garbage in "[\\[\\]{}=\",.#'\n a0é]{0,4}", cut in 0..20_usize) {
        prop_assume!(FULL.is_char_boundary(at) && FULL.is_char_boundary((at + cut).min(FULL.len())));
        let text = format!("{}{garbage}{}", &FULL[..at], &FULL[(at + cut).min(FULL.len())..]);
        if let Err(error) = read(&text) {
            prop_assert!(!error.render(false).is_empty());
        }
    }
}

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
  = known keys: activation, bias, gate, hidden, start
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

/// A reader who mends one problem at a time starts a run that many times; the order is that of the file.
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

/// The places and messages of all problems, in order.
fn check_headlines(said: &str, expected: &[&str]) {
    let mut found = Vec::new();
    for line in said.lines() {
        if let Some(message) = line.strip_prefix("error: ") {
            found.push(message.to_owned());
        } else if let (Some((_, place)), Some(last)) = (line.split_once("--> "), found.last_mut()) {
            let place: Vec<_> = place.rsplitn(3, ':').collect();
            *last = format!("{}:{} {last}", place[1], place[0]);
        }
    }
    assert_eq!(found, expected, "\n{said}\n");
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
        r#"
error: the cell `plain` refuses its keys: 7 units cannot be halved
 --> test.toml:7:1
  |
7 | [cell]
  | ^^^^^^"#,
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
fn combinations_that_cannot_be_meant() {
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
            "[model.initialiser]\ntype = \"values\"\nvalues = [1.0]\n[train]",
            "16:8 [model.initialiser] is for every weight matrix, `values` fits only one",
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

/// The first of the two is used for what follows, so the other problems of the file are told as well.
#[test]
fn a_duplicate_key() {
    check_headlines(
        &refusal(&least("hidden = 8", "hidden = 8\nhidden = 9\nbais = true")),
        &["10:1 duplicate key `hidden`", "11:1 unknown key `bais` in [cell] (type = \"gru\")"],
    );
    let said = refusal(&format!("{LEAST}[sample]\ncount = 1\n[[sample]]\ntype = \"temperature\"\n"));
    assert!(said.contains("hint: keep one of the two; did you mean `sampler`?"), "{said}");
}

/// Mistakes with whole files: each must name the file and what to do, not fail in some later step.
#[test]
fn files_that_are_no_experiments() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let said_of =
        |path: &Path| said(read::read(path, &[], &registry())).replace(&folder.path().display().to_string(), "F");
    fs::write(path("names.toml"), LEAST).unwrap();
    read::read(&path("names.toml"), &[], &registry()).unwrap();
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
    assert!(said.contains("an experiment needs at least: name, dataset, cell, optimizer, train"), "{said}");
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
    let derived = read::read(&path, &[], &registry()).unwrap();
    let mut expected = read(FULL).unwrap();
    expected.name = "derived".to_owned();
    expected.train.steps = Some(5);
    expected.train.epochs = None;
    expected.train.smoothing.decay = 0.5;
    expected.optimizer = Optimizer::Sgd { learning_rate: 1.0, momentum: 0.0 };
    expected.schedule = hatchery::experiment::Schedule::Constant;
    expected.cell.keys["hidden"] = json!(2);
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
    let said = said(read::from_text(text, &name("derived.toml"), &[], &registry()));
    assert!(said.contains(&format!("{}:10:1", name("base.toml"))), "{said}");
    assert!(said.contains(&format!("{}:3:9", name("derived.toml"))), "{said}");
}

#[test]
fn bases_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).display().to_string();
    let said_of = |text: &str| {
        fs::write(name("a.toml"), text).unwrap();
        said(read::read(Path::new(&name("a.toml")), &[], &registry()))
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
    assert_eq!(experiment.cell.keys["hidden"], json!(32));
    assert_eq!((experiment.train.steps, experiment.train.epochs), (Some(10), None));
    let limits: Vec<_> = experiment.clipper.iter().map(|clipper| &clipper.keys["limit"]).collect();
    assert_eq!(limits, [&json!(1.0), &json!(1.5), &json!(3.0)]);
    assert_eq!(experiment.name, "short");
    assert_eq!(experiment.sample.prefix, "b c");
    assert_eq!(experiment.cell.keys["gate"], json!({ "offset": -1.0, "scales": [1.0, 2.0] }));
}

/// A switch of the cell must not fail on the keys that only the file's cell has, and must keep the shared ones.
#[test]
fn another_type_from_the_command_line() {
    let experiment = read_with(FULL, &["cell.type=plain", "sampler.0.type=temperature"]).unwrap();
    assert_eq!((experiment.cell.name.as_str(), &experiment.cell.keys["hidden"]), ("plain", &json!(64)));
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
  = known keys: activation, bias, gate, hidden, start
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
        &["1:7 both `steps` and `epochs` in [train]"],
    );
    check_headlines(&said(read_with(FULL, &["clipper.limit=1"])), &["1:15 `limit` is no number of an entry in a list"]);
}

/// Documentation is made from these: a default or a limit that is lost here is lost in the book.
#[test]
fn keys_in_words() {
    let registry = registry();
    let schema = &registry.find(hatchery_plugin::Kind::Cell, "gru").unwrap().variant.schema;
    let lines: Vec<_> = check::keys(schema).iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "hidden: integer, at least 1; required; Width of the hidden state.",
            "bias: true or false; true; Whether there are biases.",
            "gate: table; { offset = 0.0, scales = [] }; The gates.",
            "activation: \"tanh\" or \"hard-tanh\"; \"tanh\"; What bends the candidate.",
            "start: table; none; The first state.",
        ]
    );
    let of_table = |table: &str, key: &str| {
        let keys = check::table_keys(table);
        line(keys.iter().find(|known| known.name == key).unwrap_or_else(|| panic!("{table}: {keys:?}")))
    };
    assert_eq!(
        of_table("train", "order"),
        "order: \"shuffled\", \"shuffled-once\", \"sequential\" or \"random\"; \"shuffled\"; The order of the sequences."
    );
    assert_eq!(
        of_table("", "name"),
        "name: string of at most 100 characters; required; Name of the experiment and of the folder under which its runs are kept."
    );
    assert_eq!(
        of_table("train.smoothing", "decay"),
        "decay: number, at least 0, at most 1; 0.99; Share of the mean that is kept each step."
    );
    assert_eq!(
        of_table("optimizer.adam", "beta1"),
        "beta1: number, at least 0, below 1; 0.9; Decay of the mean of gradients."
    );
    assert!(of_table("model.initialiser", "type").starts_with("type: \"zeros\", \"constant\""));
    assert_eq!(
        of_table("model", "embedding"),
        "embedding: \"one-hot\", or integer, at least 1; \"one-hot\"; `\"one-hot\"`, or the width of a learned embedding."
    );
    assert!(check::table_keys("cell").is_empty() && check::table_keys("nonsense").is_empty());
}

fn line(key: &check::Key) -> String {
    let default = match &key.default {
        Some(default) => default.as_str(),
        None if key.required => "required",
        None => "none",
    };
    format!("{}: {}; {default}; {}", key.name, key.kind, key.doc)
}

/// An editor that checks files against the schema must find every reference, and each plugin under its name.
#[test]
fn the_schema_of_whole_files() {
    let schema = check::schema(&registry());
    let cells: Vec<_> = schema["properties"]["cell"]["oneOf"].as_array().unwrap().iter().collect();
    assert_eq!(cells.iter().map(|cell| &cell["properties"]["type"]["const"]).collect::<Vec<_>>(), ["gru", "plain"]);
    assert_eq!(cells[0]["required"], json!(["type", "hidden"]));
    assert_eq!(schema["properties"]["clipper"]["items"]["oneOf"][0]["properties"]["type"]["const"], "value");
    assert!(schema["properties"]["dataset"]["oneOf"][0]["properties"]["corpus"].is_object());
    let mut pending = vec![&schema];
    let mut references = 0;
    while let Some(value) = pending.pop() {
        if let Some(pointer) = value.get("$ref").and_then(serde_json::Value::as_str) {
            assert!(schema.pointer(pointer.trim_start_matches('#')).is_some(), "{pointer}");
            references += 1;
        }
        pending.extend(value.as_object().into_iter().flat_map(|object| object.values()));
        pending.extend(value.as_array().into_iter().flatten());
    }
    assert!(references > 10, "{references}");
}

/// Without any plugin linked in, the message must still be about the plugin that is missing.
#[test]
fn no_plugins_at_all() {
    let said = said(read::from_text(LEAST, "test.toml", &[], &Registry::default()));
    check_headlines(&said, &["4:8 there is no dataset named `lines`", "8:8 there is no cell named `gru`"]);
    assert!(said.contains("known cells: none"), "{said}");
}

/// Every key and every table of the text, one letter dropped at a time, must be refused with the right suggestion:
/// a key that is let through is a value that silently is another one.
fn check_every_key(text: &str, name: &str, registry: &Registry) {
    let table = DeTable::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut keys = BTreeSet::new();
    collect_keys(table.get_ref(), &mut keys);
    for (start, end) in keys {
        let key = &text[start..end];
        for letter in (0..key.len()).filter(|_| key.len() > 1) {
            let mut typo = text.to_owned();
            typo.remove(start + letter);
            let wrong = &typo[start..end - 1];
            let said = match read::from_text(&typo, name, &[], registry) {
                Ok(_) => panic!("{name}: `{wrong}` for `{key}` is let through"),
                Err(error) => error.render(false),
            };
            let suggested =
                said.lines().filter(|line| line.starts_with("hint: ") && line.contains("did you mean")).any(|line| {
                    line.split('`').skip(1).step_by(2).any(|known| {
                        let known = known.trim_matches(['[', ']']);
                        known == key || known.ends_with(&format!(".{key}"))
                    })
                });
            assert!(suggested, "{name}: `{wrong}` for `{key}` is not understood:\n{said}");
        }
    }
}

/// The spans of all keys as they are written. The headers of a list of tables share the first one's key.
fn collect_keys(table: &DeTable<'_>, keys: &mut BTreeSet<(usize, usize)>) {
    for (key, value) in table {
        keys.insert((key.span().start, key.span().end));
        match value.get_ref() {
            DeValue::Table(inner) => collect_keys(inner, keys),
            DeValue::Array(items) => {
                for item in items.iter() {
                    if let DeValue::Table(inner) = item.get_ref() {
                        collect_keys(inner, keys);
                    }
                }
            }
            _ => {}
        }
    }
}

#[test]
fn every_key_with_a_letter_dropped_is_understood() {
    for (text, name) in [(LEAST, "least.toml"), (FULL, "full.toml")] {
        read(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        check_every_key(text, name, &registry());
    }
}
