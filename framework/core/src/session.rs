//! The start of every command: an experiment, the plugins that it names, and the folder that its paths are relative to.
//!
//! An experiment is in a file, in the folder of a run, or in a checkpoint. [`Session::open`] finds the libraries that
//! it names, loads their plugins beside those that the program is linked with, and reads it; [`Session::data`],
//! [`Session::network`] and [`Session::restore`] are the next steps.

mod recorded;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use hatchery_plugin::Framing;

use self::recorded::recorded_registry;
use crate::{
    data::{Data, Sequences, Vocabulary, corpus},
    error::{Problem, Result},
    experiment::{
        Corpus, Experiment, HeldOut,
        reading::{self, ExperimentLibrary},
    },
    files,
    inspect::conformance,
    network::{Network, parts},
    plugins::{NamedBy, NamedLibrary, Registry, TrustList, check_drift, complete},
    provenance::Provenance,
    run::{
        checkpoint::{self, Checkpoint, Progress},
        directory::{self, RunRef},
        failure,
    },
    train::origin,
};

/// An experiment with its plugins, its folder and, if it was opened from one, its checkpoint.
#[derive(Debug)]
pub struct Session {
    /// The plugins: those linked in, those of the experiment's libraries and of the search folders.
    pub registry: Registry,
    /// The experiment, overrides applied and every default filled in.
    pub experiment: Experiment,
    /// The folder that the paths in the experiment are relative to.
    pub folder: PathBuf,
    /// The checkpoint, if one was opened.
    pub checkpoint: Option<Checkpoint>,
    text: Text,
    overrides: Vec<String>,
}

/// A text on which a model is evaluated and that its experiment does not name.
#[derive(Debug)]
pub struct OtherText {
    /// The whole text, framed as the experiment frames its own.
    pub sequences: Sequences,
    /// Characters that the vocabulary lacks: they are left out, or read as the unknown symbol.
    pub unknown: usize,
}

/// The source of an experiment.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A file that the user named.
    File(&'a Path),
    /// A file that was found in a folder: the libraries that it names are not trusted for that.
    Listed(&'a Path),
    /// A checkpoint: a file, or that of a run.
    Checkpoint(&'a RunRef),
    /// The folder of a run, which need not have a checkpoint, or the folder of a checkpoint.
    Run(&'a RunRef),
}

/// The options of [`Session::open`].
pub struct Options<'a> {
    /// The plugins that the program is linked with.
    pub linked: fn() -> Result<Registry>,
    /// Libraries of plugins that the user names, beside those that the experiment names.
    pub libraries: &'a [PathBuf],
    /// The libraries that the user trusts.
    pub trusted: TrustList,
    /// Changes of the experiment, each `key=value`.
    pub overrides: Vec<String>,
    /// Which plugins may be others than those of the checkpoint.
    pub drift: Drift,
    /// Receives a warning for each library of the search folders that is left out, and if what is trusted cannot be noted.
    pub warn: fn(&Problem),
}

/// Which plugins may be others than those that a checkpoint was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// None.
    Refused,
    /// Those that are linked in: what is compared afterwards says what became of them.
    LinkedIn,
    /// All.
    Allowed,
}

/// The text of the experiment, to be read again with other overrides.
#[derive(Debug)]
enum Text {
    File(PathBuf),
    Recorded { text: String, name: String },
}

const IN_CHECKPOINT: &str = "the experiment in the checkpoint";

impl Session {
    /// Reads an experiment with the plugins that it names.
    ///
    /// # Errors
    /// When the file, run or checkpoint cannot be read; when a library is refused; when a plugin differs from that of
    /// the checkpoint; and all problems of the experiment.
    pub fn open(source: Source<'_>, options: &Options<'_>) -> Result<Self> {
        let overrides = options.overrides.clone();
        match source {
            Source::File(path) | Source::Listed(path) => {
                let is_named = matches!(source, Source::File(_));
                let named = reading::libraries(path, &overrides)?.into_iter().map(|library| of_file(library, is_named));
                let registry = registry(options, named)?;
                let session = Self::read(Text::File(path.to_owned()), folder_of(path).to_owned(), registry, overrides)?;
                session.judge(options);
                Ok(session)
            }
            Source::Run(run) => {
                let (directory, folder) = (run.directory()?, origin::folder(run));
                let text = directory.recorded_experiment()?;
                // A run that was interrupted before its first checkpoint has no recordings.
                let plugins = checkpoint::read(&run.checkpoint()).map_or_else(|_| Vec::new(), |it| it.meta.plugins);
                let registry = recorded_registry(options, &text, &folder, &plugins)?;
                let name = directory.experiment().display().to_string();
                Self::read(Text::Recorded { text, name }, folder, registry, overrides)
            }
            Source::Checkpoint(run) => {
                let (checkpoint, folder) = (checkpoint::read(&run.checkpoint())?, origin::folder(run));
                let text = checkpoint.meta.experiment.clone();
                let registry = recorded_registry(options, &text, &folder, &checkpoint.meta.plugins)?;
                let strict = |of: &&Provenance| options.drift == Drift::Refused || of.library.is_some();
                if options.drift != Drift::Allowed {
                    let strict: Vec<_> = checkpoint.meta.plugins.iter().filter(strict).cloned().collect();
                    check_drift(&strict, &registry)?;
                }
                let text = Text::Recorded { text, name: IN_CHECKPOINT.to_owned() };
                let folder = origin::folder_of_texts(run);
                Ok(Self { checkpoint: Some(checkpoint), ..Self::read(text, folder, registry, overrides)? })
            }
        }
    }

    fn read(text: Text, folder: PathBuf, registry: Registry, overrides: Vec<String>) -> Result<Self> {
        let experiment = text.read(&overrides, &registry)?;
        Ok(Self { registry, experiment, folder, checkpoint: None, text, overrides })
    }

    /// Asks the conformance kit about each plugin of a library that the experiment names, and warns of what it finds.
    fn judge(&self, options: &Options<'_>) {
        let folder = options.trusted.verdicts();
        for (kind, part) in parts(&self.experiment) {
            let Some(entry) = self.registry.find(kind, &part.name) else { continue };
            let Some(sha256) = &entry.origin.library else { continue };
            let verdict = entry.verdict.get_or_init(|| conformance::verdict(entry, sha256, folder.as_deref()));
            verdict.warning(entry).iter().for_each(options.warn);
        }
    }

    /// The experiment with one more override.
    ///
    /// # Errors
    /// All problems of the changed experiment.
    pub fn experiment_with(&self, change: String) -> Result<Experiment> {
        self.text.read(&[self.overrides.as_slice(), &[change]].concat(), &self.registry)
    }

    /// The experiment as a run records it, and the folder to which its paths are then relative. For the experiment of a
    /// file that is the current folder where possible, so that the corpus is found without the file.
    pub fn recorded(&self) -> (Experiment, PathBuf) {
        self.recorded_as(&self.experiment)
    }

    /// Another experiment of the same source, as a run records it.
    pub(crate) fn recorded_as(&self, experiment: &Experiment) -> (Experiment, PathBuf) {
        let mut experiment = experiment.clone();
        match self.text {
            Text::Recorded { .. } => (experiment, self.folder.clone()),
            Text::File(_) => {
                let folder = corpus::seen_from_here(&mut texts(&mut experiment), &self.folder);
                (experiment, folder)
            }
        }
    }

    /// The experiment as a checkpoint that is in no run records it: its texts are named as seen from that file's folder.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn recorded_in(&self, file: &Path) -> Result<Experiment> {
        let mut experiment = self.experiment.clone();
        let is_empty = |folder: &&Path| folder.as_os_str().is_empty();
        let [from, to] = [Some(&*self.folder), file.parent()]
            .map(|folder| folder.filter(|folder| !is_empty(folder)).unwrap_or(Path::new(".")));
        let seen = |folder: &Path| origin::seen_from(folder, to).map_err(|error| failure("read", to, error));
        corpus::rename(&mut texts(&mut experiment), from, [&seen(from)?, &seen(Path::new("."))?]);
        Ok(experiment)
    }

    /// The data of the experiment, with the symbols of the checkpoint if there is one.
    ///
    /// # Errors
    /// Those of [`Data::open`].
    pub fn data(&self) -> Result<Data> {
        self.data_with(self.vocabulary()?)
    }

    /// The data of the experiment with the given symbols, or else with those of its text.
    ///
    /// # Errors
    /// Those of [`Data::open`].
    pub fn data_with(&self, vocabulary: Option<Vocabulary>) -> Result<Data> {
        Data::open(&self.experiment, &self.folder, &self.registry, vocabulary)
    }

    /// Another text than that of the experiment, to evaluate a model with these symbols on. Its path is relative to the
    /// current folder.
    ///
    /// # Errors
    /// When the dataset makes its own text, and those of [`Sequences::whole`].
    pub fn text(&self, corpus: &str, vocabulary: &Arc<Vocabulary>) -> Result<OtherText> {
        let part = &self.experiment.dataset.part;
        if self.experiment.dataset.corpus == Corpus::Name(corpus::NO_TEXT.to_owned()) {
            return Err(Problem::new(format!("the dataset `{}` makes its own text", part.name))
                .hint("leave out --text: `hatchery eval` evaluates what it made")
                .into());
        }
        let (dataset, _) = self.registry.dataset(part)?;
        let text = corpus::open(&Corpus::Name(corpus.to_owned()), Path::new("."))?;
        let sequences = Sequences::whole(dataset.as_ref(), &text, &self.experiment, vocabulary)?;
        // Line ends stand between documents and are no part of them.
        let is_content =
            |symbol: &char| !(matches!(dataset.framing(), Framing::Documents { .. }) && matches!(symbol, '\n' | '\r'));
        let symbols = text.as_str().chars().filter(is_content);
        let unknown = symbols.filter(|symbol| !vocabulary.knows(*symbol)).count();
        Ok(OtherText { sequences, unknown })
    }

    /// The data of the experiment, to train from a checkpoint if one is given: with its symbols, and those that the text
    /// has besides where the experiment asks for that.
    ///
    /// # Errors
    /// Those of [`Data::open`].
    pub fn data_from(&self, start: Option<&origin::Start>) -> Result<Data> {
        let Some(start) = start else { return self.data_with(None) };
        let vocabulary = start.vocabulary(&self.experiment)?;
        Data::open_from(&self.experiment, &self.folder, &self.registry, vocabulary)
    }

    /// The symbols of the checkpoint, if there is one.
    ///
    /// # Errors
    /// When they are damaged.
    pub fn vocabulary(&self) -> Result<Option<Vocabulary>> {
        let recorded = self.checkpoint.as_ref().map(|checkpoint| &checkpoint.meta.vocabulary);
        recorded.map(|text| Vocabulary::from_text(text, &self.experiment.vocabulary)).transpose()
    }

    /// The network of the experiment over these symbols, with its initial values.
    ///
    /// # Errors
    /// Those of [`Network::new`].
    pub fn network(&self, vocabulary: Arc<Vocabulary>) -> Result<Network> {
        Network::new(self.recorded().0, vocabulary, &self.registry)
    }

    /// The network of the checkpoint, and the progress of its training.
    ///
    /// # Errors
    /// When no checkpoint was opened, and those of [`Network::with_checkpoint`].
    pub fn restore(&self) -> Result<(Network, Progress)> {
        match &self.checkpoint {
            Some(checkpoint) => Network::with_checkpoint(self.experiment.clone(), checkpoint, &self.registry),
            None => Err(Problem::new("there is no checkpoint to restore").into()),
        }
    }
}

impl Text {
    fn read(&self, overrides: &[String], registry: &Registry) -> Result<Experiment> {
        match self {
            Self::File(path) => reading::read(path, overrides, registry),
            Self::Recorded { text, name } => reading::from_text(text, name, overrides, registry),
        }
    }
}

/// The plugins of the program and of libraries: those of the options, those that the experiment names, those of the
/// search folders.
///
/// # Errors
/// When a library is not trusted, is refused, or has a plugin whose name is taken.
pub fn registry(options: &Options<'_>, named: impl IntoIterator<Item = NamedLibrary>) -> Result<Registry> {
    let mut registry = (options.linked)()?;
    let by_user = options.libraries.iter().map(|path| NamedLibrary { path: path.clone(), by: NamedBy::User });
    let libraries: Vec<_> = by_user.chain(named).collect();
    complete(&mut registry, &libraries, &options.trusted)?.iter().for_each(options.warn);
    Ok(registry)
}

/// The libraries that a recorded experiment names; a stranger may have written it.
fn recorded<'a>(text: &str, folder: &Path, hashes: &'a [String]) -> impl Iterator<Item = NamedLibrary> + use<'a> {
    let paths = reading::recorded_libraries(text, folder);
    paths.into_iter().map(|path| NamedLibrary { path, by: NamedBy::Record(hashes.to_vec()) })
}

/// A library that an experiment file names. The user names it only by a file of their own: one that they named, that
/// belongs to them, and that does not be in the folder of a run, which may come from anywhere.
fn of_file(library: ExperimentLibrary, is_named: bool) -> NamedLibrary {
    let ExperimentLibrary { path, file } = library;
    let doubt = file.and_then(|file| {
        let shown = file.display();
        if directory::holds(&file) {
            Some(format!("`{shown}` names it, which is in the folder of a run"))
        } else if !files::belongs_to_user(&file) {
            Some(format!("`{shown}` names it, which belongs to another user"))
        } else {
            (!is_named).then(|| format!("`{shown}` names it, a file that the command found by itself"))
        }
    });
    NamedLibrary { path, by: doubt.map_or(NamedBy::User, NamedBy::File) }
}

/// The folder of a file.
fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("."))
}

/// The texts that an experiment names.
fn texts(experiment: &mut Experiment) -> Vec<&mut Corpus> {
    let mut named = vec![&mut experiment.dataset.corpus];
    for held_out in [&mut experiment.split.valid, &mut experiment.split.test] {
        if let HeldOut::Text(corpus) = held_out {
            named.push(corpus);
        }
    }
    named
}
