//! `hatchery new`: a plugin of one's own, as a crate beside Hatchery or as a file within.

mod names;

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

/// The manifest. The crate depends on `hatchery-plugin` by path: the two have to be of one version anyway.
const CRATE: &str = r#"[package]
name = "@name@"
version = "0.1.0"
edition = "2024"
publish = false

[lib]
crate-type = ["cdylib"]

[dependencies]
hatchery-plugin = { path = "@hatchery@/framework/plugin" }

# Messages about a mistake name its line.
[profile.release]
debug = "line-tables-only"

# The dependencies record what the plugin computes and compute nothing: unoptimized, they are built sooner.
[profile.release.package."*"]
opt-level = 0
codegen-units = 1
debug = false

# A workspace of its own, wherever the folder lies.
[workspace]
"#;

const CONFIG: &str = r#"# The dependencies are built in Hatchery's target folder, once for all plugins.
[build]
build-dir = "@target@"
"#;

pub(crate) fn run(new: &New) -> Result<()> {
    names::check(new.kind, &new.name)?;
    let registry = hatchery_cli::registry()?;
    if let Some(taken) = registry.find(new.kind, &new.name) {
        return Err(Problem::new(format!("there is a {} named `{}` already", new.kind, new.name))
            .note(format!("from: {} {}", taken.origin.package, taken.origin.version))
            .hint("choose another name")
            .into());
    }
    let hatchery = checkout(new.hatchery.as_deref(), new.in_tree)?;
    if new.in_tree { within(new, &hatchery) } else { beside(new, &hatchery) }
}

/// A crate of its own.
fn beside(new: &New, hatchery: &Path) -> Result<()> {
    let folder = new.path.clone().unwrap_or_else(|| PathBuf::from(&new.name));
    if folder.exists() {
        return Err(Problem::new(format!("`{}` is there already", folder.display()))
            .hint("choose another name, or another place with --path")
            .into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let shared = if target.is_absolute() { target.clone() } else { hatchery.join("target") }.join("plugins");
    let type_name = names::type_name(new.kind, &new.name, |_| false);
    let fill = |text: &str| {
        filled(text, &new.name, &type_name)
            .replace("@hatchery@", &quoted(hatchery))
            .replace("@target@", &quoted(&shared))
    };
    let source = format!(
        "//! A {} for Hatchery.\n\nuse hatchery_plugin::prelude::*;\n\n{}\nlibrary![{type_name}];\n",
        new.kind,
        fill(template(new.kind)),
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
    out!("{}", folder.display());
    next_steps(new, &folder, &target);
    Ok(())
}

/// Prints the commands from a new crate to a run. `target` is cargo's target folder, as seen from the crate.
fn next_steps(new: &New, folder: &Path, target: &Path) {
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let library = target.join("release").join(format!("{prefix}{}{suffix}", names::module(&new.name)));
    let library = library.display();
    say!(
        "next:\n  cd {}\n  cargo build --release   (the first time with Burn, once for all plugins: .cargo/config.toml)\n  \
         hatchery plugins check {library}\n  \
         hatchery train EXPERIMENT.toml --plugin {library}   (with type = \"{}\" in [{}])",
        folder.display(),
        new.name,
        new.kind
    );
}

/// A file of Hatchery's own crate for the kind, and its line in the list there.
fn within(new: &New, hatchery: &Path) -> Result<()> {
    let sources = hatchery.join(format!("plugins/{}s/src", new.kind));
    let module = names::module(&new.name);
    let file = sources.join(format!("{module}.rs"));
    if file.exists() {
        return Err(Problem::new(format!("`{}` is there already", file.display())).hint("choose another name").into());
    }
    let list = sources.join("lib.rs");
    let text = fs::read_to_string(&list).map_err(|error| failure("read", &list, error))?;
    let words: Vec<&str> = text.split(|sign: char| !sign.is_alphanumeric()).collect();
    let type_name = names::type_name(new.kind, &new.name, |name| words.contains(&name));
    let listed = register(&text, &module, &type_name).ok_or_else(|| {
        Problem::new(format!("`{}` has no `mod`, `pub use` and `plugins!` to add to", list.display()))
            .hint("add the plugin there by hand")
    })?;
    let source = format!(
        "//! `{}`: say in a line what it is.\n\nuse hatchery_plugin::prelude::*;\n\n{}",
        new.name,
        filled(template(new.kind), &new.name, &type_name)
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

/// A crate's `lib.rs` with one more plugin: its module, its type, its place in `plugins!`.
fn register(text: &str, module: &str, type_name: &str) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    insert(&mut lines, "mod ", &format!("mod {module};"))?;
    insert(&mut lines, "pub use ", &format!("pub use {module}::{type_name};"))?;
    let open = lines.iter().position(|line| line.starts_with("hatchery_plugin::plugins!["))?;
    let close = open + lines[open..].iter().position(|line| line.ends_with("];"))?;
    let last = lines[close].trim_end_matches("];").to_owned();
    lines[close] = if last.is_empty() { format!("    {type_name},\n];") } else { format!("{last}, {type_name}];") };
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
        Kind::Dataset => include_str!("../../../templates/dataset.rs"),
        Kind::Cell => include_str!("../../../templates/cell.rs"),
        Kind::Clipper => include_str!("../../../templates/clipper.rs"),
        Kind::Sampler => include_str!("../../../templates/sampler.rs"),
    }
}

fn filled(text: &str, name: &str, type_name: &str) -> String {
    text.replace("@name@", name).replace("@Type@", type_name)
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
        Some(named) => Problem::new(format!("`{}` is not a checkout of Hatchery", named.display()))
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
