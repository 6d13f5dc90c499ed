//! The execution plan: what runs in which order, and where every value lies.

pub(crate) mod assign_buffers;
pub(crate) mod assign_phase;
pub(crate) mod builder;
pub(crate) mod cost;
pub(crate) mod emit;
pub(crate) mod emit_phase;
pub(crate) mod fused_kernel;
pub(crate) mod gradient_jobs;
pub(crate) mod head;
pub(crate) mod layer;
pub(crate) mod listing;
pub(crate) mod model;
pub(crate) mod noise;
pub(crate) mod parameter_program;
pub(crate) mod parameters;
pub(crate) mod phases;
pub(crate) mod reductions;
pub(crate) mod schedule;
