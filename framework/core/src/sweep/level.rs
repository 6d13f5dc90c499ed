//! Variants at an equal expense: what each had reached after as many updates, or as much time, as all have had.

use super::{
    file::Chosen,
    folder::{Folder, Outcome},
    plan::Plan,
    standing::Standing,
    table::{Measured, Row, rows},
};
use crate::{
    error::Result,
    run::{
        directory::RunDirectory,
        log::{self, Metric, Time},
    },
};

/// What is equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Equal {
    /// Updates.
    Updates,
    /// Seconds of training: these depend on the machine.
    Time,
}

/// The validation reports of a trial: what was spent, updates, nats per character.
type Reports = Vec<(f64, u64, f64)>;

/// The rows at an equal expense, from the reports of the trials' runs, and that expense: the least that any trial has had.
/// Trials without a report are left out.
///
/// # Errors
/// When a log cannot be read.
pub fn levelled(
    folder: &Folder,
    plan: &Plan,
    outcomes: &[Outcome],
    standing: &Standing,
    equal: Equal,
) -> Result<(Vec<Row>, f64)> {
    let reports = plan.trials.iter().map(|trial| of_trial(&folder.trial(trial), equal)).collect::<Result<Vec<_>>>()?;
    let last = |reports: &Reports| reports.last().map(|(spent, ..)| *spent);
    let limit = reports.iter().filter_map(last).fold(f64::INFINITY, f64::min);
    let best = plan.sweep.objective.checkpoint == Chosen::Best;
    let at_limit = |reports: &Reports| -> Option<(u64, f64)> {
        let within =
            || reports.iter().filter(|(spent, ..)| *spent <= limit).map(|(_, updates, nats)| (*updates, *nats));
        let last = within().next_back()?;
        Some(if best { (last.0, within().map(|(_, nats)| nats).fold(f64::INFINITY, f64::min)) } else { last })
    };
    let measured = (0..plan.variants.len()).map(|variant| {
        let found: Vec<_> = plan.of_variant(variant).map_while(|(trial, _)| at_limit(&reports[trial])).collect();
        let updates = found.iter().map(|(updates, _)| *updates).max().unwrap_or(0);
        let share = if found.is_empty() { 0.0 } else { 1.0 };
        Measured { variant, updates, share, values: found.into_iter().map(|(_, nats)| nats).collect() }
    });
    Ok((rows(plan, outcomes, standing, measured.collect()), limit))
}

fn of_trial(path: &std::path::Path, equal: Equal) -> Result<Reports> {
    let Ok(run) = RunDirectory::open(path) else { return Ok(Vec::new()) };
    let metrics: Vec<Metric> = log::read(&run.metrics())?;
    let times: Vec<Time> = if equal == Equal::Time { log::read(&run.times())? } else { Vec::new() };
    let spent = |step: u64| match equal {
        Equal::Updates => Some((step + 1) as f64),
        Equal::Time => times.iter().find(|time| time.step == step).map(|time| time.seconds),
    };
    let report =
        |metric: &Metric| Some((spent(metric.step)?, metric.step + 1, metric.valid.as_ref()?.nats_per_character));
    Ok(metrics.iter().filter_map(report).collect())
}
