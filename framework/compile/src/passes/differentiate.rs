//! Reverse-mode differentiation: the gradient of every leaf as further nodes of the same graph.

use crate::{
    error::{Refusal, Result},
    ir::graph::{Binary, Graph, Id, Node, Op, Rows, Ternary, Unary},
};

/// A gradient of a part of a matrix.
struct Part {
    row: usize,
    column: usize,
    gradient: Id,
}

/// Gradients of all nodes. `seeds` are nodes with the gradients that they are given.
///
/// # Errors
/// When an operation has no derivative here.
pub(crate) fn differentiate(graph: &mut Graph, seeds: &[(Id, Id)]) -> Result<Vec<Option<Id>>> {
    let count = graph.len();
    // Whether a node depends on a leaf.
    let mut varies = vec![false; count];
    for id in 0..count {
        varies[id] = matches!(graph[id].op, Op::Leaf(_)) || graph.operands(id).iter().any(|&operand| varies[operand]);
    }
    let mut reverse = Reverse { parts: (0..count).map(|_| Vec::new()).collect(), varies, graph };
    for &(node, gradient) in seeds {
        reverse.parts[node].push(Part { row: 0, column: 0, gradient });
    }
    let mut gradients = vec![None; count];
    for id in (0..count).rev() {
        let parts = std::mem::take(&mut reverse.parts[id]);
        if parts.is_empty() || !reverse.varies[id] {
            continue;
        }
        let gradient = reverse.assemble(id, parts);
        gradients[id] = Some(gradient);
        reverse.propagate(id, gradient)?;
    }
    Ok(gradients)
}

struct Reverse<'a> {
    graph: &'a mut Graph,
    parts: Vec<Vec<Part>>,
    varies: Vec<bool>,
}

impl Reverse<'_> {
    /// The sum of all gradients of a node, each padded to its shape.
    fn assemble(&mut self, id: Id, parts: Vec<Part>) -> Id {
        let Node { rows, columns, .. } = self.graph[id];
        let whole =
            |graph: &Graph, part: &Part| graph[part.gradient].rows == rows && graph[part.gradient].columns == columns;
        if parts.iter().all(|part| whole(self.graph, part)) {
            return self.sum(parts.iter().map(|part| part.gradient).collect());
        }
        // Cut where any part begins or ends: first into bands of rows, then each into columns.
        let rows_of = |graph: &Graph, id: Id| match graph[id].rows {
            Rows::Batch => 1,
            Rows::Fixed(rows) => rows,
        };
        let height = rows_of(self.graph, id);
        let ends = |start: usize, length: usize| [start, start + length];
        let row_cuts = cuts(parts.iter().flat_map(|p| ends(p.row, rows_of(self.graph, p.gradient))), height);
        let mut bands = Vec::new();
        for band in row_cuts.windows(2) {
            let (top, band_height) = (band[0], band[1] - band[0]);
            let band_rows = if rows == Rows::Batch { Rows::Batch } else { Rows::Fixed(band_height) };
            let within: Vec<&Part> = parts
                .iter()
                .filter(|p| p.row <= top && top + band_height <= p.row + rows_of(self.graph, p.gradient))
                .collect();
            let column_cuts = cuts(within.iter().flat_map(|p| ends(p.column, self.graph[p.gradient].columns)), columns);
            let mut cells = Vec::new();
            for cell in column_cuts.windows(2) {
                let (left, width) = (cell[0], cell[1] - cell[0]);
                let mut here = Vec::new();
                for part in &within {
                    if part.column <= left && left + width <= part.column + self.graph[part.gradient].columns {
                        let from_row = (top - part.row, band_rows);
                        here.push(self.graph.slice(part.gradient, from_row, (left - part.column, width)));
                    }
                }
                cells.push(if here.is_empty() { self.graph.fill(0.0, band_rows, width) } else { self.sum(here) });
            }
            bands.push(self.graph.columns(cells));
        }
        if rows == Rows::Batch { bands[0] } else { self.graph.stack(bands) }
    }

    fn sum(&mut self, gradients: Vec<Id>) -> Id {
        let sum = gradients.into_iter().reduce(|a, b| self.graph.zip(Binary::Add, a, b));
        sum.expect("there is at least one gradient")
    }

    /// Adds a gradient to a node, summed over what was repeated to the shape of the result.
    fn give(&mut self, to: Id, gradient: Id) {
        if !self.varies[to] {
            return;
        }
        let Node { rows, columns, .. } = self.graph[to];
        let mut gradient = gradient;
        if columns == 1 && self.graph[gradient].columns > 1 {
            gradient = self.graph.sum_columns(gradient);
        }
        if rows == Rows::Fixed(1) && self.graph[gradient].rows != rows {
            gradient = self.graph.sum_rows(gradient);
        }
        if self.graph[gradient].rows != rows || self.graph[gradient].columns != columns {
            let zeros = self.graph.fill(0.0, rows, columns);
            gradient = self.graph.add(Op::Zip(Binary::Add, zeros, gradient), rows, columns);
        }
        self.parts[to].push(Part { row: 0, column: 0, gradient });
    }

    fn scaled(&mut self, gradient: Id, factor: f64) -> Id {
        let factor = self.graph.scalar(factor);
        self.graph.zip(Binary::Mul, gradient, factor)
    }

    fn propagate(&mut self, id: Id, dy: Id) -> Result<()> {
        match self.graph[id].op.clone() {
            // Only softmax takes the largest entry, and does not depend on it.
            Op::Leaf(_) | Op::Fill(_) | Op::Constant(_) | Op::MaxColumns(_) => {}
            Op::Map(function, a) => {
                if let Some(gradient) = self.map(function, id, a, dy) {
                    self.give(a, gradient);
                }
            }
            Op::Zip(function, a, b) => self.zip(function, id, (a, b), dy)?,
            Op::Fuse(Ternary::Select, mask, yes, no) => {
                let zero = self.graph.scalar(0.0);
                if self.varies[yes] {
                    let gradient = self.graph.select(mask, dy, zero);
                    self.give(yes, gradient);
                }
                if self.varies[no] {
                    let gradient = self.graph.select(mask, zero, dy);
                    self.give(no, gradient);
                }
            }
            Op::Linear { terms, init } => {
                for (a, b) in terms {
                    if self.varies[a] {
                        let transposed = self.graph.transpose(b);
                        let gradient = self.graph.product(dy, transposed);
                        self.give(a, gradient);
                    }
                    if self.varies[b] {
                        let gradient = if self.graph.is_batch(a) {
                            self.graph.outer(a, dy)
                        } else {
                            let transposed = self.graph.transpose(a);
                            self.graph.product(transposed, dy)
                        };
                        self.give(b, gradient);
                    }
                }
                if let Some(init) = init {
                    self.give(init, dy);
                }
            }
            Op::Transpose(a) => {
                let gradient = self.graph.transpose(dy);
                self.give(a, gradient);
            }
            Op::Slice { of, row, column } => {
                if self.varies[of] {
                    self.parts[of].push(Part { row, column, gradient: dy });
                }
            }
            Op::Columns(parts) => {
                let mut column = 0;
                for part in parts {
                    let Node { rows, columns, .. } = self.graph[part];
                    let gradient = self.graph.slice(dy, (0, rows), (column, columns));
                    self.give(part, gradient);
                    column += columns;
                }
            }
            Op::Stack(parts) => {
                let mut row = 0;
                for part in parts {
                    let (rows, columns) = (self.graph[part].rows, self.graph[part].columns);
                    let gradient = self.graph.slice(dy, (row, rows), (0, columns));
                    self.give(part, gradient);
                    row += self.graph.fixed_rows(part);
                }
            }
            Op::SumRows(a) | Op::SumColumns(a) => self.give(a, dy),
            Op::Reshape(a) => {
                let Node { rows, columns, .. } = self.graph[a];
                let gradient = self.graph.add(Op::Reshape(dy), rows, columns);
                self.give(a, gradient);
            }
            Op::Fuse(..) | Op::Outer(..) => return Err(Refusal::new("the derivative of a derivative")),
        }
        Ok(())
    }

    /// The gradient of a of `y = function(a)`.
    fn map(&mut self, function: Unary, y: Id, a: Id, dy: Id) -> Option<Id> {
        let graph = &mut *self.graph;
        Some(match function {
            Unary::Copy => dy,
            Unary::Neg => graph.map(Unary::Neg, dy),
            Unary::Abs => {
                let sign = graph.map(Unary::Sign, a);
                graph.zip(Binary::Mul, dy, sign)
            }
            Unary::Sign => return None,
            Unary::Recip => {
                let square = graph.map(Unary::Square, y);
                let product = graph.zip(Binary::Mul, dy, square);
                graph.map(Unary::Neg, product)
            }
            Unary::Sqrt => {
                let half = self.scaled(dy, 0.5);
                self.graph.zip(Binary::Div, half, y)
            }
            Unary::Square => {
                let double = self.scaled(dy, 2.0);
                self.graph.zip(Binary::Mul, double, a)
            }
            Unary::Exp => graph.zip(Binary::Mul, dy, y),
            Unary::Log => graph.zip(Binary::Div, dy, a),
            Unary::Log1p => {
                let one = graph.scalar(1.0);
                let sum = graph.zip(Binary::Add, a, one);
                graph.zip(Binary::Div, dy, sum)
            }
            Unary::Tanh => graph.zip(Binary::TanhGradient, y, dy),
            Unary::Sigmoid => graph.zip(Binary::SigmoidGradient, y, dy),
            Unary::Relu => graph.zip(Binary::ReluGradient, y, dy),
            Unary::Sin => {
                let cos = graph.map(Unary::Cos, a);
                graph.zip(Binary::Mul, dy, cos)
            }
            Unary::Cos => {
                let sin = graph.map(Unary::Sin, a);
                let product = graph.zip(Binary::Mul, dy, sin);
                graph.map(Unary::Neg, product)
            }
        })
    }

    fn zip(&mut self, function: Binary, y: Id, (a, b): (Id, Id), dy: Id) -> Result<()> {
        match function {
            Binary::Add => {
                self.give(a, dy);
                self.give(b, dy);
            }
            Binary::Sub => {
                self.give(a, dy);
                if self.varies[b] {
                    let negative = self.graph.map(Unary::Neg, dy);
                    self.give(b, negative);
                }
            }
            Binary::Mul => {
                if self.varies[a] {
                    let gradient = self.graph.zip(Binary::Mul, dy, b);
                    self.give(a, gradient);
                }
                if self.varies[b] {
                    let gradient = self.graph.zip(Binary::Mul, dy, a);
                    self.give(b, gradient);
                }
            }
            Binary::Div => {
                let share = self.graph.zip(Binary::Div, dy, b);
                self.give(a, share);
                if self.varies[b] {
                    let product = self.graph.zip(Binary::Mul, share, y);
                    let negative = self.graph.map(Unary::Neg, product);
                    self.give(b, negative);
                }
            }
            Binary::Pow => {
                if self.varies[b] {
                    return Err(Refusal::new("the derivative of a power by its exponent"));
                }
                let one = self.graph.scalar(1.0);
                let less = self.graph.zip(Binary::Sub, b, one);
                let power = self.graph.zip(Binary::Pow, a, less);
                let scaled = self.graph.zip(Binary::Mul, dy, b);
                let gradient = self.graph.zip(Binary::Mul, scaled, power);
                self.give(a, gradient);
            }
            // As Burn has it, an entry at the bound passes its gradient on, and so does NaN.
            Binary::Max | Binary::Min => {
                if self.varies[a] {
                    return Err(Refusal::new("the derivative of a maximum of two values"));
                }
                let cut = if function == Binary::Max { (b, a) } else { (a, b) };
                let outside = self.graph.zip(Binary::Less, cut.0, cut.1);
                let zero = self.graph.scalar(0.0);
                let gradient = self.graph.select(outside, zero, dy);
                self.give(b, gradient);
            }
            Binary::Less | Binary::LessEqual | Binary::Equal => {}
            Binary::TanhGradient | Binary::SigmoidGradient | Binary::ReluGradient => {
                return Err(Refusal::new("the derivative of a derivative"));
            }
        }
        Ok(())
    }
}

/// Sorted places to cut at, from 0 to `length`.
fn cuts(places: impl Iterator<Item = usize>, length: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = places.chain([0, length]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}
