//! A worker: takes trials, trains them, measures them, until nothing is left.

use std::{cell::Cell, thread, time::Duration};

use super::{
    file::Chosen,
    folder::{Failure, Folder, Outcome, best},
    plan::{Plan, Trial},
    standing::{Task, standing},
};
use crate::{
    data::Data,
    error::{Error, Problem, Result},
    inspect::{evaluate::measure, generate::GeneratedText},
    random::Stream,
    run::{
        directory::{RunDirectory, RunRef},
        lock::Lock,
        log::Metric,
    },
    session::{Options, Session, Source},
    train::{Observer, Training, resume},
};

/// An observer of a worker, which may end it.
pub trait Report {
    /// A trial is trained from now on until that many updates are done.
    fn began(&self, plan: &Plan, trial: &Trial, task: Task);
    /// That many of its updates are done.
    fn updated(&self, _task: Task, _updates: u64) {}
    /// Its outcome.
    fn ended(&self, plan: &Plan, trial: &Trial, task: Task, outcome: &Outcome);
    /// Whether to end after this update, with a checkpoint.
    fn wants_to_stop(&self) -> bool;
}

/// Pause before looking again, where all that is left is in the hands of other workers.
const PAUSE: Duration = Duration::from_millis(100);

/// Works on a sweep until nothing is left to do, or, with `one`, for one task. Returns false if it was asked to stop.
/// `order` shuffles the order in which tasks are taken; the results do not depend on it.
///
/// # Errors
/// When the folder cannot be read or the disk fails. A trial that fails is an outcome, no error.
pub fn work(
    folder: &Folder,
    options: &Options<'_>,
    report: &dyn Report,
    one: bool,
    order: Option<u64>,
) -> Result<bool> {
    let plan = folder.plan()?;
    for round in 0.. {
        let mut tasks = standing(&plan, &folder.outcomes(&plan)?).tasks;
        if tasks.is_empty() {
            return Ok(true);
        }
        if let Some(seed) = order {
            Stream::new(seed, "order of tasks", round).shuffle(&mut tasks);
        }
        let mut found_work = false;
        for task in tasks {
            if report.wants_to_stop() {
                return Ok(false);
            }
            let trial = &plan.trials[task.trial];
            let run = folder.run(trial)?;
            let Some(lock) = take(&run)? else { continue };
            let outcome = folder.outcome(trial)?;
            if outcome.failed.is_some() || outcome.measured.contains_key(&task.updates) {
                continue;
            }
            found_work = true;
            report.began(&plan, trial, task);
            let at_work = Work { plan: &plan, task, report };
            let Some(outcome) = at_work.outcome(&run, &lock, options, outcome)? else { return Ok(false) };
            folder.record(trial, &outcome)?;
            report.ended(&plan, trial, task, &outcome);
            if one {
                return Ok(true);
            }
        }
        if !found_work {
            thread::sleep(PAUSE);
        }
    }
    Ok(true)
}

/// The lock of a trial's run; none if another worker has it.
fn take(run: &RunDirectory) -> Result<Option<Lock>> {
    if run.is_locked() {
        return Ok(None);
    }
    match run.lock() {
        Ok(lock) => Ok(Some(lock)),
        Err(_) if run.is_locked() => Ok(None),
        Err(error) => Err(error),
    }
}

/// A task at work.
struct Work<'a> {
    plan: &'a Plan,
    task: Task,
    report: &'a dyn Report,
}

impl Work<'_> {
    /// The outcome with what this task adds; none if the worker was asked to stop.
    ///
    /// # Errors
    /// When the text or a plugin is not what it was, or the disk fails.
    fn outcome(
        &self,
        run: &RunDirectory,
        lock: &Lock,
        options: &Options<'_>,
        mut outcome: Outcome,
    ) -> Result<Option<Outcome>> {
        let source = RunRef::Run(run.clone());
        let session = Session::open(Source::Run(&source), options)?;
        let resumed = resume::Plan::new(&source, lock, session.recorded().0, &session.registry)?;
        let data = session.data_with(resumed.vocabulary()?)?;
        self.same_text(&data)?;
        let measured = resumed.start(&data, run, &session.registry).and_then(|training| self.measure(training, &data));
        match measured {
            Ok(None) => return Ok(None),
            Ok(Some(nats)) => {
                outcome.measured.insert(self.task.updates, nats);
            }
            Err(Error::User(problems)) => outcome.failed = Some(Failure::of(&problems)),
            Err(internal) => return Err(internal),
        }
        Ok(Some(outcome))
    }

    fn same_text(&self, data: &Data) -> Result<()> {
        if data.digest() == self.plan.text {
            return Ok(());
        }
        Err(Problem::new("the text is no longer that of the plan")
            .note(format!("SHA-256 of the plan: {}", self.plan.text))
            .note(format!("SHA-256 now:         {}", data.digest()))
            .hint("restore the text, or give the sweep another `name`")
            .into())
    }

    /// Trains as far as the task says, and measures. None if the worker was asked to stop.
    fn measure(&self, mut training: Training<'_>, data: &Data) -> Result<Option<f64>> {
        while training.progress.updates < self.task.updates {
            let before = training.progress.updates;
            let mut until = Until { task: self.task, done: before.into(), report: self.report };
            training.run(&mut until)?;
            if training.progress.updates < self.task.updates && self.report.wants_to_stop() {
                return Ok(None);
            }
            // The end by patience: another call would do nothing.
            if training.progress.updates == before {
                break;
            }
        }
        self.objective(&mut training, data).map(Some)
    }

    fn objective(&self, training: &mut Training<'_>, data: &Data) -> Result<f64> {
        let Some(valid) = &data.valid else { return Ok(f64::INFINITY) };
        let last = measure(&mut *training.network.executor, valid)?.0.nats_per_character;
        Ok(match self.plan.sweep.objective.checkpoint {
            Chosen::Last => last,
            Chosen::Best => best(&training.progress).map_or(last, |best| best.min(last)),
        })
    }
}

/// Lets a training stop after a number of updates.
struct Until<'a> {
    task: Task,
    done: Cell<u64>,
    report: &'a dyn Report,
}

impl Observer for Until<'_> {
    fn updated(&mut self, updates: u64, _total: u64, _smoothed_loss: f64) {
        self.done.set(updates);
        self.report.updated(self.task, updates);
    }

    fn measured(&mut self, _metric: &Metric) {}

    fn sampled(&mut self, _step: u64, _samples: &[GeneratedText]) {}

    fn wants_to_stop(&self) -> bool {
        self.done.get() + 1 >= self.task.updates || self.report.wants_to_stop()
    }
}
