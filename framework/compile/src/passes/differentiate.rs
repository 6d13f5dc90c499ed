//! The pass `differentiate`: reverse-mode differentiation. The gradient of every leaf becomes further nodes of the graph.

mod axes;
mod functions;

use crate::{
    error::{Result, Unsupported},
    id::NodeId,
    ir::{
        graph::{Graph, Role, Rows, Shape},
        module::Module,
        op::{Binary, Leaf, Op, Reduce, Ternary},
    },
    passes::merge_products::merge,
};

/// Both graphs with the gradients of their leaves as further outputs. The time step begins with the gradients of the output
/// and of the next state; what it computes as the gradients of hoisted values is what the graph before the loop begins with.
///
/// Gradients that are sums of products are merged, as `merge-products` does it.
pub(crate) fn run(module: &Module) -> Result<Module> {
    let mut step = with_gradients(&module.step, |role| match role {
        Role::Output => Some(Leaf::OutputGradient),
        Role::NextState(index) => Some(Leaf::NextStateGradient(index)),
        _ => None,
    })?;
    let mut hoisted = with_gradients(&module.hoisted, |role| match role {
        Role::Hoisted(index) => step.gradient(Leaf::Hoisted(index)).map(|_| Leaf::HoistedGradient(index)),
        _ => None,
    })?;
    // The layer below and the time step before read these gradients, even if nothing depends on their leaves.
    if let Some(input) = hoisted.leaf_node(Leaf::Input) {
        let shape = hoisted.shape(input);
        zero_unless_computed(&mut hoisted, Leaf::Input, shape);
    }
    for (role, node) in step.outputs.clone() {
        let shape = step.shape(node);
        if let Role::NextState(index) = role {
            zero_unless_computed(&mut step, Leaf::State(index), shape);
        }
    }
    Ok(Module { hoisted: merge(&hoisted), step: merge(&step) })
}

/// A gradient of zero for a leaf that no output depends on.
fn zero_unless_computed(graph: &mut Graph, leaf: Leaf, shape: Shape) {
    if graph.gradient(leaf).is_none() {
        let zero = graph.fill(0.0, shape);
        graph.outputs.push((Role::Gradient(leaf), zero));
    }
}

/// The graph with the gradients of its leaves as outputs. `seed` is the leaf that holds the gradient of an output.
fn with_gradients(graph: &Graph, seed: impl Fn(Role) -> Option<Leaf>) -> Result<Graph> {
    let mut graph = graph.clone();
    let mut seeds = Vec::new();
    for (role, node) in graph.outputs.clone() {
        if let Some(leaf) = seed(role) {
            seeds.push((node, graph.leaf(leaf, Shape::batch(graph.columns(node)))));
        }
    }
    let gradients = differentiate(&mut graph, &seeds)?;
    for (index, gradient) in gradients.into_iter().enumerate() {
        if let (Op::Leaf(leaf), Some(gradient)) = (graph[NodeId::new(index)].op.clone(), gradient) {
            let gradient = graph.in_memory(gradient);
            graph.outputs.push((Role::Gradient(leaf), gradient));
        }
    }
    Ok(graph)
}

/// A gradient of a part of a matrix.
struct Part {
    row: usize,
    column: usize,
    gradient: NodeId,
}

/// Gradients of all nodes. `seeds` are nodes with their gradients.
///
/// # Errors
/// When an operation has no derivative here.
fn differentiate(graph: &mut Graph, seeds: &[(NodeId, NodeId)]) -> Result<Vec<Option<NodeId>>> {
    let count = graph.len();
    // Whether a node depends on a leaf.
    let mut varies = vec![false; count];
    for id in graph.ids() {
        varies[id.index()] = matches!(graph[id].op, Op::Leaf(_))
            || graph[id].op.operands().iter().any(|operand| varies[operand.index()]);
    }
    let mut reverse = Reverse { parts: (0..count).map(|_| Vec::new()).collect(), varies, graph };
    for &(node, gradient) in seeds {
        reverse.parts[node.index()].push(Part { row: 0, column: 0, gradient });
    }
    let mut gradients = vec![None; count];
    for id in (0..count).rev().map(NodeId::new) {
        let parts: Vec<Part> = reverse.parts[id.index()].drain(..).collect();
        if parts.is_empty() || !reverse.varies(id) {
            continue;
        }
        let gradient = reverse.assemble(id, &parts);
        gradients[id.index()] = Some(gradient);
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
    fn varies(&self, id: NodeId) -> bool {
        self.varies[id.index()]
    }

    /// The sum of all gradients of a node, each padded to its shape.
    fn assemble(&mut self, id: NodeId, parts: &[Part]) -> NodeId {
        let Shape { rows, columns } = self.graph.shape(id);
        if parts.iter().all(|part| self.graph.shape(part.gradient) == self.graph.shape(id)) {
            return self.sum(parts.iter().map(|part| part.gradient).collect());
        }
        // Cut where any part begins or ends: first into bands of rows, then each into columns.
        let height = rows_of(self.graph, id);
        let row_cuts = cuts(parts.iter().map(|part| (part.row, rows_of(self.graph, part.gradient))), height);
        let mut bands = Vec::new();
        for band in row_cuts.windows(2) {
            let (top, band_height) = (band[0], band[1] - band[0]);
            let band_rows = if rows == Rows::Batch { Rows::Batch } else { Rows::Static(band_height) };
            let within: Vec<&Part> = parts
                .iter()
                .filter(|part| part.row <= top && top + band_height <= part.row + rows_of(self.graph, part.gradient))
                .collect();
            bands.push(self.assemble_band(&within, top, Shape { rows: band_rows, columns }));
        }
        if rows == Rows::Batch { bands[0] } else { self.graph.concat_rows(bands) }
    }

    /// The sum of the parts within a band of rows that begins at `top`.
    fn assemble_band(&mut self, parts: &[&Part], top: usize, band: Shape) -> NodeId {
        let column_cuts = cuts(parts.iter().map(|part| (part.column, self.graph.columns(part.gradient))), band.columns);
        let mut cells = Vec::new();
        for cell in column_cuts.windows(2) {
            let (left, width) = (cell[0], cell[1] - cell[0]);
            let shape = Shape { columns: width, ..band };
            let mut here = Vec::new();
            for part in parts {
                if part.column <= left && left + width <= part.column + self.graph.columns(part.gradient) {
                    here.push(self.graph.slice(part.gradient, (top - part.row, left - part.column), shape));
                }
            }
            cells.push(if here.is_empty() { self.graph.fill(0.0, shape) } else { self.sum(here) });
        }
        self.graph.concat_columns(cells)
    }

    fn sum(&mut self, gradients: Vec<NodeId>) -> NodeId {
        let sum = gradients.into_iter().reduce(|a, b| self.graph.zip(Binary::Add, a, b));
        sum.expect("there is at least one gradient")
    }

    /// Adds to the gradient of a node, summed over what was broadcast to the shape of the result.
    fn accumulate(&mut self, to: NodeId, gradient: NodeId) {
        if !self.varies(to) {
            return;
        }
        let shape = self.graph.shape(to);
        let mut gradient = gradient;
        if shape.columns == 1 && self.graph.columns(gradient) > 1 {
            gradient = self.graph.sum_columns(gradient);
        }
        if shape.rows == Rows::Static(1) && self.graph.shape(gradient).rows != shape.rows {
            gradient = self.graph.sum_rows(gradient);
        }
        if self.graph.shape(gradient) != shape {
            let zeros = self.graph.fill(0.0, shape);
            gradient = self.graph.add(Op::Zip(Binary::Add, zeros, gradient), shape);
        }
        self.parts[to.index()].push(Part { row: 0, column: 0, gradient });
    }

    fn scaled(&mut self, gradient: NodeId, factor: f64) -> NodeId {
        let factor = self.graph.scalar(factor);
        self.graph.zip(Binary::Mul, gradient, factor)
    }

    fn propagate(&mut self, id: NodeId, dy: NodeId) -> Result<()> {
        match self.graph[id].op.clone() {
            Op::Leaf(_) | Op::Fill(_) | Op::Constant(_) | Op::Reduce(Reduce::MaxConstant, ..) => {}
            Op::Map(function, a) => {
                if let Some(gradient) = self.map(function, id, a, dy) {
                    self.accumulate(a, gradient);
                }
            }
            Op::Zip(function, a, b) => self.zip(function, id, (a, b), dy)?,
            Op::Fuse(Ternary::Select, mask, yes, no) => {
                let zero = self.graph.scalar(0.0);
                if self.varies(yes) {
                    let gradient = self.graph.select(mask, dy, zero);
                    self.accumulate(yes, gradient);
                }
                if self.varies(no) {
                    let gradient = self.graph.select(mask, zero, dy);
                    self.accumulate(no, gradient);
                }
            }
            Op::Linear { terms, init } => self.linear(&terms, init, dy),
            Op::Transpose(a) => {
                let gradient = self.graph.transpose(dy);
                self.accumulate(a, gradient);
            }
            Op::Slice { of, row, column } => {
                if self.varies(of) {
                    self.parts[of.index()].push(Part { row, column, gradient: dy });
                }
            }
            Op::ConcatColumns(parts) => self.concat_columns(&parts, dy),
            Op::ConcatRows(parts) => self.concat_rows(&parts, dy),
            Op::SumRows(a) => self.accumulate(a, dy),
            ref op @ (Op::Reduce(..) | Op::Repeat(..) | Op::CumulativeSum(..) | Op::Exchange(..)) => {
                self.along(op, id, dy);
            }
            Op::Batched { of, a, b, init } => self.batched(of, (a, b), init, dy),
            Op::Reshape(a) => {
                let gradient = self.graph.reshape(dy, self.graph.shape(a));
                self.accumulate(a, gradient);
            }
            Op::Fuse(..) | Op::Outer(..) => return Err(Unsupported::new("the derivative of a derivative")),
        }
        Ok(())
    }

    fn linear(&mut self, terms: &[(NodeId, NodeId)], init: Option<NodeId>, dy: NodeId) {
        for &(a, b) in terms {
            if self.varies(a) {
                let transposed = self.graph.transpose(b);
                let gradient = self.graph.product(dy, transposed);
                self.accumulate(a, gradient);
            }
            if self.varies(b) {
                let gradient = if self.graph.is_batch(a) {
                    self.graph.outer(a, dy)
                } else {
                    let transposed = self.graph.transpose(a);
                    self.graph.product(transposed, dy)
                };
                self.accumulate(b, gradient);
            }
        }
        if let Some(init) = init {
            self.accumulate(init, dy);
        }
    }

    fn concat_columns(&mut self, parts: &[NodeId], dy: NodeId) {
        let mut column = 0;
        for &part in parts {
            let shape = self.graph.shape(part);
            let gradient = self.graph.slice(dy, (0, column), shape);
            self.accumulate(part, gradient);
            column += shape.columns;
        }
    }

    fn concat_rows(&mut self, parts: &[NodeId], dy: NodeId) {
        let mut row = 0;
        for &part in parts {
            let gradient = self.graph.slice(dy, (row, 0), self.graph.shape(part));
            self.accumulate(part, gradient);
            row += self.graph.static_rows(part);
        }
    }
}

/// The rows of a matrix; a batch counts as one, as it is never cut.
fn rows_of(graph: &Graph, id: NodeId) -> usize {
    match graph.shape(id).rows {
        Rows::Batch => 1,
        Rows::Static(rows) => rows,
    }
}

/// The sorted ends of parts, each given by its start and length, with 0 and `length`.
fn cuts(parts: impl Iterator<Item = (usize, usize)>, length: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = parts.flat_map(|(start, length)| [start, start + length]).chain([0, length]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}
