//! How surprising a text is to a model, character by character.

use hatchery_plugin::{Framing, Token};

use super::{context::Context, generate::diverged};
use crate::{
    error::Result,
    network::Network,
    random::{drawable, softmax},
};

/// Lines that are read at once; a result does not depend on it.
const ROWS: usize = 64;

/// A symbol of a text, and how surprising it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoredSymbol {
    /// The symbol as the model reads it.
    pub symbol: char,
    /// −ln of its probability after those before it. The first symbol of a running text has none: nothing predicts it.
    pub nats: Option<f64>,
}

/// A line of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredLine {
    /// Its symbols, the one that ends it included.
    pub symbols: Vec<ScoredSymbol>,
    /// Characters that the vocabulary lacks: left out, or read as the unknown symbol.
    pub unknown: usize,
}

impl ScoredLine {
    /// The sum over its predicted symbols, in nats.
    pub fn nats(&self) -> f64 {
        self.symbols.iter().filter_map(|symbol| symbol.nats).sum()
    }

    /// Its predicted symbols.
    pub fn predicted(&self) -> usize {
        self.symbols.iter().filter(|symbol| symbol.nats.is_some()).count()
    }

    /// Nats per predicted symbol.
    pub fn mean(&self) -> f64 {
        self.nats() / self.predicted() as f64
    }
}

/// The surprise of every character of a text. A line is a document where the model was trained on documents; otherwise
/// the text is one piece.
///
/// # Errors
/// When a character is unknown and the experiment does not say what to do with it, and when the device fails.
pub fn score(network: &mut Network, text: &str) -> Result<Vec<ScoredLine>> {
    match network.framing {
        Framing::Documents { end, .. } => {
            let end = end.and_then(|end| network.vocabulary.token(end));
            documents(network, text, end)
        }
        Framing::Windows { .. } | Framing::Stream { .. } => running(network, text),
    }
}

fn documents(network: &mut Network, text: &str, end: Option<Token>) -> Result<Vec<ScoredLine>> {
    let context = Context::of(&network.framing, &network.vocabulary, true);
    let (mut sequences, mut offset) = (Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        let mut tokens = network.vocabulary.encode(bare, offset)?;
        tokens.extend(end);
        sequences.push((tokens, unknown(network, bare)));
        offset += line.len();
    }
    let mut lines = Vec::with_capacity(sequences.len());
    for chunk in sequences.chunks(ROWS) {
        let mut scores = vec![Vec::new(); chunk.len()];
        network.executor.begin(chunk.len());
        let mut inputs = vec![context.start.unwrap_or_default(); chunk.len()];
        for position in 0..chunk.iter().map(|(tokens, _)| tokens.len()).max().unwrap_or_default() {
            let logits = network.executor.advance(&inputs)?; // [rows × vocabulary]
            for (row, logits) in logits.chunks(network.vocabulary.len()).enumerate() {
                let Some(&token) = chunk[row].0.get(position) else { continue };
                scores[row].push(scored(network, token, Some(surprise(logits, token)?)));
                inputs[row] = token;
            }
        }
        lines.extend(
            scores.into_iter().zip(chunk).map(|(symbols, (_, unknown))| ScoredLine { symbols, unknown: *unknown }),
        );
    }
    Ok(lines)
}

fn running(network: &mut Network, text: &str) -> Result<Vec<ScoredLine>> {
    let context = Context::of(&network.framing, &network.vocabulary, true);
    let tokens = network.vocabulary.encode(text, 0)?;
    let (mut lines, mut symbols) = (Vec::new(), Vec::new());
    let mut logits = None;
    for (position, &token) in tokens.iter().enumerate() {
        let nats = logits.as_deref().map(|logits| surprise(logits, token)).transpose()?;
        symbols.push(scored(network, token, nats));
        if symbols.last().is_some_and(|symbol| symbol.symbol == '\n') {
            lines.push(ScoredLine { symbols: std::mem::take(&mut symbols), unknown: 0 });
        }
        // What is carried in the state need not be read again.
        let from = (position + 1).saturating_sub(context.window.unwrap_or(1));
        let so_far = [tokens[from..=position].to_vec()];
        let executor = network.executor.as_mut();
        logits =
            Some(if position == 0 { context.read(executor, &so_far)? } else { context.read_on(executor, &so_far)? });
    }
    if !symbols.is_empty() {
        lines.push(ScoredLine { symbols, unknown: 0 });
    }
    if let Some(first) = lines.first_mut() {
        first.unknown = unknown(network, text);
    }
    Ok(lines)
}

fn scored(network: &Network, token: Token, nats: Option<f64>) -> ScoredSymbol {
    ScoredSymbol { symbol: network.vocabulary.symbol(token), nats }
}

fn surprise(logits: &[f64], token: Token) -> Result<f64> {
    if !drawable(logits) {
        return Err(diverged().into());
    }
    Ok(-softmax(logits)[token as usize].ln())
}

/// The characters that the vocabulary lacks.
fn unknown(network: &Network, text: &str) -> usize {
    text.chars().filter(|symbol| !network.vocabulary.knows(*symbol)).count()
}
