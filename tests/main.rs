//! One binary for all integration tests, a module per concern.

mod clippers;
mod conformance;
mod random;
mod samplers;
