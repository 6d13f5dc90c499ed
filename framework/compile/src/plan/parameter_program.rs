//! Matrices that do not depend on the batch: parameters, their gradients, and what is computed from them alone.
//!
//! Most of it is no computation at all: a transposed or sliced parameter is the same memory looked at differently. What
//! is left runs once a training step, operation by operation.

use std::collections::HashMap;

use crate::{
    error::{Refusal, Result},
    ir::graph::{Graph, Id, Leaf, Node, Op, Rows, Unary},
    kernels::{Float, Kernels, Source, Target},
    plan::instruction::Code,
};

/// Where a matrix lies: entry (r, c) at `offset + r · row + c · column`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Location {
    pub(crate) offset: usize,
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Location {
    pub(crate) fn transposed(self) -> Self {
        Self { row: self.column, column: self.row, rows: self.columns, columns: self.rows, ..self }
    }

    pub(crate) fn part(self, (row, rows): (usize, usize), (column, columns): (usize, usize)) -> Self {
        Self { offset: self.offset + row * self.row + column * self.column, rows, columns, ..self }
    }

    /// Whether it is one row of numbers next to each other.
    fn is_contiguous(self) -> bool {
        (self.column == 1 || self.columns == 1) && (self.row == self.columns || self.rows == 1)
    }

    fn has_rows(self) -> bool {
        self.column == 1 || self.columns == 1
    }
}

/// One operation on whole matrices.
#[derive(Clone, Debug)]
pub(crate) enum FixedStep {
    /// Entry by entry; operands of one row or one column are repeated.
    Each {
        code: Code,
        to: Location,
        from: Vec<Location>,
    },
    /// Each row of `from` becomes one number.
    Reduce {
        code: Code,
        to: Location,
        from: Location,
    },
    /// The sum of all rows.
    SumRows {
        to: Location,
        from: Location,
    },
    Copy {
        to: Location,
        from: Location,
        add: bool,
    },
    Fill {
        to: Location,
        value: f64,
    },
    Product {
        to: Location,
        a: Location,
        b: Location,
        add: bool,
    },
}

/// The memory for such matrices, and how they are computed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fixed {
    /// How many numbers there are.
    pub(crate) size: usize,
    /// First values of some of them.
    pub(crate) initial: Vec<(usize, Vec<f64>)>,
    /// The steps planned since they were last taken.
    pub(crate) steps: Vec<FixedStep>,
    /// Where leaves lie, by the number of the parameter.
    pub(crate) params: Vec<Location>,
    /// Tells the nodes of one graph from those of another.
    pub(crate) tag: usize,
    known: HashMap<(usize, Id), Location>,
    constants: HashMap<u64, usize>,
}

impl Fixed {
    /// Memory for a matrix, row by row.
    pub(crate) fn allocate(&mut self, rows: usize, columns: usize) -> Location {
        let offset = self.size.next_multiple_of(16);
        self.size = offset + (rows * columns).next_multiple_of(16);
        Location { offset, row: columns, column: 1, rows, columns }
    }

    /// Says where a node of the current graph lies.
    pub(crate) fn give(&mut self, id: Id, at: Location) {
        self.known.insert((self.tag, id), at);
    }

    /// The place of a number.
    pub(crate) fn constant(&mut self, value: f64) -> usize {
        if let Some(&known) = self.constants.get(&value.to_bits()) {
            return known;
        }
        let offset = self.size;
        self.size += 1;
        self.initial.push((offset, vec![value]));
        self.constants.insert(value.to_bits(), offset);
        offset
    }

    /// The place of a row, its numbers next to each other.
    pub(crate) fn row(&mut self, graph: &Graph, id: Id) -> Result<usize> {
        let at = self.matrix(graph, id)?;
        Ok(self.with_rows(at).offset)
    }

    /// The same matrix with the numbers of each row next to each other.
    fn with_rows(&mut self, from: Location) -> Location {
        if from.has_rows() {
            return from;
        }
        let to = self.allocate(from.rows, from.columns);
        self.steps.push(FixedStep::Copy { to, from, add: false });
        to
    }

    /// The place of a matrix, planning how it is computed if nobody did yet.
    pub(crate) fn matrix(&mut self, graph: &Graph, id: Id) -> Result<Location> {
        if let Some(&known) = self.known.get(&(self.tag, id)) {
            return Ok(known);
        }
        let Node { op, rows, columns } = graph[id].clone();
        let Rows::Fixed(rows) = rows else {
            return Err(Refusal::new("a value of the batch where a parameter is needed"));
        };
        let place = match op {
            Op::Leaf(Leaf::Param(number)) => self.params[number],
            Op::Fill(bits) => {
                let to = self.allocate(rows, columns);
                self.initial.push((to.offset, vec![f64::from_bits(bits); rows * columns]));
                to
            }
            Op::Constant(number) => {
                let to = self.allocate(rows, columns);
                self.initial.push((to.offset, graph.constants[number].1.clone()));
                to
            }
            Op::Transpose(a) => self.matrix(graph, a)?.transposed(),
            Op::Slice { of, row, column } => self.matrix(graph, of)?.part((row, rows), (column, columns)),
            Op::Reshape(a) => {
                let mut from = self.matrix(graph, a)?;
                if !from.is_contiguous() {
                    let to = self.allocate(from.rows, from.columns);
                    self.steps.push(FixedStep::Copy { to, from, add: false });
                    from = to;
                }
                Location { offset: from.offset, row: columns, column: 1, rows, columns }
            }
            Op::Columns(_) | Op::Stack(_) | Op::Linear { .. } => {
                let to = self.allocate(rows, columns);
                self.into(graph, id, to, false)?;
                to
            }
            Op::Map(function, a) => self.each(graph, Code::Map(function), &[a], (rows, columns))?,
            Op::Zip(function, a, b) => self.each(graph, Code::Zip(function), &[a, b], (rows, columns))?,
            Op::Fuse(function, a, b, c) => self.each(graph, Code::Fuse(function), &[a, b, c], (rows, columns))?,
            Op::SumColumns(a) | Op::MaxColumns(a) => {
                let from = self.matrix(graph, a)?;
                let from = self.with_rows(from);
                let to = self.allocate(rows, 1);
                let code = if matches!(op, Op::SumColumns(_)) { Code::SumColumns } else { Code::MaxColumns };
                self.steps.push(FixedStep::Reduce { code, to, from });
                to
            }
            Op::SumRows(a) => {
                let from = self.matrix(graph, a)?;
                let from = self.with_rows(from);
                let to = self.allocate(1, columns);
                self.steps.push(FixedStep::SumRows { to, from });
                to
            }
            Op::Leaf(_) | Op::Outer(..) => {
                return Err(Refusal::new(format!("a matrix that depends on the batch: {op:?}")));
            }
        };
        self.known.insert((self.tag, id), place);
        Ok(place)
    }

    fn each(
        &mut self,
        graph: &Graph,
        code: Code,
        operands: &[Id],
        (rows, columns): (usize, usize),
    ) -> Result<Location> {
        let mut from = Vec::new();
        for &operand in operands {
            from.push(if let Some(value) = graph.fill_of(operand) {
                let offset = self.constant(value);
                Location { offset, row: 0, column: 1, rows: 1, columns: 1 }
            } else {
                let at = self.matrix(graph, operand)?;
                self.with_rows(at)
            });
        }
        let to = self.allocate(rows, columns);
        self.steps.push(FixedStep::Each { code, to, from });
        Ok(to)
    }

    /// Plans that a matrix is computed into, or added to, a place.
    pub(crate) fn into(&mut self, graph: &Graph, id: Id, to: Location, add: bool) -> Result<()> {
        match graph[id].op.clone() {
            Op::Columns(parts) => {
                let mut column = 0;
                for part in parts {
                    let columns = graph[part].columns;
                    self.into(graph, part, to.part((0, to.rows), (column, columns)), add)?;
                    column += columns;
                }
            }
            Op::Stack(parts) => {
                let mut row = 0;
                for part in parts {
                    let rows = graph.fixed_rows(part);
                    self.into(graph, part, to.part((row, rows), (0, to.columns)), add)?;
                    row += rows;
                }
            }
            Op::Fill(_) if add && graph.fill_of(id) == Some(0.0) => {}
            Op::Fill(bits) if !add => self.steps.push(FixedStep::Fill { to, value: f64::from_bits(bits) }),
            Op::Linear { terms, init } if !self.known.contains_key(&(self.tag, id)) => {
                let mut add = add;
                if let Some(init) = init {
                    let mut from = self.matrix(graph, init)?;
                    from.row = if from.rows == 1 { 0 } else { from.row };
                    self.steps.push(FixedStep::Copy { to, from: Location { rows: to.rows, ..from }, add });
                    add = true;
                }
                for (a, b) in terms {
                    let (a, b) = (self.matrix(graph, a)?, self.matrix(graph, b)?);
                    self.steps.push(FixedStep::Product { to, a, b, add });
                    add = true;
                }
            }
            _ => {
                let from = self.matrix(graph, id)?;
                self.steps.push(FixedStep::Copy { to, from, add });
            }
        }
        Ok(())
    }
}

/// Runs steps over the memory that begins at `memory`.
///
/// # Safety
/// The kernels' instruction set is there, and the memory is as large as [`Fixed::size`] says.
pub(crate) unsafe fn run<T: Float>(steps: &[FixedStep], memory: *mut T, kernels: &Kernels<T>) {
    for step in steps {
        // SAFETY: the caller's; planned locations lie within the memory.
        unsafe { one(step, memory, kernels) };
    }
}

unsafe fn one<T: Float>(step: &FixedStep, memory: *mut T, kernels: &Kernels<T>) {
    // SAFETY: as `run` says; so for all below.
    let entry =
        |at: &Location, row: usize, column: usize| unsafe { memory.add(at.offset + row * at.row + column * at.column) };
    match step {
        FixedStep::Each { code, to, from } => {
            let same = |at: &&Location| at.rows == to.rows && at.columns == to.columns;
            let flat = to.is_contiguous()
                && from.iter().all(|at| (at.rows == 1 && at.columns == 1) || (same(&at) && at.is_contiguous()));
            let (rows, width) = if flat { (1, to.rows * to.columns) } else { (to.rows, to.columns) };
            let mut sources = [Source { start: memory.cast_const(), stride: 0, single: false }; 3];
            for (source, at) in sources.iter_mut().zip(from) {
                *source = Source {
                    start: entry(at, 0, 0).cast_const(),
                    stride: if at.rows == 1 { 0 } else { at.row },
                    single: at.columns == 1 && width > 1,
                };
            }
            let target = Target { start: entry(to, 0, 0), stride: to.row };
            // SAFETY: as `run` says.
            unsafe { (kernels.execute)(*code, (rows, width), target, sources) };
        }
        FixedStep::Reduce { code, to, from } => {
            let source = Source { start: entry(from, 0, 0).cast_const(), stride: from.row, single: false };
            let target = Target { start: entry(to, 0, 0), stride: to.row };
            // SAFETY: as `run` says.
            unsafe { (kernels.execute)(*code, (from.rows, from.columns), target, [source; 3]) };
        }
        FixedStep::SumRows { to, from } => {
            let source = Source { start: entry(from, 0, 0).cast_const(), stride: from.row, single: false };
            let target = Target { start: entry(to, 0, 0), stride: 0 };
            // SAFETY: as `run` says.
            unsafe {
                std::slice::from_raw_parts_mut(target.start, to.columns).fill(T::default());
                (kernels.execute)(Code::AddRows, (from.rows, from.columns), target, [source; 3]);
            }
        }
        FixedStep::Copy { to, from, add } => {
            let rows = to.column == 1 && from.column == 1;
            if rows && !add {
                let source = Source { start: entry(from, 0, 0).cast_const(), stride: from.row, single: false };
                let target = Target { start: entry(to, 0, 0), stride: to.row };
                // SAFETY: as `run` says.
                unsafe { (kernels.execute)(Code::Map(Unary::Copy), (to.rows, to.columns), target, [source; 3]) };
                return;
            }
            for row in 0..to.rows {
                for column in 0..to.columns {
                    let (to, from) = (entry(to, row, column), entry(from, row, column));
                    // SAFETY: as `run` says.
                    unsafe { *to = if *add { T::from_f64((*to).to_f64() + (*from).to_f64()) } else { *from } };
                }
            }
        }
        FixedStep::Fill { to, value } => {
            for row in 0..to.rows {
                for column in 0..to.columns {
                    // SAFETY: as `run` says.
                    unsafe { *entry(to, row, column) = T::from_f64(*value) };
                }
            }
        }
        FixedStep::Product { to, a, b, add } => {
            // SAFETY: as `run` says; `to` is never one of the factors.
            unsafe {
                large_product(
                    (to.rows, to.columns, a.columns),
                    (entry(to, 0, 0), to.row, to.column),
                    (entry(a, 0, 0).cast_const(), a.row, a.column),
                    (entry(b, 0, 0).cast_const(), b.row, b.column),
                    *add,
                );
            }
        }
    }
}

/// `to (+)= a · b` by the `gemm` crate, for what is computed once a training step. A matrix is its first entry and the
/// way from a row and from a column to the next; the shape is rows, columns and depth.
///
/// # Safety
/// The matrices are valid and `to` overlaps neither of the others.
unsafe fn large_product<T: Float>(
    (rows, columns, depth): (usize, usize, usize),
    (to, to_row, to_column): (*mut T, usize, usize),
    (a, a_row, a_column): (*const T, usize, usize),
    (b, b_row, b_column): (*const T, usize, usize),
    add: bool,
) {
    let [to_row, to_column, a_row, a_column, b_row, b_column] =
        [to_row, to_column, a_row, a_column, b_row, b_column].map(usize::cast_signed);
    let one = T::from_f64(1.0);
    let alpha = if add { one } else { T::default() };
    // SAFETY: the caller's; strides of matrices in memory fit an isize.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            to,
            to_column,
            to_row,
            add,
            a,
            a_column,
            a_row,
            b,
            b_column,
            b_row,
            alpha,
            one,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
