//! Sums of products become one node, so that they are computed into one buffer and a bias costs nothing.

use crate::ir::graph::{Binary, Graph, Id, Node, Op, Rows};

/// The same graph with every sum of products and one bias as one [`Op::Linear`]. With `cut`, a product with columns put
/// side by side becomes a sum of products too, so that each can be computed when its columns are known.
pub(crate) fn gather(graph: &Graph, roots: &[Id], cut: bool) -> (Graph, Vec<Id>) {
    let uses = uses(graph, roots);
    let is_sum = |id: Id| matches!(graph[id].op, Op::Zip(Binary::Add, ..)) && graph.is_batch(id);
    graph.rebuild(roots, |new, id, op| match op {
        Op::Linear { terms, init } => {
            let Node { rows, columns, .. } = graph[id];
            let terms: Vec<_> = if cut { terms.into_iter().flat_map(|term| parts(new, term)).collect() } else { terms };
            match init {
                None if terms.is_empty() => new.fill(0.0, rows, columns),
                _ => new.add(Op::Linear { terms, init }, rows, columns),
            }
        }
        Op::Zip(Binary::Add, a, b) if is_sum(id) => {
            let Op::Zip(_, old_a, old_b) = graph[id].op else { unreachable!("it is the same operation") };
            let Node { rows, columns, .. } = graph[id];
            let once = |new: &Graph, old: Id, id: Id| {
                uses[old] == 1
                    && matches!(new[id].op, Op::Linear { .. })
                    && new[id].rows == rows
                    && new[id].columns == columns
            };
            // A sum whose other operand is no product may hold one that takes this operand up.
            let inner = |new: &Graph, old: Id, id: Id| match (&graph[old].op, &new[id].op) {
                (&Op::Zip(Binary::Add, x, y), &Op::Zip(Binary::Add, p, q)) if uses[old] == 1 && is_sum(old) => {
                    // The operands of a sum may have changed places when it was made anew.
                    let single = uses[x] == 1 && uses[y] == 1;
                    match (&new[p].op, &new[q].op) {
                        (Op::Linear { .. }, _) if single && new[p].columns == columns => Some((p, q)),
                        (_, Op::Linear { .. }) if single && new[q].columns == columns => Some((q, p)),
                        _ => None,
                    }
                }
                _ => None,
            };
            for ((old_sum, sum), other) in [((old_a, a), b), ((old_b, b), a)] {
                let other_once = if other == a { once(new, old_a, a) } else { once(new, old_b, b) };
                if once(new, old_sum, sum)
                    && let Some(merged) = merge(new, sum, other, other_once)
                {
                    return merged;
                }
                if let Some((linear, rest)) = inner(new, old_sum, sum)
                    && let Some(merged) = merge(new, linear, other, other_once)
                {
                    return new.zip(Binary::Add, merged, rest);
                }
            }
            new.zip(Binary::Add, a, b)
        }
        op => {
            let Node { rows, columns, .. } = graph[id];
            new.add(op, rows, columns)
        }
    })
}

/// How often each node is used by the nodes that the roots need; a root counts as a use.
pub(crate) fn uses(graph: &Graph, roots: &[Id]) -> Vec<usize> {
    let mut uses = vec![0; graph.len()];
    for id in graph.needed(roots) {
        for operand in graph.operands(id) {
            uses[operand] += 1;
        }
    }
    for &root in roots {
        uses[root] += 1;
    }
    uses
}

/// A product with columns side by side is a sum of products.
fn parts(graph: &mut Graph, (a, b): (Id, Id)) -> Vec<(Id, Id)> {
    if graph.fill_of(a) == Some(0.0) && graph.is_batch(a) {
        return vec![];
    }
    let Op::Columns(columns) = graph[a].op.clone() else { return vec![(graph.spread(a), b)] };
    let mut row = 0;
    let mut terms = Vec::new();
    for part in columns {
        let (depth, width) = (graph[part].columns, graph[b].columns);
        let rows = graph.slice(b, (row, Rows::Fixed(depth)), (0, width));
        terms.extend(parts(graph, (part, rows)));
        row += depth;
    }
    terms
}

/// The sum of a product and another product, or a row that is added to all rows; nothing if it must stay a sum.
fn merge(graph: &mut Graph, linear: Id, other: Id, other_once: bool) -> Option<Id> {
    let Node { op: Op::Linear { mut terms, init }, rows, columns } = graph[linear].clone() else { return None };
    let (more, second) = match &graph[other].op {
        Op::Linear { terms, init } if other_once => (terms.clone(), *init),
        _ if graph[other].rows == Rows::Fixed(1) && graph[other].columns == columns => (vec![], Some(other)),
        _ => return None,
    };
    let init = match (init, second) {
        (Some(a), Some(b)) if !graph.is_batch(a) && !graph.is_batch(b) => Some(graph.zip(Binary::Add, a, b)),
        (Some(_), Some(_)) => return None,
        (a, b) => a.or(b),
    };
    terms.extend(more);
    Some(graph.add(Op::Linear { terms, init }, rows, columns))
}
