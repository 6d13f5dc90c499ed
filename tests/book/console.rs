//! Console blocks: each command of a page is run, in order and in one folder of the page's own, and what it prints is
//! compared with what the page shows.
//!
//! ````text
//! ```console
//! $ hatchery data show dinosaurs
//! bytes        15187
//! ```
//! ````
//!
//! Output with fences stands between longer ones. `console,needs-NAME` is skipped where the text of that name has not been
//! fetched; `console,needs-mgu` has the library of plugins/examples/mgu in its folder. A line `[status: 2]` stands for a
//! command that fails. Times and rounding errors (`1.7e-16`) are not compared. Of `console,long`, a long training, numbers
//! are compared to a hundredth and samples not at all, because another processor rounds differently. A block that only
//! includes a file of `recorded/` is not run here.

use std::{fs, ops::Range, path::Path, process::Command};

use regex::Regex;
use tempfile::TempDir;

use super::{root, shown};
use crate::plugins::examples::examples;

/// What is wrong with the blocks of a page; when `updating` they are written anew.
pub(super) fn check(page: &Path, updating: bool) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let folder = folder();
    let mut wrong = Vec::new();
    let mut fresh = String::new();
    let mut copied = 0;
    for Block { attributes, body } in blocks(&text) {
        let shows = &text[body.clone()];
        if shows.starts_with("{{#include") {
            continue;
        }
        let mut attributes = attributes.split([',', ' ']);
        let is_long = attributes.clone().any(|attribute| attribute == "long");
        let needed = attributes.find_map(|attribute| attribute.strip_prefix("needs-"));
        if let Some(name) = needed.filter(|name| !has(name, folder.path())) {
            println!("skipped: a block of {}, `{name}` is not here", shown(page));
            continue;
        }
        let printed = transcript(shows, folder.path());
        let is_shown =
            if is_long { long_runs_agree(&printed, shows) } else { comparable(&printed) == comparable(shows) };
        if !is_shown {
            wrong.push(format!("{} shows\n{shows}\nbut what is printed is\n{printed}", shown(page)));
            fresh.push_str(&text[copied..body.start]);
            fresh.push_str(&printed);
            copied = body.end;
        }
    }
    if updating && !wrong.is_empty() {
        fresh.push_str(&text[copied..]);
        fs::write(page, fresh).unwrap();
        wrong.clear();
    }
    wrong
}

/// A console block: what follows the word, and where its lines are.
struct Block<'a> {
    attributes: &'a str,
    body: Range<usize>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, &str, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let ticks = line.bytes().take_while(|byte| *byte == b'`').count();
        match open {
            None if ticks >= 3 => open = Some((ticks, line[ticks..].trim(), at + line.len())),
            Some((fence, words, start)) if ticks >= fence && line.trim().len() == ticks => {
                if let Some(attributes) = words.strip_prefix("console") {
                    blocks.push(Block { attributes, body: start..at });
                }
                open = None;
            }
            _ => {}
        }
        at += line.len();
    }
    blocks
}

/// The commands of a block with what they print now.
fn transcript(block: &str, folder: &Path) -> String {
    let mut printed = String::new();
    for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
        printed.push_str(&format!("$ {command}\n{}", run(command, folder)));
    }
    printed
}

fn run(command: &str, folder: &Path) -> String {
    let program = snapbox::cmd::cargo_bin!("hatchery");
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(folder)
        .env("PATH", path)
        .env("HATCHERY_PLUGINS", "")
        .env("XDG_STATE_HOME", folder.join(".state"));
    if let Ok(data) = std::env::var("HATCHERY_DATA") {
        // The folder may be named from where cargo runs.
        shell.env("HATCHERY_DATA", fs::canonicalize(root().join(&data)).unwrap_or_else(|_| data.into()));
    }
    let output = shell.output().unwrap();
    let mut printed: String =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| format!("{}\n", line.trim_end())).collect();
    if !output.status.success() {
        printed.push_str(&format!("[status: {}]\n", output.status.code().unwrap_or(-1)));
    }
    printed
}

/// A folder with what commands name of the repository, under the same names, and nothing else.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["experiments", "plugins/examples", "framework/plugin/include"] {
        let place = folder.path().join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(root().join(name), place).unwrap();
    }
    fs::copy(&examples()[0], folder.path().join(MGU)).unwrap();
    folder
}

/// Where the book's reader has the library of the cell that is written there.
const MGU: &str = "libmgu.so";

/// Whether a library that has to be built, or a text that has to be fetched, is here.
fn has(name: &str, folder: &Path) -> bool {
    use hatchery::data::corpus::catalogue::{State, TextFolders, list};
    if name == "mgu" {
        return folder.join(MGU).exists();
    }
    list(&TextFolders::from_environment())
        .iter()
        .any(|listed| listed.name == name && !matches!(listed.state, State::Absent))
}

/// Without times and dates, differences of rounding (`1.7e-16`) and the spaces at the ends of lines.
fn comparable(text: &str) -> String {
    let varying =
        Regex::new(r"\((\d+ min )?\d+ s\)|\bin \d+\.\d s\b|\b\d\.\de-?\d+$|\d{4}-\d\d-\d\d \d\d:\d\d").unwrap();
    text.lines().map(|line| format!("{}\n", varying.replace_all(line.trim_end(), "…"))).collect()
}

/// Whether the outputs of a long training agree: numbers to a hundredth, all else but samples, which are indented, exactly.
pub(super) fn long_runs_agree(found: &str, expected: &str) -> bool {
    let (found, expected) = (comparable(found), comparable(expected));
    let number = Regex::new(r"\d+(\.\d+)?").unwrap();
    let numbers = |line: &str| number.find_iter(line).map(|it| it.as_str().parse::<f64>().unwrap()).collect::<Vec<_>>();
    let line_agrees = |(found, expected): (&str, &str)| {
        let is_sample = |line: &str| line.starts_with("  ") && !line.contains("hatchery");
        if is_sample(found) && is_sample(expected) {
            return true;
        }
        let close = |(one, other): (f64, f64)| (one - other).abs() <= 0.01 * one.abs().max(other.abs());
        number.replace_all(found, "#") == number.replace_all(expected, "#")
            && numbers(found).into_iter().zip(numbers(expected)).all(close)
    };
    found.lines().count() == expected.lines().count() && found.lines().zip(expected.lines()).all(line_agrees)
}

/// Whether a recording made again agrees: exactly but for times, or where it does not, as a long training. So rounding on
/// another processor passes, and a column, a row or a loss that is another does not.
pub(super) fn recordings_agree(found: &str, expected: &str) -> bool {
    // A column of seconds, beside one of losses, is as wide as its widest number.
    let (columns, seconds) = (Regex::new(r"(\S) {2,}").unwrap(), Regex::new(r"\b\d+\.\d (\d\.\d{4} )").unwrap());
    let masked = |text: &str| {
        let narrow = columns.replace_all(&comparable(text), "$1 ").into_owned();
        seconds.replace_all(&narrow, "… $1").into_owned()
    };
    let (found, expected) = (masked(found), masked(expected));
    found == expected || long_runs_agree(&found, &expected)
}

/// Whether the values of pictures agree: the same names, and numbers to two hundredths.
pub(super) fn values_agree(found: &str, expected: &str) -> bool {
    let number = Regex::new(r"-?\d+(\.\d+)?(e-?\d+)?").unwrap();
    let text = Regex::new(r#""[^"]*""#).unwrap();
    let numbers = |values: &str| -> Vec<f64> {
        let values = text.replace_all(values, "");
        number.find_iter(&values).map(|it| it.as_str().parse().unwrap()).collect()
    };
    let (found, expected) = (numbers(found), numbers(expected));
    let close = |(one, other): (&f64, &f64)| (one - other).abs() <= 0.02 * one.abs().max(other.abs()).max(1e-3);
    found.len() == expected.len() && found.iter().zip(&expected).all(close)
}

/// Would catch: a comparison of long trainings that finds no difference at all.
#[test]
fn a_long_training_that_differs_is_found() {
    let shown = "step 2000  loss 1.876 nats\n  Triceratops\n6000 steps\n";
    for (printed, agrees) in [
        ("step 2000  loss 1.880 nats\n  Tricerahops\n6000 steps\n", true),
        ("step 2000  loss 1.900 nats\n  Triceratops\n6000 steps\n", false),
        ("step 2000  loss 1.876 bits\n  Triceratops\n6000 steps\n", false),
        ("step 2000  loss 1.876 nats\n6000 steps\n", false),
    ] {
        assert_eq!(long_runs_agree(printed, shown), agrees, "{printed}");
    }
    let table = "A  hse-names/001  vanilla 64  1000      0.3    2.1816           –\n";
    assert!(recordings_agree(&table.replace("0.3", "9.7"), table));
    assert!(!recordings_agree(&table.replace("2.1816", "2.2816"), table));
    assert!(values_agree(r#"{"a":[[0,3.29]]}"#, r#"{"a":[[0,3.30]]}"#));
    assert!(!values_agree(r#"{"a":[[0,3.29]]}"#, r#"{"a":[[0,3.50]]}"#));
}
