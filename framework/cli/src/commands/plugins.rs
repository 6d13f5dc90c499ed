//! `hatchery plugins list` and `show`: the plugins of this program and of its libraries.

use hatchery::{
    error::{Problem, Result},
    executor,
    experiment::checking,
    plugins::{Entry, Part, Registry},
    suggest,
};
use hatchery_plugin::{
    Build, Kind, Variant,
    host::HostCell,
    serde_json::{Value, json},
};

use super::registry;
use crate::arguments::Libraries;

/// The width for which cells are described: of their inputs, and of keys without a default.
const WIDTH: usize = 128;

/// Lists every plugin with the first sentence of its documentation, cells by family.
pub(crate) fn list(json: bool, libraries: &Libraries) -> Result<()> {
    let registry = registry(libraries)?;
    for kind in Kind::ALL {
        let entries: Vec<_> = registry.of(kind).map(|entry| (entry, Sizes::of(&registry, entry))).collect();
        if json {
            entries.iter().for_each(|(entry, sizes)| out!("{}", described(entry, sizes.as_ref())));
            continue;
        }
        out!("{kind}s");
        if kind == Kind::Cell {
            list_cells(&entries);
            continue;
        }
        for (entry, _) in entries {
            let lines = wrapped(&first_sentence(&entry.variant.doc), 90);
            out!("  {:<20} {}", entry.variant.name, lines.join(&format!("\n{:23}", "")));
        }
    }
    if !json {
        out!("\nhatchery plugins show KIND NAME prints the keys of one.");
    }
    Ok(())
}

/// Lists cells under their families, in the order of registration, wrappers last.
fn list_cells(entries: &[(&Entry, Option<Sizes>)]) {
    out!("  {:<20} {:>4} {:>6} {:>10}  at width {WIDTH}", "", "year", "state", "parameters");
    let family = |entry: &Entry| match entry.variant.build {
        Build::Wrapper(_) => "wrappers".to_owned(),
        _ => entry.variant.family().unwrap_or("others").to_owned(),
    };
    let mut families: Vec<String> = Vec::new();
    for (entry, _) in entries {
        let family = family(entry);
        if !families.contains(&family) {
            families.push(family);
        }
    }
    families.sort_by_key(|family| family == "wrappers");
    for listed in families {
        out!(" {listed}");
        for (entry, sizes) in entries.iter().filter(|(entry, _)| family(entry) == listed) {
            let variant = &entry.variant;
            let year = variant.year().map_or(String::new(), |year| year.to_string());
            let [state, parameters] = sizes
                .as_ref()
                .map_or([String::new(), String::new()], |sizes| [sizes.state, sizes.parameters].map(|n| n.to_string()));
            let lines = wrapped(&first_sentence(&variant.doc), 80);
            let lines = lines.join(&format!("\n{:47}", ""));
            out!("  {:<20} {year:>4} {state:>6} {parameters:>10}  {lines}", variant.name);
        }
    }
}

/// How large a cell is.
struct Sizes {
    /// Values that a sequence carries from step to step.
    state: usize,
    /// The parameter count.
    parameters: usize,
}

impl Sizes {
    /// Those of a cell at [`WIDTH`]; none of what is not a cell, or refuses that width.
    fn of(registry: &Registry, entry: &Entry) -> Option<Self> {
        if !matches!(entry.variant.build, Build::Cell(_)) {
            return None;
        }
        let declared = at_width(registry, &entry.variant).ok()?.declare(WIDTH).ok()?;
        let parameters = declared.params.iter().map(|spec| spec.shape[0] * spec.shape[1]).sum();
        Some(Self { state: declared.state.iter().map(|vector| vector.width).sum(), parameters })
    }
}

/// A cell whose keys without a default are [`WIDTH`].
fn at_width(registry: &Registry, variant: &Variant) -> Result<Box<dyn HostCell>> {
    let required = checking::keys(&variant.schema).into_iter().filter(|key| key.required);
    let keys = required.map(|key| (key.name, WIDTH.into())).collect();
    registry.cell(&Part { name: variant.name.to_owned(), keys }).map(|(cell, _)| cell)
}

fn described(entry: &Entry, sizes: Option<&Sizes>) -> Value {
    let variant = &entry.variant;
    json!({
        "kind": variant.kind(),
        "name": variant.name,
        "wrapper": matches!(variant.build, Build::Wrapper(_)),
        "package": entry.origin.package,
        "version": entry.origin.version,
        "family": variant.family(),
        "year": variant.year(),
        "width": sizes.map(|_| WIDTH),
        "state": sizes.map(|sizes| sizes.state),
        "parameters": sizes.map(|sizes| sizes.parameters),
        "summary": first_sentence(&variant.doc),
    })
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
    let Some(entry) = registry.find(kind, name).filter(|_| kind == Kind::Cell) else {
        return Err(Problem::new(format!("a {kind} has no program")).hint("only cells are compiled").into());
    };
    let cell = at_width(registry, &entry.variant)?;
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
