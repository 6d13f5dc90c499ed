//! What runs for the rows of a batch: products into buffers, and between them element-wise programs; and where the values
//! lie that they read and write.

use crate::{
    plan::instruction::{Place, Program},
    plan::parameter_program::Fixed,
};

/// How long a value of the batch is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// One for every time step.
    Tape,
    /// One for every time step and one before the first.
    State,
    /// One for every time step of a block.
    Block,
    /// Only within a time step.
    Step,
    /// Until the next time step.
    Carry,
    /// One row for every token, the same for all sequences.
    Table,
}

/// Memory for a value of the batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffer {
    pub(crate) width: usize,
    pub(crate) kind: Kind,
}

/// Where a value of the batch lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct View {
    pub(crate) buffer: usize,
    /// How many time steps later.
    pub(crate) shift: usize,
    /// The first column.
    pub(crate) offset: usize,
}

/// What a pointer of the frame points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Slot {
    /// A buffer at the current time step, or so many later.
    Batch { buffer: usize, shift: usize },
    /// A place in the memory that does not depend on the batch.
    Fixed(usize),
    /// A place in a chunk's sums.
    Sum(usize),
}

/// One product of a body: `to = init + a · weight`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Multiply {
    pub(crate) a: Place,
    pub(crate) weight: usize,
    pub(crate) to: Place,
    pub(crate) init: Option<Place>,
    /// Whether init is a table, of which each row's token chooses a row.
    pub(crate) is_chosen: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Multiply(Multiply),
    Program(Program),
}

/// Steps in order, with the pointers that they need.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pub(crate) steps: Vec<Step>,
    pub(crate) slots: Vec<Slot>,
    /// How many numbers of scratch memory its programs need.
    pub(crate) scratch: usize,
}

impl Body {
    /// Lets products begin with rows of a table, so far apart, instead of copies of them, if that is all that the copies
    /// are for. Whether they do.
    pub(crate) fn choose(&mut self, copies: View, table: View, stride: usize) -> bool {
        let slot = |view: View| Slot::Batch { buffer: view.buffer, shift: view.shift };
        let Some(number) = self.slots.iter().position(|&known| known == slot(copies)) else { return false };
        let is_copy = |place: &Place| place.slot == Some(number as u32);
        let is_read_otherwise = self.steps.iter().any(|step| match step {
            Step::Multiply(Multiply { a, to, .. }) => is_copy(a) || is_copy(to),
            Step::Program(program) => program.instructions.iter().any(|one| one.from.iter().any(is_copy)),
        });
        if is_read_otherwise {
            return false;
        }
        self.slots[number] = slot(table);
        for step in &mut self.steps {
            if let Step::Multiply(Multiply { init: Some(init), is_chosen, .. }) = step
                && is_copy(init)
            {
                (init.offset, init.stride, *is_chosen) = (init.offset + table.offset, stride, true);
            }
        }
        true
    }
}

/// A matrix that products multiply by, which is packed once a training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Weight {
    /// Its place, see [`Fixed`].
    pub(crate) at: crate::plan::parameter_program::Location,
}

/// What bodies of a layer share.
pub(crate) struct Layout<'a> {
    pub(crate) buffers: &'a mut Vec<Buffer>,
    pub(crate) weights: &'a mut Vec<Weight>,
    pub(crate) fixed: &'a mut Fixed,
    /// How many numbers a chunk sums up step by step, and how many block by block.
    pub(crate) sums: &'a mut usize,
    pub(crate) totals: &'a mut usize,
    /// What is computed from the sums over the batch.
    pub(crate) epilogue: &'a mut Vec<crate::plan::parameter_program::FixedStep>,
}

impl Layout<'_> {
    /// A place among each chunk's sums.
    pub(crate) fn sum(&mut self, count: usize) -> usize {
        Self::take(self.sums, count)
    }

    /// A place among what each chunk sums up block by block.
    pub(crate) fn total(&mut self, count: usize) -> usize {
        Self::take(self.totals, count)
    }

    /// So many numbers more behind those that are taken, at the beginning of a line of the cache.
    pub(crate) fn take(from: &mut usize, count: usize) -> usize {
        *from += count.next_multiple_of(16);
        *from - count.next_multiple_of(16)
    }
}
