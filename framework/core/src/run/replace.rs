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
use crate::error::Result;

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
    over(path, write).map_err(|error| failure("write", path, error))
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
        Ok(there) if there.is_file() => over(&fs::canonicalize(path)?, write),
        Ok(there) if !there.is_dir() => write(&mut File::options().write(true).open(path)?),
        // A folder, and anything else that is wrong with the name, is refused where the new name is given.
        _ => over(path, write),
    }
}

fn over(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".partial");
    // Temporary files are private by default; this one becomes an ordinary file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // From here on every way out but the last removes it: that is what dropping it does.
    let mut temporary = builder.tempfile_in(folder)?;
    write(temporary.as_file_mut())?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|refused| refused.error)?;
    settle(folder)
}

/// Brings the new name to the disk. Some file systems know no such thing for folders: there it is left to them.
fn settle(folder: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match File::open(folder)?.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}
