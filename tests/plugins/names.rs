//! The names that `hatchery new` takes: every word of Rust, of its prelude and of the templates is refused with a hint that
//! leads on, or gives a source that compiles.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{built, cargo, hatchery, root};

/// The keywords of the Rust reference: strict, of an edition, and reserved.
const KEYWORDS: &str = "as break const continue crate else enum extern false fn for if impl in let loop match mod move mut \
    pub ref return self static struct super trait true type unsafe use where while async await dyn gen abstract become box do \
    final macro override priv try typeof unsized virtual yield";

/// What `std::prelude::rust_2024` names, and crates that every crate has.
const PRELUDE: &str = "send sized sync unpin drop fn fn-mut fn-once async-fn box to-owned clone partial-eq partial-ord eq ord \
    as-ref as-mut into from default iterator extend into-iterator double-ended-iterator exact-size-iterator option some none \
    result ok err string to-string vec try-from try-into from-iterator future into-future copy debug hash std core alloc \
    test proc-macro";

const KINDS: [&str; 4] = ["cell", "clipper", "sampler", "dataset"];

fn template(kind: &str) -> String {
    fs::read_to_string(root().join(format!("framework/cli/templates/{kind}.rs"))).unwrap()
}

/// The names in a source, as a plugin could have them: `StateSpec` → `state-spec`.
fn names(source: &str) -> BTreeSet<String> {
    let words = source.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
    let kebab = |word: &str| {
        let mut name = String::new();
        for sign in word.chars() {
            if sign.is_ascii_uppercase() && !name.is_empty() && !name.ends_with('-') {
                name.push('-');
            }
            name.push(if sign == '_' { '-' } else { sign.to_ascii_lowercase() });
        }
        name.trim_matches('-').to_owned()
    };
    let is_name = |name: &String| name.starts_with(|first: char| first.is_ascii_lowercase()) && !name.contains("--");
    words.map(kebab).filter(is_name).collect()
}

/// A new crate of that name; if the name is refused, of the one that the hint gives.
fn make(kind: &str, name: &str, folder: &Path) -> Option<PathBuf> {
    let checkout = root().display().to_string();
    let crate_of = |name: &str| {
        let path = folder.join(format!("{kind}-{name}"));
        let arguments = ["new", kind, name, "--hatchery", &checkout, "--path", &path.display().to_string()];
        (hatchery(folder, &arguments), path)
    };
    let ((status, _, told), path) = crate_of(name);
    if status == 0 {
        return Some(path);
    }
    if told.contains("already") {
        return None;
    }
    let hint = told.split_once("hint: add a word: `").and_then(|(_, rest)| rest.split('`').next());
    let hint = hint.unwrap_or_else(|| panic!("new {kind} {name}: {told}"));
    let ((status, _, told), path) = crate_of(hint);
    assert_eq!(status, 0, "new {kind} {name}, then {hint}: {told}");
    Some(path)
}

/// A crate's source as a module, without the line that makes it a library, and its type.
fn module(number: usize, folder: &Path) -> (String, String) {
    let source = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
    let (source, list) = source.rsplit_once("library![").unwrap();
    let body: String = source.lines().filter(|line| !line.starts_with("//!")).map(|line| format!("{line}\n")).collect();
    let type_name = list.split(']').next().unwrap();
    (format!("mod w{number} {{\n{body}}}\n"), format!("w{number}::{type_name}"))
}

/// Would catch: `hatchery new cell self`, whose crate has no name, and `hatchery new cell vec`, whose type hides the `Vec`
/// that its own source uses.
#[test]
fn every_name_is_refused_or_gives_a_source_that_compiles() {
    let folder = tempfile::tempdir().unwrap();
    let mut words: BTreeSet<String> =
        [KEYWORDS, PRELUDE].iter().flat_map(|list| list.split_whitespace()).map(str::to_owned).collect();
    let prelude = fs::read_to_string(root().join("framework/plugin/src/lib.rs")).unwrap();
    words.extend(names(prelude.split_once("pub mod prelude").unwrap().1));
    let mut sources = Vec::new();
    for kind in KINDS {
        let own = names(&template(kind));
        let words: BTreeSet<_> = if kind == "cell" { words.union(&own).cloned().collect() } else { own };
        let crates = words.iter().filter_map(|word| make(kind, word, folder.path()));
        sources.extend(crates.collect::<Vec<_>>());
    }
    let (modules, types): (Vec<_>, Vec<_>) =
        sources.iter().enumerate().map(|(number, folder)| module(number, folder)).unzip();
    assert!(modules.len() > 200, "{}", modules.len());
    let all = built().join("crates").join("all-names");
    fs::create_dir_all(all.join("src")).unwrap();
    let manifest = fs::read_to_string(sources[0].join("Cargo.toml")).unwrap();
    let name = manifest.lines().find(|line| line.starts_with("name = ")).unwrap();
    fs::write(all.join("Cargo.toml"), manifest.replacen(name, "name = \"all-names\"", 1)).unwrap();
    fs::copy(sources[0].join("Cargo.lock"), all.join("Cargo.lock")).unwrap();
    let source = format!("{}\nhatchery_plugin::library![{}];\n", modules.concat(), types.join(", "));
    fs::write(all.join("src/lib.rs"), source).unwrap();
    cargo(&["check", "--offline"], &all.join("Cargo.toml"), &built());
}
