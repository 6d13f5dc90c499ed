//! Nothing of a text disappears without a count: what is left out, cut, repeated, held out or read in another way is said
//! where the number is that it changes.

mod growth;
mod splits;
mod texts;

use crate::lab::{Lab, TINY};

/// A lab with `tiny.toml` on a text of its own, `text.txt`.
fn on(text: impl AsRef<[u8]>) -> Lab {
    Lab::new().with("text.txt", text).with("tiny.toml", TINY.replace("\"dinosaurs\"", "\"text.txt\""))
}

/// `count` different lines of small letters.
fn lines(count: usize) -> String {
    let letter = |number: usize| char::from(b'a' + (number % 26) as u8);
    (0..count).map(|number| format!("{}{}n\n", letter(number), letter(number / 26))).collect()
}

/// What a command says on standard error.
fn said(lab: &Lab, line: &str) -> String {
    let outcome = lab.run(line);
    assert_eq!(outcome.code, Some(0), "{line}:\n{}{}", outcome.stdout, outcome.stderr);
    outcome.stderr
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}
