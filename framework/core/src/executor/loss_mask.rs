//! Which predictions of a batch count.

use hatchery_plugin::Token;

use crate::data::Batch;

/// The loss mask of a batch.
pub(super) struct LossMask {
    /// The time steps at which at least one row counts.
    pub(super) steps: Vec<usize>,
    /// Targets of those steps: `[steps × rows]`.
    pub(super) targets: Vec<Token>,
    /// 1 where a row counts and 0 where not; `None` when all count.
    pub(super) mask: Option<Vec<f64>>,
}

impl LossMask {
    pub(super) fn of(batch: &Batch) -> Self {
        let rows = batch.rows;
        let row = |step: usize| step * rows..(step + 1) * rows;
        let steps: Vec<_> = (0..batch.steps).filter(|&step| batch.counted[row(step)].contains(&true)).collect();
        let targets = steps.iter().flat_map(|&step| batch.targets[row(step)].iter().copied()).collect();
        let counted: Vec<_> = steps.iter().flat_map(|&step| batch.counted[row(step)].iter().copied()).collect();
        let mask =
            counted.contains(&false).then(|| counted.iter().map(|&counts| f64::from(u8::from(counts))).collect());
        Self { steps, targets, mask }
    }
}
