//! A chunk: some rows of the batch that run by themselves, the memory they use, and how a body runs for them.

use rayon::prelude::*;

use super::{clock::Clock, executable::Executable};
use crate::{
    id::{BufferId, WeightId},
    kernels::{Float, Kernels, Loss, Product},
    model::Sequences,
    plan::{
        fused_kernel::Operand,
        model::ExecutionPlan,
        schedule::{Buffer, BufferKind, Schedule, Slot, Task, View},
    },
    runtime::buffers::Aligned,
};

/// What a chunk has for itself.
pub(super) struct Space<T> {
    starts: Vec<Start<T>>,
    frame: Vec<*mut T>,
    ahead: Vec<(*const T, usize)>,
    pub(super) scratch: Aligned<T>,
    loss: Loss,
}

impl<T: Float> Space<T> {
    pub(super) fn new(program: &ExecutionPlan) -> Self {
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
pub(super) struct Moment<'a> {
    pub(super) step: usize,
    /// The step that comes next, if something may be brought nearer for it.
    pub(super) after: Option<usize>,
    /// The token of each row, where one chooses what a product begins with.
    pub(super) tokens: &'a [u32],
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

impl<T: Float> Executable<T> {
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
    pub(super) program: &'a ExecutionPlan,
    pub(super) kernels: &'static Kernels<T>,
    pub(super) memory: Memory<T>,
    pub(super) bases: &'a [usize],
    pub(super) clock: &'a Clock,
    pub(super) chunk: Chunk,
}

impl<T: Float> Runner<'_, T> {
    /// Where a buffer points at each time step.
    fn start(&self, buffer: BufferId, shift: usize) -> Start<T> {
        let Chunk { first, rows, steps, block, .. } = self.chunk;
        let Buffer { width, kind } = self.program.buffers[buffer.index()];
        let (lines, mask) = match kind {
            BufferKind::Tape => (first * steps, usize::MAX),
            BufferKind::State => (first * (steps + 1), usize::MAX),
            BufferKind::Block => (first * block.min(steps), block - 1),
            BufferKind::Step => (first, 0),
            BufferKind::Carry => (first * 2, 1),
            BufferKind::Table => (0, 0),
        };
        // SAFETY: the buffer has room for the chunk's rows.
        let start = unsafe { self.memory.work.add(self.bases[buffer.index()] + lines * width) };
        Start { at: start, shift, mask, step: rows * width }
    }

    /// Where the chunk's own sums begin.
    pub(super) unsafe fn sums(&self) -> *mut T {
        // SAFETY: every chunk has as many as the program says.
        unsafe { self.memory.sums.add(self.chunk.number * self.program.accumulators.len()) }
    }

    /// Where those begin that it adds to block by block.
    pub(super) unsafe fn totals(&self) -> *mut T {
        // SAFETY: as above.
        unsafe { self.sums().add(self.program.accumulators.step) }
    }

    /// Where a value lies at a time step.
    pub(super) unsafe fn at(&self, view: View, step: usize) -> *mut T {
        let start = self.start(view.buffer, view.shift);
        // SAFETY: the caller names a step of the sequence.
        unsafe { start.at.add(((step + start.shift) & start.mask) * start.step + view.offset) }
    }

    pub(super) fn width(&self, view: View) -> usize {
        self.program.buffers[view.buffer.index()].width
    }

    /// Runs a body at some time steps.
    pub(super) unsafe fn run(
        &self,
        body: &Schedule,
        space: &mut Space<T>,
        steps: impl Iterator<Item = usize>,
        rows: usize,
    ) {
        if body.tasks.is_empty() {
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
    pub(super) unsafe fn bind(&self, body: &Schedule, space: &mut Space<T>) {
        space.starts.clear();
        for slot in &body.slots {
            let fixed = |at| Start { at, shift: 0, mask: 0, step: 0 };
            // SAFETY: slots were planned for this memory.
            space.starts.push(unsafe {
                match *slot {
                    Slot::Batch { buffer, shift } => self.start(buffer, shift),
                    Slot::Parameter(offset) => fixed(self.memory.fixed.add(offset)),
                    Slot::Accumulator(offset) => fixed(self.sums().add(offset)),
                }
            });
        }
        space.frame.clear();
        space.frame.resize(body.slots.len(), std::ptr::null_mut());
    }

    /// Runs a body that is bound at one time step. Meanwhile what the next program reads and writes is brought nearer, that
    /// of the time step after this one if the body ends before it.
    pub(super) unsafe fn once(&self, body: &Schedule, space: &mut Space<T>, moment: Moment<'_>, rows: usize) {
        let Moment { step, after, tokens } = moment;
        // SAFETY: the pointers are valid for the chunk's rows at every step.
        unsafe {
            for (pointer, start) in space.frame.iter_mut().zip(&space.starts) {
                *pointer = start.at.add((step.wrapping_add(start.shift) & start.mask) * start.step);
            }
            for (number, part) in body.tasks.iter().enumerate() {
                match part {
                    Task::Fused(kernel) => {
                        (self.kernels.run)(kernel, &space.frame, space.scratch.as_mut_ptr(), rows);
                    }
                    Task::Multiply(multiply) => {
                        space.ahead.clear();
                        if let Some(after) = after {
                            let is_followed = matches!(body.tasks.get(number + 1), Some(Task::Fused(_)));
                            self.look_ahead(space, if is_followed { step } else { after });
                        }
                        // Products read and write memory, never registers of a kernel.
                        let place = |operand: &Operand| {
                            operand
                                .slot
                                .map_or(std::ptr::null_mut(), |slot| space.frame[slot.index()].add(operand.offset))
                        };
                        let init = multiply.init.map_or(std::ptr::null(), |init| place(&init.from).cast_const());
                        let product = Product {
                            a: place(&multiply.a).cast_const(),
                            a_strides: [multiply.a.stride, 1],
                            c: place(&multiply.to),
                            c_stride: multiply.to.stride,
                            init,
                            init_stride: multiply.init.map_or(0, |init| init.from.stride),
                            chosen: if multiply.init.is_some_and(|init| init.is_gather) { tokens } else { &[] },
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
    pub(super) unsafe fn product(&self, weight: WeightId, rows: usize) -> Product<'static, T> {
        let (at, packed) = (self.program.weights[weight.index()].at, self.program.packed[weight.index()]);
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
}
