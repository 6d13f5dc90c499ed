//! `no-repeat`: no sequence of n tokens comes twice.

use hatchery_plugin::prelude::*;

/// Rules out every token that would end a sequence of n tokens which the text holds already.
///
/// Paulus et al. (2018), section 2.5, who block trigrams in beam search. If that would rule out every token, nothing is
/// changed: put it before samplers that rule out others.
///
/// ```toml
/// [[sampler]]
/// type = "no-repeat"
/// n = 8
/// ```
#[plugin(sampler = "no-repeat")]
#[derive(Clone, Debug, PartialEq)]
pub struct NoRepeat {
    /// The length of the sequences, in tokens.
    #[plugin(min = 1)]
    pub n: usize,
}

// ANCHOR: sampler
impl Sampler for NoRepeat {
    fn process(&self, logits: &mut [f64], history: &[Token]) {
        let Some(from) = (history.len() + 1).checked_sub(self.n) else { return };
        let last = &history[from..]; // n − 1 tokens
        let repeats = history.windows(self.n).filter(|window| window.starts_with(last));
        let mut ruled_out = logits.to_vec();
        for token in repeats.filter_map(|window| window.last()) {
            if let Some(logit) = ruled_out.get_mut(*token as usize) {
                *logit = f64::NEG_INFINITY;
            }
        }
        if crate::largest(&ruled_out) > f64::NEG_INFINITY {
            logits.copy_from_slice(&ruled_out);
        }
    }
}
// ANCHOR_END: sampler
