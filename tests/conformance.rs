//! The conformance kit finds what it says it finds: for each of its checks a plugin that makes just that mistake, and
//! for each kind one that makes none and passes everything.
//!
//! A kit whose checks never fail would be worse than none. So the tests compare the *whole* list of failed checks:
//! one that fails on anything but its own mistake sends a plugin author to the wrong place.

mod cells;
mod clippers;
mod datasets;
mod keys;
mod samplers;
pub(crate) mod shipped;
mod wrappers;

use hatchery_plugin::{
    Kind, Provider,
    conformance::{Report, check},
    serde_json::Value,
};

fn report(provider: &Provider, kind: Kind, name: &str, keys: Value) -> Report {
    check(provider.find(kind, name).expect("the test's own plugin is listed"), keys)
}

/// Compares the failed checks with the expected ones, and their details with words that they must contain.
#[track_caller]
fn assert_failures(report: &Report, expected: &[(&str, &str)]) {
    let failed: Vec<_> = report.failures().map(|outcome| outcome.check).collect();
    let names: Vec<_> = expected.iter().map(|(check, _)| *check).collect();
    assert_eq!(failed, names, "{report}");
    for (outcome, (_, words)) in report.failures().zip(expected) {
        let detail = outcome.result.as_ref().expect_err("it is among the failures");
        assert!(detail.contains(words), "`{words}` is missing in: {detail}");
    }
}

/// What a plugin author sees must name the check, the numbers and where to look, in one line each.
#[test]
fn a_failed_report_panics_with_the_whole_table() {
    let report = report(
        &cells::plugins(),
        Kind::Cell,
        "tanh",
        hatchery_plugin::serde_json::json!({ "hidden": 4, "mistake": "rows-mixed" }),
    );
    let panic = std::panic::catch_unwind(|| report.assert()).expect_err("a check failed");
    let table = panic.downcast_ref::<String>().expect("the message is formatted");
    assert!(table.starts_with("cell \"tanh\": 1 of 23 checks failed\n"), "{table}");
    assert_eq!(table.lines().count(), 24, "{table}");
    assert!(table.contains("\n  FAILED  batch rows independent "), "{table}");
    assert!(table.contains("\n  ok      everything gets a gradient "), "{table}");
}

/// A mistyped name must say what there is, rather than pass without having checked anything.
#[test]
#[should_panic(expected = "has no cell \"tanhh\"; it has cell \"tanh\"")]
fn an_unknown_plugin_is_no_success() {
    hatchery_plugin::conformance!(cells::plugins(), cell "tanhh", { "hidden": 4 });
}
