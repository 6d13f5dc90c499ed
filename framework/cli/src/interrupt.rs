//! SIGINT and SIGTERM: after the first signal a training finishes its update and writes a checkpoint; the second signal
//! ends the program immediately.
//!
//! `timeout` sends SIGTERM twice, to the program and to its process group. So signals within a second count as one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hatchery::error::{Error, Result};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

/// A flag that SIGINT and SIGTERM set.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

/// Signals within this time of the first are duplicates of it.
const DUPLICATE_WITHIN: Duration = Duration::from_secs(1);

/// The interval at which the flag is polled.
const POLL: Duration = Duration::from_millis(50);

/// Whether a signal that long after the first is a second request and no duplicate.
pub fn is_meant(since_the_first: Duration) -> bool {
    since_the_first >= DUPLICATE_WITHIN
}

impl Interrupt {
    /// The exit status after an interruption, by the convention of shells: 128 + SIGINT.
    pub const STATUS: u8 = 130;

    /// Installs the signal handlers.
    ///
    /// # Errors
    /// If the system does not support these signals.
    pub fn watch() -> Result<Self> {
        let (asked, again) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM] {
            // The handler itself ends the program, even within a long update.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))
                .and_then(|_| flag::register(signal, Arc::clone(&asked)))
                .map_err(|error| Error::internal("cannot watch for Ctrl-C", error))?;
        }
        let interrupt = Self(asked);
        let watched = interrupt.clone();
        thread::spawn(move || {
            let mut first = None;
            while !first.is_some_and(|first: Instant| is_meant(first.elapsed())) {
                thread::sleep(POLL);
                first = first.or_else(|| watched.is_asked().then(Instant::now));
            }
            again.store(true, Ordering::Relaxed);
        });
        Ok(interrupt)
    }

    /// Whether a signal was received.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
