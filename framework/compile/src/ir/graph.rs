//! The compiler's own graph: matrices, the operations that connect them, and nothing about time or memory.
//!
//! A node's rows are either those of the batch, whatever its size, or a fixed number, for parameters and what is
//! computed from them alone. Nodes are made through functions that fold what needs no computation, and equal nodes are
//! one node.

use std::collections::HashMap;

/// The number of a node.
pub(crate) type Id = usize;

/// How many rows a matrix has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rows {
    /// One for each sequence of the batch.
    Batch,
    /// A fixed number.
    Fixed(usize),
}

/// What a graph is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Leaf {
    /// The input.
    X,
    /// A parameter; for a clipper, a gradient.
    Param(usize),
    /// A carried vector before the step.
    State(usize),
    /// The gradient of the output.
    OutputGradient,
    /// The gradient of a carried vector after the step.
    NextGradient(usize),
    /// A value that the phase before the time loop computed for all steps at once.
    Hoisted(usize),
    /// The gradient of such a value.
    HoistedGradient(usize),
}

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Unary {
    Copy,
    Neg,
    Abs,
    Sign,
    Recip,
    Sqrt,
    Square,
    Exp,
    Log,
    Log1p,
    Tanh,
    Sigmoid,
    Relu,
    Sin,
    Cos,
}

/// A function of two numbers. Comparisons give 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Less,
    LessEqual,
    Equal,
    /// `dy (1 − y²)` of y and dy.
    TanhGradient,
    /// `dy y (1 − y)` of y and dy.
    SigmoidGradient,
    /// dy where y is above 0 or NaN, of y and dy.
    ReluGradient,
    /// The larger; the second when one is NaN.
    Max,
    /// The smaller; the second when one is NaN.
    Min,
}

/// A function of three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ternary {
    /// `a b + c`.
    MulAdd,
    /// `c − a b`.
    NegMulAdd,
    /// b where a is not 0, else c.
    Select,
    /// c, at least a and at most b; NaN stays NaN.
    Clamp,
    /// `b c (1 − a²)`.
    TanhGradient,
    /// `b c a (1 − a)`.
    SigmoidGradient,
}

/// What a node computes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    /// Given from outside.
    Leaf(Leaf),
    /// The same number everywhere; its bits.
    Fill(u64),
    /// One of the graph's constants.
    Constant(usize),
    /// Entry by entry.
    Map(Unary, Id),
    /// Entry by entry; an operand of one row or one column is repeated.
    Zip(Binary, Id, Id),
    /// Entry by entry.
    Fuse(Ternary, Id, Id, Id),
    /// The sum of products `a · b` (b fixed unless all is), begun with `init` if there is one.
    Linear { terms: Vec<(Id, Id)>, init: Option<Id> },
    /// `aᵀ · b` of two batch matrices, summed over the rows of the batch (and over time).
    Outer(Id, Id),
    /// Rows become columns.
    Transpose(Id),
    /// The part that begins at this row and column.
    Slice { of: Id, row: usize, column: usize },
    /// Side by side.
    Columns(Vec<Id>),
    /// One below the other; fixed matrices only.
    Stack(Vec<Id>),
    /// The sum of all rows: `[1, columns]`.
    SumRows(Id),
    /// The sum of all columns: `[rows, 1]`.
    SumColumns(Id),
    /// The largest entry of each row: `[rows, 1]`.
    MaxColumns(Id),
    /// The same numbers, row by row, in another shape; fixed matrices only.
    Reshape(Id),
}

/// One matrix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) rows: Rows,
    pub(crate) columns: usize,
}

/// Matrices that depend on each other; a node comes after those that it needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    known: HashMap<Node, Id>,
    /// Shape and numbers of matrices that the function itself brought along.
    pub(crate) constants: Vec<([usize; 2], Vec<f64>)>,
}

impl std::ops::Index<Id> for Graph {
    type Output = Node;

    fn index(&self, id: Id) -> &Node {
        &self.nodes[id]
    }
}

impl Graph {
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// A graph without nodes and with the same constants.
    pub(crate) fn empty(&self) -> Self {
        Self { constants: self.constants.clone(), ..Self::default() }
    }

    pub(crate) fn is_batch(&self, id: Id) -> bool {
        self.nodes[id].rows == Rows::Batch
    }

    /// The number that fills the matrix, if there is one.
    pub(crate) fn fill_of(&self, id: Id) -> Option<f64> {
        match self.nodes[id].op {
            Op::Fill(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    /// Adds a node as it is, or finds the equal one.
    pub(crate) fn add(&mut self, op: Op, rows: Rows, columns: usize) -> Id {
        let node = Node { op, rows, columns };
        if let Some(&id) = self.known.get(&node) {
            return id;
        }
        let id = self.nodes.len();
        self.nodes.push(node.clone());
        self.known.insert(node, id);
        id
    }

    pub(crate) fn leaf(&mut self, leaf: Leaf, rows: Rows, columns: usize) -> Id {
        self.add(Op::Leaf(leaf), rows, columns)
    }

    pub(crate) fn fill(&mut self, value: f64, rows: Rows, columns: usize) -> Id {
        self.add(Op::Fill(value.to_bits()), rows, columns)
    }

    pub(crate) fn scalar(&mut self, value: f64) -> Id {
        self.fill(value, Rows::Fixed(1), 1)
    }

    /// The shape of the result of two operands that are repeated where they have one row or column.
    fn broadcast(&self, a: Id, b: Id) -> (Rows, usize) {
        let rows = match (self.nodes[a].rows, self.nodes[b].rows) {
            (Rows::Batch, _) | (_, Rows::Batch) => Rows::Batch,
            (Rows::Fixed(a), Rows::Fixed(b)) => Rows::Fixed(a.max(b)),
        };
        (rows, self.nodes[a].columns.max(self.nodes[b].columns))
    }

    pub(crate) fn map(&mut self, function: Unary, a: Id) -> Id {
        let Node { rows, columns, .. } = self.nodes[a];
        match (function, &self.nodes[a].op) {
            (Unary::Copy, _) => return a,
            (Unary::Neg, &Op::Map(Unary::Neg, inner)) => return inner,
            (_, Op::Fill(bits)) => {
                let value = function.of(f64::from_bits(*bits));
                return self.fill(value, rows, columns);
            }
            _ => {}
        }
        self.add(Op::Map(function, a), rows, columns)
    }

    pub(crate) fn zip(&mut self, function: Binary, a: Id, b: Id) -> Id {
        let (rows, columns) = self.broadcast(a, b);
        let same = |graph: &Self, id: Id| graph.nodes[id].rows == rows && graph.nodes[id].columns == columns;
        match (function, self.fill_of(a), self.fill_of(b)) {
            (_, Some(x), Some(y)) => return self.fill(function.of(x, y), rows, columns),
            // Adding 0 turns −0 into 0, which no result depends on.
            (Binary::Add, Some(0.0), _) | (Binary::Mul, Some(1.0), _) if same(self, b) => return b,
            (Binary::Add | Binary::Sub, _, Some(0.0)) | (Binary::Mul | Binary::Div, _, Some(1.0)) if same(self, a) => {
                return a;
            }
            (Binary::Mul, _, Some(-1.0)) if same(self, a) => return self.map(Unary::Neg, a),
            (Binary::Mul, Some(-1.0), _) | (Binary::Sub, Some(0.0), _) if same(self, b) => {
                return self.map(Unary::Neg, b);
            }
            (Binary::Mul, ..) if a == b => return self.map(Unary::Square, a),
            _ => {}
        }
        // The order of the operands of what commutes does not make another node.
        let commutes = matches!(function, Binary::Add | Binary::Mul | Binary::Equal);
        let (a, b) = if commutes && a > b { (b, a) } else { (a, b) };
        self.add(Op::Zip(function, a, b), rows, columns)
    }

    pub(crate) fn select(&mut self, mask: Id, yes: Id, no: Id) -> Id {
        let (rows, columns) = self.broadcast(mask, yes);
        let partial = self.fill(0.0, rows, columns);
        let (rows, columns) = self.broadcast(partial, no);
        self.add(Op::Fuse(Ternary::Select, mask, yes, no), rows, columns)
    }

    /// The same numbers in memory, for what cannot take one number for all.
    pub(crate) fn spread(&mut self, a: Id) -> Id {
        let Node { rows, columns, .. } = self.nodes[a];
        if self.fill_of(a).is_some() && rows == Rows::Batch {
            self.add(Op::Map(Unary::Copy, a), rows, columns)
        } else {
            a
        }
    }

    /// `a · b`.
    pub(crate) fn product(&mut self, a: Id, b: Id) -> Id {
        let (rows, columns) = (self.nodes[a].rows, self.nodes[b].columns);
        if self.fill_of(a) == Some(0.0) {
            return self.fill(0.0, rows, columns);
        }
        let a = self.spread(a);
        self.add(Op::Linear { terms: vec![(a, b)], init: None }, rows, columns)
    }

    /// `aᵀ · b` over the rows of the batch.
    pub(crate) fn outer(&mut self, a: Id, b: Id) -> Id {
        let (rows, columns) = (Rows::Fixed(self.nodes[a].columns), self.nodes[b].columns);
        if self.fill_of(a) == Some(0.0) || self.fill_of(b) == Some(0.0) {
            return self.fill(0.0, rows, columns);
        }
        let (a, b) = (self.spread(a), self.spread(b));
        self.add(Op::Outer(a, b), rows, columns)
    }

    pub(crate) fn transpose(&mut self, a: Id) -> Id {
        let Rows::Fixed(rows) = self.nodes[a].rows else { return self.add(Op::Transpose(a), Rows::Fixed(0), 0) };
        let columns = self.nodes[a].columns;
        match self.nodes[a].op.clone() {
            Op::Transpose(inner) => inner,
            Op::Outer(left, right) => self.outer(right, left),
            Op::Fill(bits) => self.add(Op::Fill(bits), Rows::Fixed(columns), rows),
            _ => self.add(Op::Transpose(a), Rows::Fixed(columns), rows),
        }
    }

    /// The part of `rows` by `columns` that begins at (row, column).
    pub(crate) fn slice(&mut self, of: Id, (row, rows): (usize, Rows), (column, columns): (usize, usize)) -> Id {
        let node = &self.nodes[of];
        if node.rows == rows && node.columns == columns {
            return of;
        }
        match node.op.clone() {
            Op::Slice { of, row: outer_row, column: outer_column } => {
                self.slice(of, (row + outer_row, rows), (column + outer_column, columns))
            }
            Op::Fill(bits) => self.add(Op::Fill(bits), rows, columns),
            Op::Columns(parts) if row == 0 && rows == node.rows => {
                let mut start = 0;
                for part in parts {
                    let width = self.nodes[part].columns;
                    if column >= start && column + columns <= start + width {
                        return self.slice(part, (0, rows), (column - start, columns));
                    }
                    start += width;
                }
                self.add(Op::Slice { of, row, column }, rows, columns)
            }
            _ => self.add(Op::Slice { of, row, column }, rows, columns),
        }
    }

    pub(crate) fn columns(&mut self, parts: Vec<Id>) -> Id {
        if let [only] = parts[..] {
            return only;
        }
        let rows = self.nodes[parts[0]].rows;
        let columns = parts.iter().map(|&part| self.nodes[part].columns).sum();
        self.add(Op::Columns(parts), rows, columns)
    }

    pub(crate) fn stack(&mut self, parts: Vec<Id>) -> Id {
        if let [only] = parts[..] {
            return only;
        }
        let columns = self.nodes[parts[0]].columns;
        let rows = parts.iter().map(|&part| self.fixed_rows(part)).sum();
        self.add(Op::Stack(parts), Rows::Fixed(rows), columns)
    }

    pub(crate) fn sum_rows(&mut self, a: Id) -> Id {
        let columns = self.nodes[a].columns;
        if self.nodes[a].rows == Rows::Fixed(1) {
            return a;
        }
        if self.fill_of(a) == Some(0.0) {
            return self.fill(0.0, Rows::Fixed(1), columns);
        }
        let a = self.spread(a);
        self.add(Op::SumRows(a), Rows::Fixed(1), columns)
    }

    pub(crate) fn sum_columns(&mut self, a: Id) -> Id {
        let Node { rows, columns, .. } = self.nodes[a];
        match self.fill_of(a) {
            _ if columns == 1 => a,
            Some(value) => self.fill(value * columns as f64, rows, 1),
            None => self.add(Op::SumColumns(a), rows, 1),
        }
    }

    /// The number of rows of a fixed matrix.
    pub(crate) fn fixed_rows(&self, id: Id) -> usize {
        match self.nodes[id].rows {
            Rows::Fixed(rows) => rows,
            Rows::Batch => panic!("a batch has no fixed number of rows"),
        }
    }

    /// What a node needs.
    pub(crate) fn operands(&self, id: Id) -> Vec<Id> {
        match &self.nodes[id].op {
            Op::Leaf(_) | Op::Fill(_) | Op::Constant(_) => vec![],
            Op::Map(_, a)
            | Op::Transpose(a)
            | Op::Slice { of: a, .. }
            | Op::SumRows(a)
            | Op::SumColumns(a)
            | Op::MaxColumns(a)
            | Op::Reshape(a) => vec![*a],
            Op::Zip(_, a, b) | Op::Outer(a, b) => vec![*a, *b],
            Op::Fuse(_, a, b, c) => vec![*a, *b, *c],
            Op::Linear { terms, init } => terms.iter().flat_map(|&(a, b)| [a, b]).chain(*init).collect(),
            Op::Columns(parts) | Op::Stack(parts) => parts.clone(),
        }
    }

    /// Every node that the roots need, themselves included, each after those it needs.
    pub(crate) fn needed(&self, roots: &[Id]) -> Vec<Id> {
        let mut marked = vec![false; self.nodes.len()];
        let mut stack = roots.to_vec();
        while let Some(id) = stack.pop() {
            if !std::mem::replace(&mut marked[id], true) {
                stack.extend(self.operands(id));
            }
        }
        (0..self.nodes.len()).filter(|&id| marked[id]).collect()
    }

    /// A copy of what `visit` leaves of the nodes that the roots need: it is shown each node with its operands already
    /// replaced, and answers with its replacement in the new graph.
    pub(crate) fn rebuild(&self, roots: &[Id], mut visit: impl FnMut(&mut Self, Id, Op) -> Id) -> (Self, Vec<Id>) {
        let mut new = self.empty();
        let mut place = vec![usize::MAX; self.nodes.len()];
        for id in self.needed(roots) {
            let op = self.nodes[id].op.with_operands(|old| place[old]);
            place[id] = visit(&mut new, id, op);
        }
        let roots = roots.iter().map(|&root| place[root]).collect();
        (new, roots)
    }
}

impl Op {
    /// The same with other operands.
    pub(crate) fn with_operands(&self, mut to: impl FnMut(Id) -> Id) -> Self {
        match self {
            Self::Leaf(_) | Self::Fill(_) | Self::Constant(_) => self.clone(),
            Self::Map(function, a) => Self::Map(*function, to(*a)),
            Self::Zip(function, a, b) => Self::Zip(*function, to(*a), to(*b)),
            Self::Fuse(function, a, b, c) => Self::Fuse(*function, to(*a), to(*b), to(*c)),
            Self::Linear { terms, init } => {
                Self::Linear { terms: terms.iter().map(|&(a, b)| (to(a), to(b))).collect(), init: init.map(to) }
            }
            Self::Outer(a, b) => Self::Outer(to(*a), to(*b)),
            Self::Transpose(a) => Self::Transpose(to(*a)),
            Self::Slice { of, row, column } => Self::Slice { of: to(*of), row: *row, column: *column },
            Self::Columns(parts) => Self::Columns(parts.iter().map(|&part| to(part)).collect()),
            Self::Stack(parts) => Self::Stack(parts.iter().map(|&part| to(part)).collect()),
            Self::SumRows(a) => Self::SumRows(to(*a)),
            Self::SumColumns(a) => Self::SumColumns(to(*a)),
            Self::MaxColumns(a) => Self::MaxColumns(to(*a)),
            Self::Reshape(a) => Self::Reshape(to(*a)),
        }
    }

    /// Whether it works entry by entry.
    pub(crate) fn is_elementwise(&self) -> bool {
        matches!(self, Self::Map(..) | Self::Zip(..) | Self::Fuse(..) | Self::SumColumns(_) | Self::MaxColumns(_))
    }
}

impl Unary {
    /// Its value, for folding constants.
    pub(crate) fn of(self, x: f64) -> f64 {
        match self {
            Self::Copy => x,
            Self::Neg => -x,
            Self::Abs => x.abs(),
            Self::Sign => f64::from(i8::from(x > 0.0) - i8::from(x < 0.0)),
            Self::Recip => 1.0 / x,
            Self::Sqrt => x.sqrt(),
            Self::Square => x * x,
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Log1p => x.ln_1p(),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Relu => x.max(0.0),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
        }
    }
}

impl Binary {
    /// Its value, for folding constants.
    fn of(self, a: f64, b: f64) -> f64 {
        let truth = |is: bool| f64::from(u8::from(is));
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Pow => a.powf(b),
            Self::Less => truth(a < b),
            Self::LessEqual => truth(a <= b),
            #[expect(clippy::float_cmp, reason = "the operation is an exact comparison")]
            Self::Equal => truth(a == b),
            Self::TanhGradient => b * (1.0 - a * a),
            Self::SigmoidGradient => b * a * (1.0 - a),
            Self::ReluGradient => {
                if a <= 0.0 {
                    0.0
                } else {
                    b
                }
            }
            Self::Max => {
                if a > b {
                    a
                } else {
                    b
                }
            }
            Self::Min => {
                if a < b {
                    a
                } else {
                    b
                }
            }
        }
    }
}
