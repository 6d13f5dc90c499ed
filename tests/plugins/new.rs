//! `hatchery new`: what it writes is built, checked and trained with.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use super::{built, cargo, hatchery, library, root};

/// Cells that each make one mistake, in the crate that `hatchery new` writes.
const MISTAKES: &str = include_str!("mistakes.rs.txt");

fn fresh(name: &str) -> PathBuf {
    let folder = built().join("crates").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
    folder
}

/// A new crate of a kind, built; returned is its library.
fn make(kind: &str, name: &str, source: Option<&str>) -> PathBuf {
    let folder = fresh(name);
    let (checkout, path) = (root().display().to_string(), folder.display().to_string());
    let (status, _, told) = hatchery(Path::new("."), &["new", kind, name, "--hatchery", &checkout, "--path", &path]);
    assert_eq!(status, 0, "{told}");
    if let Some(source) = source {
        std::fs::write(folder.join("src/lib.rs"), source).unwrap();
    }
    cargo(&["build"], &folder.join("Cargo.toml"), &built());
    library(&built(), &name.replace('-', "_"))
}

pub(super) fn mistakes() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| make("cell", "mistakes", Some(MISTAKES)))
}

#[test]
fn what_it_writes_passes_its_checks_at_once() {
    for (kind, name) in
        [("cell", "my-cell"), ("clipper", "my-clipper"), ("sampler", "my-sampler"), ("dataset", "my-set")]
    {
        let library = make(kind, name, None).display().to_string();
        let (status, shown, told) = hatchery(Path::new("."), &["plugins", "check", &library]);
        assert_eq!(status, 0, "{shown}{told}");
        assert!(shown.contains(&format!("1 of 1 plugins of {name} 0.1.0 conform")), "{shown}");
    }
}

#[test]
fn names_that_cannot_be_are_refused() {
    let checkout = root().display().to_string();
    for (kind, name, words) in [
        ("cell", "gru", "already"),
        ("cell", "Mine", "lower-case"),
        ("cell", "match", "lower-case"),
        ("cell", "a--b", "words"),
    ] {
        let (status, _, told) = hatchery(Path::new("."), &["new", kind, name, "--hatchery", &checkout]);
        assert!(status == 2 && told.contains(words), "{told}");
    }
}

/// The list of a crate of ours, with one more plugin, has its three lines.
#[test]
fn in_tree_adds_the_file_and_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |path: &str| {
        let to = folder.path().join(path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(root().join(path), to).unwrap();
    };
    copy("framework/plugin/Cargo.toml");
    copy("plugins/cells/src/lib.rs");
    let checkout = folder.path().display().to_string();
    let (status, shown, told) =
        hatchery(folder.path(), &["new", "cell", "my-own", "--in-tree", "--hatchery", &checkout]);
    assert_eq!(status, 0, "{told}");
    assert!(Path::new(shown.trim()).ends_with("plugins/cells/src/my_own.rs"), "{shown}");
    let list = std::fs::read_to_string(folder.path().join("plugins/cells/src/lib.rs")).unwrap();
    for line in ["\nmod my_own;\n", "\npub use my_own::MyOwn;\n", "\n    cell \"my-own\" => MyOwn,\n}"] {
        assert!(list.contains(line), "{list}");
    }
}
