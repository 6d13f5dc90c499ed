//! Several files as one text: all that match a pattern, or a column of each.

use std::path::Path;

use super::{Text, line, shown, table};
use crate::error::{Error, Problem, Result};

/// Every file that the pattern matches, in the order of their paths, or a column of each, with the separator between files
/// and values; without one, what does not end a line gets a newline.
pub(super) fn open(pattern: &str, column: Option<&str>, separator: Option<&str>, folder: &Path) -> Result<Text> {
    let full = Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join(pattern);
    let matches = glob::glob(&full.to_string_lossy()).map_err(|error| {
        Problem::new(format!("`{pattern}` is not a pattern: {}", error.msg))
            .hint("`*` stands for any part of a name, `**` for any folders, `?` for one character")
    })?;
    let mut paths = Vec::new();
    for path in matches {
        let path = path.map_err(|error| Error::internal(format!("cannot search for `{pattern}`"), error))?;
        if path.is_file() {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        let problem =
            Problem::new(format!("no file matches `{pattern}`")).note(format!("looked in: {}", shown(folder)));
        let hint = if folder.join(pattern).is_dir() {
            format!("it is a folder; its texts are \"{}/*.txt\"", pattern.trim_end_matches('/'))
        } else {
            "`*` stands for any part of a name, `**` for any folders".to_owned()
        };
        return Err(problem.hint(hint).into());
    }
    paths.sort();
    let mut all = String::new();
    for path in paths {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        let file = Text::read(&name, &path)?;
        match column {
            Some(column) => {
                let separator = separator.unwrap_or("\n");
                for value in table::column(&name, file.as_str(), column)? {
                    append(&mut all, &value, Some(separator), &name)?;
                }
            }
            None => append(&mut all, file.as_str(), separator, &name)?,
        }
    }
    Ok(Text::new(pattern, all))
}

/// Appends a part of a text and what separates it from the next. Without a separator that is a newline, unless it has one.
fn append(all: &mut String, part: &str, separator: Option<&str>, name: &str) -> Result<()> {
    if let Some(offset) = separator.and_then(|separator| part.find(separator)) {
        let line = line(part.as_bytes(), offset);
        return Err(Problem::new(format!("a text of `{name}` contains what separates it from the next, in its line {line}"))
            .hint("set a `separator` that is in none, for example \"\\u001E\", and [dataset] type = \"documents\" with it as `delimiter`")
            .into());
    }
    all.push_str(part);
    match separator {
        Some(separator) => all.push_str(separator),
        None if !all.ends_with('\n') => all.push('\n'),
        None => {}
    }
    Ok(())
}
