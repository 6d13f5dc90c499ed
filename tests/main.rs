//! One binary for all integration tests, a module per concern.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod batches;
mod checkpoint;
mod clippers;
mod conformance;
mod experiment;
mod fetch;
mod fuzz;
mod golden_cells;
mod golden_runs;
mod lab;
mod picture;
mod random;
mod resume;
mod run_directory;
mod samplers;
mod text;
