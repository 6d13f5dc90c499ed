//! The text of an experiment: where it comes from and how it is held. Whether embedded or a file of many gigabytes,
//! whoever reads a [`Text`] sees a `&str`, and large files stay on the disk.

pub mod catalogue;
pub mod fetch;
mod joined;
mod mapped;
mod table;

use std::{
    borrow::Cow,
    fmt, fs,
    io::{ErrorKind, IsTerminal, Read},
    ops::Range,
    path::{Display, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use self::{catalogue::TextFolders, mapped::MappedText};
use super::normalize::normalized;
use crate::{
    encoding::is_utf16,
    error::{Error, Problem, Result},
    experiment::{Corpus, Vocabulary},
    files::{self, Refusal},
};

/// An opened corpus. A clone is a new handle on the same text.
#[derive(Clone)]
pub struct Text {
    name: Arc<str>,
    body: Arc<Body>,
}

enum Body {
    Embedded(&'static str),
    Owned(String),
    Mapped(MappedText),
}

/// Files from this size on are mapped, in bytes; smaller ones are read, so that an editor that saves while training
/// runs cannot change the text under it.
const MAP_FROM: u64 = 64 << 20;

/// The corpus of datasets that make up their own documents.
pub const NO_TEXT: &str = "none";

/// The corpus that is read from standard input.
pub const STANDARD_INPUT: &str = "-";

/// Bytes of the longest text that is read from standard input: what writes it may never end.
const LONGEST_INPUT: u64 = 1 << 30;

/// Bytes of a text that are looked at in one go when all of it is read.
const CHUNK: usize = 1 << 20;

/// Bytes that become resident at least when a mapped file is read at any place: the system maps so much around it.
pub(crate) const SCATTERED: usize = 64 << 10;

/// The text of a corpus: embedded, in the catalogue, or a path, relative to `folder` if there is such a file, else to
/// the current folder.
///
/// # Errors
/// When there is no such corpus, or it is not a text: a folder, an empty file, not UTF-8.
pub fn open(corpus: &Corpus, folder: &Path) -> Result<Text> {
    open_from(corpus, folder, &TextFolders::from_environment())
}

/// [`open`], with the folders in which fetched files are looked for.
///
/// # Errors
/// Those of [`open`].
pub fn open_from(corpus: &Corpus, folder: &Path, places: &TextFolders) -> Result<Text> {
    let name = match corpus {
        Corpus::Name(name) => name,
        Corpus::Glob { glob, column, separator } => {
            return joined::open(glob, column.as_deref(), separator.as_deref(), folder);
        }
    };
    match name.as_str() {
        NO_TEXT => return Ok(Text::new(name, "")),
        STANDARD_INPUT => return standard_input(),
        _ => {}
    }
    if let Some((_, text)) = catalogue::EMBEDDED.iter().find(|(known, _)| known == name) {
        return Ok(Text { name: name.as_str().into(), body: Arc::new(Body::Embedded(text)) });
    }
    if let Some(entry) = catalogue::find(name) {
        return Text::file(name, &entry.locate(places)?);
    }
    let beside = folder.join(name);
    if fs::exists(&beside).unwrap_or(false) {
        return Text::file(name, &beside);
    }
    if fs::exists(name).unwrap_or(false) {
        return Text::file(name, Path::new(name));
    }
    Err(unknown(name, folder).into())
}

/// Renames the texts of an experiment as they are called from the current folder, and returns it; where that would take a
/// path from the root, or one that is not UTF-8, they are called from `folder`, in which the experiment's file lies.
pub fn seen_from_here(named: &mut [&mut Corpus], folder: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let below = folder.strip_prefix(&here).ok().or(if folder.is_absolute() { None } else { Some(folder) });
    let Some(below) = below.filter(|below| below.to_str().is_some()) else {
        let is_beside = |corpus: &Corpus| match corpus {
            Corpus::Glob { .. } => true,
            Corpus::Name(name) => fs::exists(folder.join(name)).unwrap_or(false),
        };
        let is_here = |corpus: &Corpus| match corpus {
            Corpus::Glob { .. } => false,
            Corpus::Name(name) => !is_beside(corpus) && fs::exists(name).unwrap_or(false),
        };
        let are_here = named.iter().any(|corpus| is_here(corpus)) && !named.iter().any(|corpus| is_beside(corpus));
        return if are_here { here } else { folder.to_owned() };
    };
    for corpus in named {
        **corpus = called_from_above(corpus, below);
    }
    here
}

/// Renames texts that lie beside an experiment in `folder`, or in the current folder: as seen from a third folder, these two
/// are `seen`.
pub(crate) fn rename(named: &mut [&mut Corpus], folder: &Path, seen: [&Path; 2]) {
    for corpus in named {
        let renamed = called(corpus, folder, seen[0]);
        **corpus = if renamed == **corpus { called(corpus, Path::new(""), seen[1]) } else { renamed };
    }
}

fn called_from_above(corpus: &Corpus, folder: &Path) -> Corpus {
    called(corpus, folder, folder)
}

/// The text that is in `folder`, with the name that it has where that folder is called `seen`.
fn called(corpus: &Corpus, folder: &Path, seen: &Path) -> Corpus {
    let beside =
        |name: &str| if seen == Path::new(".") { name.to_owned() } else { seen.join(name).display().to_string() };
    match corpus {
        Corpus::Glob { glob, column, separator } => {
            Corpus::Glob { glob: beside(glob), column: column.clone(), separator: separator.clone() }
        }
        Corpus::Name(name) if [NO_TEXT, STANDARD_INPUT].contains(&name.as_str()) => corpus.clone(),
        Corpus::Name(name) if catalogue::names().any(|known| known == name) => corpus.clone(),
        Corpus::Name(name) if fs::exists(folder.join(name)).unwrap_or(false) => Corpus::Name(beside(name)),
        Corpus::Name(_) => corpus.clone(),
    }
}

/// What a program or a person writes to the standard input, up to its end. It can be read once: a second opening gives
/// the same text.
fn standard_input() -> Result<Text> {
    static TEXT: Mutex<Option<Text>> = Mutex::new(None);
    let mut text = TEXT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = &*text {
        return Ok(text.clone());
    }
    let input = std::io::stdin();
    if input.is_terminal() {
        return Err(Problem::new("the corpus `-` is the standard input, and nothing is written to it")
            .hint("pipe a text to the command: hatchery train FILE < TEXT.txt")
            .into());
    }
    let mut bytes = Vec::new();
    let read = input.lock().take(LONGEST_INPUT + 1).read_to_end(&mut bytes);
    read.map_err(|cause| Problem::new(format!("cannot read the standard input: {cause}")))?;
    if bytes.len() as u64 > LONGEST_INPUT {
        return Err(Problem::new("the corpus `-`, the standard input, has more than 1 GiB")
            .hint("keep it in a file and name that: a file stays on the disk")
            .into());
    }
    let read = Text::of_bytes(STANDARD_INPUT, bytes)?;
    Ok(text.insert(read).clone())
}

impl Text {
    /// A text made in memory.
    pub fn new(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.into(), body: Arc::new(Body::Owned(text.into())) }
    }

    /// The text of a file: mapped if it is large, read otherwise.
    ///
    /// # Errors
    /// When it cannot be read, is empty or is not UTF-8.
    pub fn file(name: &str, path: &Path) -> Result<Self> {
        let size = fs::metadata(path).map_err(|cause| unreadable(name, path, cause))?.len();
        if size < MAP_FROM { Self::read(name, path) } else { Self::map(name, path) }
    }

    /// The text of a file, read into memory.
    ///
    /// # Errors
    /// Those of [`Text::file`].
    pub fn read(name: &str, path: &Path) -> Result<Self> {
        Self::of_bytes(name, files::read(path, u64::MAX - 1).map_err(|cause| unreadable(name, path, cause))?)
    }

    fn of_bytes(name: &str, bytes: Vec<u8>) -> Result<Self> {
        if bytes.is_empty() {
            return Err(empty(name));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            not_text(name, error.as_bytes(), at)
        })?;
        Ok(Self { name: name.into(), body: Arc::new(Body::Owned(text)) })
    }

    /// The text of a file, mapped: it stays on the disk, and what was read of it is given back to the system. The
    /// file must not be changed while the text is in use.
    ///
    /// # Errors
    /// Those of [`Text::file`].
    pub fn map(name: &str, path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Err(is_folder(name));
        }
        let file = files::open(path).map_err(|cause| unreadable(name, path, cause))?;
        if file.metadata().map_err(|cause| unreadable(name, path, cause))?.len() == 0 {
            return Err(empty(name));
        }
        let mapped = MappedText::new(&file)
            .map_err(|cause| unreadable(name, path, cause))?
            .map_err(|(bytes, at)| not_text(name, &bytes, at))?;
        Ok(Self { name: name.into(), body: Arc::new(Body::Mapped(mapped)) })
    }

    /// The text as the experiment wants it read: of a large file it is then in memory, if anything in it changes.
    pub(super) fn normalized(&self, settings: &Vocabulary) -> Self {
        match normalized(self.as_str(), settings) {
            Cow::Borrowed(_) => self.clone(),
            Cow::Owned(text) => Self::new(&self.name, text),
        }
    }

    /// How many characters the experiment has removed from it.
    pub(super) fn removed(&self, settings: &Vocabulary) -> usize {
        if settings.remove.is_empty() {
            return 0;
        }
        let kept = normalized(self.as_str(), &Vocabulary { remove: String::new(), ..settings.clone() });
        kept.chars().filter(|symbol| settings.remove.contains(*symbol)).count()
    }

    /// The name by which the experiment calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All of it. A byte order mark at the start of the file is not part of the text.
    pub fn as_str(&self) -> &str {
        let text = match &*self.body {
            Body::Embedded(text) => text,
            Body::Owned(text) => text.as_str(),
            Body::Mapped(mapped) => mapped.as_str(),
        };
        text.strip_prefix('\u{feff}').unwrap_or(text)
    }

    /// A part of it in pieces of about a megabyte, each with its byte offset, without keeping a mapped file resident.
    pub(crate) fn chunks(&self, range: Range<usize>) -> impl Iterator<Item = (usize, &str)> {
        let text = self.as_str();
        let mut at = range.start;
        std::iter::from_fn(move || {
            if at >= range.end {
                return None;
            }
            let end = text.floor_char_boundary(range.end.min(at + CHUNK));
            let chunk = (at, &text[at..end]);
            self.touched(end - at);
            at = end;
            Some(chunk)
        })
    }

    /// Counts bytes as read; the pages of a mapped file are given back to the system from time to time.
    pub(crate) fn touched(&self, bytes: usize) {
        if let Body::Mapped(mapped) = &*self.body {
            mapped.touched(bytes);
        }
    }

    /// The number of the line, from 1 on, in which a byte stands.
    pub(crate) fn line(&self, offset: usize) -> usize {
        line(self.as_str().as_bytes(), offset)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({}, {} bytes)", self.name, self.as_str().len())
    }
}

fn unknown(name: &str, folder: &Path) -> Problem {
    let known: Vec<&str> = catalogue::names().collect();
    let nearest = known
        .iter()
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let problem = Problem::new(format!("there is no corpus and no file `{name}`"))
        .note(format!("known corpora: {}", known.join(", ")))
        .note(format!("files are looked for in: {}", shown(folder)));
    // "C:\texts\new.txt" has a tab and a line end where the path had backslashes.
    if name.contains(['\t', '\n', '\r', '\u{8}', '\u{c}', '\u{1b}']) {
        return problem
            .hint("in double quotes a backslash begins an escape: write the path with `/`, or in single quotes");
    }
    match nearest {
        Some((_, nearest)) => problem.hint(format!("did you mean `{nearest}`?")),
        None if name.parse::<f64>().is_ok() => problem.hint(format!("a share is written without quotes: {name}")),
        None => problem.hint("give one of these names, or the path of a text file"),
    }
}

/// A folder as a message shows it; the current one has no name of its own.
fn shown(folder: &Path) -> Display<'_> {
    if folder.as_os_str().is_empty() { Path::new(".").display() } else { folder.display() }
}

fn unreadable(name: &str, path: &Path, cause: std::io::Error) -> Error {
    if path.is_dir() {
        return is_folder(name);
    }
    if let Some(refusal) = Refusal::of(&cause) {
        return Problem::new(format!("cannot read `{}`: {refusal}", path.display())).hint(refusal.hint()).into();
    }
    match cause.kind() {
        ErrorKind::NotFound => Problem::new(format!("there is no file `{}`", path.display())).into(),
        ErrorKind::PermissionDenied => {
            Problem::new(format!("`{}` may not be read", path.display())).hint("change the file's permissions").into()
        }
        _ => Error::internal(format!("cannot read `{}`", path.display()), cause),
    }
}

fn is_folder(name: &str) -> Error {
    Problem::new(format!("`{name}` is a folder, not a text"))
        .hint(format!("name a file, or all files of the folder: corpus = {{ glob = \"{name}/*.txt\" }}"))
        .into()
}

fn empty(name: &str) -> Error {
    Problem::new(format!("`{name}` is empty")).hint("a text of a few thousand characters is a good start").into()
}

fn not_text(name: &str, bytes: &[u8], at: usize) -> Error {
    if is_utf16(bytes) {
        return Problem::new(format!("`{name}` is UTF-16, not UTF-8"))
            .hint(format!("convert it: iconv -f utf-16 -t utf-8 {name} > TEXT.txt, and name that"))
            .into();
    }
    let byte = bytes.get(at).copied().unwrap_or_default();
    Problem::new(format!("`{name}` is not UTF-8: byte 0x{byte:02X} at offset {at}, in line {}", line(bytes, at)))
        .hint(format!("if it is Latin-1, convert it: iconv -f latin1 -t utf-8 {name} > TEXT.txt, and name that"))
        .into()
}

fn line(bytes: &[u8], offset: usize) -> usize {
    bytes[..offset.min(bytes.len())].split(|byte| *byte == b'\n').count()
}
