//! Truncated library files. The system's loader maps one (of a copy that is still going on, say) without an error, and the
//! program dies at the first byte that is missing.

use std::{
    fs::File,
    io::{Read, Result, Seek, SeekFrom},
    path::Path,
};

/// Type of a segment that is loaded, in the program headers of the ELF format.
const LOAD: u32 = 1;

/// Whether the file's headers name segments beyond its end. Checked for 64-bit ELF files in little-endian order; others,
/// and what cannot be read, are left to the loader.
pub(super) fn is_truncated(path: &Path) -> bool {
    segments(path).is_ok_and(|(length, ends)| ends.into_iter().any(|end| end > length))
}

/// The length of a file, and the ends of its segments that are loaded.
fn segments(path: &Path) -> Result<(u64, Vec<u64>)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut head = [0; 64];
    file.read_exact(&mut head)?;
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return Ok((length, Vec::new()));
    }
    let (start, size, count) = (wide(&head, 32), short(&head, 54), short(&head, 56));
    file.seek(SeekFrom::Start(start))?;
    let mut table = vec![0; usize::from(size) * usize::from(count)];
    if file.read_exact(&mut table).is_err() {
        return Ok((length, vec![u64::MAX]));
    }
    let entries = table.chunks_exact(usize::from(size).max(56));
    let loaded = entries.filter(|entry| entry[..4] == LOAD.to_le_bytes());
    Ok((length, loaded.map(|entry| wide(entry, 8).saturating_add(wide(entry, 32))).collect()))
}

fn wide(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn short(bytes: &[u8], at: usize) -> u16 {
    bytes[at..].first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes))
}
