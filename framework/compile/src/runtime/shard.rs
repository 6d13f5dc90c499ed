//! A shard: some rows of the batch that run by themselves, the memory they use, and how a schedule runs for them.

use rayon::{ThreadPool, prelude::*};

use super::{
    buffers::{Aligned, BLOCK, Pointers},
    clock::Clock,
};
use crate::{
    id::{BufferId, WeightId},
    kernels::{Dims, Float, Kernels, MatrixMut, MatrixRef, Panels, Product, interpreter},
    model::{BatchView, Totals},
    plan::{
        fused_kernel::Address,
        layer::Layer,
        model::ExecutionPlan,
        schedule::{Buffer, BufferKind, Multiply, Schedule, Slot, Task, View},
    },
};

/// The chunks of a time block that runs in chunks. As many for any number of threads, so that sums are the same.
const CHUNKS: usize = 8;
/// The fewest time steps of a chunk.
const LEAST: usize = 32;

/// What a shard's thread has for itself.
pub(super) struct Workspace<T> {
    slots: Vec<SlotAddress<T>>,
    /// The slots' pointers at the current time step.
    frame: Vec<*mut T>,
    prefetch: Vec<(*const T, usize)>,
    pub(super) scratch: Aligned<T>,
    pub(super) totals: Totals,
}

impl<T: Float> Workspace<T> {
    pub(super) fn new(plan: &ExecutionPlan) -> Self {
        Self {
            slots: Vec::new(),
            frame: Vec::new(),
            prefetch: Vec::new(),
            scratch: Aligned::new(plan.scratch),
            totals: Totals::default(),
        }
    }
}

// SAFETY: the pointers are only used while their owner is borrowed, by one thread at a time.
unsafe impl<T: Send> Send for Workspace<T> {}

/// The address of a slot at time step t: `ptr + ((t + shift) & mask) · stride`.
#[derive(Clone, Copy)]
struct SlotAddress<T> {
    ptr: *mut T,
    shift: usize,
    /// All ones where a buffer has every time step, 0 where it has one.
    mask: usize,
    stride: usize,
    /// Whether the buffer has every time step, so that the next one is worth a prefetch.
    has_all_steps: bool,
}

impl<T> SlotAddress<T> {
    /// The same address at every time step.
    fn constant(ptr: *mut T) -> Self {
        Self { ptr, shift: 0, mask: 0, stride: 0, has_all_steps: false }
    }
}

/// A time step at which a schedule runs.
#[derive(Clone, Copy)]
pub(super) struct TimeStep<'a> {
    pub(super) step: usize,
    /// The step that runs next, if it is prefetched.
    pub(super) next: Option<usize>,
    /// The token of each row, where a product begins with gathered rows.
    pub(super) tokens: &'a [u32],
}

/// Time steps `first..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) first: usize,
    pub(super) end: usize,
}

impl Steps {
    pub(super) fn new(first: usize, end: usize) -> Self {
        Self { first, end }
    }

    pub(super) fn len(self) -> usize {
        self.end - self.first
    }

    /// One of `count` chunks of nearly equal length.
    fn chunk(self, index: usize, count: usize) -> Self {
        let at = |index: usize| self.first + self.len() * index / count;
        Self::new(at(index), at(index + 1))
    }

    /// Those within other steps.
    pub(super) fn within(self, other: Self) -> Self {
        Self { first: self.first.clamp(other.first, other.end), end: self.end.clamp(other.first, other.end) }
    }

    /// The steps at which a prediction counts, and those between them.
    pub(super) fn counted(batch: &BatchView<'_>) -> Self {
        let first = batch.counted.iter().position(|&counted| counted);
        let last = batch.counted.iter().rposition(|&counted| counted);
        match (first, last) {
            (Some(first), Some(last)) => Self::new(first / batch.rows, last / batch.rows + 1),
            _ => Self::new(0, 0),
        }
    }
}

/// Rows of the batch that run by themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shard {
    pub(super) index: usize,
    pub(super) first_row: usize,
    pub(super) rows: usize,
    pub(super) steps: usize,
    /// The time steps of a time block, a power of two; the same for all shards.
    pub(super) block: usize,
    /// Pieces of a time block in which what does not depend on the state runs, each with accumulators of its own.
    pub(super) chunks: usize,
}

impl Shard {
    /// All rows as one shard of one time step: the rows of a table.
    pub(super) fn table(index: usize, rows: usize) -> Self {
        Self { index, first_row: 0, rows, steps: 1, block: 1, chunks: 1 }
    }
}

/// The shards of a batch: enough for many cores where there is enough work, of rows enough to be worth reading the weights
/// for. They depend on the model and the batch alone.
pub(super) fn shards<T>(plan: &ExecutionPlan, rows: usize, steps: usize) -> Vec<Shard> {
    let weight_bytes = plan.work * size_of::<T>();
    let least = if weight_bytes > 4 << 20 { 24 } else { 12 };
    let mut count = 1;
    while is_large(plan, rows * steps) && count < 64 && rows / (2 * count) >= least {
        count *= 2;
    }
    let (block, chunks) = if count == 1 && runs_in_chunks(plan, rows, steps) {
        (steps.next_power_of_two(), CHUNKS)
    } else {
        (1 << (BLOCK / rows.div_ceil(count)).max(1).ilog2(), 1)
    };
    // Longer and shorter ones alternate, as neighbors are likely to run on one thread.
    let start = |index: usize| rows * index / count;
    let shard = |index| {
        let (first_row, rows) = (start(index), start(index + 1) - start(index));
        Shard { index, first_row, rows, steps, block, chunks }
    };
    (0..count).map(shard).collect()
}

/// Whether a batch of one shard is one time block, which runs in chunks: a few long sequences of linear recurrences, whose
/// loop over time has no product.
fn runs_in_chunks(plan: &ExecutionPlan, rows: usize, steps: usize) -> bool {
    let has_product = |schedule: &Schedule| schedule.tasks.iter().any(|task| matches!(task, Task::Multiply(_)));
    let is_linear = |layer: &Layer| !has_product(&layer.step.forward) && !has_product(&layer.step.backward);
    steps >= CHUNKS * LEAST && is_large(plan, rows * steps) && plan.layers.iter().all(is_linear)
}

/// Whether that many rows are enough work for more than one thread.
pub(super) fn is_large(plan: &ExecutionPlan, rows: usize) -> bool {
    plan.work * rows >= 1 << 19
}

/// Runs schedules for the rows of a shard.
///
/// Its unsafe methods have one contract: the buffers were reserved for the batch, the views, slots and weights are the
/// plan's, time steps are of the batch, and no other thread uses the shard's rows or accumulators.
#[derive(Clone, Copy)]
pub(super) struct ShardRunner<'a, T: Float> {
    pub(super) plan: &'a ExecutionPlan,
    pub(super) kernels: &'static Kernels<T>,
    pub(super) memory: Pointers<T>,
    pub(super) bases: &'a [usize],
    pub(super) clock: &'a Clock,
    /// The workers for the chunks of a time block.
    pub(super) pool: Option<&'a ThreadPool>,
    pub(super) shard: Shard,
}

impl<T: Float> ShardRunner<'_, T> {
    /// The address of a buffer at each time step.
    fn slot_address(&self, buffer: BufferId, shift: usize) -> SlotAddress<T> {
        let Shard { first_row: first, rows, steps, block, .. } = self.shard;
        let Buffer { width, kind } = self.plan.buffers[buffer.index()];
        let (lines, mask) = match kind {
            BufferKind::Tape => (first * steps, !0),
            BufferKind::State => (first * (steps + 1), !0),
            BufferKind::Block => (first * block.min(steps), block - 1),
            BufferKind::Step => (first, 0),
            BufferKind::Carry => (first * 2, 1),
            BufferKind::Table => (0, 0),
        };
        // SAFETY: `reserve` made room for the lines of the rows before the shard's.
        let ptr = unsafe { self.memory.work.add(self.bases[buffer.index()] + lines * width) };
        let has_all_steps = matches!(kind, BufferKind::Tape | BufferKind::State);
        SlotAddress { ptr, shift, mask, stride: rows * width, has_all_steps }
    }

    /// Runs something for each chunk of a time block, on all threads. Chunks write to time steps and accumulators of their own.
    pub(super) fn each_chunk(
        self,
        workspaces: &mut [Workspace<T>],
        block: Steps,
        run: impl Fn(Self, &mut Workspace<T>, Steps) + Sync,
    ) {
        let count = self.shard.chunks;
        let run = |(index, workspace)| {
            let shard = Shard { index: self.shard.index + index, ..self.shard };
            run(Self { shard, ..self }, workspace, block.chunk(index, count));
        };
        let workspaces = &mut workspaces[..count];
        match self.pool {
            Some(pool) if count > 1 => {
                pool.install(|| workspaces.par_iter_mut().with_max_len(1).enumerate().for_each(run));
            }
            _ => workspaces.iter_mut().enumerate().for_each(run),
        }
    }

    /// The shard's accumulators: those of time steps first.
    pub(super) unsafe fn accumulators(&self) -> *mut T {
        // SAFETY: each shard has as many accumulators as the plan says.
        unsafe { self.memory.accumulators.add(self.shard.index * self.plan.accumulators.len()) }
    }

    /// The shard's accumulators of time blocks.
    pub(super) unsafe fn block_accumulators(&self) -> *mut T {
        // SAFETY: they lie behind those of time steps.
        unsafe { self.accumulators().add(self.plan.accumulators.step) }
    }

    /// The address of a view at a time step.
    pub(super) unsafe fn at(&self, view: View, step: usize) -> *mut T {
        let slot = self.slot_address(view.buffer, view.shift);
        // SAFETY: the buffer has that time step, and the view's columns.
        unsafe { slot.ptr.add(((step + slot.shift) & slot.mask) * slot.stride + view.offset) }
    }

    pub(super) fn width(&self, view: View) -> usize {
        self.plan.buffers[view.buffer.index()].width
    }

    /// A view from a time step on, to be read.
    pub(super) unsafe fn read(&self, view: View, step: usize) -> MatrixRef<T> {
        // SAFETY: see the contract of the type.
        MatrixRef::rows(unsafe { self.at(view, step) }.cast_const(), self.width(view))
    }

    /// A view from a time step on, to be written.
    pub(super) unsafe fn write(&self, view: View, step: usize) -> MatrixMut<T> {
        // SAFETY: see the contract of the type.
        MatrixMut { ptr: unsafe { self.at(view, step) }, row_stride: self.width(view) }
    }

    /// Runs a schedule once, for that many rows from a time step on.
    pub(super) unsafe fn run(&self, schedule: &Schedule, workspace: &mut Workspace<T>, step: usize, rows: usize) {
        if schedule.tasks.is_empty() {
            return;
        }
        // SAFETY: see the contract of the type.
        unsafe {
            self.bind(schedule, workspace);
            self.run_step(schedule, workspace, TimeStep { step, next: None, tokens: &[] }, rows);
        }
    }

    /// Resolves the slots of a schedule.
    pub(super) unsafe fn bind(&self, schedule: &Schedule, workspace: &mut Workspace<T>) {
        workspace.slots.clear();
        for slot in &schedule.slots {
            // SAFETY: the plan's offsets lie within the memory that was sized by it.
            workspace.slots.push(unsafe {
                match *slot {
                    Slot::Batch { buffer, shift } => self.slot_address(buffer, shift),
                    Slot::Parameter(offset) => SlotAddress::constant(self.memory.parameters.add(offset)),
                    Slot::Accumulator(offset) => SlotAddress::constant(self.accumulators().add(offset)),
                }
            });
        }
    }

    /// Runs a bound schedule at one time step. Each product prefetches what the kernel behind it reads and writes, or, if it is
    /// the last, what the next time step does.
    pub(super) unsafe fn run_step(
        &self,
        schedule: &Schedule,
        workspace: &mut Workspace<T>,
        time: TimeStep<'_>,
        rows: usize,
    ) {
        // SAFETY: see the contract of the type; the schedule is bound, so that the frame has its slots.
        unsafe {
            let pointer =
                |slot: &SlotAddress<T>| slot.ptr.add((time.step.wrapping_add(slot.shift) & slot.mask) * slot.stride);
            workspace.frame.clear();
            workspace.frame.extend(workspace.slots.iter().map(pointer));
            for (index, task) in schedule.tasks.iter().enumerate() {
                match task {
                    Task::Fused(kernel) => {
                        interpreter::run(self.kernels, kernel, &workspace.frame, workspace.scratch.as_mut_ptr(), rows);
                    }
                    Task::Multiply(multiply) => {
                        workspace.prefetch.clear();
                        if let Some(next) = time.next {
                            let is_followed = matches!(schedule.tasks.get(index + 1), Some(Task::Fused(_)));
                            self.list_prefetches(workspace, if is_followed { time.step } else { next });
                        }
                        self.multiply(multiply, workspace, time.tokens, rows);
                    }
                }
            }
        }
    }

    unsafe fn multiply(&self, multiply: &Multiply, workspace: &Workspace<T>, tokens: &[u32], rows: usize) {
        // SAFETY: see the contract of the type; the schedule is bound, so that the frame has its slots.
        unsafe {
            let ptr = |at: &Address| workspace.frame[at.slot.index()].add(at.offset);
            let read = |at: &Address| MatrixRef::rows(ptr(at).cast_const(), at.row_stride);
            let to = MatrixMut { ptr: ptr(&multiply.to), row_stride: multiply.to.row_stride };
            let is_gather = multiply.init.is_some_and(|init| init.is_gather);
            let product = Product {
                init: multiply.init.map(|init| read(&init.from)),
                init_rows: if is_gather { tokens } else { &[] },
                prefetch: &workspace.prefetch,
                ..self.product(multiply.weight, rows, read(&multiply.a), to)
            };
            self.clock.time(|| (self.kernels.multiply)(&product));
        }
    }

    /// Lists what a bound schedule reads and writes in buffers of all time steps at one of them.
    unsafe fn list_prefetches(&self, workspace: &mut Workspace<T>, step: usize) {
        if step >= self.shard.steps {
            return;
        }
        let saved = workspace.slots.iter().filter(|slot| slot.has_all_steps);
        // SAFETY: the buffers have that time step.
        let ranges =
            saved.map(|slot| unsafe { (slot.ptr.add((step + slot.shift) * slot.stride).cast_const(), slot.stride) });
        workspace.prefetch.extend(ranges);
    }

    /// `c = a · weight`, of a packed weight.
    pub(super) unsafe fn product(
        &self,
        weight: WeightId,
        rows: usize,
        a: MatrixRef<T>,
        c: MatrixMut<T>,
    ) -> Product<'static, T> {
        let (at, packed) = (self.plan.weights[weight.index()].at, self.plan.packed[weight.index()]);
        let panel = self.kernels.panel;
        Product {
            dims: Dims { rows, columns: at.columns },
            depth: at.rows,
            a,
            b: Panels {
                // SAFETY: the plan has memory for the packed weight at that offset.
                ptr: unsafe { self.memory.parameters.add(packed) }.cast_const(),
                row_stride: panel,
                panel_stride: at.rows * panel,
                is_padded: true,
            },
            c,
            init: None,
            init_rows: &[],
            prefetch: &[],
        }
    }
}
