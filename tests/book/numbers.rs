//! The numbers in the text of parts I to III, which `book/numbers.py` looks for in the outputs of their pages.

use std::{fs, process::Command};

use super::{root, source, tutorial};

fn numbers(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("python3").arg("book/numbers.py").args(arguments).current_dir(root()).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

/// Would catch: a result in the text that no run shows, or shows no longer.
#[test]
fn numbers_in_the_text_are_in_outputs() {
    if let Err(wrong) = numbers(&[]) {
        panic!("{wrong}");
    }
}

/// Would catch: a check that passes over a number, or a page that it does not read.
#[test]
fn a_planted_number_is_found() {
    for page in tutorial::chapters() {
        let name = page.strip_prefix(source()).unwrap().to_str().unwrap().to_owned();
        let planted = tempfile::NamedTempFile::new().unwrap();
        fs::write(planted.path(), "It is 987.65 nats.\n\n```console\n987.64\n```\n\nAnd 987.64, in `123.4` lines.\n")
            .unwrap();
        let found = numbers(&[&name, planted.path().to_str().unwrap()]);
        assert_eq!(found, Err(format!("{name}: 987.65 is in no output of the page")));
    }
}
