//! The cost of an update: the floating-point operations of its products.
//!
//! Element-wise kernels are not counted: on every processor products are what an update costs, and what two executors can be
//! compared by.

use crate::plan::{
    layer::Phase,
    model::ExecutionPlan,
    reductions::Reduction,
    schedule::{Schedule, Task},
};

/// The operations of all products of one update, a multiplication and an addition being two: forward, backward and the
/// gradients of the weights. `counted` is the number of time steps with predictions that count.
pub(crate) fn operations(plan: &ExecutionPlan, rows: usize, steps: usize, counted: usize) -> u64 {
    let all = rows * steps;
    let of_head = plan.head.product.as_ref().map_or(0, |_| 3 * plan.vocabulary * plan.head.width);
    let mut entries = of_head * rows * counted;
    for (index, layer) in plan.layers.iter().enumerate() {
        // What the first layer does before the loop runs over tokens.
        let hoisted_rows = if index == 0 { plan.vocabulary + 1 } else { all };
        entries += all * of_phase(plan, &layer.step) + hoisted_rows * of_phase(plan, &layer.hoisted);
    }
    2 * entries as u64
}

/// The entries of all matrices that one row is multiplied with.
fn of_phase(plan: &ExecutionPlan, phase: &Phase) -> usize {
    let of_schedule = |schedule: &Schedule| -> usize {
        let entries = |task: &Task| match task {
            Task::Multiply(multiply) => plan.weights[multiply.weight.index()].at.len(),
            Task::Fused(_) => 0,
        };
        schedule.tasks.iter().map(entries).sum()
    };
    let of_reduction = |reduction: &Reduction| match reduction {
        Reduction::Outer { to, .. } => to.len(),
        Reduction::Sum { .. } | Reduction::Fill { .. } => 0,
    };
    of_schedule(&phase.forward)
        + of_schedule(&phase.backward)
        + phase.reductions.iter().map(of_reduction).sum::<usize>()
}
