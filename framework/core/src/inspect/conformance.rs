//! The conformance kit on plugins from libraries. It is asked when a library is first used, and its answer is kept beside the
//! list of trusted libraries, under the library's SHA-256.

use std::{collections::BTreeMap, fs, io::Write, path::Path};

use hatchery_plugin::{
    Variant,
    conformance::{self, Report},
};
use serde_json::Value;

use crate::{
    experiment::checking::example,
    files,
    plugins::{Entry, Verdict},
    replay::probe,
};

/// Bytes of the longest file of verdicts.
const LARGEST: u64 = 1 << 20;

/// Runs the kit on a plugin with these keys, and with each other value of its flags and enumerations in turn. `batch` is that
/// of an experiment, at which a cell is tried, too.
pub fn reports(variant: &Variant, keys: &Value, batch: Option<usize>) -> Vec<Report> {
    let report = |keys: &Value| {
        let mut report = match batch {
            Some(batch) => conformance::check_at(variant, keys.clone(), batch),
            None => conformance::check(variant, keys.clone()),
        };
        // Of a cell that breaks a promise the recording differs for the same reason.
        if report.passed() {
            probe(variant, keys, &mut report);
        }
        report
    };
    let first = report(keys);
    // What is wrong without an option is wrong with it.
    let options = if first.passed() { conformance::options(variant, keys) } else { Vec::new() };
    let others = options.iter().map(|changed| {
        let mut report = report(changed);
        report.subject = format!("{}, {}", report.subject, difference(keys, changed));
        report
    });
    std::iter::once(first).chain(others.collect::<Vec<_>>()).collect()
}

/// The keys that differ: `mode = "scaled"`.
fn difference(keys: &Value, changed: &Value) -> String {
    let changed = changed.as_object().into_iter().flatten().filter(|(key, value)| keys.get(key) != Some(value));
    changed.map(|(key, value)| format!("{key} = {value}")).collect::<Vec<_>>().join(", ")
}

/// The verdict on a plugin of a library: the one that is kept in the folder, or else a new one, which is kept there.
pub fn verdict(entry: &Entry, sha256: &str, folder: Option<&Path>) -> Verdict {
    let file = folder.map(|folder| folder.join(format!("{sha256}-{}.json", env!("CARGO_PKG_VERSION"))));
    let name = format!("{} {}", entry.variant.kind(), entry.variant.name);
    let mut known = file.as_deref().map(read).unwrap_or_default();
    if let Some(verdict) = known.get(&name) {
        return verdict.clone();
    }
    let verdict = examine(&entry.variant);
    known.insert(name, verdict.clone());
    if let Some(file) = file {
        // The verdict is a help: without it the next command asks the kit again.
        let _ = keep(&file, &known);
    }
    verdict
}

fn read(file: &Path) -> BTreeMap<String, Verdict> {
    let text = files::read_text(file, LARGEST).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn keep(file: &Path, known: &BTreeMap<String, Verdict>) -> std::io::Result<()> {
    file.parent().map_or(Ok(()), fs::create_dir_all)?;
    let text = serde_json::to_string(known)?;
    files::replace(file, |out| out.write_all(text.as_bytes()))
}

fn examine(variant: &Variant) -> Verdict {
    let keys = match example(variant) {
        Ok(keys) => keys,
        Err(error) => {
            return Verdict { summary: "it could not be checked".to_owned(), failures: vec![error.to_string()] };
        }
    };
    let reports = reports(variant, &keys, None);
    let failed = reports.iter().find(|report| !report.passed());
    let summary = failed.or(reports.first()).map(Report::summary).unwrap_or_default();
    let outcomes = failed.into_iter().flat_map(Report::failures);
    let failures =
        outcomes.map(|outcome| format!("{}: {}", outcome.check, outcome.result.clone().unwrap_or_else(|e| e)));
    Verdict { summary, failures: failures.collect() }
}
