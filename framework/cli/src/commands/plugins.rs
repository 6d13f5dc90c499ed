//! `hatchery plugins list` and `show`: the plugins of this program and of its libraries.

use hatchery::{
    error::{Problem, Result},
    executor,
    experiment::checking,
    plugins::{Part, Registry},
    suggest,
};
use hatchery_plugin::{Kind, serde_json::Map};

use super::registry;
use crate::arguments::Libraries;

/// Lists every plugin with the first sentence of its documentation.
pub(crate) fn list(libraries: &Libraries) -> Result<()> {
    let registry = registry(libraries)?;
    for kind in Kind::ALL {
        out!("{kind}s");
        for entry in registry.of(kind) {
            let lines = wrapped(&first_sentence(&entry.variant.doc), 90);
            out!("  {:<20} {}", entry.variant.name, lines.join(&format!("\n{:23}", "")));
        }
    }
    out!("\nhatchery plugins show KIND NAME prints the keys of one.");
    Ok(())
}

/// Prints the documentation and the keys of a plugin, and with `program` the execution plan of a cell, or what the
/// compiler's pass `after` makes of it.
pub(crate) fn show(kind: Kind, name: &str, program: bool, after: Option<&str>, libraries: &Libraries) -> Result<()> {
    check_pass(after)?;
    let registry = registry(libraries)?;
    let Some(entry) = registry.find(kind, name) else {
        let known: Vec<_> = registry.of(kind).map(|entry| entry.variant.name).collect();
        let problem = Problem::new(format!("there is no {kind} named `{name}`"))
            .note(format!("known {kind}s: {}", known.join(", ")));
        let near = suggest::nearest_type(kind.word(), name, known);
        let hint = if near.is_empty() {
            "`hatchery plugins list` says what each is".to_owned()
        } else {
            suggest::question(&near)
        };
        return Err(problem.hint(hint).into());
    };
    out!("{kind} {name}  (from {} {})\n", entry.origin.package, entry.origin.version);
    out!("{}\n", entry.variant.doc);
    out!("keys:");
    for key in checking::keys(&entry.variant.schema) {
        let default = match (&key.default, key.required) {
            (Some(default), _) => format!(", default {default}"),
            (None, true) => ", required".to_owned(),
            (None, false) => String::new(),
        };
        out!("  {}: {}{default}", key.name, key.kind);
        out!("      {}", key.doc.replace('\n', "\n      "));
    }
    if program { show_program(&registry, kind, name, after) } else { Ok(()) }
}

/// Checks that a pass of the compiler has this name.
fn check_pass(name: Option<&str>) -> Result<()> {
    let passes = executor::passes();
    let Some(name) = name.filter(|name| !passes.contains(name)) else { return Ok(()) };
    let problem = Problem::new(format!("the compiler has no pass `{name}`"))
        .note(format!("passes, in their order: {}", passes.join(", ")));
    let near = suggest::nearest(name, passes);
    Err(if near.is_empty() { problem } else { problem.hint(suggest::question(&near)) }.into())
}

/// Prints the execution plan of a cell. The input and widths without a default are 128.
fn show_program(registry: &Registry, kind: Kind, name: &str, after: Option<&str>) -> Result<()> {
    const WIDTH: usize = 128;
    if kind != Kind::Cell {
        return Err(Problem::new(format!("a {kind} has no program")).hint("only cells are compiled").into());
    }
    let mut keys = Map::new();
    if let Some(entry) = registry.find(kind, name) {
        let required = checking::keys(&entry.variant.schema).into_iter().filter(|key| key.required);
        keys.extend(required.map(|key| (key.name, WIDTH.into())));
    }
    let (cell, _) = registry.cell(&Part { name: name.to_owned(), keys })?;
    let (what, listing) = match after {
        Some(pass) => (format!("after the pass {pass}"), executor::program_after(&*cell, WIDTH, pass)),
        None => ("program".to_owned(), executor::program(&*cell, WIDTH)),
    };
    out!("\n{what}, for inputs and widths of {WIDTH}, in 32 bits:");
    match listing {
        Ok(listing) => put!("{listing}"),
        Err(refusal) => out!("  none: {refusal}; the cell runs on Burn"),
    }
    Ok(())
}

/// The first sentence of a documentation, which may go over several lines.
fn first_sentence(doc: &str) -> String {
    let paragraph: Vec<_> = doc.lines().take_while(|line| !line.trim().is_empty()).collect();
    let paragraph = paragraph.join(" ");
    // Not at "et al. (": a sentence begins with a capital letter.
    let ends = paragraph.match_indices(". ").map(|(at, _)| at);
    let end = ends.into_iter().find(|at| paragraph[at + 2..].starts_with(char::is_uppercase));
    end.map_or(paragraph.clone(), |end| paragraph[..=end].to_owned())
}

/// A text in lines of at most `width` characters, broken at spaces.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is a line to begin with");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}
