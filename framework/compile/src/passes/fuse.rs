//! Pairs of element-wise operations that one instruction computes: what stands between them need not go through memory.

use crate::{
    ir::graph::{Binary, Graph, Id, Node, Op, Rows, Ternary},
    passes::merge_products::uses,
};

/// The same graph with products added, subtracted or used by a derivative where they are computed, and with both bounds of
/// a value at once.
pub(crate) fn fuse(graph: &Graph, roots: &[Id]) -> (Graph, Vec<Id>) {
    let uses = uses(graph, roots);
    graph.rebuild(roots, |new, id, op| {
        let Node { rows, columns, .. } = graph[id];
        if let (Op::Zip(function, a, b), Op::Zip(_, old_a, old_b)) = (&op, &graph[id].op) {
            // The operands of an operation that nothing else uses and that is as large as the result.
            let inner = |wanted: Binary, old: Id, id: Id| match new[id].op {
                Op::Zip(function, x, y)
                    if function == wanted && uses[old] == 1 && new[id].rows == rows && new[id].columns == columns =>
                {
                    Some((x, y))
                }
                _ => None,
            };
            let product = |old, id| inner(Binary::Mul, old, id);
            let fused = match function {
                Binary::Add => match (product(*old_a, *a), product(*old_b, *b)) {
                    (Some((x, y)), _) => Some(Op::Fuse(Ternary::MulAdd, x, y, *b)),
                    (_, Some((x, y))) => Some(Op::Fuse(Ternary::MulAdd, x, y, *a)),
                    _ => None,
                },
                Binary::Sub => product(*old_b, *b).map(|(x, y)| Op::Fuse(Ternary::NegMulAdd, x, y, *a)),
                Binary::TanhGradient => product(*old_b, *b).map(|(x, y)| Op::Fuse(Ternary::TanhGradient, *a, x, y)),
                Binary::SigmoidGradient => {
                    product(*old_b, *b).map(|(x, y)| Op::Fuse(Ternary::SigmoidGradient, *a, x, y))
                }
                _ => None,
            };
            // Of parameters and their gradients only what rounds nothing differently.
            let fused = fused.filter(|_| rows == Rows::Batch);
            let clamped = match function {
                Binary::Min => inner(Binary::Max, *old_b, *b).map(|(low, x)| Op::Fuse(Ternary::Clamp, low, *a, x)),
                _ => None,
            };
            if let Some(fused) = fused.or(clamped) {
                return new.add(fused, rows, columns);
            }
        }
        new.add(op, rows, columns)
    })
}
