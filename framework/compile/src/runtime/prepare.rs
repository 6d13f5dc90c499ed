//! What comes before a batch runs: room, packed weights, masks, and the state with which it begins.

use rayon::prelude::*;

use super::{
    executable::Executable,
    parameter_program,
    shard::{Chunk, Memory, Runner, Space},
};
use crate::{
    kernels::{Float, Turn},
    model::Sequences,
    plan::{
        layer::Input,
        schedule::{BufferKind, Weight},
    },
    runtime::buffers::Aligned,
};

/// About how many rows of a chunk, all those of a time step taken together, a block has.
pub(super) const BLOCK: usize = 128;

/// How many time steps make up a block, for so many rows each: a power of two.
fn block(rows: usize) -> usize {
    1 << (BLOCK / rows).max(1).ilog2()
}

impl<T: Float> Executable<T> {
    /// How the rows of a batch are cut: enough chunks for many cores where there is enough work, of rows enough to be
    /// worth reading the weights for.
    fn chunks(&self, rows: usize, steps: usize) -> Vec<Chunk> {
        let bytes = self.program.work * size_of::<T>();
        let least = if bytes > 4 << 20 { 24 } else { 12 };
        let mut count = 1;
        while self.is_large(rows, steps) && count < 64 && rows / (2 * count) >= least {
            count *= 2;
        }
        let block = block(rows.div_ceil(count));
        // Longer and shorter ones in turn, as neighbours are likely to run on one thread.
        let start = |number: usize| rows * number / count;
        let chunk =
            |number| Chunk { number, first: start(number), rows: start(number + 1) - start(number), steps, block };
        (0..count).map(chunk).collect()
    }

    /// Whether there is enough to do for more than one thread.
    pub(super) fn is_large(&self, rows: usize, steps: usize) -> bool {
        self.program.work * rows * steps >= 1 << 19
    }

    /// Makes room for a batch, packs weights, and cuts the rows.
    pub(super) fn prepare(&mut self, batch: &Sequences<'_>) -> Vec<Chunk> {
        // Everything below goes by these without looking again.
        let (count, vocabulary) = (batch.rows * batch.steps, self.program.vocabulary);
        assert!(count > 0, "a batch has at least one sequence and one step");
        let lengths = [batch.inputs.len(), batch.targets.len(), batch.counted.len()];
        assert!(lengths == [count; 3], "a batch of {count} entries has {lengths:?} inputs, targets and marks");
        assert!(batch.inputs.iter().all(|&token| token as usize <= vocabulary), "an input is no symbol");
        assert!(batch.targets.iter().all(|&token| (token as usize) < vocabulary), "a target is no symbol");
        let (rows, steps) = (batch.rows.max(self.room.1), batch.steps.max(self.room.0));
        let most = self.chunks(rows, steps).len();
        if (steps, rows) != self.room {
            self.bases.clear();
            let mut size = 0;
            for buffer in &self.program.buffers {
                self.bases.push(size);
                let lines = match buffer.kind {
                    BufferKind::Tape => steps * rows,
                    BufferKind::State => (steps + 1) * rows,
                    BufferKind::Block => (most * BLOCK + rows).min(steps * rows),
                    BufferKind::Step => rows,
                    BufferKind::Carry => 2 * rows,
                    BufferKind::Table => self.program.vocabulary + 1,
                };
                size += (lines * buffer.width).next_multiple_of(16);
            }
            self.work = Aligned::new(size);
            self.sums = Aligned::new((most + 1) * self.program.accumulators.len());
            self.room = (steps, rows);
            self.is_packed = false;
            self.fill_identity();
        }
        let chunks = self.chunks(batch.rows, batch.steps);
        while self.spaces.len() < chunks.len() + 1 {
            self.spaces.push(Space::new(&self.program));
        }
        if !self.is_packed {
            self.pack();
            self.is_packed = true;
        }
        chunks
    }

    fn fill_identity(&mut self) {
        if let Input::OneHot(view) = self.program.input {
            let (start, width) = (self.bases[view.buffer.index()], self.program.vocabulary);
            self.work[start..start + (width + 1) * width].fill(T::default());
            (0..width).for_each(|index| self.work[start + index * width + index] = T::from_f64(1.0));
        }
    }

    pub(super) fn memory(&mut self) -> Memory<T> {
        Memory { fixed: self.memory.as_mut_ptr(), work: self.work.as_mut_ptr(), sums: self.sums.as_mut_ptr() }
    }

    /// Packs weights, and computes what depends on parameters and tokens alone.
    fn pack(&mut self) {
        let memory = self.memory();
        let (program, kernels, clock) = (&self.program, self.kernels, &self.clock);
        // SAFETY: the steps and places were planned for this memory.
        unsafe { parameter_program::run(&program.prologue, memory.fixed, kernels) };
        let pack = |(weight, &to): (&Weight, &usize)| {
            // SAFETY: every weight has a place of its own.
            unsafe {
                let from = memory.at(weight.at.offset).cast_const();
                let strides = [weight.at.row_stride, weight.at.column_stride];
                (kernels.pack)(from, strides, weight.at.rows, weight.at.columns, memory.at(to));
            }
        };
        match &self.pool {
            Some(pool) if program.work > 1 << 17 => {
                pool.install(|| program.weights.par_iter().zip(&program.packed).for_each(pack))
            }
            _ => program.weights.iter().zip(&program.packed).for_each(pack),
        }
        if let Input::Embedding { table, .. } = program.input {
            let at = program.params[0].1;
            let to = self.bases[table.buffer.index()];
            let count = at.rows * at.columns;
            self.work[to..to + count].copy_from_slice(&self.memory[at.offset..at.offset + count]);
            self.work[to + count..to + count + at.columns].fill(T::default());
        }
        let tokens = program.vocabulary + 1;
        for layer in &program.layers {
            for choice in &layer.tables {
                let width = program.buffers[choice.table.buffer.index()].width;
                let to = self.bases[choice.table.buffer.index()];
                // SAFETY: the table has a row for every token, the weight a column for every symbol.
                unsafe {
                    let to = memory.work.add(to);
                    // The last row is that of no symbol: the bias alone.
                    let last = to.add((tokens - 1) * width);
                    match choice.bias {
                        Some(bias) => std::ptr::copy_nonoverlapping(memory.fixed.add(bias.offset), last, width),
                        None => std::slice::from_raw_parts_mut(last, width).fill(T::default()),
                    }
                    (kernels.turn)(&Turn {
                        rows: width,
                        columns: tokens - 1,
                        from: memory.fixed.add(choice.weight.offset).cast_const(),
                        from_stride: choice.weight.row_stride,
                        to,
                        to_stride: width,
                        width,
                        add: if choice.bias.is_some() { last.cast_const() } else { std::ptr::null() },
                        add_stride: 0,
                    });
                }
            }
        }
        let Some(layer) = program.layers.first() else { return };
        let space = &mut self.spaces[0];
        let table = Runner {
            program,
            kernels,
            memory,
            bases: &self.bases,
            clock,
            chunk: Chunk { number: 0, first: 0, rows: tokens, steps: 1, block: 1 },
        };
        // SAFETY: the table's buffers have a row for every token.
        unsafe { table.run(&layer.hoisted.forward, space, std::iter::once(0), tokens) };
    }

    pub(super) fn draw_masks(&mut self, chunks: &[Chunk], uniform: &mut dyn FnMut() -> f64) {
        let keep = 1.0 - self.program.dropout;
        let scale = T::from_f64(1.0 / keep);
        for dropout in self.program.dropouts.iter().flatten() {
            let mask = dropout.mask.index();
            let (base, width) = (self.bases[mask], self.program.buffers[mask].width);
            for step in 0..chunks[0].steps {
                for chunk in chunks {
                    let start = base + (chunk.first * chunk.steps + step * chunk.rows) * width;
                    for value in &mut self.work[start..start + chunk.rows * width] {
                        *value = if uniform() < keep { scale } else { T::default() };
                    }
                }
            }
        }
    }

    /// Puts the state with which a batch begins where the first step reads it.
    pub(super) fn begin_with(&mut self, before: Option<&[Vec<T>]>, batch: &Sequences<'_>, chunks: &[Chunk]) {
        let carried = self.program.layers.iter().flat_map(|layer| &layer.states);
        for (index, state) in carried.enumerate() {
            let before = before.map(|before| &before[index]);
            let before = before.filter(|before| batch.continues && before.len() == batch.rows * state.width);
            for chunk in chunks {
                let start = self.bases[state.value.index()] + chunk.first * (chunk.steps + 1) * state.width;
                let to = &mut self.work[start..start + chunk.rows * state.width];
                match before {
                    Some(before) => to.copy_from_slice(&before[chunk.first * state.width..][..to.len()]),
                    None => to.fill(T::from_f64(state.start)),
                }
            }
        }
    }

    /// The state after the last step, in the memory of the one before if that is as large.
    pub(super) fn end_of(&self, chunks: &[Chunk], before: Option<Vec<Vec<T>>>) -> Vec<Vec<T>> {
        let carried = self.program.layers.iter().flat_map(|layer| &layer.states);
        let rows: usize = chunks.iter().map(|chunk| chunk.rows).sum();
        let mut end = before.unwrap_or_default();
        end.resize_with(carried.clone().count(), Vec::new);
        for (end, state) in end.iter_mut().zip(carried) {
            end.resize(rows * state.width, T::default());
        }
        self.end_into(chunks, &mut end);
        end
    }

    pub(super) fn end_into(&self, chunks: &[Chunk], end: &mut [Vec<T>]) {
        let carried = self.program.layers.iter().flat_map(|layer| &layer.states);
        for (state, end) in carried.zip(end) {
            for chunk in chunks {
                let first = chunk.first * (chunk.steps + 1) + chunk.steps * chunk.rows;
                let start = self.bases[state.value.index()] + first * state.width;
                let count = chunk.rows * state.width;
                end[chunk.first * state.width..][..count].copy_from_slice(&self.work[start..start + count]);
            }
        }
    }
}
