//! The time that products take, if it is measured.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// Adds up the time of all threads.
#[derive(Debug, Default)]
pub(super) struct Clock {
    pub(super) is_on: bool,
    nanoseconds: AtomicU64,
}

impl Clock {
    /// Calls a function, and adds the time it takes if the clock is on.
    #[inline]
    pub(super) fn time(&self, work: impl FnOnce()) {
        if !self.is_on {
            return work();
        }
        let start = Instant::now();
        work();
        // 64 bits hold 584 years.
        self.nanoseconds.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    pub(super) fn seconds(&self) -> f64 {
        self.nanoseconds.load(Ordering::Relaxed) as f64 * 1e-9
    }
}
