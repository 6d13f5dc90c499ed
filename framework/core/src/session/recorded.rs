//! The plugins of a checkpoint, whose libraries may be gone, built anew, or not trusted.

use std::path::{Path, PathBuf};

use hatchery_plugin::Kind;

use super::{Drift, Options, recorded, registry};
use crate::{
    error::{Problem, Result},
    plugins::{LibraryFile, NamedLibrary, Registry, Verdict},
    provenance::Provenance,
};

/// The plugins of a checkpoint: of the libraries that it was made with, if they are still there, and otherwise as they were
/// recorded.
///
/// # Errors
/// Those of [`registry`], when a plugin that is not recorded needs a library.
pub(super) fn recorded_registry(
    options: &Options<'_>,
    text: &str,
    folder: &Path,
    plugins: &[Provenance],
) -> Result<Registry> {
    let hashes: Vec<_> = plugins.iter().filter_map(|plugin| plugin.library.clone()).collect();
    let named: Vec<_> = recorded(text, folder, &hashes).collect();
    let by_user = options.libraries.iter().map(|path| (path.clone(), true));
    let files = by_user.chain(named.iter().map(|library| (library.path.clone(), false)));
    // Of the libraries at hand: the hash, and whether it may be loaded.
    let at_hand: Vec<(PathBuf, String, bool)> = files
        .filter_map(|(path, by_user)| {
            let file = LibraryFile::read(&path).ok()?;
            let trusted = by_user || options.trusted.has(&file);
            Some((path, file.sha256().to_owned(), trusted))
        })
        .collect();
    let is_there = |hash: &String| at_hand.iter().any(|(_, sha256, trusted)| sha256 == hash && *trusted);
    let gone: Vec<_> = plugins.iter().filter(|of| of.library.as_ref().is_some_and(|hash| !is_there(hash))).collect();
    let all_recorded = gone.iter().all(|of| of.recorded.is_some());
    let is_loaded = |library: &NamedLibrary| {
        let as_then = |(path, sha256, trusted): &(PathBuf, String, bool)| {
            *path == library.path && *trusted && hashes.contains(sha256)
        };
        !all_recorded || options.drift == Drift::Allowed || at_hand.iter().any(as_then)
    };
    let mut registry = registry(options, named.iter().filter(|library| is_loaded(library)).cloned())?;
    let unrecorded: Vec<_> = plugins.iter().filter(|of| of.recorded.is_none()).cloned().collect();
    all_there(&unrecorded, &registry)?;
    for of in plugins.iter().filter(|of| of.library.is_some()) {
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == of.kind);
        let now = kind.and_then(|kind| registry.find(kind, &of.name));
        if let (Some(entry), Some(summary)) = (now.filter(|entry| entry.origin.library == of.library), &of.conformance)
        {
            entry.verdict.get_or_init(|| Verdict::known(summary));
        }
        if of.recorded.is_none() {
            continue;
        }
        if now.is_some_and(|entry| options.drift == Drift::Allowed || entry.origin.library == of.library) {
            continue;
        }
        let replaced = registry.put_recorded(of)?;
        if replaced || at_hand.iter().any(|(_, sha256, _)| !hashes.contains(sha256)) {
            let what = format!("the {} `{}` is the one that is recorded in the checkpoint", of.kind, of.name);
            (options.warn)(&Problem::new(what).note("the library that is at hand is another than the one of then"));
        }
    }
    Ok(registry)
}

/// The problem of plugins of a checkpoint whose library is not at hand.
///
/// # Errors
/// One problem for each.
fn all_there(plugins: &[Provenance], registry: &Registry) -> Result<()> {
    let is_missing = |of: &&Provenance| {
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == of.kind);
        of.library.is_some() && kind.is_some_and(|kind| registry.find(kind, &of.name).is_none())
    };
    let problem = |of: &Provenance| {
        let library = of.library.as_deref().unwrap_or_default();
        Problem::new(format!("the {} `{}` of the checkpoint is not at hand", of.kind, of.name))
            .note(format!(
                "it was made with {} {}, library {}…",
                of.package,
                of.version,
                &library[..library.len().min(12)]
            ))
            .hint("name its library: --plugin PATH")
    };
    let problems: Vec<_> = plugins.iter().filter(is_missing).map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}
