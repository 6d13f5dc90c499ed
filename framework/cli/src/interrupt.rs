//! Ctrl-C, and being asked by the system to end: the first time training finishes its step and writes a checkpoint, the
//! second time the program stops at once.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use hatchery::error::{Error, Result};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

/// Whether somebody asked the program to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// The program's status after it was interrupted, as shells have it: 128 and the number of Ctrl-C's signal.
    pub(crate) const STATUS: u8 = 130;

    /// Takes note from now on.
    pub(crate) fn watch() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds nothing to shut down for, and then sets what the second one finds.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&asked))
                .and_then(|_| flag::register(signal, Arc::clone(&asked)))
                .map_err(|error| Error::internal("cannot watch for Ctrl-C", error))?;
        }
        Ok(Self(asked))
    }

    /// Whether the signal has come.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
