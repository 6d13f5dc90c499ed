//! `hatchery runs`: what has been trained so far.

use std::path::Path;

use hatchery::{
    error::{Problem, Result},
    run::{
        directory::{self, RunDirectory, Where},
        failure,
        log::{self, Metric, SampleRow},
        picture::chart,
    },
};

/// A line for every run.
pub(crate) fn list(root: &Path) -> Result<()> {
    let runs = directory::list(root)?;
    if runs.is_empty() {
        println!("there are no runs in {} yet: hatchery train EXPERIMENT.toml", root.display());
        return Ok(());
    }
    println!("{:<32} {:>9}  {:>10}  state", "run", "updates", "loss");
    for run in runs {
        let name = format!("{}/{}", run.name, run.id);
        let loss = run.loss.map_or("–".to_owned(), |loss| format!("{loss:.4}"));
        let is_locked = || RunDirectory::open(&run.path).is_ok_and(|directory| directory.is_locked());
        let state = if run.finished {
            "finished"
        } else if is_locked() {
            "training"
        } else {
            "cut short"
        };
        println!("{name:<32} {:>9}  {loss:>10}  {state}", run.updates);
    }
    Ok(())
}

/// An experiment, the curve of its losses, its last report.
pub(crate) fn show(run: Option<&Path>, root: &Path) -> Result<()> {
    let run = match directory::resolve(run, root)? {
        Where::Run(run) => run,
        Where::Checkpoint(path) => {
            return Err(Problem::new(format!("`{}` is a checkpoint, not a run's folder", path.display()))
                .hint("name the folder that it lies in")
                .into());
        }
    };
    println!("{}\n", run.path().display());
    let experiment =
        std::fs::read_to_string(run.experiment()).map_err(|error| failure("read", &run.experiment(), error))?;
    println!("{experiment}");
    curve(&run)?;
    let samples: Vec<SampleRow> = log::read(&run.samples())?;
    if let Some(last) = samples.last().map(|sample| sample.step) {
        println!("samples after step {last}:");
        samples.iter().filter(|sample| sample.step == last).for_each(|sample| println!("  {}", sample.text));
    }
    Ok(())
}

fn curve(run: &RunDirectory) -> Result<()> {
    let metrics: Vec<Metric> = log::read(&run.metrics())?;
    let Some(last) = metrics.last() else { return Ok(()) };
    let nats = |metric: &Metric| metric.bits_per_character * std::f64::consts::LN_2;
    let points: Vec<_> = metrics.iter().map(|metric| (metric.step as f64, nats(metric))).collect();
    println!("nats per character, training, by step:\n{}", chart(&points, 72, 12));
    println!("last: step {}, {:.4} nats per character, smoothed loss {:.6}", last.step, nats(last), last.smoothed_loss);
    if let Some((step, valid)) = metrics.iter().rev().find_map(|metric| Some((metric.step, metric.valid.as_ref()?))) {
        println!("validation: step {step}, {:.4} nats per character", valid.nats_per_character);
    }
    println!();
    Ok(())
}
