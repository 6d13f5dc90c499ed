//! The plan: every trial of a sweep, resolved.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    expand::{Setting, variants},
    file::{self, Search, Sweep, Written},
    size,
};
use crate::{
    data::Data,
    error::{Error, Problem, Result},
    experiment::{
        Experiment,
        reading::{self, overrides::FLAG},
    },
    hash::sha256_hex,
    plugins::Registry,
    session::{Options, Session, Source},
};

/// All that a worker has to know. It never changes, but for variants and seeds that are added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Plan {
    /// The sweep.
    pub sweep: Sweep,
    /// SHA-256 of the text on which all trials are trained.
    pub text: String,
    /// Updates of a whole trial.
    pub updates: u64,
    /// What is compared.
    pub variants: Vec<Variant>,
    /// Every variant with every seed, variant by variant.
    pub trials: Vec<Trial>,
}

/// An experiment with its own values of the varied keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Variant {
    /// Varied keys and their values, as TOML; the solved width among them.
    pub settings: Vec<(String, String)>,
    /// Parameters of the model.
    pub parameters: usize,
}

/// A variant with a seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Trial {
    /// The first twelve hexadecimal digits of the SHA-256 of the resolved experiment.
    pub id: String,
    /// Index of the variant.
    pub variant: usize,
    /// The seed.
    pub seed: u64,
    /// The resolved experiment.
    pub experiment: String,
}

impl Variant {
    /// The varied keys with their values: `cell.type=gru cell.hidden=64`.
    pub fn label(&self) -> String {
        let written = self.settings.iter().map(|(key, value)| format!("{key}={}", value.trim_matches('"')));
        let written: Vec<_> = written.collect();
        if written.is_empty() { "the experiment".to_owned() } else { written.join(" ") }
    }
}

impl Plan {
    /// Reads a sweep file and resolves its trials. Returned with it is the folder that the paths in the trials are relative
    /// to.
    ///
    /// # Errors
    /// Everything that is wrong with the sweep, and with the experiment as it varies it.
    pub fn of(path: &Path, options: &Options<'_>) -> Result<(Self, PathBuf)> {
        let written = file::read(path)?;
        let all = variants(&written)?;
        let session = Session::open(Source::File(&written.experiment), options)?;
        let base = Base { written: &written, registry: &session.registry, seed: session.experiment.seed };
        let experiments = base.each(&all)?;
        let (first, folder) = session.recorded_as(experiments.first().map_or(&session.experiment, |(it, _)| it));
        let data = Data::open(&first, &folder, &session.registry, None)?;
        if data.valid.is_none() {
            return Err(Problem::new(
                "the experiment holds nothing out for validation, so that nothing can be compared",
            )
            .hint("set split.valid in the experiment, for example split.valid = 0.1")
            .into());
        }
        let mut plan = Self {
            sweep: written.sweep.clone(),
            text: data.digest(),
            updates: data.train.updates(&first.train),
            variants: Vec::new(),
            trials: Vec::new(),
        };
        for (settings, (experiment, _)) in all.iter().zip(&experiments) {
            plan.add(&base, settings, experiment, &data, &session)?;
        }
        plan.distinct()?;
        plan.fits()?;
        Ok((plan, folder))
    }

    fn add(
        &mut self,
        base: &Base<'_>,
        settings: &[Setting],
        experiment: &Experiment,
        data: &Data,
        session: &Session,
    ) -> Result<()> {
        let mut settings: Vec<_> =
            settings.iter().map(|setting| (setting.key.clone(), setting.value.clone())).collect();
        let vocabulary = data.vocabulary.len();
        let mut changes: Vec<_> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let parameters = match base.written.sweep.size {
            Some(wanted) => {
                let with =
                    |hidden: usize| base.resolve(&[changes.as_slice(), &[format!("cell.hidden={hidden}")]].concat());
                let (hidden, parameters) = size::solve(wanted.parameters, vocabulary, base.registry, with)?;
                settings.push(("cell.hidden".to_owned(), hidden.to_string()));
                changes.push(format!("cell.hidden={hidden}"));
                parameters
            }
            None => crate::model::Model::new(experiment, base.registry, vocabulary)?.size(),
        };
        let variant = self.variants.len();
        self.variants.push(Variant { settings, parameters });
        let mut resolved = session.recorded_as(&base.resolve(&changes)?).0;
        // All trials are measured on one held-out text; without a seed of its own it would be drawn by each trial's.
        resolved.split.seed.get_or_insert(base.seed);
        for at in 0..u64::from(base.written.sweep.repeat.seeds) {
            resolved.seed = base.seed.wrapping_add(at);
            let experiment = resolved.to_toml();
            let id = sha256_hex(experiment.as_bytes())[..12].to_owned();
            self.trials.push(Trial { id, variant, seed: resolved.seed, experiment });
        }
        Ok(())
    }

    /// # Errors
    /// When two variants are the same experiment.
    fn distinct(&self) -> Result<()> {
        let mut known = HashMap::new();
        for trial in &self.trials {
            if let Some(same) = known.insert(&*trial.id, trial.variant) {
                let [one, other] = [same, trial.variant].map(|variant| self.variants[variant].label());
                return Err(Problem::new("two variants are the same experiment")
                    .note(format!("`{one}` and `{other}`"))
                    .hint("take one of the two values out")
                    .into());
            }
        }
        Ok(())
    }

    /// # Errors
    /// When the search asks for more than there is.
    fn fits(&self) -> Result<()> {
        let seeds = self.sweep.repeat.seeds;
        let problem = match self.sweep.search {
            Search::Halving { first, .. } if first > self.updates => Problem::new(format!(
                "the first rung of the search has {first} updates, a whole trial {}",
                self.updates
            ))
            .hint("lower search.first, or raise budget.steps"),
            Search::Racing { first, .. } if first > seeds => {
                Problem::new(format!("the first test of the race is after {first} seeds, and there are {seeds}"))
                    .hint("raise repeat.seeds, or lower search.first")
            }
            Search::Random { variants } if variants > self.variants.len() => {
                Problem::new(format!("{variants} variants are to be drawn, and there are {}", self.variants.len()))
                    .hint("lower search.variants, or vary more")
            }
            _ => return Ok(()),
        };
        Err(problem.into())
    }

    /// The trials of a variant, in the order of the seeds.
    pub fn of_variant(&self, variant: usize) -> impl Iterator<Item = (usize, &Trial)> {
        let seeds = self.sweep.repeat.seeds as usize;
        self.trials.iter().enumerate().skip(variant * seeds).take(seeds)
    }

    /// Whether a plan that was read is one that this program writes: every variant has every seed, and an id is no path.
    pub(super) fn is_sound(&self) -> bool {
        let is_id = |id: &str| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let seeds = self.sweep.repeat.seeds as usize;
        let mut trials = self.trials.iter().enumerate();
        seeds > 0
            && self.trials.len() == self.variants.len() * seeds
            && trials.all(|(at, trial)| trial.variant == at / seeds && is_id(&trial.id))
    }

    /// What `other` lacks or has otherwise, so that it does not continue this plan; empty if it only adds.
    pub fn obstacles(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.text != other.text {
            found.push("the text is another".to_owned());
        }
        if self.updates != other.updates {
            found.push(format!("a trial has {} updates, not {}", other.updates, self.updates));
        }
        if self.sweep.search != other.sweep.search || self.sweep.objective != other.sweep.objective {
            found.push("the search or the objective is another".to_owned());
        }
        let kept: HashSet<_> = other.trials.iter().map(|trial| &*trial.id).collect();
        let gone = self.trials.iter().filter(|trial| !kept.contains(&*trial.id));
        let gone: Vec<_> =
            gone.map(|trial| format!("{} (seed {})", self.variants[trial.variant].label(), trial.seed)).collect();
        if let Some(first) = gone.first() {
            found.push(format!(
                "{} of {} trials are no longer in it, the first: {first}",
                gone.len(),
                self.trials.len()
            ));
        }
        found
    }
}

/// The experiment of a sweep, to be resolved with changes.
struct Base<'a> {
    written: &'a Written,
    registry: &'a Registry,
    seed: u64,
}

impl Base<'_> {
    fn resolve(&self, changes: &[String]) -> Result<Experiment> {
        let budget = self.written.sweep.budget.map(|budget| format!("train.steps={}", budget.steps));
        let overrides: Vec<_> = budget.into_iter().chain(changes.iter().cloned()).collect();
        reading::read(&self.written.experiment, &overrides, self.registry)
    }

    /// Every variant resolved; problems of values at their places in the sweep file.
    fn each(&self, all: &[Vec<Setting>]) -> Result<Vec<(Experiment, usize)>> {
        let mut problems: Vec<Problem> = Vec::new();
        let mut resolved = Vec::new();
        for (at, settings) in all.iter().enumerate() {
            let changes: Vec<_> = settings.iter().map(|setting| format!("{}={}", setting.key, setting.value)).collect();
            match self.resolve(&changes) {
                Ok(experiment) => resolved.push((experiment, at)),
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
        if problems.is_empty() { Ok(resolved) } else { Err(problems.into()) }
    }
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
