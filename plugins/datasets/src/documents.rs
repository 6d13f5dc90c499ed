//! `documents`: examples of several lines, separated by a text of one's own.

use hatchery_plugin::{Documents as Parts, prelude::*};

use crate::lines::{Symbol, strip};

/// Examples of several lines: poems, recipes, functions.
///
/// The text is cut at a delimiter, a blank line unless another is given. Each part becomes a sequence as a line does with
/// `lines`: the start symbol if there is one, the part, the end symbol. As a newline may stand within a part, the end
/// symbol is another character, U+0003 (end of text) unless another is given.
///
/// Files of a folder and values of a table are documents with a separator that is in none of them:
/// `corpus = { glob = "poems/*.txt", separator = "\u001E" }` or
/// `corpus = { glob = "posts.csv", column = "text", separator = "\u001E" }`, and `delimiter = "\u001E"`.
///
/// ```toml
/// [dataset]
/// type = "documents"
/// corpus = "poems.txt"
/// delimiter = "\n\n"
/// ```
#[plugin(dataset = "documents")]
#[derive(Clone, Debug)]
pub struct Documents {
    /// What separates two documents.
    #[plugin(default = "\n\n".to_owned())]
    pub delimiter: String,
    /// The first input; without one it is a vector of zeros.
    pub start: Option<char>,
    /// The last target; `""` for none.
    #[plugin(default = Symbol(Some('\u{3}')))]
    pub end: Symbol,
    /// What fills sequences up; the end symbol unless given.
    pub padding: Option<char>,
    /// Cut and pad every sequence to this many symbols, start and end included; else pad to the longest of a batch.
    #[plugin(min = 2)]
    pub length: Option<usize>,
    /// Whether predictions of padding count in the loss.
    #[plugin(default)]
    pub count_padding: bool,
    /// Whether white space around a document is left out.
    #[plugin(default = true)]
    pub strip: bool,
    /// Whether empty documents are left out.
    #[plugin(default = true)]
    pub skip_empty: bool,
}

// ANCHOR: dataset
impl Dataset for Documents {
    fn documents(&self, source: &Source<'_>) -> Result<Parts, PluginError> {
        if self.end.0.is_none() && self.padding.is_none() {
            return Err(PluginError::new("without an end symbol there is nothing to pad with").hint("set `padding`"));
        }
        if self.delimiter.is_empty() {
            return Err(PluginError::new("an empty `delimiter` separates nothing").hint("leave it out for blank lines"));
        }
        let mut at = 0;
        // Behind the last delimiter nothing begins.
        let all = source.text.strip_suffix(&self.delimiter).unwrap_or(source.text);
        let parts = all.split(&self.delimiter).map(|part| {
            let range = at..at + part.len();
            at = range.end + self.delimiter.len();
            if self.strip { strip(source.text, range) } else { range }
        });
        Ok(Parts::Ranges(parts.filter(|part| !self.skip_empty || !part.is_empty()).collect()))
    }

    fn framing(&self) -> Framing {
        Framing::Documents {
            start: self.start,
            end: self.end.0,
            // `documents` refuses the case in which there is neither.
            padding: self.padding.or(self.end.0).unwrap_or('\n'),
            length: self.length,
            count_padding: self.count_padding,
        }
    }
}
// ANCHOR_END: dataset
