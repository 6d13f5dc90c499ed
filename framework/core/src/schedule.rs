//! The learning rate over time.

use crate::experiment::{Optimizer, Schedule, Unit};

/// The factor on the learning rate at an update (counted from 0) of a training with `steps` updates and
/// `steps_per_epoch` updates per epoch.
pub fn factor(schedule: &Schedule, step: u64, steps: u64, steps_per_epoch: u64) -> f64 {
    match *schedule {
        Schedule::Constant => 1.0,
        Schedule::Decay { factor, every, unit, start } => {
            let done = match unit {
                Unit::Steps => step,
                Unit::Epochs => step / steps_per_epoch.max(1),
            };
            let times = if done < start { 0 } else { (done - start) / every + u64::from(start > 0) };
            factor.powi(times as i32)
        }
        Schedule::Cosine { warmup, floor } => {
            let fall = |done: f64| floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
            after_warmup(step, steps, warmup, fall)
        }
        Schedule::Linear { warmup, floor } => after_warmup(step, steps, warmup, |done| 1.0 - (1.0 - floor) * done),
    }
}

/// The factor of a linear warmup over `warmup` updates, followed by `fall` of the fraction of the other updates that are
/// done.
fn after_warmup(step: u64, steps: u64, warmup: u64, fall: impl Fn(f64) -> f64) -> f64 {
    if step < warmup {
        return (step + 1) as f64 / warmup as f64;
    }
    let remaining = steps.saturating_sub(warmup + 1).max(1) as f64;
    fall(((step - warmup) as f64 / remaining).min(1.0))
}

impl Schedule {
    /// Whether the learning rate depends on the total number of updates.
    pub fn depends_on_steps(&self) -> bool {
        matches!(self, Self::Cosine { .. } | Self::Linear { .. })
    }
}

impl Optimizer {
    /// The learning rate before any schedule.
    pub fn learning_rate(&self) -> f64 {
        match *self {
            Self::Sgd { learning_rate, .. }
            | Self::Adagrad { learning_rate, .. }
            | Self::Rmsprop { learning_rate, .. }
            | Self::Adam { learning_rate, .. }
            | Self::Adamw { learning_rate, .. } => learning_rate,
        }
    }
}
