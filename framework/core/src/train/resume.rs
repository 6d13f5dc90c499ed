//! Resuming an interrupted run: what is there, whether it fits, and restoring it.
//!
//! A run is resumed only as the experiment that it was begun as, on the text that it was begun on, from a checkpoint whose
//! every bit is as it was written; anything else is refused with what differs.

use std::path::PathBuf;

use super::{Training, fits, origin::Origin, record};
use crate::{
    data::{Data, Vocabulary},
    error::{Error, Problem, Result},
    experiment::{Experiment, compare, reading},
    network::Network,
    plugins::{Registry, check_drift},
    run::{
        checkpoint::{Checkpoint, Inspection, OPTIMIZER, PARAMETERS, examine},
        directory::{RunDirectory, RunRef},
        keep::{self, Search},
        lock::Lock,
        log::{self, Event, Metric, SampleRow, Time},
        seal,
    },
};

/// A run that can be resumed.
#[derive(Debug)]
pub struct Plan {
    /// Its experiment, perhaps with more steps than before.
    pub experiment: Experiment,
    /// From where; nothing if no checkpoint had been written yet, so that training begins anew.
    pub checkpoint: Option<Checkpoint>,
    /// Warnings: damaged checkpoints and which one is used, another device, changed logs.
    pub reports: Vec<Problem>,
    damaged: Vec<PathBuf>,
    /// Whether the user chose a checkpoint other than the newest, which is then kept under another name.
    chosen: bool,
    /// Differences of the wanted experiment that are recorded with the run.
    announced: Vec<String>,
}

impl Plan {
    /// Looks at a run, whose lock the caller holds. `experiment` is the experiment as it is wanted now. Nothing is changed.
    ///
    /// # Errors
    /// When the experiment has other values than the recorded one, apart from a longer training; when the checkpoint is
    /// of another experiment or of other plugins; and the errors of [`keep::newest`].
    pub fn new(run: &RunRef, _lock: &Lock, experiment: Experiment, registry: &Registry) -> Result<Self> {
        let directory = run.directory()?;
        let path = directory.experiment();
        let text = directory.recorded_experiment()?;
        let recorded = reading::from_text(&text, &path.display().to_string(), &[], registry)?;
        let obstacles = compare::obstacles(&recorded, &experiment);
        if !obstacles.is_empty() {
            let what = format!("the experiment is no longer that of the run `{}`", directory.path().display());
            let hint = instead(&obstacles, &directory);
            let may = format!("a resumed run may change: {MAY_CHANGE}");
            return Err(refusal(what, obstacles).note(may).hint(hint).into());
        }
        let announced = compare::announced(&recorded, &experiment);
        let mut search = match run {
            RunRef::Run(run) => keep::newest(run)?,
            RunRef::Checkpoint(path) => match examine(path)? {
                Inspection::Good(checkpoint) => {
                    Search { checkpoint: Some(*checkpoint), reports: Vec::new(), damaged: Vec::new() }
                }
                Inspection::Damaged(problem) => return Err(problem.into()),
            },
        };
        let [then, now] = [&recorded, &experiment].map(|experiment| experiment.backend.device.as_str());
        if then != now {
            let moved = Problem::new(format!("the run is resumed on `{now}`; until now it was on `{then}`"));
            search
                .reports
                .push(moved.note("every device rounds in its own way: `hatchery drift` shows how far they part"));
        }
        if let Some(checkpoint) = &search.checkpoint {
            check_drift(&checkpoint.meta.plugins, registry).map_err(with_its_own)?;
            let of =
                reading::from_text(&checkpoint.meta.experiment, "the experiment in the checkpoint", &[], registry)?;
            // The run may have been lengthened before, so that either has more steps.
            let obstacles = compare::obstacles(&of, &recorded);
            if !obstacles.is_empty() && !compare::obstacles(&recorded, &of).is_empty() {
                let what = format!("the checkpoint in `{}` is of another experiment", directory.path().display());
                return Err(refusal(what, obstacles).hint(FOREIGN).into());
            }
        }
        if let Some(checkpoint) = &search.checkpoint {
            search.reports.extend(seal::changed(&directory, &checkpoint.meta)?);
        }
        if !announced.is_empty() && search.checkpoint.is_some() {
            search.reports.push(
                refusal("the run is resumed with other values than before".to_owned(), announced.clone())
                    .note("`runs reproduce` cannot repeat a run with two values of a key"),
            );
        }
        let chosen = matches!(run, RunRef::Checkpoint(path) if path.file_name() != directory.checkpoint().file_name());
        let Search { checkpoint, reports, damaged } = search;
        Ok(Self { experiment, checkpoint, reports, damaged, chosen, announced })
    }

    /// The symbols of the checkpoint, with which the data are to be opened.
    ///
    /// # Errors
    /// When they are not written as they should be.
    pub fn vocabulary(&self) -> Result<Option<Vocabulary>> {
        let checkpoint = self.checkpoint.as_ref();
        checkpoint.map(|it| Vocabulary::from_text(&it.meta.vocabulary, &self.experiment.vocabulary)).transpose()
    }

    /// Resumes the run: loads the checkpoint, cuts the logs back to it, and removes what a killed program left.
    ///
    /// # Errors
    /// When the text is another than before, when the checkpoint does not fit the model, and when the disk fails. The
    /// run is then as it was.
    pub fn start<'a>(self, data: &'a Data, directory: &'a RunDirectory, registry: &Registry) -> Result<Training<'a>> {
        let Some(checkpoint) = self.checkpoint else {
            put_in_order(directory, 0, 0)?;
            record(directory, &self.experiment)?;
            return Training::begin(Network::new(self.experiment, data.vocabulary.clone(), registry)?, data, directory);
        };
        let progress = checkpoint.meta.progress.clone();
        fits(&self.experiment, data, registry)?; // perhaps on another device than before
        same_text(checkpoint.meta.data.as_deref(), data, directory)?;
        let mut network = Network::new(self.experiment, data.vocabulary.clone(), registry)?;
        load(&mut network, &checkpoint, directory)?;

        self.damaged.iter().try_for_each(|path| keep::rename(path, "damaged"))?;
        let newest = directory.checkpoint();
        if self.chosen && newest.exists() {
            keep::rename(&newest, "left")?;
        }
        for (_, path) in keep::older(directory)?.iter().filter(|(updates, _)| *updates > progress.updates) {
            keep::rename(path, "left")?;
        }
        put_in_order(directory, progress.updates, progress.events)?;
        if !self.announced.is_empty() {
            Origin::note_changes(directory, progress.updates, self.announced)?;
        }
        record(directory, &network.experiment)?;
        let saved = newest.exists();
        Training::of(network, data, progress.clone(), directory, saved.then_some(progress.updates))
    }
}

/// Cuts what is newer than the checkpoint off, and what was half written.
///
/// # Errors
/// When a log cannot be read or written.
pub fn put_in_order(directory: &RunDirectory, updates: u64, events: u64) -> Result<()> {
    log::truncate_after::<Metric>(&directory.metrics(), updates)?;
    log::truncate_after::<SampleRow>(&directory.samples(), updates)?;
    log::truncate_after::<Time>(&directory.times(), updates)?;
    log::truncate_to::<Event>(&directory.events(), events)?;
    keep::sweep(directory)
}

/// Loads a checkpoint and makes sure that nothing of it was left behind.
///
/// # Errors
/// When it does not fit the model or the optimizer.
fn load(network: &mut Network, checkpoint: &Checkpoint, directory: &RunDirectory) -> Result<()> {
    network.executor.load(&checkpoint.tensors)?;
    let loaded = network.executor.save()?;
    let lost = checkpoint.tensors.iter().find(|saved| !loaded.iter().any(|tensor| tensor.is_identical(saved)));
    let lost =
        lost.or_else(|| loaded.iter().find(|tensor| !checkpoint.tensors.iter().any(|it| it.name == tensor.name)));
    let unfit = |what: &str| {
        let folder = directory.path().display();
        Problem::new(format!("the checkpoint in `{folder}` does not fit its experiment: {what}")).hint(FOREIGN)
    };
    if let Some(tensor) = lost {
        return Err(unfit(&format!("`{}` cannot be restored", tensor.name)).into());
    }
    // An optimizer has state for every parameter or for none.
    let has_state = |name: &str| {
        let prefix = format!("{name}.");
        checkpoint.group(OPTIMIZER).any(|(state, _)| state.starts_with(&prefix))
    };
    let (known, unknown): (Vec<_>, Vec<_>) = checkpoint.group(PARAMETERS).partition(|(name, _)| has_state(name));
    match unknown.first() {
        Some((name, _)) if !known.is_empty() => {
            Err(unfit(&format!("the optimizer's state of `{name}` is missing")).into())
        }
        _ => Ok(()),
    }
}

fn same_text(before: Option<&str>, data: &Data, directory: &RunDirectory) -> Result<()> {
    match before {
        Some(before) if before != data.digest() => Err(Problem::new(format!(
            "the text is no longer that on which the run `{}` was trained",
            directory.path().display()
        ))
        .note(format!("SHA-256 before: {before}"))
        .note(format!("SHA-256 now:    {}", data.digest()))
        .hint("restore the text, or train anew without --resume")
        .into()),
        _ => Ok(()),
    }
}

/// Another plugin may be good enough to sample with, but not to resume exactly.
fn with_its_own(drift: Error) -> Error {
    let Error::User(problems) = drift else { return drift };
    Error::User(
        problems
            .into_iter()
            .map(|problem| problem.hint("a run is resumed with the plugin that it was trained with"))
            .collect(),
    )
}

fn refusal(what: String, notes: Vec<String>) -> Problem {
    notes.into_iter().fold(Problem::new(what), Problem::note)
}

/// The keys that may change, in words.
const MAY_CHANGE: &str = "optimizer.learning-rate, [schedule], [sample], [[sampler]], backend.device, more train.steps or \
    train.epochs, and in [train] patience, on-nonfinite, keep and all intervals (…-every, checkpoint-minutes)";

/// What to do in place of resuming with values that may not change.
fn instead(obstacles: &[String], directory: &RunDirectory) -> String {
    // With another of these the parameters have other shapes, or mean other symbols.
    let shapes = ["cell.", "model.embedding", "model.layers", "model.head", "vocabulary."];
    if obstacles.iter().any(|obstacle| shapes.iter().any(|key| obstacle.starts_with(key))) {
        return "undo the change, or train anew without --resume: the parameters of the run have other shapes"
            .to_owned();
    }
    let shorter = |obstacle: &String| obstacle.starts_with("train.steps") || obstacle.starts_with("train.epochs");
    if obstacles.iter().all(shorter) {
        return "undo the change: a run can only become longer, counted as it was begun".to_owned();
    }
    format!(
        "undo the change, or begin a new run with the parameters of this one: hatchery train EXPERIMENT.toml --from {}",
        directory.path().display()
    )
}

const FOREIGN: &str = "put the run's own checkpoint back, or train anew without --resume";
