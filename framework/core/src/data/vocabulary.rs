//! The symbols of a text and their numbers.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::{self, Write},
};

use hatchery_plugin::Token;

use super::normalize::normalized;
use crate::{
    error::{Error, Problem, Result},
    experiment::{self, SymbolUnit, Unknown},
};

/// The symbol for characters that training never saw.
pub(crate) const UNKNOWN: char = '\u{FFFD}';

const NONE: Token = Token::MAX;

/// The symbols that a model reads and writes; a token is a symbol's place among them. They are sorted by code point unless
/// the experiment or a checkpoint has another order. Where symbols are bytes, the character of that code point stands for
/// each.
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
    settings: experiment::Vocabulary,
    /// The token of every code point up to the largest symbol, at least of ASCII; `NONE` where there is none.
    /// Lower-casing is not applied. Its size is at most 4.5 MB, for a text with symbols at the end of Unicode.
    table: Vec<Token>,
    /// The token that stands for other characters, with `unknown = "token"`.
    substitute: Option<Token>,
}

/// A character that is not in the vocabulary, and its byte offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownSymbol {
    pub(crate) symbol: char,
    pub(crate) offset: usize,
}

impl Vocabulary {
    /// The vocabulary of these symbols, with those that the settings list and the unknown symbol if they ask for it. They
    /// may repeat and come in any order; they are taken as they are, without lower-casing.
    ///
    /// # Errors
    /// When there are fewer than two: nothing could be learned.
    pub fn new(symbols: impl IntoIterator<Item = char>, settings: &experiment::Vocabulary) -> Result<Self> {
        let listed = unique(settings.symbols.chars());
        Self::of(listed, settings)?.with(symbols.into_iter().chain(unknown(settings)))?.of_size()
    }

    /// The vocabulary with more symbols behind those that it has, so that every token stays what it is.
    ///
    /// # Errors
    /// Those of [`Vocabulary::new`].
    pub fn grown(self, symbols: impl IntoIterator<Item = char>) -> Result<Self> {
        let unknown = unknown(&self.settings);
        self.with(symbols.into_iter().chain(unknown))
    }

    fn with(self, symbols: impl IntoIterator<Item = char>) -> Result<Self> {
        let mut more: Vec<char> = symbols.into_iter().filter(|symbol| self.token(*symbol).is_none()).collect();
        more.sort_unstable();
        more.dedup();
        Self::of([self.symbols, more].concat(), &self.settings)
    }

    /// The vocabulary of different symbols in this order.
    fn of(symbols: Vec<char>, settings: &experiment::Vocabulary) -> Result<Self> {
        if let Some(symbol) = symbols.iter().find(|symbol| settings.unit == SymbolUnit::Byte && !is_byte(**symbol)) {
            return Err(Problem::new(format!("{} is not a byte", named(*symbol)))
                .note("with vocabulary.unit = \"byte\" the symbols that a dataset adds are ASCII")
                .hint("set other symbols in [dataset] and [vocabulary]")
                .into());
        }
        let last = symbols.iter().max().map_or(0, |symbol| *symbol as usize);
        let mut table = vec![NONE; last.max(127) + 1];
        for (token, symbol) in symbols.iter().enumerate() {
            table[*symbol as usize] = token as Token;
        }
        let substitute = (settings.unknown == Unknown::Token).then(|| table.get(UNKNOWN as usize).copied()).flatten();
        Ok(Self { symbols, settings: settings.clone(), table, substitute: substitute.filter(|token| *token != NONE) })
    }

    fn of_size(self) -> Result<Self> {
        if self.symbols.len() >= 2 {
            return Ok(self);
        }
        let found = self.symbols.first().map_or("none".to_owned(), |symbol| format!("only {}", named(*symbol)));
        Err(Problem::new(format!("a vocabulary needs at least two symbols; there is {found}"))
            .hint("check the corpus and the keys of [dataset]")
            .into())
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

    /// The symbol of a token; U+FFFD for what is none.
    pub fn symbol(&self, token: Token) -> char {
        self.symbols.get(token as usize).copied().unwrap_or(UNKNOWN)
    }

    /// The input that stands for a vector of zeros, whether one-hot or embedded. It is `len()`, never
    /// a target.
    pub fn none(&self) -> Token {
        self.len() as Token
    }

    /// What one symbol is.
    pub fn unit(&self) -> SymbolUnit {
        self.settings.unit
    }

    /// The tokens of a text, read as the experiment says: normalized, lower-cased, and unknown characters as it has for
    /// them. `offset_base` is the byte offset at which the text is in its source, for messages.
    ///
    /// # Errors
    /// With `unknown = "error"`, when a character is not in the vocabulary.
    pub fn encode(&self, text: &str, offset_base: usize) -> Result<Vec<Token>> {
        let text = &*normalized(text, &self.settings);
        let mut tokens = Vec::with_capacity(text.len());
        self.visit(text, &mut |_, token| tokens.push(token)).map_err(|unknown| {
            let line = 1 + text[..unknown.offset].matches('\n').count();
            self.refuse(unknown.symbol, &format!("at offset {}, line {line}", offset_base + unknown.offset))
        })?;
        Ok(tokens)
    }

    /// The text of tokens. What is no symbol, as the zero vector's number, gives nothing; bytes that are no text give
    /// U+FFFD.
    pub fn decode(&self, tokens: &[Token]) -> String {
        let symbols = tokens.iter().filter_map(|token| self.symbols.get(*token as usize));
        match self.settings.unit {
            SymbolUnit::Character => symbols.collect(),
            SymbolUnit::Byte => {
                String::from_utf8_lossy(&symbols.flat_map(|symbol| bytes(*symbol)).collect::<Vec<_>>()).into_owned()
            }
        }
    }

    /// Whether tokens end between two characters, and not between the bytes of one.
    pub(crate) fn is_whole(&self, tokens: &[Token]) -> bool {
        if self.settings.unit == SymbolUnit::Character {
            return true;
        }
        let symbols = tokens.iter().rev().take(4).filter_map(|token| self.symbols.get(*token as usize));
        let mut last: Vec<u8> = symbols.flat_map(|symbol| bytes(*symbol)).collect();
        last.reverse();
        // What begins within a character has no say about how it ends.
        let start = last.iter().rposition(|byte| !(0x80..0xC0).contains(byte)).unwrap_or(0);
        !std::str::from_utf8(&last[start..]).is_err_and(|error| error.error_len().is_none())
    }

    /// The symbols as one string, for a checkpoint.
    pub fn to_text(&self) -> String {
        self.symbols.iter().collect()
    }

    /// The vocabulary that [`Vocabulary::to_text`] wrote.
    ///
    /// # Errors
    /// When the text is not one that it writes: symbols that repeat, or fewer than two; and when unknown characters are to
    /// be read as the unknown symbol, which is not among them.
    pub fn from_text(text: &str, settings: &experiment::Vocabulary) -> Result<Self> {
        let symbols: Vec<char> = text.chars().collect();
        if symbols.len() < 2 || unique(symbols.iter().copied()).len() < symbols.len() {
            return Err(Problem::new("the vocabulary of the checkpoint is damaged")
                .note("its symbols repeat themselves, or there are fewer than two")
                .into());
        }
        let vocabulary = Self::of(symbols, settings)?;
        if settings.unknown == Unknown::Token && vocabulary.substitute.is_none() && !settings.grow {
            return Err(Problem::new("the checkpoint was trained without a symbol for unknown characters")
                .note("vocabulary.unknown = \"token\" reads them as that symbol")
                .hint(
                    "set vocabulary.unknown = \"skip\" to leave such characters out; when training with --from, \
                     vocabulary.grow = true adds the symbol",
                )
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
        if self.settings.lowercase && !symbol.is_ascii_lowercase() {
            return symbol.to_lowercase().try_for_each(|symbol| self.read_exactly(symbol, take));
        }
        self.read_exactly(symbol, take)
    }

    #[inline]
    fn read_exactly(&self, symbol: char, take: &mut impl FnMut(Token)) -> std::result::Result<(), char> {
        if self.settings.unit == SymbolUnit::Byte && !symbol.is_ascii() {
            let mut bytes = [0; 4];
            return symbol.encode_utf8(&mut bytes).bytes().try_for_each(|byte| self.read_symbol(byte.into(), take));
        }
        self.read_symbol(symbol, take)
    }

    #[inline]
    fn read_symbol(&self, symbol: char, take: &mut impl FnMut(Token)) -> std::result::Result<(), char> {
        match self.token(symbol).or(self.substitute) {
            Some(token) => take(token),
            None if self.settings.unknown == Unknown::Error => return Err(symbol),
            None => {}
        }
        Ok(())
    }

    /// Whether a character is read as symbols of its own, and none of it is left out or read as unknown.
    pub fn knows(&self, symbol: char) -> bool {
        let mut known = true;
        let mut check = |symbol: char| known &= self.token(symbol).is_some();
        let mut each = |symbol: char| match self.settings.unit {
            SymbolUnit::Character => check(symbol),
            SymbolUnit::Byte => bytes_of(symbol).for_each(|byte| check(byte.into())),
        };
        if self.settings.lowercase {
            symbol.to_lowercase().for_each(each);
        } else {
            each(symbol);
        }
        known
    }

    /// The token of every ASCII byte, lower-casing applied; `Token::MAX` for a byte without one.
    pub(crate) fn ascii(&self) -> [Token; 128] {
        std::array::from_fn(|byte| {
            let byte = byte as u8;
            let symbol = char::from(if self.settings.lowercase { byte.to_ascii_lowercase() } else { byte });
            self.token(symbol).or(self.substitute).unwrap_or(NONE)
        })
    }

    /// The problem of a character that is not in the vocabulary.
    pub(crate) fn refuse(&self, symbol: char, place: &str) -> Problem {
        let subject = match self.settings.unit {
            SymbolUnit::Byte if !symbol.is_ascii() => format!("byte 0x{:02X}", symbol as u32),
            _ => named(symbol),
        };
        let mut known = String::new();
        for symbol in self.symbols.iter().take(100) {
            let _ = write!(known, "{}", symbol.escape_debug());
        }
        if self.len() > 100 {
            let _ = write!(known, " and {} more", self.len() - 100);
        }
        Problem::new(format!("the vocabulary has no {subject}, {place}")).note(format!("its symbols: {known}")).hint(
            if self.settings.symbols.is_empty() {
                "set vocabulary.unknown = \"skip\" to leave such characters out, or \"token\" to read them as unknown"
            } else {
                "add it to vocabulary.symbols, or set vocabulary.unknown = \"skip\" to leave such characters out"
            },
        )
    }
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vocabulary({:?}, {:?})", self.to_text(), self.settings)
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
                ..problem.note(format!("it is in the prefix of the samples: {prefix:?}"))
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

/// The symbol for unknown characters, if the settings ask for it.
fn unknown(settings: &experiment::Vocabulary) -> Option<char> {
    (settings.unknown == Unknown::Token).then_some(UNKNOWN)
}

/// The symbols without those that repeat one before them.
fn unique(symbols: impl Iterator<Item = char>) -> Vec<char> {
    let mut seen = HashSet::new();
    symbols.filter(|symbol| seen.insert(*symbol)).collect()
}

/// Whether a character stands for a byte, or for what is unknown.
fn is_byte(symbol: char) -> bool {
    u8::try_from(symbol).is_ok() || symbol == UNKNOWN
}

/// The bytes that a symbol stands for where symbols are bytes.
fn bytes(symbol: char) -> Vec<u8> {
    match u8::try_from(symbol) {
        Ok(byte) => vec![byte],
        Err(_) => bytes_of(symbol).collect(),
    }
}

fn bytes_of(symbol: char) -> impl Iterator<Item = u8> {
    let mut bytes = [0; 4];
    let length = symbol.encode_utf8(&mut bytes).len();
    bytes.into_iter().take(length)
}

/// How often each character is in a text: one count for each code point, so that a scan of gigabytes stores nothing
/// else.
pub(crate) struct SymbolCounts(Vec<u32>);

impl SymbolCounts {
    pub(crate) fn new() -> Self {
        Self(vec![0; char::MAX as usize + 1])
    }

    pub(crate) fn add(&mut self, text: &str) {
        let mut count = |at: usize| self.0[at] = self.0[at].saturating_add(1);
        if text.is_ascii() {
            text.bytes().for_each(|byte| count(byte.into()));
        } else {
            text.chars().for_each(|symbol| count(symbol as usize));
        }
    }

    /// The symbols that the characters are read as and that stand there often enough.
    pub(crate) fn symbols(&self, settings: &experiment::Vocabulary) -> Vec<char> {
        let mut counts: BTreeMap<char, u64> = BTreeMap::new();
        let mut count = |symbol: char, times: u32| *counts.entry(symbol).or_default() += u64::from(times);
        for (symbol, times) in ('\0'..=char::MAX).map(|symbol| (symbol, self.0[symbol as usize])).filter(|it| it.1 > 0)
        {
            let mut each = |symbol: char| match settings.unit {
                SymbolUnit::Character => count(symbol, times),
                SymbolUnit::Byte => bytes_of(symbol).for_each(|byte| count(byte.into(), times)),
            };
            if settings.lowercase { symbol.to_lowercase().for_each(each) } else { each(symbol) }
        }
        counts.retain(|_, times| *times >= settings.min_count);
        counts.into_keys().collect()
    }
}
