//! Reading experiment files: what they become, what is refused, what is known about their keys.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod plugins;
mod refusals;
mod sources;

use std::collections::BTreeSet;

use hatchery::{
    error::Error,
    experiment::{Corpus, DatasetPart, Embedding, Experiment, Optimizer, checking, reading},
    plugins::Registry,
};
use proptest::prelude::*;
use serde_json::json;
use toml::de::{DeTable, DeValue};

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

[model.initializer]
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
capitalize = true
"#;

fn read(text: &str) -> Result<Experiment, Error> {
    reading::from_text(text, "test.toml", &[], &registry())
}

fn read_with(text: &str, overrides: &[&str]) -> Result<Experiment, Error> {
    let overrides: Vec<_> = overrides.iter().map(|argument| (*argument).to_owned()).collect();
    reading::from_text(text, "test.toml", &overrides, &registry())
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

/// Defaults that do not reach the resolved experiment would be missing from the run's own copy of it.
#[test]
fn every_default_is_filled_in() {
    let experiment = read(LEAST).unwrap();
    assert_eq!(experiment.seed, 1);
    assert_eq!(experiment.train.batch, 32);
    assert_eq!(experiment.model.embedding, Embedding::OneHot);
    assert_eq!(
        serde_json::Value::Object(experiment.cell.unwrap().part.keys),
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

/// With `NumPy`'s generator its own table is a default like any other.
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
unit = "character"
lowercase = false
newlines = "keep"
normalize = "none"
remove = ""
symbols = ""
min-count = 1
unknown = "error"
grow = false

[split]
valid = 0.0
test = 0.0
shuffle = false
duplicates = "keep"

[model]
embedding = "one-hot"
layers = 1
dropout = 0.0
dropout-last = false
head = "linear"

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
keep = 2
on-nonfinite = "stop"

[train.smoothing]
decay = 0.99
start-length = 1.0

[sample]
count = 7
length = 50
prefix = ""
capitalize = false
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
        experiment.dataset.corpus = Corpus::Glob { glob, column: None, separator: None };
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

/// Documentation is made from these: a default or a limit that is lost here is lost in the book.
#[test]
fn keys_in_words() {
    let registry = registry();
    let schema = &registry.find(hatchery_plugin::Kind::Cell, "gru").unwrap().variant.schema;
    let lines: Vec<_> = checking::keys(schema).iter().map(line).collect();
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
        let keys = checking::table_keys(table);
        line(keys.iter().find(|known| known.name == key).unwrap_or_else(|| panic!("{table}: {keys:?}")))
    };
    assert_eq!(
        of_table("train", "order"),
        "order: \"shuffled\", \"shuffled-once\", \"sequential\", \"by-length\" or \"random\"; \"shuffled\"; The order of the sequences."
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
    assert!(of_table("model.initializer", "type").starts_with("type: \"zeros\", \"constant\""));
    assert_eq!(
        of_table("model", "embedding"),
        "embedding: \"one-hot\", or integer, at least 1; \"one-hot\"; `\"one-hot\"`, or the width of a learned embedding."
    );
    assert!(checking::table_keys("cell").is_empty() && checking::table_keys("nonsense").is_empty());
}

fn line(key: &checking::Key) -> String {
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
    let schema = checking::schema(&registry());
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
        pending.extend(value.as_object().into_iter().flat_map(serde_json::Map::values));
        pending.extend(value.as_array().into_iter().flatten());
    }
    assert!(references > 10, "{references}");
}

/// Without any plugin linked in, the message must still be about the plugin that is missing.
#[test]
fn no_plugins_at_all() {
    let said = said(reading::from_text(LEAST, "test.toml", &[], &Registry::default()));
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
            let said = match reading::from_text(&typo, name, &[], registry) {
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
            let count = said.matches("error: ").count();
            assert!(count == 1 || said.contains("duplicate"), "{name}: `{wrong}` for `{key}` once is enough:\n{said}");
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
                for item in items {
                    if let DeValue::Table(inner) = item.get_ref() {
                        collect_keys(inner, keys);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The same for every experiment that is shipped, with the plugins that are.
#[test]
fn every_key_of_the_shipped_experiments_with_a_letter_dropped_is_understood() {
    let registry = hatchery_cli::registry().unwrap();
    for path in crate::lab::experiments() {
        // By its whole path: it may be based on another file.
        let path = crate::lab::root().join(path);
        let text = std::fs::read_to_string(&path).unwrap();
        check_every_key(&text, path.to_str().unwrap(), &registry);
    }
}

#[test]
fn every_key_with_a_letter_dropped_is_understood() {
    for (text, name) in [(LEAST, "least.toml"), (FULL, "full.toml")] {
        read(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        check_every_key(text, name, &registry());
    }
}
