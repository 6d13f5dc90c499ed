//! Encodings of text files.

/// Whether a file begins with the byte order mark of UTF-16, as files of Windows programs do.
pub(crate) fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF")
}
