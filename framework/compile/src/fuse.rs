//! Pairs of element-wise operations that one instruction computes.

use crate::{
    graph::{Binary, Graph, Id, Node, Op, Rows, Ternary},
    sums::uses,
};

/// The same graph with products added, subtracted or used by a derivative where they are computed.
pub(crate) fn fuse(graph: &Graph, roots: &[Id]) -> (Graph, Vec<Id>) {
    let uses = uses(graph, roots);
    graph.rebuild(roots, |new, id, op| {
        let Node { rows, columns, .. } = graph[id];
        if let (Op::Zip(function, a, b), Op::Zip(_, old_a, old_b)) = (&op, &graph[id].op) {
            // The operands of a product that nothing else uses and that is as large as the result.
            let product = |old: Id, id: Id| match new[id].op {
                Op::Zip(Binary::Mul, x, y) if uses[old] == 1 && new[id].rows == rows && new[id].columns == columns => {
                    Some((x, y))
                }
                _ => None,
            };
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
            if let Some(fused) = fused.filter(|_| rows == Rows::Batch) {
                return new.add(fused, rows, columns);
            }
        }
        new.add(op, rows, columns)
    })
}
