//! How two experiments differ: a run may be continued only as the experiment that it was begun as.

use serde_json::Value;

use super::Experiment;

/// The keys in which two experiments differ, as `train.batch` or `clipper.0.limit`, each with its values.
pub fn differences(before: &Experiment, now: &Experiment) -> Vec<String> {
    let mut found = Vec::new();
    let json = |experiment| serde_json::to_value(experiment).unwrap_or_default();
    walk("", &json(before), &json(now), &mut found);
    found
}

/// The differences that forbid going on: all but a longer training and another device.
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
    differences(before, &now)
}

fn walk(path: &str, before: &Value, now: &Value, found: &mut Vec<String>) {
    let inner = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
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
