//! `recall`: a task with a known answer, for which a cell has to look up values by their keys.

use hatchery_plugin::prelude::*;

use crate::{Longer, draw, drawn};

/// Pairs of a letter and a digit, a bar, and the same pairs in another order: `c4a1f9|f9c4a1` (multi-query associative recall;
/// Arora et al. 2023, arXiv 2312.04927).
///
/// The letters of a document differ, so that each digit behind the bar follows from its letter. With `n` pairs of `k` letters and
/// `v` digits, and a final newline, the best cross-entropy is `(ln(k! / (k − n)!) + n ln v + ln(n!)) / (4 n + 2)` nats per
/// character; a model that remembers the letters and not their digits pays `n ln v` more for a document. The documents are the
/// same on every machine; the corpus is not read.
///
/// ```toml
/// [dataset]
/// type = "recall"
/// corpus = "none"
/// letters = 16
/// digits = 4
/// length = 4
/// documents = 20000
/// ```
#[plugin(dataset = "recall")]
#[derive(Clone, Debug)]
pub struct Recall {
    /// The number of letters, from `a` on.
    #[plugin(min = 2, max = 26)]
    pub letters: u8,
    /// The number of digits, from `0` on.
    #[plugin(min = 2, max = 10)]
    pub digits: u8,
    /// Pairs to remember, as many as there are letters at most.
    #[plugin(min = 1, max = 26)]
    pub length: usize,
    /// How many documents there are.
    #[plugin(min = 1, max = 10_000_000)]
    pub documents: usize,
    /// Documents of another length, behind all others.
    pub longer: Option<Longer>,
    /// The seed of the pairs, apart from the experiment's.
    #[plugin(default)]
    pub seed: u64,
}

// ANCHOR: dataset
impl Dataset for Recall {
    fn documents(&self, _: &Source<'_>) -> Result<Documents, PluginError> {
        let letters = usize::from(self.letters);
        let most = self.longer.as_ref().map_or(0, |longer| longer.length).max(self.length);
        if most > letters {
            let wrong = format!("{most} pairs need as many letters, and there are {letters}");
            return Err(PluginError::new(wrong).hint(format!("`letters = {most}`, or a smaller `length`")));
        }
        Ok(drawn(self.documents, self.length, self.longer.as_ref(), self.seed, |state, length, _| {
            let mut all: Vec<u8> = (b'a'..).take(letters).collect();
            shuffle(&mut all, state);
            let mut pairs: Vec<(u8, u64)> =
                all.iter().take(length).map(|letter| (*letter, draw(state) % u64::from(self.digits))).collect();
            let text = |pairs: &[(u8, u64)]| -> String {
                pairs.iter().map(|(letter, digit)| format!("{}{digit}", char::from(*letter))).collect()
            };
            let shown = text(&pairs);
            shuffle(&mut pairs, state);
            format!("{shown}|{}", text(&pairs))
        }))
    }

    fn framing(&self) -> Framing {
        Framing::Documents { start: None, end: Some('\n'), padding: '\n', length: None, count_padding: false }
    }
}
// ANCHOR_END: dataset

/// Fisher and Yates (1938).
fn shuffle<T>(items: &mut [T], state: &mut u64) {
    for last in (1..items.len()).rev() {
        items.swap(last, (draw(state) % (last as u64 + 1)) as usize);
    }
}
