//! Runs fused element-wise kernels: every instruction over a tile of rows that fits L1.

use super::{
    elementwise::{self, Source, Target},
    simd::Lanes,
};
use crate::plan::fused_kernel::{FusedKernel, Operand};

/// Runs a program over `rows` rows.
///
/// # Safety
/// The instruction set of `V` is enabled; the frame's pointers are valid for what the instructions read and write, and
/// the scratch memory for [`FusedKernel::scratch`] numbers.
#[expect(clippy::inline_always, reason = "the instruction set is enabled where this is inlined")]
#[inline(always)]
pub(crate) unsafe fn run<V: Lanes>(
    program: &FusedKernel,
    frame: &[*mut V::Number],
    scratch: *mut V::Number,
    rows: usize,
) {
    let tile = program.tile;
    // SAFETY: the caller's.
    unsafe {
        let mut row = 0;
        while row < rows {
            let here = tile.min(rows - row);
            for instruction in &program.instructions {
                let place = |place: &Operand| match place.slot {
                    Some(slot) => frame.get_unchecked(slot.index()).add(place.offset + row * place.stride),
                    None => scratch.add(place.offset * tile),
                };
                let source = |from: &Operand| Source {
                    start: place(from).cast_const(),
                    stride: from.stride,
                    single: from.is_column,
                };
                let [a, b, c] = instruction.padded_operands();
                let to = Target { start: place(&instruction.to), stride: instruction.to.stride };
                let shape = (here, instruction.width);
                elementwise::execute::<V>(instruction.opcode, shape, to, [source(a), source(b), source(c)]);
            }
            row += here;
        }
    }
}
