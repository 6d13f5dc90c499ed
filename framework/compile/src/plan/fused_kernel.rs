//! Fused element-wise kernels: the operations between two products, as a list of instructions that runs over tiles of rows
//! small enough for L1.

use crate::{
    id::SlotId,
    ir::{
        blocks::Blocks,
        op::{BatchedDims, Binary, Ternary, Unary},
    },
};

/// About how many elements of the widest value a tile has. Of wider values one row is computed at a time.
const TILE: usize = 1024;
/// The most elements of the registers of a tile with wider values.
const MOST: usize = 1 << 16;

/// What one instruction computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    /// Element-wise.
    Map(Unary),
    /// Element-wise; either operand may have one element a row.
    Zip(Binary),
    /// Element-wise; any operand may have one element a row.
    Fuse(Ternary),
    /// The sum of each row.
    SumColumns,
    /// The largest entry of each row.
    MaxColumns,
    /// The sum of all rows.
    SumRows,
    /// Adds all rows to one row.
    AddRows,
    /// Sums of the entries of each row up to each, or with `true` from each on.
    CumulativeSum(bool),
    /// A copy of entries that do not lie next to each other.
    Exchange,
    /// Products of the matrices that each row holds; a third operand begins their sums.
    Batched(BatchedDims, bool),
}

impl Opcode {
    /// The number of operands.
    pub(crate) fn arity(self) -> usize {
        match self {
            Self::Zip(_) | Self::Batched(_, false) => 2,
            Self::Fuse(_) | Self::Batched(_, true) => 3,
            _ => 1,
        }
    }
}

impl std::fmt::Display for Opcode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Map(function) => write!(f, "{function:?}"),
            Self::Zip(function) => write!(f, "{function:?}"),
            Self::Fuse(Ternary::TanhGradient) => f.write_str("TanhGradientOfProduct"),
            Self::Fuse(Ternary::SigmoidGradient) => f.write_str("SigmoidGradientOfProduct"),
            Self::Fuse(function) => write!(f, "{function:?}"),
            Self::Batched(of, _) => write!(f, "Batched[{}x{}x{}x{}]", of.count, of.rows, of.depth, of.columns),
            Self::CumulativeSum(_) => f.write_str("CumulativeSum"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// The address of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operand {
    /// The pointer of the frame; none for a register of the kernel.
    pub(crate) slot: Option<SlotId>,
    /// Elements from that pointer; for a register, the elements of a row that lie before it.
    pub(crate) offset: usize,
    /// Elements from a row to the next; 0 repeats one row.
    pub(crate) row_stride: usize,
    /// Elements from a block of the columns to the next, and from a row of a block to the next.
    pub(crate) block_strides: [usize; 2],
    /// 1, or 0 where one element a row stands for all columns; of an exchange what it needs.
    pub(crate) column_stride: usize,
}

impl Operand {
    /// The same with the strides of the columns `[outer, rows, columns]`.
    pub(crate) fn with_strides(self, [outer, row, column_stride]: [usize; 3]) -> Self {
        Self { block_strides: [outer, row], column_stride, ..self }
    }
}

/// The address of a matrix in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) slot: SlotId,
    /// Elements from the slot's pointer.
    pub(crate) offset: usize,
    /// Elements from a row to the next; 0 repeats one row.
    pub(crate) row_stride: usize,
}

impl Address {
    /// A row that is the same for all sequences.
    pub(crate) fn row(slot: SlotId) -> Self {
        Self { slot, offset: 0, row_stride: 0 }
    }

    /// The same as an operand of a kernel.
    pub(crate) fn operand(self, column_stride: usize) -> Operand {
        let Self { slot, offset, row_stride } = self;
        Operand { slot: Some(slot), offset, row_stride, block_strides: [0; 2], column_stride }
    }
}

/// One operation on all rows of a tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instruction {
    pub(crate) opcode: Opcode,
    /// The columns of what it reads.
    pub(crate) blocks: Blocks,
    pub(crate) to: Operand,
    /// As many as the opcode reads; the last is repeated.
    from: [Operand; 3],
}

impl Instruction {
    pub(crate) fn new(opcode: Opcode, blocks: Blocks, to: Operand, from: &[Operand]) -> Self {
        debug_assert_eq!(from.len(), opcode.arity());
        let operand = |index: usize| from[index.min(from.len() - 1)];
        Self { opcode, blocks, to, from: std::array::from_fn(operand) }
    }

    /// The number of columns.
    pub(crate) fn width(&self) -> usize {
        self.blocks.outer * self.blocks.rows * self.blocks.columns
    }

    /// Whether the rows of the blocks of all rows are as far from each other as those of one block.
    pub(crate) fn is_even(&self) -> bool {
        let rows = self.blocks.rows;
        let is_even = |operand: &Operand| operand.row_stride == rows * operand.block_strides[1];
        self.blocks.outer == 1 && [self.to].iter().chain(&self.from).all(is_even)
    }

    /// The operands that the opcode reads.
    pub(crate) fn operands(&self) -> &[Operand] {
        &self.from[..self.opcode.arity()]
    }

    /// The operands, the last repeated: three addresses whatever the opcode.
    pub(crate) fn padded_operands(&self) -> &[Operand; 3] {
        &self.from
    }
}

/// Instructions in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct FusedKernel {
    pub(crate) instructions: Vec<Instruction>,
    /// The width of a row of all registers, in elements.
    pub(crate) registers: usize,
    /// The number of rows of a tile.
    pub(crate) tile: usize,
    /// The ends of runs of instructions, and whether each run is computed row by row.
    pub(crate) runs: Vec<(usize, bool)>,
}

impl FusedKernel {
    pub(crate) fn new(instructions: Vec<Instruction>, registers: usize) -> Self {
        let is_wide = |instruction: &Instruction| instruction.width() > TILE;
        let narrow = instructions.iter().filter(|instruction| !is_wide(instruction));
        let widest = narrow.map(Instruction::width).max().unwrap_or(1).max(1);
        let mut tile = (TILE / widest).max(1);
        if instructions.iter().any(is_wide) {
            tile = tile.min(MOST / registers.max(1)).max(1);
        }
        let mut runs: Vec<(usize, bool)> = Vec::new();
        for (index, instruction) in instructions.iter().enumerate() {
            match runs.last_mut() {
                Some((end, is)) if *is == is_wide(instruction) => *end = index + 1,
                _ => runs.push((index + 1, is_wide(instruction))),
            }
        }
        Self { instructions, registers, tile, runs }
    }

    /// The elements of scratch memory that it needs.
    pub(crate) fn scratch(&self) -> usize {
        self.registers * self.tile
    }
}
