//! What the conformance kit said of a plugin from a library.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{registry::Entry, trust::for_shell};
use crate::error::Problem;

/// What the kit says of a plugin, in few words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Verdict {
    /// What came out: `21 of 21 checks passed`.
    pub summary: String,
    /// The checks that failed, each with what was seen.
    pub failures: Vec<String>,
}

impl Verdict {
    /// The verdict that a checkpoint has: it was given before, and is not given again.
    pub(crate) fn known(summary: &str) -> Self {
        Self { summary: summary.to_owned(), failures: Vec::new() }
    }

    /// The warning of a plugin that does not conform.
    pub(crate) fn warning(&self, entry: &Entry) -> Option<Problem> {
        let first = self.failures.first()?;
        let (kind, name, origin) = (entry.variant.kind(), entry.variant.name, &entry.origin);
        let subject = format!("the {kind} `{name}` of {} {} does not conform", origin.package, origin.version);
        let problem = Problem::new(format!("{subject}: {}", self.summary)).note(first.clone());
        let library = entry.path.as_deref().map_or_else(|| "LIBRARY".to_owned(), for_shell);
        Some(problem.hint(format!("hatchery plugins check {library}")))
    }
}

/// Where verdicts are kept, beside the list of trusted libraries.
pub(super) fn beside(trusted: &Path) -> PathBuf {
    trusted.with_file_name("plugin-checks")
}
