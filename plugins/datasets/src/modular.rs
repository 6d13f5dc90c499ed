//! `modular`: a task with a known answer, for which a cell has to count round a circle.

use hatchery_plugin::prelude::*;

use crate::{Longer, draw, drawn};

/// Digits drawn at random, an equals sign, and their sum modulo a number: `2011=1` with `modulus = 3`. With 2 it is parity.
///
/// The answer depends on every digit, and no part of it can be seen before the end. How many digits there are is drawn from 1
/// to `length`. With a modulus of `m` and `n` for `length`, the best cross-entropy is
/// `(ln n + (n + 1) / 2 ln m) / ((n + 1) / 2 + 3)` nats per character; a model that forgets the sum pays `ln m` more for a
/// document. Of the `longer` documents each has exactly its length. The documents are the same on every machine; the corpus is
/// not read.
///
/// ```toml
/// [dataset]
/// type = "modular"
/// corpus = "none"
/// modulus = 2
/// length = 16
/// documents = 20000
/// ```
#[plugin(dataset = "modular")]
#[derive(Clone, Debug)]
pub struct Modular {
    /// The modulus; digits are below it.
    #[plugin(min = 2, max = 10)]
    pub modulus: u8,
    /// The most digits.
    #[plugin(min = 1, max = 10_000)]
    pub length: usize,
    /// How many documents there are.
    #[plugin(min = 1, max = 10_000_000)]
    pub documents: usize,
    /// Documents of another length, behind all others.
    pub longer: Option<Longer>,
    /// The seed of the digits, apart from the experiment's.
    #[plugin(default)]
    pub seed: u64,
}

// ANCHOR: dataset
impl Dataset for Modular {
    fn documents(&self, _: &Source<'_>) -> Result<Documents, PluginError> {
        let modulus = u64::from(self.modulus);
        Ok(drawn(self.documents, self.length, self.longer.as_ref(), self.seed, |state, length, is_longer| {
            let count = if is_longer { length } else { 1 + (draw(state) % length as u64) as usize };
            let digits: Vec<u64> = (0..count).map(|_| draw(state) % modulus).collect();
            let text: String = digits.iter().map(ToString::to_string).collect();
            format!("{text}={}", digits.iter().sum::<u64>() % modulus)
        }))
    }

    fn framing(&self) -> Framing {
        Framing::Documents { start: None, end: Some('\n'), padding: '\n', length: None, count_padding: false }
    }
}
// ANCHOR_END: dataset
