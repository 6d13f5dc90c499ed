//! How long a file and a function of the framework may be.

use super::text;
use crate::lab::files;

/// Lines of a file at most.
const FILE: usize = 400;
/// Lines of a function at most.
const FUNCTION: usize = 60;

/// Functions that are longer because they are a table, of one arm for each operation, and would be no clearer in two.
const TABLES: [(&str, &str, &str); 5] = [
    ("framework/compile/src/ir/lower/operations.rs", "numeric", "one arm for each of Burn's operations on numbers"),
    ("framework/compile/src/kernels/update.rs", "update", "one arm for each optimizer"),
    ("framework/core/src/import/pickle.rs", "run", "one arm for each of pickle's instructions"),
    ("framework/core/src/replay/float.rs", "numeric", "one arm for each of Burn's operations on floats"),
    ("framework/core/src/replay/int_bool.rs", "numeric", "one arm for each of Burn's operations on integers"),
];

#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    let mut tables = Vec::new();
    for path in files("framework", "rs") {
        let text = text(&path);
        if text.lines().count() > FILE {
            long.push(format!("{path}: {} lines", text.lines().count()));
        }
        for (name, lines) in functions(&text).into_iter().filter(|(_, lines)| *lines > FUNCTION) {
            match TABLES.iter().find(|(of, table, _)| *of == path && *table == name) {
                Some(table) => tables.push(*table),
                None => long.push(format!("{path}: `{name}` has {lines} lines")),
            }
        }
    }
    assert_eq!(long, Vec::<String>::new());
    assert_eq!(tables, TABLES, "a table that is short, or gone, needs no exception");
}

#[test]
fn a_long_function_is_found() {
    let body = "        work();\n".repeat(70);
    let text = format!(
        "impl A {{\n    pub(crate) const fn short(&self) {{\n    }}\n\n    fn long<T>(\n    ) {{\n{body}    }}\n}}\n\nfn declared();\n"
    );
    assert_eq!(functions(&text), [("short".to_owned(), 2), ("long".to_owned(), 73)]);
}

/// The functions of a text as rustfmt lays it out, with their lines, from `fn` to the brace under it.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let Some((before, after)) = line.trim_start().split_once("fn ") else { continue };
        let is_item = before.split_whitespace().all(|word| {
            word.starts_with("pub") || matches!(word, "const" | "async" | "unsafe" | "extern" | "\"C\"" | "in")
        });
        let name: String = after.chars().take_while(|sign| sign.is_alphanumeric() || *sign == '_').collect();
        if !is_item || name.is_empty() || line.trim_end().ends_with([';', '}']) {
            continue;
        }
        let end = lines[at..].iter().position(|line| *line == format!("{indent}}}"));
        found.extend(end.map(|end| (name, end + 1)));
    }
    found
}
