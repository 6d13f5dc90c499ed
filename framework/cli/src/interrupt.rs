//! Ctrl-C, and being asked by the system to end: the first time training finishes its step and writes a checkpoint, the
//! second time the program stops at once.
//!
//! What asks may ask twice in one breath: `timeout` signals the program and then its whole group, to which the program
//! belongs. So a second signal counts only when it comes a moment after the first.

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

/// Whether somebody asked the program to end.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

/// How long after the first signal another one is taken for the same: nobody decides anew in less.
const ONE_BREATH: Duration = Duration::from_secs(1);

/// How often it is looked whether the first signal has come.
const LOOK: Duration = Duration::from_millis(50);

/// Whether another signal would be a wish of its own, so long after the first.
pub fn is_meant(since_the_first: Duration) -> bool {
    since_the_first >= ONE_BREATH
}

impl Interrupt {
    /// The program's status after it was interrupted, as shells have it: 128 and the number of Ctrl-C's signal.
    pub const STATUS: u8 = 130;

    /// Takes note from now on.
    ///
    /// # Errors
    /// When the system has no way to be told of these signals.
    pub fn watch() -> Result<Self> {
        let (asked, again) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM] {
            // The handler itself ends the program, however long a step takes.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))
                .and_then(|_| flag::register(signal, Arc::clone(&asked)))
                .map_err(|error| Error::internal("cannot watch for Ctrl-C", error))?;
        }
        let interrupt = Self(asked);
        let watched = interrupt.clone();
        thread::spawn(move || {
            let mut first = None;
            while !first.is_some_and(|first: Instant| is_meant(first.elapsed())) {
                thread::sleep(LOOK);
                first = first.or_else(|| watched.is_asked().then(Instant::now));
            }
            again.store(true, Ordering::Relaxed);
        });
        Ok(interrupt)
    }

    /// Whether the signal has come.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
