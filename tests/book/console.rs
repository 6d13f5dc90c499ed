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
//! What prints fences itself stands between longer ones. `console,needs-NAME` is left out where the text of that name has not been fetched. A line `[status: 2]` stands for a
//! command that fails. Times, which differ from run to run, are not compared. A block that only includes a file of
//! `recorded/` is not run here.

use std::{fs, ops::Range, path::Path, process::Command};

use regex::Regex;
use tempfile::TempDir;

use super::{root, shown};

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
        if let Some(name) = needed.filter(|name| !has(name)) {
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

/// An empty folder with the experiments in it.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("experiments"), folder.path().join("experiments")).unwrap();
    folder
}

/// Whether a text that has to be fetched is here.
fn has(name: &str) -> bool {
    use hatchery::text::catalogue::{Places, State, list};
    list(&Places::from_environment()).iter().any(|listed| listed.name == name && !matches!(listed.state, State::Absent))
}

/// Without times and the spaces at the ends of lines.
fn comparable(text: &str) -> String {
    let times = Regex::new(r"\(\d+ s\)|\bin \d+\.\d s\b").unwrap();
    text.lines().map(|line| format!("{}\n", times.replace_all(line.trim_end(), "TIME"))).collect()
}
