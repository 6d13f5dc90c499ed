//! The gradients of all parameters, summed over the shards: products over the rows of all steps, sums, and the part of
//! the first layer that runs over tokens.

use rayon::prelude::*;

use super::{
    buffers::Pointers,
    clock::Clock,
    executable::CompiledModel,
    parameter_program,
    shard::{Shard, ShardRunner, Steps, Workspace, is_large},
};
use crate::{
    ir::op::{Binary, Unary},
    kernels::{Dims, Float, Kernels, MatrixMut, MatrixRef, Outer, Panels, Product, Transpose},
    plan::{
        fused_kernel::Opcode,
        gradient_jobs::{GradientJob, OUTER_ROWS, ranges},
        layer::{Input, Layer, OneHotTable},
        model::ExecutionPlan,
        parameter_program::ParameterOp,
        parameters::Location,
        reductions::Reduction,
        schedule::{BufferKind, View},
    },
};

impl<T: Float> CompiledModel<T> {
    /// Sums the gradients of all parameters over the shards.
    pub(super) fn sum_gradients(&mut self, shards: &[Shard], tokens: &[u32], counted: Steps) {
        let memory = self.buffers.pointers();
        let (plan, steps) = (&self.plan, shards[0].steps);
        let chunks: Vec<Shard> = match shards {
            [shard] => (0..shard.chunks).map(|index| Shard { index, ..*shard }).collect(),
            _ => shards.to_vec(),
        };
        let sum = GradientSum {
            plan,
            kernels: self.kernels,
            memory,
            bases: &self.buffers.bases,
            clock: &self.clock,
            shards,
            chunks: &chunks,
            rows: shards.iter().map(|shard| shard.rows).sum(),
            steps,
            counted,
            tokens,
            by_block: shards.len() > 1 || steps > shards[0].block,
        };
        // What begins a gradient goes to a location of its own and runs in any order; what adds to one comes last.
        match &self.pool {
            Some(pool) if is_large(plan, tokens.len()) => pool.install(|| {
                // SAFETY: jobs write to disjoint locations.
                plan.jobs.par_iter().with_max_len(1).for_each(|job| unsafe { sum.run(job) });
            }),
            // SAFETY: jobs run one after the other.
            _ => plan.jobs.iter().for_each(|job| unsafe { sum.run(job) }),
        }
        // SAFETY: nothing else runs.
        unsafe {
            if let Some(first) = plan.layers.first() {
                sum.over_tokens(first, &mut self.workspaces[0]);
            }
            for (index, layer) in plan.layers.iter().enumerate() {
                sum.add_to_gradients(&layer.step.reductions, false);
                sum.add_to_gradients(&layer.hoisted.reductions, index == 0);
            }
        }
    }
}

/// Sums over the rows of all shards.
///
/// Its unsafe methods have one contract: the buffers hold the batch that the shards ran over, and nothing else accesses
/// what they write.
struct GradientSum<'a, T: Float> {
    plan: &'a ExecutionPlan,
    kernels: &'static Kernels<T>,
    memory: Pointers<T>,
    bases: &'a [usize],
    clock: &'a Clock,
    shards: &'a [Shard],
    /// Those with accumulators of their own: of a shard that ran in chunks, the chunks.
    chunks: &'a [Shard],
    rows: usize,
    steps: usize,
    /// The steps with predictions that count.
    counted: Steps,
    tokens: &'a [u32],
    /// Whether the shards accumulated time block by time block: not if there is but one block.
    by_block: bool,
}

impl<T: Float> GradientSum<'_, T> {
    fn runner(&self, shard: Shard) -> ShardRunner<'_, T> {
        let Self { plan, kernels, memory, bases, clock, .. } = *self;
        ShardRunner { plan, kernels, memory, bases, clock, pool: None, shard }
    }

    /// All rows of tables. Its accumulators lie behind those of all shards.
    fn table_shard(&self) -> Shard {
        Shard::table(self.chunks.len(), self.plan.vocabulary + 1)
    }

    fn all_steps(&self) -> Steps {
        Steps::new(0, self.steps)
    }

    /// The part of the first layer that runs over tokens, and the contributions that begin a gradient there.
    unsafe fn over_tokens(&self, layer: &Layer, workspace: &mut Workspace<T>) {
        let table = self.table_shard();
        let runner = self.runner(table);
        // SAFETY: see the contract of the type; the buffers of tables have a row for every token.
        unsafe {
            std::slice::from_raw_parts_mut(runner.accumulators(), self.plan.accumulators.step).fill(T::default());
            runner.run(&layer.hoisted.backward, workspace, 0, table.rows);
            for reduction in &layer.hoisted.reductions {
                match *reduction {
                    Reduction::Outer { a, b, to, add: false, .. } => {
                        self.outer([a, b], to, false, (0, to.rows), Steps::new(0, 1));
                    }
                    Reduction::Sum { accumulator, to, add: false } => self.sum(&[table], accumulator, to, false),
                    Reduction::Fill { to, value } => self.fill(to, value),
                    Reduction::Outer { .. } | Reduction::Sum { .. } => {}
                }
            }
            layer.tables.iter().for_each(|table| self.one_hot_table(table));
            if let Input::Embedding { gradient, .. } = self.plan.input {
                // The embedding is the first parameter.
                let to = self.plan.gradients[0];
                let from = self.memory.work.add(self.bases[gradient.buffer.index()]).cast_const();
                let target = MatrixMut::row(self.memory.parameters.add(to.offset));
                let opcode = if self.plan.adds_embedding { Opcode::Zip(Binary::Add) } else { Opcode::Map(Unary::Copy) };
                let sources = [MatrixRef::row(from), target.to_ref(), target.to_ref()];
                (self.kernels.execute)(opcode, Dims { rows: 1, columns: to.len() }, target, sources);
            }
        }
    }

    /// The contributions that are added to a gradient. `is_tokens` says whether they are sums over tokens.
    unsafe fn add_to_gradients(&self, reductions: &[Reduction], is_tokens: bool) {
        let table = [self.table_shard()];
        for reduction in reductions {
            // SAFETY: see the contract of the type.
            unsafe {
                match *reduction {
                    Reduction::Outer { to, add: true, accumulator: Some(accumulator), .. } if self.by_block => {
                        self.sum(self.shards, self.block_accumulator(accumulator), to, true);
                    }
                    Reduction::Outer { a, b, to, add: true, .. } => {
                        let steps = if is_tokens { Steps::new(0, 1) } else { self.all_steps() };
                        self.outer([a, b], to, true, (0, to.rows), steps);
                    }
                    Reduction::Sum { accumulator, to, add: true } => {
                        self.sum(if is_tokens { &table } else { self.chunks }, accumulator, to, true);
                    }
                    Reduction::Outer { .. } | Reduction::Sum { .. } | Reduction::Fill { .. } => {}
                }
            }
        }
    }

    /// Runs a job.
    unsafe fn run(&self, job: &GradientJob) {
        // SAFETY: see the contract of the type.
        unsafe {
            match *job {
                GradientJob::Outer { to, rows: (first, end), accumulator: Some(accumulator), .. } if self.by_block => {
                    let accumulator = self.block_accumulator(accumulator) + first * to.columns;
                    self.sum(self.shards, accumulator, to.rows_from(first, end - first), false);
                }
                GradientJob::Outer { a, b, to, rows, counted, .. } => {
                    self.outer([a, b], to, false, rows, if counted { self.counted } else { self.all_steps() });
                }
                GradientJob::Fill { to, value } => self.fill(to, value),
                GradientJob::SumRows { to, accumulator: Some(accumulator), .. } if self.by_block => {
                    self.sum(self.shards, self.block_accumulator(accumulator), to, false);
                }
                GradientJob::SumRows { from, to, .. } => self.sum_rows(from, to),
                GradientJob::Sum { accumulator, to } => self.sum(self.chunks, accumulator, to, false),
                GradientJob::Scatter { to, columns: (first, end), accumulator: Some(accumulator), .. }
                    if self.by_block =>
                {
                    let to = self.runner(self.shards[0]).write(to, 0);
                    let target = MatrixMut { ptr: to.ptr.add(first), ..to };
                    let dims = Dims { rows: self.plan.vocabulary + 1, columns: end - first };
                    let from = (self.block_accumulator(accumulator) + first, to.row_stride);
                    self.sum_matrices(self.shards, from, target, dims, false);
                }
                GradientJob::Scatter { from, to, columns, .. } => self.scatter(from, to, columns),
            }
        }
    }

    unsafe fn fill(&self, to: Location, value: f64) {
        let fill = ParameterOp::Fill { to, value };
        // SAFETY: see the contract of the type.
        unsafe { parameter_program::run(&[fill], self.memory.parameters, self.kernels) };
    }

    /// The sum of the rows of a view at the steps that count.
    unsafe fn sum_rows(&self, from: View, to: Location) {
        // SAFETY: see the contract of the type.
        unsafe {
            let target = MatrixMut::row(self.memory.parameters.add(to.offset));
            std::slice::from_raw_parts_mut(target.ptr, to.columns).fill(T::default());
            for &shard in self.shards {
                let source = self.runner(shard).read(from, self.counted.first);
                let dims = Dims { rows: self.counted.len() * shard.rows, columns: to.columns };
                (self.kernels.execute)(Opcode::AddRows, dims, target, [source; 3]);
            }
        }
    }

    /// The offset among a shard's accumulators of one of its block accumulators.
    fn block_accumulator(&self, offset: usize) -> usize {
        self.plan.accumulators.step + offset
    }

    /// `to = ` or `to += ` the sum of some shards' accumulators, in their order.
    unsafe fn sum(&self, shards: &[Shard], accumulator: usize, to: Location, add: bool) {
        // SAFETY: see the contract of the type.
        unsafe {
            let ptr = self.memory.parameters.add(to.offset);
            if to.column_stride == 1 {
                let dims = Dims { rows: to.rows, columns: to.columns };
                let target = MatrixMut { ptr, row_stride: to.row_stride };
                self.sum_matrices(shards, (accumulator, to.columns), target, dims, add);
                return;
            }
            // A row that is a column in memory.
            let target = MatrixMut { ptr, row_stride: to.column_stride };
            self.sum_matrices(shards, (accumulator, 1), target, Dims { rows: to.columns, columns: 1 }, add);
        }
    }

    unsafe fn sum_matrices(
        &self,
        shards: &[Shard],
        (accumulator, stride): (usize, usize),
        to: MatrixMut<T>,
        dims: Dims,
        add: bool,
    ) {
        for (index, &shard) in shards.iter().enumerate() {
            let opcode = if add || index > 0 { Opcode::Zip(Binary::Add) } else { Opcode::Map(Unary::Copy) };
            // SAFETY: see the contract of the type.
            unsafe {
                let own = MatrixRef::rows(self.runner(shard).accumulators().add(accumulator).cast_const(), stride);
                (self.kernels.execute)(opcode, dims, to, [own, to.to_ref(), to.to_ref()]);
            }
        }
    }

    /// Rows of `to = aᵀ · b`, or `to += aᵀ · b`, over some time steps.
    unsafe fn outer(&self, [a, b]: [View; 2], to: Location, mut add: bool, (first, end): (usize, usize), steps: Steps) {
        let kinds = [a, b].map(|view| self.plan.buffers[view.buffer.index()].kind);
        // Tapes of all shards are contiguous: one product over all.
        let all = [Shard { index: 0, first_row: 0, rows: self.rows, steps: self.steps, block: 1, chunks: 1 }];
        let table = [Shard::table(0, self.plan.vocabulary + 1)];
        let is_at_once =
            kinds == [BufferKind::Tape; 2] && [a, b].iter().all(|view| view.shift == 0) && steps == self.all_steps();
        let shards = if kinds.contains(&BufferKind::Table) {
            &table[..]
        } else if is_at_once {
            &all[..]
        } else {
            self.shards
        };
        // SAFETY: see the contract of the type.
        self.clock.time(|| unsafe {
            for &shard in shards {
                let runner = self.runner(shard);
                let depth = steps.len() * shard.rows;
                let rows = runner.read(a, steps.first);
                let product = Outer {
                    dims: Dims { rows: end - first, columns: to.columns },
                    depth,
                    a: MatrixRef { ptr: rows.ptr.add(first), ..rows },
                    b: runner.read(b, steps.first),
                    c: MatrixMut {
                        ptr: self.memory.parameters.add(to.offset + first * to.row_stride),
                        row_stride: to.row_stride,
                    },
                    add,
                };
                if depth > 0 || !add {
                    outer(self.kernels, &product);
                }
                add = true;
            }
        });
    }

    /// Columns of the rows of `from`, added to the row of each token.
    unsafe fn scatter(&self, from: View, to: View, (first, end): (usize, usize)) {
        // SAFETY: see the contract of the type; tokens were checked to be rows of the table.
        unsafe {
            let table = self.runner(self.shards[0]).write(to, 0);
            let row = |token: usize| table.ptr.add(token * table.row_stride + first);
            for token in 0..=self.plan.vocabulary {
                std::slice::from_raw_parts_mut(row(token), end - first).fill(T::default());
            }
            for &shard in self.shards {
                let runner = self.runner(shard);
                for step in 0..shard.steps {
                    let rows = runner.read(from, step);
                    let tokens = &self.tokens[step * self.rows + shard.first_row..][..shard.rows];
                    for (index, &token) in tokens.iter().enumerate() {
                        let source = MatrixRef::row(rows.ptr.add(index * rows.row_stride + first));
                        let dims = Dims { rows: 1, columns: end - first };
                        let target = MatrixMut::row(row(token as usize));
                        (self.kernels.execute)(Opcode::AddRows, dims, target, [source; 3]);
                    }
                }
            }
        }
    }

    /// The gradients of a one-hot product from that of its table.
    unsafe fn one_hot_table(&self, table: &OneHotTable) {
        let vocabulary = self.plan.vocabulary;
        // SAFETY: see the contract of the type; the table has a row for every token.
        unsafe {
            let from = self.runner(self.shards[0]).read(table.table_gradient, 0);
            let width = from.row_stride;
            let (to, add) = table.weight_gradient;
            let target = MatrixMut { ptr: self.memory.parameters.add(to.offset), row_stride: to.row_stride };
            (self.kernels.transpose)(&Transpose {
                dims: Dims { rows: vocabulary, columns: width },
                from,
                to: target,
                width: vocabulary,
                add: add.then_some(target.to_ref()),
            });
            if let Some((to, add)) = table.bias_gradient {
                let target = MatrixMut::row(self.memory.parameters.add(to.offset));
                if !add {
                    std::slice::from_raw_parts_mut(target.ptr, width).fill(T::default());
                }
                let dims = Dims { rows: vocabulary + 1, columns: width };
                (self.kernels.execute)(Opcode::AddRows, dims, target, [from; 3]);
            }
        }
    }
}

/// An outer product of any size.
///
/// # Safety
/// All matrices are valid; c overlaps neither a nor b.
pub(super) unsafe fn outer<T: Float>(kernels: &Kernels<T>, outer: &Outer<T>) {
    let Outer { dims, depth, a, b, c, add } = *outer;
    // SAFETY: the caller guarantees valid matrices, and the kernels were chosen for this processor.
    unsafe {
        if depth <= 64 {
            (kernels.multiply)(&Product {
                dims,
                depth,
                a: MatrixRef { ptr: a.ptr, row_stride: 1, column_stride: a.row_stride },
                b: Panels { ptr: b.ptr, row_stride: b.row_stride, panel_stride: kernels.panel, is_padded: false },
                c,
                init: add.then_some(c.to_ref()),
                init_rows: &[],
                prefetch: &[],
            });
            return;
        }
        for (row, end) in ranges(dims.rows, OUTER_ROWS) {
            (kernels.outer)(&Outer {
                dims: Dims { rows: end - row, ..dims },
                a: MatrixRef { ptr: a.ptr.add(row), ..a },
                c: MatrixMut { ptr: c.ptr.add(row * c.row_stride), ..c },
                ..*outer
            });
        }
    }
}
