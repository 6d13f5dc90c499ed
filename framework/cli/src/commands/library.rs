//! `hatchery plugins check`, `doctor` and `trust`: what a plugin library is, and whether it may be loaded.

use std::path::Path;

use hatchery::{
    error::{Problem, Result},
    experiment::{Experiment, checking::example},
    inspect::conformance::reports,
    network::parts,
    plugins::{LibraryFile, NamedBy, TrustList, examine, is_sha256, load},
};
use serde_json::Value;

use crate::arguments::{CheckLibrary, Libraries, Trust};

/// Runs the conformance kit on every plugin of a library, or on the one that an experiment names. Who names it here wants
/// it to be loaded.
pub(crate) fn check(arguments: &CheckLibrary) -> Result<()> {
    let library = &arguments.library;
    let (trusted, warning) = TrustList::of_user().admit(LibraryFile::read(library)?, &NamedBy::User)?;
    warning.iter().for_each(super::warn);
    let loaded = load(&trusted)?;
    let of_experiment = arguments.experiment.as_deref().map(|file| named(file, library)).transpose()?;
    let (mut passed, mut failed) = (0, Vec::new());
    for variant in &loaded.provider.variants {
        let mut batch = None;
        let keys = match &of_experiment {
            None => example(variant)?,
            Some(experiment) => {
                let (kind, name) = (variant.kind(), variant.name);
                let Some((_, part)) = parts(experiment).into_iter().find(|(of, part)| *of == kind && part.name == name)
                else {
                    continue;
                };
                batch = Some(experiment.train.batch);
                Value::Object(part.keys)
            }
        };
        let keys = with_set(keys, &arguments.set)?;
        for report in reports(variant, &keys, batch) {
            out!("{report}");
            if report.passed() {
                passed += 1;
            } else {
                failed.push(report.subject);
            }
        }
    }
    if passed == 0 && failed.is_empty() {
        return Err(Problem::new("the experiment names no plugin of the library")
            .hint("leave out --experiment")
            .into());
    }
    if failed.is_empty() {
        out!("{passed} of {passed} plugins of {} {} conform", loaded.provider.package, loaded.provider.version);
        return Ok(());
    }
    Err(Problem::new(format!("does not conform: {}", failed.join(", ")))
        .hint("each FAILED line above says what was seen and what to look at")
        .into())
}

/// The experiment of a file, with the plugins of the library.
fn named(file: &Path, library: &Path) -> Result<Experiment> {
    let libraries = Libraries { plugins: vec![library.to_owned()] };
    super::open_file(file, &libraries, Vec::new()).map(|session| session.experiment)
}

/// The keys with those of `--set`, each `key=value`.
fn with_set(mut keys: Value, set: &[String]) -> Result<Value> {
    for argument in set {
        let wrong = || Problem::new(format!("`{argument}` does not set a key")).hint("write it as --set KEY=VALUE");
        let (key, value) = argument.split_once('=').ok_or_else(wrong)?;
        // A word without quotes is a word.
        let value = toml::from_str::<toml::Table>(&format!("value = {value}")).map_or_else(
            |_| Value::String(value.trim().to_owned()),
            |table| serde_json::to_value(&table["value"]).unwrap_or_default(),
        );
        keys[key.trim()] = value;
    }
    Ok(keys)
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
