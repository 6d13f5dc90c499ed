//! `copy`: a task with a known answer, to see what a cell can remember.

use hatchery_plugin::prelude::*;

use crate::{Longer, draw, drawn};

/// Letters drawn at random, a bar, and the same letters again: `cabfde|cabfde`.
///
/// Nothing can predict the first letters better than chance, and a cell that remembers them predicts the rest for
/// certain. With `n` letters out of `k` and a final newline, the best cross-entropy is `n ln k / (2 n + 2)` nats per
/// character; a model that remembers nothing has twice that. The documents are the same on every machine; the corpus
/// is not read.
///
/// ```toml
/// [dataset]
/// type = "copy"
/// corpus = "none"
/// letters = 8
/// length = 6
/// documents = 20000
/// ```
#[plugin(dataset = "copy")]
#[derive(Clone, Debug)]
pub struct Copy {
    /// Out of how many letters each is drawn, from `a` on.
    #[plugin(min = 2, max = 26)]
    pub letters: u8,
    /// Letters to remember.
    #[plugin(min = 1, max = 10_000)]
    pub length: usize,
    /// How many documents there are.
    #[plugin(min = 1, max = 10_000_000)]
    pub documents: usize,
    /// Documents of another length, behind all others.
    pub longer: Option<Longer>,
    /// The seed of the letters, apart from the experiment's.
    #[plugin(default)]
    pub seed: u64,
}

// ANCHOR: dataset
impl Dataset for Copy {
    fn documents(&self, _: &Source<'_>) -> Result<Documents, PluginError> {
        let letter = |state: &mut u64| char::from(b'a' + (draw(state) % u64::from(self.letters)) as u8);
        Ok(drawn(self.documents, self.length, self.longer.as_ref(), self.seed, |state, length, _| {
            let letters: String = (0..length).map(|_| letter(state)).collect();
            format!("{letters}|{letters}")
        }))
    }

    fn framing(&self) -> Framing {
        Framing::Documents { start: None, end: Some('\n'), padding: '\n', length: None, count_padding: false }
    }
}
// ANCHOR_END: dataset
