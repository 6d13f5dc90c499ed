//! How a text becomes sequences: whole documents, windows of one length, or a stream.

pub(super) mod documents;
pub(super) mod stream;
pub(super) mod windows;
