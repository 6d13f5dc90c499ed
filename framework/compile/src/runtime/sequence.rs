//! What a chunk does: the whole sequence forward with its loss, and for training backward, in blocks of time steps. What a
//! block computes is used before it leaves the cache.

use super::{
    gradients::outer,
    shard::{Chunk, Moment, Purpose, Runner, Space},
};
use crate::{
    id::BufferId,
    ir::op::{Binary, Unary},
    kernels::{Float, Loss, LossRows, Outer, Product, Source, Target},
    model::Sequences,
    plan::{
        fused_kernel::Opcode,
        layer::{GatherGradient, Layer},
        model::Dropout,
        reductions::Reduction,
        schedule::View,
    },
};

/// How many rows make a product take long enough that something can be brought nearer meanwhile.
const SOME_ROWS: usize = 5;

/// Time steps: the first, and one past the last.
type Span = (usize, usize);

/// A buffer from its first column on.
fn whole(buffer: BufferId) -> View {
    View::whole(buffer)
}

impl<T: Float> Runner<'_, T> {
    /// Runs the whole sequence. Predictions count within `counted`.
    pub(super) unsafe fn sequence(
        &self,
        space: &mut Space<T>,
        batch: &Sequences<'_>,
        counted: Span,
        purpose: Purpose,
    ) -> Loss {
        // SAFETY: as for the caller.
        unsafe {
            if purpose != Purpose::Train {
                return self.forward(space, batch, counted, purpose);
            }
            let count = self.program.accumulators.step
                + if self.is_one_block(batch) { 0 } else { self.program.accumulators.block };
            std::slice::from_raw_parts_mut(self.sums(), count).fill(T::default());
            let loss = self.forward(space, batch, counted, purpose);
            self.backward(space, batch);
            loss
        }
    }

    /// Whether there is nothing to sum up block by block.
    fn is_one_block(&self, batch: &Sequences<'_>) -> bool {
        batch.rows == self.chunk.rows && self.chunk.steps <= self.chunk.block
    }

    /// Blocks of so many time steps.
    fn blocks(&self, size: usize) -> impl DoubleEndedIterator<Item = Span> {
        let steps = self.chunk.steps;
        (0..steps).step_by(size).map(move |first| (first, steps.min(first + size)))
    }

    unsafe fn forward(&self, space: &mut Space<T>, batch: &Sequences<'_>, counted: Span, purpose: Purpose) -> Loss {
        let rows = self.chunk.rows;
        let mut loss = Loss::default();
        for (index, layer) in self.program.layers.iter().enumerate() {
            for (first, last) in self.blocks(self.chunk.block) {
                // SAFETY: as for the caller.
                unsafe {
                    if index > 0 {
                        self.run(&layer.hoisted.forward, space, std::iter::once(first), rows * (last - first));
                    }
                    self.bind(&layer.step.forward, space);
                    for step in first..last {
                        let tokens = self.tokens(batch, step);
                        self.look_up(layer, tokens, step);
                        let after = Some(step + 1).filter(|_| rows >= SOME_ROWS);
                        self.once(&layer.step.forward, space, Moment { step, after, tokens }, rows);
                    }
                    self.drop_out(index, (first, last), purpose);
                    if index + 1 == self.program.layers.len() {
                        loss += self.head(batch, (first, last), counted, purpose);
                    }
                }
            }
        }
        loss
    }

    unsafe fn backward(&self, space: &mut Space<T>, batch: &Sequences<'_>) {
        let Chunk { rows, steps, .. } = self.chunk;
        let is_one_block = self.is_one_block(batch);
        for (index, layer) in self.program.layers.iter().enumerate().rev() {
            // SAFETY: as for the caller.
            unsafe {
                if let Some(dropout) = self.program.dropouts[index] {
                    let gradient = whole(layer.output_gradient);
                    self.multiply_each(gradient, gradient, whole(dropout.mask), (0, steps));
                }
                for state in &layer.states {
                    let gradient = self.at(whole(state.gradient), steps);
                    std::slice::from_raw_parts_mut(gradient, rows * state.width).fill(T::default());
                }
                let block = if layer.accumulates_by_block { self.chunk.block } else { steps };
                for (first, last) in self.blocks(block).rev() {
                    self.bind(&layer.step.backward, space);
                    for step in (first..last).rev() {
                        let after = step.checked_sub(1).filter(|_| rows >= SOME_ROWS);
                        self.once(&layer.step.backward, space, Moment { step, after, tokens: &[] }, rows);
                    }
                    if index > 0 {
                        self.run(&layer.hoisted.backward, space, std::iter::once(first), rows * (last - first));
                    }
                    if !is_one_block {
                        self.sum_block(layer, batch, (first, last));
                    }
                }
            }
        }
    }

    /// The output of a layer as the next one sees it, if the layer drops out: in training masked, otherwise copied.
    unsafe fn drop_out(&self, index: usize, (first, last): Span, purpose: Purpose) {
        let Some(Dropout { mask, masked }) = self.program.dropouts[index] else { return };
        let layer = &self.program.layers[index];
        // SAFETY: as for the caller.
        unsafe {
            if purpose == Purpose::Train {
                self.multiply_each(whole(masked), layer.output, whole(mask), (first, last));
                return;
            }
            let source = self.source(layer.output, first);
            let target = Target { start: self.at(whole(masked), first), stride: layer.output_width };
            let shape = (self.chunk.rows * (last - first), layer.output_width);
            (self.kernels.execute)(Opcode::Map(Unary::Copy), shape, target, [source; 3]);
        }
    }

    /// `to = a · b`, number by number, for all rows of some time steps.
    unsafe fn multiply_each(&self, to: View, a: View, b: View, (first, last): Span) {
        // SAFETY: as for the caller.
        unsafe {
            let width = self.width(to);
            let target = Target { start: self.at(to, first), stride: width };
            let [a, b] = [a, b].map(|view| self.source(view, first));
            let shape = (self.chunk.rows * (last - first), width);
            (self.kernels.execute)(Opcode::Zip(Binary::Mul), shape, target, [a, b, b]);
        }
    }

    unsafe fn source(&self, view: View, step: usize) -> Source<T> {
        // SAFETY: as for the caller.
        Source { start: unsafe { self.at(view, step) }.cast_const(), stride: self.width(view), single: false }
    }

    /// The tokens of the chunk's rows at a time step.
    fn tokens<'b>(&self, batch: &Sequences<'b>, step: usize) -> &'b [u32] {
        &batch.inputs[step * batch.rows + self.chunk.first..][..self.chunk.rows]
    }

    /// Copies the rows that tokens choose.
    unsafe fn look_up(&self, layer: &Layer, tokens: &[u32], step: usize) {
        for lookup in &layer.gathers {
            let Some(to) = lookup.to else { continue };
            // SAFETY: tokens are rows of the table.
            unsafe {
                let table = self.at(lookup.table, 0).cast_const();
                let (stride, to) = (self.width(lookup.table), self.at(to, step));
                for (row, &token) in tokens.iter().enumerate() {
                    let from = table.add(token as usize * stride);
                    std::ptr::copy_nonoverlapping(from, to.add(row * lookup.width), lookup.width);
                }
            }
        }
    }

    /// Logits and loss of a block, and for training the gradients of the last layer's output and of the head.
    unsafe fn head(&self, batch: &Sequences<'_>, (start, end): Span, counted: Span, purpose: Purpose) -> Loss {
        let head = &self.program.head;
        let Chunk { rows, first: first_row, .. } = self.chunk;
        let (first, last) = (counted.0.clamp(start, end), counted.1.clamp(start, end));
        let (logits, steps) = (whole(head.logits), last - first);
        let mut loss = Loss::default();
        // SAFETY: as for the caller.
        unsafe {
            if steps > 0 {
                let product = Product {
                    a: self.at(head.from, first).cast_const(),
                    a_strides: [self.width(head.from), 1],
                    c: self.at(logits, first),
                    c_stride: self.program.vocabulary,
                    init: self.memory.fixed.add(head.bias).cast_const(),
                    ..self.product(head.forward, rows * steps)
                };
                self.clock.time(|| (self.kernels.multiply)(&product));
            }
            if purpose == Purpose::Generate {
                return loss;
            }
            // The rows of all time steps lie behind each other if there are no others.
            let at_once = if rows == batch.rows { steps.max(1) } else { 1 };
            for step in (first..last).step_by(at_once) {
                let here = step * batch.rows + first_row..step * batch.rows + first_row + rows * at_once;
                loss += (self.kernels.loss)(&LossRows {
                    logits: self.at(logits, step),
                    stride: self.program.vocabulary,
                    columns: self.program.vocabulary,
                    targets: &batch.targets[here.clone()],
                    counted: &batch.counted[here],
                    divisor: batch.divisor,
                    gradient: purpose == Purpose::Train,
                });
            }
            if purpose != Purpose::Train {
                return loss;
            }
            for (from, to) in [(start, first), (last, end)] {
                let count = (to - from) * rows * head.width;
                std::slice::from_raw_parts_mut(self.at(head.gradient, from), count).fill(T::default());
            }
            if steps == 0 {
                return loss;
            }
            let product = Product {
                a: self.at(logits, first).cast_const(),
                a_strides: [self.program.vocabulary, 1],
                c: self.at(head.gradient, first),
                c_stride: head.width,
                ..self.product(head.backward, rows * steps)
            };
            self.clock.time(|| (self.kernels.multiply)(&product));
            if let Some([wya, by]) = head.accumulators.filter(|_| !self.is_one_block(batch)) {
                self.sum_outer((logits, head.from), (wya, [self.program.vocabulary, head.width]), (first, last));
                let target = Target { start: self.totals().add(by), stride: 0 };
                let shape = (rows * steps, self.program.vocabulary);
                (self.kernels.execute)(Opcode::AddRows, shape, target, [self.source(logits, first); 3]);
            }
        }
        loss
    }

    /// Adds what a block of time steps contributes to the gradients of a layer.
    unsafe fn sum_block(&self, layer: &Layer, batch: &Sequences<'_>, (first, last): Span) {
        // SAFETY: as for the caller; tokens are rows of the table.
        unsafe {
            for reduction in layer.reductions() {
                let &Reduction::Outer { a, b, to, accumulator: Some(place), .. } = reduction else { continue };
                self.sum_outer((a, b), (place, [to.rows, to.columns]), (first, last));
            }
            for lookup in &layer.gathers {
                let Some(GatherGradient { from, accumulator: Some(place), .. }) = lookup.gradient else { continue };
                let (table, width) = (self.totals().add(place), self.width(from));
                for step in first..last {
                    let from = self.at(from, step).cast_const();
                    for (row, &token) in self.tokens(batch, step).iter().enumerate() {
                        let source = Source { start: from.add(row * width), stride: 0, single: false };
                        let target = Target { start: table.add(token as usize * lookup.width), stride: 0 };
                        (self.kernels.execute)(Opcode::AddRows, (1, lookup.width), target, [source; 3]);
                    }
                }
            }
        }
    }

    /// Adds `aᵀ · b`, over the rows of some time steps, to the chunk's own sums.
    unsafe fn sum_outer(&self, (a, b): (View, View), (place, [rows, columns]): (usize, [usize; 2]), steps: Span) {
        // SAFETY: as for the caller.
        unsafe {
            let product = Outer {
                rows,
                columns,
                depth: self.chunk.rows * (steps.1 - steps.0),
                a: self.at(a, steps.0).cast_const(),
                a_stride: self.width(a),
                b: self.at(b, steps.0).cast_const(),
                b_stride: self.width(b),
                c: self.totals().add(place),
                c_stride: columns,
                add: true,
            };
            self.clock.time(|| outer(self.kernels, &product));
        }
    }
}
