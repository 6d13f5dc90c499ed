//! What a model sees before a character that is generated or scored: the same first inputs as in training.

use hatchery_plugin::{Framing, Predict, Token};

use crate::{data::Vocabulary, error::Result, executor::Executor};

/// What the model sees before and between the characters that it generates: what it saw in training.
pub(crate) struct Context {
    /// The first input, before the sequence; nothing where the sequence itself begins with it. Training on running text
    /// begins with a symbol of the text, never with a vector of zeros: so does a prefix, and without one a line.
    pub(crate) start: Option<Token>,
    /// The symbol that ends a sequence.
    pub(crate) end: Option<Token>,
    /// Models trained on the character after a window see exactly one window for every character, filled up on the
    /// left with zero vectors; the others carry their state.
    pub(crate) window: Option<usize>,
}

impl Context {
    /// The context of sequences with or without a prefix.
    pub(crate) fn of(framing: &Framing, vocabulary: &Vocabulary, has_prefix: bool) -> Self {
        let none = vocabulary.none();
        let token = |symbol: Option<char>| symbol.and_then(|symbol| vocabulary.token(symbol));
        match *framing {
            // Where documents have no end symbol, the padding that follows them says that they are over.
            Framing::Documents { start, end, padding, .. } => {
                let (start, end) = (token(start).unwrap_or(none), token(end.or(Some(padding))));
                Self { start: Some(start), end, window: None }
            }
            Framing::Windows { length, predict: Predict::Last, .. } => {
                Self { start: Some(none), end: None, window: Some(length) }
            }
            Framing::Windows { .. } | Framing::Stream { .. } => {
                let line = token(Some('\n')).or(token(Some(' '))).unwrap_or(0);
                Self { start: (!has_prefix).then_some(line), end: None, window: None }
            }
        }
    }

    /// Reads whole sequences from the start and returns the logits of what follows.
    pub(super) fn read(&self, executor: &mut dyn Executor, sequences: &[Vec<Token>]) -> Result<Vec<f64>> {
        executor.begin(sequences.len());
        let length = sequences.first().map_or(0, Vec::len);
        let Some(window) = self.window else {
            let mut logits = Vec::new();
            if let Some(start) = self.start {
                logits = executor.advance(&vec![start; sequences.len()])?;
            }
            for position in 0..length {
                logits = executor.advance(&column(sequences, position))?;
            }
            return Ok(logits);
        };
        let mut logits = Vec::new();
        for position in 0..window {
            let at = |sequence: &Vec<Token>| (sequence.len() + position).checked_sub(window);
            let token = |sequence| at(sequence).map_or(self.filler(), |at| sequence[at]);
            logits = executor.advance(&sequences.iter().map(token).collect::<Vec<_>>())?;
        }
        Ok(logits)
    }

    /// Reads the last token of every sequence and returns the logits of what follows.
    pub(super) fn read_on(&self, executor: &mut dyn Executor, sequences: &[Vec<Token>]) -> Result<Vec<f64>> {
        if self.window.is_some() {
            return self.read(executor, sequences);
        }
        let last: Vec<_> = sequences.iter().map(|sequence| sequence.last().copied().unwrap_or(self.filler())).collect();
        executor.advance(&last)
    }
}

impl Context {
    /// What stands where a sequence has no token.
    fn filler(&self) -> Token {
        self.start.unwrap_or_default()
    }
}

fn column(sequences: &[Vec<Token>], position: usize) -> Vec<Token> {
    sequences.iter().map(|sequence| sequence[position]).collect()
}
