//! Sweeps: many runs as one experiment.
//!
//! A [`Sweep`] is a page of TOML: an experiment, the keys that are varied, the seeds, and how the space is searched. A
//! [`Plan`] resolves it to trials, each a run with an experiment of its own, whose hash is its id. The plan is in a
//! folder, and so do the trials' runs and results; any number of workers ([`work`]) take trials from it. What is to be done
//! next ([`standing`]) is a function of the plan and the results alone, and a run is resumed exactly: so the table of a
//! sweep depends neither on the number of workers nor on their order, nor on what was killed.

mod ask;
mod budget;
mod expand;
mod file;
mod folder;
mod importance;
mod level;
mod plan;
mod resolve;
mod size;
mod standing;
mod statistics;
mod table;
mod tested;
mod worker;

pub use self::{
    file::{Budget, Chosen, Objective, ObjectiveSplit, Repeat, Search, Size, Sweep},
    folder::{Folder, Outcome, State},
    importance::importance,
    level::{Equal, levelled},
    plan::{Plan, Planned, Trial, Variant},
    standing::{Standing, Task, Verdict, standing},
    statistics::{Band, Curve, Paired, Summary, holm, mean_curve, paired},
    table::{Row, table},
    tested::{Scores, is_chosen, score, test},
    worker::{Report, work},
};
