//! The pass `fuse`: pairs of element-wise operations that one instruction computes, so that the value between them need not
//! go through memory.

use crate::{
    id::NodeId,
    ir::{
        graph::{Graph, Rows},
        module::Module,
        op::{Binary, Op, Ternary},
    },
};

/// Both graphs, fused.
pub(crate) fn run(module: &Module) -> Module {
    Module { hoisted: fuse(&module.hoisted), step: fuse(&module.step) }
}

/// The same graph with products added, subtracted or used by a derivative where they are computed, and with both bounds of
/// a value at once.
pub(crate) fn fuse(graph: &Graph) -> Graph {
    let uses = graph.uses(&graph.output_nodes());
    graph.rebuild(|new, id, op| {
        let shape = graph.shape(id);
        // The operands of an operation that nothing else reads and that is as large as the result.
        let inner = |wanted: Binary, old: NodeId, now: NodeId| match new[now].op {
            Op::Zip(function, x, y) if function == wanted && uses[old.index()] == 1 && new.shape(now) == shape => {
                Some((x, y))
            }
            _ => None,
        };
        let fused = match (&op, &graph[id].op) {
            (&Op::Zip(Binary::Min, a, b), &Op::Zip(_, _, old_b)) => {
                inner(Binary::Max, old_b, b).map(|(low, x)| Op::Fuse(Ternary::Clamp, low, a, x))
            }
            // Of parameters and their gradients only what rounds nothing differently.
            (&Op::Zip(function, a, b), &Op::Zip(_, old_a, old_b)) if shape.rows == Rows::Batch => {
                let product =
                    with_product(function, (a, inner(Binary::Mul, old_a, a)), (b, inner(Binary::Mul, old_b, b)));
                let own = |old: NodeId, now, other| {
                    Some(other).filter(|_| uses[old.index()] == 1).and_then(|other| with_batched(new, now, other))
                };
                let batched = || own(old_a, a, b).or_else(|| own(old_b, b, a)).filter(|_| function == Binary::Add);
                product.or_else(batched)
            }
            _ => None,
        };
        let fits = |op: &Op| !op.is_elementwise() || new.blocks_of(&op.operands(), shape.columns).is_some();
        new.add(fused.filter(fits).unwrap_or(op), shape)
    })
}

/// Products of the matrices of each row, begun with what is added to them.
fn with_batched(graph: &Graph, products: NodeId, other: NodeId) -> Option<Op> {
    let Op::Batched { of, a, b, init: None } = graph[products].op else { return None };
    let is_in_memory = !matches!(graph[other].op, Op::Fill(_) | Op::Repeat(..));
    let fits = is_in_memory && graph.columns(other) == graph.columns(products);
    fits.then_some(Op::Batched { of, a, b, init: Some(other) })
}

/// An operand and, if it is a product that can be fused, its factors.
type Factored = (NodeId, Option<(NodeId, NodeId)>);

/// The operation of two operands as one of three, if an operand is a product.
fn with_product(function: Binary, (a, a_factors): Factored, (b, b_factors): Factored) -> Option<Op> {
    let fuse = |function, (x, y), z| Op::Fuse(function, x, y, z);
    match function {
        Binary::Add => match (a_factors, b_factors) {
            (Some(factors), _) => Some(fuse(Ternary::MulAdd, factors, b)),
            (None, factors) => factors.map(|factors| fuse(Ternary::MulAdd, factors, a)),
        },
        Binary::Sub => b_factors.map(|factors| fuse(Ternary::NegMulAdd, factors, a)),
        Binary::TanhGradient => b_factors.map(|(x, y)| Op::Fuse(Ternary::TanhGradient, a, x, y)),
        Binary::SigmoidGradient => b_factors.map(|(x, y)| Op::Fuse(Ternary::SigmoidGradient, a, x, y)),
        _ => None,
    }
}
