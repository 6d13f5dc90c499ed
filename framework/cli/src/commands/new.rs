//! `hatchery new`: a plugin of one's own, as a crate beside Hatchery or as a file within.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hatchery::{
    error::{Problem, Result},
    run::failure,
};
use hatchery_plugin::Kind;

use crate::arguments::New;

/// A crate depends on `hatchery-plugin` by path: the two have to be of one version anyway.
const CRATE: &str = r#"[package]
name = "@name@"
version = "0.1.0"
edition = "2024"
publish = false

[lib]
crate-type = ["cdylib", "rlib"]

# With this feature `export!` writes the entry points by which Hatchery loads the library.
[features]
default = ["library"]
library = []

[dependencies]
hatchery-plugin = { path = "@hatchery@/framework/plugin" }

# The derives on a plugin's keys write code that names these two.
schemars = "1"
serde = { version = "1", features = ["derive"] }

# Its own workspace, wherever the folder lies.
[workspace]
"#;

const CONFIG: &str = r#"# What is built on the way is kept with Hatchery's own, so that Burn is built once for all plugins.
[build]
build-dir = "@target@"
"#;

pub(crate) fn run(new: &New) -> Result<()> {
    let name = &new.name;
    let sign = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-';
    let is_word = name.starts_with(|first: char| first.is_ascii_lowercase()) && name.chars().all(sign);
    if !is_word || name.ends_with('-') || name.contains("--") || RESERVED.contains(&name.as_str()) {
        return Err(Problem::new(format!("`{name}` cannot be the name of a plugin and its crate"))
            .hint("use lower-case words with hyphens between them: `mgu`, `layer-norm-lstm`")
            .into());
    }
    let registry = hatchery_cli::registry()?;
    if let Some(taken) = registry.find(new.kind, name) {
        return Err(Problem::new(format!("there is a {} named `{name}` already", new.kind))
            .note(format!("from: {} {}", taken.origin.package, taken.origin.version))
            .hint("choose another name")
            .into());
    }
    let hatchery = checkout(new.hatchery.as_deref(), new.in_tree)?;
    if new.in_tree { within(new, &hatchery) } else { beside(new, &hatchery) }
}

/// Names that a Rust crate or module cannot have, or that would hide one that is needed.
const RESERVED: [&str; 24] = [
    "alloc", "as", "async", "box", "break", "burn", "core", "crate", "dyn", "else", "enum", "fn", "for", "if", "impl",
    "in", "let", "loop", "match", "mod", "serde", "schemars", "std", "test",
];

/// A crate of its own.
fn beside(new: &New, hatchery: &Path) -> Result<()> {
    let folder = new.path.clone().unwrap_or_else(|| PathBuf::from(&new.name));
    if folder.exists() {
        return Err(Problem::new(format!("`{}` is there already", folder.display()))
            .hint("choose another name, or another place with --path")
            .into());
    }
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => std::path::absolute(&target).unwrap_or_else(|_| target.into()),
        None => hatchery.join("target"),
    };
    let fill = |text: &str| {
        filled(text, &new.name).replace("@hatchery@", &quoted(hatchery)).replace("@target@", &quoted(&target))
    };
    let source = format!(
        "//! A {} for Hatchery.\n\nuse hatchery_plugin::prelude::*;\n\n{}\nhatchery_plugin::export! {{\n    {} \"{}\" => {},\n}}\n",
        new.kind,
        fill(template(new.kind)),
        new.kind,
        new.name,
        type_name(&new.name),
    );
    // The same versions of everything, so that nothing is built twice.
    let lock = hatchery.join("Cargo.lock");
    let lock = fs::read_to_string(&lock).map_err(|error| failure("read", &lock, error))?;
    let files = [
        ("Cargo.toml", fill(CRATE)),
        (".cargo/config.toml", fill(CONFIG)),
        (".gitignore", "/target\n".to_owned()),
        ("src/lib.rs", source),
        ("Cargo.lock", lock),
    ];
    let written = files.iter().try_for_each(|(name, text)| write(&folder.join(name), text));
    if written.is_err() {
        // Half a crate would be in the way of the next attempt. It was not there before.
        let _ = fs::remove_dir_all(&folder);
    }
    written?;

    let library = format!(
        "target/release/{}{}{}",
        std::env::consts::DLL_PREFIX,
        new.name.replace('-', "_"),
        std::env::consts::DLL_SUFFIX
    );
    out!("{}", folder.display());
    say!(
        "next:\n  cd {}\n  cargo build --release\n  hatchery plugins check {library}\n  \
         hatchery train EXPERIMENT.toml --plugin {library}   (with type = \"{}\" in [{}])",
        folder.display(),
        new.name,
        new.kind
    );
    Ok(())
}

/// A file of Hatchery's own crate for the kind, and its line in the list there.
fn within(new: &New, hatchery: &Path) -> Result<()> {
    let sources = hatchery.join(format!("plugins/{}s/src", new.kind));
    let module = new.name.replace('-', "_");
    let file = sources.join(format!("{module}.rs"));
    if file.exists() {
        return Err(Problem::new(format!("`{}` is there already", file.display())).hint("choose another name").into());
    }
    let list = sources.join("lib.rs");
    let text = fs::read_to_string(&list).map_err(|error| failure("read", &list, error))?;
    let type_name = type_name(&new.name);
    let listed = register(&text, &module, &type_name, new.kind, &new.name).ok_or_else(|| {
        Problem::new(format!("`{}` has no `mod`, `pub use` and `export!` to add to", list.display()))
            .hint("add the plugin there by hand")
    })?;
    let source = format!(
        "//! `{}`: say in a line what it is.\n\nuse hatchery_plugin::prelude::*;\n\n{}",
        new.name,
        filled(template(new.kind), &new.name)
    );
    write(&file, &source)?;
    write(&list, &listed)?;
    out!("{}\n{}", file.display(), list.display());
    say!(
        "next, for the tests ask for them: its page book/src/plugins/{}s/{}.md, and an experiment in experiments/ that \
         uses it",
        new.kind,
        new.name
    );
    Ok(())
}

/// A crate's `lib.rs` with one more plugin: its module, its type, its line in `export!`.
fn register(text: &str, module: &str, type_name: &str, kind: Kind, name: &str) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let module = format!("mod {module};");
    let used = format!("pub use {}::{type_name};", module.trim_start_matches("mod ").trim_end_matches(';'));
    insert(&mut lines, "mod ", &module)?;
    insert(&mut lines, "pub use ", &used)?;
    let open = lines.iter().position(|line| line.starts_with("hatchery_plugin::export!"))?;
    let close = open + lines[open..].iter().position(|line| line == "}")?;
    lines.insert(close, format!("    {kind} \"{name}\" => {type_name},"));
    Some(lines.join("\n") + "\n")
}

/// Puts a line among those that begin alike, in order.
fn insert(lines: &mut Vec<String>, start: &str, line: &str) -> Option<()> {
    let first = lines.iter().position(|known| known.starts_with(start))?;
    let count = lines[first..].iter().take_while(|known| known.starts_with(start)).count();
    let place = lines[first..first + count].iter().position(|known| known.as_str() > line).unwrap_or(count);
    lines.insert(first + place, line.to_owned());
    Some(())
}

fn template(kind: Kind) -> &'static str {
    match kind {
        Kind::Dataset => include_str!("../../templates/dataset.rs"),
        Kind::Cell => include_str!("../../templates/cell.rs"),
        Kind::Clipper => include_str!("../../templates/clipper.rs"),
        Kind::Sampler => include_str!("../../templates/sampler.rs"),
    }
}

fn filled(text: &str, name: &str) -> String {
    text.replace("@name@", name).replace("@Type@", &type_name(name))
}

/// `layer-norm-lstm` → `LayerNormLstm`.
fn type_name(name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').filter(|word| !word.is_empty()).map(capital).collect()
}

/// A path for TOML's quotes.
fn quoted(path: &Path) -> String {
    path.display().to_string().replace('\\', "/").replace('"', "\\\"")
}

/// The checkout of Hatchery: the one that is named, or around the current folder, or around this program. One that is to
/// be `changed` is never that of this program, which may lie anywhere.
fn checkout(named: Option<&Path>, changed: bool) -> Result<PathBuf> {
    let is_checkout = |folder: &Path| folder.join("framework/plugin/Cargo.toml").is_file();
    let around = |start: Option<PathBuf>| start?.ancestors().find(|folder| is_checkout(folder)).map(Path::to_owned);
    let found = match named {
        Some(folder) => Some(folder.to_owned()).filter(|folder| is_checkout(folder)),
        None if changed => around(std::env::current_dir().ok()),
        None => around(std::env::current_dir().ok())
            .or_else(|| around(std::env::current_exe().ok()))
            .or_else(|| around(Some(PathBuf::from(env!("CARGO_MANIFEST_DIR"))))),
    };
    let found = found.ok_or_else(|| match named {
        Some(named) => Problem::new(format!("`{}` is no checkout of Hatchery", named.display()))
            .note("known by: framework/plugin/Cargo.toml"),
        None if changed => Problem::new("this folder is in no checkout of Hatchery, and --in-tree adds to one")
            .hint("cd into the checkout, or name it: --hatchery PATH"),
        None => Problem::new("the checkout of Hatchery is not found: a plugin is built against its `framework/plugin`")
            .hint("name it: --hatchery PATH"),
    })?;
    Ok(std::path::absolute(&found).unwrap_or(found))
}

fn write(path: &Path, text: &str) -> Result<()> {
    let failed = |error| failure("write", path, error);
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
    fs::write(path, text).map_err(failed)
}
