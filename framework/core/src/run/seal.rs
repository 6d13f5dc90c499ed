//! Whether the logs of a run are what its training wrote: its checkpoint has their digests.
//!
//! Training does not depend on the logs; tables and pictures do.

use std::path::PathBuf;

use super::{
    checkpoint::{self, Inspection, Meta},
    directory::RunDirectory,
    log::{self, Event, Metric, SampleRow},
};
use crate::error::{Problem, Result};

/// A warning for each log of which the part that belongs to a checkpoint is no longer as it was written.
///
/// # Errors
/// When a log cannot be read.
pub fn changed(directory: &RunDirectory, then: &Meta) -> Result<Vec<Problem>> {
    let Some(logs) = &then.logs else { return Ok(Vec::new()) };
    let updates = then.progress.updates;
    let (metrics, samples, events) = (directory.metrics(), directory.samples(), directory.events());
    let mut compared = vec![
        (log::digest_after::<Metric>(&metrics, updates)?, &logs.metrics, metrics),
        (log::digest_after::<SampleRow>(&samples, updates)?, &logs.samples, samples),
    ];
    if let Some(then_events) = &logs.events {
        compared.push((log::digest_of::<Event>(&events, then.progress.events)?, then_events, events));
    }
    let changed = compared.into_iter().filter(|(now, then, _)| now != *then);
    let warning = |(_, _, path): (_, _, PathBuf)| {
        Problem::new(format!("`{}` is no longer what the training wrote", path.display()))
            .note(format!("its part up to the checkpoint after {updates} updates was changed, or lines are missing"))
            .hint("take it from a copy: tables and pictures show what is in it; the training does not depend on it")
    };
    Ok(changed.map(warning).collect())
}

/// The warnings of [`changed`] for a run and its newest checkpoint; none without one. The header alone is read unless
/// something differs: then the whole checkpoint has to be as it was written, for else the fault may be its own.
pub fn changed_since_checkpoint(directory: &RunDirectory) -> Vec<Problem> {
    let found = |meta: &Meta| changed(directory, meta).unwrap_or_default();
    let differs = checkpoint::peek(&directory.checkpoint()).is_some_and(|meta| !found(&meta).is_empty());
    if !differs {
        return Vec::new();
    }
    match checkpoint::examine(&directory.checkpoint()) {
        Ok(Inspection::Good(checkpoint)) => found(&checkpoint.meta),
        _ => Vec::new(),
    }
}
