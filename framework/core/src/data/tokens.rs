//! A text addressed by token, without storing a token.
//!
//! Where every byte is one token, as in English text, token `i` is byte `i`. Elsewhere an index remembers where every
//! 2,048th token stands, which costs 8 MB a gigabyte, and the text is read on from there.

use std::{ops::Range, sync::Arc};

use hatchery_plugin::Token;

use super::{
    Vocabulary,
    corpus::{SCATTERED, Text},
    vocabulary::Stranger,
};
use crate::error::{Error, Result};

/// The ranges of a text, one after the other, as tokens.
#[derive(Debug)]
pub(super) struct Tape {
    text: Text,
    /// Ranges that follow each other without a gap are one.
    pieces: Vec<Piece>,
    vocabulary: Arc<Vocabulary>,
    length: usize,
    places: Places,
}

/// A range of the text and where it begins among the bytes of all ranges.
#[derive(Debug)]
struct Piece {
    begin: usize,
    range: Range<usize>,
}

/// How a token is found.
#[derive(Debug)]
enum Places {
    /// Every byte is a token: this one.
    Bytes(Box<[Token; 128]>),
    /// Of every `SPACING`th token.
    Marks(Vec<Mark>),
}

/// Where a token stands: in which character, and after how many other tokens of it. One character in upper case may be
/// several in lower case.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Piece and byte offset in the text.
    piece: u32,
    before: u8,
    offset: usize,
}

const SPACING: usize = 2048;

impl Tape {
    /// Reads all of the ranges once, to count tokens and to find characters that the vocabulary lacks.
    pub(super) fn new(text: &Text, ranges: Vec<Range<usize>>, vocabulary: &Arc<Vocabulary>) -> Result<Self> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut bytes = 0;
        for range in ranges {
            let size = range.len();
            match pieces.last_mut() {
                Some(last) if last.range.end == range.start => last.range.end = range.end,
                _ => pieces.push(Piece { begin: bytes, range }),
            }
            bytes += size;
        }
        let mut tape = Self {
            text: text.clone(),
            pieces,
            vocabulary: Arc::clone(vocabulary),
            length: 0,
            places: Places::Marks(Vec::new()),
        };
        let table = vocabulary.ascii();
        if tape.is_bytes(&table) {
            tape.length = bytes;
            tape.places = Places::Bytes(Box::new(table));
        } else {
            tape.mark()?;
        }
        Ok(tape)
    }

    /// How many tokens there are.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The input that is no symbol.
    pub(super) fn none(&self) -> Token {
        self.vocabulary.none()
    }

    /// Fills `out` with the tokens from number `from` on. Behind the end, `out` keeps what it has.
    pub(super) fn read(&self, from: usize, out: &mut [Token]) {
        let wanted = out.len().min(self.length.saturating_sub(from));
        match &self.places {
            Places::Bytes(table) => self.read_bytes(table, from, &mut out[..wanted]),
            Places::Marks(_) if wanted == 0 => {}
            Places::Marks(marks) => self.read_marked(marks[from / SPACING], from, &mut out[..wanted]),
        }
        self.text.touched(wanted.max(SCATTERED));
    }

    fn read_bytes(&self, table: &[Token; 128], from: usize, out: &mut [Token]) {
        let bytes = self.text.as_str().as_bytes();
        let mut number = self.pieces.partition_point(|piece| piece.begin <= from).saturating_sub(1);
        let mut done = 0;
        while done < out.len() && number < self.pieces.len() {
            let piece = &self.pieces[number];
            let start = piece.range.start + (from + done - piece.begin);
            let end = piece.range.end.min(start + out.len() - done);
            for byte in &bytes[start..end] {
                // All bytes were ASCII when the tape was made; of a file that was changed since, anything may come.
                out[done] = table[usize::from(*byte & 127)];
                done += 1;
            }
            number += 1;
        }
    }

    fn read_marked(&self, mark: Mark, from: usize, out: &mut [Token]) {
        let text = self.text.as_str();
        let mut skip = from % SPACING + usize::from(mark.before);
        let mut done = 0;
        for (number, piece) in self.pieces.iter().enumerate().skip(mark.piece as usize) {
            let start = if number == mark.piece as usize { mark.offset } else { piece.range.start };
            for symbol in text[start..piece.range.end].chars() {
                if done == out.len() {
                    return;
                }
                // Characters without a token were refused when the tape was made.
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
        self.pieces.iter().all(|piece| {
            self.text.chunks(piece.range.clone()).all(|(_, chunk)| {
                chunk.bytes().all(|byte| table.get(usize::from(byte)).is_some_and(|token| *token != Token::MAX))
            })
        })
    }

    /// Counts the tokens and marks every `SPACING`th.
    fn mark(&mut self) -> Result<()> {
        let mut marks = Vec::new();
        let mut length = 0;
        for (number, piece) in self.pieces.iter().enumerate() {
            let number = u32::try_from(number)
                .map_err(|cause| Error::internal("a text of more than 4,294,967,295 documents", cause))?;
            for (base, chunk) in self.text.chunks(piece.range.clone()) {
                let (mut character, mut before) = (usize::MAX, 0);
                let found = self.vocabulary.visit(chunk, &mut |offset, _| {
                    before = if offset == character { before + 1 } else { 0 };
                    character = offset;
                    if length % SPACING == 0 {
                        marks.push(Mark { piece: number, before, offset: base + offset });
                    }
                    length += 1;
                });
                found.map_err(|stranger| refuse(&self.text, &self.vocabulary, base, stranger))?;
            }
        }
        self.length = length;
        self.places = Places::Marks(marks);
        Ok(())
    }
}

/// The error of a character that the vocabulary lacks, in a part of a text that begins at byte `base`.
pub(super) fn refuse(text: &Text, vocabulary: &Vocabulary, base: usize, stranger: Stranger) -> Error {
    let offset = base + stranger.offset;
    let place = format!("which stands in `{}` at offset {offset}, line {}", text.name(), text.line(offset));
    vocabulary.refuse(stranger.symbol, &place).into()
}
