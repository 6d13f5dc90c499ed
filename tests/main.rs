//! One binary for all integration tests, a module per concern.

mod checkpoint;
mod picture;
mod run_directory;
