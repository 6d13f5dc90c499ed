//! `hatchery runs reproduce`: trains the recorded experiment again in a temporary folder, and compares the files.

use std::path::Path;

use hatchery::{
    error::{Error, Problem, Result},
    inspect::generate::GeneratedText,
    run::{
        compare::{differences, former_ends},
        directory::{self, RunDirectory, RunRef},
        environment::{BURN, Environment},
        log::{self, Metric},
    },
    session::{Drift, Options, Session, Source},
    train::{
        Observer, Training,
        origin::{Origin, Start},
    },
};
use indicatif::{ProgressBar, ProgressStyle};

use crate::arguments::Libraries;

pub(crate) fn run(run: Option<&Path>, root: &Path, from: Option<&Path>, libraries: &Libraries) -> Result<()> {
    let RunRef::Run(run) = directory::resolve(run, root)? else {
        return Err(Problem::new("a checkpoint cannot be reproduced").hint("name the folder of its run").into());
    };
    let options = Options { drift: Drift::LinkedIn, ..super::options(libraries, Vec::new()) };
    let session = Session::open(Source::Checkpoint(&RunRef::Run(run.clone())), &options)?;
    let updates = session.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.meta.progress.updates);
    let start = Start::again(&run, from)?;
    if start.is_none() && began_with_a_checkpoint(&run) {
        return Err(Problem::new(format!(
            "`{}` began with a checkpoint (--from), which it does not record",
            run.path().display()
        ))
        .hint("it was made by an earlier version: train it again")
        .into());
    }
    refuse_changed(&run)?;
    let data = session.data_from(start.as_ref())?;
    let mut network = session.network(data.vocabulary.clone())?;
    if let Some(start) = &start {
        start.load(&mut network)?;
    }

    let temporary = super::temporary_folder()?;
    let again = RunDirectory::create(temporary.path(), &network.experiment.name)?;
    let mut observer = StopAfter::new(updates);
    let ends = former_ends(&run, &network.experiment.train)?;
    let mut training = Training::begin(network, &data, &again)?;
    let steps = training.network.experiment.train.steps;
    for end in ends.iter().map(|step| step + 1).filter(|end| *end < updates) {
        training.network.experiment.train.steps = Some(end);
        training.run(&mut observer)?;
    }
    training.network.experiment.train.steps = steps;
    training.run(&mut observer)?;
    observer.bar.finish_and_clear();

    let found = differences(&run, &again, updates)?;
    let name = run.path().display();
    if found.is_empty() {
        out!("{name} is reproduced: {updates} updates, every bit of metrics, samples and checkpoint");
        return Ok(());
    }
    found.iter().for_each(|difference| out!("{difference}"));
    let mut elsewhere = elsewhere(&run);
    if let Some(step) = other_rate(&run, &again)? {
        elsewhere.push(format!(
            "the learning rate differs at step {step}: the run was extended, and its schedule depends on the number of \
             steps"
        ));
    }
    let why = if elsewhere.is_empty() {
        "program and computer are of the same kind".to_owned()
    } else {
        elsewhere.join("; ")
    };
    Err(Error::internal(format!("{name} is not reproduced: the differences are listed above"), why))
}

/// # Errors
/// When values changed while the run was resumed: no experiment has both.
fn refuse_changed(run: &RunDirectory) -> Result<()> {
    let changes = Origin::read(run)?.map_or_else(Vec::new, |origin| origin.changes);
    let Some(change) = changes.first() else { return Ok(()) };
    let what = format!("`{}` cannot be reproduced: values changed when it was resumed", run.path().display());
    let when = format!("after {} updates: {}", change.updates, change.keys.join("; "));
    Err(Problem::new(what).note(when).into())
}

/// Whether the recorded command line has `--from`.
fn began_with_a_checkpoint(run: &RunDirectory) -> bool {
    let named = |argument: &String| argument == "--from" || argument.starts_with("--from=");
    Environment::read(&run.environment()).is_ok_and(|then| !run.origin().exists() && then.command.iter().any(named))
}

/// The differences between this program and computer and those of the run.
fn elsewhere(run: &RunDirectory) -> Vec<String> {
    let Ok(then) = Environment::read(&run.environment()) else { return Vec::new() };
    let now = Environment::begin(&then.device, &then.dtype, []);
    let pairs = [
        ("hatchery", then.hatchery, now.hatchery),
        ("burn", then.burn, BURN.to_owned()),
        ("operating system", then.operating_system, now.operating_system),
        ("architecture", then.architecture, now.architecture),
        ("card", then.card.unwrap_or_default(), now.card.unwrap_or_default()),
        ("processors", then.processors.to_string(), now.processors.to_string()),
    ];
    let differing = pairs.into_iter().filter(|(_, then, now)| then != now);
    differing.map(|(what, then, now)| format!("{what}: {then} then, {now} now")).collect()
}

/// The first update with different learning rates in the two logs.
fn other_rate(run: &RunDirectory, again: &RunDirectory) -> Result<Option<u64>> {
    let (one, other) = (log::read::<Metric>(&run.metrics())?, log::read::<Metric>(&again.metrics())?);
    let differs = |(one, other): &(&Metric, &Metric)| {
        one.step == other.step && one.learning_rate.to_bits() != other.learning_rate.to_bits()
    };
    Ok(one.iter().zip(&other).find(differs).map(|(one, _)| one.step))
}

/// An observer that stops a training after the number of updates of the recorded run.
struct StopAfter {
    updates: u64,
    done: u64,
    bar: ProgressBar,
}

impl StopAfter {
    fn new(updates: u64) -> Self {
        let bar = ProgressBar::new(updates);
        let style = ProgressStyle::with_template("{bar:32} {pos}/{len} steps  {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { updates, done: 0, bar }
    }
}

impl Observer for StopAfter {
    fn updated(&mut self, updates: u64, _total: u64, _smoothed_loss: f64) {
        self.done = updates;
        self.bar.set_position(updates);
    }

    fn measured(&mut self, _metric: &Metric) {}

    fn sampled(&mut self, _step: u64, _samples: &[GeneratedText]) {}

    fn wants_to_stop(&self) -> bool {
        self.done + 1 >= self.updates
    }
}
