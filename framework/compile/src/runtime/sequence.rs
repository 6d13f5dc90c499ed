//! A shard's part of a batch: the whole sequence forward with its loss, and for training backward, in time blocks. What a
//! block computes is used before it leaves the cache.

use super::{
    gradients::outer,
    shard::{Shard, ShardRunner, Steps, TimeStep, Workspace},
};
use crate::{
    ir::op::{Binary, Unary},
    kernels::{Dims, Float, LossRows, MatrixMut, MatrixRef, Outer, Product},
    model::{BatchView, Totals},
    plan::{
        fused_kernel::Opcode,
        layer::{GatherGradient, InitialState, Layer},
        model::Dropout,
        reductions::Reduction,
        schedule::View,
    },
};

/// The fewest rows whose products take long enough for prefetches.
const PREFETCH_ROWS: usize = 5;

/// What a sequence is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// `starts` says whether the sequences begin with the starting state.
    Train {
        starts: bool,
    },
    Evaluate,
    Generate,
}

impl Mode {
    pub(super) fn is_training(self) -> bool {
        matches!(self, Self::Train { .. })
    }
}

/// A run over a batch.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) batch: &'a BatchView<'a>,
    /// The time steps with predictions that count.
    pub(super) counted: Steps,
    pub(super) mode: Mode,
}

/// The methods share the contract of [`ShardRunner`].
impl<T: Float> ShardRunner<'_, T> {
    /// Runs the whole sequence, with a workspace for each chunk.
    pub(super) unsafe fn sequence(&self, workspaces: &mut [Workspace<T>], pass: Pass<'_>) {
        workspaces.iter_mut().for_each(|workspace| workspace.totals = Totals::default());
        // SAFETY: see the contract of the type.
        unsafe {
            let Mode::Train { starts } = pass.mode else { return self.forward(workspaces, pass) };
            let accumulators = self.plan.accumulators;
            let count = if self.is_one_block(pass.batch) { accumulators.step } else { accumulators.len() };
            self.each_chunk(workspaces, Steps::new(0, self.shard.steps), |runner, _, _| {
                std::slice::from_raw_parts_mut(runner.accumulators(), count).fill(T::default());
            });
            self.forward(workspaces, pass);
            self.backward(workspaces, pass.batch);
            if starts {
                self.add_start_gradients();
            }
        }
    }

    /// Whether the shard is the whole batch and one time block: then nothing is accumulated block by block.
    fn is_one_block(&self, batch: &BatchView<'_>) -> bool {
        batch.rows == self.shard.rows && self.shard.steps <= self.shard.block
    }

    /// Blocks of that many time steps.
    fn blocks(&self, size: usize) -> impl DoubleEndedIterator<Item = Steps> {
        let steps = self.shard.steps;
        (0..steps).step_by(size).map(move |first| Steps::new(first, steps.min(first + size)))
    }

    unsafe fn forward(&self, workspaces: &mut [Workspace<T>], pass: Pass<'_>) {
        let rows = self.shard.rows;
        for (index, layer) in self.plan.layers.iter().enumerate() {
            for block in self.blocks(self.shard.block) {
                // SAFETY: see the contract of the type.
                unsafe {
                    if index > 0 {
                        self.each_chunk(workspaces, block, |runner, workspace, chunk| {
                            runner.run(&layer.hoisted.forward, workspace, chunk.first, rows * chunk.len());
                        });
                    }
                    let workspace = &mut workspaces[0];
                    self.bind(&layer.step.forward, workspace);
                    for step in block.first..block.end {
                        let tokens = self.tokens(pass.batch, step);
                        self.gather(layer, tokens, step);
                        let next = Some(step + 1).filter(|_| rows >= PREFETCH_ROWS);
                        self.run_step(&layer.step.forward, workspace, TimeStep { step, next, tokens }, rows);
                    }
                    self.each_chunk(workspaces, block, |runner, workspace, chunk| {
                        runner.drop_out(index, chunk, pass.mode);
                        if index + 1 == runner.plan.layers.len() {
                            workspace.totals += runner.head(chunk, pass);
                        }
                    });
                }
            }
        }
    }

    unsafe fn backward(&self, workspaces: &mut [Workspace<T>], batch: &BatchView<'_>) {
        let Shard { rows, steps, .. } = self.shard;
        let is_one_block = self.is_one_block(batch);
        for (index, layer) in self.plan.layers.iter().enumerate().rev() {
            // SAFETY: see the contract of the type.
            unsafe {
                if let Some(dropout) = self.plan.dropouts[index] {
                    let gradient = View::whole(layer.output_gradient);
                    self.multiply_elements(gradient, [gradient, View::whole(dropout.mask)], Steps::new(0, steps));
                }
                for state in &layer.states {
                    let gradient = self.at(View::whole(state.gradient), steps);
                    std::slice::from_raw_parts_mut(gradient, rows * state.width).fill(T::default());
                }
                let size = if layer.accumulates_by_block { self.shard.block } else { steps };
                for block in self.blocks(size).rev() {
                    let workspace = &mut workspaces[0];
                    self.bind(&layer.step.backward, workspace);
                    for step in (block.first..block.end).rev() {
                        let next = step.checked_sub(1).filter(|_| rows >= PREFETCH_ROWS);
                        self.add_penalties(layer, batch, step);
                        self.run_step(&layer.step.backward, workspace, TimeStep { step, next, tokens: &[] }, rows);
                    }
                    if index > 0 {
                        self.each_chunk(workspaces, block, |runner, workspace, chunk| {
                            runner.run(&layer.hoisted.backward, workspace, chunk.first, rows * chunk.len());
                        });
                    }
                    if !is_one_block {
                        self.accumulate_block(layer, batch, block);
                    }
                }
            }
        }
    }

    /// Adds the gradients of penalties to those of the state after a time step.
    unsafe fn add_penalties(&self, layer: &Layer, batch: &BatchView<'_>, step: usize) {
        for state in layer.states.iter().filter(|state| state.penalty != 0.0) {
            let weight = state.penalty / batch.divisor;
            let counted = &batch.counted[step * batch.rows + self.shard.first_row..][..self.shard.rows];
            // SAFETY: see the contract of the type.
            let gradients = unsafe {
                let from = self.at(View::next(state.gradient), step);
                std::slice::from_raw_parts_mut(from, self.shard.rows * state.width)
            };
            for (gradients, _) in gradients.chunks_exact_mut(state.width).zip(counted).filter(|(_, counted)| **counted)
            {
                gradients.iter_mut().for_each(|gradient| *gradient = T::from_f64(gradient.to_f64() + weight));
            }
        }
    }

    /// Sums the gradients of starting states that are learned.
    unsafe fn add_start_gradients(&self) {
        for state in self.plan.layers.iter().flat_map(|layer| &layer.states) {
            let InitialState::Param { accumulator, .. } = state.start else { continue };
            // SAFETY: see the contract of the type.
            unsafe {
                let target = MatrixMut::row(self.accumulators().add(accumulator));
                let dims = Dims { rows: self.shard.rows, columns: state.width };
                let from = self.read(View::whole(state.gradient), 0);
                (self.kernels.execute)(Opcode::AddRows, dims, target, [from; 3]);
            }
        }
    }

    /// The output of a layer with dropout as the next layer reads it: in training masked, otherwise copied.
    unsafe fn drop_out(&self, index: usize, steps: Steps, mode: Mode) {
        let Some(Dropout { mask, masked, .. }) = self.plan.dropouts[index] else { return };
        let layer = &self.plan.layers[index];
        // SAFETY: see the contract of the type.
        unsafe {
            if mode.is_training() {
                self.multiply_elements(View::whole(masked), [layer.output, View::whole(mask)], steps);
                return;
            }
            let source = self.read(layer.output, steps.first);
            let target = self.write(View::whole(masked), steps.first);
            let dims = Dims { rows: self.shard.rows * steps.len(), columns: layer.output_width };
            (self.kernels.execute)(Opcode::Map(Unary::Copy), dims, target, [source; 3]);
        }
    }

    /// `to = a · b`, element-wise, for all rows of some time steps.
    unsafe fn multiply_elements(&self, to: View, factors: [View; 2], steps: Steps) {
        // SAFETY: see the contract of the type.
        unsafe {
            let target = self.write(to, steps.first);
            let [a, b] = factors.map(|view| self.read(view, steps.first));
            let dims = Dims { rows: self.shard.rows * steps.len(), columns: self.width(to) };
            (self.kernels.execute)(Opcode::Zip(Binary::Mul), dims, target, [a, b, b]);
        }
    }

    /// The tokens of the shard's rows at a time step.
    fn tokens<'b>(&self, batch: &BatchView<'b>, step: usize) -> &'b [u32] {
        &batch.inputs[step * batch.rows + self.shard.first_row..][..self.shard.rows]
    }

    /// Copies the rows of tables that tokens select.
    unsafe fn gather(&self, layer: &Layer, tokens: &[u32], step: usize) {
        for gather in &layer.gathers {
            let Some(to) = gather.to else { continue };
            // SAFETY: see the contract of the type; tokens were checked to be rows of the table.
            unsafe {
                let table = self.at(gather.table, 0).cast_const();
                let (stride, to) = (self.width(gather.table), self.at(to, step));
                for (row, &token) in tokens.iter().enumerate() {
                    let from = table.add(token as usize * stride);
                    std::ptr::copy_nonoverlapping(from, to.add(row * gather.width), gather.width);
                }
            }
        }
    }

    /// Logits and loss of a block, and for training the gradients of the last layer's output and of the head.
    unsafe fn head(&self, block: Steps, pass: Pass<'_>) -> Totals {
        let head = &self.plan.head;
        let counted = pass.counted.within(block);
        let logits = View::whole(head.logits);
        let rows = self.shard.rows * counted.len();
        // SAFETY: see the contract of the type.
        unsafe {
            if counted.len() > 0 {
                let (a, c) = (self.read(head.from, counted.first), self.write(logits, counted.first));
                if let Some(head) = &head.product {
                    let product = Product {
                        init: Some(MatrixRef::row(self.memory.parameters.add(head.bias).cast_const())),
                        ..self.product(head.forward, rows, a, c)
                    };
                    self.clock.time(|| (self.kernels.multiply)(&product));
                } else {
                    let dims = Dims { rows, columns: head.width };
                    (self.kernels.execute)(Opcode::Map(Unary::Copy), dims, c, [a; 3]);
                }
            }
            if pass.mode == Mode::Generate {
                return Totals::default();
            }
            let totals = self.loss(counted, pass);
            if pass.mode.is_training() {
                self.head_backward(block, counted, pass.batch);
            }
            totals
        }
    }

    /// The loss of some time steps. In training their logits become their gradient.
    unsafe fn loss(&self, steps: Steps, pass: Pass<'_>) -> Totals {
        let Shard { rows, first_row, .. } = self.shard;
        let batch = pass.batch;
        // The rows of all time steps are contiguous if there is one shard.
        let at_once = if rows == batch.rows { steps.len().max(1) } else { 1 };
        let mut totals = Totals::default();
        for step in (steps.first..steps.end).step_by(at_once) {
            let here = step * batch.rows + first_row..step * batch.rows + first_row + rows * at_once;
            // SAFETY: see the contract of the type; targets were checked to be columns.
            unsafe {
                totals += (self.kernels.loss)(&LossRows {
                    logits: self.write(View::whole(self.plan.head.logits), step),
                    columns: self.plan.vocabulary,
                    targets: &batch.targets[here.clone()],
                    counted: &batch.counted[here],
                    divisor: batch.divisor,
                    gradient: pass.mode.is_training(),
                });
            }
        }
        totals
    }

    /// The gradients of the last layer's output in a block, of which some steps count, and of the head.
    unsafe fn head_backward(&self, block: Steps, counted: Steps, batch: &BatchView<'_>) {
        let head = &self.plan.head;
        let (logits, rows) = (View::whole(head.logits), self.shard.rows * counted.len());
        // SAFETY: see the contract of the type.
        unsafe {
            for steps in [Steps::new(block.first, counted.first), Steps::new(counted.end, block.end)] {
                let count = steps.len() * self.shard.rows * head.width;
                std::slice::from_raw_parts_mut(self.at(head.gradient, steps.first), count).fill(T::default());
            }
            let Some(product) = head.product.as_ref().filter(|_| counted.len() > 0) else { return };
            let (a, c) = (self.read(logits, counted.first), self.write(head.gradient, counted.first));
            let gradient = self.product(product.backward, rows, a, c);
            self.clock.time(|| (self.kernels.multiply)(&gradient));
            if let Some([weight, bias]) = product.accumulators.filter(|_| !self.is_one_block(batch)) {
                let dims = Dims { rows: self.plan.vocabulary, columns: head.width };
                self.accumulate_outer([logits, head.from], (weight, dims), counted);
                let target = MatrixMut::row(self.block_accumulators().add(bias));
                let dims = Dims { rows, columns: self.plan.vocabulary };
                (self.kernels.execute)(Opcode::AddRows, dims, target, [self.read(logits, counted.first); 3]);
            }
        }
    }

    /// Adds the contributions of a time block to the gradients of a layer.
    unsafe fn accumulate_block(&self, layer: &Layer, batch: &BatchView<'_>, block: Steps) {
        // SAFETY: see the contract of the type; tokens were checked to be rows of the table.
        unsafe {
            for reduction in layer.reductions() {
                let &Reduction::Outer { a, b, to, accumulator: Some(accumulator), .. } = reduction else { continue };
                let dims = Dims { rows: to.rows, columns: to.columns };
                self.accumulate_outer([a, b], (accumulator, dims), block);
            }
            for gather in &layer.gathers {
                let Some(GatherGradient { from, accumulator: Some(accumulator), .. }) = gather.gradient else {
                    continue;
                };
                let (table, width) = (self.block_accumulators().add(accumulator), self.width(from));
                for step in block.first..block.end {
                    let from = self.at(from, step).cast_const();
                    for (row, &token) in self.tokens(batch, step).iter().enumerate() {
                        let source = MatrixRef::row(from.add(row * width));
                        let target = MatrixMut::row(table.add(token as usize * gather.width));
                        let dims = Dims { rows: 1, columns: gather.width };
                        (self.kernels.execute)(Opcode::AddRows, dims, target, [source; 3]);
                    }
                }
            }
        }
    }

    /// Adds `aᵀ · b`, over the rows of some time steps, to a matrix among the shard's block accumulators.
    unsafe fn accumulate_outer(&self, [a, b]: [View; 2], (accumulator, dims): (usize, Dims), steps: Steps) {
        // SAFETY: see the contract of the type.
        unsafe {
            let product = Outer {
                dims,
                depth: self.shard.rows * steps.len(),
                a: self.read(a, steps.first),
                b: self.read(b, steps.first),
                c: MatrixMut { ptr: self.block_accumulators().add(accumulator), row_stride: dims.columns },
                add: true,
            };
            self.clock.time(|| outer(self.kernels, &product));
        }
    }
}
