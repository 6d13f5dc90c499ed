/// Divides the logits by a temperature: replace this line by what your sampler does.
///
/// ```toml
/// [[sampler]]
/// type = "@name@"
/// temperature = 0.8
/// ```
#[plugin(sampler = "@name@")]
pub struct @Type@ {
    /// What the logits are divided by.
    #[plugin(min = 0.01)]
    pub temperature: f64,
}

impl Sampler for @Type@ {
    fn process(&self, logits: &mut [f64], _history: &[Token]) {
        // The largest logit is subtracted first: divided by a small temperature, logits could overflow.
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if largest.is_finite() {
            logits.iter_mut().for_each(|logit| *logit = (*logit - largest) / self.temperature);
        }
    }
}
