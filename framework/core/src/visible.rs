//! Text from outside, safe to show on a terminal.
//!
//! A sample, the name of a folder or a recorded experiment may hold characters that a terminal obeys: escape sequences
//! move the cursor and change what was printed before, marks of direction reorder a line, and characters without width
//! make two names look the same.

use std::borrow::Cow;

/// The text with every control character, mark of direction and character without width as its escape, `\u{1b}`. Ends of
/// lines and tabs stay.
///
/// ```
/// use hatchery::visible::escape;
///
/// assert_eq!(escape("a\tb\r\n"), "a\tb\r\n");
/// assert_eq!(escape("\u{1b}[2J \u{202e}"), r"\u{1b}[2J \u{202e}");
/// ```
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    while let Some(symbol) = rest.next() {
        let ends_line = symbol == '\r' && rest.peek() == Some(&'\n');
        if is_hidden(symbol) && !ends_line {
            shown.extend(symbol.escape_unicode());
        } else {
            shown.push(symbol);
        }
    }
    Cow::Owned(shown)
}

/// A character alone, where it could not be seen: a space as `␣`, a line end as `\n`.
///
/// ```
/// use hatchery::visible::symbol;
///
/// assert_eq!([' ', '\n', 'a', '\u{a0}'].map(symbol), ["␣", "\\n", "a", "\\u{a0}"]);
/// ```
pub fn symbol(symbol: char) -> String {
    match symbol {
        ' ' => "␣".to_owned(),
        '\'' | '"' | '\\' => symbol.to_string(),
        other => other.escape_debug().to_string(),
    }
}

/// Whether a character has no picture of its own, or changes the picture of others.
fn is_hidden(symbol: char) -> bool {
    matches!(
        symbol,
        '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' // controls, but tab and newline
            | '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // direction
            | '\u{2028}'..='\u{2029}' // ends of lines and paragraphs
            | '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' // no width
            | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{3164}' | '\u{ffa0}' // fillers
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' // format and tags
    )
}
