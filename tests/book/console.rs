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
//! What prints fences itself stands between longer ones. `console,needs-NAME` is left out where the text of that name has
//! not been fetched; `console,needs-mgu` has the library of plugins/examples/mgu at hand. A line `[status: 2]` stands for a command that fails. Times, which
//! differ from run to run, and what rounding leaves at the end of a line are not compared. A block that only includes a
//! file of `recorded/` is not run here.

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
        let needed = attributes.split(',').find_map(|attribute| attribute.strip_prefix("needs-"));
        if let Some(name) = needed.filter(|name| !has(name, folder.path())) {
            println!("skipped: a block of {}, `{name}` is not here", shown(page));
            continue;
        }
        let printed = transcript(shows, folder.path());
        if comparable(&printed) != comparable(shows) {
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
        .env("HATCHERY_PLUGINS", "");
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

/// Without times, differences of rounding (`1.7e-16`) and the spaces at the ends of lines.
fn comparable(text: &str) -> String {
    let varying = Regex::new(r"\(\d+ s\)|\bin \d+\.\d s\b|\b\d\.\de-?\d+$").unwrap();
    text.lines().map(|line| format!("{}\n", varying.replace_all(line.trim_end(), "…"))).collect()
}
