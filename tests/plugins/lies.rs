//! A library that lies, field by field: it is refused with a reason, or what it does is contained. What cannot be contained,
//! for it is native code, is in the book.

use std::path::{Path, PathBuf};

use super::{c_library, elman, hatchery, refusals::refused};

/// The example in C with parts changed.
#[track_caller]
fn changed(name: &str, changes: &[(&str, &str)]) -> PathBuf {
    let mut source = elman();
    for (from, to) in changes {
        assert!(source.contains(from), "`{from}` is no longer in the example");
        source = source.replacen(from, to, 1);
    }
    c_library(&format!("lies-{name}"), &source)
}

/// Trains with a library and its cell, and gives the status and what was said.
fn trained(folder: &Path, library: &Path) -> (i32, String) {
    let experiment = "name = \"lied\"\n[dataset]\ntype = \"lines\"\ncorpus = \"dinosaurs\"\n[cell]\ntype = \"elman-c\"\nhidden = 4\n\
        [optimizer]\ntype = \"sgd\"\nlearning-rate = 0.1\n[train]\nsteps = 2\n";
    std::fs::write(folder.join("experiment.toml"), experiment).unwrap();
    let library = library.display().to_string();
    let (status, _, errors) = hatchery(folder, &["train", "experiment.toml", "--quiet", "--plugin", &library]);
    (status, errors)
}

const LENGTH: &str = "out->length = from.length;";
const CELL: &str = "the cell \"elman-c\" of elman-c 0.1.0";

/// Would catch: memory that is read where an answer is claimed to be.
#[test]
fn about_lengths() {
    for (name, lie) in [
        ("null", "out->data = NULL; out->length = 5;"),
        ("endless", "out->length = SIZE_MAX;"),
        ("far", "out->length = (size_t)1 << 40;"),
    ] {
        refused(&changed(name, &[(LENGTH, lie)]), "elman-c", &["too long or nowhere"]);
    }
    refused(&changed("nothing", &[(LENGTH, "out->data = NULL; out->length = 0;")]), "elman-c", &["the manifest of"]);
}

/// Would catch: a manifest that is believed where the library has other functions, or that fills the screen.
#[test]
fn in_the_manifest() {
    let kind = "\\\"kind\\\": \\\"cell\\\"";
    for (name, from, to, words) in [
        ("sampler", kind, "\\\"kind\\\": \\\"sampler\\\"", &["hatchery_plugin_process"][..]),
        ("dataset", kind, "\\\"kind\\\": \\\"dataset\\\"", &["hatchery_plugin_documents"]),
        ("clipper", kind, "\\\"kind\\\": \\\"clipper\\\"", &["there is no cell named `elman-c`"]),
        ("optimizer", kind, "\\\"kind\\\": \\\"optimizer\\\"", &["the manifest of", "unknown variant `optimizer`"]),
        ("negative", "\\\"interface\\\": %d", "\\\"interface\\\": -%d", &["it has no `interface`"]),
        ("schema", "\\\"schema\\\": {", "\\\"schema\\\": 5, \\\"unused\\\": {", &["the manifest of"]),
        (
            "path",
            "\\\"name\\\": \\\"elman-c\\\"",
            "\\\"name\\\": \\\"../gru\\\"",
            &["does not consist of a-z, 0-9 and -"],
        ),
        (
            "escape",
            "\\\"version\\\": \\\"0.1.0\\\"",
            "\\\"version\\\": \\\"\\\\u001b[2J\\\"",
            &["`package` and `version`"],
        ),
        ("twice", "\\\"doc\\\": \\\"The", "\\\"doc\\\": \\\"\\\", \\\"doc\\\": \\\"The", &[]),
    ] {
        let library = changed(name, &[(from, to)]);
        if words.is_empty() {
            let folder = tempfile::tempdir().unwrap();
            assert_eq!(trained(folder.path(), &library).0, 0, "{name}");
        } else {
            refused(&library, "elman-c", words);
        }
    }
    let long = [
        ("#include <string.h>", "#include <string.h>\n#define TEN(x) x x x x x x x x x x"),
        ("\\\"version\\\": \\\"0.1.0\\\"", "\\\"version\\\": \\\"\" TEN(TEN(TEN(\"0123456789\"))) \"\\\""),
    ];
    refused(&changed("long", &long), "elman-c", &["`package` and `version`"]);
}

/// Would catch: keys that are recorded and cannot be read again.
#[test]
fn in_what_is_opened() {
    let keys = "{\\\"keys\\\": {\\\"hidden\\\": %ld}}";
    for (name, lie) in [
        ("number", "{\\\"keys\\\": %ld}"),
        ("none", "{\\\"key\\\": {\\\"hidden\\\": %ld}}"),
        ("text", "{\\\"keys\\\": {\\\"hidden\\\": \\\"%ld\\\"}}"),
        ("more", "{\\\"keys\\\": {\\\"hidden\\\": %ld, \\\"other\\\": 1}}"),
        ("framing", "{\\\"keys\\\": {\\\"hidden\\\": %ld}, \\\"framing\\\": 3}"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (status, errors) = trained(folder.path(), &changed(&format!("open-{name}"), &[(keys, lie)]));
        assert!(status == 2 && errors.contains("elman-c"), "{name}: {status} {errors}");
        assert!(!errors.contains("panicked"), "{name}: {errors}");
    }
}

/// Would catch: widths and shapes that are taken as they come.
#[test]
fn in_what_is_declared() {
    let (outputs, state) = ("\\\"outputs\\\": %lu", "\\\"width\\\": %lu}]");
    let zeros = "\\\"initializer\\\": {\\\"type\\\": \\\"zeros\\\"}}]}";
    for (name, from, to) in [
        ("outputs", outputs, "\\\"outputs\\\": 9%lu"),
        ("no-outputs", outputs, "\\\"outputs\\\": 0%.0lu"),
        ("huge-outputs", outputs, "\\\"outputs\\\": 999999999999999999%lu"),
        ("state", state, "\\\"width\\\": 9%lu}]"),
        ("no-state", state, "\\\"width\\\": 0%.0lu}]"),
        ("start", state, "\\\"width\\\": %lu, \\\"start\\\": {\\\"param\\\": \\\"h0\\\"}}]"),
        ("nan", state, "\\\"width\\\": %lu, \\\"start\\\": {\\\"constant\\\": 1e999}}]"),
        ("states", state, "\\\"width\\\": %lu}, {\\\"name\\\": \\\"h\\\", \\\"width\\\": 4}]"),
        ("shape", "[1, %lu]", "[1, 9%lu]"),
        ("no-shape", "[1, %lu]", "[0, %lu]"),
        ("huge-shape", "[1, %lu]", "[18446744073709551615, %lu]"),
        ("negative", "[1, %lu]", "[-1, %lu]"),
        ("name", "\\\"name\\\": \\\"wh\\\"", "\\\"name\\\": \\\"wx\\\""),
        ("no-name", "\\\"name\\\": \\\"wh\\\"", "\\\"name\\\": \\\"\\\""),
        ("initializer", zeros, "\\\"initializer\\\": {\\\"type\\\": \\\"chaos\\\"}}]}"),
        ("gates", zeros, "\\\"initializer\\\": {\\\"type\\\": \\\"zeros\\\"}, \\\"gates\\\": 7}]}"),
        (
            "noise",
            zeros,
            "\\\"initializer\\\": {\\\"type\\\": \\\"zeros\\\"}}], \\\"noise\\\": [{\\\"name\\\": \\\"x\\\"}]}",
        ),
        ("penalty", zeros, "\\\"initializer\\\": {\\\"type\\\": \\\"zeros\\\"}}], \\\"penalties\\\": [\\\"cost\\\"]}"),
        (
            "derived",
            zeros,
            "\\\"initializer\\\": {\\\"type\\\": \\\"zeros\\\"}}], \\\"derived\\\": [[\\\"wx\\\", [0, 1]]]}",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (status, errors) = trained(folder.path(), &changed(&format!("declare-{name}"), &[(from, to)]));
        assert!(status == 2 && errors.contains("elman-c"), "{name}: {status} {errors}");
        assert!(!errors.contains("panicked"), "{name}: {errors}");
        assert!(!folder.path().join("runs/lied/001").exists(), "{name}: a run was begun");
    }
}

const CAPTURE: &str = "if (inputs < 1 || batch < 1)";

/// Would catch: a graph that is believed since the one before was good; a training that a failure in its middle damages.
#[test]
fn from_call_to_call() {
    let garbage = "static int calls; if (calls++ > 0) { writer w = {0}; put(&w, \"\\x93zz\"); return give(w, HATCHERY_OK, out); }";
    let library = changed("later", &[(CAPTURE, &format!("{garbage}\n    {CAPTURE}"))]);
    let folder = tempfile::tempdir().unwrap();
    let (status, errors) = trained(folder.path(), &library);
    assert!(!errors.contains("panicked") && matches!(status, 0 | 2), "{status} {errors}");
    assert!(status == 0 || errors.contains(CELL) && errors.contains("its graph cannot be read"), "{errors}");

    let tanh = (
        "put(&to, \"{\\\"Float\\\": [\\\"%s\\\", {\\\"Tanh\\\": {\", kind);",
        "static int calls; put(&to, \"{\\\"Float\\\": [\\\"%s\\\", {\\\"%s\\\": {\", kind, calls++ % 2 ? \"Erf\" : \"Tanh\");",
    );
    let library = changed("other", &[tanh]).display().to_string();
    let (status, shown, errors) = hatchery(folder.path(), &["plugins", "check", &library]);
    assert!(status == 2 && shown.contains("FAILED"), "a step that changes passes the checks: {shown}{errors}");
}

/// Would catch: a thread of a library that keeps the program from ending, or changes what it computes.
#[test]
fn in_a_thread_of_its_own() {
    let thread = "#include <pthread.h>\n#include <unistd.h>\n\
        static void *forever(void *it) { for (;;) usleep(1000); return it; }\n\
        __attribute__((constructor)) static void begin(void) { pthread_t it; pthread_create(&it, NULL, forever, NULL); }\n";
    let library = changed("thread", &[("#include <stdarg.h>", &format!("#include <stdarg.h>\n{thread}"))]);
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(trained(one.path(), &library).0, 0);
    assert_eq!(trained(two.path(), &c_library("honest", &elman())).0, 0);
    let log = |folder: &Path| std::fs::read(folder.join("runs/lied/001/metrics.jsonl")).unwrap();
    assert!(log(one.path()) == log(two.path()));
}

/// Native code may end the program, and the book says so. Would catch: a run that was whole before and is not afterwards.
#[test]
fn by_ending_the_program() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(trained(folder.path(), &c_library("honest", &elman())).0, 0);
    let files = || {
        let all = std::fs::read_dir(folder.path().join("runs/lied/001")).unwrap().map(|it| it.unwrap().path());
        let mut all: Vec<_> = all.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
        all.sort();
        all
    };
    let before = files();
    let deep = "volatile char deep[1 << 16]; deep[0] = (char)length; \
        if (deep[0] >= 0 || length) return hatchery_plugin_capture(instance, request, length + 1, out) + deep[0];";
    for (name, end) in [("exit", "exit(7);"), ("abort", "abort();"), ("stack", deep)] {
        let library = changed(name, &[(CAPTURE, &format!("{end}\n    {CAPTURE}"))]);
        let (status, _) = trained(folder.path(), &library);
        assert_eq!(status, if name == "exit" { 7 } else { -1 }, "{name}");
        assert!(files() == before, "{name}: the run of before was changed");
    }
    let book = std::fs::read_to_string(crate::lab::root().join("book/src/writing/boundary.md")).unwrap();
    assert!(book.contains("What cannot be contained"));
}
