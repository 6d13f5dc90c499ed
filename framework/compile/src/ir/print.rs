//! Graphs as text, one node a line: `%7 = add %3 %5 : [batch, 8]`.

use std::fmt::{Debug, Display, Formatter, Result, Write};

use super::{
    graph::{Graph, Rows, Shape},
    op::{Axis, Leaf, Op},
};
use crate::id::NodeId;

impl Display for NodeId {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "%{}", self.index())
    }
}

impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.rows {
            Rows::Batch => write!(f, "[batch, {}]", self.columns),
            Rows::Static(rows) => write!(f, "[{rows}, {}]", self.columns),
        }
    }
}

impl Display for Leaf {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Input => f.write_str("input"),
            Self::Param(id) => write!(f, "param {}", id.index()),
            Self::State(index) => write!(f, "state {index}"),
            Self::Noise(index) => write!(f, "noise {index}"),
            Self::UpdateNoise(index) => write!(f, "update-noise {index}"),
            Self::OutputGradient => f.write_str("output-gradient"),
            Self::NextStateGradient(index) => write!(f, "next-state-gradient {index}"),
            Self::Hoisted(index) => write!(f, "hoisted {index}"),
            Self::HoistedGradient(index) => write!(f, "hoisted-gradient {index}"),
        }
    }
}

impl Display for super::graph::Role {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Output => f.write_str("output"),
            Self::NextState(index) => write!(f, "next-state {index}"),
            Self::Hoisted(index) => write!(f, "hoisted {index}"),
            Self::Gradient(leaf) => write!(f, "gradient of {leaf}"),
            Self::Clipped(index) => write!(f, "clipped {index}"),
        }
    }
}

impl Display for Axis {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "[{}, ({}), {}]", self.outer, self.count, self.inner)
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Leaf(leaf) => Display::fmt(leaf, f),
            Self::Fill(bits) => write!(f, "fill {}", f64::from_bits(*bits)),
            Self::Constant(index) => write!(f, "constant {index}"),
            Self::Map(function, a) => write!(f, "{} {a}", kebab(function)),
            Self::Zip(function, a, b) => write!(f, "{} {a} {b}", kebab(function)),
            Self::Fuse(function, a, b, c) => write!(f, "{} {a} {b} {c}", kebab(function)),
            Self::Linear { terms, init } => {
                let terms: Vec<String> = terms.iter().map(|(a, b)| format!("{a} x {b}")).collect();
                write!(f, "linear {}", terms.join(" + "))?;
                init.map_or(Ok(()), |init| write!(f, " + {init}"))
            }
            Self::Outer(a, b) => write!(f, "outer {a} {b}"),
            Self::Transpose(a) => write!(f, "transpose {a}"),
            Self::Slice { of, row, column } => write!(f, "slice {of} from [{row}, {column}]"),
            Self::ConcatColumns(parts) => write!(f, "concat-columns {}", list(parts)),
            Self::ConcatRows(parts) => write!(f, "concat-rows {}", list(parts)),
            Self::SumRows(a) => write!(f, "sum-rows {a}"),
            Self::Reduce(function, a, axis) => {
                write!(f, "{}-columns {a}", kebab(function))?;
                if axis.outer * axis.inner == 1 { Ok(()) } else { write!(f, " along {axis}") }
            }
            Self::Repeat(a, axis) => write!(f, "repeat {a} along {axis}"),
            Self::CumulativeSum(a, axis, is_reverse) => {
                write!(f, "cumulative-sum {a} along {axis}{}", if *is_reverse { ", from the end" } else { "" })
            }
            Self::Exchange(a, axis) => write!(f, "exchange {a} within {axis}"),
            Self::Batched { of, a, b, init } => {
                let mark = |is_transposed| if is_transposed { "ᵀ" } else { "" };
                let [left, right] = of.transposed.map(mark);
                let (count, rows, depth, columns) = (of.count, of.rows, of.depth, of.columns);
                write!(f, "batched {count} of {a}{left} [{rows}, {depth}] x {b}{right} [{depth}, {columns}]")?;
                init.map_or(Ok(()), |init| write!(f, " + {init}"))
            }
            Self::Reshape(a) => write!(f, "reshape {a}"),
        }
    }
}

impl Display for Graph {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for id in self.reachable(&self.output_nodes()) {
            writeln!(f, "  {id} = {} : {}", self[id].op, self[id].shape)?;
        }
        self.outputs.iter().try_for_each(|(role, id)| writeln!(f, "  {role}: {id}"))
    }
}

fn list(ids: &[NodeId]) -> String {
    ids.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" ")
}

/// `TanhGradient` as `tanh-gradient`.
fn kebab(function: &impl Debug) -> String {
    let mut text = String::new();
    for letter in format!("{function:?}").chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        let _ = write!(text, "{}", letter.to_lowercase());
    }
    text
}
