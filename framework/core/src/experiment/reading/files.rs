//! The files of an experiment: loading one, and laying it over those that it is based on.

use std::{
    fs,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use super::{
    bundled,
    spanned::{Entry, Node, Source, Value, merge},
};
use crate::{
    encoding::is_utf16,
    error::{Error, Problem, Result},
    files,
    suggest::{nearest, question},
};

/// Bytes of the largest experiment file. A page of named values is a thousandth of this; what is larger is no such page.
const LARGEST_FILE: usize = 1 << 20;

/// Bytes of the longest line, so that messages can show it.
const LONGEST_LINE: usize = 10_000;

/// The files that lead from the experiment to the one being read, each based on the next.
pub(crate) struct Chain {
    paths: Vec<PathBuf>,
}

impl Chain {
    pub(crate) fn starting_at(path: &Path) -> Self {
        Self { paths: vec![path.to_owned()] }
    }

    /// The file that messages call by this name, once the chain is read.
    pub(crate) fn file(&self, name: &str) -> Option<&Path> {
        self.paths.iter().map(PathBuf::as_path).find(|path| path.to_string_lossy() == name)
    }

    /// Whether a file is in the chain already, whatever way its path is written.
    fn contains(&self, path: &Path) -> bool {
        let same = |a: &Path, b: &Path| match (fs::canonicalize(a), fs::canonicalize(b)) {
            (Ok(a), Ok(b)) => a == b,
            _ => a == b,
        };
        self.paths.iter().any(|known| same(known, path))
    }
}

/// Parses a text and those that it is based on and lays them over each other. None when one of them cannot be read:
/// what is wrong is in `problems`. `tables` are the names of the tables that there are.
pub(crate) fn layered(
    source: &Source,
    chain: &mut Chain,
    tables: &[&str],
    problems: &mut Vec<Problem>,
) -> Option<Node> {
    let (mut node, faults, usable) = source.parse(tables);
    problems.extend(faults);
    let Value::Table(table) = &mut node.value else { return None };
    if !usable {
        return None;
    }
    let Some(base) = table.remove("base") else { return Some(node) };
    match open_base(&base, chain) {
        Ok(below) => {
            if let Value::Table(below) = layered(&below, chain, tables, problems)?.value {
                *table = merge(below, std::mem::take(table), "");
            }
            Some(node)
        }
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

fn open_base(base: &Entry, chain: &mut Chain) -> std::result::Result<Source, Problem> {
    let place = base.node.place.clone();
    let Some(named) = base.node.as_str().filter(|named| !named.is_empty()) else {
        let problem = if base.node.as_str().is_some() {
            Problem::new("`base` is empty")
        } else {
            Problem::new(format!("wrong type for `base`: {}", base.node.described()))
        };
        return Err(problem.at(place).note("expected: the path of an experiment file, relative to this one"));
    };
    let beside = chain.paths.last().and_then(|path| path.parent()).unwrap_or(Path::new(""));
    let path = beside.join(named);
    if chain.contains(&path) {
        let links: Vec<_> = chain.paths.iter().chain([&path]).map(|path| format!("`{}`", path.display())).collect();
        return Err(Problem::new("these files are based on each other in a circle")
            .at(place)
            .note(links.join(" is based on "))
            .hint("take `base` out of one of them"));
    }
    let source = load(&path).map_err(|error| match error {
        // The fix belongs into the file that names the base.
        Error::User(mut problems) => problems.swap_remove(0).at(place),
        Error::Internal { message, .. } => Problem::new(message).at(place),
    })?;
    chain.paths.push(path);
    Ok(source)
}

/// Reads a file as the text of an experiment; where there is none, one of that path that comes with the program.
///
/// # Errors
/// When there is neither, or it cannot be an experiment.
pub(crate) fn load(path: &Path) -> Result<Source> {
    let name = path.display().to_string();
    if let (false, Some(text)) = (path.exists(), bundled::find(path)) {
        return Ok(Source::new(&name, text));
    }
    if path.is_dir() {
        let mut problem = Problem::new(format!("`{name}` is a folder, not an experiment file"));
        let inside = experiments_in(path);
        if let Some(first) = inside.first() {
            problem = problem
                .note(format!("experiment files in it: {}", inside.join(", ")))
                .hint(format!("name one of them: `{}`", path.join(first).display()));
        }
        return Err(problem.into());
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large, be it endless.
    files::open(path)
        .and_then(|file| file.take(LARGEST_FILE as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(path, &error))?;
    check_size(&bytes, &name)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        if is_utf16(error.as_bytes()) {
            return Problem::new(format!("`{name}` is UTF-16, not UTF-8 text"))
                .hint(format!("save it as UTF-8, or convert it: iconv -f utf-16 -t utf-8 {name} > NEW.toml"));
        }
        Problem::new(format!("`{name}` is not UTF-8 text"))
            .note(format!("the byte at offset {at}, on line {line}, is 0x{:02x}", error.as_bytes()[at]))
            .hint("save the file with the encoding UTF-8")
    })?;
    Ok(Source::new(&name, &text))
}

/// # Errors
/// When a text is too large to be an experiment.
pub(crate) fn check_size(bytes: &[u8], name: &str) -> Result<()> {
    if bytes.len() > LARGEST_FILE {
        return Err(Problem::new(format!("`{name}` is too large to be an experiment file"))
            .note(format!("an experiment file has at most {LARGEST_FILE} bytes"))
            .hint("is it the text to train on? name that as `corpus` in [dataset]")
            .into());
    }
    let too_long = bytes.split(|byte| *byte == b'\n').enumerate().find(|(_, line)| line.len() > LONGEST_LINE);
    match too_long {
        Some((number, line)) => {
            Err(Problem::new(format!("line {} of `{name}` is too long: {} bytes", number + 1, line.len()))
                .note(format!("a line of an experiment file has at most {LONGEST_LINE} bytes"))
                .hint("break the line: lists may go over several; a text to train on is named as `corpus` in [dataset]")
                .into())
        }
        None => Ok(()),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let name = path.display();
    if error.kind() != ErrorKind::NotFound {
        return Problem::new(format!("the experiment file `{name}` cannot be read")).note(format!("because: {error}"));
    }
    let problem = Problem::new(format!("there is no experiment file `{name}`"));
    let folder = path.parent().unwrap_or(Path::new(""));
    let known = experiments_in(if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let wanted = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let here = nearest(&wanted, known.iter().map(String::as_str));
    let mut near: Vec<_> = here.into_iter().map(|name| folder.join(name).display().to_string()).collect();
    if near.is_empty() {
        near = bundled::near(path).map(str::to_owned).collect();
    }
    if near.is_empty() { problem } else { problem.hint(question(&near)) }
}

/// The names of the TOML files in a folder, sorted; none when it cannot be read.
fn experiments_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "toml"))
        .collect();
    names.sort_unstable();
    names
}
