//! Truncated library files. The system's loader maps one (of a copy that is still going on, say) without an error, and the
//! program dies at the first byte that is missing.

/// Type of a segment that is loaded, in the program headers of the ELF format.
const LOAD: u32 = 1;

/// Whether the file's headers name segments beyond its end. Checked for 64-bit ELF files in little-endian order; others
/// are left to the loader.
pub(super) fn is_truncated(bytes: &[u8]) -> bool {
    let Some(head) = bytes.first_chunk::<64>().filter(|head| head.starts_with(b"\x7fELF\x02\x01")) else {
        return false;
    };
    let (start, size, count) = (wide(head, 32), short(head, 54), short(head, 56));
    let table = usize::from(size) * usize::from(count);
    let Some(table) = bytes.get(start as usize..).and_then(|rest| rest.get(..table)) else { return true };
    let entries = table.chunks_exact(usize::from(size).max(56));
    let loaded = entries.filter(|entry| entry[..4] == LOAD.to_le_bytes());
    loaded.map(|entry| wide(entry, 8).saturating_add(wide(entry, 32))).any(|end| end > bytes.len() as u64)
}

fn wide(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn short(bytes: &[u8], at: usize) -> u16 {
    bytes[at..].first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes))
}
