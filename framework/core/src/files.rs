//! Files that may be anything.
//!
//! A run, a checkpoint or a text may come from a stranger. So what is read has to be a plain file: opening a pipe waits for
//! ever, and a device never ends. And what is written in the folder of a run is never written through a link, which may
//! lead to any file of the user.

use std::{
    fmt,
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read},
    path::Path,
    thread,
    time::Duration,
};

/// The reason why a file is left alone although the system would open it.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A pipe, a device or a socket.
    NotPlain(&'static str),
    /// A link, where a file of the run's own should be.
    Link,
    /// A file with more bytes than anything that belongs there.
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// The most that are read.
        most: u64,
    },
}

impl Refusal {
    /// The refusal that an error stands for, if it is one.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// What the user can do.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::NotPlain(_) => "name a plain file; what comes through a pipe can be kept in one",
            Self::Link => "remove the link: a run's files are plain files in its folder",
            Self::TooLarge { .. } => "check the path: nothing that large is written there",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPlain(what) => write!(f, "it is a {what}, not a file"),
            Self::Link => f.write_str("it is a link, which may lead anywhere"),
            Self::TooLarge { bytes, most } => write!(f, "it has {bytes} bytes, and at most {most} are read"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(ErrorKind::InvalidInput, refusal)
    }
}

/// Opens a plain file for reading, without ever waiting for a writer.
///
/// # Errors
/// When it cannot be opened, and a [`Refusal`] when it is no plain file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // A device may do something when it is opened: it is looked at before, and what was opened is looked at again.
    plain(&fs::metadata(path)?)?;
    let file = without_waiting(OpenOptions::new().read(true), Links::Follow).open(path)?;
    plain(&file.metadata()?)?;
    Ok(file)
}

/// The bytes of a plain file.
///
/// # Errors
/// Those of [`open`], when it cannot be read, and a [`Refusal`] when it has more than `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let bytes = at_most(&file, most)?;
    let mut content = Vec::new();
    content.try_reserve_exact(bytes as usize).map_err(|error| io::Error::new(ErrorKind::OutOfMemory, error))?;
    // It may have grown since, and some file systems do not say how much there is.
    file.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(Refusal::TooLarge { bytes: content.len() as u64, most }.into());
    }
    Ok(content)
}

/// The bytes of an open file, as the system says.
///
/// # Errors
/// A [`Refusal`] when it has more than `most`.
pub(crate) fn at_most(file: &File, most: u64) -> io::Result<u64> {
    let bytes = file.metadata()?.len();
    if bytes > most { Err(Refusal::TooLarge { bytes, most }.into()) } else { Ok(bytes) }
}

/// The text of a plain file.
///
/// # Errors
/// Those of [`read`], and when it is not UTF-8.
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

/// Opens a file of a run's own for writing, as `options` say: a plain file in the run's folder, and no link to another.
///
/// # Errors
/// When it cannot be opened, and a [`Refusal`] when it is a link or no plain file.
pub(crate) fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => return Err(Refusal::Link.into()),
        Ok(there) => plain(&there)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // Between the look and the opening a link may have been put there.
    let file = without_waiting(options, Links::Refuse).open(path)?;
    plain(&file.metadata()?)?;
    Ok(file)
}

/// Replaces a file whole or not at all, and brings it to the disk. A link is replaced as such.
///
/// # Errors
/// When it cannot be written; the file is then what it was.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
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
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// Whether a file belongs to the user who runs this program, as far as the system says.
#[cfg(unix)]
pub(crate) fn belongs_to_user(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    // On Linux the folder of a process belongs to its user; elsewhere there is no such folder.
    let Ok(user) = fs::metadata("/proc/self") else { return true };
    fs::metadata(path).is_ok_and(|file| file.uid() == user.uid())
}

#[cfg(not(unix))]
pub(crate) fn belongs_to_user(_path: &Path) -> bool {
    true
}

#[derive(Clone, Copy, PartialEq)]
enum Links {
    Follow,
    Refuse,
}

/// Options with which opening a pipe returns at once.
#[cfg(unix)]
fn without_waiting(options: &mut OpenOptions, links: Links) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let links = if links == Links::Refuse { libc::O_NOFOLLOW } else { 0 };
    options.custom_flags(libc::O_NONBLOCK | links)
}

#[cfg(not(unix))]
fn without_waiting(options: &mut OpenOptions, _links: Links) -> &mut OpenOptions {
    options
}

/// # Errors
/// A folder is one as the system reports it; anything else that is no plain file is a [`Refusal`].
fn plain(file: &Metadata) -> io::Result<()> {
    if file.is_file() {
        return Ok(());
    }
    if file.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    Err(Refusal::NotPlain(kind(file)).into())
}

#[cfg(unix)]
fn kind(file: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = file.file_type();
    if kind.is_fifo() {
        "pipe"
    } else if kind.is_socket() {
        "socket"
    } else {
        "device"
    }
}

#[cfg(not(unix))]
fn kind(_file: &Metadata) -> &'static str {
    "device"
}

/// How often a lock that is held is tried again, and after how long. A listing of runs holds it for a moment, and so has a
/// program that this one is about to start.
const ATTEMPTS: usize = 30;
const PAUSE: Duration = Duration::from_millis(10);

/// Locks a file for this program alone, with patience for a moment.
pub(crate) fn lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..ATTEMPTS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            other => return other,
        }
    }
    file.try_lock()
}
