//! The memory of the noise that cells declare.

use hatchery_plugin::{Declaration, Distribution, Per};

use crate::{
    id::BufferId,
    ir::{graph::Graph, op::Leaf},
    plan::{
        builder::PlanBuilder,
        parameter_program::ParameterPlanner,
        parameters::Location,
        schedule::{BufferKind, View},
    },
};

/// Noise of a cell: what is drawn, and where it lies.
#[derive(Clone, Debug)]
pub(crate) struct NoiseMemory {
    /// Its name within the cell.
    pub(crate) name: String,
    pub(crate) distribution: Distribution,
    pub(crate) place: NoisePlace,
}

/// Where noise lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NoisePlace {
    /// A row for each sequence at every time step; drawn anew at each of them, or once.
    Rows { buffer: BufferId, is_each_step: bool },
    /// A matrix that is the same for a whole update.
    Update(Location),
}

/// Memory for all noise of a cell, in the order of its declaration.
pub(crate) fn allocate(declared: &Declaration, plan: &mut PlanBuilder) -> Vec<NoiseMemory> {
    let mut noise = Vec::new();
    for spec in &declared.noise {
        let place = match spec.per {
            Per::Update { rows } => NoisePlace::Update(plan.memory.allocate(rows, spec.width)),
            Per::Step | Per::Sequence => NoisePlace::Rows {
                buffer: plan.buffer(spec.width, BufferKind::Tape),
                is_each_step: spec.per == Per::Step,
            },
        };
        noise.push(NoiseMemory { name: spec.name.to_string(), distribution: spec.distribution, place });
    }
    noise
}

/// The leaves of noise with a row for each sequence, and where they lie.
pub(crate) fn views(noise: &[NoiseMemory]) -> impl Iterator<Item = (Leaf, View)> {
    let of_rows = noise.iter().filter_map(|noise| match noise.place {
        NoisePlace::Rows { buffer, .. } => Some(View::whole(buffer)),
        NoisePlace::Update(_) => None,
    });
    of_rows.enumerate().map(|(number, view)| (Leaf::Noise(number), view))
}

/// Tells a planner where the noise of an update lies.
pub(crate) fn define(noise: &[NoiseMemory], graph: &Graph, planner: &mut ParameterPlanner<'_>) {
    let of_update = noise.iter().filter_map(|noise| match noise.place {
        NoisePlace::Update(at) => Some(at),
        NoisePlace::Rows { .. } => None,
    });
    for (number, at) in of_update.enumerate() {
        if let Some(id) = graph.leaf_node(Leaf::UpdateNoise(number)) {
            planner.define(id, at);
        }
    }
}
