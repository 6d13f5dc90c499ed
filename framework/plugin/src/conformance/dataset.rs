//! What every dataset must keep to.
//!
//! | check | finds |
//! | --- | --- |
//! | any text | a panic for an empty text, a missing newline or a character of several bytes |
//! | ranges fit the text | a document out of bounds, inside a character, or overlapping another |
//! | same documents again | an order or generated text that changes from run to run: it could not be resumed |
//! | framing makes sense | a length or stride of zero, which would never come to an end |
//!
//! A dataset may refuse a text that is not of its form, with a reason.

use std::ops::Range;

use super::report::{Report, Verdict, attempt};
use crate::{Dataset, Documents, Framing, PluginError, Source};

/// Texts as a corpus could be.
const TEXTS: [(&str, &str); 13] = [
    ("an empty text", ""),
    ("a single letter", "a"),
    ("a single newline", "\n"),
    ("lines", "anna\nbert\ncleo\n"),
    ("lines, the last without its newline", "anna\nbert\ncleo"),
    ("lines that end in carriage return and newline", "anna\r\nbert\r\ncleo\r\n"),
    ("blank lines", "\n\nanna\n\n\nbert\n \n\n"),
    ("lines with spaces and tabs at their ends", "  anna \n\tbert\t\n"),
    ("characters of two to four bytes", "Zoë\n李雷\n🦕🦖\nåse\u{301}\n"),
    ("a character of four bytes alone", "🦕"),
    ("a byte order mark", "\u{feff}anna\nbert\n"),
    ("other line ends of Unicode", "anna\u{2028}bert\u{85}cleo\u{0}\n"),
    ("a line of 3000 characters", LONG),
];

const LONG: &str = {
    const BYTES: [u8; 3000] = [b'x'; 3000];
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => panic!("the letter x is a character"),
    }
};

/// Makes the checks of this file. `twin` is built from the same keys.
pub(super) fn check(report: &mut Report, dataset: &dyn Dataset, twin: &dyn Dataset) {
    report.run("framing makes sense", || framing(dataset));
    if !report.run("any text", || any_text(dataset)) {
        return;
    }
    report.run("ranges fit the text", || ranges_fit(dataset));
    report.run("same documents again", || same_again(dataset, twin));
}

fn documents(dataset: &dyn Dataset, text: &str) -> Result<Documents, PluginError> {
    dataset.documents(&Source { name: "conformance", text })
}

fn any_text(dataset: &dyn Dataset) -> Verdict {
    let mut refused = Vec::new();
    for (what, text) in TEXTS {
        let answer = attempt(|| documents(dataset, text)).map_err(|panic| format!("for {what}: {panic}"))?;
        if let Err(fault) = answer {
            if fault.message.trim().is_empty() {
                return Err(format!("it refuses {what} without a reason"));
            }
            refused.push(format!("{what} ({})", fault.message));
        }
    }
    match &refused[..] {
        [] => Ok(format!("{} texts", TEXTS.len())),
        _ => Ok(format!("{} texts, refuses {}", TEXTS.len(), refused.join(", "))),
    }
}

fn ranges_fit(dataset: &dyn Dataset) -> Verdict {
    let mut count = 0;
    for (what, text) in TEXTS {
        if let Ok(Documents::Ranges(ranges)) = documents(dataset, text) {
            fit(&ranges, text).map_err(|wrong| format!("for {what}: {wrong}"))?;
            count += ranges.len();
        }
    }
    Ok(format!("{count} ranges"))
}

fn fit(ranges: &[Range<usize>], text: &str) -> Result<(), String> {
    for (index, range) in ranges.iter().enumerate() {
        let Range { start, end } = *range;
        if start > end || end > text.len() {
            return Err(format!("document {index} is {range:?} of a text of {} bytes", text.len()));
        }
        if let Some(byte) = [start, end].into_iter().find(|byte| !text.is_char_boundary(*byte)) {
            return Err(format!("document {index}, {range:?}, is cut at byte {byte}, inside a character"));
        }
        if index > 0 && start < ranges[index - 1].end {
            return Err(format!(
                "document {index}, {range:?}, begins before the end of the one before, {:?}; documents are in the \
                 order of the text and share nothing, or what is held out would be trained on",
                ranges[index - 1]
            ));
        }
    }
    Ok(())
}

fn same_again(dataset: &dyn Dataset, twin: &dyn Dataset) -> Verdict {
    let first: Vec<_> = TEXTS.iter().map(|(_, text)| documents(dataset, text)).collect();
    for (what, plugin) in [("the second time", dataset), ("a second dataset of the same keys", twin)] {
        for ((text_is, text), first) in TEXTS.iter().zip(&first).rev() {
            if documents(plugin, text) != *first {
                return Err(format!(
                    "for {text_is}, {what} gives other documents; generated text must come from a generator whose seed \
                     is a key"
                ));
            }
        }
    }
    Ok(format!("{} texts, twice and by a second dataset", TEXTS.len()))
}

fn framing(dataset: &dyn Dataset) -> Verdict {
    let framing = dataset.framing();
    if framing != dataset.framing() {
        return Err("`framing()` says something else the second time; it must depend on keys only".into());
    }
    let (what, least, value) = match framing {
        Framing::Documents { length: Some(length), .. } => ("length (inputs are all but the last symbol)", 2, length),
        Framing::Documents { length: None, .. } => ("length", 0, 0),
        Framing::Windows { length: 0, .. } => ("length", 1, 0),
        Framing::Windows { stride, .. } => ("stride", 1, stride),
        Framing::Stream { steps } => ("steps", 1, steps),
    };
    if value < least {
        return Err(format!(
            "{what} must be at least {least}, not {value}; say so in the schema: `range(min = {least})`"
        ));
    }
    Ok(format!("{framing:?}"))
}
