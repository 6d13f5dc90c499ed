//! The corpora that are known by name: those that come with the program, and those that `hatchery data fetch` gets.

use std::{
    env,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;

use crate::error::{Problem, Result};

/// A file that can be fetched: pinned to one commit of a public repository, so that it never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name used in experiment files.
    pub name: &'static str,
    /// The file's name in the cache.
    pub file: &'static str,
    /// Where it is fetched from.
    pub address: &'static str,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, in lower-case hexadecimal digits.
    pub sha256: &'static str,
    /// What it is.
    pub description: &'static str,
    /// Under which terms it may be used, as far as is known.
    pub terms: &'static str,
    /// Whether it can be trained on; a model cannot.
    pub is_text: bool,
}

/// Where a corpus is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// In the program.
    Embedded,
    /// In this file.
    Fetched(PathBuf),
    /// Nowhere: `hatchery data fetch` gets it.
    Absent,
}

/// A corpus that is known by name, as `hatchery data list` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueItem {
    /// The name used in experiment files.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// Under which terms it may be used, as far as is known.
    pub terms: &'static str,
    /// Its size.
    pub bytes: u64,
    /// Where it is.
    pub state: State,
}

/// The folders in which fetched files are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFolders {
    /// Looked in first: `$HATCHERY_DATA`.
    pub data: Option<PathBuf>,
    /// Looked in next, and fetched to: `$HATCHERY_CACHE`, or `hatchery` in the user's cache folder.
    pub cache: PathBuf,
}

/// The lists that come with the program.
pub(super) const EMBEDDED: [(&str, &str); 2] = [
    ("dinosaurs", include_str!("../../../data/dinosaurs.txt")),
    ("given-names", include_str!("../../../data/given-names.txt")),
];

const EMBEDDED_DESCRIPTIONS: [&str; 2] = ["names of dinosaur genera, one a line", "given names, one a line"];

const UNSTATED: &str = "stated by its repository, if at all; fetched from there, not part of Hatchery";

const ALL: [Entry; 7] = [
    Entry {
        name: "dinos",
        file: "dinos.txt",
        address: "https://raw.githubusercontent.com/umermjd11/DLC5M1A2/7518c81edfb8a6a3bf849d120036e3a0c331c190/dinos.txt",
        bytes: 19_909,
        sha256: "ad6465621cf56c08f71d4fbb40cf7eab763f9df42c54cc460d6c4d86e9c927fb",
        description: "1,536 dinosaur names; 27 characters once lower-cased",
        terms: UNSTATED,
        is_text: true,
    },
    Entry {
        name: "sonnets",
        file: "shakespeare.txt",
        address: "https://raw.githubusercontent.com/umermjd11/DLC5M1A2/7518c81edfb8a6a3bf849d120036e3a0c331c190/shakespeare.txt",
        bytes: 94_275,
        sha256: "1b454b67b44e6f367c83a17ed295c46c5d4a1173cf5d09161882af4041bae023",
        description: "Shakespeare's sonnets; 38 characters once lower-cased",
        terms: "public domain",
        is_text: true,
    },
    Entry {
        name: "sonnets-keras",
        file: "model_shakespeare_kiank_350_epoch.h5",
        address: "https://raw.githubusercontent.com/umermjd11/DLC5M1A2/7518c81edfb8a6a3bf849d120036e3a0c331c190/models/model_shakespeare_kiank_350_epoch.h5",
        bytes: 2_692_856,
        sha256: "a73e515af2522f884bd057fec1e0f854b9bf47ea17711aa63559af9813e6b7fb",
        description: "a Keras 2.0.6 model of the sonnets, two LSTM layers of 128: to import, not to train on",
        terms: UNSTATED,
        is_text: false,
    },
    Entry {
        name: "names",
        file: "names.txt",
        address: "https://raw.githubusercontent.com/hse-aml/intro-to-dl/22a9a22237177d3df44d141c549a3c5dcbd6b6ef/week5/names",
        bytes: 55_869,
        sha256: "d5c085a354783c420ce9cf7b685dd7cf6d34d89b3c47da0195fa0b0867f01188",
        description: "7,944 given names",
        terms: UNSTATED,
        is_text: true,
    },
    Entry {
        name: "magic-cards",
        file: "mtg_card_names.txt",
        address: "https://raw.githubusercontent.com/hse-aml/intro-to-dl/22a9a22237177d3df44d141c549a3c5dcbd6b6ef/week5/mtg_card_names.txt",
        bytes: 645_304,
        sha256: "b93d9824727a9a8fdafd11e5a9045d1ea3260d89b5f9a159f197a508299fca42",
        description: "16,714 names of cards of a trading card game",
        terms: UNSTATED,
        is_text: true,
    },
    Entry {
        name: "tinyshakespeare",
        file: "tinyshakespeare.txt",
        address: "https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
        bytes: 1_115_394,
        sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        description: "a megabyte of Shakespeare's plays; 65 characters",
        terms: "public domain",
        is_text: true,
    },
    Entry {
        name: "makemore-names",
        file: "makemore_names.txt",
        address: "https://raw.githubusercontent.com/karpathy/makemore/988aa59e4d8fefa526d06f3b453ad116258398d4/names.txt",
        bytes: 228_145,
        sha256: "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
        description: "32,033 given names in lower case",
        terms: UNSTATED,
        is_text: true,
    },
];

/// Everything that can be fetched.
pub fn all() -> &'static [Entry] {
    &ALL
}

/// What is fetched under that name.
pub fn find(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.name == name)
}

/// The names of the corpora: embedded ones, then those that can be fetched.
pub fn names() -> impl Iterator<Item = &'static str> {
    EMBEDDED.iter().map(|(name, _)| *name).chain(ALL.iter().filter(|entry| entry.is_text).map(|entry| entry.name))
}

/// Everything that is known by name, and where it is.
pub fn list(places: &TextFolders) -> Vec<CatalogueItem> {
    let embedded = EMBEDDED.iter().zip(EMBEDDED_DESCRIPTIONS).map(|((name, text), description)| CatalogueItem {
        name,
        description,
        terms: "Hatchery's own",
        bytes: text.len() as u64,
        state: State::Embedded,
    });
    let fetched = ALL.iter().map(|entry| CatalogueItem {
        name: entry.name,
        description: entry.description,
        terms: entry.terms,
        bytes: entry.bytes,
        state: entry.state(places),
    });
    embedded.chain(fetched).collect()
}

impl Entry {
    /// Where it is: fetched, or absent. A file of another size is not it.
    pub fn state(&self, places: &TextFolders) -> State {
        match places.files(self.file).find(|path| size(path) == Some(self.bytes)) {
            Some(path) => State::Fetched(path),
            None => State::Absent,
        }
    }

    /// The file to read, for an experiment that names it.
    pub(super) fn locate(&self, places: &TextFolders) -> Result<PathBuf> {
        if !self.is_text {
            return Err(Problem::new(format!("`{}` is a model, not a text", self.name))
                .note(format!("known corpora: {}", names().collect::<Vec<_>>().join(", ")))
                .into());
        }
        if let State::Fetched(path) = self.state(places) {
            return Ok(path);
        }
        let mut problem = Problem::new(format!("the corpus `{}` has not been fetched yet", self.name));
        for path in places.files(self.file) {
            problem = problem.note(match size(&path) {
                Some(size) => format!("`{}` has {size} bytes, not {}", path.display(), self.bytes),
                None => format!("there is no `{}`", path.display()),
            });
        }
        Err(problem.hint(format!("hatchery data fetch {}", self.name)).into())
    }
}

impl TextFolders {
    /// Those that the environment names.
    pub fn from_environment() -> Self {
        let folder = |key| env::var_os(key).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = folder("HATCHERY_CACHE")
            .or_else(|| Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("hatchery")))
            // Without a home folder there is no better place that outlives the program.
            .unwrap_or_else(|| env::temp_dir().join("hatchery"));
        Self { data: folder("HATCHERY_DATA"), cache }
    }

    fn files(&self, file: &str) -> impl Iterator<Item = PathBuf> {
        self.data.iter().chain([&self.cache]).map(move |folder| folder.join(file))
    }
}

fn size(path: &Path) -> Option<u64> {
    path.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len())
}
