//! Which libraries may be loaded: loading one runs its code, so only one whose bytes this user trusts on this computer is.
//!
//! The list of trusted libraries is a folder with a file for each, named by the SHA-256 of the library; in the file stands
//! the path under which the library was trusted, for people to read. So programs that add to the list at the same time
//! are not in each other's way, and no fault of a file changes what is trusted.
//!
//! A library is read once. What was hashed is what is loaded: [`TrustedLibrary`] has the bytes, and there is no other way
//! to load any.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;

use crate::{
    error::{Problem, Result},
    files,
    hash::sha256_hex,
    visible::escape,
};

/// Bytes of the largest library that is read.
const LARGEST: u64 = 1 << 30;
/// Bytes of the longest note of a path in the list.
const LARGEST_NOTE: u64 = 1 << 16;
/// Digits of a SHA-256.
const DIGITS: usize = 64;

/// A library file as it was read.
#[derive(Debug)]
pub struct LibraryFile {
    path: PathBuf,
    bytes: Vec<u8>,
    sha256: String,
}

/// A library file that the user trusts. Only a [`TrustList`] makes one.
#[derive(Debug)]
pub struct TrustedLibrary(LibraryFile);

/// Who names a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The user, by an argument or in an experiment file of their own: it is trusted from then on.
    User,
    /// What a run recorded, with the SHA-256 of the libraries that its checkpoint was made with, as far as they are known.
    Record(Vec<String>),
    /// An experiment file that is not the user's own, and why it is not.
    File(String),
    /// No one: it is in a search folder.
    SearchFolder,
}

/// A library and who names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedLibrary {
    /// Its file.
    pub path: PathBuf,
    /// Who names it.
    pub by: NamedBy,
}

/// The list of the libraries that a user trusts.
#[derive(Clone, Debug)]
pub struct TrustList {
    /// None where the user has no folder for it; nothing is trusted then but what a command names.
    folder: Option<PathBuf>,
}

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustEntry {
    /// SHA-256 of the library, in hexadecimal digits.
    pub sha256: String,
    /// The path under which it was trusted, as it may be shown.
    pub path: String,
}

impl LibraryFile {
    /// Reads a library, without loading it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = files::read(path, LARGEST).map_err(|error| {
            Problem::new(format!("cannot read the plugin library `{}`: {error}", path.display())).hint("check the path")
        })?;
        Ok(Self { path: path.to_owned(), sha256: sha256_hex(&bytes), bytes })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of its bytes, in hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl TrustedLibrary {
    /// The file.
    pub fn file(&self) -> &LibraryFile {
        &self.0
    }
}

impl TrustList {
    /// The list of the user who runs this program: `hatchery/trusted-plugins` in their folder for states
    /// (`~/.local/state` on Linux, or `XDG_STATE_HOME`).
    pub fn of_user() -> Self {
        let base = etcetera::choose_base_strategy().ok();
        let state = base.map(|base| base.state_dir().unwrap_or_else(|| base.data_dir()));
        Self { folder: state.map(|state| state.join("hatchery/trusted-plugins")) }
    }

    /// The list in a folder, which need not be there yet.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()) }
    }

    /// The folder beside the list in which the verdicts of the conformance kit are kept.
    pub(crate) fn verdicts(&self) -> Option<PathBuf> {
        self.folder.as_deref().map(super::verdict::beside)
    }

    /// Whether a library is in the list.
    pub fn has(&self, file: &LibraryFile) -> bool {
        self.entry(&file.sha256).is_some_and(|path| fs::symlink_metadata(path).is_ok_and(|entry| entry.is_file()))
    }

    /// Adds a library to the list.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub fn add(&self, file: &LibraryFile) -> Result<()> {
        self.note(file).map_err(|error| {
            let hint = "set XDG_STATE_HOME to a folder that can be written";
            Problem::new(format!("cannot note that `{}` is trusted: {error}", file.path.display())).hint(hint).into()
        })
    }

    fn note(&self, file: &LibraryFile) -> io::Result<()> {
        let no_folder = || io::Error::new(ErrorKind::NotFound, "there is no folder for states, nor a home folder");
        let (folder, entry) = self.folder.as_deref().zip(self.entry(&file.sha256)).ok_or_else(no_folder)?;
        private_folder(folder)?;
        let path = std::path::absolute(&file.path).unwrap_or_else(|_| file.path.clone());
        files::replace(&entry, |note| writeln!(note, "{}", escape(&path.to_string_lossy()).replace('\n', r"\n")))
    }

    /// Takes a library off the list. Returns whether it was there.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub fn remove(&self, sha256: &str) -> Result<bool> {
        match self.entry(sha256).map_or(Ok(()), fs::remove_file) {
            Ok(()) => Ok(self.folder.is_some()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Problem::new(format!("cannot take {sha256} off the list: {error}"))
                .hint("change the permissions of the list's folder")
                .into()),
        }
    }

    /// Everything in the list, by path.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn entries(&self) -> Result<Vec<TrustEntry>> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let files = match fs::read_dir(folder) {
            Ok(files) => files,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(Problem::new(format!("cannot read `{}`: {error}", folder.display()))
                    .hint("change its permissions")
                    .into());
            }
        };
        let names = files.flatten().filter_map(|file| file.file_name().into_string().ok());
        let mut entries: Vec<_> = names
            .filter(|name| is_sha256(name))
            .map(|sha256| {
                let path = files::read_text(&folder.join(&sha256), LARGEST_NOTE).unwrap_or_default();
                // A line of its own could be taken for another entry.
                TrustEntry { path: escape(path.trim_end()).replace('\n', "\\n"), sha256 }
            })
            .collect();
        entries.sort_unstable_by(|a, b| (&a.path, &a.sha256).cmp(&(&b.path, &b.sha256)));
        Ok(entries)
    }

    /// The library as one that may be loaded: one that the user names is trusted from now on, any other has to be in the
    /// list. Returned with it is a warning if the list cannot be written.
    ///
    /// # Errors
    /// When it is not trusted.
    pub fn admit(&self, file: LibraryFile, by: &NamedBy) -> Result<(TrustedLibrary, Option<Problem>)> {
        if self.has(&file) {
            return Ok((TrustedLibrary(file), None));
        }
        if *by != NamedBy::User {
            return Err(refusal(&file, by).into());
        }
        let warning = self.note(&file).err().map(|error| {
            Problem::new(format!("cannot note that `{}` is trusted: {error}", file.path.display()))
                .hint("name it with --plugin each time, or set XDG_STATE_HOME to a folder that can be written")
        });
        Ok((TrustedLibrary(file), warning))
    }

    fn entry(&self, sha256: &str) -> Option<PathBuf> {
        is_sha256(sha256).then(|| self.folder.as_ref().map(|folder| folder.join(sha256)))?
    }
}

/// Whether a text is a SHA-256 as it is written here.
pub fn is_sha256(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn refusal(file: &LibraryFile, by: &NamedBy) -> Problem {
    let problem = Problem::new(format!("the plugin library `{}` is not trusted", file.path.display()))
        .note(format!("SHA-256: {}", file.sha256));
    let problem = match by {
        NamedBy::User => problem,
        NamedBy::Record(hashes) if hashes.is_empty() => problem.note("what a run recorded names it"),
        NamedBy::Record(hashes) if hashes.contains(&file.sha256) => {
            problem.note("the checkpoint says that it was made with this library")
        }
        NamedBy::Record(_) => problem.note("the checkpoint says that it was made with another library"),
        NamedBy::File(why) => problem.note(why),
        NamedBy::SearchFolder => problem.note("left out: it is in a search folder, but was never named"),
    };
    let command = format!("hatchery plugins trust {}", for_shell(&file.path));
    problem
        .note("to load a library is to run its code, with all your rights")
        .hint(format!("if you know where it comes from: {command}"))
}

/// A path as a shell takes it for one word: its name may be a stranger's.
pub(super) fn for_shell(path: &Path) -> String {
    let path = path.to_string_lossy();
    let path = if path.starts_with('-') { format!("./{path}") } else { path.into_owned() };
    let is_plain = |sign: char| sign.is_alphanumeric() || "/._-+=:,@%".contains(sign);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// Makes a folder in which no one else can write.
fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
