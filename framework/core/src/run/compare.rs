//! Two runs side by side: do they hold the same, bit for bit? If not, where do they first part?

use std::{collections::BTreeSet, io, path::Path};

use serde::Serialize;
use serde_json::Value;

use super::{
    checkpoint::{self, Checkpoint},
    directory::RunDirectory,
    failure,
    log::{self, Metric, SampleRow},
};
use crate::{
    error::Result,
    experiment::{Train, compare::walk},
    files,
};

/// Everything in which two runs differ up to the same update, each difference in words; empty if they hold the same.
/// `updates` is how far the logs are compared.
///
/// # Errors
/// When a file of either cannot be read.
pub fn differences(one: &RunDirectory, other: &RunDirectory, updates: u64) -> Result<Vec<String>> {
    let (before, after) = (checkpoint::read(&one.checkpoint())?, checkpoint::read(&other.checkpoint())?);
    let mut found = checkpoints(&before, &after);
    let logs = [("metrics", one.metrics(), other.metrics()), ("samples", one.samples(), other.samples())];
    for (name, one, other) in logs.into_iter().chain([("events", one.events(), other.events())]) {
        found.extend(lines(name, &rows(&one, updates)?, &rows(&other, updates)?));
    }
    Ok(found)
}

/// The steps after which a run reported although its experiment does not ask for it. There it once was at its end; then it
/// was given more updates. Who repeats it has to end there first: it reported there, and a schedule may have depended on
/// the number of steps.
///
/// # Errors
/// When a log of the run cannot be read.
pub fn former_ends(run: &RunDirectory, train: &Train) -> Result<BTreeSet<u64>> {
    let metrics = log::read::<Metric>(&run.metrics())?.into_iter();
    let reported = metrics.filter(|row| row.valid.is_some() || !row.step.is_multiple_of(train.log_every));
    let sampled = log::read::<SampleRow>(&run.samples())?;
    let steps = reported.map(|row| row.step).chain(sampled.iter().map(|row| row.step));
    Ok(steps.filter(|step| !step.is_multiple_of(train.report_every)).collect())
}

/// Everything in which two checkpoints differ: of tensors the first that differs and how many more.
pub fn checkpoints(one: &Checkpoint, other: &Checkpoint) -> Vec<String> {
    let mut found = Vec::new();
    let (before, after) = (&one.meta, &other.meta);
    if before.progress.updates == after.progress.updates {
        found.extend(fields("progress", &before.progress, &after.progress));
    } else {
        found.push(format!("updates: {} and {}", before.progress.updates, after.progress.updates));
    }
    found.extend(fields("plugins", &before.plugins, &after.plugins));
    found.extend(fields("text", &before.data, &after.data));
    for (what, one, other) in
        [("experiment", &before.experiment, &after.experiment), ("vocabulary", &before.vocabulary, &after.vocabulary)]
    {
        found.extend(lines(what, &one.lines().collect::<Vec<_>>(), &other.lines().collect::<Vec<_>>()));
    }
    found.extend(tensors(one, other));
    found
}

/// Field for field, as they are written: `progress.best.nats: 2.1 before, 2.2 now`.
fn fields(name: &str, one: &impl Serialize, other: &impl Serialize) -> Vec<String> {
    let json = |value: serde_json::Result<Value>| value.unwrap_or_default();
    let mut found = Vec::new();
    walk(name, &json(serde_json::to_value(one)), &json(serde_json::to_value(other)), &mut found);
    found
}

fn tensors(one: &Checkpoint, other: &Checkpoint) -> Option<String> {
    let names = |checkpoint: &Checkpoint| checkpoint.tensors.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    if names(one) != names(other) {
        let (one, other) = (names(one), names(other));
        let odd = one.iter().find(|name| !other.contains(name)).or_else(|| other.iter().find(|it| !one.contains(it)));
        return Some(format!("tensors: `{}` is in one of them only, or in another place", odd.map_or("all", |it| it)));
    }
    let pairs = || one.tensors.iter().zip(&other.tensors);
    let (before, after) = pairs().find(|(before, after)| !before.is_identical(after))?;
    let more = pairs().filter(|(before, after)| !before.is_identical(after)).count() - 1;
    let [rows, columns] = before.shape;
    let Some(at) = before.values.first_difference(&after.values).filter(|_| before.shape == after.shape) else {
        return Some(format!("tensor `{}`: {:?} and {:?}", before.name, before.shape, after.shape));
    };
    let number = |value: Option<f64>| value.map_or("nothing".to_owned(), |value| format!("{value:e}"));
    Some(format!(
        "tensor `{}` [{rows}, {columns}], row {}, column {}: {} and {}; {more} more tensors differ",
        before.name,
        at / columns,
        at % columns,
        number(before.values.get(at)),
        number(after.values.get(at)),
    ))
}

/// The first line in which two texts differ.
fn lines<S: AsRef<str>>(name: &str, one: &[S], other: &[S]) -> Option<String> {
    let text = |lines: &[S], at: usize| lines.get(at).map_or("nothing".to_owned(), |line| line.as_ref().to_owned());
    let differs = |at: &usize| text(one, *at) != text(other, *at) || one.len() <= *at || other.len() <= *at;
    let at = (0..one.len().max(other.len())).find(differs)?;
    Some(format!("{name}, line {}:\n  {}\n  {}", at + 1, text(one, at), text(other, at)))
}

/// The lines of a log, as bytes would have them, up to an update; a last line that is half written is left out.
fn rows(path: &Path, updates: u64) -> Result<Vec<String>> {
    let text = match files::read_text(path, log::LARGEST) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failure("read", path, error)),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let step = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?.get("step")?.as_u64();
    Ok(whole.lines().filter(|line| step(line).is_none_or(|step| step < updates)).map(str::to_owned).collect())
}
