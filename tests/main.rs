//! One binary for all integration tests, a module per concern.

mod experiment;
