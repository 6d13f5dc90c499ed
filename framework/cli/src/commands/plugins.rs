//! `hatchery plugins`: what may stand behind `type = "…"`.

use hatchery::{
    error::{Problem, Result},
    executor,
    experiment::{Part, check},
    registry::Registry,
};
use hatchery_plugin::{Kind, serde_json::Map};

/// Lists every plugin with the first line of its documentation.
pub(crate) fn list() -> Result<()> {
    let registry = hatchery_cli::registry()?;
    for kind in Kind::ALL {
        println!("{kind}s");
        for entry in registry.of(kind) {
            let first = entry.variant.doc.lines().next().unwrap_or_default();
            println!("  {:<20} {first}", entry.variant.name);
        }
    }
    println!("\nhatchery plugins show KIND NAME prints the keys of one.");
    Ok(())
}

/// Prints the documentation and the keys of a plugin, and the program of a cell.
pub(crate) fn show(kind: Kind, name: &str, program: bool) -> Result<()> {
    let registry = hatchery_cli::registry()?;
    let Some(entry) = registry.find(kind, name) else {
        let known: Vec<_> = registry.of(kind).map(|entry| entry.variant.name).collect();
        return Err(Problem::new(format!("there is no {kind} named `{name}`"))
            .note(format!("known {kind}s: {}", known.join(", ")))
            .into());
    };
    println!("{kind} {name}  (from {} {})\n", entry.origin.package, entry.origin.version);
    println!("{}\n", entry.variant.doc);
    println!("keys:");
    for key in check::keys(&entry.variant.schema) {
        let default = match (&key.default, key.required) {
            (Some(default), _) => format!(", default {default}"),
            (None, true) => ", required".to_owned(),
            (None, false) => String::new(),
        };
        println!("  {}: {}{default}", key.name, key.kind);
        println!("      {}", key.doc.replace('\n', "\n      "));
    }
    if program { show_program(&registry, kind, name) } else { Ok(()) }
}

/// Prints what a cell is compiled to. Widths that must be given are 128, and so is that of the input.
fn show_program(registry: &Registry, kind: Kind, name: &str) -> Result<()> {
    const WIDTH: usize = 128;
    if kind != Kind::Cell {
        return Err(Problem::new(format!("a {kind} has no program")).hint("only cells are compiled").into());
    }
    let mut keys = Map::new();
    if let Some(entry) = registry.find(kind, name) {
        let required = check::keys(&entry.variant.schema).into_iter().filter(|key| key.required);
        keys.extend(required.map(|key| (key.name, WIDTH.into())));
    }
    let (cell, _) = registry.cell(&Part { name: name.to_owned(), keys })?;
    println!("\nprogram for inputs and widths of {WIDTH}, in 32 bits:");
    match executor::program(&*cell, WIDTH) {
        Ok(listing) => print!("{listing}"),
        Err(refusal) => println!("  none: {refusal}; the cell runs on Burn"),
    }
    Ok(())
}
