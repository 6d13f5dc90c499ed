//! The book is correct: generated pages are fresh, includes find their anchors, links lead to pages, every plugin has a
//! page, and every console block, in README too, shows what its commands print.
//!
//! `UPDATE_BOOK=1 cargo test --release -p hatchery-cli --test hatchery book` writes the pages anew instead of comparing.

mod console;
mod generated;
mod models;
mod numbers;
mod tutorial;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use hatchery_plugin::Kind;
use regex::Regex;

/// Catches a plugin, a key, a default or an option that changed while the reference did not.
#[test]
fn generated_pages_are_fresh() {
    let mut stale = Vec::new();
    for (name, fresh) in generated::pages() {
        let path = source().join("generated").join(&name);
        if fs::read_to_string(&path).ok().as_ref() == Some(&fresh) {
            continue;
        }
        if updating() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, fresh).unwrap();
        } else {
            stale.push(name);
        }
    }
    assert!(stale.is_empty(), "stale pages in book/src/generated: {stale:?}; UPDATE_BOOK=1 writes them");
}

/// Catches a transcript that no longer shows what the commands print, and a command in the book that fails.
#[test]
fn console_blocks_show_what_commands_print() {
    let mut wrong = Vec::new();
    for page in pages().into_iter().chain([root().join("README.md")]) {
        wrong.extend(console::check(&page, updating()));
    }
    assert!(wrong.is_empty(), "{}\n\nUPDATE_BOOK=1 writes what is printed now", wrong.join("\n\n"));
}

/// The recordings, and the values of pictures beside them.
fn recorded(ending: &str) -> Vec<PathBuf> {
    let all = files(&source().join("recorded")).into_iter();
    all.filter(|path| path.extension().is_some_and(|extension| extension == ending)).collect()
}

/// Catches a transcript whose recording cannot be repeated.
#[test]
fn recordings_are_made_by_the_script() {
    let script = fs::read_to_string(root().join("book/record.sh")).unwrap();
    for file in recorded("txt") {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&file).unwrap();
        let commands: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
        assert!(!commands.is_empty(), "{name} shows no command");
        for command in commands {
            let written = command.replace('\\', "\\\\").replace('"', "\\\"");
            assert!(
                script.contains(command) || script.contains(&written),
                "book/record.sh does not run `{command}`, which {name} shows"
            );
        }
    }
}

/// Catches a recording that shows what the program no longer prints, with times left out. The recordings of devices are as
/// old as the last program with a card, and three take minutes: they are made again where slow tests are wanted.
#[test]
fn recordings_show_what_commands_print() {
    let name = "recordings_show_what_commands_print";
    let Some(data) = crate::text::data_folder(name) else { return };
    let all = std::env::var_os("HATCHERY_SLOW_TESTS").is_some();
    for recording in recorded("txt") {
        let recording = recording.file_stem().unwrap().to_str().unwrap();
        if recording == "devices" || (["sonnets", "overfitting", "larger-models"].contains(&recording) && !all) {
            println!("skipped: {name}, {recording}; HATCHERY_SLOW_TESTS=1 makes all but devices");
            continue;
        }
        let output = tempfile::tempdir().unwrap();
        for folder in ["recorded", "pictures", "models"] {
            fs::create_dir(output.path().join(folder)).unwrap();
        }
        let status = std::process::Command::new(root().join("book/record.sh"))
            .arg(recording)
            .env("HATCHERY", snapbox::cmd::cargo_bin!("hatchery"))
            .env("HATCHERY_DATA", fs::canonicalize(&data).unwrap())
            .env("OUTPUT", output.path())
            .status();
        assert!(status.unwrap().success());
        for file in files(&output.path().join("recorded")) {
            let kept = source().join("recorded").join(file.file_name().unwrap());
            let [found, expected] = [&file, &kept].map(|file| fs::read_to_string(file).unwrap());
            let is_shown = if file.extension().is_some_and(|extension| extension == "json") {
                console::values_agree(&found, &expected)
            } else {
                console::recordings_agree(&found, &expected)
            };
            assert!(is_shown, "{} shows\n{expected}\nbut now\n{found}", shown(&kept));
        }
        for file in files(&output.path().join("models")) {
            let kept = source().join("models").join(file.file_name().unwrap());
            let [found, expected] = [&file, &kept].map(|file| fs::read_to_string(file).unwrap());
            assert!(models::agree(&found, &expected), "{} is not what the command makes now", shown(&kept));
        }
    }
}

/// Catches what mdBook ignores: an include whose anchor is missing or holds nothing.
#[test]
fn includes_find_their_anchors() {
    let include = Regex::new(r"\{\{#(?:rustdoc_)?include ([^}:]+)(?::([^}]+))?\}\}").unwrap();
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for found in include.captures_iter(&text) {
            let place = page.parent().unwrap().join(found[1].trim());
            let Ok(included) = fs::read_to_string(&place) else {
                wrong.push(format!("{}: no file {}", shown(&page), &found[1]));
                continue;
            };
            let part = match found.get(2) {
                None => Some(included),
                Some(anchor) if anchor.as_str().starts_with(|first: char| first.is_ascii_digit()) => {
                    wrong.push(format!("{}: {} by line numbers, which move", shown(&page), &found[0]));
                    continue;
                }
                Some(anchor) => anchored(&included, anchor.as_str()),
            };
            if part.is_none_or(|part| part.trim().is_empty()) {
                wrong.push(format!("{}: nothing at {}", shown(&page), &found[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Catches a plugin without a page, and a page that shows the keys of another plugin.
#[test]
fn every_plugin_has_a_page() {
    let registry = hatchery_cli::registry().unwrap();
    for kind in Kind::ALL {
        for entry in registry.of(kind) {
            let name = entry.variant.name;
            let page = source().join(format!("plugins/{kind}s/{name}.md"));
            let text =
                fs::read_to_string(&page).unwrap_or_else(|_| panic!("{kind} {name} has no page {}", shown(&page)));
            let table = format!("{{{{#include ../../generated/plugins/{kind}-{name}.md}}}}");
            assert!(text.contains(&table), "{} lacks {table}", shown(&page));
            assert!(text.contains(&format!("plugins/{kind}s/src/")), "{} shows no source", shown(&page));
        }
    }
}

/// Catches a page that no reader can reach, a dead link, and a link to a heading that is gone.
#[test]
fn links_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let summary = source().join("SUMMARY.md");
    let mut wrong = Vec::new();
    let mut listed = BTreeSet::from([summary.clone()]);
    for page in pages() {
        let text = without_code(&fs::read_to_string(&page).unwrap());
        for found in link.captures_iter(&text) {
            let target = &found[1];
            if target.starts_with("https://") || target.starts_with("http://") {
                continue;
            }
            let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
            let place = if path.is_empty() { page.clone() } else { normal(&page.parent().unwrap().join(path)) };
            if page == summary {
                listed.insert(place.clone());
            }
            if !place.exists() {
                wrong.push(format!("{}: {target}", shown(&page)));
            } else if !fragment.is_empty() && !headings(&place).contains(fragment) {
                wrong.push(format!("{}: {target}: no such heading", shown(&page)));
            }
        }
    }
    for page in pages().difference(&listed) {
        wrong.push(format!("{} is not in SUMMARY.md", shown(page)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The root of the repository.
fn root() -> PathBuf {
    normal(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
}

/// The book's source.
fn source() -> PathBuf {
    root().join("book/src")
}

fn updating() -> bool {
    std::env::var_os("UPDATE_BOOK").is_some()
}

/// Every page that is not generated.
fn pages() -> BTreeSet<PathBuf> {
    let own = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "md") && !path.starts_with(source().join("generated"))
    };
    files(&source()).into_iter().filter(own).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// A path without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == std::path::Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// What stands between the marks of an anchor.
fn anchored(text: &str, anchor: &str) -> Option<String> {
    let mark = |word: &str| Regex::new(&format!(r"{word}:\s*{}\s*$", regex::escape(anchor))).unwrap();
    let (begin, end) = (mark("ANCHOR"), mark("ANCHOR_END"));
    let mut lines = text.lines().skip_while(|line| !begin.is_match(line));
    lines.next()?;
    let mut inside = Vec::new();
    for line in lines {
        if end.is_match(line) {
            return Some(inside.join("\n"));
        }
        inside.push(line);
    }
    None
}

/// The ids that mdBook gives to the headings of a page, those of included pages too.
fn headings(page: &Path) -> BTreeSet<String> {
    let include = Regex::new(r"\{\{#include ([^}:]+\.md)\}\}").unwrap();
    let text = fs::read_to_string(page).unwrap();
    let mut ids: BTreeSet<String> = without_code(&text)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let kept = line.trim_start_matches('#').trim().to_lowercase();
            let id = |symbol: char| match symbol {
                ' ' => Some('-'),
                symbol if symbol.is_alphanumeric() || symbol == '-' || symbol == '_' => Some(symbol),
                _ => None,
            };
            kept.chars().filter_map(id).collect()
        })
        .collect();
    for found in include.captures_iter(&text) {
        ids.extend(headings(&normal(&page.parent().unwrap().join(&found[1]))));
    }
    ids
}

/// A page without its code, in which brackets are no links and `#` opens no heading.
fn without_code(text: &str) -> String {
    // The length of the fence that is open: shorter ones within it are its text.
    let mut fence = 0;
    let mut kept = String::new();
    for line in text.lines() {
        let ticks = line.trim_start().bytes().take_while(|byte| *byte == b'`').count();
        if ticks >= fence.max(3) {
            fence = if fence == 0 { ticks } else { 0 };
        } else if fence == 0 {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    Regex::new("`[^`\n]*`")
        .unwrap()
        .replace_all(&kept, |found: &regex::Captures<'_>| {
            // A heading's id keeps the letters of its code.
            found[0].replace(['[', ']', '(', ')'], "").trim_matches('`').to_owned()
        })
        .into_owned()
}
