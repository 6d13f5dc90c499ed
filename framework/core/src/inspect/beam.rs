//! Beam search: the most likely continuations of a prefix, where generation draws one by chance.

use hatchery_plugin::Token;

use super::{
    context::Context,
    generate::{GeneratedText, Request, diverged, generated},
};
use crate::{data::encode_prefix, error::Result, network::Network, random};

/// A continuation that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    /// Its text, the prefix included.
    pub sequence: GeneratedText,
    /// −ln of its probability after the prefix, after the samplers.
    pub nats: f64,
}

/// A sequence under way.
#[derive(Clone)]
struct Beam {
    tokens: Vec<Token>,
    nats: f64,
    ended: bool,
}

/// The `width` most likely continuations that are found when as many are kept after every character, the most likely first.
/// The samplers' chain says which tokens may follow and how likely they are; nothing is drawn.
///
/// Every step reads the kept sequences from their first input again, since executors cannot exchange the states of
/// sequences: the time grows with the square of the length.
///
/// # Errors
/// Those of [`generate`](super::generate::generate).
pub fn beam(network: &mut Network, request: &Request, width: usize) -> Result<Vec<Continuation>> {
    let prefix = encode_prefix(&network.vocabulary, &request.prefix)?;
    let context = Context::of(&network.framing, &network.vocabulary, !prefix.is_empty());
    let mut beams = vec![Beam { tokens: prefix, nats: 0.0, ended: false }];
    for _ in 0..request.length {
        let (mut next, open): (Vec<_>, Vec<_>) = beams.into_iter().partition(|beam| beam.ended);
        if open.is_empty() {
            beams = next;
            break;
        }
        let sequences: Vec<_> = open.iter().map(|beam| beam.tokens.clone()).collect();
        let mut logits = context.read(network.executor.as_mut(), &sequences)?; // [open × vocabulary]
        for (beam, logits) in open.iter().zip(logits.chunks_mut(network.vocabulary.len())) {
            next.extend(extended(network, beam, logits, &context)?);
        }
        next.sort_by(|one, other| one.nats.total_cmp(&other.nats));
        next.truncate(width);
        beams = next;
    }
    let continuation =
        |beam: Beam| Continuation { sequence: generated(network, beam.tokens, request.capitalize), nats: beam.nats };
    Ok(beams.into_iter().map(continuation).collect())
}

/// A sequence with each token that may follow it.
fn extended(network: &Network, beam: &Beam, logits: &mut [f64], context: &Context) -> Result<Vec<Beam>> {
    if !random::drawable(logits) {
        return Err(diverged().into());
    }
    for sampler in &network.samplers {
        sampler.process(logits, &beam.tokens)?;
    }
    let follow = |(token, probability): (usize, f64)| {
        let (token, mut tokens) = (token as Token, beam.tokens.clone());
        let ended = Some(token) == context.end;
        if !ended {
            tokens.push(token);
        }
        Beam { tokens, nats: beam.nats - probability.ln(), ended }
    };
    let likely = random::softmax(logits).into_iter().enumerate().filter(|(_, probability)| *probability > 0.0);
    Ok(likely.map(follow).collect())
}
