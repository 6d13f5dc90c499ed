//! What is to be done next, from the plan and the results alone.

use super::{
    file::Search,
    folder::Outcome,
    plan::Plan,
    statistics::{holm, paired},
};

/// A piece of work: a trial, trained until that many updates are done and then measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Index of the trial.
    pub trial: usize,
    /// Updates.
    pub updates: u64,
}

/// The end of a variant before the end of the sweep.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Others were better after that many updates.
    Rung(u64),
    /// A variant is better over that many seeds, with this probability of such a difference by chance, corrected.
    Behind {
        /// Index of the better variant.
        of: usize,
        /// Seeds compared.
        seeds: usize,
        /// The corrected p-value.
        p: f64,
    },
}

/// How a sweep stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// What can be done now.
    pub tasks: Vec<Task>,
    /// For every variant, how it ended if it was left behind.
    pub left: Vec<Option<Verdict>>,
}

impl Standing {
    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        self.tasks.is_empty()
    }
}

/// What is to be done next. A verdict is given only on complete results: all seeds of a rung, all variants of a round.
pub fn standing(plan: &Plan, outcomes: &[Outcome]) -> Standing {
    match plan.sweep.search {
        Search::Grid | Search::Random { .. } | Search::Ask => {
            let all = 0..plan.trials.len();
            let tasks = all.filter_map(|trial| open(plan, outcomes, trial, None)).collect();
            Standing { tasks, left: vec![None; plan.variants.len()] }
        }
        Search::Halving { first, keep } => halving(plan, outcomes, first, keep),
        Search::Racing { first, level } => racing(plan, outcomes, first as usize, level),
    }
}

/// The work on a trial up to a rung, by default to its end; none if it is done.
fn open(plan: &Plan, outcomes: &[Outcome], trial: usize, rung: Option<u64>) -> Option<Task> {
    let updates = rung.unwrap_or_else(|| plan.updates(&plan.trials[trial]));
    let is_open = outcomes[trial].failed.is_none() && !outcomes[trial].measured.contains_key(&updates);
    is_open.then_some(Task { trial, updates })
}

/// The objective after that many updates; infinite for a trial that failed.
pub(super) fn objective(outcome: &Outcome, updates: u64) -> f64 {
    outcome.measured.get(&updates).copied().filter(|nats| nats.is_finite()).unwrap_or(f64::INFINITY)
}

fn mean(plan: &Plan, outcomes: &[Outcome], variant: usize, updates: u64) -> f64 {
    let values: Vec<_> = plan.of_variant(variant).map(|(trial, _)| objective(&outcomes[trial], updates)).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// The updates of every rung: each 1 / `keep` times the one before, the last the whole trial.
pub(super) fn rungs(first: u64, keep: f64, updates: u64) -> Vec<u64> {
    let mut rungs = Vec::new();
    let mut next = first as f64;
    while (next.round() as u64) < updates {
        rungs.push(next.round() as u64);
        next = (next / keep).max(next + 1.0);
    }
    rungs.push(updates);
    rungs
}

/// Variants that go on to the next rung.
pub(super) fn going(alive: usize, keep: f64) -> usize {
    ((alive as f64 * keep).ceil() as usize).clamp(1.min(alive), alive)
}

fn halving(plan: &Plan, outcomes: &[Outcome], first: u64, keep: f64) -> Standing {
    let mut left = vec![None; plan.variants.len()];
    let mut alive: Vec<usize> = (0..plan.variants.len()).collect();
    // All variants have equally many.
    let whole = plan.variants.first().map_or(0, |variant| variant.updates);
    for updates in rungs(first, keep, whole) {
        let trials = alive.iter().flat_map(|&variant| plan.of_variant(variant));
        let tasks: Vec<_> = trials.filter_map(|(trial, _)| open(plan, outcomes, trial, Some(updates))).collect();
        if !tasks.is_empty() || updates == whole {
            return Standing { tasks, left };
        }
        let going = going(alive.len(), keep);
        let mut ranked: Vec<_> =
            alive.iter().map(|&variant| (mean(plan, outcomes, variant, updates), variant)).collect();
        // Of equals the first of the file goes on.
        ranked.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        for &(_, variant) in &ranked[going..] {
            left[variant] = Some(Verdict::Rung(updates));
        }
        alive = ranked[..going].iter().map(|&(_, variant)| variant).collect();
        alive.sort_unstable();
    }
    Standing { tasks: Vec::new(), left }
}

fn racing(plan: &Plan, outcomes: &[Outcome], first: usize, level: f64) -> Standing {
    let seeds = plan.sweep.repeat.seeds as usize;
    let mut left: Vec<Option<Verdict>> = vec![None; plan.variants.len()];
    // Every test costs a share of the level, so that the whole race keeps it.
    let tests = (seeds + 1).saturating_sub(first).max(1);
    for round in 1..=seeds {
        let alive: Vec<_> = (0..plan.variants.len()).filter(|&variant| left[variant].is_none()).collect();
        let of_round = |&variant: &usize| plan.of_variant(variant).nth(round - 1).map(|(trial, _)| trial);
        let tasks: Vec<_> =
            alive.iter().filter_map(of_round).filter_map(|trial| open(plan, outcomes, trial, None)).collect();
        // One variant that is left has won.
        if alive.len() == 1 && plan.variants.len() > 1 {
            break;
        }
        if !tasks.is_empty() {
            return Standing { tasks, left };
        }
        if round >= first {
            for (variant, verdict) in behind(plan, outcomes, &alive, round, level / tests as f64) {
                left[variant] = Some(verdict);
            }
        }
    }
    Standing { tasks: Vec::new(), left }
}

/// The variants that a paired test over the first seeds puts behind another. All pairs are one family of tests: the best
/// is known only from the same numbers, so that tests against it alone would find differences that are none.
fn behind(plan: &Plan, outcomes: &[Outcome], alive: &[usize], seeds: usize, level: f64) -> Vec<(usize, Verdict)> {
    let values = |variant: usize| -> Vec<f64> {
        let trials = plan.of_variant(variant).take(seeds);
        trials.map(|(trial, _)| objective(&outcomes[trial], plan.variants[variant].updates)).collect()
    };
    let values: Vec<_> = alive.iter().map(|&variant| (variant, values(variant))).collect();
    let mut pairs = Vec::new();
    for (at, (one, of_one)) in values.iter().enumerate() {
        for (other, of_other) in &values[at + 1..] {
            let test = paired(of_one, of_other);
            let (worse, better) = if test.difference > 0.0 { (*one, *other) } else { (*other, *one) };
            pairs.push((worse, better, test.p));
        }
    }
    let corrected = holm(&pairs.iter().map(|(.., p)| *p).collect::<Vec<_>>());
    let mut found: Vec<(usize, Verdict)> = Vec::new();
    for ((worse, better, _), p) in pairs.into_iter().zip(corrected) {
        let is_first = !found.iter().any(|(variant, _)| *variant == worse);
        if p < level && is_first {
            found.push((worse, Verdict::Behind { of: better, seeds, p }));
        }
    }
    found
}
