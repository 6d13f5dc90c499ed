//! Plugins from libraries: the same numbers as linked in, every wrong library refused, and what an author is given.
//!
//! The libraries are real. Those in Rust are built once a run of the tests, in the target folder that the tests
//! themselves were built in; those in C are variations of the example, compiled with `cc`.

mod bytes;
mod c_wrapper;
mod compile_errors;
pub(crate) mod examples;
mod failures;
mod names;
mod new;
mod parity;
mod refusals;
mod replay;
mod search;
mod trust;

use std::{
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use hatchery::{
    error::Error,
    plugins::{LibraryFile, Loaded, NamedBy, TrustList, load},
};

/// The checkout.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The folder in which this test was built, and in it everything that a plugin depends on.
fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned() // …/target/release/deps/hatchery-…
}

/// Where the dependencies of plugins are built, once for all of them. The program's own folder it must not be: another
/// workspace builds the macros anew there, and what the program's crates were built with is gone.
fn dependencies() -> PathBuf {
    target().join("plugins")
}

/// `cargo` on a manifest, with what is built on the way kept from run to run.
fn cargo(arguments: &[&str], manifest: &Path, output: &Path) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).arg("--release").arg("--manifest-path").arg(manifest);
    command.env("CARGO_TARGET_DIR", output).env("CARGO_BUILD_BUILD_DIR", dependencies());
    let done = command.output().unwrap();
    assert!(done.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    done
}

/// A folder for what these tests build, kept from run to run.
fn built() -> PathBuf {
    target().join("hatchery-test-plugins")
}

fn library(folder: &Path, name: &str) -> PathBuf {
    folder.join("release").join(format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"))
}

/// The built-in cells as a library.
fn built_in_cells() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let arguments = ["rustc", "-p", "hatchery-cells", "--lib", "--features", "library", "--crate-type", "cdylib"];
        cargo(&arguments, &root().join("Cargo.toml"), &built());
        library(&built(), "hatchery_cells")
    })
}

/// A library of a C source.
pub(crate) fn c_library(name: &str, source: &str) -> PathBuf {
    let folder = built().join("c");
    std::fs::create_dir_all(&folder).unwrap();
    let (file, library) = (folder.join(format!("{name}.c")), folder.join(format!("{name}{DLL_SUFFIX}")));
    std::fs::write(&file, source).unwrap();
    let include = root().join("framework/plugin/include");
    let done = Command::new("cc")
        .args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-Wno-unused"])
        .arg("-I")
        .arg(include)
        .arg("-o")
        .args([&library, &file])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    library
}

/// The example in C.
pub(crate) fn elman() -> String {
    std::fs::read_to_string(root().join("plugins/examples/elman-c/elman.c")).unwrap()
}

/// A library, loaded into the tests themselves.
pub(crate) fn loaded(path: &Path) -> Result<Loaded, Error> {
    let list = TrustList::in_folder(&built().join("state/of-the-tests"));
    let (library, warning) = list.admit(LibraryFile::read(path)?, &NamedBy::User)?;
    assert_eq!(warning, None);
    load(&library)
}

/// The command, in a folder of its own and without the user's libraries.
fn hatchery(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    hatchery_with(folder, arguments, |command| command.env("HATCHERY_PLUGINS", ""))
}

/// The command, in a folder of its own and with another environment.
fn hatchery_with(
    folder: &Path,
    arguments: &[&str],
    change: impl FnOnce(&mut Command) -> &mut Command,
) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hatchery"));
    command.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", target());
    command.env("XDG_STATE_HOME", built().join("state"));
    let done = change(&mut command).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().unwrap_or(-1), text(&done.stdout), text(&done.stderr))
}
