//! `brackets`: a task with a known answer, for which a cell needs a stack.

use hatchery_plugin::prelude::*;

use crate::draw;

/// Balanced brackets of several kinds, nested to a bounded depth: `([]{[]})`.
///
/// A document begins with an opening bracket and ends when that is closed. In between a coin is tossed: heads opens
/// another bracket, of a kind drawn at random, tails closes the innermost. At the greatest depth the innermost is closed
/// without a toss. The kind of a closing bracket follows from those that are open.
///
/// The best cross-entropy is known. The depth is a random walk from 1 to 0, reflected at the greatest depth `d`. From
/// 1 it takes `2 d − 1` steps on average, so that a document has `2 d` brackets, `d` of them opening. The walk is at the
/// greatest depth once on average, and every other step is a toss: `2 d − 2`. A toss costs `ln 2` nats, a kind out of `k`
/// costs `ln k`, all else is certain. With the final newline that is `((2 d − 2) ln 2 + d ln k) / (2 d + 1)` nats per
/// character. A model that counts the depth but forgets the kinds pays `d ln k` a second time. The documents are the same
/// on every machine; the corpus is not read.
///
/// ```toml
/// [dataset]
/// type = "brackets"
/// corpus = "none"
/// kinds = 3
/// depth = 5
/// documents = 20000
/// ```
#[plugin(dataset = "brackets")]
#[derive(Clone, Debug)]
pub struct Brackets {
    /// How many of `()`, `[]`, `{}` and `<>` there are.
    #[plugin(min = 1, max = 4)]
    pub kinds: usize,
    /// How many may be open at once.
    #[plugin(min = 1, max = 100)]
    pub depth: usize,
    /// How many documents there are.
    #[plugin(min = 1, max = 10_000_000)]
    pub documents: usize,
    /// The seed of the tosses, apart from the experiment's.
    #[plugin(default)]
    pub seed: u64,
}

/// Opening and closing, by kind.
const KINDS: [(char, char); 4] = [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>')];

// ANCHOR: dataset
impl Dataset for Brackets {
    fn documents(&self, _: &Source<'_>) -> Result<Documents, PluginError> {
        let mut state = self.seed;
        Ok(Documents::Text((0..self.documents).map(|_| self.document(&mut state)).collect()))
    }

    fn framing(&self) -> Framing {
        Framing::Documents { start: None, end: Some('\n'), padding: '\n', length: None, count_padding: false }
    }
}

impl Brackets {
    fn document(&self, state: &mut u64) -> String {
        let mut text = String::new();
        let mut closing = Vec::new();
        loop {
            let may_open = closing.len() < self.depth;
            if closing.is_empty() || (may_open && draw(state).is_multiple_of(2)) {
                let (open, close) = KINDS[(draw(state) % self.kinds as u64) as usize];
                text.push(open);
                closing.push(close);
            } else {
                text.extend(closing.pop());
            }
            if closing.is_empty() {
                return text;
            }
        }
    }
}
// ANCHOR_END: dataset
