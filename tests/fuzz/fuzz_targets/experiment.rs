//! Any text as an experiment: what is read is written and read again as the same; the rest is refused.
#![no_main]

use std::sync::LazyLock;

use hatchery::{experiment::reading::from_text, plugins::Registry};

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| hatchery_cli::registry().expect("names are unique"));

libfuzzer_sys::fuzz_target!(|text: &str| {
    // Another file that it is based on would be read from the disk.
    if text.contains("base") {
        return;
    }
    match from_text(text, "fuzzed", &[], &REGISTRY) {
        Ok(experiment) => {
            assert_eq!(from_text(&experiment.to_toml(), "written", &[], &REGISTRY).expect("it is read"), experiment);
        }
        Err(error) => assert_eq!(error.exit_code(), 2, "{error}"),
    }
});
