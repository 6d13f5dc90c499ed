//! Getting a corpus from its pinned address, so that afterwards it is whole and right, or not there.
//!
//! The bytes go to a `.part` file, which a later call continues where this one was cut off. Only when size and hash are
//! those of the catalogue does it get its name, by a rename, after it was flushed to the disk.

use std::{
    fs::{self, File, TryLockError},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use sha2::{Digest, Sha256};
use ureq::{Body, http::Response};

use super::catalogue::Entry;
use crate::{
    error::{Error, Problem, Result},
    files, hash,
};

/// How long a server may stay silent.
const SILENCE: Duration = Duration::from_secs(30);

const BUFFER: usize = 1 << 16;

/// Fetches a file of the catalogue into `folder`, from its own address unless another is given, and returns its path.
/// What is there already and right is not fetched again. `progress` hears of bytes done and bytes in all.
///
/// # Errors
/// A problem when the address has no such file or another one, or when the folder cannot be written to; an internal
/// error when the network or the disk fails. After a cut connection the next call continues.
pub fn fetch(
    entry: &Entry,
    address_override: Option<&str>,
    folder: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<PathBuf> {
    let target = folder.join(entry.file);
    if target.is_file() && hash_of(&target)? == entry.sha256 {
        progress(entry.bytes, entry.bytes);
        return Ok(target);
    }
    let mut part = Part::open(entry, folder)?;
    progress(part.done, entry.bytes);
    if part.done < entry.bytes {
        download(&mut part, address_override.unwrap_or(entry.address), progress)?;
    }
    part.finish(&target)?;
    Ok(target)
}

/// The file that is being written.
struct Part<'a> {
    entry: &'a Entry,
    path: PathBuf,
    file: File,
    done: u64,
    hasher: Sha256,
}

impl<'a> Part<'a> {
    fn open(entry: &'a Entry, folder: &Path) -> Result<Self> {
        let path = folder.join(format!("{}.part", entry.file));
        fs::create_dir_all(folder).map_err(|cause| unwritable(folder, cause))?;
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|cause| unwritable(folder, cause))?;
        match files::lock(&file) {
            Err(TryLockError::WouldBlock) => {
                return Err(Problem::new(format!("`{}` is being fetched by another program", entry.name))
                    .hint("wait until it is done")
                    .into());
            }
            // A file system without locks is used without.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        let mut part = Self { entry, path, file, done: 0, hasher: Sha256::new() };
        part.resume().map_err(|cause| disk(&part.path, cause))?;
        Ok(part)
    }

    /// Reads what an earlier call left, or drops it if it cannot be the beginning of the file.
    fn resume(&mut self) -> std::io::Result<()> {
        if self.file.metadata()?.len() > self.entry.bytes {
            return self.start_over();
        }
        self.done = feed(&mut self.file, &mut self.hasher)?;
        if self.done == self.entry.bytes && hash::finish(self.hasher.clone()) != self.entry.sha256 {
            self.start_over()?;
        }
        Ok(())
    }

    fn start_over(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.done = 0;
        self.hasher = Sha256::new();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|cause| disk(&self.path, cause))?;
        self.hasher.update(bytes);
        self.done += bytes.len() as u64;
        Ok(())
    }

    /// Checks the hash and gives the file its name.
    fn finish(self, target: &Path) -> Result<()> {
        let found = hash::finish(self.hasher);
        if found != self.entry.sha256 {
            drop(self.file);
            fs::remove_file(&self.path).map_err(|cause| disk(&self.path, cause))?;
            return Err(Problem::new(format!("what was fetched as `{}` is another file", self.entry.name))
                .note(format!("expected SHA-256: {}", self.entry.sha256))
                .note(format!("found SHA-256:    {found}"))
                .hint("something between here and the server changes files; what was fetched is deleted")
                .into());
        }
        self.file.sync_all().map_err(|cause| disk(&self.path, cause))?;
        fs::rename(&self.path, target).map_err(|cause| disk(target, cause))?;
        // So that the rename itself outlives a power cut; not every system can flush a folder.
        if let Some(folder) = target.parent().and_then(|folder| File::open(folder).ok()) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

fn download(part: &mut Part<'_>, address: &str, progress: &mut dyn FnMut(u64, u64)) -> Result<()> {
    let (name, all) = (part.entry.name, part.entry.bytes);
    let response = request(part, address)?;
    let mut body = response.into_body();
    let mut reader = body.as_reader();
    let mut buffer = vec![0; BUFFER];
    while part.done < all {
        let count = match reader.read(&mut buffer) {
            Ok(0) => {
                return Err(Error::internal(
                    format!("the connection ended after {} of {all} bytes of `{name}`; {RESUMES}", part.done),
                    std::io::Error::from(ErrorKind::UnexpectedEof),
                ));
            }
            Ok(count) => count,
            Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
            Err(cause) => {
                let done = part.done;
                return Err(Error::internal(
                    format!("the connection failed after {done} of {all} bytes of `{name}`; {RESUMES}"),
                    cause,
                ));
            }
        };
        let wanted = usize::try_from(all - part.done).unwrap_or(usize::MAX).min(count);
        part.write(&buffer[..wanted])?;
        progress(part.done, all);
        if wanted < count {
            return Err(other_size(part, &format!("more than {all}")));
        }
    }
    Ok(())
}

const RESUMES: &str = "the next call continues from there";

/// Asks for the rest of the file; a server that sends all of it is taken at its word, and so is what it says of its size.
fn request(part: &mut Part<'_>, address: &str) -> Result<Response<Body>> {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("hatchery/", env!("CARGO_PKG_VERSION")))
        // A compressed answer could not be resumed by bytes.
        .accept_encoding("identity")
        .timeout_resolve(Some(SILENCE))
        .timeout_connect(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .build()
        .new_agent();
    let mut request = agent.get(address);
    if part.done > 0 {
        request = request.header("Range", format!("bytes={}-", part.done));
    }
    let response = request.call().map_err(|cause| match cause {
        ureq::Error::BadUri(reason) => {
            Problem::new(format!("`{address}` is not an address: {reason}")).hint("it begins with https://").into()
        }
        cause => Error::internal(format!("cannot reach {address}; what was fetched so far is kept"), cause),
    })?;
    let length = response.body().content_length();
    match response.status().as_u16() {
        206 if continues(&response, part) => Ok(response),
        // The server does not know ranges.
        200 => {
            part.start_over().map_err(|cause| disk(&part.path, cause))?;
            match length {
                Some(length) if length != part.entry.bytes => Err(other_size(part, &length.to_string())),
                _ => Ok(response),
            }
        }
        206 | 416 if part.done > 0 => {
            drop(response);
            part.start_over().map_err(|cause| disk(&part.path, cause))?;
            self::request(part, address)
        }
        404 | 410 => Err(Problem::new(format!("there is no file at {address}"))
            .hint("if it has moved, fetch it by hand and put it into the folder that $HATCHERY_DATA names")
            .into()),
        status @ 400..=499 => Err(Problem::new(format!("the server refuses {address}: status {status}"))
            .hint("a proxy or a limit on requests may be in the way; try again later")
            .into()),
        status => Err(Error::Internal {
            message: format!("the server of {address} answers with status {status}; try again later"),
            cause: None,
        }),
    }
}

/// Whether a partial answer is the part that was asked for: `Content-Range: bytes 100-299/300`.
fn continues(response: &Response<Body>, part: &Part<'_>) -> bool {
    let range = response.headers().get("content-range").and_then(|value| value.to_str().ok()).unwrap_or_default();
    range.strip_prefix(&format!("bytes {}-", part.done)).is_some_and(|rest| {
        let total = rest.split_once('/').map_or("*", |(_, total)| total);
        total == "*" || total == part.entry.bytes.to_string()
    })
}

fn other_size(part: &Part<'_>, found: &str) -> Error {
    // A file of the wrong size must not be resumed by the next call. A second fault must not hide the first.
    let _ = fs::remove_file(&part.path);
    Problem::new(format!("the file at the address of `{}` is another one", part.entry.name))
        .note(format!("expected: {} bytes", part.entry.bytes))
        .note(format!("found: {found} bytes"))
        .into()
}

fn unwritable(folder: &Path, cause: std::io::Error) -> Error {
    match cause.kind() {
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            Problem::new(format!("`{}` is not a folder", folder.display()))
                .hint("give another folder in $HATCHERY_CACHE")
                .into()
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Problem::new(format!("the folder `{}` may not be written to", folder.display()))
                .hint("change its permissions, or give another folder in $HATCHERY_CACHE")
                .into()
        }
        _ => disk(folder, cause),
    }
}

fn disk(path: &Path, cause: std::io::Error) -> Error {
    let message = match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("the disk is full at `{}`; {RESUMES} once there is room", path.display())
        }
        _ => format!("cannot write `{}`", path.display()),
    };
    Error::internal(message, cause)
}

fn hash_of(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    File::open(path)
        .and_then(|mut file| feed(&mut file, &mut hasher))
        .map_err(|cause| Error::internal(format!("cannot read `{}`", path.display()), cause))?;
    Ok(hash::finish(hasher))
}

/// Feeds all of a file to the hash; returns how many bytes that were.
fn feed(file: &mut File, hasher: &mut Sha256) -> std::io::Result<u64> {
    let mut buffer = vec![0; BUFFER];
    let mut all = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(all),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                all += count as u64;
            }
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
}
