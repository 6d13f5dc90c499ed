//! Runs parameter programs: operations on whole matrices in parameter memory, once an update.

use crate::{
    ir::op::Unary,
    kernels::{Dims, Float, Kernels, MatrixMut, MatrixRef},
    plan::{fused_kernel::Opcode, parameter_program::ParameterOp, parameters::Location},
};

/// Runs a program over the memory that begins at `memory`.
///
/// # Safety
/// The processor has the kernels' instruction set, and the memory is as large as the plan's
/// [`ParameterMemory`](crate::plan::parameters::ParameterMemory).
pub(super) unsafe fn run<T: Float>(program: &[ParameterOp], memory: *mut T, kernels: &Kernels<T>) {
    let runner = Runner { memory, kernels };
    for op in program {
        // SAFETY: the planner allocated every location within the memory, and the caller guarantees its size.
        unsafe {
            match op {
                ParameterOp::Elementwise { opcode, to, from } => runner.elementwise(*opcode, to, from),
                ParameterOp::Rows { opcode, to, from } => runner.rows(*opcode, runner.write(to), from),
                ParameterOp::SumRows { to, from } => runner.sum_rows(to, from),
                ParameterOp::Copy { to, from, add } => runner.copy(to, from, *add),
                ParameterOp::Fill { to, value } => runner.fill(to, *value),
                ParameterOp::Product { to, a, b, add } => runner.product(to, [a, b], *add),
            }
        }
    }
}

struct Runner<'a, T: Float> {
    memory: *mut T,
    kernels: &'a Kernels<T>,
}

/// All methods are unsafe for one reason: the locations must lie within the memory.
impl<T: Float> Runner<'_, T> {
    unsafe fn entry(&self, at: &Location, row: usize, column: usize) -> *mut T {
        // SAFETY: entries of a location lie within the memory.
        unsafe { self.memory.add(at.offset + row * at.row_stride + column * at.column_stride) }
    }

    unsafe fn write(&self, at: &Location) -> MatrixMut<T> {
        // SAFETY: see the impl block.
        MatrixMut { ptr: unsafe { self.entry(at, 0, 0) }, row_stride: at.row_stride }
    }

    unsafe fn read(&self, at: &Location) -> MatrixRef<T> {
        // SAFETY: see the impl block.
        MatrixRef::rows(unsafe { self.entry(at, 0, 0) }.cast_const(), at.row_stride)
    }

    unsafe fn elementwise(&self, opcode: Opcode, to: &Location, from: &[Location]) {
        let same = |at: &Location| at.rows == to.rows && at.columns == to.columns;
        let is_flat = to.is_contiguous() && from.iter().all(|at| at.len() == 1 || (same(at) && at.is_contiguous()));
        let (rows, columns) = if is_flat { (1, to.len()) } else { (to.rows, to.columns) };
        // SAFETY: see the impl block; operands of one row or column are broadcast within it.
        unsafe {
            let source = |at: &Location| MatrixRef {
                row_stride: if at.rows == 1 { 0 } else { at.row_stride },
                // A column that is read as one row is not broadcast.
                column_stride: usize::from(at.columns > 1 || columns == 1 || (is_flat && at.len() > 1)),
                ..self.read(at)
            };
            let sources = std::array::from_fn(|index| source(&from[index.min(from.len() - 1)]));
            (self.kernels.execute)(opcode, Dims { rows, columns }, self.write(to), sources);
        }
    }

    /// An operation on all rows of a matrix.
    unsafe fn rows(&self, opcode: Opcode, to: MatrixMut<T>, from: &Location) {
        let dims = Dims { rows: from.rows, columns: from.columns };
        // SAFETY: see the impl block.
        unsafe { (self.kernels.execute)(opcode, dims, to, [self.read(from); 3]) };
    }

    unsafe fn sum_rows(&self, to: &Location, from: &Location) {
        // SAFETY: see the impl block.
        unsafe {
            let to_row = MatrixMut::row(self.entry(to, 0, 0));
            std::slice::from_raw_parts_mut(to_row.ptr, to.columns).fill(T::default());
            self.rows(Opcode::AddRows, to_row, from);
        }
    }

    unsafe fn copy(&self, to: &Location, from: &Location, add: bool) {
        // SAFETY: see the impl block.
        unsafe {
            if to.column_stride == 1 && from.column_stride == 1 && !add {
                let dims = Dims { rows: to.rows, columns: to.columns };
                (self.kernels.execute)(Opcode::Map(Unary::Copy), dims, self.write(to), [self.read(from); 3]);
                return;
            }
            for row in 0..to.rows {
                for column in 0..to.columns {
                    let (to, from) = (self.entry(to, row, column), self.entry(from, row, column));
                    *to = if add { T::from_f64((*to).to_f64() + (*from).to_f64()) } else { *from };
                }
            }
        }
    }

    unsafe fn fill(&self, to: &Location, value: f64) {
        for row in 0..to.rows {
            for column in 0..to.columns {
                // SAFETY: see the impl block.
                unsafe { *self.entry(to, row, column) = T::from_f64(value) };
            }
        }
    }

    /// `to = a · b`, or `to += a · b`, by the `gemm` crate.
    unsafe fn product(&self, to: &Location, [a, b]: [&Location; 2], add: bool) {
        let stride = |stride: usize| stride.cast_signed();
        let one = T::from_f64(1.0);
        let alpha = if add { one } else { T::default() };
        // SAFETY: see the impl block; the planner gives `to` memory of its own, so that it overlaps no factor; strides of
        // matrices in memory fit an isize.
        unsafe {
            gemm::gemm(
                to.rows,
                to.columns,
                a.columns,
                self.entry(to, 0, 0),
                stride(to.column_stride),
                stride(to.row_stride),
                add,
                self.entry(a, 0, 0).cast_const(),
                stride(a.column_stride),
                stride(a.row_stride),
                self.entry(b, 0, 0).cast_const(),
                stride(b.column_stride),
                stride(b.row_stride),
                alpha,
                one,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}
