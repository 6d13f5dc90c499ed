//! What the kit found: a table with a line for each check.

use std::fmt;

use crate::{capture::catch_panic, host::HostCell};

/// What came out for one plugin.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which plugin, as `cell "gru"`.
    pub subject: String,
    /// What came out of each check, in the order in which they were made.
    pub outcomes: Vec<Outcome>,
    /// How many checks were not made, because one before them failed on which they depend.
    pub not_made: usize,
}

/// What came out of one check.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was checked, in a few words.
    pub check: &'static str,
    /// What was seen, or what is wrong, with numbers and with what to look at.
    pub result: Result<String, String>,
}

/// A check of a cell and of a second one of the same keys.
pub(super) struct Check {
    pub(super) name: &'static str,
    /// Whether the checks after it can be made only if it passed.
    pub(super) needed: bool,
    pub(super) body: fn(&dyn HostCell, &dyn HostCell) -> Verdict,
}

/// What a check says: what was seen, or what is wrong.
pub(super) type Verdict = Result<String, String>;

impl Report {
    /// A report without any outcome yet.
    pub(super) fn new(subject: String) -> Self {
        Self { subject, outcomes: Vec::new(), not_made: 0 }
    }

    /// Makes a check and says whether it passed.
    pub(super) fn run(&mut self, check: &'static str, body: impl FnOnce() -> Verdict) -> bool {
        let result = attempt(body).flatten();
        let passed = result.is_ok();
        self.outcomes.push(Outcome { check, result });
        passed
    }

    /// Makes checks in turn. One that is `needed` and fails ends it: the others would fail for the same reason, and hide it.
    pub(super) fn run_all(&mut self, checks: &[Check], cell: &dyn HostCell, twin: &dyn HostCell) {
        for (number, Check { name, needed, body }) in checks.iter().enumerate() {
            if !self.run(name, || body(cell, twin)) && *needed {
                self.not_made += checks.len() - number - 1;
                return;
            }
        }
    }

    /// What came out, in a few words: `21 of 21 checks passed`.
    pub fn summary(&self) -> String {
        let (all, failed) = (self.outcomes.len(), self.failures().count());
        match (failed, self.not_made) {
            (0, 0) => format!("{all} of {all} checks passed"),
            (_, 0) => format!("{failed} of {all} checks failed"),
            (_, left) => format!("{failed} failed, {left} not made for it, {} passed", all - failed),
        }
    }

    /// Whether every check passed.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.result.is_err())
    }

    /// Panics with the whole table when a check failed: what a test calls.
    ///
    /// # Panics
    /// When a check failed.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.passed(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.subject, self.summary())?;
        let width = self.outcomes.iter().map(|outcome| outcome.check.chars().count()).max().unwrap_or_default();
        for Outcome { check, result } in &self.outcomes {
            let (word, detail) = match result {
                Ok(detail) => ("ok", detail),
                Err(detail) => ("FAILED", detail),
            };
            writeln!(f, "  {word:<6}  {check:<width$}  {detail}")?;
        }
        Ok(())
    }
}

/// Calls into a plugin: a panic comes back as text.
pub(super) fn attempt<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_panic(body).map_err(|reason| format!("it panicked: {reason}"))
}
