//! A library file and its C entry points: the only place in the framework that calls foreign code.
//!
//! A library runs with all rights of the program: what is loaded is a [`TrustedLibrary`], and a copy of the bytes that were
//! hashed, which no other program can change. The other checks here are against mistakes, not malice: a file that is not a
//! plugin, one of another version, a panic, an answer of garbage. A library is never unloaded, because its threads and its
//! static data may be in use.

use std::{
    collections::BTreeMap,
    error::Error,
    ffi::c_void,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use hatchery_plugin::{
    PluginError, Token,
    entry::Bytes,
    wire::{self, ERROR, OK, PANICKED},
};
use libloading::Library as Loaded;

use super::{truncated::is_truncated, trust::TrustedLibrary};

type ManifestFn = unsafe extern "C" fn(*mut Bytes) -> i32;
type OpenFn = unsafe extern "C" fn(*const u8, usize, *mut u64, *mut Bytes) -> i32;
type CloseFn = unsafe extern "C" fn(u64);
type DeclareFn = unsafe extern "C" fn(u64, *const u8, usize, *mut Bytes) -> i32;
type CaptureFn = unsafe extern "C" fn(u64, *const u8, usize, *mut Bytes) -> i32;
type ProcessFn = unsafe extern "C" fn(u64, *mut f64, usize, *const u32, usize, *mut Bytes) -> i32;
type DocumentsFn = unsafe extern "C" fn(u64, *const u8, usize, *const u8, usize, *mut Bytes) -> i32;
type FreeFn = unsafe extern "C" fn(Bytes);

/// Bytes of the longest answer: documents of a large text are ranges of it.
const LONGEST: usize = 1 << 32;

/// A loaded library.
pub(super) struct Library {
    manifest: ManifestFn,
    free: FreeFn,
    open: Option<OpenFn>,
    close: Option<CloseFn>,
    declare: Option<DeclareFn>,
    capture: Option<CaptureFn>,
    process: Option<ProcessFn>,
    documents: Option<DocumentsFn>,
}

/// Why a file is not a plugin library.
#[derive(Clone, Debug)]
pub(super) enum NotAPlugin {
    /// The system cannot load it.
    NoLibrary(String),
    /// It lacks this entry point.
    Lacks(&'static str),
}

impl Library {
    /// Loads a library for the rest of the program's life; the same bytes are loaded once.
    pub(super) fn load(library: &TrustedLibrary) -> std::result::Result<&'static Self, NotAPlugin> {
        static LOADED: Mutex<BTreeMap<String, std::result::Result<&'static Library, NotAPlugin>>> =
            Mutex::new(BTreeMap::new());
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let file = library.file();
        loaded.entry(file.sha256().to_owned()).or_insert_with(|| Self::load_bytes(file.path(), file.bytes())).clone()
    }

    fn load_bytes(path: &Path, bytes: &[u8]) -> std::result::Result<&'static Self, NotAPlugin> {
        if is_truncated(bytes) {
            return Err(NotAPlugin::NoLibrary(
                "the file is truncated: its headers name parts beyond its end".to_owned(),
            ));
        }
        let copy = PrivateCopy::of(bytes).map_err(|error| {
            NotAPlugin::NoLibrary(format!("{error}, when the library was copied to a place of the program's own"))
        })?;
        // SAFETY: loading runs the library's initializers; the user trusts its code.
        let loaded = unsafe { Loaded::new(&copy.path) }.map_err(|error| {
            // What the system says is the cause of an error that only says what was called.
            let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            NotAPlugin::NoLibrary(reason.replace(&*copy.path.to_string_lossy(), &path.to_string_lossy()))
        })?;
        copy.keep();
        let loaded: &'static Loaded = Box::leak(Box::new(loaded));
        // SAFETY: the types are those of the header, which these names belong to.
        let library = unsafe {
            Self {
                manifest: symbol(loaded, "hatchery_plugin_manifest")
                    .ok_or(NotAPlugin::Lacks("hatchery_plugin_manifest"))?,
                free: symbol(loaded, "hatchery_plugin_free").ok_or(NotAPlugin::Lacks("hatchery_plugin_free"))?,
                open: symbol(loaded, "hatchery_plugin_open"),
                close: symbol(loaded, "hatchery_plugin_close"),
                declare: symbol(loaded, "hatchery_plugin_declare"),
                capture: symbol(loaded, "hatchery_plugin_capture"),
                process: symbol(loaded, "hatchery_plugin_process"),
                documents: symbol(loaded, "hatchery_plugin_documents"),
            }
        };
        Ok(Box::leak(Box::new(library)))
    }

    /// The library's manifest.
    pub(super) fn manifest(&self) -> Result<Vec<u8>, PluginError> {
        // SAFETY: `out` is valid during the call.
        self.answer(|out| unsafe { (self.manifest)(out) })
    }

    /// Opens a plugin. Returns its number and its properties.
    pub(super) fn open(&self, request: &[u8]) -> Result<(u64, Vec<u8>), PluginError> {
        let open = present(self.open, "open")?;
        let mut number = 0;
        let number_at = &raw mut number;
        // SAFETY: `request`, `number` and `out` are valid during the call.
        let answer = self.answer(|out| unsafe { open(request.as_ptr(), request.len(), number_at, out) })?;
        Ok((number, answer))
    }

    /// Closes a plugin.
    pub(super) fn close(&self, number: u64) {
        if let Some(close) = self.close {
            // SAFETY: the number came from `open`, and nothing uses it after this.
            unsafe { close(number) };
        }
    }

    /// What a cell declares.
    pub(super) fn declare(&self, number: u64, request: &[u8]) -> Result<Vec<u8>, PluginError> {
        let declare = present(self.declare, "declare")?;
        // SAFETY: `request` and `out` are valid during the call.
        self.answer(|out| unsafe { declare(number, request.as_ptr(), request.len(), out) })
    }

    /// The graph of a cell's step or of a clipper.
    pub(super) fn capture(&self, number: u64, request: &[u8]) -> Result<Vec<u8>, PluginError> {
        let capture = present(self.capture, "capture")?;
        // What an author prints in `step` is for reading, and standard output belongs to the command.
        let _elsewhere = StandardOutput::redirected();
        // SAFETY: `request` and `out` are valid during the call.
        self.answer(|out| unsafe { capture(number, request.as_ptr(), request.len(), out) })
    }

    /// Lets a sampler process logits.
    pub(super) fn process(&self, number: u64, logits: &mut [f64], history: &[Token]) -> Result<(), PluginError> {
        let process = present(self.process, "process")?;
        let (vocabulary, tokens) = (logits.len(), history.len());
        // SAFETY: both slices and `out` are valid during the call, and nothing else reads the logits meanwhile.
        let call = |out| unsafe { process(number, logits.as_mut_ptr(), vocabulary, history.as_ptr(), tokens, out) };
        self.answer(call).map(drop)
    }

    /// The documents of a text.
    pub(super) fn documents(&self, number: u64, name: &str, text: &str) -> Result<Vec<u8>, PluginError> {
        let documents = present(self.documents, "documents")?;
        // SAFETY: both texts and `out` are valid during the call.
        let call = |out| unsafe { documents(number, name.as_ptr(), name.len(), text.as_ptr(), text.len(), out) };
        self.answer(call)
    }

    /// An entry point that a plugin of this kind needs and the library lacks.
    pub(super) fn lacks(&self, kind: hatchery_plugin::Kind) -> Option<&'static str> {
        use hatchery_plugin::Kind;
        let needed: &[(&'static str, bool)] = match kind {
            Kind::Cell => &[
                ("hatchery_plugin_declare", self.declare.is_some()),
                ("hatchery_plugin_capture", self.capture.is_some()),
            ],
            Kind::Clipper => &[("hatchery_plugin_capture", self.capture.is_some())],
            Kind::Sampler => &[("hatchery_plugin_process", self.process.is_some())],
            Kind::Dataset => &[("hatchery_plugin_documents", self.documents.is_some())],
        };
        let common = [("hatchery_plugin_open", self.open.is_some()), ("hatchery_plugin_close", self.close.is_some())];
        common.iter().chain(needed).find(|(_, there)| !there).map(|(name, _)| *name)
    }

    /// Makes a call and copies its answer.
    fn answer(&self, body: impl FnOnce(*mut Bytes) -> i32) -> Result<Vec<u8>, PluginError> {
        let mut out = Bytes { data: std::ptr::null_mut(), length: 0 };
        let status = body(&raw mut out);
        if out.length > LONGEST || (out.data.is_null() && out.length > 0) {
            return Err(PluginError::new(format!("its answer of {} bytes is too long or nowhere", out.length)));
        }
        let bytes = if out.length == 0 {
            Vec::new()
        } else {
            // SAFETY: the header demands that `data` points to `length` bytes until they are freed.
            unsafe { std::slice::from_raw_parts(out.data, out.length) }.to_vec()
        };
        if !out.data.is_null() {
            // SAFETY: they came from this library and were copied.
            unsafe { (self.free)(out) };
        }
        match status {
            OK => Ok(bytes),
            ERROR | PANICKED => match wire::read::<PluginError>(&bytes) {
                Ok(error) => Err(error),
                Err(_) => Err(PluginError::new("it gave no reason that can be read")),
            },
            other => Err(PluginError::new(format!("it ended with the unknown status {other}"))),
        }
    }
}

/// Standard output, while it goes where errors go.
struct StandardOutput {
    #[cfg(unix)]
    kept: libc::c_int,
}

impl StandardOutput {
    #[cfg(unix)]
    fn redirected() -> Option<Self> {
        // SAFETY: descriptors are numbers; one that is not open is an error and changes nothing.
        unsafe {
            let kept = libc::dup(libc::STDOUT_FILENO);
            if kept < 0 || libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO) < 0 {
                return None;
            }
            Some(Self { kept })
        }
    }

    #[cfg(not(unix))]
    fn redirected() -> Option<Self> {
        None
    }
}

impl Drop for StandardOutput {
    fn drop(&mut self) {
        #[cfg(unix)]
        // SAFETY: `kept` is open and belongs to this value alone.
        unsafe {
            libc::dup2(self.kept, libc::STDOUT_FILENO);
            libc::close(self.kept);
        }
    }
}

/// A copy of a library that only this program can change, to be loaded by its path.
struct PrivateCopy {
    path: PathBuf,
    place: Place,
}

/// Where a copy lies.
enum Place {
    /// In memory, as a file without a name.
    #[cfg(target_os = "linux")]
    Memory(fs::File),
    /// In a folder that is removed when this is dropped.
    Folder { _folder: tempfile::TempDir },
}

impl PrivateCopy {
    fn of(bytes: &[u8]) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(copy) = Self::in_memory(bytes) {
            return Ok(copy);
        }
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("plugin").with_extension(std::env::consts::DLL_EXTENSION);
        fs::write(&path, bytes)?;
        Ok(Self { path, place: Place::Folder { _folder: folder } })
    }

    /// A copy in memory; none where the system has no such files or does not let them be run.
    #[cfg(target_os = "linux")]
    fn in_memory(bytes: &[u8]) -> Option<Self> {
        use std::os::fd::{AsRawFd, FromRawFd};
        // SAFETY: the name is a C string; the descriptor, if it is one, is new and belongs to no one else.
        let mut file = unsafe {
            let descriptor = libc::memfd_create(c"hatchery-plugin".as_ptr(), libc::MFD_CLOEXEC);
            if descriptor < 0 {
                return None;
            }
            fs::File::from_raw_fd(descriptor)
        };
        file.write_all(bytes).ok()?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        path.exists().then_some(Self { path, place: Place::Memory(file) })
    }

    /// Keeps what the loader knows the library by: of a second one of the same path it would give the first.
    fn keep(self) {
        match self.place {
            #[cfg(target_os = "linux")]
            Place::Memory(file) => std::mem::forget(file),
            Place::Folder { .. } => {}
        }
    }
}

fn present<F>(function: Option<F>, name: &str) -> Result<F, PluginError> {
    function.ok_or_else(|| PluginError::new(format!("the library has no `hatchery_plugin_{name}`")))
}

/// # Safety
/// `F` is the type of the function of that name.
unsafe fn symbol<F: Copy>(library: &'static Loaded, name: &str) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*const c_void>(), "F is a pointer to a function") };
    // SAFETY: the caller says so.
    unsafe { library.get::<F>(name.as_bytes()) }.ok().map(|symbol| *symbol)
}
