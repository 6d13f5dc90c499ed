//! Every library that cannot be used is refused with its reason and status 2, none takes the program down.

use std::{env::consts::DLL_SUFFIX, path::Path};

use super::{c_library, elman, hatchery};
use crate::plugins::new::mistakes;

/// Trains with a library and a cell of it, and compares the refusal.
#[track_caller]
pub(super) fn refused(library: &Path, cell: &str, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let experiment = format!(
        "name = \"refused\"\n[dataset]\ntype = \"lines\"\ncorpus = \"dinosaurs\"\n[cell]\ntype = \"{cell}\"\n\
         hidden = 4\n[optimizer]\ntype = \"sgd\"\nlearning-rate = 0.1\n[train]\nsteps = 2\n"
    );
    std::fs::write(folder.path().join("experiment.toml"), experiment).unwrap();
    let library = library.display().to_string();
    let (status, _, errors) = hatchery(folder.path(), &["train", "experiment.toml", "--plugin", &library]);
    assert_eq!(status, 2, "{errors}");
    for word in words {
        assert!(errors.contains(word), "`{word}` is missing in:\n{errors}");
    }
    assert!(!errors.contains("panicked at"), "a panic reached the user:\n{errors}");
    assert!(!folder.path().join("runs/refused/001").exists(), "a run was begun");
}

/// The example in C with one thing changed.
#[track_caller]
fn changed(name: &str, from: &str, to: &str) -> std::path::PathBuf {
    let source = elman();
    assert!(source.contains(from), "`{from}` is no longer in the example");
    c_library(name, &source.replacen(from, to, 1))
}

#[test]
fn what_is_no_library() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("text{DLL_SUFFIX}"));
    std::fs::write(&file, "not a library").unwrap();
    let reason = if cfg!(target_env = "gnu") { "file too short" } else { "" };
    refused(&file, "elman-c", &["is not a library that can be loaded", reason]);
    refused(&folder.path().join("absent.so"), "elman-c", &["cannot read the plugin library", "check the path"]);
    refused(folder.path(), "elman-c", &["cannot read the plugin library"]);
}

#[test]
fn a_library_of_something_else() {
    let other = c_library("other", "int other(void) { return 1; }\n");
    refused(&other, "elman-c", &["is a library, but not a Hatchery plugin", "hatchery_plugin_manifest"]);
}

#[test]
fn another_interface() {
    let other = changed("interface", "HATCHERY_INTERFACE, HATCHERY_BURN_IR);", "99, HATCHERY_BURN_IR);");
    refused(&other, "elman-c", &["another version of Hatchery's plugin interface", "elman-c 0.1.0: interface 99"]);
    let (status, shown, _) = hatchery(Path::new("."), &["plugins", "doctor", &other.display().to_string()]);
    assert_eq!(status, 2);
    assert!(shown.contains("WRONG   interface     99") && shown.contains("needed: 2"), "{shown}");
    assert!(
        shown.contains("ok      burn-ir       0.22.1") && shown.contains("repair: build the plugin again"),
        "{shown}"
    );
}

/// A library of the first interface, whose manifest had other names too. Would catch: a message about those names in
/// place of one that says which interface it is, and what to do.
#[test]
fn the_first_interface() {
    let source = elman().replacen("HATCHERY_INTERFACE, HATCHERY_BURN_IR);", "1, HATCHERY_BURN_IR);", 1);
    let first = c_library("first-interface", &source.replace("\\\"plugins\\\": [", "\\\"variants\\\": ["));
    let words = [
        "is for another version of Hatchery's plugin interface",
        "elman-c 0.1.0: interface 1",
        "this Hatchery: interface 2",
        "hint: build the plugin again, in its folder",
    ];
    refused(&first, "elman-c", &words);
    let (status, _, errors) = hatchery(Path::new("."), &["plugins", "check", &first.display().to_string()]);
    assert!(status == 2 && words.iter().all(|word| errors.contains(word)), "{errors}");
}

#[test]
fn another_burn() {
    let other = changed("burn", "HATCHERY_INTERFACE, HATCHERY_BURN_IR);", "HATCHERY_INTERFACE, \"0.21.0\");");
    refused(
        &other,
        "elman-c",
        &["built with another version of Burn", "burn-ir 0.21.0", "this Hatchery: burn-ir 0.22.1"],
    );
}

#[test]
fn a_truncated_manifest() {
    let cut = changed(
        "truncated",
        "return give(to, HATCHERY_OK, out);",
        "to.length -= 30; return give(to, HATCHERY_OK, out);",
    );
    refused(&cut, "elman-c", &["the manifest of", "cannot be read"]);
    let none =
        changed("empty", "return give(to, HATCHERY_OK, out);", "to.length = 0; return give(to, HATCHERY_OK, out);");
    refused(&none, "elman-c", &["cannot be read"]);
}

#[test]
fn two_cells_of_one_name() {
    let twice = changed(
        "twice",
        "\\\"additionalProperties\\\": false}}]}\"",
        "\\\"additionalProperties\\\": false}}, {\\\"kind\\\": \\\"cell\\\", \\\"name\\\": \\\"elman-c\\\", \\\"doc\\\": \\\"\\\", \\\"schema\\\": {}}]}\"",
    );
    refused(&twice, "elman-c", &["has two cells named `elman-c`"]);
}

#[test]
fn the_name_of_a_built_in() {
    let taken = changed("taken", "\\\"name\\\": \\\"elman-c\\\",", "\\\"name\\\": \\\"gru\\\",");
    refused(&taken, "gru", &["there are two cells named `gru`", "from: hatchery-cells", "and: elman-c 0.1.0"]);
}

#[test]
fn an_answer_of_garbage() {
    for (name, garbage) in
        [("garbage", "\\x93\\xff\\x00\\xc1zz"), ("text", "{\\\"graph\\\": 3}"), ("deep", "\\x91\\x91\\x91")]
    {
        let body = format!(
            "writer w = {{0}}; put(&w, \"%s\", \"{garbage}\"); (void)request; return give(w, HATCHERY_OK, out);\n    if (inputs < 1 || batch < 1)"
        );
        refused(
            &changed(name, "if (inputs < 1 || batch < 1)", &body),
            "elman-c",
            &["the cell \"elman-c\" of elman-c 0.1.0", "its graph cannot be read"],
        );
    }
    let params = changed("params", "\" \\\"params\\\": [", "\" \\\"parameters\\\": [");
    refused(&params, "elman-c", &["what it declares cannot be read"]);
    let status = changed("status", "return give(to, HATCHERY_OK, out);", "return give(to, 77, out);");
    refused(&status, "elman-c", &["unknown status 77"]);
}

#[test]
fn a_graph_that_does_not_fit() {
    let shape = changed("shape", "wxt = {5, n, h}", "wxt = {5, h, n}");
    refused(&shape, "elman-c", &["elman-c", "`SwapDims`", "makes"]);
    let huge = changed("huge", "sum = {10, b, h}", "sum = {10, 1000000000, 1000000000}");
    refused(&huge, "elman-c", &["too large"]);
    let unknown = changed(
        "unknown",
        "recurrent = {8, b, h}",
        "recurrent = {8, b, h}, stray = {77, b, h}; (void)stray; before.id = 66; matrix dummy = {99, b, h}; (void)dummy; matrix unused = {98, b, h}",
    );
    refused(&unknown, "elman-c", &["which nothing has computed"]);
    let missing = changed("missing", "[\\\"h\\\", {\\\"value\\\": 11}]]}", "[\\\"h\\\", {\\\"value\\\": 12}]]}");
    refused(&missing, "elman-c", &["nothing computes its result `h`"]);
    let initial =
        changed("gates", "\\\"type\\\": \\\"zeros\\\"}}]}\"", "\\\"type\\\": \\\"zeros\\\"}, \\\"gates\\\": 0}]}\"");
    refused(&initial, "elman-c", &["its parameter `b`"]);
}

#[test]
fn an_entry_point_that_panics() {
    refused(
        mistakes(),
        "panics-in-params",
        &["`declare` of the cell \"panics-in-params\" of mistakes 0.1.0", "failed: it panicked: no such width"],
    );
    refused(mistakes(), "panics-in-step", &["cell \"panics-in-step\"", "it panicked: no such step"]);
}

#[test]
fn a_cell_that_reads_numbers() {
    refused(mistakes(), "reads", &["cell \"reads\"", "it reads the value of a tensor", "use `mask_where`"]);
}

/// Would catch: noise that is missed when training has begun.
#[test]
fn noise_that_is_not_declared() {
    let words = ["cell \"takes-noise\"", "no matrix is named `keep`; there are "];
    refused(mistakes(), "takes-noise", &words);
}

#[test]
fn an_operation_that_is_not_covered() {
    refused(mistakes(), "draws", &["cell \"draws\"", "it draws random numbers", "declare what it needs in `noise`"]);
}
