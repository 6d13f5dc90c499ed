//! `hatchery plugins check`, `doctor` and `trust`: what a plugin library is, and whether it may be loaded.

use std::path::Path;

use hatchery::{
    error::{Problem, Result},
    experiment::checking::example,
    plugins::{LibraryFile, NamedBy, TrustList, examine, is_sha256, load},
    replay::probe,
};
use hatchery_plugin::conformance;

use crate::arguments::Trust;

/// Runs the conformance kit on every plugin of a library. Who names it here wants it to be loaded.
pub(crate) fn check(library: &Path) -> Result<()> {
    let (trusted, warning) = TrustList::of_user().admit(LibraryFile::read(library)?, &NamedBy::User)?;
    warning.iter().for_each(super::warn);
    let loaded = load(&trusted)?;
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
    let findings = examine(library, &hatchery_cli::registry()?, &TrustList::of_user());
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

/// Shows or changes the list of trusted libraries.
pub(crate) fn trust(arguments: &Trust) -> Result<()> {
    let list = TrustList::of_user();
    if arguments.list {
        list.entries()?.iter().for_each(|entry| out!("{}  {}", entry.sha256, entry.path));
        return Ok(());
    }
    if arguments.remove {
        return arguments.libraries.iter().try_for_each(|library| remove(&list, library));
    }
    // All are read before one is trusted.
    let files = arguments.libraries.iter().map(|library| LibraryFile::read(library)).collect::<Result<Vec<_>>>()?;
    for file in &files {
        list.add(file)?;
        out!("{}  {}", file.sha256(), file.path().display());
    }
    Ok(())
}

/// Takes a library, named by its file or its SHA-256, off the list.
fn remove(list: &TrustList, library: &Path) -> Result<()> {
    let sha256 = match library.to_str().filter(|text| is_sha256(text)) {
        Some(sha256) => sha256.to_owned(),
        None => LibraryFile::read(library)?.sha256().to_owned(),
    };
    if !list.remove(&sha256)? {
        return Err(Problem::new(format!("`{}` is not in the list of trusted libraries", library.display()))
            .note(format!("SHA-256: {sha256}"))
            .hint("hatchery plugins trust --list")
            .into());
    }
    out!("{sha256}  {}", library.display());
    Ok(())
}
