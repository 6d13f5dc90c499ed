//! The results of the compiler's passes over a cell, as `plugins show --program --after` prints them.

use std::fmt::Write;

use crate::lab::{Lab, root};

const PASSES: [&str; 8] =
    ["lower", "merge-products", "linear-recurrences", "hoist", "differentiate", "fuse", "assign-buffers", "emit"];

/// Would catch: a pass that leaves the graph unchanged, a graph that is printed under the name of another pass, and a
/// result that changed unnoticed.
#[test]
fn every_pass_prints_what_it_makes() {
    let lab = Lab::new();
    let mut transcript = String::new();
    for pass in PASSES {
        let line = format!("plugins show cell vanilla --program --after {pass}");
        let shown = lab.ok(&line);
        let (_, result) = shown.split_once("\nafter the pass ").unwrap();
        let _ = writeln!(transcript, "$ hatchery {line}\nafter the pass {result}");
    }
    let file = "tests/command_line/passes.txt";
    let expected = std::fs::read_to_string(root().join(file)).unwrap_or_default();
    if transcript != expected {
        let written = std::env::temp_dir().join("passes.txt");
        std::fs::write(&written, &transcript).unwrap();
        panic!("{file} differs from what the passes print now, {}:\n{transcript}", written.display());
    }
}

/// Would catch: a misspelled pass that is ignored, so that the whole program is printed.
#[test]
fn an_unknown_pass_is_refused_with_all_passes() {
    let lab = Lab::new();
    let refusal = lab.refused("plugins show cell gru --program --after hoists");
    for part in ["the compiler has no pass `hoists`", &PASSES.join(", "), "did you mean `hoist`?"] {
        assert!(refusal.contains(part), "`{part}` is missing:\n{refusal}");
    }
    let refusal = lab.refused("plugins show cell gru --after hoist");
    assert!(refusal.contains("--program"), "{refusal}");
}
