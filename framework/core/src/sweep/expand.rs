//! From `[[vary]]` to variants: lists and ranges become settings, the tables are multiplied.

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

use super::file::{Search, Written};
use crate::{
    error::{Place, Problem, Result},
    experiment::{
        checking::walk::Walk,
        reading::spanned::{Entry, Node, Value},
    },
    random::Stream,
};

/// A key with one of its values, as `--set` takes them, and where the value stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setting {
    pub(super) key: String,
    /// The value, as TOML.
    pub(super) value: String,
    pub(super) place: Place,
}

/// A range of numbers in place of a list. One of the first four, with `points` or `draws`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Range {
    /// From and to: `points` values at equal distances.
    linear: Option<[f64; 2]>,
    /// From and to: `points` values at equal ratios.
    log: Option<[f64; 2]>,
    /// From and to: `draws` values, evenly scattered.
    uniform: Option<[f64; 2]>,
    /// From and to: `draws` values, evenly scattered by their logarithms.
    log_uniform: Option<[f64; 2]>,
    /// How many values of `linear` or `log`, both ends included.
    #[schemars(range(min = 2, max = 10_000))]
    points: Option<u32>,
    /// How many values of `uniform` or `log-uniform`.
    #[schemars(range(min = 1, max = 10_000))]
    draws: Option<u32>,
}

/// The settings of every variant, in the order of the file: the last table changes fastest.
///
/// # Errors
/// When a list is empty or not as long as the others of its table, a key is varied twice, or a range is none.
pub(super) fn variants(written: &Written) -> Result<Vec<Vec<Setting>>> {
    let mut problems = Vec::new();
    let mut all = vec![Vec::new()];
    let mut seen: Vec<String> = Vec::new();
    let mut dimension = 0;
    for table in tables(&written.node) {
        let mut columns: Vec<Vec<Setting>> = Vec::new();
        for entry in &table.entries {
            if seen.contains(&entry.key) {
                problems.push(Problem::new(format!("`{}` is varied twice", entry.key)).at(entry.place.clone()));
            }
            seen.push(entry.key.clone());
            problems.extend(incomparable(&entry.key, &entry.place, written));
            match column(entry, written.sweep.seed, &mut dimension) {
                Ok(column) => columns.push(column),
                Err(found) => problems.extend(found),
            }
        }
        problems.extend(unequal(&columns));
        let rows = columns.iter().map(Vec::len).min().unwrap_or(1);
        let row = |at: usize| columns.iter().filter_map(|column| column.get(at).cloned()).collect::<Vec<_>>();
        all = all.iter().flat_map(|before| (0..rows).map(|at| [before.as_slice(), &row(at)].concat())).collect();
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    Ok(drawn(all, written))
}

fn tables(node: &Node) -> impl Iterator<Item = &crate::experiment::reading::spanned::Table> {
    let vary = node.find(&["vary"]).map(|entry| &entry.node.value);
    let items = if let Some(Value::Array(items)) = vary { items.as_slice() } else { &[] };
    items.iter().filter_map(Node::as_table)
}

/// The variants that random search trains, in the order of the file.
fn drawn(all: Vec<Vec<Setting>>, written: &Written) -> Vec<Vec<Setting>> {
    let Search::Random { variants } = written.sweep.search else { return all };
    let mut chosen = Stream::new(written.sweep.seed, "sweep variants", 0).choose(all.len(), variants.min(all.len()));
    chosen.sort_unstable();
    chosen.into_iter().map(|at| all[at].clone()).collect()
}

/// The values of one key.
fn column(entry: &Entry, seed: u64, dimension: &mut u32) -> std::result::Result<Vec<Setting>, Vec<Problem>> {
    let setting = |value: String, place: &Place| Setting { key: entry.key.clone(), value, place: place.clone() };
    match &entry.node.value {
        Value::Array(items) if items.is_empty() => {
            Err(vec![Problem::new(format!("`{}` has no values", entry.key)).at(entry.node.place.clone())])
        }
        Value::Array(items) => Ok(items.iter().map(|item| setting(toml(item), &item.place)).collect()),
        Value::Table(_) => {
            let schema = schema_for!(Range).to_value();
            let problems = Walk::over(&schema, &entry.node).problems;
            let range = serde_json::from_value(entry.node.to_json()).ok().filter(|_| problems.is_empty());
            let Some(values) = range.and_then(|range| numbers(&range, seed, dimension)) else {
                return Err(if problems.is_empty() { vec![no_range(entry)] } else { problems });
            };
            Ok(values.into_iter().map(|value| setting(value, &entry.node.place)).collect())
        }
        _ => Err(vec![
            Problem::new(format!("`{}` is varied over {}", entry.key, entry.node.described()))
                .at(entry.node.place.clone())
                .note("expected: a list of values, or a range such as { log-uniform = [1e-4, 1e-2], draws = 8 }")
                .hint(format!("for one value: [{}]", toml(&entry.node))),
        ]),
    }
}

/// A key whose values cannot be compared by the validation loss, or that the sweep has another key for.
pub(super) fn incomparable(key: &str, place: &Place, written: &Written) -> Option<Problem> {
    let root = key.split('.').next().unwrap_or_default();
    let (what, hint) = match (root, key) {
        ("split" | "vocabulary", _) | (_, "dataset.corpus" | "dataset") => {
            ("gives variants that are measured on different texts", "write a sweep for each text")
        }
        ("seed", _) => ("is varied by the sweep itself", "write [repeat] seeds = N"),
        (_, "train.steps" | "train.epochs") => ("is the same for all variants", "write [budget] steps = N"),
        (_, "cell.hidden") if written.sweep.size.is_some() => {
            ("is solved for by [size]", "take out [size], or the key")
        }
        ("name" | "base" | "plugins", _) => ("is no key that can be varied", "set it in the experiment"),
        _ => return None,
    };
    Some(Problem::new(format!("`{key}` {what}")).at(place.clone()).hint(hint))
}

fn no_range(entry: &Entry) -> Problem {
    Problem::new(format!("`{}` has no range", entry.key))
        .at(entry.node.place.clone())
        .note("`linear` and `log` go with `points`, `uniform` and `log-uniform` with `draws`; the first end is below the second")
        .hint("for example { log-uniform = [1e-4, 1e-2], draws = 8 }")
}

/// The numbers of a range, as TOML, to four digits. None where it is no range.
fn numbers(range: &Range, seed: u64, dimension: &mut u32) -> Option<Vec<String>> {
    let spaced = |count: u32| (0..count).map(move |at| f64::from(at) / f64::from(count - 1)).collect::<Vec<_>>();
    let (ends, is_log, shares) = match range {
        Range {
            linear: Some(ends),
            log: None,
            uniform: None,
            log_uniform: None,
            points: Some(points),
            draws: None,
        } => (ends, false, spaced(*points)),
        Range {
            linear: None,
            log: Some(ends),
            uniform: None,
            log_uniform: None,
            points: Some(points),
            draws: None,
        } => (ends, true, spaced(*points)),
        Range { linear: None, log: None, uniform: Some(ends), log_uniform: None, points: None, draws: Some(draws) } => {
            (ends, false, scattered(*draws, seed, dimension))
        }
        Range { linear: None, log: None, uniform: None, log_uniform: Some(ends), points: None, draws: Some(draws) } => {
            (ends, true, scattered(*draws, seed, dimension))
        }
        _ => return None,
    };
    let [from, to] = *ends;
    if !(from < to && to.is_finite() && from.is_finite()) || is_log && from <= 0.0 {
        return None;
    }
    let value = |share: f64| if is_log { from * (to / from).powf(share) } else { from + (to - from) * share };
    Some(shares.into_iter().map(|share| short(value(share))).collect())
}

/// Points of an Owen-scrambled Sobol sequence (Burley, 2020), one dimension for each range.
fn scattered(draws: u32, seed: u64, dimension: &mut u32) -> Vec<f64> {
    let own = *dimension;
    *dimension += 1;
    (0..draws).map(|at| f64::from(sobol_burley::sample(at, own % 256, seed as u32))).collect()
}

/// A number to four digits, as TOML.
fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    format!("{rounded:?}")
}

fn toml(node: &Node) -> String {
    if let Value::Float(number) = node.value {
        // As short as it can be read again.
        return format!("{number:?}");
    }
    toml::Value::try_from(node.to_json()).map_or_else(|_| String::new(), |value| value.to_string())
}

/// Lists of one table that are not equally long.
fn unequal(columns: &[Vec<Setting>]) -> Vec<Problem> {
    let Some(first) = columns.first().and_then(|column| column.first().map(|setting| (setting, column.len()))) else {
        return Vec::new();
    };
    let other =
        columns.iter().filter(|column| column.len() != first.1).filter_map(|column| Some((column.first()?, column)));
    other
        .map(|(setting, column)| {
            Problem::new(format!("`{}` has {} values and `{}` {}", first.0.key, first.1, setting.key, column.len()))
                .at(setting.place.clone())
                .note("the lists of one [[vary]] go together, first with first")
                .hint("write a [[vary]] of its own for each, to try all pairs")
        })
        .collect()
}
