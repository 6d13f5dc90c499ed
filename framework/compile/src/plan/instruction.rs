//! Element-wise programs: what lies between two products, as a list of operations that runs over tiles of rows small
//! enough for the first cache.

use crate::ir::graph::{Binary, Ternary, Unary};

/// About how many numbers of the widest value a tile holds.
const TILE: usize = 1024;

/// What one instruction of a program computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Entry by entry.
    Map(Unary),
    /// Entry by entry; either operand may be one number a row.
    Zip(Binary),
    /// Entry by entry; any operand may be one number a row.
    Fuse(Ternary),
    /// The sum of each row.
    SumColumns,
    /// The largest entry of each row.
    MaxColumns,
    /// Adds all rows to one row.
    AddRows,
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Map(function) => write!(f, "{function:?}"),
            Self::Zip(function) => write!(f, "{function:?}"),
            Self::Fuse(Ternary::TanhGradient) => f.write_str("TanhGradientOfProduct"),
            Self::Fuse(Ternary::SigmoidGradient) => f.write_str("SigmoidGradientOfProduct"),
            Self::Fuse(function) => write!(f, "{function:?}"),
            Self::SumColumns | Self::MaxColumns | Self::AddRows => write!(f, "{self:?}"),
        }
    }
}

/// Where an operand lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The pointer of the frame; none for a register of the program.
    pub(crate) slot: Option<u32>,
    /// Added to the pointer; for a register, the numbers of a row that lie before it.
    pub(crate) offset: usize,
    /// From a row to the next; 0 repeats one row.
    pub(crate) stride: usize,
    /// One number a row stands for all columns.
    pub(crate) single: bool,
}

impl Place {
    /// An operand that is not used.
    pub(crate) const NONE: Self = Self { slot: None, offset: 0, stride: 0, single: false };
}

/// One operation on all rows of a tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instruction {
    pub(crate) code: Code,
    pub(crate) width: usize,
    pub(crate) to: Place,
    pub(crate) from: [Place; 3],
}

/// Operations in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) instructions: Vec<Instruction>,
    /// How many numbers a row of all registers is wide.
    pub(crate) registers: usize,
    /// How many rows a tile holds.
    pub(crate) tile: usize,
}

impl Program {
    pub(crate) fn new(instructions: Vec<Instruction>, registers: usize) -> Self {
        let widest = instructions.iter().map(|instruction| instruction.width).max().unwrap_or(1);
        Self { instructions, registers, tile: (TILE / widest.max(1)).max(1) }
    }

    /// How many numbers of scratch memory it needs.
    pub(crate) fn scratch(&self) -> usize {
        self.registers * self.tile
    }
}
