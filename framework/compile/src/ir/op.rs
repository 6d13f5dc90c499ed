//! The operations of a graph's nodes.

use crate::id::{NodeId, ParamId};

/// A value that comes from outside the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Leaf {
    /// The input of the cell.
    Input,
    /// A parameter; in the graph of the clippers, the gradient of one.
    Param(ParamId),
    /// A state vector before the time step.
    State(usize),
    /// Noise with a row for each sequence.
    Noise(usize),
    /// Noise that is the same for a whole update.
    UpdateNoise(usize),
    /// The gradient of the output.
    OutputGradient,
    /// The gradient of a state vector after the time step.
    NextStateGradient(usize),
    /// A hoisted value: an output of the graph that runs before the time loop.
    Hoisted(usize),
    /// The gradient of a hoisted value.
    HoistedGradient(usize),
}

impl Leaf {
    /// Whether it is a static matrix.
    pub(crate) fn is_static(self) -> bool {
        matches!(self, Self::Param(_) | Self::UpdateNoise(_))
    }

    /// Whether its gradient is of no use.
    pub(crate) fn is_noise(self) -> bool {
        matches!(self, Self::Noise(_) | Self::UpdateNoise(_))
    }
}

/// A function of one element.
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
    Floor,
    /// To the nearest integer, halves to the even one.
    Round,
    Erf,
    LogSigmoid,
}

/// A function of two elements. Comparisons give 1 or 0.
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
    /// The remainder, with the sign of the divisor.
    Remainder,
}

/// A function of three elements.
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

/// What becomes of the entries along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reduce {
    Sum,
    Max,
    /// The largest, as a number that no gradient passes.
    MaxConstant,
}

/// An axis of the columns of a matrix, which are `[outer, count, inner]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Axis {
    pub(crate) outer: usize,
    pub(crate) count: usize,
    pub(crate) inner: usize,
}

impl Axis {
    /// All columns.
    pub(crate) fn all(columns: usize) -> Self {
        Self { outer: 1, count: columns, inner: 1 }
    }

    /// The number of columns.
    pub(crate) fn columns(self) -> usize {
        self.outer * self.count * self.inner
    }

    /// The columns that are left when the axis is reduced to one entry.
    pub(crate) fn reduced(self) -> usize {
        self.outer * self.inner
    }
}

/// Products of the matrices that each row holds: `count` of `[rows, depth] · [depth, columns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BatchedDims {
    pub(crate) count: usize,
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) columns: usize,
    /// Whether each factor is stored with rows and columns exchanged.
    pub(crate) transposed: [bool; 2],
}

/// The operation of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    /// A value from outside.
    Leaf(Leaf),
    /// The same value in every entry; its bits.
    Fill(u64),
    /// One of the graph's constants, by its index.
    Constant(usize),
    /// Element-wise.
    Map(Unary, NodeId),
    /// Element-wise; an operand of one row or one column is broadcast.
    Zip(Binary, NodeId, NodeId),
    /// Element-wise; an operand of one row or one column is broadcast.
    Fuse(Ternary, NodeId, NodeId, NodeId),
    /// The sum of the products `a · b` (b is static unless all are), plus `init` if there is one.
    Linear { terms: Vec<(NodeId, NodeId)>, init: Option<NodeId> },
    /// `aᵀ · b` of two batch matrices, summed over the rows of the batch (and over time).
    Outer(NodeId, NodeId),
    /// Rows become columns; static matrices only.
    Transpose(NodeId),
    /// The part that begins at this row and column.
    Slice { of: NodeId, row: usize, column: usize },
    /// Concatenation of columns.
    ConcatColumns(Vec<NodeId>),
    /// Concatenation of rows; static matrices only.
    ConcatRows(Vec<NodeId>),
    /// The sum of all rows: `[1, columns]`.
    SumRows(NodeId),
    /// One entry for those along an axis of the columns.
    Reduce(Reduce, NodeId, Axis),
    /// Every entry as often as the axis has entries: what element-wise operations read with other strides. Nothing else
    /// reads it, and it is never in memory.
    Repeat(NodeId, Axis),
    /// Sums of the entries along an axis up to each, or with `true` from each on; `inner` is 1.
    CumulativeSum(NodeId, Axis, bool),
    /// The columns `[outer, count, inner]` as `[outer, inner, count]`.
    Exchange(NodeId, Axis),
    /// Products of the matrices that each row holds, plus `init` if there is one.
    Batched { of: BatchedDims, a: NodeId, b: NodeId, init: Option<NodeId> },
    /// The same elements, row by row, in another shape; static matrices only.
    Reshape(NodeId),
}

impl Op {
    /// The nodes it reads.
    pub(crate) fn operands(&self) -> Vec<NodeId> {
        match self {
            Self::Leaf(_) | Self::Fill(_) | Self::Constant(_) => vec![],
            Self::Map(_, a)
            | Self::Transpose(a)
            | Self::Slice { of: a, .. }
            | Self::SumRows(a)
            | Self::Reduce(_, a, _)
            | Self::Repeat(a, _)
            | Self::CumulativeSum(a, ..)
            | Self::Exchange(a, _)
            | Self::Reshape(a) => vec![*a],
            Self::Zip(_, a, b) | Self::Outer(a, b) => vec![*a, *b],
            Self::Fuse(_, a, b, c) => vec![*a, *b, *c],
            Self::Batched { a, b, init, .. } => [*a, *b].into_iter().chain(*init).collect(),
            Self::Linear { terms, init } => terms.iter().flat_map(|&(a, b)| [a, b]).chain(*init).collect(),
            Self::ConcatColumns(parts) | Self::ConcatRows(parts) => parts.clone(),
        }
    }

    /// The same operation of other operands.
    pub(crate) fn with_operands(&self, mut to: impl FnMut(NodeId) -> NodeId) -> Self {
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
            Self::ConcatColumns(parts) => Self::ConcatColumns(parts.iter().map(|&part| to(part)).collect()),
            Self::ConcatRows(parts) => Self::ConcatRows(parts.iter().map(|&part| to(part)).collect()),
            Self::SumRows(a) => Self::SumRows(to(*a)),
            Self::Reduce(function, a, axis) => Self::Reduce(*function, to(*a), *axis),
            Self::Repeat(a, axis) => Self::Repeat(to(*a), *axis),
            Self::CumulativeSum(a, axis, is_reverse) => Self::CumulativeSum(to(*a), *axis, *is_reverse),
            Self::Exchange(a, axis) => Self::Exchange(to(*a), *axis),
            Self::Batched { of, a, b, init } => Self::Batched { of: *of, a: to(*a), b: to(*b), init: init.map(to) },
            Self::Reshape(a) => Self::Reshape(to(*a)),
        }
    }

    /// Whether it is computed entry by entry.
    pub(crate) fn is_elementwise(&self) -> bool {
        matches!(self, Self::Map(..) | Self::Zip(..) | Self::Fuse(..))
    }

    /// Whether one instruction of a fused kernel computes it.
    pub(crate) fn is_instruction(&self) -> bool {
        self.is_elementwise()
            || matches!(self, Self::Reduce(..) | Self::CumulativeSum(..) | Self::Exchange(..) | Self::Batched { .. })
    }
}
