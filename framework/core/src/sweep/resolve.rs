//! From settings to experiments: every variant is resolved with its own values and its own number of updates.

use std::path::PathBuf;

use super::{budget, expand::Setting, file::Written, plan::Plan, size};
use crate::{
    data::Data,
    error::{Error, Problem, Result},
    experiment::{
        Experiment,
        reading::{self, overrides::FLAG},
    },
    model::Model,
    session::Session,
};

/// A variant as it is trained.
pub(super) struct Resolved {
    /// Varied keys and their values, as TOML; the solved width among them.
    pub(super) settings: Vec<(String, String)>,
    pub(super) parameters: usize,
    pub(super) updates: u64,
    /// The experiment with the sweep's first seed, as a run records it.
    pub(super) experiment: Experiment,
}

/// The experiment of a sweep, to be resolved with changes.
pub(super) struct Base<'a> {
    written: &'a Written,
    session: &'a Session,
    /// The folder that paths in a recorded experiment are relative to.
    pub(super) folder: PathBuf,
    /// The data of the variant before, and what decides on them.
    data: (String, Data),
}

impl<'a> Base<'a> {
    /// # Errors
    /// When the text cannot be opened, and when nothing of it is held out for validation.
    pub(super) fn open(written: &'a Written, session: &'a Session, first: Option<&Experiment>) -> Result<Self> {
        let (first, folder) = session.recorded_as(first.unwrap_or(&session.experiment));
        let data = Data::open(&first, &folder, &session.registry, None)?;
        if data.valid.is_none() {
            return Err(Problem::new(
                "the experiment holds nothing out for validation, so that nothing can be compared",
            )
            .hint("set split.valid in the experiment, for example split.valid = 0.1")
            .into());
        }
        Ok(Self { written, session, folder, data: (decides_on_data(&first), data) })
    }

    /// SHA-256 of the text.
    pub(super) fn text(&self) -> String {
        self.data.1.digest()
    }

    /// A variant, with the updates that a plan has given it before, if any.
    ///
    /// # Errors
    /// When no width has the wanted size, and those of the budget.
    pub(super) fn variant(&mut self, settings: &[Setting], before: Option<&Plan>) -> Result<Resolved> {
        let mut settings: Vec<_> =
            settings.iter().map(|setting| (setting.key.clone(), setting.value.clone())).collect();
        let mut changes: Vec<_> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let mut experiment = resolve(self.written, self.session, &changes)?;
        self.reopen(&experiment)?;
        let vocabulary = self.data.1.vocabulary.len();
        if let Some(wanted) = self.written.sweep.size {
            let with = |hidden: usize| {
                resolve(self.written, self.session, &[&*changes, &[format!("cell.hidden={hidden}")]].concat())
            };
            let (hidden, _) = size::solve(wanted.parameters, vocabulary, &self.session.registry, with)?;
            settings.push(("cell.hidden".to_owned(), hidden.to_string()));
            changes.push(format!("cell.hidden={hidden}"));
            experiment = resolve(self.written, self.session, &changes)?;
        }
        let parameters = Model::new(&experiment, &self.session.registry, vocabulary)?.size();
        let known = before.and_then(|plan| plan.variants.iter().find(|known| known.settings == settings));
        let budget = self.written.sweep.budget;
        let updates = match known.map(|known| known.updates).filter(|_| budget.is_some_and(|it| it.seconds.is_some())) {
            Some(updates) => updates,
            None => budget::updates(budget, &experiment, &self.data.1, &self.session.registry)?,
        };
        if budget.is_some() {
            changes.push(format!("train.steps={updates}"));
            experiment = resolve(self.written, self.session, &changes)?;
        }
        let mut experiment = self.session.recorded_as(&experiment).0;
        // All trials are measured on one held-out text; without a seed of its own it would be drawn by each trial's.
        experiment.split.seed.get_or_insert(self.session.experiment.seed);
        Ok(Resolved { settings, parameters, updates, experiment })
    }

    /// Opens the data anew if the experiment has others than the one before.
    fn reopen(&mut self, experiment: &Experiment) -> Result<()> {
        let (recorded, folder) = self.session.recorded_as(experiment);
        let decides = decides_on_data(&recorded);
        if decides != self.data.0 {
            self.data = (decides, Data::open(&recorded, &folder, &self.session.registry, None)?);
        }
        Ok(())
    }
}

/// The keys on which the data depend, as text.
fn decides_on_data(experiment: &Experiment) -> String {
    let Experiment { dataset, split, vocabulary, train, .. } = experiment;
    serde_json::json!([dataset, split, vocabulary, train.batch, train.order, train.loss, train.carry_state]).to_string()
}

/// # Errors
/// Everything that is wrong with the experiment so changed.
fn resolve(written: &Written, session: &Session, changes: &[String]) -> Result<Experiment> {
    // Checks that compare with the length of a training need the one that the sweep gives it.
    let steps = written.sweep.budget.and_then(|budget| budget.steps).map(|steps| format!("train.steps={steps}"));
    let changes: Vec<_> = steps.into_iter().chain(changes.iter().cloned()).collect();
    reading::read(&written.experiment, &changes, &session.registry)
}

/// The first variant, after all have been checked; problems of values stand at their places in the sweep file.
///
/// # Errors
/// Everything that is wrong with any variant.
pub(super) fn check(written: &Written, session: &Session, all: &[Vec<Setting>]) -> Result<Option<Experiment>> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut first = None;
    for settings in all {
        let changes: Vec<_> = settings.iter().map(|setting| format!("{}={}", setting.key, setting.value)).collect();
        match resolve(written, session, &changes) {
            Ok(experiment) => first = first.or(Some(experiment)),
            Err(Error::User(found)) => {
                for problem in found.into_iter().map(|problem| at_its_value(problem, settings)) {
                    if !problems.contains(&problem) {
                        problems.push(problem);
                    }
                }
            }
            Err(internal) => return Err(internal),
        }
    }
    if problems.is_empty() { Ok(first) } else { Err(problems.into()) }
}

/// A problem of a `--set` argument, at the value of the sweep file that the argument came from.
fn at_its_value(mut problem: Problem, settings: &[Setting]) -> Problem {
    let argument = problem.place.as_ref().filter(|place| &*place.file == FLAG).map(|place| place.text.clone());
    let of = |setting: &&Setting| argument.as_deref() == Some(&*format!("{FLAG} {}={}", setting.key, setting.value));
    match settings.iter().find(of) {
        Some(setting) => problem.place = Some(setting.place.clone()),
        None => {
            let changes: Vec<_> = settings.iter().map(|setting| format!("{}={}", setting.key, setting.value)).collect();
            problem = problem.note(format!("with {}", changes.join(" ")));
        }
    }
    problem
}
