//! `repetition-penalty`: tokens that were there already become less likely.

use std::collections::HashSet;

use hatchery_plugin::prelude::*;

/// Makes tokens that the sequence holds already less likely: their logits are divided by the penalty, negative ones
/// multiplied by it.
///
/// Keskar et al. (2019), section 4.1, whose equation divides every logit; dividing a negative one would make its token
/// more likely. A token counts once however often it occurs. What the signs of logits mean depends on the samplers
/// before this one: put it first. A penalty of 1 changes nothing.
///
/// ```toml
/// [[sampler]]
/// type = "repetition-penalty"
/// penalty = 1.2
/// window = 20
/// ```
#[plugin(sampler = "repetition-penalty")]
#[derive(Clone, Debug, PartialEq)]
pub struct RepetitionPenalty {
    /// What logits are divided by, negative ones multiplied.
    #[plugin(min = 1.0)]
    pub penalty: f64,
    /// How many of the last tokens count; without it all of them do.
    #[plugin(min = 1)]
    pub window: Option<usize>,
}

// ANCHOR: sampler
impl Sampler for RepetitionPenalty {
    fn process(&self, logits: &mut [f64], history: &[Token]) {
        let window = self.window.unwrap_or(usize::MAX);
        let recent: HashSet<Token> = history.iter().rev().take(window).copied().collect();
        for token in recent {
            let Some(logit) = logits.get_mut(token as usize).filter(|logit| logit.is_finite()) else { continue };
            // A product too small to write down must not rule its token out: it may be the last one.
            *logit = if *logit > 0.0 { *logit / self.penalty } else { (*logit * self.penalty).max(f64::MIN) };
        }
    }
}
// ANCHOR_END: sampler
