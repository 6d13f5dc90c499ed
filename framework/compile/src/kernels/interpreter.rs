//! Runs fused element-wise kernels: every instruction over a tile of rows that fits L1.

use super::{
    Kernels,
    matrix::{Dims, MatrixMut, MatrixRef},
};
use crate::plan::fused_kernel::{FusedKernel, Operand};

/// Runs a kernel over `rows` rows.
///
/// # Safety
/// The processor has the instruction set of the kernels; the frame's pointers are valid for what the instructions read and
/// write, and the scratch memory for [`FusedKernel::scratch`] elements.
pub(crate) unsafe fn run<T: Copy>(
    kernels: &Kernels<T>,
    kernel: &FusedKernel,
    frame: &[*mut T],
    scratch: *mut T,
    rows: usize,
) {
    let tile = kernel.tile;
    // SAFETY: the caller guarantees the frame and the scratch memory; an operand's slot is one of the frame, as the emitter
    // made both.
    unsafe {
        let mut row = 0;
        while row < rows {
            let here = tile.min(rows - row);
            for instruction in &kernel.instructions {
                let address = |operand: &Operand| match operand.slot {
                    Some(slot) => frame.get_unchecked(slot.index()).add(operand.offset + row * operand.row_stride),
                    None => scratch.add(operand.offset * tile),
                };
                let source = |from: &Operand| MatrixRef {
                    ptr: address(from).cast_const(),
                    row_stride: from.row_stride,
                    column_stride: from.column_stride,
                };
                let [a, b, c] = instruction.padded_operands();
                let to = MatrixMut { ptr: address(&instruction.to), row_stride: instruction.to.row_stride };
                let dims = Dims { rows: here, columns: instruction.width };
                (kernels.execute)(instruction.opcode, dims, to, [source(a), source(b), source(c)]);
            }
            row += here;
        }
    }
}
