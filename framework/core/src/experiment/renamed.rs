//! Keys with another name than in earlier versions, which spelled them as in British English.
//!
//! A file with an old name is refused with the new one, and [`rename`] rewrites it. What an earlier version recorded
//! (in checkpoints and in the folders of runs) is rewritten as it is read.

use toml::de::{DeTable, DeValue};

/// The table, the key's old name and its present one.
const RENAMED: [(&str, &str, &str); 2] =
    [("model", "initialiser", "initializer"), ("sample", "capitalise", "capitalize")];

/// The present name of a key of a table, if it had another one.
pub(crate) fn present_name(table: &str, key: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(of, old, _)| (*of, *old) == (table, key)).map(|(_, _, new)| *new)
}

/// The text of an experiment with every old name replaced, comments and layout kept, and what was replaced:
/// ``[model] `initialiser` → `initializer` ``. A text that is not valid TOML stays as it is.
pub fn rename(text: &str) -> (String, Vec<String>) {
    let (mut text, mut replaced) = (text.to_owned(), Vec::new());
    // One at a time: a table that is written as dotted keys repeats its name, and each repetition is found in turn.
    while let Some((start, (table, old, new))) = first_old_name(&text) {
        text.replace_range(start..start + old.len(), new);
        let what = format!("[{table}] `{old}` → `{new}`");
        if !replaced.contains(&what) {
            replaced.push(what);
        }
    }
    (text, replaced)
}

/// The byte at which an old name stands, and which one it is.
fn first_old_name(text: &str) -> Option<(usize, (&'static str, &'static str, &'static str))> {
    let document = DeTable::parse(text).ok()?;
    RENAMED.into_iter().find_map(|(table, old, new)| {
        let DeValue::Table(keys) = document.get_ref().get(table)?.get_ref() else { return None };
        let (key, _) = keys.iter().find(|(key, _)| key.get_ref() == old)?;
        // The span of a quoted key includes its quotes; a key with escapes is left to the check that refuses it.
        let span = key.span();
        let start = span.start + text.get(span)?.find(old)?;
        Some((start, (table, old, new)))
    })
}
