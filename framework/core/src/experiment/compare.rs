//! How two experiments differ: a run may be continued only as the experiment that it was begun as.

use serde_json::{Value, json};

use super::{Experiment, HeldOut, write};

/// A key in which experiments differ, with its value in each of them; none where that experiment has no such key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferingKey {
    /// The key: `optimizer.learning-rate`.
    pub key: String,
    /// What it is in each experiment, in their order.
    pub values: Vec<Option<Value>>,
}

impl DifferingKey {
    /// The value in one of the experiments as a table shows it.
    pub fn shown(&self, index: usize) -> Option<String> {
        self.values[index].as_ref().map(write::plain)
    }
}

/// The keys in which experiments differ that may change what is learned. Left out are the name, what says only how a
/// training is reported and kept, and keys that one plugin has and another, in its place, has not.
pub fn varying(experiments: &[&Experiment]) -> Vec<DifferingKey> {
    let values = experiments.iter().map(|experiment| serde_json::to_value(experiment).unwrap_or_default());
    varying_values(&values.map(Some).collect::<Vec<_>>())
}

/// The same of experiments as they are recorded; nothing stands for one that cannot be read.
pub fn varying_values(experiments: &[Option<Value>]) -> Vec<DifferingKey> {
    let mut found = Vec::new();
    vary("", experiments, &mut found);
    found.retain(|varying| !BESIDE.iter().any(|beside| varying.key.starts_with(beside)));
    found
}

/// The keys in which experiments differ and that decide which text their validation is measured on: where there are any,
/// their numbers cannot be compared.
pub fn held_out(experiments: &[&Experiment]) -> Vec<DifferingKey> {
    let values: Vec<_> = experiments.iter().map(|experiment| Some(validated_on(experiment))).collect();
    let mut found = Vec::new();
    vary("", &values, &mut found);
    found
}

fn validated_on(experiment: &Experiment) -> Value {
    let Experiment { dataset, vocabulary, split, seed, .. } = experiment;
    let reads = json!({
        "unit": vocabulary.unit,
        "lowercase": vocabulary.lowercase,
        "newlines": vocabulary.newlines,
        "normalize": vocabulary.normalize,
        "remove": vocabulary.remove,
        "unknown": vocabulary.unknown,
    });
    if let HeldOut::Text(corpus) = &split.valid {
        return json!({ "vocabulary": reads, "split": { "valid": corpus } });
    }
    let seed = split.shuffle.then(|| split.seed.unwrap_or(*seed));
    json!({
        "dataset": { "type": dataset.part.name, "corpus": dataset.corpus },
        "vocabulary": reads,
        "split": { "valid": split.valid, "test": split.test, "duplicates": split.duplicates, "seed": seed },
    })
}

/// Beginnings of the keys that change nothing of what is learned.
const BESIDE: [&str; 6] = ["name", "sample", "train.log-every", "train.checkpoint-", "train.keep", "plugins"];

fn vary(path: &str, values: &[Option<Value>], found: &mut Vec<DifferingKey>) {
    let present = || values.iter().flatten();
    if present().all(Value::is_object) {
        let types: Vec<_> = present().map(|value| value.get("type")).collect();
        let alike = types.windows(2).all(|pair| pair[0] == pair[1]);
        let mut keys: Vec<&String> = Vec::new();
        for key in present().filter_map(Value::as_object).flat_map(|table| table.keys()) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        for key in keys {
            let of = |value: &Option<Value>| value.as_ref()?.get(key).filter(|value| !value.is_null()).cloned();
            let below: Vec<_> = values.iter().map(of).collect();
            // What another type does not know is no choice that was made.
            if alike || below.iter().all(Option::is_some) || differ(below.iter().flatten()) {
                vary(&inner(path, key), &below, found);
            }
        }
        return;
    }
    let length = |value: &Value| value.as_array().filter(|items| items.iter().all(Value::is_object)).map(Vec::len);
    let lengths: Vec<_> = values.iter().map(|value| value.as_ref().and_then(length)).collect();
    if let [Some(first), ..] = lengths[..]
        && lengths.iter().all(|length| *length == Some(first))
    {
        for index in 0..first {
            let below: Vec<_> = values.iter().map(|value| value.as_ref()?.get(index).cloned()).collect();
            vary(&inner(path, &index.to_string()), &below, found);
        }
    } else if differ(values) {
        found.push(DifferingKey { key: path.to_owned(), values: values.to_vec() });
    }
}

/// The path of a key of the table at a path.
fn inner(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn differ<T: PartialEq>(values: impl IntoIterator<Item = T>) -> bool {
    let values: Vec<_> = values.into_iter().collect();
    values.windows(2).any(|pair| pair[0] != pair[1])
}

/// The keys in which two experiments differ, as `train.batch` or `clipper.0.limit`, each with its values.
pub fn differences(before: &Experiment, now: &Experiment) -> Vec<String> {
    let mut found = Vec::new();
    let json = |experiment| serde_json::to_value(experiment).unwrap_or_default();
    walk("", &json(before), &json(now), &mut found);
    found
}

/// Keys that a resumed run may have other values of, beside `train.steps` and `train.epochs`, which may become more, and
/// `backend.device`: what is still to come depends on them, what was is as it was.
pub const RESUMABLE: [&str; 11] = [
    "optimizer.learning-rate",
    "schedule",
    "sample",
    "sampler",
    "train.checkpoint-every",
    "train.checkpoint-minutes",
    "train.keep",
    "train.log-every",
    "train.on-nonfinite",
    "train.patience",
    "train.report-every",
];

/// Those of them on which no number of the run depends.
const SILENT: [&str; 3] = ["train.checkpoint-every", "train.checkpoint-minutes", "train.keep"];

/// The differences between a run and what it is resumed as that have to be announced: those after which the run cannot
/// be repeated from its experiment.
pub fn announced(before: &Experiment, now: &Experiment) -> Vec<String> {
    let is_announced = |key: &&&str| !SILENT.contains(*key);
    let mut found = differences(before, now);
    found.retain(|difference| RESUMABLE.iter().filter(is_announced).any(|key| is_of(difference, key)));
    found
}

/// Whether a difference is one of a key or of the table of that name.
fn is_of(difference: &str, key: &str) -> bool {
    let rest = difference.strip_prefix(key).unwrap_or_default();
    rest.starts_with(':') || rest.starts_with('.')
}

/// The differences that forbid resuming: all but a longer training, another device, and those of [`RESUMABLE`].
pub fn obstacles(before: &Experiment, now: &Experiment) -> Vec<String> {
    let grown = |before: Option<u64>, now: Option<u64>| match (before, now) {
        (Some(before), Some(now)) => now >= before,
        (before, now) => before == now,
    };
    let mut now = now.clone();
    now.backend.device.clone_from(&before.backend.device);
    if grown(before.train.steps, now.train.steps) && grown(before.train.epochs, now.train.epochs) {
        (now.train.steps, now.train.epochs) = (before.train.steps, before.train.epochs);
    }
    let mut found = differences(before, &now);
    found.retain(|difference| !RESUMABLE.iter().any(|key| is_of(difference, key)));
    found
}

pub(crate) fn walk(path: &str, before: &Value, now: &Value, found: &mut Vec<String>) {
    let inner = |key: &str| inner(path, key);
    match (before, now) {
        (Value::Object(one), Value::Object(other)) => {
            for (key, before) in one {
                walk(&inner(key), before, other.get(key).unwrap_or(&Value::Null), found);
            }
            for (key, now) in other.iter().filter(|(key, _)| !one.contains_key(*key)) {
                walk(&inner(key), &Value::Null, now, found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (before, now)) in one.iter().zip(other).enumerate() {
                walk(&inner(&index.to_string()), before, now, found);
            }
        }
        _ if before == now => {}
        _ => found.push(format!("{path}: {} before, {} now", shown(before), shown(now))),
    }
}

fn shown(value: &Value) -> String {
    if value.is_null() { "nothing".to_owned() } else { value.to_string() }
}
