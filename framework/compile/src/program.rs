//! Element-wise programs: what lies between two products, as a list of operations that runs over tiles of rows small
//! enough for the first cache.

use crate::kernels::{Code, Source, Target, elementwise, lanes::Lanes};

/// About how many numbers of the widest value a tile holds.
const TILE: usize = 1024;

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

/// Runs a program over `rows` rows.
///
/// # Safety
/// The instruction set of `V` is enabled; the frame's pointers are valid for what the instructions read and write, and
/// the scratch memory for [`Program::scratch`] numbers.
#[expect(clippy::inline_always, reason = "the instruction set is enabled where this is inlined")]
#[inline(always)]
pub(crate) unsafe fn run<V: Lanes>(program: &Program, frame: &[*mut V::Number], scratch: *mut V::Number, rows: usize) {
    let tile = program.tile;
    // SAFETY: the caller's.
    unsafe {
        let mut row = 0;
        while row < rows {
            let here = tile.min(rows - row);
            for instruction in &program.instructions {
                let place = |place: &Place| match place.slot {
                    Some(slot) => frame.get_unchecked(slot as usize).add(place.offset + row * place.stride),
                    None => scratch.add(place.offset * tile),
                };
                let source =
                    |from: &Place| Source { start: place(from).cast_const(), stride: from.stride, single: from.single };
                let [a, b, c] = &instruction.from;
                let to = Target { start: place(&instruction.to), stride: instruction.to.stride };
                let shape = (here, instruction.width);
                elementwise::execute::<V>(instruction.code, shape, to, [source(a), source(b), source(c)]);
            }
            row += here;
        }
    }
}
