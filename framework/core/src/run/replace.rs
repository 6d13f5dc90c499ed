//! Files that are replaced whole or not at all.
//!
//! A run may be stopped at any moment: by its user, by a full disk, by the machine. So a file is written beside the one
//! that it replaces, brought to the disk, and only then renamed over it. Who reads it finds the old file or the new one.
//!
//! A file of a run's own is a plain file in the run's folder: whatever has its name is replaced, a link as such, so that
//! nothing is written where a link leads to. What the user names ([`output`]) is taken as it is: a link stays a link, and
//! the file that it leads to is replaced; into a pipe or a device the text is written as into any other, for a file named
//! `/dev/null` would, for who may do so, take it away from everybody.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use super::failure;
use crate::{error::Result, files};

/// Replaces the text of a file of a run's own.
///
/// # Errors
/// When it cannot be written; the file is then what it was.
pub fn text(path: &Path, text: &str) -> Result<()> {
    file(path, |file| file.write_all(text.as_bytes()))
}

/// Replaces the text of a file that the user named.
///
/// # Errors
/// Those of [`text()`].
pub fn output(path: &Path, text: &str) -> Result<()> {
    output_file(path, |file| file.write_all(text.as_bytes()))
}

/// Replaces the bytes of a file that the user named.
///
/// # Errors
/// Those of [`text()`].
pub fn output_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    output_file(path, |file| file.write_all(bytes))
}

/// Replaces a file of a run's own by what `write` writes.
///
/// # Errors
/// When it cannot be written; the file is then what it was.
pub(crate) fn file(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    files::replace(path, write).map_err(|error| failure("write", path, error))
}

/// Replaces a file that the user named by what `write` writes.
///
/// # Errors
/// Those of [`file`].
pub(crate) fn output_file(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    follow(path, write).map_err(|error| failure("write", path, error))
}

fn follow(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(there) if there.is_file() => files::replace(&fs::canonicalize(path)?, write),
        Ok(there) if !there.is_dir() => write(&mut File::options().write(true).open(path)?),
        // A folder, and anything else that is wrong with the name, is refused where the new name is given.
        _ => files::replace(path, write),
    }
}
