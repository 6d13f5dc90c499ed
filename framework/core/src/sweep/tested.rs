//! The test split: measured once, of the variants that are chosen, when nothing is left to do.

use std::{collections::BTreeMap, io};

use super::{
    file::Chosen,
    folder::{Folder, Outcome, best},
    plan::Plan,
    standing::standing,
    statistics::Summary,
    table::{Row, table},
};
use crate::{
    error::{Error, Problem, Result},
    files,
    inspect::evaluate::measure,
    run::{
        directory::{RunDirectory, RunRef},
        failure, replace,
    },
    session::{Options, Session, Source},
};

/// Nats per character on the test split, by the id of the trial.
pub type Scores = BTreeMap<String, f64>;

/// The largest file of scores that is read.
const LARGEST: u64 = 1 << 24;

impl Folder {
    fn scores_file(&self) -> std::path::PathBuf {
        self.path().join("test.json")
    }

    /// The scores on the test split; empty if it has not been measured.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn scores(&self) -> Result<Scores> {
        let path = self.scores_file();
        match files::read_text(&path, LARGEST) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| {
                let problem = Problem::new(format!("`{}` cannot be read: {error}", path.display()));
                problem.hint("take it from a copy: the test split is measured once").into()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Scores::new()),
            Err(error) => Err(failure("read", &path, error)),
        }
    }
}

/// Whether a row of a finished sweep is one of the chosen: the first, and those of which no difference to it was found.
pub fn is_chosen(row: &Row, at: usize) -> bool {
    at == 0 || row.left.is_none() && row.p.is_some_and(|p| p >= 0.05)
}

/// The scores of a variant in short; none unless all its trials have one.
pub fn score(plan: &Plan, scores: &Scores, variant: usize) -> Option<Summary> {
    let values: Option<Vec<f64>> = plan.of_variant(variant).map(|(_, trial)| scores.get(&trial.id).copied()).collect();
    values.filter(|values| !values.is_empty()).map(|values| Summary::of(&values, plan.sweep.seed))
}

/// Measures the trials of the chosen variants on the test split and writes their scores into the sweep's folder. From then
/// on the sweep cannot be extended: a choice after this measurement would be no test.
///
/// # Errors
/// When the sweep is not done, has been tested, or holds nothing out for the test.
pub fn test(folder: &Folder, options: &Options<'_>) -> Result<()> {
    let _alone = folder.lock()?;
    let plan = folder.plan()?;
    let outcomes = folder.outcomes(&plan)?;
    let stands = standing(&plan, &outcomes);
    if !folder.scores()?.is_empty() {
        return Err(Problem::new("the test split has been measured: it is measured once")
            .hint(format!("hatchery sweep table {}", folder.path().display()))
            .into());
    }
    if !stands.is_done() || plan.trials.is_empty() {
        return Err(Problem::new("the sweep is not done: the test split is measured once, at its end")
            .hint(format!("hatchery sweep work {}", folder.path().display()))
            .into());
    }
    let mut scores = Scores::new();
    let rows = table(&plan, &outcomes, &stands);
    for (_, row) in rows.iter().enumerate().filter(|(at, row)| is_chosen(row, *at)) {
        for (trial, it) in plan.of_variant(row.variant) {
            if outcomes[trial].failed.is_none() && !outcomes[trial].measured.is_empty() {
                scores.insert(it.id.clone(), measure_test(folder, &plan, trial, &outcomes[trial], options)?);
            }
        }
    }
    let text = serde_json::to_string(&scores).map_err(|error| Error::internal("cannot write scores down", error))?;
    replace::text(&folder.scores_file(), &(text + "\n"))
}

/// The score of the parameters that the objective was measured of.
fn measure_test(folder: &Folder, plan: &Plan, trial: usize, outcome: &Outcome, options: &Options<'_>) -> Result<f64> {
    let run = RunDirectory::open(&folder.trial(&plan.trials[trial]))?;
    let last = RunRef::Run(run.clone());
    let session = Session::open(Source::Checkpoint(&last), options)?;
    let (mut network, progress) = session.restore()?;
    let objective = outcome.measured.values().next_back().copied();
    if plan.sweep.objective.checkpoint == Chosen::Best && best(&progress).is_some_and(|it| objective == Some(it)) {
        let best = RunRef::Checkpoint(run.best());
        (network, _) = Session::open(Source::Checkpoint(&best), options)?.restore()?;
    }
    let data = session.data()?;
    let Some(test) = &data.test else {
        return Err(Problem::new("the experiment holds nothing out for the test")
            .hint("set split.test in the experiment of another sweep")
            .into());
    };
    Ok(measure(&mut *network.executor, test)?.0.nats_per_character)
}
