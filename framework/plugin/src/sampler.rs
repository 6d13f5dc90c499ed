//! The sampler: what happens to the model's logits before a token is drawn.

/// The index of a symbol in the vocabulary.
pub type Token = u32;

// ANCHOR: trait
/// Reshapes the distribution from which the next token is drawn. An experiment may chain several.
pub trait Sampler: Send + Sync {
    /// Changes the logits in place: unnormalized log-probabilities in nats, one for each token of the vocabulary. A
    /// token is ruled out with `f64::NEG_INFINITY`; at least one must remain. `history` holds the tokens of the
    /// sequence so far, the prompt included, oldest first.
    ///
    /// A sampler never draws: the framework does, from the softmax of what the last sampler leaves, with its own
    /// generator. That is why samplers chain and why a draw can always be repeated.
    fn process(&self, logits: &mut [f64], history: &[Token]);
}
// ANCHOR_END: trait
