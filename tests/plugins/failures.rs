//! Plugins of libraries that fail while a command runs: it ends with status 2 and an error that names the library, the
//! plugin and the function, without a panic.

use std::{fs, path::Path, path::PathBuf};

use tempfile::TempDir;

use super::{c_library, elman, hatchery};

/// The example cell in C, changed to refuse steps of `rows` rows, and of the large number of rows that the compiler
/// records.
fn cell_without(rows: u32) -> PathBuf {
    let check = "if (inputs < 1 || batch < 1)";
    let source = elman();
    assert!(source.contains(check), "`{check}` is no longer in the example");
    let refusal = format!("if (batch == {rows} || batch > 1000) return refuse(\"too many rows\", out);\n    {check}");
    c_library(&format!("without-{rows}"), &source.replacen(check, &refusal, 1))
}

/// A folder with an experiment on ten names, in batches of `batch`.
fn home(cell: &str, more: &str, batch: u32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let names = ["ada", "ben", "cleo", "dan", "eva", "fay", "gus", "hal", "ida", "jo"].join("\n");
    fs::write(folder.path().join("names.txt"), names).unwrap();
    let experiment = format!(
        "name = \"fails\"\n[dataset]\ntype = \"lines\"\ncorpus = \"names.txt\"\n[cell]\ntype = \"{cell}\"\nhidden = 4\n\
         [optimizer]\ntype = \"sgd\"\nlearning-rate = 0.1\n[sample]\ncount = 1\n[train]\nsteps = 6\nbatch = {batch}\n{more}"
    );
    fs::write(folder.path().join("experiment.toml"), experiment).unwrap();
    folder
}

/// Runs a command, which must fail with a message that contains these words.
#[track_caller]
fn fails(folder: &Path, arguments: &[&str], words: &[&str]) {
    let (status, shown, errors) = hatchery(folder, arguments);
    assert_eq!(status, 2, "{arguments:?}: {shown}{errors}");
    for word in words {
        assert!(errors.contains(word), "{arguments:?}: `{word}` is missing in:\n{errors}");
    }
    assert!(!errors.contains("panicked"), "{arguments:?}: a panic reached the user:\n{errors}");
}

/// Ten names in batches of four: the third batch has two.
#[test]
fn a_cell_while_training() {
    let library = cell_without(2).display().to_string();
    let words = ["`step` of the cell \"elman-c\" of elman-c 0.1.0", &library, "failed: too many rows"];
    fails(home("elman-c", "", 4).path(), &["train", "experiment.toml", "--quiet", "--plugin", &library], &words);
}

#[test]
fn a_cell_while_evaluating_and_measuring_gradients() {
    // Ten names are evaluated one by one, and their gradients are measured together.
    for (rows, command) in [(1, &["eval", "--split", "train"][..]), (10, &["gradients"])] {
        let library = cell_without(rows).display().to_string();
        let home = home("elman-c", "", 5);
        let train = ["train", "experiment.toml", "--quiet", "--set", "sample.count=2", "--plugin", &library];
        let (status, run, errors) = hatchery(home.path(), &train);
        assert_eq!(status, 0, "{errors}");
        let words = ["`step` of the cell \"elman-c\" of elman-c 0.1.0", &library, "failed: too many rows"];
        fails(home.path(), &[command, &[run.trim(), "--plugin", &library]].concat(), &words);
    }
}

#[test]
fn a_cell_while_sampling() {
    let library = cell_without(6).display().to_string();
    let home = home("elman-c", "", 5);
    let (status, run, errors) = hatchery(home.path(), &["train", "experiment.toml", "--quiet", "--plugin", &library]);
    assert_eq!(status, 0, "{errors}");
    let words = ["`step` of the cell \"elman-c\" of elman-c 0.1.0", &library, "failed: too many rows"];
    fails(home.path(), &["sample", run.trim(), "--count", "6", "--plugin", &library], &words);
}

/// A library with a sampler, a clipper and a dataset that can be opened but fail in every other function.
const FAILING: &str = r#"
#include "hatchery_plugin.h"
#include <string.h>

static int32_t give(const char *text, int32_t status, hatchery_bytes *out) {
    out->data = (uint8_t *)text;
    out->length = strlen(text);
    return status;
}

static int32_t refuse(hatchery_bytes *out) { return give("{\"message\": \"out of order\", \"hint\": \"repair it\"}", HATCHERY_ERROR, out); }

int32_t hatchery_plugin_manifest(hatchery_bytes *out) {
    return give("{\"interface\": 2, \"burn-ir\": \"0.22.1\", \"package\": \"failing\", \"version\": \"0.1.0\", \"plugins\": ["
                "{\"kind\": \"sampler\", \"name\": \"failing\", \"doc\": \"\", \"schema\": {\"type\": \"object\"}},"
                "{\"kind\": \"clipper\", \"name\": \"failing\", \"doc\": \"\", \"schema\": {\"type\": \"object\"}},"
                "{\"kind\": \"dataset\", \"name\": \"failing\", \"doc\": \"\", \"schema\": {\"type\": \"object\"}}]}", HATCHERY_OK, out);
}

void hatchery_plugin_free(hatchery_bytes bytes) { (void)bytes; }

int32_t hatchery_plugin_open(const uint8_t *request, size_t length, uint64_t *instance, hatchery_bytes *out) {
    (void)request, (void)length;
    *instance = 0;
    return give("{\"keys\": {}, \"framing\": {\"stream\": {\"steps\": 5}}}", HATCHERY_OK, out);
}

void hatchery_plugin_close(uint64_t instance) { (void)instance; }

int32_t hatchery_plugin_capture(uint64_t instance, const uint8_t *request, size_t length, hatchery_bytes *out) {
    (void)instance, (void)request, (void)length;
    return refuse(out);
}

int32_t hatchery_plugin_process(uint64_t instance, double *logits, size_t vocabulary, const uint32_t *history,
                                size_t length, hatchery_bytes *out) {
    (void)instance, (void)logits, (void)vocabulary, (void)history, (void)length;
    return refuse(out);
}

int32_t hatchery_plugin_documents(uint64_t instance, const uint8_t *name, size_t name_length, const uint8_t *text,
                                  size_t text_length, hatchery_bytes *out) {
    (void)instance, (void)name, (void)name_length, (void)text, (void)text_length;
    return refuse(out);
}
"#;

#[test]
fn a_sampler_a_clipper_and_a_dataset() {
    let library = c_library("failing", FAILING).display().to_string();
    let train = ["train", "experiment.toml", "--quiet", "--plugin", &library];
    let words = |function: &str, kind: &str| {
        vec![
            format!("`{function}` of the {kind} \"failing\" of failing 0.1.0"),
            library.clone(),
            "failed: out of order".to_owned(),
            "hint: repair it".to_owned(),
        ]
    };
    let folder = home("vanilla", "[[clipper]]\ntype = \"failing\"\n", 4);
    fails(folder.path(), &train, &words("clip", "clipper").iter().map(String::as_str).collect::<Vec<_>>());
    let set = [&train[..], &["--set", "dataset.type=failing"]].concat();
    fails(
        home("vanilla", "", 4).path(),
        &set,
        &words("documents", "dataset").iter().map(String::as_str).collect::<Vec<_>>(),
    );

    // The sampler: on a run that was trained without it, and in a training, at the first report.
    let home = home("vanilla", "", 4);
    let (status, run, errors) = hatchery(home.path(), &["train", "experiment.toml", "--quiet"]);
    assert_eq!(status, 0, "{errors}");
    let words = words("process", "sampler");
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    fails(home.path(), &["sample", run.trim(), "--sampler", "failing", "--plugin", &library], &words);
    let sampling = [&train[..], &["--set", "sampler=[{type=\"failing\"}]"]].concat();
    fails(home.path(), &sampling, &words);
}
