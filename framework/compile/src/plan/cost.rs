//! How much there is to compute: the floating-point operations of a training step's products, counted from its program.
//!
//! Element-wise programs are not counted: on every processor products are what a step costs, and what two programs can be
//! compared by.

use crate::{
    plan::layer::{Phase, Reduction},
    plan::model::ExecutionPlan,
    plan::schedule::{Body, Step},
};

/// The operations of all products of one update, a multiplication and an addition being two: forward, backward and the
/// gradients of the weights. `counted` is how many time steps have predictions that count.
pub(crate) fn operations(program: &ExecutionPlan, rows: usize, steps: usize, counted: usize) -> u64 {
    let all = rows * steps;
    let mut entries = 3 * program.vocabulary * program.head.width * rows * counted;
    for (index, (_, layer, _)) in program.layers.iter().enumerate() {
        // What the first layer does before the loop runs over tokens.
        let before = if index == 0 { program.vocabulary + 1 } else { all };
        for (phase, rows) in [(&layer.step, all), (&layer.before, before)] {
            entries += rows * of_phase(program, phase);
        }
    }
    2 * entries as u64
}

/// The entries of all matrices that one row is multiplied with.
fn of_phase(program: &ExecutionPlan, phase: &Phase) -> usize {
    let of_body = |body: &Body| -> usize {
        let entries = |step: &Step| match step {
            Step::Multiply(multiply) => {
                let at = program.weights[multiply.weight].0.at;
                at.rows * at.columns
            }
            Step::Program(_) => 0,
        };
        body.steps.iter().map(entries).sum()
    };
    let of_reduction = |reduction: &Reduction| match reduction {
        Reduction::Outer { to, .. } => to.rows * to.columns,
        _ => 0,
    };
    of_body(&phase.forward) + of_body(&phase.backward) + phase.reductions.iter().map(of_reduction).sum::<usize>()
}
