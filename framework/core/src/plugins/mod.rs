//! Plugins from libraries that are loaded at run time.
//!
//! A library says in its manifest what it offers; that is read and checked first. A cell or clipper of it is a recorded
//! graph that the host replays ([`replay`](crate::replay)), a sampler or dataset is called with slices. To the rest of
//! the framework they are plugins like any other: [`load`] gives a [`Provider`].
//!
//! Libraries are named by `plugins = […]` in an experiment file, by `--plugin`, or lie in the search folders
//! ([`search_folders`]).

mod cell;
mod doctor;
mod drift;
mod library;
mod manifest;
mod others;
mod part;
mod registry;
mod whole;

use std::{
    env::consts::DLL_EXTENSION,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use etcetera::BaseStrategy;
use hatchery_plugin::{
    Build, Cell, Clipper, Dataset, Fault, Kind, Provider, Result as Told, Sampler, Variant,
    wire::{self, Listed, Manifest, Open, Opened},
};
use serde_json::Value;

pub(crate) use self::part::take_string;
use self::{
    cell::LoadedCell,
    library::{Library, NotAPlugin},
    others::{LoadedClipper, LoadedDataset, LoadedSampler},
};
use crate::{
    error::{Error, Problem, Result},
    hash::sha256_hex,
};

pub use self::{
    doctor::{Finding, examine},
    drift::check_drift,
    manifest::read as read_manifest,
    part::Part,
    registry::{Built, Entry, Origin, Registry},
};

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
/// When the file is no plugin library, or one for another version of the interface or of Burn.
pub fn load(path: &Path) -> Result<Loaded> {
    let file = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| {
        Problem::new(format!("cannot read the plugin library `{file}`: {error}")).hint("check the path")
    })?;
    let library = Library::load(path).map_err(|reason| no_plugin(&file, &reason))?;
    let answer = library
        .manifest()
        .map_err(|fault| Problem::new(format!("`{file}` does not give its manifest: {}", fault.message)))?;
    let manifest = manifest::read(&answer, &file)?;
    if let Some((listed, lacks)) = manifest.variants.iter().find_map(|v| Some((v, library.lacks(v.kind)?))) {
        return Err(Problem::new(format!(
            "`{file}` offers the {} `{}` but lacks the entry point `{lacks}`",
            listed.kind, listed.name
        ))
        .into());
    }
    Ok(Loaded { provider: provider(library, manifest), sha256: sha256_hex(&bytes) })
}

/// Adds every library to a registry: these first, then those of the search folders. A library that is named twice counts
/// once. Returned is what is to be told: which libraries of the search folders are left out, and why. One that lies about
/// there must not stand in the way of a command that has no need of it.
///
/// # Errors
/// When a named one is refused, or offers a plugin whose name is taken.
pub fn complete(registry: &mut Registry, named: &[PathBuf]) -> Result<Vec<Problem>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut is_new = |path: &Path| {
        let same =
            |known: &PathBuf| matches!((fs::canonicalize(known), fs::canonicalize(path)), (Ok(a), Ok(b)) if a == b);
        let new = !paths.iter().any(same);
        paths.push(path.to_owned());
        new
    };
    for path in named.iter().filter(|path| is_new(path)) {
        registry.add_loaded(load(path)?, path)?;
    }
    let mut left_out = Vec::new();
    for folder in search_folders() {
        let libraries = libraries_in(&folder).unwrap_or_else(|problem| {
            left_out.push(problem);
            Vec::new()
        });
        for path in libraries.iter().filter(|path| is_new(path)) {
            match load(path).and_then(|loaded| registry.add_loaded(loaded, path)) {
                Ok(()) => {}
                Err(Error::User(problems)) => left_out.extend(problems.into_iter().map(|it| lying_about(it, path))),
                Err(internal) => return Err(internal),
            }
        }
    }
    Ok(left_out)
}

fn lying_about(problem: Problem, path: &Path) -> Problem {
    let path = path.display();
    problem
        .note(format!("left out: `{path}`, which lies in a search folder"))
        .hint(format!("take it out of the folder, or see what repairs it: hatchery plugins doctor {path}"))
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
            .hint("a Rust plugin has them with `[features] default = [\"library\"]`, `library = []` and `export!`"),
    }
}

/// An open plugin of a library.
pub(crate) struct Instance {
    library: &'static Library,
    number: u64,
    /// Which plugin, for messages: `the cell "mgu" of hatchery-mgu 0.1.0`.
    subject: Arc<str>,
}

impl Instance {
    /// Says in a fault which plugin it is about.
    fn named(&self, fault: Fault) -> Fault {
        named(&self.subject, fault)
    }
}

fn named(subject: &str, fault: Fault) -> Fault {
    Fault { message: format!("{subject}: {}", fault.message), ..fault }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.library.close(self.number);
    }
}

/// The plugins of a manifest. Their names live as long as the library, which is for ever.
fn provider(library: &'static Library, manifest: Manifest) -> Provider {
    let package: &'static str = manifest.package.leak();
    let version: &'static str = manifest.version.leak();
    let variant = |listed: Listed| {
        let subject = format!("the {} \"{}\" of {package} {version}", listed.kind, listed.name);
        let name: &'static str = listed.name.leak();
        let opener = Opener { library, kind: listed.kind, name, subject: subject.into() };
        Variant { name, doc: listed.doc, schema: listed.schema, build: opener.build() }
    };
    Provider { package, version, variants: manifest.variants.into_iter().map(variant).collect() }
}

/// What opens one plugin of a library.
struct Opener {
    library: &'static Library,
    kind: Kind,
    name: &'static str,
    subject: Arc<str>,
}

impl Opener {
    fn build(self) -> Build {
        match self.kind {
            Kind::Cell => Build::Cell(Arc::new(move |keys| {
                self.open::<dyn Cell>(keys, |instance, opened| Ok(Box::new(LoadedCell::new(instance, opened)?)))
            })),
            Kind::Clipper => Build::Clipper(Arc::new(move |keys| {
                self.open::<dyn Clipper>(keys, |instance, _| Ok(Box::new(LoadedClipper::new(instance))))
            })),
            Kind::Sampler => Build::Sampler(Arc::new(move |keys| {
                self.open::<dyn Sampler>(keys, |instance, _| Ok(Box::new(LoadedSampler { instance })))
            })),
            Kind::Dataset => Build::Dataset(Arc::new(move |keys| {
                self.open::<dyn Dataset>(keys, |instance, opened| Ok(Box::new(LoadedDataset::new(instance, opened)?)))
            })),
        }
    }

    fn open<T: ?Sized>(
        &self,
        keys: Value,
        make: impl FnOnce(Instance, Opened) -> Told<Box<T>>,
    ) -> Told<(Box<T>, Value)> {
        let request = wire::write_json(&Open { kind: self.kind, name: self.name.to_owned(), keys })?;
        let (number, answer) = self.library.open(&request)?;
        let instance = Instance { library: self.library, number, subject: self.subject.clone() };
        let opened: Opened = wire::read(&answer)
            .map_err(|error| instance.named(Fault::new(format!("what it is like cannot be read: {error}"))))?;
        let keys = Value::Object(opened.keys.clone());
        let subject = self.subject.clone();
        Ok((make(instance, opened).map_err(|fault| named(&subject, fault))?, keys))
    }
}
