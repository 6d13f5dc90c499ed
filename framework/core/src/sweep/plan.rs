//! The plan: every trial of a sweep, resolved.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    ask,
    expand::variants,
    file::{self, Search, Sweep},
    folder::Folder,
    resolve::{self, Base, Resolved},
    standing::{going, rungs},
};
use crate::{
    error::{Problem, Result},
    hash::sha256_hex,
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
    /// Updates of a whole trial.
    pub updates: u64,
}

fn of_sweep(sweep: &Sweep, folder: Option<&Path>) -> Folder {
    Folder::new(folder.map_or_else(|| Path::new("sweeps").join(&sweep.name), Path::to_owned))
}

/// A plan that was made, to be written into its folder.
#[derive(Debug)]
pub struct Planned {
    /// The sweep's folder.
    pub folder: Folder,
    /// The plan.
    pub plan: Plan,
    /// The folder that the paths in the experiments are relative to.
    pub paths: PathBuf,
    /// The variant of each proposal.
    pub asked: Vec<usize>,
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
    /// Reads a sweep file and resolves its trials. `folder` is the sweep's folder, by default `sweeps` and its name.
    /// `proposals` are variants that `hatchery sweep ask` adds, one JSON object of keys and values a line.
    ///
    /// # Errors
    /// Everything that is wrong with the sweep, and with the experiment as it varies it.
    pub fn of(path: &Path, folder: Option<&Path>, options: &Options<'_>, proposals: Option<&str>) -> Result<Planned> {
        let written = file::read(path)?;
        let folder = of_sweep(&written.sweep, folder);
        let before = if folder.is_planned() { Some(folder.plan()?) } else { None };
        let (all, asked) = if written.sweep.search == Search::Ask {
            ask::variants(&written, before.as_ref(), proposals.unwrap_or_default())?
        } else if proposals.is_some() {
            return Err(ask::not_asked(&written).into());
        } else {
            (variants(&written)?, Vec::new())
        };
        let session = Session::open(Source::File(&written.experiment), options)?;
        let first = resolve::check(&written, &session, &all)?;
        let mut base = Base::open(&written, &session, first.as_ref())?;
        let mut plan =
            Self { sweep: written.sweep.clone(), text: base.text(), variants: Vec::new(), trials: Vec::new() };
        for settings in &all {
            plan.add(base.variant(settings, before.as_ref())?, session.experiment.seed);
        }
        plan.distinct()?;
        plan.fits()?;
        Ok(Planned { folder, plan, paths: base.folder, asked })
    }

    /// The folder of the sweep in a file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn folder(path: &Path, folder: Option<&Path>) -> Result<Folder> {
        Ok(of_sweep(&file::read(path)?.sweep, folder))
    }

    fn add(&mut self, resolved: Resolved, first: u64) {
        let Resolved { settings, parameters, updates, mut experiment } = resolved;
        let variant = self.variants.len();
        self.variants.push(Variant { settings, parameters, updates });
        for at in 0..u64::from(self.sweep.repeat.seeds) {
            experiment.seed = first.wrapping_add(at);
            let experiment = experiment.to_toml();
            let id = sha256_hex(experiment.as_bytes())[..12].to_owned();
            self.trials.push(Trial { id, variant, seed: first.wrapping_add(at), experiment });
        }
    }

    /// Updates of a whole trial.
    pub fn updates(&self, trial: &Trial) -> u64 {
        self.variants[trial.variant].updates
    }

    /// The most updates that the sweep can have.
    pub fn most_updates(&self) -> u64 {
        let whole = || self.trials.iter().map(|trial| self.updates(trial)).sum();
        let Search::Halving { .. } = self.sweep.search else { return whole() };
        let mut before = 0;
        let of_rung = self.rungs().map(|(updates, alive)| {
            let more = (updates - before) * alive as u64;
            before = updates;
            more
        });
        of_rung.sum::<u64>() * u64::from(self.sweep.repeat.seeds)
    }

    /// The most pieces of work that the sweep can have, each for one `hatchery sweep work --one`.
    pub fn most_tasks(&self) -> usize {
        let Search::Halving { .. } = self.sweep.search else { return self.trials.len() };
        self.rungs().map(|(_, alive)| alive).sum::<usize>() * self.sweep.repeat.seeds as usize
    }

    /// The updates of every rung of halving, and the variants that are trained so far.
    fn rungs(&self) -> impl Iterator<Item = (u64, usize)> {
        let (first, keep) =
            if let Search::Halving { first, keep } = self.sweep.search { (first, keep) } else { (u64::MAX, 1.0) };
        let whole = self.variants.first().map_or(0, |variant| variant.updates);
        let mut alive = self.variants.len();
        rungs(first, keep, whole).into_iter().map(move |updates| {
            let now = alive;
            alive = going(alive, keep);
            (updates, now)
        })
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
        let updates = || self.variants.iter().map(|variant| variant.updates);
        let (least, most) = (updates().min().unwrap_or(0), updates().max().unwrap_or(0));
        let problem = match self.sweep.search {
            Search::Halving { .. } if least < most => {
                Problem::new(format!("variants have {least} to {most} updates, and a rung compares after equal ones"))
                    .hint("give the budget in steps, or use another search")
            }
            Search::Halving { first, .. } if first > least => {
                Problem::new(format!("the first rung of the search has {first} updates, a whole trial {least}"))
                    .hint("lower search.first, or raise budget.steps")
            }
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
        let updates = |plan: &Self| plan.variants.iter().map(|variant| variant.updates).max().unwrap_or(0);
        let (before, now) = (updates(self), updates(other));
        let is_same = self.sweep.budget == other.sweep.budget;
        if before != now && !(is_same && self.sweep.budget.is_some()) && self.sweep.search != Search::Ask {
            found.push(format!("a trial has {now} updates, not {before}"));
        } else if !is_same {
            found.push("the budget is another".to_owned());
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
