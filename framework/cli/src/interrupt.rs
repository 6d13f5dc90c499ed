//! Signals to a training. INT, TERM, HUP, XCPU and USR2: it finishes its update, writes a checkpoint and ends. USR1: it
//! writes a checkpoint and continues. A second INT or TERM ends the program immediately.
//!
//! A closed terminal sends HUP, a limit of processor time XCPU, and batch systems what they are asked for; Grid Engine sends
//! USR1 before it suspends a job and USR2 before it kills one. A program begun by `nohup` ignores HUP, and so does this.
//!
//! `timeout` sends TERM twice, to the program and to its process group. So signals within a second count as one.

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

/// Flags that signals set.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    stop: Arc<AtomicBool>,
    save: Arc<AtomicBool>,
}

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
        let failed = |error| Error::internal("cannot watch for signals", error);
        let (interrupt, again) = (Self::default(), Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM] {
            // The handler itself ends the program, even within a long update.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))
                .and_then(|_| flag::register(signal, Arc::clone(&interrupt.stop)))
                .map_err(failed)?;
        }
        #[cfg(unix)]
        {
            use signal_hook::consts::{SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};
            // These come more than once by themselves, XCPU every second: they end nothing immediately.
            for signal in [SIGHUP, SIGXCPU, SIGUSR2].into_iter().filter(|signal| *signal != SIGHUP || !ignores(SIGHUP))
            {
                flag::register(signal, Arc::clone(&interrupt.stop)).map_err(failed)?;
            }
            flag::register(SIGUSR1, Arc::clone(&interrupt.save)).map_err(failed)?;
        }
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

    /// Whether a signal to end was received.
    pub fn is_asked(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether a signal to write a checkpoint was received since the last call.
    pub fn take_save(&self) -> bool {
        self.save.swap(false, Ordering::Relaxed)
    }
}

/// Lets writing a file that is larger than the user's limit for files fail, which is reported, in place of ending the program.
pub fn report_large_files() {
    #[cfg(unix)]
    // A handler is enough: the write then returns an error. Without one the program ends as it did.
    let _ = flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
}

/// Whether the program was started with this signal ignored. Where the system does not say, as it does on Linux, it counts
/// as ignored.
#[cfg(unix)]
fn ignores(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
}
