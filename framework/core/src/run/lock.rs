//! One program at a time in the folder of a run.
//!
//! The operating system holds the lock and gives it up when the program ends, however it ends: the file `lock` that a
//! dead program leaves behind has no effect.

use std::{
    fs::{File, TryLockError},
    io::{ErrorKind, Read, Seek, Write},
};

use super::{directory::RunDirectory, failure};
use crate::{
    error::{Problem, Result},
    files,
};

/// The right to write into the folder of a run, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl RunDirectory {
    /// Takes the folder for this program alone.
    ///
    /// # Errors
    /// When another program has it, and when the lock's file cannot be written.
    pub fn lock(&self) -> Result<Lock> {
        let path = self.path().join(FILE);
        let file = files::open_own(&path, File::options().read(true).write(true).create(true).truncate(false));
        let mut file = file.map_err(|error| failure("write", &path, error))?;
        match files::lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(held(self, holder.trim()).into());
            }
            // Where the file system knows no locks, the user has to see to it.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(failure("lock", &path, error)),
        }
        // For the message above only: no number of a process decides anything. A file that has another name too may be
        // something else under that one.
        if has_one_name(&file) {
            let _ =
                file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        }
        Ok(Lock { _file: file })
    }

    /// Whether a program is at work in the folder.
    pub fn is_locked(&self) -> bool {
        let file = files::open_own(&self.path().join(FILE), File::options().read(true));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

/// Name of the lock's file.
pub(super) const FILE: &str = "lock";

#[cfg(unix)]
fn has_one_name(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|file| file.nlink() == 1)
}

#[cfg(not(unix))]
fn has_one_name(_file: &File) -> bool {
    true
}

fn held(run: &RunDirectory, holder: &str) -> Problem {
    let holder = if holder.is_empty() { String::new() } else { format!(" (process {holder})") };
    Problem::new(format!("another program is training `{}`{holder}", run.path().display()))
        .hint("wait until it ends, or stop it: it then writes a checkpoint")
}
