//! The compiler's errors about a wrong `#[plugin]`: they name the mistake, at the author's line.

use std::{fs, process::Command};

use super::{built, dependencies, root};

/// Checks a crate of that source and returns the compiler's errors, a line each: `src/lib.rs:5:10: error: …`.
fn errors(name: &str, source: &str) -> String {
    let folder = built().join("crates").join(name);
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n\
         [dependencies]\nhatchery-plugin = {{ path = {:?} }}\n\
         [profile.release.package.\"*\"]\nopt-level = 0\ncodegen-units = 1\ndebug = false\n[workspace]\n",
        root().join("framework/plugin").display().to_string()
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    fs::write(folder.join("src/lib.rs"), source).unwrap();
    let mut command = Command::new(env!("CARGO"));
    command.args(["check", "--release", "--offline", "--message-format", "short", "--manifest-path"]);
    command
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", built())
        .env("CARGO_BUILD_BUILD_DIR", dependencies());
    let done = command.output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success(), "it compiles: {errors}");
    errors
}

#[track_caller]
fn same(errors: &str, expected: &[&str]) {
    for line in expected {
        assert!(errors.contains(line), "`{line}` is missing in:\n{errors}");
    }
    assert_eq!(errors.matches(": error").count(), expected.len(), "an error for each mistake and no other:\n{errors}");
}

/// Would catch: an error that points into generated code, and one mistake that is reported as several.
#[test]
fn a_wrong_attribute_is_named_at_its_line() {
    let source = "//! Mistakes.
use hatchery_plugin::prelude::*;

/// A kind that there is not.
#[plugin(cel = \"a\")]
pub struct A {
    hidden: usize,
}

/// Two fields with options that there are not.
#[plugin(clipper = \"b\")]
pub struct B {
    #[plugin(minimum = 1)]
    first: usize,
    #[plugin(max = 2, max = 3)]
    second: usize,
}

/// What the attribute derives already.
#[plugin(key)]
#[derive(Clone, hatchery_plugin::serde::Serialize)]
pub enum C {
    /// One.
    One,
}
";
    let expected = [
        "lib.rs:5:10: error: `cel` is not a kind of plugin",
        "lib.rs:13:14: error: unknown: a key has `min`, `max`, `above` and `default`",
        "lib.rs:15:23: error: `max` stands here twice",
        "lib.rs:21:17: error: #[plugin] derives `Serialize` already",
    ];
    same(&errors("wrong-attributes", source), &expected);
}

/// Would catch: a cell without equations that is reported as an unsatisfied bound of an internal function.
#[test]
fn a_plugin_that_does_nothing_is_named() {
    let source = "//! A cell without equations.
use hatchery_plugin::prelude::*;

/// Without equations.
#[plugin(cell = \"without-equations\")]
pub struct WithoutEquations {
    hidden: usize,
}

library![WithoutEquations];
";
    let expected = ["lib.rs:6:12: error[E0277]: `WithoutEquations` is declared as a cell and has no equations"];
    same(&errors("without-equations", source), &expected);
}
