//! `lines`: one example a line, as lists of names are kept.

use std::ops::Range;

use hatchery_plugin::prelude::*;

/// One example a line.
///
/// Each line becomes a sequence: the start symbol if there is one, the line, the end symbol. The sequences of a batch
/// are padded to a common length; the end symbol counts in the loss, the padding after it does not.
///
/// ```toml
/// [dataset]
/// type = "lines"
/// corpus = "given-names"
/// start = " "
/// end = "#"
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lines {
    /// The first input; without one it is a vector of zeros.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<char>,
    /// The last target; `""` for none.
    #[serde(default = "newline", with = "symbol")]
    #[schemars(with = "String", length(max = 1))]
    pub end: Option<char>,
    /// What fills sequences up; the end symbol unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<char>,
    /// Cut and pad every sequence to this many symbols, start and end included; else pad to the longest of a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2))]
    pub length: Option<usize>,
    /// Whether predictions of padding count in the loss.
    #[serde(default)]
    pub count_padding: bool,
    /// Whether white space around a line is left out.
    #[serde(default = "yes")]
    pub strip: bool,
    /// Whether empty lines are left out.
    #[serde(default = "yes")]
    pub skip_empty: bool,
}

// ANCHOR: dataset
impl Dataset for Lines {
    fn documents(&self, source: &Source<'_>) -> Result<Documents, PluginError> {
        if self.end.is_none() && self.padding.is_none() {
            return Err(PluginError::new("without an end symbol there is nothing to pad with").hint("set `padding`"));
        }
        let lines = lines(source.text).map(|line| if self.strip { strip(source.text, line) } else { line });
        Ok(Documents::Ranges(lines.filter(|line| !self.skip_empty || !line.is_empty()).collect()))
    }

    fn framing(&self) -> Framing {
        Framing::Documents {
            start: self.start,
            end: self.end,
            // `documents` refuses the case in which there is neither.
            padding: self.padding.or(self.end).unwrap_or('\n'),
            length: self.length,
            count_padding: self.count_padding,
        }
    }
}
// ANCHOR_END: dataset

/// The lines of a text, without their ends (`\n` or `\r\n`). What follows the last end is a line if it is not empty.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        let line = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        start..start + line.len()
    })
}

fn strip(text: &str, line: Range<usize>) -> Range<usize> {
    let start = line.end - text[line.clone()].trim_start().len();
    start..start + text[start..line.end].trim_end().len()
}

#[expect(clippy::unnecessary_wraps, reason = "the default of an optional key")]
fn newline() -> Option<char> {
    Some('\n')
}

fn yes() -> bool {
    true
}

/// A symbol or `""`: TOML has no value that says "none".
mod symbol {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde passes a field by reference")]
    pub(super) fn serialize<S: Serializer>(symbol: &Option<char>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&symbol.map(String::from).unwrap_or_default())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<char>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut symbols = text.chars();
        match (symbols.next(), symbols.next()) {
            (symbol, None) => Ok(symbol),
            _ => Err(D::Error::custom(format!("`end` is one character or none, not {text:?}"))),
        }
    }
}
