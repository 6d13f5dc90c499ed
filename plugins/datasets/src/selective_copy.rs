//! `selective-copy`: a task with a known answer, for which a cell has to tell what to remember.

use hatchery_plugin::prelude::*;

use crate::{Longer, draw, drawn};

/// Letters drawn at random between dots, a bar, and the letters again without the dots: `..a.b...c|abc` (Gu and Dao 2023,
/// arXiv 2312.00752).
///
/// A cell that writes all its inputs alike fills its memory with dots. With `n` letters out of `k`, `d` dots in places drawn at
/// random and a final newline, the best cross-entropy is `(ln((n + d)! / (n! d!)) + n ln k) / (2 n + d + 2)` nats per character; a
/// model that remembers nothing pays `n ln k` more for a document. The documents are the same on every machine; the corpus is not
/// read.
///
/// ```toml
/// [dataset]
/// type = "selective-copy"
/// corpus = "none"
/// letters = 8
/// length = 4
/// dots = 8
/// documents = 20000
/// ```
#[plugin(dataset = "selective-copy")]
#[derive(Clone, Debug)]
pub struct SelectiveCopy {
    /// Out of how many letters each is drawn, from `a` on.
    #[plugin(min = 2, max = 26)]
    pub letters: u8,
    /// Letters to remember.
    #[plugin(min = 1, max = 10_000)]
    pub length: usize,
    /// Dots between them.
    #[plugin(min = 1, max = 10_000)]
    pub dots: usize,
    /// How many documents there are.
    #[plugin(min = 1, max = 10_000_000)]
    pub documents: usize,
    /// Documents of another length, behind all others.
    pub longer: Option<Longer>,
    /// The seed of letters and places, apart from the experiment's.
    #[plugin(default)]
    pub seed: u64,
}

// ANCHOR: dataset
impl Dataset for SelectiveCopy {
    fn documents(&self, _: &Source<'_>) -> Result<Documents, PluginError> {
        Ok(drawn(self.documents, self.length, self.longer.as_ref(), self.seed, |state, length, _| {
            let (mut text, mut letters) = (String::new(), String::new());
            // Each place is a letter with the probability that makes all arrangements equally likely.
            for left in (1..=length + self.dots).rev() {
                if draw(state) % (left as u64) < (length - letters.len()) as u64 {
                    let letter = char::from(b'a' + (draw(state) % u64::from(self.letters)) as u8);
                    text.push(letter);
                    letters.push(letter);
                } else {
                    text.push('.');
                }
            }
            format!("{text}|{letters}")
        }))
    }

    fn framing(&self) -> Framing {
        Framing::Documents { start: None, end: Some('\n'), padding: '\n', length: None, count_padding: false }
    }
}
// ANCHOR_END: dataset
