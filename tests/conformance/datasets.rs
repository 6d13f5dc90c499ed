//! A dataset with a key that chooses its mistake.

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

use hatchery_plugin::{prelude::*, serde_json::json};

use super::{assert_failures, report};

/// Every word is a document, or not quite.
///
/// ```toml
/// [dataset]
/// type = "words"
/// corpus = "dinos"
/// length = 8
/// ```
#[plugin(dataset = "words")]
#[derive(Debug)]
pub(super) struct Words {
    /// Symbols of a sequence.
    #[plugin(default)]
    length: Option<usize>,
    /// What it does wrong.
    #[plugin(default)]
    mistake: Mistake,
    /// What a pure function has not.
    #[serde(skip)]
    calls: AtomicU64,
}

/// What it does wrong.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mistake {
    #[default]
    None,
    RefusesShortTexts,
    RefusesWithoutReason,
    PanicsWhenEmpty,
    OutOfBounds,
    CutsCharacters,
    Overlaps,
    WrongOrder,
    MadeUpAnew,
    NoStride,
}

use Mistake as M;

impl Dataset for Words {
    fn documents(&self, source: &Source<'_>) -> Result<Documents, PluginError> {
        let text = source.text;
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut ranges = words(text);
        match self.mistake {
            M::RefusesShortTexts if text.len() < 5 => return Err(PluginError::new("a text has five letters")),
            M::RefusesWithoutReason => return Err(PluginError::new("")),
            M::PanicsWhenEmpty => drop(ranges.first().expect("there is a word").clone()),
            // The bug of whoever counts a newline after the last line that is not there.
            M::OutOfBounds => ranges.iter_mut().for_each(|range| range.end += 1),
            M::CutsCharacters => ranges = (0..text.len() / 2).map(|half| 2 * half..2 * half + 2).collect(),
            M::Overlaps => ranges.iter_mut().skip(1).for_each(|range| range.start = 0),
            M::WrongOrder => ranges.reverse(),
            M::MadeUpAnew => return Ok(Documents::Text(vec![calls.to_string()])),
            _ => {}
        }
        Ok(Documents::Ranges(ranges))
    }

    fn framing(&self) -> Framing {
        match self.mistake {
            M::NoStride => Framing::Windows { length: 3, stride: 0, predict: Predict::All },
            _ => Framing::Documents {
                start: None,
                end: Some('\n'),
                padding: '\n',
                length: self.length,
                count_padding: false,
            },
        }
    }
}

fn words(text: &str) -> Vec<Range<usize>> {
    let start = |word: &str| word.as_ptr().addr() - text.as_ptr().addr();
    text.split_whitespace().map(|word| start(word)..start(word) + word.len()).collect()
}

hatchery_plugin::plugins![Words];

#[track_caller]
fn fails(mistake: M, expected: &[(&str, &str)]) {
    assert_failures(&report(&plugins(), Kind::Dataset, "words", json!({ "mistake": mistake })), expected);
}

/// Guards against checks that are too strict; a refusal with a reason is none of the plugin's mistakes.
#[test]
fn a_sound_dataset_passes() {
    hatchery_plugin::conformance!(plugins(), dataset "words");
    hatchery_plugin::conformance!(plugins(), dataset "words", { "length": 2 });
    hatchery_plugin::conformance!(plugins(), dataset "words", { "mistake": "refuses-short-texts" });
}

#[test]
fn a_text_that_is_not_met_with_an_answer_is_found() {
    fails(M::PanicsWhenEmpty, &[("any text", "for an empty text: it panicked: there is a word")]);
    fails(M::RefusesWithoutReason, &[("any text", "it refuses an empty text without a reason")]);
}

#[test]
fn ranges_that_do_not_fit_are_found() {
    fails(M::OutOfBounds, &[("ranges fit the text", "for a single letter: document 0 is 0..2 of a text of 1 bytes")]);
    fails(M::CutsCharacters, &[("ranges fit the text", "document 2, 4..6, is cut at byte 6, inside a character")]);
    fails(M::Overlaps, &[("ranges fit the text", "for lines: document 1, 0..9, begins before the end")]);
    fails(M::WrongOrder, &[("ranges fit the text", "for lines: document 1, 5..9, begins before the end")]);
}

#[test]
fn documents_that_change_are_found() {
    fails(M::MadeUpAnew, &[("same documents again", "gives other documents")]);
}

#[test]
fn a_framing_that_never_ends_is_found() {
    fails(M::NoStride, &[("framing makes sense", "stride must be at least 1, not 0")]);
    let short = report(&plugins(), Kind::Dataset, "words", json!({ "length": 1 }));
    assert_failures(&short, &[("framing makes sense", "must be at least 2, not 1")]);
}
