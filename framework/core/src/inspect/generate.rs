//! Generation: one or many sequences at once, character by character.

use hatchery_plugin::Token;

use super::context::Context;
use crate::{
    data::{Vocabulary, encode_prefix},
    error::{Problem, Result},
    experiment::{Rng, SymbolUnit},
    network::Network,
    random::{self, Stream, numpy::RandomState},
};

/// What to generate.
#[derive(Clone, Debug)]
pub struct Request {
    /// What every sequence begins with.
    pub prefix: String,
    /// How many sequences.
    pub count: usize,
    /// Characters after which a sequence ends at the latest, the prefix not counted.
    pub length: usize,
    /// From this number the draws are derived.
    pub seed: u64,
    /// Which of the draws that one seed gives: the report of a training, say.
    pub occasion: String,
    /// Show the first letter in upper case.
    pub capitalize: bool,
    /// What ends a sequence, and what is not drawn.
    pub limits: Limits,
}

/// What ends a sequence beside the end symbol and the length, and what is not drawn.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Texts with which a sequence ends.
    pub stop: Vec<String>,
    /// Characters before which it does not end, the prefix not counted.
    pub min_length: usize,
    /// Characters that are not drawn.
    pub forbid: String,
}

/// [`Limits`] as tokens.
struct TokenLimits {
    stop: Vec<Vec<Token>>,
    min_length: usize,
    forbidden: Vec<Token>,
    end: Option<Token>,
}

impl TokenLimits {
    fn of(limits: &Limits, vocabulary: &Vocabulary, end: Option<Token>) -> Result<Self> {
        let stop = |text: &String| match vocabulary.encode(text, 0) {
            Ok(tokens) if tokens.is_empty() => {
                Err(Problem::new(format!("no sample can end with {text:?}: it has no symbols of the model")).into())
            }
            other => other,
        };
        if let Some(symbol) = limits.forbid.chars().find(|it| vocabulary.unit() == SymbolUnit::Byte && !it.is_ascii()) {
            return Err(Problem::new(format!(
                "`{symbol}` cannot be forbidden: it is several symbols of a model of bytes"
            ))
            .into());
        }
        let forbidden = limits.forbid.chars().filter_map(|symbol| vocabulary.token(symbol)).collect();
        let stop = limits.stop.iter().map(stop).collect::<Result<_>>()?;
        Ok(Self { stop, min_length: limits.min_length, forbidden, end })
    }

    /// Takes every probability from what may not be drawn after that many characters.
    fn mask(&self, logits: &mut [f64], drawn: usize) -> Result<()> {
        let end = self.end.filter(|_| drawn < self.min_length);
        for token in self.forbidden.iter().copied().chain(end) {
            logits[token as usize] = f64::NEG_INFINITY;
        }
        if logits.iter().all(|logit| *logit == f64::NEG_INFINITY) {
            return Err(Problem::new("nothing is left to draw: every symbol is forbidden")
                .hint("forbid fewer characters: --forbid")
                .into());
        }
        Ok(())
    }

    /// Whether a sequence ends with a stop text; `drawn` are the tokens behind its prefix.
    fn ends(&self, drawn: &[Token]) -> bool {
        drawn.len() >= self.min_length && self.stop.iter().any(|stop| drawn.ends_with(stop))
    }
}

/// A sequence as it was generated.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratedText {
    /// Its text, the prefix included, the end symbol not.
    pub text: String,
    /// Its tokens, as [`GeneratedText::text`].
    pub tokens: Vec<Token>,
}

/// Generates the sequences of a request. `watch` sees every character as it is drawn, with the index of its sequence.
///
/// # Errors
/// When the prefix holds an unknown character, the model has diverged, or the device or a plugin of a library fails.
// ANCHOR: generate
pub fn generate(
    network: &mut Network,
    request: &Request,
    watch: &mut dyn FnMut(usize, char),
) -> Result<Vec<GeneratedText>> {
    let prefix = encode_prefix(&network.vocabulary, &request.prefix)?;
    let context = Context::of(&network.framing, &network.vocabulary, !prefix.is_empty());
    let limits = TokenLimits::of(&request.limits, &network.vocabulary, context.end)?;
    let mut generators = Generators::new(network, request);
    let mut sequences = vec![prefix.clone(); request.count];
    let mut ended = vec![false; request.count];
    // Where symbols are bytes, a character is shown when it is complete.
    let mut shown = vec![prefix.len(); request.count];

    let mut logits = context.read(network.executor.as_mut(), &sequences)?; // [count × vocabulary]
    for position in 0..request.length {
        for (row, logits) in logits.chunks_mut(network.vocabulary.len()).enumerate() {
            if ended[row] {
                continue;
            }
            if !random::drawable(logits) {
                return Err(diverged().into());
            }
            limits.mask(logits, position)?;
            let uniform = generators.uniform(row, position);
            let token = random::sample(&network.samplers, logits, &sequences[row], uniform)?;
            if Some(token) == context.end {
                ended[row] = true;
            } else {
                sequences[row].push(token);
                let new = &sequences[row][shown[row]..];
                if network.vocabulary.is_whole(new) {
                    network.vocabulary.decode(new).chars().for_each(|symbol| watch(row, symbol));
                    shown[row] = sequences[row].len();
                }
                ended[row] = limits.ends(&sequences[row][prefix.len()..]);
            }
        }
        if ended.iter().all(|&ended| ended) || position + 1 == request.length {
            break;
        }
        logits = context.read_on(network.executor.as_mut(), &sequences)?;
    }
    Ok(sequences.into_iter().map(|tokens| generated(network, tokens, request.capitalize)).collect())
}
// ANCHOR_END: generate

pub(super) fn diverged() -> Problem {
    Problem::new("the model gives no probabilities to draw from: its numbers are no longer finite")
        .hint("its training has diverged: take an earlier checkpoint, or train with a lower optimizer.learning-rate")
}

/// What may follow a text, the most likely first, with its probability. Samplers have no part in it.
///
/// # Errors
/// When the text holds an unknown character, or the device fails.
pub fn likely(network: &mut Network, prefix: &str) -> Result<Vec<(char, f64)>> {
    let prefix = encode_prefix(&network.vocabulary, prefix)?;
    let context = Context::of(&network.framing, &network.vocabulary, !prefix.is_empty());
    let logits = context.read(network.executor.as_mut(), &[prefix])?; // [vocabulary]
    if !random::drawable(&logits) {
        return Err(diverged().into());
    }
    let mut likely: Vec<_> = network.vocabulary.symbols().iter().copied().zip(random::softmax(&logits)).collect();
    likely.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(likely)
}

pub(super) fn generated(network: &Network, tokens: Vec<Token>, capitalize: bool) -> GeneratedText {
    let mut text = network.vocabulary.decode(&tokens);
    if capitalize && let Some(first) = text.chars().next() {
        text.replace_range(..first.len_utf8(), &first.to_uppercase().to_string());
    }
    GeneratedText { text, tokens }
}

/// Where the draws come from: one generator for each sequence, so that a sequence does not depend on those beside it.
enum Generators {
    Streams(Vec<Stream>),
    /// The notebooks' habit: seeded anew before every character of sequence n, with s, s + 2, s + 4, … where s is the
    /// request's seed plus n.
    Reseeded {
        first: u32,
    },
    Numpy(Box<RandomState>),
}

impl Generators {
    fn new(network: &Network, request: &Request) -> Self {
        let stream = |index| Stream::new(request.seed, &request.occasion, index as u64);
        match (network.experiment.rng, &network.experiment.numpy) {
            (Rng::Hatchery, _) => Self::Streams((0..request.count).map(stream).collect()),
            (Rng::Numpy, Some(numpy)) if numpy.reseed_each_character => Self::Reseeded { first: request.seed as u32 },
            (Rng::Numpy, _) => Self::Numpy(Box::new(RandomState::new(request.seed as u32))),
        }
    }

    fn uniform(&mut self, row: usize, position: usize) -> f64 {
        match self {
            Self::Streams(streams) => streams[row].uniform(),
            Self::Reseeded { first } => RandomState::new(*first + row as u32 + 2 * position as u32).random_sample(),
            Self::Numpy(state) => state.random_sample(),
        }
    }
}
