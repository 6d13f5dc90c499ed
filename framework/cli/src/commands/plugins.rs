//! `hatchery plugins`: what may stand behind `type = "…"`.

use hatchery::{
    error::{Problem, Result},
    experiment::{check, suggest},
};
use hatchery_plugin::Kind;

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

/// Prints the documentation and the keys of a plugin.
pub(crate) fn show(kind: Kind, name: &str) -> Result<()> {
    let registry = hatchery_cli::registry()?;
    let Some(entry) = registry.find(kind, name) else {
        let known: Vec<_> = registry.of(kind).map(|entry| entry.variant.name).collect();
        let problem = Problem::new(format!("there is no {kind} named `{name}`"))
            .note(format!("known {kind}s: {}", known.join(", ")));
        let near = suggest::nearest(name, known);
        let hint = if near.is_empty() {
            "`hatchery plugins list` says what each is".to_owned()
        } else {
            suggest::question(&near)
        };
        return Err(problem.hint(hint).into());
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
    Ok(())
}
