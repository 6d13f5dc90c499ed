//! Any bytes as a checkpoint: read or refused, but never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = hatchery::run::checkpoint::from_bytes(bytes, "fuzzed") {
        assert_eq!(error.exit_code(), 2, "{error}");
    }
});
