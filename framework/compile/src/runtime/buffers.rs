//! Memory of an executable: cache-line aligned buffers, and where each of the plan's buffers begins in them.

use std::ops::{Deref, DerefMut};

use crate::{
    id::BufferId,
    kernels::Float,
    plan::{
        model::ExecutionPlan,
        schedule::{Buffer, BufferKind},
    },
};

/// Bytes of a cache line, and of the widest register: a register's elements are then in one line, not in two.
pub(crate) const LINE: usize = 64;

/// About how many rows of a shard, those of all its time steps together, a time block has.
pub(super) const BLOCK: usize = 128;

/// A buffer aligned to the cache line.
pub(crate) struct Aligned<T> {
    elements: Vec<T>,
    /// The elements before the first aligned one.
    skipped: usize,
    len: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// Zeros.
    pub(crate) fn new(len: usize) -> Self {
        let elements = vec![T::default(); len + LINE / size_of::<T>()];
        advise_huge_pages(&elements);
        let address = elements.as_ptr().addr();
        let skipped = (address.next_multiple_of(LINE) - address) / size_of::<T>();
        Self { elements, skipped, len }
    }
}

/// Asks for huge pages before the memory is first touched: with pages of 4 KiB the misses of the TLB cost 2 to 3 % of an
/// LSTM's update. A system that has none ignores it.
#[cfg(target_os = "linux")]
fn advise_huge_pages<T>(elements: &[T]) {
    const HUGE_PAGE: usize = 1 << 21;
    let start = elements.as_ptr().addr();
    let skipped = start.next_multiple_of(HUGE_PAGE) - start;
    let bytes = size_of_val(elements).saturating_sub(skipped) / HUGE_PAGE * HUGE_PAGE;
    if bytes > 0 {
        // SAFETY: the pages lie within the slice, and the advice changes no values.
        unsafe { libc::madvise(elements.as_ptr().byte_add(skipped).cast_mut().cast(), bytes, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages<T>(_: &[T]) {}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.elements[self.skipped..self.skipped + self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.elements[self.skipped..self.skipped + self.len]
    }
}

/// All memory of an executable but its workers' scratch memory.
pub(super) struct Buffers<T> {
    /// Parameters, gradients, packed weights: what does not depend on the batch.
    pub(super) parameters: Aligned<T>,
    /// The plan's buffers, for a batch.
    pub(super) work: Aligned<T>,
    /// The offset of each of the plan's buffers in `work`.
    pub(super) bases: Vec<usize>,
    /// The accumulators of each shard, and behind them those of the sums over tokens.
    pub(super) accumulators: Aligned<T>,
    /// The largest (time steps, rows) that the buffers were sized for.
    pub(super) capacity: (usize, usize),
    /// The most chunks of a time block.
    pub(super) chunks: usize,
    /// Whether packed weights and tables are those of the parameters.
    pub(super) is_packed: bool,
}

impl<T: Float> Buffers<T> {
    /// Memory for the parameters alone.
    pub(super) fn new(plan: &ExecutionPlan) -> Self {
        let mut parameters = Aligned::<T>::new(plan.memory.size);
        for (offset, values) in &plan.memory.initial {
            for (to, from) in parameters[*offset..].iter_mut().zip(values) {
                *to = T::from_f64(*from);
            }
        }
        Self {
            parameters,
            work: Aligned::new(0),
            bases: Vec::new(),
            accumulators: Aligned::new(0),
            capacity: (0, 0),
            chunks: 1,
            is_packed: false,
        }
    }

    /// Makes room for a batch of that many time steps and rows, in at most `shards` shards. Where there are chunks, a time block
    /// is the whole sequence.
    pub(super) fn reserve(
        &mut self,
        plan: &ExecutionPlan,
        (steps, rows): (usize, usize),
        shards: usize,
        chunks: usize,
    ) {
        self.bases.clear();
        let mut size = 0;
        for &Buffer { width, kind } in &plan.buffers {
            self.bases.push(size);
            let lines = match kind {
                BufferKind::Tape => steps * rows,
                BufferKind::State => (steps + 1) * rows,
                BufferKind::Block if chunks > 1 => steps * rows,
                BufferKind::Block => (shards * BLOCK + rows).min(steps * rows),
                BufferKind::Step => rows,
                BufferKind::Carry => 2 * rows,
                BufferKind::Table => plan.vocabulary + 1,
            };
            size += (lines * width).next_multiple_of(16);
        }
        self.work = Aligned::new(size);
        self.accumulators = Aligned::new((shards.max(chunks) + 1) * plan.accumulators.len());
        (self.capacity, self.chunks) = ((steps, rows), chunks);
        self.is_packed = false;
    }

    pub(super) fn base(&self, buffer: BufferId) -> usize {
        self.bases[buffer.index()]
    }

    pub(super) fn pointers(&mut self) -> Pointers<T> {
        Pointers {
            parameters: self.parameters.as_mut_ptr(),
            work: self.work.as_mut_ptr(),
            accumulators: self.accumulators.as_mut_ptr(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.parameters.len() + self.work.len() + self.accumulators.len()
    }
}

/// The memory, for threads that each use other parts of it.
#[derive(Clone, Copy)]
pub(super) struct Pointers<T> {
    pub(super) parameters: *mut T,
    pub(super) work: *mut T,
    pub(super) accumulators: *mut T,
}

impl<T> Pointers<T> {
    /// The address of an offset in parameter memory.
    ///
    /// # Safety
    /// The offset lies within the memory.
    pub(super) unsafe fn parameter(self, offset: usize) -> *mut T {
        // SAFETY: the caller guarantees the offset.
        unsafe { self.parameters.add(offset) }
    }
}

// SAFETY: shards and gradient jobs write to disjoint parts, as the plan assigns them.
unsafe impl<T: Send> Send for Pointers<T> {}
// SAFETY: see above.
unsafe impl<T: Send> Sync for Pointers<T> {}
