//! Before a batch runs: memory, packed weights, tables, dropout masks, and the state with which it begins.

use rayon::prelude::*;

use super::{
    buffers::Buffers,
    executable::CompiledModel,
    parameter_program,
    shard::{Shard, ShardRunner, Workspace, shards},
};
use crate::{
    kernels::{Dims, Float, Kernels, MatrixMut, MatrixRef, Transpose},
    model::{BatchView, Streams},
    plan::{
        layer::{InitialState, Input, OneHotTable, StateBuffers},
        model::ExecutionPlan,
        parameters::Location,
        schedule::Weight,
    },
};

/// Panics unless a batch has as many entries as it should, all within the vocabulary. Kernels rely on it.
fn check(batch: &BatchView<'_>, vocabulary: usize) {
    let count = batch.rows * batch.steps;
    assert!(count > 0, "a batch has at least one sequence and one step");
    let lengths = [batch.inputs.len(), batch.targets.len(), batch.counted.len()];
    assert!(lengths == [count; 3], "a batch of {count} entries has {lengths:?} inputs, targets and marks");
    assert!(batch.inputs.iter().all(|&token| token as usize <= vocabulary), "an input is beyond the vocabulary");
    assert!(batch.targets.iter().all(|&token| (token as usize) < vocabulary), "a target is beyond the vocabulary");
}

impl<T: Float> CompiledModel<T> {
    /// Makes room for a batch, packs weights, and cuts the batch into shards.
    pub(super) fn prepare(&mut self, batch: &BatchView<'_>) -> Vec<Shard> {
        check(batch, self.plan.vocabulary);
        let capacity = self.buffers.capacity;
        let (steps, rows) = (batch.steps.max(capacity.0), batch.rows.max(capacity.1));
        let shards = shards::<T>(&self.plan, batch.rows, batch.steps);
        let chunks = shards[0].chunks;
        if (steps, rows) != capacity || chunks > self.buffers.chunks {
            let most = self::shards::<T>(&self.plan, rows, steps).len();
            self.buffers.reserve(&self.plan, (steps, rows), most, chunks.max(self.buffers.chunks));
            fill_identity(&self.plan, &mut self.buffers);
        }
        while self.workspaces.len() < shards.len() * chunks + 1 {
            self.workspaces.push(Workspace::new(&self.plan));
        }
        if !self.buffers.is_packed {
            self.pack();
            self.buffers.is_packed = true;
        }
        shards
    }

    /// Packs weights, and computes what depends on parameters and tokens alone.
    fn pack(&mut self) {
        let memory = self.buffers.pointers();
        let (plan, kernels) = (&self.plan, self.kernels);
        // SAFETY: the program was planned for this memory, and the kernels were chosen for this processor.
        unsafe { parameter_program::run(&plan.prologue, memory.parameters, kernels) };
        let pack = |(weight, &to): (&Weight, &usize)| {
            let Location { offset, row_stride, column_stride, rows, columns } = weight.at;
            // SAFETY: every weight has memory of its own for its packed copy.
            unsafe {
                let ptr = memory.parameter(offset).cast_const();
                let from = MatrixRef { ptr, row_stride, column_stride };
                (kernels.pack)(from, Dims { rows, columns }, memory.parameter(to));
            }
        };
        match &self.pool {
            Some(pool) if plan.work > 1 << 17 => {
                pool.install(|| plan.weights.par_iter().zip(&plan.packed).for_each(pack));
            }
            _ => plan.weights.iter().zip(&plan.packed).for_each(pack),
        }
        copy_embedding(plan, &mut self.buffers);
        for table in plan.layers.iter().flat_map(|layer| &layer.tables) {
            fill_table(plan, kernels, &mut self.buffers, table);
        }
        let Some(layer) = plan.layers.first() else { return };
        let tokens = plan.vocabulary + 1;
        let shard = Shard::table(0, tokens);
        let memory = self.buffers.pointers();
        let runner =
            ShardRunner { plan, kernels, memory, bases: &self.buffers.bases, clock: &self.clock, pool: None, shard };
        // SAFETY: the buffers of tables have a row for every token, and nothing else runs.
        unsafe { runner.run(&layer.hoisted.forward, &mut self.workspaces[0], 0, tokens) };
    }

    /// Draws the dropout masks of a batch.
    pub(super) fn draw_masks(&mut self, shards: &[Shard], streams: &dyn Streams) {
        let mut stream = streams.dropout();
        for dropout in self.plan.dropouts.iter().flatten() {
            let keep = 1.0 - dropout.probability;
            let scale = T::from_f64(1.0 / keep);
            let (base, width) = (self.buffers.base(dropout.mask), self.plan.buffers[dropout.mask.index()].width);
            for step in 0..shards[0].steps {
                for shard in shards {
                    let start = base + (shard.first_row * shard.steps + step * shard.rows) * width;
                    for value in &mut self.buffers.work[start..start + shard.rows * width] {
                        *value = if stream.uniform() < keep { scale } else { T::default() };
                    }
                }
            }
        }
    }

    /// Writes the state with which a batch begins to where the first step reads it: `before`, if the batch continues it.
    /// Returns whether it is the starting state.
    pub(super) fn set_initial_state(
        &mut self,
        before: Option<&[Vec<T>]>,
        batch: &BatchView<'_>,
        shards: &[Shard],
    ) -> bool {
        let states = self.plan.layers.iter().flat_map(|layer| &layer.states);
        let fits = |before: &&[Vec<T>]| {
            batch.continues && before.iter().zip(states.clone()).all(|(b, state)| b.len() == batch.rows * state.width)
        };
        let before = before.filter(fits);
        for (index, state) in states.clone().enumerate() {
            let before = before.map(|before| &before[index]);
            let row = self.start_row(state);
            for shard in shards {
                let start = self.buffers.base(state.value) + shard.first_row * (shard.steps + 1) * state.width;
                let to = &mut self.buffers.work[start..start + shard.rows * state.width];
                match before {
                    Some(before) => to.copy_from_slice(&before[shard.first_row * state.width..][..to.len()]),
                    None => to.chunks_exact_mut(state.width).for_each(|to| to.copy_from_slice(&row)),
                }
            }
        }
        before.is_none()
    }

    /// The row with which a state vector starts.
    pub(super) fn start_row(&self, state: &StateBuffers) -> Vec<T> {
        match state.start {
            InitialState::Constant(value) => vec![T::from_f64(value); state.width],
            InitialState::Param { at, .. } => self.buffers.parameters[at.offset..at.offset + state.width].to_vec(),
        }
    }

    /// The state after the last step, in the memory of `before` if that is as large.
    pub(super) fn final_state(&self, shards: &[Shard], before: Option<Vec<Vec<T>>>) -> Vec<Vec<T>> {
        let states: Vec<_> = self.plan.layers.iter().flat_map(|layer| &layer.states).collect();
        let rows: usize = shards.iter().map(|shard| shard.rows).sum();
        let mut end = before.unwrap_or_default();
        end.resize_with(states.len(), Vec::new);
        for (end, state) in end.iter_mut().zip(states) {
            end.resize(rows * state.width, T::default());
            for shard in shards {
                let first = shard.first_row * (shard.steps + 1) + shard.steps * shard.rows;
                let start = self.buffers.base(state.value) + first * state.width;
                let count = shard.rows * state.width;
                end[shard.first_row * state.width..][..count].copy_from_slice(&self.buffers.work[start..start + count]);
            }
        }
        end
    }
}

/// The identity, and a row of zeros for no token: one-hot vectors for cells that do more than multiply by them.
fn fill_identity<T: Float>(plan: &ExecutionPlan, buffers: &mut Buffers<T>) {
    let Input::OneHot(view) = plan.input else { return };
    let (start, width) = (buffers.base(view.buffer), plan.vocabulary);
    buffers.work[start..start + (width + 1) * width].fill(T::default());
    (0..width).for_each(|index| buffers.work[start + index * width + index] = T::from_f64(1.0));
}

/// The embedding, and a row of zeros for no token.
fn copy_embedding<T: Float>(plan: &ExecutionPlan, buffers: &mut Buffers<T>) {
    let Input::Embedding { table, .. } = plan.input else { return };
    // It is the first parameter.
    let at = plan.params[0].1;
    let (to, count) = (buffers.base(table.buffer), at.len());
    buffers.work[to..to + count].copy_from_slice(&buffers.parameters[at.offset..at.offset + count]);
    buffers.work[to + count..to + count + at.columns].fill(T::default());
}

/// `table = weightᵀ + bias`; the last row, of no token, is the bias alone.
fn fill_table<T: Float>(plan: &ExecutionPlan, kernels: &Kernels<T>, buffers: &mut Buffers<T>, table: &OneHotTable) {
    let width = plan.buffers[table.table.buffer.index()].width;
    let base = buffers.base(table.table.buffer);
    let memory = buffers.pointers();
    // SAFETY: the table has a row for every token, and the weight a column for every symbol.
    unsafe {
        let to = memory.work.add(base);
        let last = to.add(plan.vocabulary * width);
        match table.bias {
            Some(bias) => std::ptr::copy_nonoverlapping(memory.parameters.add(bias.offset), last, width),
            None => std::slice::from_raw_parts_mut(last, width).fill(T::default()),
        }
        (kernels.transpose)(&Transpose {
            dims: Dims { rows: width, columns: plan.vocabulary },
            from: MatrixRef::rows(memory.parameters.add(table.weight.offset), table.weight.row_stride),
            to: MatrixMut { ptr: to, row_stride: width },
            width,
            add: table.bias.map(|_| MatrixRef::row(last.cast_const())),
        });
    }
}
