//! Runs fused element-wise kernels: every instruction over a tile of rows that fits L1.

use super::{
    Kernels,
    matrix::{Dims, MatrixMut, MatrixRef},
};
use crate::plan::fused_kernel::{FusedKernel, Instruction, Opcode, Operand};

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
            let mut first = 0;
            for &(end, is_row_by_row) in &kernel.runs {
                let instructions = &kernel.instructions[first..end];
                let step = if is_row_by_row { 1 } else { here };
                for within in (0..here).step_by(step) {
                    for instruction in instructions {
                        let address = |operand: &Operand| match operand.slot {
                            Some(slot) => {
                                let offset = operand.offset + (row + within) * operand.row_stride;
                                frame.get_unchecked(slot.index()).add(offset)
                            }
                            None => scratch.add(operand.offset * tile + within * operand.row_stride),
                        };
                        let [a, b, c] = instruction.padded_operands();
                        let addresses = [&instruction.to, a, b, c].map(address);
                        execute(kernels, instruction, addresses, step);
                    }
                }
                first = end;
            }
            row += here;
        }
    }
}

/// Runs an instruction over some rows, with the addresses of its target and its operands.
unsafe fn execute<T: Copy>(kernels: &Kernels<T>, instruction: &Instruction, addresses: [*mut T; 4], rows: usize) {
    let Instruction { opcode, blocks, to, .. } = *instruction;
    let [a, b, c] = instruction.padded_operands();
    let operands = [&to, a, b, c];
    // SAFETY: the caller guarantees the addresses for that many rows.
    unsafe {
        let run = |dims: Dims, [to, a, b, c]: [*mut T; 4], strides: [usize; 4]| {
            let source = |ptr: *mut T, row_stride, from: &Operand| MatrixRef {
                ptr: ptr.cast_const(),
                row_stride,
                column_stride: from.column_stride,
            };
            let sources = [
                source(a, strides[1], operands[1]),
                source(b, strides[2], operands[2]),
                source(c, strides[3], operands[3]),
            ];
            (kernels.execute)(opcode, dims, MatrixMut { ptr: to, row_stride: strides[0] }, sources);
        };
        if blocks.outer * blocks.rows == 1 {
            return run(Dims { rows, columns: blocks.columns }, addresses, operands.map(|operand| operand.row_stride));
        }
        let row_strides = operands.map(|operand| operand.block_strides[1]);
        if instruction.is_even() && !matches!(opcode, Opcode::SumRows) {
            return run(Dims { rows: rows * blocks.rows, columns: blocks.columns }, addresses, row_strides);
        }
        for row in 0..rows {
            for block in 0..blocks.outer {
                let at = |index: usize| {
                    let operand = operands[index];
                    addresses[index].add(row * operand.row_stride + block * operand.block_strides[0])
                };
                let dims = Dims { rows: blocks.rows, columns: blocks.columns };
                run(dims, std::array::from_fn(at), row_strides);
            }
        }
    }
}
