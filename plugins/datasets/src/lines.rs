//! `lines`: one example a line, as lists of names are kept.

use std::{borrow::Cow, ops::Range};

use hatchery_plugin::{
    prelude::*,
    schemars::{JsonSchema, Schema, SchemaGenerator, json_schema},
    serde::{Deserialize, Serialize},
};

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
#[plugin(dataset = "lines")]
#[derive(Clone, Debug)]
pub struct Lines {
    /// The first input; without one it is a vector of zeros.
    pub start: Option<char>,
    /// The last target; `""` for none.
    #[plugin(default = Symbol(Some('\n')))]
    pub end: Symbol,
    /// What fills sequences up; the end symbol unless given.
    pub padding: Option<char>,
    /// Cut and pad every sequence to this many symbols, start and end included; else pad to the longest of a batch.
    #[plugin(min = 2)]
    pub length: Option<usize>,
    /// Whether predictions of padding count in the loss.
    #[plugin(default)]
    pub count_padding: bool,
    /// Whether white space around a line is left out.
    #[plugin(default = true)]
    pub strip: bool,
    /// Whether empty lines are left out.
    #[plugin(default = true)]
    pub skip_empty: bool,
}

// ANCHOR: dataset
impl Dataset for Lines {
    fn documents(&self, source: &Source<'_>) -> Result<Documents, PluginError> {
        if self.end.0.is_none() && self.padding.is_none() {
            return Err(PluginError::new("without an end symbol there is nothing to pad with").hint("set `padding`"));
        }
        let lines = lines(source.text).map(|line| if self.strip { strip(source.text, line) } else { line });
        Ok(Documents::Ranges(lines.filter(|line| !self.skip_empty || !line.is_empty()).collect()))
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

/// A part of a text without the white space around it.
pub(crate) fn strip(text: &str, line: Range<usize>) -> Range<usize> {
    let start = line.end - text[line.clone()].trim_start().len();
    start..start + text[start..line.end].trim_end().len()
}

/// A character or none, which in a file is `""`: TOML has no value for none.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(crate = "hatchery_plugin::serde", try_from = "String", into = "String")]
pub struct Symbol(pub Option<char>);

impl TryFrom<String> for Symbol {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut symbols = text.chars();
        match (symbols.next(), symbols.next()) {
            (symbol, None) => Ok(Self(symbol)),
            _ => Err(format!("`end` is one character or none, not {text:?}")),
        }
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> Self {
        symbol.0.map(Self::from).unwrap_or_default()
    }
}

impl JsonSchema for Symbol {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Symbol".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 1 })
    }
}
