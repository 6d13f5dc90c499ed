//! What is wrong with a library, field by field: the long form of the refusal by [`load`](super::load).

use std::path::Path;

use hatchery_plugin::{
    Kind,
    wire::{BURN_IR, INTERFACE},
};
use serde_json::Value;

use super::{
    Registry,
    library::{Library, NotAPlugin},
    manifest::{self, REBUILD},
};

/// What was found out about one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub field: &'static str,
    /// What the library has.
    pub found: String,
    /// What this program needs there.
    pub needed: String,
    /// The command or change that repairs it; none when it is good.
    pub repair: Option<String>,
}

/// Examines a library as far as it can be read. `registry` holds the plugins whose names are taken.
pub fn examine(path: &Path, registry: &Registry) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |field, found: String, needed: &str, repair: Option<&str>| {
        findings.push(Finding { field, found, needed: needed.to_owned(), repair: repair.map(str::to_owned) });
    };
    let size = std::fs::metadata(path).map(|meta| meta.len());
    match &size {
        Ok(size) => note("file", format!("{size} bytes"), "a file", None),
        Err(error) => {
            note("file", error.to_string(), "a file", Some("check the path, or build it: cargo build --release"));
        }
    }
    if size.is_err() {
        return findings;
    }
    let library = match Library::load(path) {
        Ok(library) => library,
        Err(NotAPlugin::NoLibrary(reason)) => {
            note(
                "library",
                reason,
                "a shared library of this system",
                Some("cargo build --release, with crate-type = [\"cdylib\"]"),
            );
            return findings;
        }
        Err(NotAPlugin::Lacks(name)) => {
            note("library", "loads".to_owned(), "a shared library of this system", None);
            let repair = "in Cargo.toml: [features] default = [\"library\"], library = []; in src/lib.rs: hatchery_plugin::export! { … }";
            note("entry points", format!("no `{name}`"), "those of hatchery_plugin.h", Some(repair));
            return findings;
        }
    };
    note("library", "loads".to_owned(), "a shared library of this system", None);
    let bytes = match library.manifest() {
        Ok(bytes) => bytes,
        Err(fault) => {
            note("manifest", fault.message, "an answer", Some("mend the plugin's `hatchery_plugin_manifest`"));
            return findings;
        }
    };
    let value: Value = match serde_json::from_slice(&bytes) {
        Ok(value) => value,
        Err(error) => {
            note("manifest", error.to_string(), "JSON", Some("mend the plugin's `hatchery_plugin_manifest`"));
            return findings;
        }
    };
    note("manifest", format!("{} bytes of JSON", bytes.len()), "JSON", None);
    let word =
        |key: &str| value.get(key).map_or("nothing".to_owned(), |v| v.as_str().map_or(v.to_string(), str::to_owned));
    let mut compare = |field, needed: String| {
        let found = word(field);
        let repair = (found != needed).then_some(REBUILD);
        note(field, found, &needed, repair);
        repair.is_none()
    };
    let same = compare("interface", INTERFACE.to_string()) & compare("burn-ir", BURN_IR.to_owned());
    note("package", format!("{} {}", word("package"), word("version")), "a crate and its version", None);
    if !same {
        return findings;
    }
    match manifest::read(&bytes, &path.display().to_string()) {
        Err(problem) => {
            let repair = problem.hint.as_deref().unwrap_or("mend the plugin's `hatchery_plugin_manifest`");
            note("plugins", problem.message.clone(), "a list", Some(repair));
        }
        Ok(manifest) => {
            for listed in &manifest.plugins {
                let taken = registry
                    .find(listed.kind, &listed.name)
                    .map(|entry| format!("{} {}", entry.origin.package, entry.origin.version));
                let lacks = library.lacks(listed.kind);
                let found = format!("{} \"{}\"", listed.kind, listed.name);
                match (taken, lacks) {
                    (Some(owner), _) => note(
                        field(listed.kind),
                        found,
                        &format!("a name that is free; {owner} has it"),
                        Some("give it another name in `export!`"),
                    ),
                    (None, Some(name)) => {
                        note(field(listed.kind), found, &format!("`{name}`"), Some("add the entry point"));
                    }
                    (None, None) => note(field(listed.kind), found, "a name that is free", None),
                }
            }
        }
    }
    findings
}

fn field(kind: Kind) -> &'static str {
    kind.word()
}
