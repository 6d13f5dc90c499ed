//! The plan under construction: what the cells of a model share while they are compiled one after the other.

use crate::{
    id::{BufferId, WeightId},
    plan::{
        parameter_program::ParameterProgram,
        parameters::{GradientMemory, Location, ParameterMemory},
        schedule::{Buffer, BufferKind, View, Weight},
    },
};

/// The elements of each shard's accumulators, the memory in which it sums its contributions to gradients.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Accumulators {
    /// Added to at every time step.
    pub(crate) step: usize,
    /// Added to after every time block; behind the others.
    pub(crate) block: usize,
}

impl Accumulators {
    pub(crate) fn len(self) -> usize {
        self.step + self.block
    }

    pub(crate) fn allocate_step(&mut self, count: usize) -> usize {
        allocate(&mut self.step, count)
    }

    pub(crate) fn allocate_block(&mut self, count: usize) -> usize {
        allocate(&mut self.block, count)
    }
}

/// The offset of `count` more elements, at the beginning of a cache line.
fn allocate(size: &mut usize, count: usize) -> usize {
    let offset = *size;
    *size += count.next_multiple_of(16);
    offset
}

/// Buffers, weights and memory that were assigned so far, and the parameter programs.
pub(crate) struct PlanBuilder {
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) weights: Vec<Weight>,
    pub(crate) memory: ParameterMemory,
    pub(crate) accumulators: Accumulators,
    /// The locations of the parameters.
    pub(crate) params: Vec<Location>,
    pub(crate) gradients: GradientMemory,
    /// Computed from the parameters, before the batch.
    pub(crate) prologue: ParameterProgram,
    /// Computed from sums over the batch, after it.
    pub(crate) epilogue: ParameterProgram,
}

impl PlanBuilder {
    /// A plan with memory for parameters of these shapes, and for their gradients.
    pub(crate) fn new(shapes: &[(String, [usize; 2])]) -> Self {
        let mut memory = ParameterMemory::default();
        let mut allocate = || -> Vec<Location> {
            shapes.iter().map(|(_, [rows, columns])| memory.allocate(*rows, *columns)).collect()
        };
        let (params, gradients) = (allocate(), GradientMemory::new(allocate()));
        Self {
            buffers: Vec::new(),
            weights: Vec::new(),
            memory,
            accumulators: Accumulators::default(),
            params,
            gradients,
            prologue: ParameterProgram::new(),
            epilogue: ParameterProgram::new(),
        }
    }

    /// The offsets of the packed copies of all weights, whose panels are that wide.
    pub(crate) fn allocate_packed(&mut self, panel: usize) -> Vec<usize> {
        let Self { weights, memory, .. } = self;
        let columns = |weight: &Weight| weight.at.columns.next_multiple_of(panel);
        weights.iter().map(|weight| memory.allocate(weight.at.rows, columns(weight)).offset).collect()
    }

    pub(crate) fn buffer(&mut self, width: usize, kind: BufferKind) -> BufferId {
        self.buffers.push(Buffer { width, kind });
        BufferId::new(self.buffers.len() - 1)
    }

    /// A new buffer, all columns of it.
    pub(crate) fn view(&mut self, width: usize, kind: BufferKind) -> View {
        View::whole(self.buffer(width, kind))
    }

    pub(crate) fn width(&self, view: View) -> usize {
        self.buffers[view.buffer.index()].width
    }

    /// The packed copy of a matrix, new or known.
    pub(crate) fn weight(&mut self, at: Location) -> WeightId {
        let weight = Weight { at };
        let known = self.weights.iter().position(|&known| known == weight);
        WeightId::new(known.unwrap_or_else(|| {
            self.weights.push(weight);
            self.weights.len() - 1
        }))
    }
}
