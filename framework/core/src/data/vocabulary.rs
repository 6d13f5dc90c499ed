//! The symbols of a text and their numbers.

use std::fmt::{self, Write};

use hatchery_plugin::Token;

use crate::{
    error::{Error, Problem, Result},
    experiment::{self, Unknown},
};

/// The symbol for characters that training never saw.
pub(crate) const UNKNOWN: char = '\u{FFFD}';

const NONE: Token = Token::MAX;

/// The symbols that a model reads and writes, sorted by code point; a token is a symbol's place in that order.
///
/// ```
/// use hatchery::data::Vocabulary;
///
/// let vocabulary = Vocabulary::new("banana".chars(), &Default::default())?;
/// assert_eq!(vocabulary.symbols(), ['a', 'b', 'n']);
/// assert_eq!(vocabulary.encode("nab", 0)?, [2, 0, 1]);
/// # Ok::<(), hatchery::error::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Vocabulary {
    symbols: Vec<char>,
    lowercase: bool,
    unknown: Unknown,
    /// The token of every code point up to the largest symbol, at least of ASCII; `NONE` where there is none.
    /// Lower-casing is not applied. Its size is at most 4.5 MB, for a text with symbols at the end of Unicode.
    table: Vec<Token>,
    /// The token that stands for other characters, with `unknown = "token"`.
    stand_in: Option<Token>,
}

/// A character that is not in the vocabulary, and its byte offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownSymbol {
    pub(crate) symbol: char,
    pub(crate) offset: usize,
}

impl Vocabulary {
    /// The vocabulary of these symbols, with the unknown symbol if the settings ask for it. They may repeat and come in
    /// any order; they are taken as they are, without lower-casing.
    ///
    /// # Errors
    /// When there are fewer than two: nothing could be learned.
    pub fn new(symbols: impl IntoIterator<Item = char>, settings: &experiment::Vocabulary) -> Result<Self> {
        let mut symbols: Vec<char> = symbols.into_iter().collect();
        if settings.unknown == Unknown::Token {
            symbols.push(UNKNOWN);
        }
        symbols.sort_unstable();
        symbols.dedup();
        if symbols.len() < 2 {
            let found = symbols.first().map_or("none".to_owned(), |symbol| format!("only {}", named(*symbol)));
            return Err(Problem::new(format!("a vocabulary needs at least two symbols; there is {found}"))
                .hint("check the corpus and the keys of [dataset]")
                .into());
        }
        let last = symbols.last().map_or(0, |symbol| *symbol as usize);
        let mut table = vec![NONE; last.max(127) + 1];
        for (token, symbol) in symbols.iter().enumerate() {
            table[*symbol as usize] = token as Token;
        }
        let stand_in = (settings.unknown == Unknown::Token).then(|| table[UNKNOWN as usize]);
        Ok(Self { symbols, lowercase: settings.lowercase, unknown: settings.unknown, table, stand_in })
    }

    /// How many symbols there are: the width of the logits.
    #[expect(clippy::len_without_is_empty, reason = "a vocabulary is never empty")]
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    /// The symbols, in the order of their tokens.
    pub fn symbols(&self) -> &[char] {
        &self.symbols
    }

    /// The token of a symbol, as it is.
    pub fn token(&self, symbol: char) -> Option<Token> {
        self.table.get(symbol as usize).copied().filter(|token| *token != NONE)
    }

    /// Whether a character has tokens of its own, lower-cased if the text is.
    pub fn knows(&self, symbol: char) -> bool {
        match self.lowercase {
            true => symbol.to_lowercase().all(|symbol| self.token(symbol).is_some()),
            false => self.token(symbol).is_some(),
        }
    }

    /// The symbol of a token; U+FFFD for what is none.
    pub fn symbol(&self, token: Token) -> char {
        self.symbols.get(token as usize).copied().unwrap_or(UNKNOWN)
    }

    /// The input that stands for a vector of zeros, whether one-hot or embedded. It is `len()`, never
    /// a target.
    pub fn none(&self) -> Token {
        self.len() as Token
    }

    /// The tokens of a text, lower-cased and with unknown characters treated as the experiment says. `offset_base` is
    /// the byte offset at which the text stands in its source, for messages.
    ///
    /// # Errors
    /// With `unknown = "error"`, when a character is not in the vocabulary.
    pub fn encode(&self, text: &str, offset_base: usize) -> Result<Vec<Token>> {
        let mut tokens = Vec::with_capacity(text.len());
        self.visit(text, &mut |_, token| tokens.push(token)).map_err(|unknown| {
            let line = 1 + text[..unknown.offset].matches('\n').count();
            self.refuse(unknown.symbol, &format!("at offset {}, line {line}", offset_base + unknown.offset))
        })?;
        Ok(tokens)
    }

    /// The text of tokens. What is no symbol, as the zero vector's number, gives nothing.
    pub fn decode(&self, tokens: &[Token]) -> String {
        tokens.iter().filter_map(|token| self.symbols.get(*token as usize)).collect()
    }

    /// The symbols as one string, for a checkpoint.
    pub fn to_text(&self) -> String {
        self.symbols.iter().collect()
    }

    /// The vocabulary that [`Vocabulary::to_text`] wrote.
    ///
    /// # Errors
    /// When the text is not one that it writes: symbols out of order or repeated, or fewer than two.
    pub fn from_text(text: &str, settings: &experiment::Vocabulary) -> Result<Self> {
        let vocabulary = Self::new(text.chars(), settings)?;
        if vocabulary.to_text() != text {
            return Err(Problem::new("the vocabulary of the checkpoint is damaged")
                .note("its symbols are not sorted, repeat themselves, or do not fit `vocabulary.unknown`")
                .into());
        }
        Ok(vocabulary)
    }

    /// Calls `take` with the byte offset and each token of every character, in order.
    pub(crate) fn visit(
        &self,
        text: &str,
        take: &mut impl FnMut(usize, Token),
    ) -> std::result::Result<(), UnknownSymbol> {
        for (offset, symbol) in text.char_indices() {
            self.read(symbol, &mut |token| take(offset, token)).map_err(|symbol| UnknownSymbol { symbol, offset })?;
        }
        Ok(())
    }

    /// Calls `take` with each token of a character: one, none if it is skipped, or several if its lower case is several
    /// characters. Gives back the character that has none and may not be skipped.
    #[inline]
    pub(crate) fn read(&self, symbol: char, take: &mut impl FnMut(Token)) -> std::result::Result<(), char> {
        if self.lowercase && !symbol.is_ascii_lowercase() {
            return symbol.to_lowercase().try_for_each(|symbol| self.read_exactly(symbol, take));
        }
        self.read_exactly(symbol, take)
    }

    #[inline]
    fn read_exactly(&self, symbol: char, take: &mut impl FnMut(Token)) -> std::result::Result<(), char> {
        match self.token(symbol).or(self.stand_in) {
            Some(token) => take(token),
            None if self.unknown == Unknown::Error => return Err(symbol),
            None => {}
        }
        Ok(())
    }

    /// The token of every ASCII byte, lower-casing applied; `Token::MAX` for a byte without one.
    pub(crate) fn ascii(&self) -> [Token; 128] {
        std::array::from_fn(|byte| {
            let byte = byte as u8;
            let symbol = char::from(if self.lowercase { byte.to_ascii_lowercase() } else { byte });
            self.token(symbol).or(self.stand_in).unwrap_or(NONE)
        })
    }

    /// The problem of a character that is not in the vocabulary.
    pub(crate) fn refuse(&self, symbol: char, place: &str) -> Problem {
        let mut known = String::new();
        for symbol in self.symbols.iter().take(100) {
            let _ = write!(known, "{}", symbol.escape_debug());
        }
        if self.len() > 100 {
            let _ = write!(known, " and {} more", self.len() - 100);
        }
        Problem::new(format!("the vocabulary has no {}, {place}", named(symbol)))
            .note(format!("its symbols: {known}"))
            .hint(
                "set vocabulary.unknown = \"skip\" to leave such characters out, or \"token\" to read them as unknown",
            )
    }
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vocabulary({:?}, lowercase: {}, unknown: {:?})", self.to_text(), self.lowercase, self.unknown)
    }
}

/// The tokens with which every sequence begins.
///
/// # Errors
/// When the vocabulary lacks a character of it and has no rule for such characters.
pub fn encode_prefix(vocabulary: &Vocabulary, prefix: &str) -> Result<Vec<Token>> {
    vocabulary.encode(prefix, 0).map_err(|error| match error {
        Error::User(problems) => {
            let small = prefix.to_lowercase();
            let hint = if vocabulary.encode(&small, 0).is_ok() {
                format!("the training text is in small letters: begin samples with {small:?}")
            } else {
                "begin samples with characters of the training text".to_owned()
            };
            let named = |problem: Problem| Problem {
                hint: Some(hint.clone()),
                ..problem.note(format!("it stands in the prefix of the samples: {prefix:?}"))
            };
            problems.into_iter().map(named).collect::<Vec<_>>().into()
        }
        internal @ Error::Internal { .. } => internal,
    })
}

/// A character as a message names it: itself and its code point.
fn named(symbol: char) -> String {
    format!("`{}` (U+{:04X})", symbol.escape_debug(), symbol as u32)
}

/// Which characters a text has: one entry for each code point, so that a scan of gigabytes stores nothing else.
pub(crate) struct SymbolSet(Vec<bool>);

impl SymbolSet {
    pub(crate) fn new() -> Self {
        Self(vec![false; char::MAX as usize + 1])
    }

    pub(crate) fn add(&mut self, text: &str) {
        if text.is_ascii() {
            text.bytes().for_each(|byte| self.0[usize::from(byte)] = true);
        } else {
            text.chars().for_each(|symbol| self.0[symbol as usize] = true);
        }
    }

    /// The characters seen, lower-cased if asked for.
    pub(crate) fn symbols(&self, lowercase: bool) -> Vec<char> {
        let seen = ('\0'..=char::MAX).filter(|symbol| self.0[*symbol as usize]);
        if lowercase { seen.flat_map(char::to_lowercase).collect() } else { seen.collect() }
    }
}
