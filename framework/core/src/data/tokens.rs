//! Random access to the tokens of a text, without storing them.
//!
//! Where every byte is one token, as in English text, token `i` is byte `i`. Otherwise an index has the position of every
//! 2,048th token, which costs 8 MB per gigabyte of text, and the text is read from there.

use std::{ops::Range, sync::Arc};

use hatchery_plugin::Token;

use super::{
    Vocabulary,
    corpus::{SCATTERED, Text},
    vocabulary::UnknownSymbol,
};
use crate::error::{Error, Result};

/// A stream of tokens: the ranges of a text, one after the other.
#[derive(Debug)]
pub(super) struct TokenStream {
    text: Text,
    /// The ranges; those without a gap between them are merged.
    segments: Vec<Segment>,
    vocabulary: Arc<Vocabulary>,
    length: usize,
    index: Index,
}

/// A range of the text, and its offset among the bytes of all ranges.
#[derive(Debug)]
struct Segment {
    begin: usize,
    range: Range<usize>,
}

/// The way from the index of a token to its place in the text.
#[derive(Debug)]
enum Index {
    /// Every byte is a token; the table has the token of each byte.
    Bytes(Box<[Token; 128]>),
    /// The places of every `SPACING`th token.
    Sparse(Vec<IndexEntry>),
}

/// The place of a token: its character, and the number of tokens of that character before it. A character can have
/// several tokens, because one upper-case character may be several in lower case.
#[derive(Clone, Copy, Debug)]
struct IndexEntry {
    /// Segment and byte offset in the text.
    segment: u32,
    before: u8,
    offset: usize,
}

const SPACING: usize = 2048;

impl TokenStream {
    /// Reads all of the ranges once, to count tokens and to find characters that the vocabulary lacks.
    pub(super) fn new(text: &Text, ranges: Vec<Range<usize>>, vocabulary: &Arc<Vocabulary>) -> Result<Self> {
        let mut segments: Vec<Segment> = Vec::new();
        let mut bytes = 0;
        for range in ranges {
            let size = range.len();
            match segments.last_mut() {
                Some(last) if last.range.end == range.start => last.range.end = range.end,
                _ => segments.push(Segment { begin: bytes, range }),
            }
            bytes += size;
        }
        let mut tokens = Self {
            text: text.clone(),
            segments,
            vocabulary: Arc::clone(vocabulary),
            length: 0,
            index: Index::Sparse(Vec::new()),
        };
        let table = vocabulary.ascii();
        if tokens.is_bytes(&table) {
            tokens.length = bytes;
            tokens.index = Index::Bytes(Box::new(table));
        } else {
            tokens.mark()?;
        }
        Ok(tokens)
    }

    /// The number of tokens.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The input that stands for a vector of zeros.
    pub(super) fn none(&self) -> Token {
        self.vocabulary.none()
    }

    /// Fills `out` with the tokens from index `from` on. Beyond the last token, `out` is unchanged.
    pub(super) fn read(&self, from: usize, out: &mut [Token]) {
        let wanted = out.len().min(self.length.saturating_sub(from));
        match &self.index {
            Index::Bytes(table) => self.read_bytes(table, from, &mut out[..wanted]),
            Index::Sparse(_) if wanted == 0 => {}
            Index::Sparse(marks) => self.read_marked(marks[from / SPACING], from, &mut out[..wanted]),
        }
        self.text.touched(wanted.max(SCATTERED));
    }

    /// All tokens.
    pub(super) fn all(&self) -> Vec<Token> {
        let mut tokens = vec![0; self.len()];
        self.read(0, &mut tokens);
        tokens
    }

    fn read_bytes(&self, table: &[Token; 128], from: usize, out: &mut [Token]) {
        let bytes = self.text.as_str().as_bytes();
        let mut number = self.segments.partition_point(|segment| segment.begin <= from).saturating_sub(1);
        let mut done = 0;
        while done < out.len() && number < self.segments.len() {
            let segment = &self.segments[number];
            let start = segment.range.start + (from + done - segment.begin);
            let end = segment.range.end.min(start + out.len() - done);
            for byte in &bytes[start..end] {
                // All bytes were ASCII when the stream was opened; a file that was changed since may have any.
                out[done] = table[usize::from(*byte & 127)];
                done += 1;
            }
            number += 1;
        }
    }

    fn read_marked(&self, mark: IndexEntry, from: usize, out: &mut [Token]) {
        let text = self.text.as_str();
        let mut skip = from % SPACING + usize::from(mark.before);
        let mut done = 0;
        for (number, segment) in self.segments.iter().enumerate().skip(mark.segment as usize) {
            let start = if number == mark.segment as usize { mark.offset } else { segment.range.start };
            for symbol in text[start..segment.range.end].chars() {
                if done == out.len() {
                    return;
                }
                // Characters without a token were refused when the stream was opened.
                let _ = self.vocabulary.read(symbol, &mut |token| {
                    if skip > 0 {
                        skip -= 1;
                    } else if let Some(place) = out.get_mut(done) {
                        *place = token;
                        done += 1;
                    }
                });
            }
        }
    }

    fn is_bytes(&self, table: &[Token; 128]) -> bool {
        self.segments.iter().all(|segment| {
            self.text.chunks(segment.range.clone()).all(|(_, chunk)| {
                chunk.bytes().all(|byte| table.get(usize::from(byte)).is_some_and(|token| *token != Token::MAX))
            })
        })
    }

    /// Counts the tokens and adds every `SPACING`th to the index.
    fn mark(&mut self) -> Result<()> {
        let mut marks = Vec::new();
        let mut length = 0;
        for (number, segment) in self.segments.iter().enumerate() {
            let number = u32::try_from(number)
                .map_err(|cause| Error::internal("a text of more than 4,294,967,295 documents", cause))?;
            for (base, chunk) in self.text.chunks(segment.range.clone()) {
                let (mut character, mut before) = (usize::MAX, 0);
                let found = self.vocabulary.visit(chunk, &mut |offset, _| {
                    before = if offset == character { before + 1 } else { 0 };
                    character = offset;
                    if length % SPACING == 0 {
                        marks.push(IndexEntry { segment: number, before, offset: base + offset });
                    }
                    length += 1;
                });
                found.map_err(|unknown| refuse(&self.text, &self.vocabulary, base, unknown))?;
            }
        }
        self.length = length;
        self.index = Index::Sparse(marks);
        Ok(())
    }
}

/// The error of a character that the vocabulary lacks, in a part of a text that begins at byte `base`.
pub(super) fn refuse(text: &Text, vocabulary: &Vocabulary, base: usize, unknown: UnknownSymbol) -> Error {
    let offset = base + unknown.offset;
    let place = format!("which is in `{}` at offset {offset}, line {}", text.name(), text.line(offset));
    vocabulary.refuse(unknown.symbol, &place).into()
}
