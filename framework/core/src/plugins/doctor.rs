//! `hatchery plugins doctor`: the faults of a library field by field, each with its repair.

use std::path::Path;

use hatchery_plugin::wire::{BURN_IR, INTERFACE, PluginEntry};
use serde_json::Value;

use super::{
    Registry,
    library::{Library, NotAPlugin},
    manifest::{self, REBUILD},
    trust::{LibraryFile, NamedBy, TrustList, TrustedLibrary, for_shell},
};

/// The repair of a manifest that cannot be read.
const FIX_MANIFEST: &str = "fix the plugin's `hatchery_plugin_manifest`";

/// The repair of a Rust library without entry points.
const ADD_LIST: &str = "at the end of src/lib.rs: hatchery_plugin::library![…];";

/// One field of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub field: &'static str,
    /// Its value in the library.
    pub found: String,
    /// The value that this program needs.
    pub needed: String,
    /// The command or change that repairs it; none if it is good.
    pub repair: Option<String>,
}

/// Examines a library as far as it can be read; one that is not trusted is not loaded. `registry` holds the plugins whose
/// names are taken.
pub fn examine(path: &Path, registry: &Registry, trusted: &TrustList) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Each part is looked at only when the one before is good; what was found is there in any case.
    let _ = file(path, &mut findings)
        .and_then(|file| trust(file, trusted, &mut findings))
        .and_then(|library| open(&library, &mut findings))
        .and_then(|library| Some((library, answer(library, &mut findings)?)))
        .and_then(|(library, bytes)| Some((library, versions(bytes, &mut findings)?)))
        .map(|(library, bytes)| plugins(path, library, &bytes, registry, &mut findings));
    findings
}

impl Finding {
    fn good(field: &'static str, found: impl Into<String>, needed: impl Into<String>) -> Self {
        Self { field, found: found.into(), needed: needed.into(), repair: None }
    }

    fn wrong(field: &'static str, found: impl Into<String>, needed: impl Into<String>, repair: &str) -> Self {
        Self { field, found: found.into(), needed: needed.into(), repair: Some(repair.to_owned()) }
    }
}

fn file(path: &Path, findings: &mut Vec<Finding>) -> Option<LibraryFile> {
    match LibraryFile::read(path) {
        Ok(file) => {
            findings.push(Finding::good("file", format!("{} bytes", file.bytes().len()), "a file"));
            Some(file)
        }
        Err(error) => {
            let found = error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            findings.push(Finding::wrong(
                "file",
                found,
                "a file",
                "check the path, or build it: cargo build --release",
            ));
            None
        }
    }
}

fn trust(file: LibraryFile, trusted: &TrustList, findings: &mut Vec<Finding>) -> Option<TrustedLibrary> {
    const NEEDED: &str = "a library that you trust, for to load it is to run its code";
    let (sha256, path) = (file.sha256().to_owned(), for_shell(file.path()));
    match trusted.admit(file, &NamedBy::Record(Vec::new())) {
        Ok((library, _)) => {
            findings.push(Finding::good("trust", "in your list", NEEDED));
            Some(library)
        }
        Err(_) => {
            let repair = format!("if you know where it comes from: hatchery plugins trust {path}");
            findings.push(Finding::wrong("trust", format!("not in your list: {sha256}"), NEEDED, &repair));
            None
        }
    }
}

fn open(library: &TrustedLibrary, findings: &mut Vec<Finding>) -> Option<&'static Library> {
    const NEEDED: &str = "a shared library of this system";
    let loads = || Finding::good("library", "loads", NEEDED);
    match Library::load(library) {
        Ok(library) => {
            findings.push(loads());
            Some(library)
        }
        Err(NotAPlugin::NoLibrary(reason)) => {
            let repair = "cargo build --release, with crate-type = [\"cdylib\"]";
            findings.push(Finding::wrong("library", reason, NEEDED, repair));
            None
        }
        Err(NotAPlugin::Lacks(name)) => {
            let needed = "those of hatchery_plugin.h";
            findings.extend([loads(), Finding::wrong("entry points", format!("no `{name}`"), needed, ADD_LIST)]);
            None
        }
    }
}

/// The manifest, which is JSON.
fn answer(library: &Library, findings: &mut Vec<Finding>) -> Option<Vec<u8>> {
    let mut wrong = |found: String, needed| {
        findings.push(Finding::wrong("manifest", found, needed, FIX_MANIFEST));
        None
    };
    let bytes = match library.manifest() {
        Ok(bytes) => bytes,
        Err(error) => return wrong(error.message, "an answer"),
    };
    if let Err(error) = serde_json::from_slice::<Value>(&bytes) {
        return wrong(error.to_string(), "JSON");
    }
    findings.push(Finding::good("manifest", format!("{} bytes of JSON", bytes.len()), "JSON"));
    Some(bytes)
}

/// Compares the versions and gives the manifest back if they are those of this program.
fn versions(bytes: Vec<u8>, findings: &mut Vec<Finding>) -> Option<Vec<u8>> {
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text =
        |key: &str| value.get(key).map_or("nothing".to_owned(), |v| v.as_str().map_or(v.to_string(), str::to_owned));
    let mut is_same = true;
    for (field, needed) in [("interface", INTERFACE.to_string()), ("burn-ir", BURN_IR.to_owned())] {
        let found = text(field);
        findings.push(if found == needed {
            Finding::good(field, found, needed)
        } else {
            is_same = false;
            Finding::wrong(field, found, needed, REBUILD)
        });
    }
    let package = format!("{} {}", text("package"), text("version"));
    findings.push(Finding::good("package", package, "a crate and its version"));
    is_same.then_some(bytes)
}

fn plugins(path: &Path, library: &Library, bytes: &[u8], registry: &Registry, findings: &mut Vec<Finding>) {
    match manifest::read(bytes, &path.display().to_string()) {
        Err(problem) => {
            let repair = problem.hint.as_deref().unwrap_or(FIX_MANIFEST);
            findings.push(Finding::wrong("plugins", problem.message.clone(), "a list", repair));
        }
        Ok(manifest) => findings.extend(manifest.plugins.iter().map(|entry| plugin(entry, library, registry))),
    }
}

fn plugin(entry: &PluginEntry, library: &Library, registry: &Registry) -> Finding {
    let (field, found) = (entry.kind.word(), format!("{} \"{}\"", entry.kind, entry.name));
    if let Some(taken) = registry.find(entry.kind, &entry.name) {
        let owner = format!("{} {}", taken.origin.package, taken.origin.version);
        let needed = format!("a name that is free; {owner} has it");
        return Finding::wrong(field, found, needed, "give the plugin another name");
    }
    match library.lacks(entry.kind) {
        Some(name) => Finding::wrong(field, found, format!("`{name}`"), "add the entry point"),
        None => Finding::good(field, found, "a name that is free"),
    }
}
