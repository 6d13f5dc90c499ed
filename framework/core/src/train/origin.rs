//! The origin of a run: the folder that the paths in its experiment are relative to, and the checkpoint that it began
//! with, if it began with one.
//!
//! Paths are stored relative to the run's folder, so that a project can be moved as a whole and its runs used from any
//! folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::grow::grown;
use crate::{
    data::Vocabulary,
    error::{Error, Problem, Result},
    experiment::Experiment,
    files,
    hash::sha256_hex,
    network::Network,
    run::{
        LARGEST_PAGE,
        checkpoint::{self, Checkpoint, PARAMETERS, STATE},
        directory::{RunDirectory, RunRef},
        failure, replace,
    },
    tensors::NamedTensor,
};

/// The origin of a run, as in `origin.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Origin {
    /// The folder that the paths in the experiment are relative to; its own path is relative to the run's folder.
    #[serde(with = "exact")]
    pub folder: PathBuf,
    /// The checkpoint that it began with; none if it began with new parameters.
    pub from: Option<StartRecord>,
    /// Values that were changed when the run was resumed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// Values that were changed when a run was resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Change {
    /// The updates of the checkpoint from which it was resumed.
    pub updates: u64,
    /// Each key with both values, in words.
    pub keys: Vec<String>,
}

/// The checkpoint that a run began with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StartRecord {
    /// The path of the file, relative to the run's folder.
    #[serde(with = "exact")]
    pub path: PathBuf,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
}

/// A checkpoint to begin with.
#[derive(Debug)]
pub struct Start {
    checkpoint: Checkpoint,
    path: PathBuf,
    sha256: String,
}

impl Start {
    /// Reads a checkpoint to begin with.
    ///
    /// # Errors
    /// Those of [`checkpoint::read`].
    pub fn read(path: &Path) -> Result<Self> {
        let checkpoint = checkpoint::read(path)?;
        let bytes = files::read(path, u64::MAX - 1).map_err(|error| failure("read", path, error))?;
        Ok(Self { checkpoint, path: path.to_owned(), sha256: sha256_hex(&bytes) })
    }

    /// The updates after which the checkpoint was written.
    pub fn updates(&self) -> u64 {
        self.checkpoint.meta.progress.updates
    }

    /// The vocabulary of the checkpoint, to which its parameters belong.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn vocabulary(&self, experiment: &Experiment) -> Result<Vocabulary> {
        Vocabulary::from_text(&self.checkpoint.meta.vocabulary, &experiment.vocabulary)
    }

    /// Loads the parameters into a network, and the optimizer state if there is any. A network with more symbols keeps its
    /// initial values for those. The carried state of the cells is left out: it belongs to a place in the text of the other
    /// training.
    ///
    /// # Errors
    /// When they do not fit.
    pub fn load(&self, network: &mut Network) -> Result<()> {
        let tensors = self.checkpoint.tensors.iter().filter(|tensor| !tensor.name.starts_with(STATE));
        let tensors = tensors.cloned().collect::<Vec<_>>();
        let own = network.executor.save()?;
        let symbols = [self.checkpoint.meta.vocabulary.chars().count(), network.vocabulary.len()];
        let is_own = |tensor: &&NamedTensor| own.iter().any(|own| own.name == tensor.name);
        let parameters = || tensors.iter().filter(|tensor| tensor.name.starts_with(PARAMETERS));
        let loaded = match parameters().find(|tensor| !is_own(tensor)) {
            Some(lost) => Err(Problem::new(format!("the experiment's model has no `{}`", lost.name)).into()),
            None => grown(&tensors, &own, symbols).and_then(|tensors| network.executor.load(&tensors)),
        };
        loaded.map_err(|error| self.of_another_model(error, &network.experiment))
    }

    /// In what the model of the checkpoint differs from that of an experiment: `cell.type: "lstm" in the checkpoint,
    /// "gru" in the experiment`.
    pub fn differences(&self, experiment: &Experiment) -> Vec<String> {
        let then: toml::Table = self.checkpoint.meta.experiment.parse().unwrap_or_default();
        let now: toml::Table = experiment.to_toml().parse().unwrap_or_default();
        let (mut then, mut now) = (of_model(&then), of_model(&now));
        let same = |key: &str, value: &String| now.get(key) == Some(value);
        let gone: Vec<_> = then.iter().filter(|(key, value)| same(key, value)).map(|(key, _)| key.clone()).collect();
        for key in gone {
            then.remove(&key);
            now.remove(&key);
        }
        let keys: BTreeSet<_> = then.keys().chain(now.keys()).collect();
        let value = |table: &BTreeMap<String, String>, key| table.get(key).map_or("nothing", String::as_str).to_owned();
        keys.into_iter()
            .map(|key| {
                format!("{key}: {} in the checkpoint, {} in the experiment", value(&then, key), value(&now, key))
            })
            .collect()
    }

    /// The error of a checkpoint that does not fit, with what it is a checkpoint of.
    fn of_another_model(&self, error: Error, experiment: &Experiment) -> Error {
        let differences = self.differences(experiment);
        let Error::User(problems) = error else { return error };
        if differences.is_empty() {
            return Error::User(problems);
        }
        let what = format!("the checkpoint `{}` is of another model than the experiment's", self.path.display());
        let problem = differences.into_iter().fold(Problem::new(what), Problem::note);
        let why = problems.into_iter().map(|problem| problem.message);
        why.fold(problem, Problem::note)
            .hint("set these keys as the checkpoint has them, or train without --from")
            .into()
    }

    /// The checkpoint that a run began with, read again; none if it began with new parameters. `elsewhere` is its path
    /// if it was moved.
    ///
    /// # Errors
    /// When it is missing, damaged or no longer the same.
    pub fn again(run: &RunDirectory, elsewhere: Option<&Path>) -> Result<Option<Self>> {
        let Some(began) = Origin::read(run)?.and_then(|origin| origin.from) else {
            let Some(given) = elsewhere else { return Ok(None) };
            let what = format!("the run `{}` did not begin with a checkpoint", run.path().display());
            return Err(Problem::new(what).hint(format!("leave out `{}`", given.display())).into());
        };
        let path = elsewhere.map_or_else(|| from_here(&run.path().join(&began.path)), Path::to_owned);
        let refusal = |what: &str| {
            Problem::new(format!("the checkpoint with which `{}` began {what}", run.path().display()))
                .note(format!("looked at: {}", path.display()))
                .note(format!("SHA-256 then: {}", began.sha256))
                .hint("if there is a copy of it, name that: --from FILE")
        };
        if !path.is_file() {
            return Err(refusal("is not there any more").into());
        }
        let start = match Self::read(&path) {
            Ok(start) => start,
            Err(Error::User(_)) => return Err(refusal("is damaged").into()),
            Err(internal) => return Err(internal),
        };
        if start.sha256 == began.sha256 {
            return Ok(Some(start));
        }
        Err(refusal("is no longer the same").note(format!("SHA-256 now:  {}", start.sha256)).into())
    }
}

impl Origin {
    /// Writes the origin of a run; `folder` is the one that the paths in its experiment are relative to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(run: &RunDirectory, folder: &Path, start: Option<&Start>) -> Result<()> {
        let seen = |path: &Path| seen_from(path, run.path()).map_err(|error| failure("read", path, error));
        let from = match start {
            Some(start) => Some(StartRecord { path: seen(&start.path)?, sha256: start.sha256.clone() }),
            None => None,
        };
        Self { folder: seen(folder)?, from, changes: Vec::new() }.write_to(run)
    }

    fn write_to(&self, run: &RunDirectory) -> Result<()> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::internal("cannot write down where a run comes from", error))?;
        replace::text(&run.origin(), &(text + "\n"))
    }

    /// Notes that a run is resumed after that many updates with other values of these keys. For a run of an earlier
    /// version, which has no origin, they are not noted.
    ///
    /// # Errors
    /// When the origin cannot be read or written.
    pub fn note_changes(run: &RunDirectory, updates: u64, keys: Vec<String>) -> Result<()> {
        let Some(mut origin) = Self::read(run)? else { return Ok(()) };
        origin.changes.retain(|change| change.updates < updates);
        origin.changes.push(Change { updates, keys });
        origin.write_to(run)
    }

    /// Reads the origin of a run; `None` if none was written, as by earlier versions.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(run: &RunDirectory) -> Result<Option<Self>> {
        let path = run.origin();
        let text = match files::read_text(&path, LARGEST_PAGE) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failure("read", &path, error)),
        };
        let origin = serde_json::from_str(&text).map_err(|error| {
            Problem::new(format!("`{}` does not say where a run comes from: {error}", path.display()))
                .hint("delete it, and work in the folder in which the run was begun")
        })?;
        Ok(Some(origin))
    }
}

/// The keys of an experiment that say what its model is, with their values.
fn of_model(experiment: &toml::Table) -> BTreeMap<String, String> {
    let table = |name: &str| experiment.get(name).and_then(toml::Value::as_table).into_iter().flatten();
    let cell = table("cell").map(|(key, value)| (format!("cell.{key}"), value.to_string()));
    let model = table("model").filter(|(key, _)| ["embedding", "layers", "head"].contains(&key.as_str()));
    let mut keys: BTreeMap<_, _> =
        cell.chain(model.map(|(key, value)| (format!("model.{key}"), value.to_string()))).collect();
    // Experiments from before there were others do not name the linear head.
    keys.entry("model.head".to_owned()).or_insert_with(|| "\"linear\"".to_owned());
    keys
}

/// The folder that the paths in a run's experiment are relative to; the current one where that is not known.
pub fn folder(run: &RunRef) -> PathBuf {
    let noted = |run: &RunDirectory| Some(run.path().join(Origin::read(run).ok()??.folder));
    let found = run.directory().ok().and_then(|run| noted(&run)).filter(|folder| folder.is_dir());
    found.map_or_else(|| PathBuf::from("."), |folder| from_here(&folder))
}

/// The canonical path, relative to the current folder if it lies below it. The file itself may be missing.
/// The folder that texts in the experiment of a checkpoint are relative to: that of the run, or of the checkpoint if it is
/// in none, as an imported one.
pub(crate) fn folder_of_texts(run: &RunRef) -> PathBuf {
    match run {
        RunRef::Checkpoint(path) if run.directory().is_err() => match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        },
        _ => folder(run),
    }
}

fn from_here(path: &Path) -> PathBuf {
    let of_folder = || Some(fs::canonicalize(path.parent()?).ok()?.join(path.file_name()?));
    let Some(whole) = fs::canonicalize(path).ok().or_else(of_folder) else { return path.to_owned() };
    let here = std::env::current_dir().and_then(fs::canonicalize);
    match here.ok().and_then(|here| whole.strip_prefix(here).ok().map(Path::to_owned)) {
        Some(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Some(below) => below,
        None => whole,
    }
}

/// A path relative to a folder; both must exist. It is absolute only where there is no relative path, as from one drive
/// of Windows to another.
pub(crate) fn seen_from(path: &Path, folder: &Path) -> io::Result<PathBuf> {
    let (path, folder) = (fs::canonicalize(path)?, fs::canonicalize(folder)?);
    let (mut to, mut from) = (path.components().peekable(), folder.components().peekable());
    while to.peek().is_some() && to.peek() == from.peek() {
        to.next();
        from.next();
    }
    if matches!(to.peek(), Some(Component::Prefix(_) | Component::RootDir)) {
        return Ok(path);
    }
    let seen: PathBuf = from.map(|_| Component::ParentDir).chain(to).collect();
    Ok(if seen.as_os_str().is_empty() { PathBuf::from(".") } else { seen })
}

/// A path as JSON: a string, or the list of its bytes where they are not UTF-8.
mod exact {
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        match path.to_str() {
            Some(text) => serializer.serialize_str(&text.replace(std::path::MAIN_SEPARATOR, "/")),
            None => path.as_os_str().as_encoded_bytes().serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(text.into()),
            bytes => path(serde_json::from_value(bytes).map_err(D::Error::custom)?).map_err(D::Error::custom),
        }
    }

    #[cfg(unix)]
    #[expect(clippy::unnecessary_wraps, reason = "on other systems not every list of bytes is a path")]
    fn path(bytes: Vec<u8>) -> Result<PathBuf, std::string::FromUtf8Error> {
        use std::os::unix::ffi::OsStringExt;
        Ok(std::ffi::OsString::from_vec(bytes).into())
    }

    #[cfg(not(unix))]
    fn path(bytes: Vec<u8>) -> Result<PathBuf, std::string::FromUtf8Error> {
        String::from_utf8(bytes).map(PathBuf::from)
    }
}
