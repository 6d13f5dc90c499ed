//! The gradients of all parameters, summed over the chunks: products over the rows of all steps, sums, and the part of
//! the first layer that runs over tokens.

use rayon::prelude::*;

use super::{
    clock::Clock,
    executable::Executable,
    parameter_program,
    shard::{Chunk, Memory, Runner},
};
use crate::{
    ir::op::{Binary, Unary},
    kernels::{Float, Kernels, Outer, Product, Source, Target, Turn},
    plan::{
        fused_kernel::Opcode,
        gradient_jobs::{GradientJob, OUTER_ROWS, ranges},
        layer::{self, Input},
        model::ExecutionPlan,
        parameter_program::ParameterOp,
        parameters::Location,
        reductions::Reduction,
        schedule::{BufferKind, View},
    },
};

impl<T: Float> Executable<T> {
    /// Sums the gradients of all parameters over the chunks.
    pub(super) fn sum_gradients(&mut self, chunks: &[Chunk], tokens: &[u32], span: (usize, usize)) {
        let is_large = self.is_large(tokens.len(), 1);
        let memory = self.memory();
        let (program, kernels, bases, clock) = (&self.program, self.kernels, &self.bases[..], &self.clock);
        let rows: usize = chunks.iter().map(|chunk| chunk.rows).sum();
        let steps = chunks[0].steps;
        let table_space = &mut self.spaces[0];
        let table = [Chunk { number: chunks.len(), first: 0, rows: program.vocabulary + 1, steps: 1, block: 1 }];
        let by_blocks = chunks.len() > 1 || steps > chunks[0].block;
        let summing = Summing { program, kernels, memory, bases, clock, chunks, rows, steps, tokens, by_blocks };

        // What begins a gradient goes to a place of its own and runs in any order; what adds to one comes last.
        match &self.pool {
            Some(pool) if is_large => pool.install(|| {
                // SAFETY: these jobs write to different places.
                program.jobs.par_iter().with_max_len(1).for_each(|job| unsafe { summing.run(job, span) });
            }),
            // SAFETY: one after the other.
            _ => program.jobs.iter().for_each(|job| unsafe { summing.run(job, span) }),
        }
        // SAFETY: one after the other.
        unsafe {
            // The part of the first layer that runs over tokens.
            if let Some(layer) = program.layers.first() {
                let runner = summing.runner(table[0]);
                std::slice::from_raw_parts_mut(runner.sums(), program.accumulators.step).fill(T::default());
                runner.run(&layer.hoisted.backward, table_space, std::iter::once(0), table[0].rows);
                for reduction in &layer.hoisted.reductions {
                    match *reduction {
                        Reduction::Outer { a, b, to, add: false, .. } => {
                            summing.outer((a, b), to, false, (0, to.rows), (0, 1));
                        }
                        Reduction::Sum { accumulator: place, to, add: false } => {
                            summing.sum(&table, place, to, false);
                        }
                        Reduction::Fill { to, value } => {
                            parameter_program::run(&[ParameterOp::Fill { to, value }], memory.fixed, kernels);
                        }
                        _ => {}
                    }
                }
                layer.tables.iter().for_each(|choice| summing.choice(choice));
                if let Input::Embedding { gradient, .. } = program.input {
                    let (from, to) = (bases[gradient.buffer.index()], program.gradients[0]);
                    let count = to.rows * to.columns;
                    std::ptr::copy_nonoverlapping(memory.work.add(from), memory.fixed.add(to.offset), count);
                }
            }
            for (index, layer) in program.layers.iter().enumerate() {
                let phases = [(&layer.step, false), (&layer.hoisted, index == 0)];
                for (phase, of_tokens) in phases {
                    for reduction in &phase.reductions {
                        match *reduction {
                            Reduction::Outer { to, add: true, accumulator: Some(place), .. } if by_blocks => {
                                summing.sum(chunks, summing.totals(place), to, true);
                            }
                            Reduction::Outer { a, b, to, add: true, .. } => {
                                let span = (0, if of_tokens { 1 } else { steps });
                                summing.outer((a, b), to, true, (0, to.rows), span);
                            }
                            Reduction::Sum { accumulator: place, to, add: true } => {
                                summing.sum(if of_tokens { &table } else { chunks }, place, to, true);
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
    }
}

/// Sums over the rows of all chunks.
struct Summing<'a, T: Float> {
    program: &'a ExecutionPlan,
    kernels: &'static Kernels<T>,
    memory: Memory<T>,
    bases: &'a [usize],
    clock: &'a Clock,
    chunks: &'a [Chunk],
    rows: usize,
    steps: usize,
    tokens: &'a [u32],
    /// Whether the chunks summed up block by block: not if there is but one block.
    by_blocks: bool,
}

impl<T: Float> Summing<'_, T> {
    fn runner(&self, chunk: Chunk) -> Runner<'_, T> {
        Runner {
            program: self.program,
            kernels: self.kernels,
            memory: self.memory,
            bases: self.bases,
            clock: self.clock,
            chunk,
        }
    }

    /// Runs a job.
    ///
    /// # Safety
    /// No other job that runs now writes to the same place.
    unsafe fn run(&self, job: &GradientJob, counted_span: (usize, usize)) {
        // SAFETY: the caller's; views were planned for this memory.
        unsafe {
            match *job {
                GradientJob::Outer { to, rows: (first, last), accumulator: Some(place), .. } if self.by_blocks => {
                    let place = self.totals(place) + first * to.columns;
                    self.sum(self.chunks, place, to.rows_from(first, last - first), false);
                }
                GradientJob::Outer { a, b, to, rows, counted, .. } => {
                    let span = if counted { counted_span } else { (0, self.steps) };
                    self.outer((a, b), to, false, rows, span);
                }
                GradientJob::Fill { to, value } => {
                    parameter_program::run(&[ParameterOp::Fill { to, value }], self.memory.fixed, self.kernels);
                }
                GradientJob::SumRows { to, accumulator: Some(place), .. } if self.by_blocks => {
                    self.sum(self.chunks, self.totals(place), to, false);
                }
                GradientJob::SumRows { from, to, .. } => {
                    let span = counted_span;
                    let target = Target { start: self.memory.fixed.add(to.offset), stride: 0 };
                    std::slice::from_raw_parts_mut(target.start, to.columns).fill(T::default());
                    for &chunk in self.chunks {
                        let runner = self.runner(chunk);
                        let start = runner.at(from, span.0).cast_const();
                        let source = Source { start, stride: runner.width(from), single: false };
                        let shape = ((span.1 - span.0) * chunk.rows, to.columns);
                        (self.kernels.execute)(Opcode::AddRows, shape, target, [source; 3]);
                    }
                }
                GradientJob::Sum { accumulator: place, to } => self.sum(self.chunks, place, to, false),
                GradientJob::Scatter { to, columns: (first, last), accumulator: Some(place), .. } if self.by_blocks => {
                    let runner = self.runner(self.chunks[0]);
                    let to = Target { start: runner.at(to, 0).add(first), stride: runner.width(to) };
                    let shape = (self.program.vocabulary + 1, last - first);
                    self.sum_rows(self.chunks, (self.totals(place) + first, to.stride), to, shape, false);
                }
                GradientJob::Scatter { from, to, columns, .. } => self.scatter(from, to, columns),
            }
        }
    }

    /// Where among its sums a chunk has what it summed up block by block.
    fn totals(&self, place: usize) -> usize {
        self.program.accumulators.step + place
    }

    /// `to (+)=` what some chunks summed up, in their order.
    unsafe fn sum(&self, chunks: &[Chunk], place: usize, to: Location, add: bool) {
        // SAFETY: the caller's.
        unsafe {
            let target = Target { start: self.memory.fixed.add(to.offset), stride: to.row_stride };
            if to.column_stride == 1 {
                self.sum_rows(chunks, (place, to.columns), target, (to.rows, to.columns), add);
                return;
            }
            // A row that lies in a column.
            let target = Target { stride: to.column_stride, ..target };
            self.sum_rows(chunks, (place, 1), target, (to.columns, 1), add);
        }
    }

    unsafe fn sum_rows(
        &self,
        chunks: &[Chunk],
        (place, stride): (usize, usize),
        to: Target<T>,
        shape: (usize, usize),
        add: bool,
    ) {
        let own = Source { start: to.start.cast_const(), stride: to.stride, single: false };
        for (index, &chunk) in chunks.iter().enumerate() {
            let code = if add || index > 0 { Opcode::Zip(Binary::Add) } else { Opcode::Map(Unary::Copy) };
            // SAFETY: the caller's.
            unsafe {
                let start = self.runner(chunk).sums().add(place).cast_const();
                let sum = Source { start, stride, single: false };
                (self.kernels.execute)(code, shape, to, [sum, own, own]);
            }
        }
    }

    unsafe fn outer(
        &self,
        (a, b): (View, View),
        to: Location,
        mut add: bool,
        (first, last): (usize, usize),
        span: (usize, usize),
    ) {
        let kinds = [a, b].map(|view| self.program.buffers[view.buffer.index()].kind);
        let is_table = kinds.contains(&BufferKind::Table);
        // Tapes of all chunks lie behind each other: one product over all.
        let all = [Chunk { number: 0, first: 0, rows: self.rows, steps: self.steps, block: 1 }];
        let table = [Chunk { number: 0, first: 0, rows: self.program.vocabulary + 1, steps: 1, block: 1 }];
        let at_once = kinds == [BufferKind::Tape; 2] && [a, b].iter().all(|v| v.shift == 0) && span == (0, self.steps);
        let chunks = if is_table {
            &table[..]
        } else if at_once {
            &all[..]
        } else {
            self.chunks
        };
        // SAFETY: the caller's.
        self.clock.time(|| unsafe {
            for &chunk in chunks {
                let runner = self.runner(chunk);
                let depth = (span.1 - span.0) * chunk.rows;
                let product = Outer {
                    rows: last - first,
                    columns: to.columns,
                    depth,
                    a: runner.at(a, span.0).add(first).cast_const(),
                    a_stride: runner.width(a),
                    b: runner.at(b, span.0).cast_const(),
                    b_stride: runner.width(b),
                    c: self.memory.fixed.add(to.offset + first * to.row_stride),
                    c_stride: to.row_stride,
                    add,
                };
                if depth > 0 || !add {
                    outer(self.kernels, &product);
                }
                add = true;
            }
        });
    }

    unsafe fn scatter(&self, from: View, to: View, (first, last): (usize, usize)) {
        let vocabulary = self.program.vocabulary;
        // SAFETY: the caller's; tokens are rows of the table.
        unsafe {
            let table = self.runner(self.chunks[0]);
            let (table, stride) = (table.at(to, 0), table.width(to));
            for token in 0..=vocabulary {
                std::slice::from_raw_parts_mut(table.add(token * stride + first), last - first).fill(T::default());
            }
            for &chunk in self.chunks {
                let runner = self.runner(chunk);
                let width = runner.width(from);
                for step in 0..chunk.steps {
                    let start = runner.at(from, step);
                    let tokens = &self.tokens[step * self.rows + chunk.first..][..chunk.rows];
                    for (row, &token) in tokens.iter().enumerate() {
                        let source =
                            Source { start: start.add(row * width + first).cast_const(), stride: 0, single: false };
                        let target = Target { start: table.add(token as usize * stride + first), stride: 0 };
                        (self.kernels.execute)(Opcode::AddRows, (1, last - first), target, [source; 3]);
                    }
                }
            }
        }
    }

    /// The gradient of a one-hot product from that of its table.
    unsafe fn choice(&self, choice: &layer::OneHotTable) {
        let vocabulary = self.program.vocabulary;
        // SAFETY: the caller's; the table has a row for every token.
        unsafe {
            let runner = self.runner(self.chunks[0]);
            let (table, width) = (runner.at(choice.table_gradient, 0), runner.width(choice.table_gradient));
            let (to, add) = choice.weight_gradient;
            let start = self.memory.fixed.add(to.offset);
            (self.kernels.turn)(&Turn {
                rows: vocabulary,
                columns: width,
                from: table.cast_const(),
                from_stride: width,
                to: start,
                to_stride: to.row_stride,
                width: vocabulary,
                add: if add { start.cast_const() } else { std::ptr::null() },
                add_stride: to.row_stride,
            });
            if let Some((to, add)) = choice.bias_gradient {
                let source = Source { start: table.cast_const(), stride: width, single: false };
                let target = Target { start: self.memory.fixed.add(to.offset), stride: 0 };
                if !add {
                    std::slice::from_raw_parts_mut(target.start, width).fill(T::default());
                }
                (self.kernels.execute)(Opcode::AddRows, (vocabulary + 1, width), target, [source; 3]);
            }
        }
    }
}

/// An outer product of any shape.
///
/// # Safety
/// As for the kernels that compute it.
pub(super) unsafe fn outer<T: Float>(kernels: &Kernels<T>, outer: &Outer<T>) {
    let Outer { rows, columns, depth, a, a_stride, b, b_stride, c, c_stride, add } = *outer;
    // SAFETY: the caller's.
    unsafe {
        if depth <= 64 {
            (kernels.multiply)(&Product {
                rows,
                columns,
                depth,
                a,
                a_strides: [1, a_stride],
                b,
                b_strides: [b_stride, kernels.panel],
                b_padded: false,
                c,
                c_stride,
                init: if add { c.cast_const() } else { std::ptr::null() },
                init_stride: c_stride,
                chosen: &[],
                ahead: &[],
            });
            return;
        }
        for (row, end) in ranges(rows, OUTER_ROWS) {
            (kernels.outer)(&Outer { rows: end - row, a: a.add(row), c: c.add(row * c_stride), ..*outer });
        }
    }
}
