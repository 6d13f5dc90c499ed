//! A chunk: some rows of the batch that run the whole sequence by themselves, forward, loss and backward.

use rayon::prelude::*;

use super::{Machine, Sequences, clock::Clock, gradients::outer, model::Compiled};
use crate::{
    body::{Body, Buffer, Kind, Slot, Step, View, Weight},
    graph::{Binary, Unary},
    kernels::{Code, Float, Kernels, Loss, LossRows, Outer, Product, Source, Target},
    layer::{Layer, Reduction},
    memory::Aligned,
};

/// How many rows make a product take long enough that something can be brought nearer meanwhile.
const SOME_ROWS: usize = 5;

/// What a chunk has for itself.
pub(super) struct Space<T> {
    starts: Vec<Start<T>>,
    frame: Vec<*mut T>,
    ahead: Vec<(*const T, usize)>,
    pub(super) scratch: Aligned<T>,
    loss: Loss,
}

impl<T: Float> Space<T> {
    pub(super) fn new(program: &Compiled) -> Self {
        Self {
            starts: Vec::new(),
            frame: Vec::new(),
            ahead: Vec::new(),
            scratch: Aligned::new(program.scratch),
            loss: Loss::default(),
        }
    }
}

// SAFETY: the pointers are only used while their owner is borrowed, by one thread at a time.
unsafe impl<T: Send> Send for Space<T> {}

/// Where a slot points at time step t: `start + ((t + shift) & mask) · step`.
#[derive(Clone, Copy)]
struct Start<T> {
    at: *mut T,
    shift: usize,
    mask: usize,
    step: usize,
}

/// A time step at which a body runs.
#[derive(Clone, Copy)]
struct Moment<'a> {
    step: usize,
    /// The step that comes next, if something may be brought nearer for it.
    after: Option<usize>,
    /// The token of each row, where one chooses what a product begins with.
    tokens: &'a [u32],
}

/// Rows of the batch that run by themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) number: usize,
    pub(super) first: usize,
    pub(super) rows: usize,
    pub(super) steps: usize,
    /// How many time steps a block has, a power of two; the same for all chunks.
    pub(super) block: usize,
}

/// The memory, for threads that each use other parts of it.
#[derive(Clone, Copy)]
pub(super) struct Memory<T> {
    pub(super) fixed: *mut T,
    pub(super) work: *mut T,
    pub(super) sums: *mut T,
}

impl<T> Memory<T> {
    /// A place that does not depend on the batch.
    ///
    /// # Safety
    /// The place lies within the memory.
    pub(super) unsafe fn at(self, offset: usize) -> *mut T {
        // SAFETY: the caller's.
        unsafe { self.fixed.add(offset) }
    }
}

// SAFETY: chunks and jobs write to disjoint parts.
unsafe impl<T: Send> Send for Memory<T> {}
// SAFETY: see above.
unsafe impl<T: Send> Sync for Memory<T> {}

/// What a sequence is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Train,
    Evaluate,
    Generate,
}

/// The first time step at which a prediction counts, and one past the last.
pub(super) fn span(batch: &Sequences<'_>) -> (usize, usize) {
    let first = batch.counted.iter().position(|&counted| counted);
    let last = batch.counted.iter().rposition(|&counted| counted);
    match (first, last) {
        (Some(first), Some(last)) => (first / batch.rows, last / batch.rows + 1),
        _ => (0, 0),
    }
}

impl<T: Float> Machine<T> {
    /// Runs all chunks, on all threads if there is more than one.
    pub(super) fn run_chunks(&mut self, chunks: &[Chunk], batch: &Sequences<'_>, purpose: Purpose) -> Loss {
        let memory = self.memory();
        let (program, kernels, bases, clock) = (&self.program, self.kernels, &self.bases[..], &self.clock);
        let span = span(batch);
        let run = |(&chunk, space): (&Chunk, &mut Space<T>)| {
            let runner = Runner { program, kernels, memory, bases, clock, chunk };
            // SAFETY: the buffers have room for the batch, and each chunk has rows of its own.
            space.loss = unsafe { runner.sequence(space, batch, span, purpose) };
        };
        match &self.pool {
            Some(pool) if chunks.len() > 1 => {
                pool.install(|| chunks.par_iter().zip(&mut self.spaces[..chunks.len()]).with_max_len(1).for_each(run));
            }
            _ => chunks.iter().zip(&mut self.spaces).for_each(run),
        }
        let mut total = Loss::default();
        self.spaces[..chunks.len()].iter().for_each(|space| total += space.loss);
        total
    }
}

/// Runs bodies for the rows of a chunk.
#[derive(Clone, Copy)]
pub(super) struct Runner<'a, T: Float> {
    pub(super) program: &'a Compiled,
    pub(super) kernels: &'static Kernels<T>,
    pub(super) memory: Memory<T>,
    pub(super) bases: &'a [usize],
    pub(super) clock: &'a Clock,
    pub(super) chunk: Chunk,
}

impl<T: Float> Runner<'_, T> {
    /// Where a buffer points at each time step.
    fn start(&self, buffer: usize, shift: usize) -> Start<T> {
        let Chunk { first, rows, steps, block, .. } = self.chunk;
        let Buffer { width, kind } = self.program.buffers[buffer];
        let (lines, mask) = match kind {
            Kind::Tape => (first * steps, usize::MAX),
            Kind::State => (first * (steps + 1), usize::MAX),
            Kind::Block => (first * block.min(steps), block - 1),
            Kind::Step => (first, 0),
            Kind::Carry => (first * 2, 1),
            Kind::Table => (0, 0),
        };
        // SAFETY: the buffer has room for the chunk's rows.
        let start = unsafe { self.memory.work.add(self.bases[buffer] + lines * width) };
        Start { at: start, shift, mask, step: rows * width }
    }

    /// Where the chunk's own sums begin.
    pub(super) unsafe fn sums(&self) -> *mut T {
        // SAFETY: every chunk has as many as the program says.
        unsafe { self.memory.sums.add(self.chunk.number * (self.program.sums + self.program.totals)) }
    }

    /// Where those begin that it adds to block by block.
    pub(super) unsafe fn totals(&self) -> *mut T {
        // SAFETY: as above.
        unsafe { self.sums().add(self.program.sums) }
    }

    /// Where a value lies at a time step.
    pub(super) unsafe fn at(&self, view: View, step: usize) -> *mut T {
        let start = self.start(view.buffer, view.shift);
        // SAFETY: the caller names a step of the sequence.
        unsafe { start.at.add(((step + start.shift) & start.mask) * start.step + view.offset) }
    }

    pub(super) fn width(&self, view: View) -> usize {
        self.program.buffers[view.buffer].width
    }

    /// Runs a body at some time steps.
    pub(super) unsafe fn run(
        &self,
        body: &Body,
        space: &mut Space<T>,
        steps: impl Iterator<Item = usize>,
        rows: usize,
    ) {
        if body.steps.is_empty() {
            return;
        }
        // SAFETY: as for the caller.
        unsafe {
            self.bind(body, space);
            for step in steps {
                self.once(body, space, Moment { step, after: None, tokens: &[] }, rows);
            }
        }
    }

    /// Works out where the slots of a body point.
    unsafe fn bind(&self, body: &Body, space: &mut Space<T>) {
        space.starts.clear();
        for slot in &body.slots {
            let fixed = |at| Start { at, shift: 0, mask: 0, step: 0 };
            // SAFETY: slots were planned for this memory.
            space.starts.push(unsafe {
                match *slot {
                    Slot::Batch { buffer, shift } => self.start(buffer, shift),
                    Slot::Fixed(offset) => fixed(self.memory.fixed.add(offset)),
                    Slot::Sum(offset) => fixed(self.sums().add(offset)),
                }
            });
        }
        space.frame.clear();
        space.frame.resize(body.slots.len(), std::ptr::null_mut());
    }

    /// Runs a body that is bound at one time step. Meanwhile what the next program reads and writes is brought nearer, that
    /// of the time step after this one if the body ends before it.
    unsafe fn once(&self, body: &Body, space: &mut Space<T>, moment: Moment<'_>, rows: usize) {
        let Moment { step, after, tokens } = moment;
        // SAFETY: the pointers are valid for the chunk's rows at every step.
        unsafe {
            for (pointer, start) in space.frame.iter_mut().zip(&space.starts) {
                *pointer = start.at.add((step.wrapping_add(start.shift) & start.mask) * start.step);
            }
            for (number, part) in body.steps.iter().enumerate() {
                match part {
                    Step::Program(program) => {
                        (self.kernels.run)(program, &space.frame, space.scratch.as_mut_ptr(), rows);
                    }
                    Step::Multiply(multiply) => {
                        space.ahead.clear();
                        if let Some(after) = after {
                            let is_followed = matches!(body.steps.get(number + 1), Some(Step::Program(_)));
                            self.look_ahead(space, if is_followed { step } else { after });
                        }
                        let place = |place: &crate::program::Place| {
                            space.frame[place.slot.unwrap_or_default() as usize].add(place.offset)
                        };
                        let init = multiply.init.map_or(std::ptr::null(), |init| place(&init).cast_const());
                        let product = Product {
                            a: place(&multiply.a).cast_const(),
                            a_strides: [multiply.a.stride, 1],
                            c: place(&multiply.to),
                            c_stride: multiply.to.stride,
                            init,
                            init_stride: multiply.init.map_or(0, |init| init.stride),
                            chosen: if multiply.is_chosen { tokens } else { &[] },
                            ahead: &space.ahead,
                            ..self.product(multiply.weight, rows)
                        };
                        self.clock.time(|| (self.kernels.multiply)(&product));
                    }
                }
            }
        }
    }

    /// Lists what a body that is bound has on tapes at a time step.
    unsafe fn look_ahead(&self, space: &mut Space<T>, step: usize) {
        if step >= self.chunk.steps {
            return;
        }
        let tapes = space.starts.iter().filter(|start| start.mask == usize::MAX);
        // SAFETY: there is such a time step.
        let places =
            tapes.map(|start| unsafe { (start.at.add((step + start.shift) * start.step).cast_const(), start.step) });
        space.ahead.extend(places);
    }

    /// A product by a packed weight; a, c and init are left to fill in.
    unsafe fn product(&self, weight: usize, rows: usize) -> Product<'static, T> {
        let (Weight { at }, packed) = self.program.weights[weight];
        let panel = self.kernels.panel;
        Product {
            rows,
            columns: at.columns,
            depth: at.rows,
            a: std::ptr::null(),
            a_strides: [0, 1],
            // SAFETY: the packed weight lies there.
            b: unsafe { self.memory.fixed.add(packed) }.cast_const(),
            b_strides: [panel, at.rows * panel],
            b_padded: true,
            c: std::ptr::null_mut(),
            c_stride: 0,
            init: std::ptr::null(),
            init_stride: 0,
            chosen: &[],
            ahead: &[],
        }
    }

    /// `to = a · b`, number by number, for all rows of all steps.
    unsafe fn multiply_each(&self, to: View, a: View, b: View, width: usize) {
        // SAFETY: as for the caller.
        unsafe {
            let source =
                |view: View| Source { start: self.at(view, 0).cast_const(), stride: self.width(view), single: false };
            let target = Target { start: self.at(to, 0), stride: self.width(to) };
            let rows = self.chunk.rows * self.chunk.steps;
            let sources = [source(a), source(b), source(b)];
            (self.kernels.execute)(Code::Zip(Binary::Mul), (rows, width), target, sources);
        }
    }

    /// Runs the whole sequence: forward, the loss, and for training backward.
    unsafe fn sequence(
        &self,
        space: &mut Space<T>,
        batch: &Sequences<'_>,
        span: (usize, usize),
        purpose: Purpose,
    ) -> Loss {
        let Chunk { rows, steps, .. } = self.chunk;
        let whole = |buffer| View { buffer, shift: 0, offset: 0 };
        let may_look_ahead = |_: &usize| rows >= SOME_ROWS;
        // SAFETY: as for the caller.
        unsafe {
            for (index, (_, layer, _)) in self.program.layers.iter().enumerate() {
                for first in (0..steps).step_by(self.chunk.block) {
                    let last = steps.min(first + self.chunk.block);
                    if index > 0 {
                        self.run(&layer.before.forward, space, std::iter::once(first), rows * (last - first));
                    }
                    self.bind(&layer.step.forward, space);
                    for step in first..last {
                        let tokens = self.tokens(batch, step);
                        self.look_up(layer, tokens, step);
                        let moment = Moment { step, after: Some(step + 1).filter(may_look_ahead), tokens };
                        self.once(&layer.step.forward, space, moment, rows);
                    }
                }
                if let Some((mask, masked)) = self.program.masks[index] {
                    if purpose == Purpose::Train {
                        self.multiply_each(whole(masked), layer.output, whole(mask), layer.outputs);
                    } else {
                        let source = Source {
                            start: self.at(layer.output, 0).cast_const(),
                            stride: self.width(layer.output),
                            single: false,
                        };
                        let target = Target { start: self.at(whole(masked), 0), stride: layer.outputs };
                        let shape = (rows * steps, layer.outputs);
                        (self.kernels.execute)(Code::Map(Unary::Copy), shape, target, [source; 3]);
                    }
                }
            }
            let loss = self.head(batch, span, purpose);
            if purpose != Purpose::Train {
                return loss;
            }
            let is_one_block = batch.rows == rows && steps <= self.chunk.block;
            let count = self.program.sums + if is_one_block { 0 } else { self.program.totals };
            std::slice::from_raw_parts_mut(self.sums(), count).fill(T::default());
            for (index, (_, layer, _)) in self.program.layers.iter().enumerate().rev() {
                if let Some((mask, _)) = self.program.masks[index] {
                    let gradient = whole(layer.gradient);
                    self.multiply_each(gradient, gradient, whole(mask), layer.outputs);
                }
                for state in &layer.carried {
                    let view = View { buffer: state.gradient, shift: 0, offset: 0 };
                    std::slice::from_raw_parts_mut(self.at(view, steps), rows * state.width).fill(T::default());
                }
                let block = if layer.is_summed_by_blocks { self.chunk.block } else { steps };
                for first in (0..steps).step_by(block).rev() {
                    let last = steps.min(first + block);
                    self.bind(&layer.step.backward, space);
                    for step in (first..last).rev() {
                        let after = step.checked_sub(1).filter(may_look_ahead);
                        self.once(&layer.step.backward, space, Moment { step, after, tokens: &[] }, rows);
                    }
                    if index > 0 {
                        self.run(&layer.before.backward, space, std::iter::once(first), rows * (last - first));
                    }
                    if !is_one_block {
                        self.sum_block(layer, batch, (first, last));
                    }
                }
            }
            loss
        }
    }

    /// Adds what a block of time steps contributes to the gradients, while it is near.
    unsafe fn sum_block(&self, layer: &Layer, batch: &Sequences<'_>, (first, last): (usize, usize)) {
        let rows = self.chunk.rows;
        // SAFETY: as for the caller; tokens are rows of the table.
        unsafe {
            for reduction in layer.step.reductions.iter().chain(&layer.before.reductions) {
                let &Reduction::Outer { a, b, to, place: Some(place), .. } = reduction else { continue };
                let product = Outer {
                    rows: to.rows,
                    columns: to.columns,
                    depth: rows * (last - first),
                    a: self.at(a, first).cast_const(),
                    a_stride: self.width(a),
                    b: self.at(b, first).cast_const(),
                    b_stride: self.width(b),
                    c: self.totals().add(place),
                    c_stride: to.columns,
                    add: true,
                };
                self.clock.time(|| outer(self.kernels, &product));
            }
            for lookup in &layer.lookups {
                let (Some((from, _)), Some(place)) = (lookup.gradient, lookup.sum) else { continue };
                let (table, width) = (self.totals().add(place), self.width(from));
                for step in first..last {
                    let from = self.at(from, step).cast_const();
                    for (row, &token) in self.tokens(batch, step).iter().enumerate() {
                        let source = Source { start: from.add(row * width), stride: 0, single: false };
                        let target = Target { start: table.add(token as usize * lookup.width), stride: 0 };
                        (self.kernels.execute)(Code::AddRows, (1, lookup.width), target, [source; 3]);
                    }
                }
            }
        }
    }

    /// The tokens of the chunk's rows at a time step.
    fn tokens<'b>(&self, batch: &Sequences<'b>, step: usize) -> &'b [u32] {
        &batch.inputs[step * batch.rows + self.chunk.first..][..self.chunk.rows]
    }

    /// Copies the rows that tokens choose.
    unsafe fn look_up(&self, layer: &Layer, tokens: &[u32], step: usize) {
        for lookup in &layer.lookups {
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

    /// Logits and loss, and for training the gradient of the last layer's output.
    unsafe fn head(&self, batch: &Sequences<'_>, (first, last): (usize, usize), purpose: Purpose) -> Loss {
        let head = &self.program.head;
        let Chunk { rows, first: first_row, .. } = self.chunk;
        let (logits, steps) = (View { buffer: head.logits, shift: 0, offset: 0 }, last - first);
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
            if purpose == Purpose::Train {
                let Some((_, layer, _)) = self.program.layers.last() else { return loss };
                let gradient = View { buffer: layer.gradient, shift: 0, offset: 0 };
                let zero = |from: usize, to: usize| {
                    std::slice::from_raw_parts_mut(self.at(gradient, from), (to - from) * rows * head.width)
                        .fill(T::default());
                };
                zero(0, first);
                zero(last, self.chunk.steps);
                if steps > 0 {
                    let product = Product {
                        a: self.at(logits, first).cast_const(),
                        a_strides: [self.program.vocabulary, 1],
                        c: self.at(gradient, first),
                        c_stride: head.width,
                        ..self.product(head.backward, rows * steps)
                    };
                    self.clock.time(|| (self.kernels.multiply)(&product));
                }
            }
        }
        loss
    }
}
