//! One binary for all integration tests, a module per concern.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod architecture;
mod baseline;
mod batches;
mod book;
mod checkpoint;
mod claims;
mod clippers;
mod command_line;
mod compile;
mod conformance;
mod crowd;
mod data;
mod determinism;
mod devices;
mod divergence;
mod experiment;
mod experiments;
mod failing_calls;
mod fetch;
mod first_inputs;
mod first_spelling;
mod flips;
mod fuzz;
mod golden_cells;
mod golden_runs;
mod gradients;
mod heads;
mod hints;
mod import;
mod lab;
mod layers;
mod limits;
mod notebook_commands;
mod picture;
mod plugins;
mod random;
mod recipes;
mod resume;
mod run_directory;
mod runs;
mod samplers;
mod schema;
mod score;
mod strangers;
mod sweep;
mod text;
#[cfg(feature = "wgpu")]
mod wgpu;
mod words;
