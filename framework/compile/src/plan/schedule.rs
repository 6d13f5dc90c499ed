//! The schedule of a phase: products into buffers, and between them fused element-wise kernels; and the buffers that hold
//! batch values.

use crate::{
    id::{BufferId, SlotId, WeightId},
    plan::{
        fused_kernel::{Address, FusedKernel, Operand},
        parameters::Location,
    },
};

/// How long a buffer keeps a batch value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BufferKind {
    /// Of every time step: activations saved for the backward pass.
    Tape,
    /// Of every time step and of the one before the first.
    State,
    /// Of every time step of a time block.
    Block,
    /// Of one time step.
    Step,
    /// Of two time steps in turn.
    Carry,
    /// A row for every token, the same for all sequences.
    Table,
}

/// Memory for a batch value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffer {
    pub(crate) width: usize,
    pub(crate) kind: BufferKind,
}

/// Columns of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct View {
    pub(crate) buffer: BufferId,
    /// The distance from the current time step.
    pub(crate) shift: usize,
    /// The first column.
    pub(crate) offset: usize,
}

impl View {
    /// All columns, at the current time step.
    pub(crate) fn whole(buffer: BufferId) -> Self {
        Self { buffer, shift: 0, offset: 0 }
    }

    /// All columns, at the next time step.
    pub(crate) fn next(buffer: BufferId) -> Self {
        Self { shift: 1, ..Self::whole(buffer) }
    }
}

/// The target of a pointer of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Slot {
    /// A buffer, `shift` time steps from the current one.
    Batch { buffer: BufferId, shift: usize },
    /// An offset in the parameter memory.
    Parameter(usize),
    /// An offset in a shard's accumulators.
    Accumulator(usize),
}

/// The initial value of a product's sum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Init {
    pub(crate) from: Address,
    /// Whether `from` is a table, from which each row's token selects a row.
    pub(crate) is_gather: bool,
}

/// A product: `to = init + a · weight`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Multiply {
    pub(crate) a: Address,
    pub(crate) weight: WeightId,
    pub(crate) to: Address,
    pub(crate) init: Option<Init>,
}

/// An entry of a schedule.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    Multiply(Multiply),
    Fused(FusedKernel),
}

/// Tasks in order, with the pointers that they need.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schedule {
    pub(crate) tasks: Vec<Task>,
    pub(crate) slots: Vec<Slot>,
    /// The elements of scratch memory that its kernels need.
    pub(crate) scratch: usize,
}

impl Schedule {
    /// The slot for a pointer, new or known.
    pub(crate) fn slot(&mut self, slot: Slot) -> SlotId {
        let known = self.slots.iter().position(|&known| known == slot);
        SlotId::new(known.unwrap_or_else(|| {
            self.slots.push(slot);
            self.slots.len() - 1
        }))
    }

    /// Replaces copies of a table's rows, as the initial values of products, by a gather from the table, unless anything
    /// else reads the copies. Returns whether it did. `stride` is the distance from a row of the table to the next.
    pub(crate) fn fold_gather(&mut self, copies: View, table: View, stride: usize) -> bool {
        let slot = |view: View| Slot::Batch { buffer: view.buffer, shift: view.shift };
        let Some(number) = self.slots.iter().position(|&known| known == slot(copies)) else { return false };
        let copy = SlotId::new(number);
        let is_copy = |operand: &Operand| operand.slot == Some(copy);
        let is_read_otherwise = self.tasks.iter().any(|task| match task {
            Task::Multiply(Multiply { a, to, .. }) => a.slot == copy || to.slot == copy,
            Task::Fused(kernel) => kernel.instructions.iter().any(|one| one.operands().iter().any(is_copy)),
        });
        if is_read_otherwise {
            return false;
        }
        self.slots[number] = slot(table);
        for task in &mut self.tasks {
            if let Task::Multiply(Multiply { init: Some(init), .. }) = task
                && init.from.slot == copy
            {
                (init.from.offset, init.from.row_stride) = (init.from.offset + table.offset, stride);
                init.is_gather = true;
            }
        }
        true
    }
}

/// A matrix that products multiply by, packed once an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Weight {
    pub(crate) at: Location,
}
