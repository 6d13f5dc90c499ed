//! Any bytes as the manifest of a library: read or refused, but never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = hatchery::plugins::read_manifest(bytes, "fuzzed") {
        assert!(manifest.plugins.iter().all(|listed| !listed.name.is_empty() && listed.schema.is_object()));
    }
});
