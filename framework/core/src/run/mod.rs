//! What a run leaves behind: its folder, its logs and its checkpoint.
//!
//! A run is a folder `runs/<name>/<id>/` ([`directory`]). Numbers and samples are appended to it line by line ([`log`]),
//! everything else is replaced whole ([`replace`]), so that a run that is cut off at any moment can be continued from its
//! [`checkpoint`]. Nothing in it names an absolute path: the folder may be moved.

pub mod checkpoint;
pub mod compare;
pub mod directory;
pub mod environment;
pub mod keep;
pub mod lock;
pub mod log;
pub mod replace;
mod rows;
pub mod seal;

use std::{io, path::Path};

use crate::{
    error::{Error, Problem},
    files::Refusal,
};

/// Bytes of the largest page that a run keeps about itself: its experiment, its environment, where it comes from.
pub(crate) const LARGEST_PAGE: u64 = 1 << 20;

/// The error of a file or folder that cannot be used: the user's fault where the user can fix it.
pub fn failure(doing: &str, path: &Path, error: io::Error) -> Error {
    use io::ErrorKind as Kind;
    if let Some(refusal) = Refusal::of(&error) {
        return Problem::new(format!("cannot {doing} `{}`: {refusal}", path.display())).hint(refusal.hint()).into();
    }
    let (reason, hint) = match error.kind() {
        Kind::NotFound if doing == "read" => ("there is no such file", "check the path"),
        Kind::NotFound => ("its folder does not exist", "create the folder first"),
        Kind::AlreadyExists => ("a file of that name is in the way", "move the file away"),
        Kind::NotADirectory => ("a part of its path is a file, not a folder", "check the path"),
        Kind::IsADirectory => ("it is a folder", "name a file"),
        Kind::PermissionDenied => ("permission denied", "change its permissions, or choose another place"),
        Kind::ReadOnlyFilesystem => ("its file system is read-only", "choose another place"),
        Kind::StorageFull => ("the disk is full", "free some space, then try again"),
        Kind::QuotaExceeded => ("your disk quota is used up", "free some space, then try again"),
        Kind::FileTooLarge => ("it would be larger than your limit for files", "raise the limit: ulimit -f"),
        Kind::InvalidData => ("it is not a text in UTF-8", "check the path"),
        _ => return Error::internal(format!("cannot {doing} `{}`", path.display()), error),
    };
    Problem::new(format!("cannot {doing} `{}`: {reason}", path.display())).hint(hint).into()
}
