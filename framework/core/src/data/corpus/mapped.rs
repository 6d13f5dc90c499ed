//! A file that is a string without being in memory: all unsafe code of the texts, in one place.

use std::{
    fs::File,
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

use memmap2::{Advice, Mmap};

/// A mapped file whose bytes were found to be UTF-8.
pub(super) struct MappedText {
    bytes: Mmap,
    /// Bytes read since the pages were last given back.
    resident: AtomicUsize,
}

/// The mapped bytes and the offset of the first that is not UTF-8.
pub(super) type InvalidText = (Mmap, usize);

/// Bytes checked in one go.
const CHUNK: usize = 1 << 22;

/// Bytes read, before pages are given back.
const RESIDENT: usize = 32 << 20;

impl MappedText {
    /// Maps a file and checks once that it is UTF-8.
    pub(super) fn new(file: &File) -> io::Result<Result<Self, InvalidText>> {
        // SAFETY: the mapping is read-only and lives as long as the bytes lent from it. That no program changes or cuts
        // the file meanwhile cannot be enforced; `Text::map` documents it, as every program that maps files must.
        let bytes = unsafe { Mmap::map(file)? };
        let mapped = Self { bytes, resident: AtomicUsize::new(0) };
        mapped.advise(Advice::Sequential);
        let fault = mapped.find_fault();
        mapped.release();
        mapped.advise(Advice::Normal);
        Ok(match fault {
            Some(at) => Err((mapped.bytes, at)),
            None => Ok(mapped),
        })
    }

    /// All of it.
    pub(super) fn as_str(&self) -> &str {
        // SAFETY: `new` found every byte to be part of valid UTF-8.
        unsafe { std::str::from_utf8_unchecked(&self.bytes) }
    }

    /// Counts bytes as read; gives the pages back once they are many.
    pub(super) fn touched(&self, bytes: usize) {
        if self.resident.fetch_add(bytes, Ordering::Relaxed) + bytes >= RESIDENT {
            self.resident.store(0, Ordering::Relaxed);
            self.release();
        }
    }

    /// The offset of the first byte that is not UTF-8. A character cut by the end of a chunk is left to the next.
    fn find_fault(&self) -> Option<usize> {
        let mut at = 0;
        while at < self.bytes.len() {
            let end = self.bytes.len().min(at + CHUNK);
            let taken = match std::str::from_utf8(&self.bytes[at..end]) {
                Ok(chunk) => chunk.len(),
                Err(error) if error.error_len().is_none() && end < self.bytes.len() => error.valid_up_to(),
                Err(error) => return Some(at + error.valid_up_to()),
            };
            at += taken;
            self.touched(taken);
        }
        None
    }

    /// Advice that the system does not take costs speed or memory, never the run.
    fn advise(&self, advice: Advice) {
        let _ = self.bytes.advise(advice);
    }

    #[cfg(unix)]
    fn release(&self) {
        // SAFETY: the mapping is a shared, read-only one of a file, so that pages given back are read again from the
        // file when they are next touched; nothing can be lost.
        let _ = unsafe { self.bytes.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
    }

    #[cfg(not(unix))]
    fn release(&self) {}
}
