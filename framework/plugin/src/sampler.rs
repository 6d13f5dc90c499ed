//! The sampler: the processing of the model's logits before a token is drawn.

/// The index of a symbol in the vocabulary.
pub type Token = u32;

#[diagnostic::on_unimplemented(
    message = "`{Self}` is declared as a sampler and does nothing yet",
    label = "write `impl Sampler for {Self}`"
)]
// ANCHOR: trait
/// Processes the logits from which the next token is drawn. An experiment may chain several.
pub trait Sampler: Send + Sync {
    /// Processes the logits in place: unnormalized log-probabilities in nats, one for each token of the vocabulary. A
    /// token is ruled out with `f64::NEG_INFINITY`; at least one must remain. `history` holds the tokens of the
    /// sequence so far, the prompt included, oldest first.
    ///
    /// A sampler never draws: the framework does, from the softmax of what the last sampler leaves, with its own
    /// generator. That is why samplers chain and why a draw can always be repeated.
    fn process(&self, logits: &mut [f64], history: &[Token]);
}
// ANCHOR_END: trait
