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

/// The rows: those with the most updates first, then those with the most seeds, then by their mean.
pub fn table(plan: &Plan, outcomes: &[Outcome], standing: &Standing) -> Vec<Row> {
    let mut rows: Vec<(Row, Vec<f64>)> =
        (0..plan.variants.len()).map(|variant| row(plan, outcomes, standing, variant)).collect();
    let mean = |row: &Row| row.summary.map_or(f64::INFINITY, |summary| summary.mean);
    rows.sort_by(|(one, of_one), (other, of_other)| {
        let further = other.updates.cmp(&one.updates).then(of_other.len().cmp(&of_one.len()));
        further.then(mean(one).total_cmp(&mean(other))).then(one.variant.cmp(&other.variant))
    });
    count_wins(&mut rows);
    compare_with_the_first(&mut rows);
    rows.into_iter().map(|(row, _)| row).collect()
}

/// The row of a variant, and its values by seed.
fn row(plan: &Plan, outcomes: &[Outcome], standing: &Standing, variant: usize) -> (Row, Vec<f64>) {
    let trials = || plan.of_variant(variant).map(|(trial, _)| &outcomes[trial]);
    let updates = trials().filter_map(|outcome| outcome.measured.keys().next_back()).max().copied().unwrap_or(0);
    let known = |outcome: &&Outcome| outcome.failed.is_some() || outcome.measured.contains_key(&updates);
    // In the order of the seeds, without holes: so values of two variants are paired.
    let values: Vec<_> = trials().take_while(known).map(|outcome| objective(outcome, updates)).collect();
    let summary = (updates > 0 && !values.is_empty()).then(|| Summary::of(&values, plan.sweep.seed));
    let failed = trials().filter(|outcome| outcome.failed.is_some()).count();
    let left = standing.left[variant].clone();
    (Row { variant, updates, summary, wins: 0, p: None, failed, left }, values)
}

fn count_wins(rows: &mut [(Row, Vec<f64>)]) {
    let seeds = rows.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    let most = rows.iter().map(|(row, _)| row.updates).max().unwrap_or(0);
    for seed in 0..seeds {
        let of_seed = rows.iter_mut().filter(|(row, values)| row.updates == most && values.len() > seed);
        let best = of_seed.min_by(|(_, one), (_, other)| one[seed].total_cmp(&other[seed]));
        if let Some((row, _)) = best.filter(|(_, values)| values[seed].is_finite()) {
            row.wins += 1;
        }
    }
}

fn compare_with_the_first(rows: &mut [(Row, Vec<f64>)]) {
    let Some(((first, of_first), others)) = rows.split_first_mut() else { return };
    let mut compared = Vec::new();
    for (row, values) in others {
        let shared = values.len().min(of_first.len());
        if row.updates == first.updates && shared >= 2 {
            let p = paired(&of_first[..shared], &values[..shared]).p;
            compared.push((row, p));
        }
    }
    let corrected = holm(&compared.iter().map(|(_, p)| *p).collect::<Vec<_>>());
    for ((row, _), p) in compared.into_iter().zip(corrected) {
        row.p = Some(p);
    }
}
