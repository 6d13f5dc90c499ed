//! Sweeps: many runs as one experiment.
//!
//! A [`Sweep`] is a page of TOML: an experiment, the keys that are varied, the seeds, and how the space is searched. A
//! [`Plan`] resolves it to trials, each a run with an experiment of its own, whose hash is its id. The plan lies in a
//! folder, and so do the trials' runs and results; any number of workers ([`work`]) take trials from it. What is to be done
//! next ([`standing`]) is a function of the plan and the results alone, and a run is resumed exactly: so the table of a
//! sweep depends neither on the number of workers nor on their order, nor on what was killed.

mod expand;
mod file;
mod folder;
mod plan;
mod size;
mod standing;
mod statistics;
mod table;
mod worker;

pub use self::{
    file::{Budget, Chosen, Objective, ObjectiveSplit, Repeat, Search, Size, Sweep},
    folder::{Folder, Outcome, State},
    plan::{Plan, Trial, Variant},
    standing::{Standing, Task, Verdict, standing},
    statistics::{Paired, Summary, holm, paired},
    table::{Row, table},
    worker::{Report, work},
};
