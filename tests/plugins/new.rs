//! `hatchery new`: the code that it writes compiles and passes the conformance kit; bad names and folders are refused.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use super::{built, cargo, hatchery, hatchery_with, library, root};

/// Cells that each make one mistake, in the crate that `hatchery new` writes.
const MISTAKES: &str = include_str!("mistakes.rs");

pub(super) fn fresh(name: &str) -> PathBuf {
    let folder = built().join("crates").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
    folder
}

/// Makes and builds a new crate of a kind, and returns the path of its library.
pub(super) fn make(kind: &str, name: &str, source: Option<&str>) -> PathBuf {
    let folder = fresh(name);
    let (checkout, path) = (root().display().to_string(), folder.display().to_string());
    let (status, _, errors) = hatchery(Path::new("."), &["new", kind, name, "--hatchery", &checkout, "--path", &path]);
    assert_eq!(status, 0, "{errors}");
    if let Some(source) = source {
        std::fs::write(folder.join("src/lib.rs"), source).unwrap();
    }
    build(&folder, name)
}

/// Builds a crate that `hatchery new` wrote, and returns the path of its library.
pub(super) fn build(folder: &Path, name: &str) -> PathBuf {
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
        let (status, shown, errors) = hatchery(Path::new("."), &["plugins", "check", &library]);
        assert_eq!(status, 0, "{shown}{errors}");
        assert!(shown.contains(&format!("1 of 1 plugins of {name} 0.1.0 conform")), "{shown}");
    }
}

/// Would catch: a printed path of the library at which there is no file after the printed commands were run.
#[test]
fn the_library_is_where_it_says() {
    let elsewhere = built().join("printed-target").display().to_string();
    for target in [None, Some("own-target"), Some(&elsewhere)] {
        let folder = fresh("printed");
        let place = |command: &mut Command| {
            match target {
                Some(target) => command.env("CARGO_TARGET_DIR", target),
                None => command.env_remove("CARGO_TARGET_DIR"),
            };
        };
        let (checkout, path) = (root().display().to_string(), folder.display().to_string());
        let arguments = ["new", "sampler", "printed", "--hatchery", &checkout, "--path", &path];
        let (status, _, errors) = hatchery_with(Path::new("."), &arguments, |command| {
            place(command);
            command
        });
        assert_eq!(status, 0, "{errors}");
        let library = errors.split_once("plugins check ").and_then(|(_, rest)| rest.lines().next()).unwrap();
        let mut command = Command::new(env!("CARGO"));
        command.args(["build", "--release", "--offline"]).current_dir(&folder);
        command.env("CARGO_BUILD_BUILD_DIR", super::dependencies());
        place(&mut command);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert!(folder.join(library).is_file(), "{target:?}: {library}");
    }
}

#[test]
fn names_that_cannot_be_are_refused() {
    let checkout = root().display().to_string();
    for (kind, name, words) in [
        ("cell", "gru", "already"),
        ("cell", "Mine", "lower-case"),
        ("cell", "match", "a word of the Rust language"),
        ("sampler", "self", "add a word: `self-sampler`"),
        ("cell", "a--b", "words"),
    ] {
        let (status, _, errors) = hatchery(Path::new("."), &["new", kind, name, "--hatchery", &checkout]);
        assert!(status == 2 && errors.contains(words), "{errors}");
    }
}

/// The plugin that `--in-tree` writes, of each kind, compiles in the repository's crate, is listed by it, and conforms.
/// Would catch: a template that does not compile there, a module that is not listed, a line in the wrong place.
#[test]
fn in_tree_it_is_built_with_the_others() {
    let folder = tempfile::tempdir().unwrap();
    for path in sources() {
        copy(&root().join(&path), &folder.path().join(&path));
    }
    let checkout = folder.path().display().to_string();
    let kinds =
        [("cell", "MyOwnCell"), ("clipper", "MyOwnClipper"), ("sampler", "MyOwnSampler"), ("dataset", "MyOwnDataset")];
    for (kind, type_name) in kinds {
        let name = format!("my-own-{kind}");
        let (status, shown, errors) =
            hatchery(folder.path(), &["new", kind, &name, "--in-tree", "--hatchery", &checkout]);
        assert_eq!(status, 0, "{errors}");
        let sources = folder.path().join(format!("plugins/{kind}s/src"));
        let both = format!("{}/my_own_{kind}.rs\n{0}/lib.rs\n", sources.display());
        assert_eq!(shown, both, "every file that is written or changed");
        let list = std::fs::read_to_string(folder.path().join(format!("plugins/{kind}s/src/lib.rs"))).unwrap();
        for line in [format!("\nmod my_own_{kind};\n"), format!("\npub use my_own_{kind}::{type_name};\n")] {
            assert!(list.contains(&line), "`{line}` is not in:\n{list}");
        }
        let last = [format!(", {type_name}];\n"), format!("\n    {type_name},\n];\n")];
        assert!(last.iter().any(|last| list.contains(last)), "`{type_name}` is not in the list:\n{list}");
        let again = hatchery(folder.path(), &["new", kind, &name, "--in-tree", "--hatchery", &checkout]);
        assert!(again.0 == 2 && again.2.contains("is there already"), "{}", again.2);
    }
    // The folder of the previous build, so that unchanged crates are not built again.
    let copied = built().join("in-tree");
    replace(folder.path(), &copied);
    for (kind, _) in kinds {
        // Crates of one name share a file in the folder of the dependencies: what was built last may be another's.
        let list = copied.join(format!("plugins/{kind}s/src/lib.rs"));
        std::fs::write(&list, std::fs::read(&list).unwrap()).unwrap();
        let package = format!("hatchery-{kind}s");
        let arguments = ["rustc", "-p", &package, "--lib", "--features", "library", "--crate-type", "cdylib"];
        cargo(&arguments, &copied.join("Cargo.toml"), &built().join("in-tree-target"));
        let library = library(&built().join("in-tree-target"), &package.replace('-', "_"));
        let (status, shown, errors) = hatchery(root(), &["plugins", "check", &library.display().to_string()]);
        assert_eq!(status, 0, "{shown}{errors}");
        assert!(shown.contains(&format!("{kind} \"my-own-{kind}\"")), "{shown}");
    }
}

/// Would catch: a command in an unrelated folder that changes the checkout from which the program was built.
#[test]
fn in_tree_is_only_where_one_is() {
    let folder = tempfile::tempdir().unwrap();
    let (status, shown, errors) = hatchery(folder.path(), &["new", "cell", "nowhere", "--in-tree"]);
    let written = root().join("plugins/cells/src/nowhere.rs");
    assert!(!written.exists(), "{shown}{errors}");
    assert_eq!((status, shown.as_str()), (2, ""), "{errors}");
    assert!(errors.contains("in no checkout of Hatchery") && errors.contains("hint: cd into the checkout"), "{errors}");
    let (status, _, errors) = hatchery(root(), &["new", "cell", "nowhere", "--in-tree", "--hatchery", "framework"]);
    assert!(status == 2 && errors.contains("`framework` is not a checkout of Hatchery"), "{errors}");

    // From a folder within a checkout.
    std::fs::create_dir_all(folder.path().join("framework/plugin")).unwrap();
    let within = folder.path().join("plugins/cells/src");
    std::fs::create_dir_all(&within).unwrap();
    std::fs::write(folder.path().join("framework/plugin/Cargo.toml"), "").unwrap();
    std::fs::copy(root().join("plugins/cells/src/lib.rs"), within.join("lib.rs")).unwrap();
    let (status, _, errors) = hatchery(&within, &["new", "cell", "somewhere", "--in-tree"]);
    assert_eq!(status, 0, "{errors}");
    assert!(within.join("somewhere.rs").exists());
}

/// The files that the workspace is built from.
fn sources() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("Cargo.toml"), "Cargo.lock".into(), "tests/main.rs".into()];
    let plugins = ["cells", "clippers", "samplers", "datasets"].map(|crates| PathBuf::from("plugins").join(crates));
    let mut folders = vec![PathBuf::from("framework")];
    folders.extend(plugins);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

/// Makes `to` a copy of `from`. An unchanged file keeps its modification time, by which cargo decides what to build.
fn replace(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(to).unwrap() {
        let entry = entry.unwrap();
        if !from.join(entry.file_name()).exists() {
            let gone = if entry.path().is_dir() { std::fs::remove_dir_all } else { std::fs::remove_file };
            gone(entry.path()).unwrap();
        }
    }
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            replace(&path, &to);
        } else if std::fs::read(&path).unwrap() != std::fs::read(&to).unwrap_or_default() {
            copy(&path, &to);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(from, to).unwrap();
}
