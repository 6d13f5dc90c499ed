//! `hatchery plugins check` and `hatchery plugins doctor`: checks of a plugin library.

use std::path::Path;

use hatchery::{
    error::{Problem, Result},
    experiment::checking::example,
    plugins::{examine, load},
    replay::probe,
};
use hatchery_plugin::conformance;

/// Runs the conformance kit on every plugin of a library.
pub(crate) fn check(library: &Path) -> Result<()> {
    let loaded = load(library)?;
    let (mut passed, mut failed) = (0, Vec::new());
    for variant in &loaded.provider.variants {
        let keys = example(variant)?;
        let mut report = conformance::check(variant, keys.clone());
        probe(variant, &keys, &mut report);
        out!("{report}");
        if report.passed() {
            passed += 1;
        } else {
            failed.push(report.subject);
        }
    }
    if failed.is_empty() {
        out!("{passed} of {passed} plugins of {} {} conform", loaded.provider.package, loaded.provider.version);
        return Ok(());
    }
    Err(Problem::new(format!("does not conform: {}", failed.join(", ")))
        .hint("each FAILED line above says what was seen and what to look at")
        .into())
}

/// Prints each field of a library and, if it is wrong, what is needed.
pub(crate) fn doctor(library: &Path) -> Result<()> {
    let findings = examine(library, &hatchery_cli::registry()?);
    for finding in &findings {
        let word = if finding.repair.is_none() { "ok" } else { "WRONG" };
        out!("{word:<6}  {:<13} {}", finding.field, finding.found);
        if let Some(repair) = &finding.repair {
            out!("{:23} needed: {}\n{:23} repair: {repair}", "", finding.needed, "");
        }
    }
    if findings.iter().any(|finding| finding.repair.is_some()) {
        return Err(Problem::new(format!("`{}` would be refused", library.display())).into());
    }
    Ok(())
}
