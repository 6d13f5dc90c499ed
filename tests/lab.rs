//! A folder of its own in which a test runs the program, as a person would.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// A small GRU on the embedded list of genera: trained in a few milliseconds.
pub(crate) const TINY: &str = r#"name = "tiny"

[dataset]
type = "lines"
corpus = "dinosaurs"

[split]
valid = 0.1

[cell]
type = "gru"
hidden = 8

[optimizer]
type = "adam"
learning-rate = 0.01

[train]
steps = 6
batch = 4
report-every = 3

[sample]
count = 2
length = 8
"#;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every file below a folder of the repository with that ending, as a path from the root, sorted.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<String> {
    let root = root();
    let mut pending = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                found.push(path.strip_prefix(&root).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// Every experiment file of the repository, sweeps left out.
pub(crate) fn experiments() -> Vec<String> {
    files("experiments", "toml").into_iter().filter(|path| !path.starts_with("experiments/sweeps/")).collect()
}

/// A temporary folder, and the program run in it.
pub(crate) struct Lab {
    folder: TempDir,
}

/// What a command gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Lab {
    /// A folder with `tiny.toml` in it.
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }.with("tiny.toml", TINY)
    }

    /// Adds a file.
    pub(crate) fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The lines of a log.
    pub(crate) fn rows(&self, name: &str) -> Vec<serde_json::Value> {
        self.text(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The program, to be started in the folder. Fetched texts and the list of trusted libraries go
    /// below it, and the user's libraries are out of sight.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hatchery"));
        command.current_dir(self.folder.path()).args(arguments).stdin(Stdio::null());
        command.env("HATCHERY_CACHE", self.path("cache")).env("HATCHERY_PLUGINS", "").env_remove("NO_COLOR");
        command.env("XDG_STATE_HOME", self.path("state"));
        command
    }

    /// Runs a command line, split at spaces.
    pub(crate) fn run(&self, line: &str) -> Outcome {
        self.run_with(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs a command.
    pub(crate) fn run_with(&self, arguments: &[&str]) -> Outcome {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let outcome = Outcome {
            code: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        };
        assert!(!outcome.stderr.contains("panicked"), "{arguments:?}:\n{}", outcome.stderr);
        outcome
    }

    /// Runs a command line that must succeed, and gives what it printed.
    pub(crate) fn ok(&self, line: &str) -> String {
        let outcome = self.run(line);
        assert_eq!(outcome.code, Some(0), "{line}:\n{}{}", outcome.stdout, outcome.stderr);
        outcome.stdout
    }

    /// Runs a command line that must be refused as the user's fault, and gives what it said.
    pub(crate) fn refused(&self, line: &str) -> String {
        let outcome = self.run(line);
        assert_eq!(outcome.code, Some(2), "{line}:\n{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.stdout, "", "{line}: nothing was achieved, so nothing is a result");
        outcome.stderr
    }

    /// Whether nothing is in the folder of runs.
    pub(crate) fn has_no_run(&self) -> bool {
        fs::read_dir(self.path("runs")).map_or(true, |mut entries| entries.next().is_none())
    }
}
