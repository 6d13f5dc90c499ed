//! One binary for all integration tests, a module per concern.

mod batches;
mod fetch;
mod text;
