/// Divides the logits by a temperature: replace this line by what your sampler does.
///
/// ```toml
/// [[sampler]]
/// type = "@name@"
/// temperature = 0.8
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct @Type@ {
    /// What the logits are divided by.
    #[schemars(range(min = 0.01))]
    pub temperature: f64,
}

impl Sampler for @Type@ {
    fn process(&self, logits: &mut [f64], _history: &[Token]) {
        // A temperature near zero makes numbers too large to write down, which the largest logit taken from all avoids.
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if largest.is_finite() {
            logits.iter_mut().for_each(|logit| *logit = (*logit - largest) / self.temperature);
        }
    }
}
