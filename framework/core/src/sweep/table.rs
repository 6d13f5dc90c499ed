//! The table of a sweep: what is known of every variant, the best first.

use super::{
    folder::Outcome,
    plan::Plan,
    standing::{Standing, Verdict, objective},
    statistics::{Summary, holm, paired},
};

/// A variant in the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Index of the variant.
    pub variant: usize,
    /// Updates after which its trials were measured.
    pub updates: u64,
    /// The objective over the seeds, in nats per character; none if nothing has been measured.
    pub summary: Option<Summary>,
    /// Seeds for which it is the best of the variants that are measured after the same updates.
    pub wins: usize,
    /// The p-value of a paired test against the first row, corrected by Holm; none for that row, and where fewer than two
    /// seeds can be compared.
    pub p: Option<f64>,
    /// Trials that ended with an error or diverged.
    pub failed: usize,
    /// How it was left behind, if it was.
    pub left: Option<Verdict>,
}

/// Values of a variant after an equal share of its training, in the order of the seeds.
pub(super) struct Measured {
    pub(super) variant: usize,
    pub(super) updates: u64,
    /// What of the training is done: variants are compared that have done the same.
    pub(super) share: f64,
    /// Without holes, so that values of two variants are paired.
    pub(super) values: Vec<f64>,
}

/// The rows: those that came furthest first, then those with the most seeds, then by their mean.
pub fn table(plan: &Plan, outcomes: &[Outcome], standing: &Standing) -> Vec<Row> {
    let measured = (0..plan.variants.len()).map(|variant| measured(plan, outcomes, variant)).collect();
    rows(plan, outcomes, standing, measured)
}

pub(super) fn rows(plan: &Plan, outcomes: &[Outcome], standing: &Standing, measured: Vec<Measured>) -> Vec<Row> {
    let row = |measured: Measured| {
        let Measured { variant, updates, values, .. } = &measured;
        let summary = (*updates > 0 && !values.is_empty()).then(|| Summary::of(values, plan.sweep.seed));
        let failed = plan.of_variant(*variant).filter(|(trial, _)| outcomes[*trial].failed.is_some()).count();
        let left = standing.left[*variant].clone();
        (Row { variant: *variant, updates: *updates, summary, wins: 0, p: None, failed, left }, measured)
    };
    let mut rows: Vec<(Row, Measured)> = measured.into_iter().map(row).collect();
    let mean = |row: &Row| row.summary.map_or(f64::INFINITY, |summary| summary.mean);
    rows.sort_by(|(one, of_one), (other, of_other)| {
        let further = of_other.share.total_cmp(&of_one.share);
        let further = further.then(of_other.values.len().cmp(&of_one.values.len()));
        further.then(mean(one).total_cmp(&mean(other))).then(one.variant.cmp(&other.variant))
    });
    count_wins(&mut rows);
    compare_with_the_first(&mut rows);
    rows.into_iter().map(|(row, _)| row).collect()
}

fn measured(plan: &Plan, outcomes: &[Outcome], variant: usize) -> Measured {
    let trials = || plan.of_variant(variant).map(|(trial, _)| &outcomes[trial]);
    let updates = trials().filter_map(|outcome| outcome.measured.keys().next_back()).max().copied().unwrap_or(0);
    let known = |outcome: &&Outcome| outcome.failed.is_some() || outcome.measured.contains_key(&updates);
    let values = trials().take_while(known).map(|outcome| objective(outcome, updates)).collect();
    let share = updates as f64 / plan.variants[variant].updates as f64;
    Measured { variant, updates, share, values }
}

fn count_wins(rows: &mut [(Row, Measured)]) {
    let seeds = rows.iter().map(|(_, measured)| measured.values.len()).max().unwrap_or(0);
    let most = rows.iter().map(|(_, measured)| measured.share).fold(0.0, f64::max);
    for seed in 0..seeds {
        let of_seed = rows.iter_mut().filter(|(_, it)| it.share >= most && it.values.len() > seed);
        let best = of_seed.min_by(|(_, one), (_, other)| one.values[seed].total_cmp(&other.values[seed]));
        if let Some((row, _)) = best.filter(|(_, measured)| measured.values[seed].is_finite()) {
            row.wins += 1;
        }
    }
}

fn compare_with_the_first(rows: &mut [(Row, Measured)]) {
    let Some(((_, first), others)) = rows.split_first_mut() else { return };
    let mut compared = Vec::new();
    for (row, measured) in others {
        let shared = measured.values.len().min(first.values.len());
        if measured.share >= first.share && shared >= 2 {
            let p = paired(&first.values[..shared], &measured.values[..shared]).p;
            compared.push((row, p));
        }
    }
    let corrected = holm(&compared.iter().map(|(_, p)| *p).collect::<Vec<_>>());
    for ((row, _), p) in compared.into_iter().zip(corrected) {
        row.p = Some(p);
    }
}
