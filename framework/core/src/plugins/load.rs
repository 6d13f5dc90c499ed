//! Finding and loading libraries: by the paths that are named, and in the search folders.
//!
//! Libraries are named by `plugins = […]` in an experiment file, by `--plugin`, or are in the search folders
//! ([`search_folders`]). Only those that the user trusts are loaded ([`trust`](super::trust)).

use std::{
    env::consts::DLL_EXTENSION,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use hatchery_plugin::Provider;

use super::{
    instance::provider,
    library::{Library, NotAPlugin},
    manifest,
    registry::Registry,
    trust::{LibraryFile, NamedBy, NamedLibrary, TrustList, TrustedLibrary, for_shell},
};
use crate::error::{Error, Problem, Result};

/// A library whose manifest was found good.
#[derive(Debug)]
pub struct Loaded {
    /// What it offers.
    pub provider: Provider,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
}

/// Loads a library and reads its manifest.
///
/// # Errors
/// When it is not a plugin library, or one for another version of the interface or of Burn.
pub fn load(trusted: &TrustedLibrary) -> Result<Loaded> {
    let file = trusted.file().path().display().to_string();
    let library = Library::load(trusted).map_err(|reason| no_plugin(&file, &reason))?;
    let answer =
        library.manifest().map_err(|error| Problem::new(format!("`{file}` does not give its manifest: {error}")))?;
    let manifest = manifest::read(&answer, &file)?;
    if let Some((listed, lacks)) = manifest.plugins.iter().find_map(|v| Some((v, library.lacks(v.kind)?))) {
        return Err(Problem::new(format!(
            "`{file}` offers the {} `{}` but lacks the entry point `{lacks}`",
            listed.kind, listed.name
        ))
        .into());
    }
    Ok(Loaded { provider: provider(library, manifest, &file), sha256: trusted.file().sha256().to_owned() })
}

/// Adds every library to a registry: the named ones first, then those of the search folders. A library that is named twice
/// counts once, by who names it first. Returns warnings: for each library of a search folder that is left out, as one that
/// is broken or not trusted must not stop a command that does not need it, and if the list of trusted libraries cannot be
/// written.
///
/// # Errors
/// When a named one is not trusted, is refused, or offers a plugin whose name is taken.
pub fn complete(registry: &mut Registry, named: &[NamedLibrary], trusted: &TrustList) -> Result<Vec<Problem>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut is_new = |path: &Path| {
        let same =
            |known: &PathBuf| matches!((fs::canonicalize(known), fs::canonicalize(path)), (Ok(a), Ok(b)) if a == b);
        let new = !paths.iter().any(same);
        paths.push(path.to_owned());
        new
    };
    let mut warnings = Vec::new();
    for NamedLibrary { path, by } in named.iter().filter(|library| is_new(&library.path)) {
        let (library, warning) = trusted.admit(LibraryFile::read(path)?, by)?;
        warnings.extend(warning);
        registry.add_loaded(load(&library)?, path)?;
    }
    for folder in search_folders() {
        let libraries = libraries_in(&folder).unwrap_or_else(|problem| {
            warnings.push(problem);
            Vec::new()
        });
        for path in libraries.iter().filter(|path| is_new(path)) {
            match add_found(registry, path, trusted) {
                Ok(()) => {}
                Err(Error::User(problems)) => warnings.extend(problems),
                Err(internal) => return Err(internal),
            }
        }
    }
    Ok(warnings)
}

/// Adds a library of a search folder.
fn add_found(registry: &mut Registry, path: &Path, trusted: &TrustList) -> Result<()> {
    let left_out = |error| match error {
        Error::User(problems) => {
            Error::User(problems.into_iter().map(|problem| left_out_warning(problem, path)).collect())
        }
        internal @ Error::Internal { .. } => internal,
    };
    let file = LibraryFile::read(path).map_err(left_out)?;
    let (library, _) = trusted.admit(file, &NamedBy::SearchFolder)?;
    load(&library).and_then(|loaded| registry.add_loaded(loaded, path)).map_err(left_out)
}

fn left_out_warning(problem: Problem, path: &Path) -> Problem {
    let doctor = format!("hatchery plugins doctor {}", for_shell(path));
    problem
        .note(format!("left out: `{}`, which is in a search folder", path.display()))
        .hint(format!("take it out of the folder, or see what repairs it: {doctor}"))
}

/// Where libraries are found without being named: the folders of `HATCHERY_PLUGINS`, or else `hatchery/plugins` in the
/// user's data folder (`~/.local/share` on Linux).
pub fn search_folders() -> Vec<PathBuf> {
    match std::env::var_os("HATCHERY_PLUGINS") {
        Some(folders) => std::env::split_paths(&folders).filter(|folder| !folder.as_os_str().is_empty()).collect(),
        None => {
            etcetera::choose_base_strategy().map(|base| base.data_dir().join("hatchery/plugins")).into_iter().collect()
        }
    }
}

/// The libraries in a folder, in order; none if there is no such folder.
fn libraries_in(folder: &Path) -> std::result::Result<Vec<PathBuf>, Problem> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(Problem::new(format!("cannot look for plugin libraries in `{}`: {error}", folder.display()))
                .hint("set HATCHERY_PLUGINS to folders, or to nothing"));
        }
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == DLL_EXTENSION)).collect();
    found.sort_unstable();
    Ok(found)
}

fn no_plugin(file: &str, reason: &NotAPlugin) -> Problem {
    match reason {
        NotAPlugin::NoLibrary(reason) => Problem::new(format!("`{file}` is not a library that can be loaded"))
            .note(format!("the system says: {reason}"))
            .hint(format!("name a shared library, such as target/release/lib….{DLL_EXTENSION}")),
        NotAPlugin::Lacks(name) => Problem::new(format!("`{file}` is a library, but not a Hatchery plugin"))
            .note(format!("it has no entry point `{name}`"))
            .hint("a Rust plugin has them by `hatchery_plugin::library![…];` at the end of its src/lib.rs"),
    }
}
