//! The execution plan: what runs in which order, and where every value lies.

pub(crate) mod cost;
pub(crate) mod differentiated;
pub(crate) mod emit;
pub(crate) mod gradient_jobs;
pub(crate) mod instruction;
pub(crate) mod layer;
pub(crate) mod listing;
pub(crate) mod model;
pub(crate) mod parameter_program;
pub(crate) mod reductions;
pub(crate) mod schedule;
