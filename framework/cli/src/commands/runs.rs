//! `hatchery runs list` and `hatchery runs show`.

use std::path::Path;

use hatchery::{
    error::{Problem, Result},
    plot::chart,
    run::{
        directory::{self, RunDirectory, RunRef, Summary, Validation, diverged},
        log::{self, Metric, SampleRow},
        seal,
    },
};
use serde_json::json;

use crate::show::{self, Column};

/// The legend of the losses in the tables.
pub(crate) const LOSSES: &str =
    "nats per character; training and validation: the last ones; best: the lowest validation, in best.safetensors";

/// Prints one line per run.
pub(crate) fn list(root: &Path, json: bool) -> Result<()> {
    let runs = directory::list(root)?;
    if json {
        runs.iter().for_each(|run| out!("{}", row(run)));
        return Ok(());
    }
    if runs.is_empty() {
        out!("there are no runs in {} yet: hatchery train EXPERIMENT.toml", root.display());
        return Ok(());
    }
    let nats = |valid: Option<Validation>| loss(valid.map(|valid| valid.nats));
    let columns = [
        Column::left("run", runs.iter().map(name).collect()),
        Column::right("updates", runs.iter().map(|run| run.updates.to_string()).collect()),
        Column::right("training", runs.iter().map(|run| loss(run.loss)).collect()),
        Column::right("validation", runs.iter().map(|run| nats(run.valid)).collect()),
        Column::right("best", runs.iter().map(|run| nats(run.best)).collect()),
        Column::left("state", runs.iter().map(state).collect()),
    ];
    show::table(&columns).iter().for_each(|line| out!("{line}"));
    out!("\n{LOSSES}");
    Ok(())
}

fn row(run: &Summary) -> serde_json::Value {
    json!({
        "run": name(run),
        "updates": run.updates,
        "training": run.loss,
        "validation": run.valid,
        "best": run.best,
        "state": state(run),
    })
}

fn name(run: &Summary) -> String {
    format!("{}/{}", run.name, run.id)
}

fn state(run: &Summary) -> String {
    let is_locked = || RunDirectory::open(&run.path).is_ok_and(|directory| directory.is_locked());
    let state = if run.finished {
        "finished"
    } else if is_locked() {
        "training"
    } else {
        "interrupted"
    };
    let diverged = if run.diverged { ", diverged" } else { "" };
    let changed = if run.changed { ", log changed" } else { "" };
    format!("{state}{diverged}{changed}")
}

/// A loss in a table.
pub(crate) fn loss(nats: Option<f64>) -> String {
    nats.map_or("–".to_owned(), |nats| show::loss(nats, 4))
}

/// Prints a run's experiment, its loss curve, and its last report.
pub(crate) fn show(run: Option<&Path>, root: &Path, json: bool) -> Result<()> {
    let run = match directory::resolve(run, root)? {
        RunRef::Run(run) => run,
        RunRef::Checkpoint(path) => {
            return Err(Problem::new(format!("`{}` is a checkpoint, not a run's folder", path.display()))
                .hint("name the folder that it lies in")
                .into());
        }
    };
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
