//! The one way out: everything that the commands print goes through here.
//!
//! On a terminal, characters that it would obey are shown as escapes. A file or a pipe gets the exact text, and so does
//! a terminal with `--raw`.

use std::{
    borrow::Cow,
    io::{IsTerminal, stderr, stdout},
    sync::OnceLock,
};

use hatchery::visible::escape;

/// Whether `--raw` was given; set once, before anything is printed.
static RAW: OnceLock<bool> = OnceLock::new();

/// Notes whether `--raw` was given.
pub(crate) fn set_raw(raw: bool) {
    RAW.get_or_init(|| raw);
}

fn is_raw() -> bool {
    RAW.get().copied().unwrap_or(false)
}

/// A text as standard output gets it.
pub(crate) fn for_stdout(text: &str) -> Cow<'_, str> {
    static WATCHED: OnceLock<bool> = OnceLock::new();
    if !is_raw() && *WATCHED.get_or_init(|| stdout().is_terminal()) { escape(text) } else { text.into() }
}

/// A text as standard error gets it.
pub(crate) fn for_stderr(text: &str) -> Cow<'_, str> {
    static WATCHED: OnceLock<bool> = OnceLock::new();
    if !is_raw() && *WATCHED.get_or_init(|| stderr().is_terminal()) { escape(text) } else { text.into() }
}
