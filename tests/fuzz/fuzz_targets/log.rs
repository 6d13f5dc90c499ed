//! Fuzzing of the readers of logs: any bytes give rows or a refusal, without a panic.
#![no_main]

use std::path::Path;

use hatchery::{
    error::Error,
    run::log::{Event, Metric, Row, SampleRow, from_bytes},
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    read::<Metric>(bytes);
    read::<SampleRow>(bytes);
    read::<Event>(bytes);
});

fn read<R: Row>(bytes: &[u8]) {
    if let Err(error @ Error::Internal { .. }) = from_bytes::<R>(bytes.to_vec(), Path::new("fuzzed")) {
        panic!("{error}");
    }
}
