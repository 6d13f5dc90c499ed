//! An interrupted run continues exactly: the same bits as an uninterrupted one, whatever interrupted it; and what
//! cannot be continued exactly is refused.

mod changes;
pub(crate) mod exact;
mod faults;
mod nonfinite;
mod origin;
mod program;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
};

use hatchery::{
    data::{Data, corpus::Text},
    error::Result,
    experiment::{Experiment, reading},
    inspect::generate::GeneratedText,
    network::Network,
    plugins::Registry,
    run::{
        directory::{RunDirectory, RunRef},
        log::{Event, Metric},
    },
    train::{Ending, Observer, Training, resume::Plan},
};

/// Forty made-up names: enough for several batches and something held out.
const NAMES: &str = "anka\nboru\ncelo\ndimat\nelun\nfarok\ngilda\nhoren\nisto\njarun\nkelta\nlomir\nmandu\nnerik\norban\n\
    pilan\nqueto\nrunal\nsabor\ntelmi\nubran\nvelto\nwirun\nxanto\nyorel\nzamin\nalbor\nbrena\ncurto\ndolan\neskar\n\
    fintu\ngarol\nhelum\nirsan\njobel\nkurta\nlatim\nmorun\nnalto\n";

/// An experiment on [`NAMES`] of 24 steps, with reports, lines and checkpoints out of step with each other.
pub(crate) fn experiment(set: &[&str]) -> Experiment {
    let text = r#"
        name = "small"
        dataset = { type = "lines", corpus = "names" }
        split = { valid = 0.2, shuffle = true }
        cell = { type = "gru", hidden = 6 }
        optimizer = { type = "adam", learning-rate = 0.01 }
        train = { steps = 24, batch = 4, log-every = 3, report-every = 7, checkpoint-every = 5 }
        sample = { count = 2, length = 8 }
    "#;
    let overrides: Vec<_> = set.iter().map(|set| (*set).to_owned()).collect();
    reading::from_text(text, "test", &overrides, &registry()).unwrap_or_else(|error| panic!("{set:?}: {error}"))
}

fn registry() -> Registry {
    hatchery_cli::registry().unwrap()
}

fn data(experiment: &Experiment, plan: Option<&Plan>, text: &str) -> Result<Data> {
    let (dataset, _) = registry().dataset(&experiment.dataset.part)?;
    let text = Text::new("names", text);
    match plan.map(Plan::vocabulary).transpose()?.flatten() {
        Some(vocabulary) => Data::with_vocabulary(dataset.as_ref(), &text, experiment, vocabulary),
        None => Data::new(dataset.as_ref(), &text, experiment),
    }
}

/// Where a program is killed: in the middle of the reports of an update, before its checkpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    /// Killed after this number of updates, before they are logged.
    kill_updated: Option<u64>,
    /// Killed after the line of this step, before its samples.
    kill_measured: Option<u64>,
    /// Killed after the samples of this step, before its checkpoint.
    kill_sampled: Option<u64>,
    /// Stopped by the user after this number of updates.
    stop: Option<u64>,
    done: u64,
    recovered: u64,
}

/// What ends a training that is killed; no code between here and the test runs, but for memory and files let go.
struct Killed;

impl Watch {
    fn kill(when: bool) {
        if when {
            resume_unwind(Box::new(Killed));
        }
    }
}

impl Observer for Watch {
    fn updated(&mut self, updates: u64, _total: u64, _smoothed_loss: f64) {
        self.done = updates;
        Self::kill(self.kill_updated == Some(updates));
    }
    fn measured(&mut self, metric: &Metric) {
        Self::kill(self.kill_measured == Some(metric.step));
    }
    fn sampled(&mut self, step: u64, _samples: &[GeneratedText]) {
        Self::kill(self.kill_sampled == Some(step));
    }
    fn wants_to_stop(&self) -> bool {
        self.stop == Some(self.done + 1)
    }
    fn recovered(&mut self, _event: &Event) {
        self.recovered += 1;
    }
}

/// Trains from the beginning in a new folder under `root`. None if it was killed.
pub(super) fn begin(root: &Path, experiment: &Experiment, watch: Watch) -> (RunDirectory, Option<Result<Ending>>) {
    let directory = RunDirectory::create(root, &experiment.name).unwrap();
    let data = data(experiment, None, NAMES).unwrap();
    let network = Network::new(experiment.clone(), data.vocabulary.clone(), &registry()).unwrap();
    let training = Training::begin(network, &data, &directory).unwrap();
    let ending = drive(training, watch);
    (directory, ending)
}

fn drive(mut training: Training<'_>, mut watch: Watch) -> Option<Result<Ending>> {
    match catch_unwind(AssertUnwindSafe(|| training.run(&mut watch))) {
        Ok(ending) => Some(ending),
        Err(panic) if panic.is::<Killed>() => None,
        Err(panic) => resume_unwind(panic),
    }
}

/// Resumes a run with its own experiment.
fn resume_run(directory: &RunDirectory, watch: Watch) -> Result<Option<Ending>> {
    resume_run_as(&RunRef::Run(directory.clone()), None, NAMES, watch)
}

fn resume_run_as(run: &RunRef, wanted: Option<Experiment>, text: &str, watch: Watch) -> Result<Option<Ending>> {
    let (directory, registry) = (run.directory()?, registry());
    let lock = directory.lock()?;
    let recorded = directory.recorded_experiment()?;
    let experiment = wanted.map_or_else(|| reading::from_text(&recorded, "recorded", &[], &registry), Ok)?;
    let plan = Plan::new(run, &lock, experiment, &registry)?;
    let data = data(&plan.experiment, Some(&plan), text)?;
    drive(plan.start(&data, &directory, &registry)?, watch).transpose()
}

/// The whole text of a problem, with which the program would end with status 2.
fn refusal<T>(result: Result<T>) -> String {
    let Err(error) = result else { panic!("it was not refused") };
    assert_eq!(error.exit_code(), 2, "{error}");
    let text = error.to_string();
    assert!(text.contains("hint: "), "no hint: {text}");
    text
}
