//! `hatchery runs show` and `hatchery runs metrics`: what one run recorded.

use std::{collections::BTreeMap, path::Path};

use hatchery::{
    error::{Problem, Result},
    plot::chart,
    run::{
        directory::{self, RunDirectory, RunRef, Validation, diverged},
        log::{self, Metric, SampleRow, Time},
        seal,
    },
};
use serde_json::{Map, Value, json};

use crate::show;

/// The legend of the losses in the tables.
pub(crate) const LOSSES: &str =
    "nats per character; training and validation: the last ones; best: the lowest validation, in best.safetensors";

/// A loss in a table.
pub(crate) fn loss(nats: Option<f64>) -> String {
    nats.map_or("–".to_owned(), |nats| show::loss(nats, 4))
}

/// The folder of the run that an argument names, by default of the newest run.
pub(crate) fn folder(run: Option<&Path>, root: &Path) -> Result<RunDirectory> {
    match directory::resolve(run, root)? {
        RunRef::Run(run) => Ok(run),
        RunRef::Checkpoint(path) => {
            Err(Problem::new(format!("`{}` is a checkpoint, not a run's folder", path.display()))
                .hint("name the folder that it is in")
                .into())
        }
    }
}

/// Prints the metrics of a run, one line each, with the seconds since its beginning.
pub(crate) fn metrics(run: Option<&Path>, root: &Path, json: bool) -> Result<()> {
    let run = folder(run, root)?;
    let metrics: Vec<Metric> = log::read(&run.metrics())?;
    let times: BTreeMap<u64, f64> =
        log::read::<Time>(&run.times())?.into_iter().map(|time| (time.step, time.seconds)).collect();
    let row = |metric: &Metric| columns(metric, times.get(&metric.step).copied());
    // All columns: those of a line with validation, if any has it.
    let widest = metrics.iter().find(|metric| metric.valid.is_some()).or(metrics.first());
    let heads: Vec<String> = widest.map(row).into_iter().flatten().map(|(head, _)| head).collect();
    if !json && !heads.is_empty() {
        out!("{}", heads.join(","));
    }
    // Line by line: a log may have a million.
    for row in metrics.iter().map(row) {
        if json {
            out!("{}", Value::Object(row));
        } else {
            let cell =
                |head: &String| row.get(head).filter(|value| !value.is_null()).map_or(String::new(), Value::to_string);
            out!("{}", heads.iter().map(cell).collect::<Vec<_>>().join(","));
        }
    }
    Ok(())
}

/// The numbers of a line of metrics under their names, those of validation as `valid_…`.
fn columns(metric: &Metric, seconds: Option<f64>) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("step".to_owned(), metric.step.into());
    row.insert("seconds".to_owned(), seconds.into());
    let Ok(Value::Object(all)) = serde_json::to_value(metric) else { return row };
    for (key, value) in all {
        match value {
            Value::Object(valid) => {
                row.extend(valid.into_iter().map(|(inner, value)| (format!("{key}_{inner}"), value)));
            }
            value => {
                row.insert(key, value);
            }
        }
    }
    row
}

/// Prints a run's experiment, its loss curve, and its last report.
pub(crate) fn show(run: Option<&Path>, root: &Path, json: bool) -> Result<()> {
    let run = folder(run, root)?;
    let experiment = run.recorded_experiment()?;
    let metrics: Vec<Metric> = log::read(&run.metrics())?;
    seal::changed_since_checkpoint(&run).iter().for_each(super::warn);
    let mut samples: Vec<SampleRow> = log::read(&run.samples())?;
    if let Some(last) = samples.last().map(|sample| sample.step) {
        samples.retain(|sample| sample.step == last);
    }
    if json {
        let (valid, best) = Validation::of(&metrics);
        let training = metrics.last().map(|last| json!({ "step": last.step, "nats": last.nats() }));
        out!(
            "{}",
            json!({
                "run": run.to_string(),
                "note": run.note()?,
                "experiment": experiment,
                "training": training,
                "validation": valid,
                "best": best,
                "diverged": diverged(&metrics),
                "samples": samples,
            })
        );
        return Ok(());
    }
    out!("{}\n", run.path().display());
    if let Some(note) = run.note()? {
        out!("{note}\n");
    }
    out!("{experiment}");
    curve(&metrics);
    if let Some(last) = samples.last().map(|sample| sample.step) {
        out!("samples after step {last}:");
        let texts = samples.iter().map(|sample| sample.text.as_str());
        show::samples(texts, "  ").iter().for_each(|text| out!("{text}"));
    }
    Ok(())
}

fn curve(metrics: &[Metric]) {
    let Some(last) = metrics.last() else { return };
    let points: Vec<_> = metrics.iter().map(|metric| (metric.step as f64, metric.nats())).collect();
    out!("nats per character, training, by step:\n{}", chart(&points, 72, 12));
    let ending = if diverged(metrics) { "; it has diverged" } else { "" };
    out!("training: step {}, {} nats per character{ending}", last.step, show::loss(last.nats(), 4));
    let (valid, best) = Validation::of(metrics);
    if let Some(valid) = valid {
        out!("validation: step {}, {} nats per character", valid.step, show::loss(valid.nats, 4));
    }
    if let Some(best) = best {
        let nats = show::loss(best.nats, 4);
        out!("best validation: step {}, {nats} nats per character, kept in best.safetensors", best.step);
    }
    out!("");
}
