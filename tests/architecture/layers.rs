//! What may import what: the crates and the rooms of the core, each from those before it only.

use super::text;
use crate::lab::files;

/// The framework's crates, from the ground up: each may depend on those before it.
const CRATES: [&str; 6] =
    ["hatchery-graph", "hatchery-plugin-macros", "hatchery-plugin", "hatchery-compile", "hatchery", "hatchery-cli"];

/// The rooms of the core (the modules right below `lib.rs`), from the ground up: each may import those before it.
const ROOMS: [&str; 27] = [
    "visible",
    "error",
    "files",
    "encoding",
    "hash",
    "dtype",
    "suggest",
    "random",
    "plot",
    "tensors",
    "provenance",
    "replay",
    "device",
    "plugins",
    "experiment",
    "schedule",
    "data",
    "model",
    "run",
    "executor",
    "network",
    "inspect",
    "export",
    "import",
    "train",
    "session",
    "sweep",
];

/// A circle between rooms begins with one import that goes up.
#[test]
fn no_room_imports_one_above_it() {
    let mut found = Vec::new();
    for path in files("framework/core/src", "rs") {
        let inside = path.trim_start_matches("framework/core/src/");
        if inside == "lib.rs" {
            continue;
        }
        let room = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        let text = text(&path);
        found.extend(upward(room, &text).into_iter().map(|above| format!("{path} imports {above}")));
        let is_root = !inside.contains('/') || inside.matches('/').count() == 1 && inside.ends_with("/mod.rs");
        assert!(!is_root || !text.contains("\nuse super::"), "{path}: write `crate::`, so that the room is seen");
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn no_crate_depends_on_one_above_it() {
    for path in files("framework", "toml").into_iter().filter(|path| path.ends_with("/Cargo.toml")) {
        let manifest: toml::Table = text(&path).parse().unwrap();
        let name = manifest["package"]["name"].as_str().unwrap();
        let place = |name: &str| CRATES.iter().position(|known| *known == name);
        let own = place(name).unwrap_or_else(|| panic!("{path}: where does `{name}` stand among the crates?"));
        let dependencies = manifest["dependencies"].as_table().unwrap().keys();
        let above = dependencies.filter_map(|name| place(name)).find(|place| *place >= own);
        assert_eq!(above.map(|place| CRATES[place]), None, "{path}");
    }
}

/// The test above would pass for ever if it overlooked a form of import.
#[test]
fn an_upward_import_is_found_in_every_form() {
    for (text, above) in [
        ("use crate::train::Training;", vec!["train"]),
        ("pub use crate::{error::Result, train};", vec!["train"]),
        (
            "use crate::{\n    error::{Error, train},\n    run::{\n        log,\n    },\n    train::resume,\n};",
            vec!["run", "train"],
        ),
        ("fn f() -> crate::network::Network {}", vec!["network"]),
        ("use crate::nowhere::Nothing;", vec!["nowhere"]),
        ("// see crate::train\nuse crate::error::Result;", vec![]),
        ("pub(crate) fn of(crate_: u8) {}", vec![]),
    ] {
        assert_eq!(upward("device", text), above, "{text}");
    }
}

/// The rooms above this one that a file of it names, and names that are no rooms.
fn upward(room: &str, text: &str) -> Vec<String> {
    let place = |name: &str| ROOMS.iter().position(|known| *known == name).unwrap_or(usize::MAX);
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut named: Vec<String> = code.split("crate::").skip(1).flat_map(first_names).collect();
    named.retain(|name| name != room && place(name) >= place(room));
    named
}

/// The first names of the paths after `crate::`: one, or those of a list in braces.
fn first_names(rest: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|sign| sign.is_alphanumeric() || *sign == '_').collect::<String>();
    let Some(list) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let (mut depth, mut names, mut begins) = (0, Vec::new(), true);
    for (at, sign) in list.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            sign if begins && !sign.is_whitespace() => {
                names.push(word(&list[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}
