//! The pass `merge-products`: sums of products become one node, so that they are computed into one buffer and a bias costs
//! nothing.

use crate::{
    id::NodeId,
    ir::{
        graph::{Graph, Rows, Shape},
        module::Module,
        op::{Binary, Op},
    },
};

/// The module after two rewrites of the time step: a product of concatenated columns becomes a sum of products, each of
/// which can be computed when its own columns are known; a sum of products and a bias becomes one [`Op::Linear`].
pub(crate) fn run(module: &Module) -> Module {
    Module { step: merge(&split_concatenated(&module.step)), ..module.clone() }
}

/// The same graph with `[x y] · w` as `x · w₁ + y · w₂`.
fn split_concatenated(graph: &Graph) -> Graph {
    graph.rebuild(|new, id, op| match op {
        Op::Linear { terms, init } => {
            let terms: Vec<_> = terms.into_iter().flat_map(|term| split_term(new, term)).collect();
            match init {
                None if terms.is_empty() => new.fill(0.0, graph.shape(id)),
                _ => new.add(Op::Linear { terms, init }, graph.shape(id)),
            }
        }
        op => new.add(op, graph.shape(id)),
    })
}

fn split_term(graph: &mut Graph, (a, b): (NodeId, NodeId)) -> Vec<(NodeId, NodeId)> {
    if graph.fill_of(a) == Some(0.0) && graph.is_batch(a) {
        return vec![];
    }
    let Op::ConcatColumns(parts) = graph[a].op.clone() else { return vec![(graph.materialize(a), b)] };
    let mut row = 0;
    let mut terms = Vec::new();
    for part in parts {
        let (depth, columns) = (graph.columns(part), graph.columns(b));
        let rows = graph.slice(b, (row, 0), Shape::fixed(depth, columns));
        terms.extend(split_term(graph, (part, rows)));
        row += depth;
    }
    terms
}

/// The same graph with every sum of products and one bias as one [`Op::Linear`].
pub(crate) fn merge(graph: &Graph) -> Graph {
    let merging = Merging { graph, uses: graph.uses(&graph.output_nodes()) };
    graph.rebuild(|new, id, op| match (op, &graph[id].op) {
        (Op::Zip(Binary::Add, a, b), &Op::Zip(_, old_a, old_b)) if graph.is_batch(id) => {
            let (a, b) = (Operand { old: old_a, new: a }, Operand { old: old_b, new: b });
            merging.sum(new, a, b, graph.shape(id))
        }
        (op, _) => new.add(op, graph.shape(id)),
    })
}

/// A node of the old graph, and its replacement in the new one.
#[derive(Clone, Copy)]
struct Operand {
    old: NodeId,
    new: NodeId,
}

struct Merging<'a> {
    graph: &'a Graph,
    uses: Vec<usize>,
}

impl Merging<'_> {
    fn is_used_once(&self, old: NodeId) -> bool {
        self.uses[old.index()] == 1
    }

    /// Whether the operand is a product of that shape that nothing else reads.
    fn is_own_product(&self, new: &Graph, operand: Operand, shape: Shape) -> bool {
        self.is_used_once(operand.old)
            && matches!(new[operand.new].op, Op::Linear { .. })
            && new.shape(operand.new) == shape
    }

    /// The sum of two operands: one [`Op::Linear`] if one of them is a product with which the other can be merged.
    fn sum(&self, new: &mut Graph, a: Operand, b: Operand, shape: Shape) -> NodeId {
        for (sum, other) in [(a, b), (b, a)] {
            let is_other_own = self.is_own_product(new, other, shape);
            if self.is_own_product(new, sum, shape)
                && let Some(merged) = merge_pair(new, sum.new, other.new, is_other_own)
            {
                return merged;
            }
            if let Some((product, rest)) = self.product_within(new, sum, shape)
                && let Some(merged) = merge_pair(new, product, other.new, is_other_own)
            {
                return new.zip(Binary::Add, merged, rest);
            }
        }
        new.zip(Binary::Add, a.new, b.new)
    }

    /// If the operand is a sum, nothing else reads it or its operands, and one of these is a product: the product and the
    /// other operand.
    fn product_within(&self, new: &Graph, sum: Operand, shape: Shape) -> Option<(NodeId, NodeId)> {
        let (&Op::Zip(Binary::Add, x, y), &Op::Zip(Binary::Add, p, q)) = (&self.graph[sum.old].op, &new[sum.new].op)
        else {
            return None;
        };
        let is_own = self.is_used_once(sum.old) && self.graph.is_batch(sum.old);
        // The operands of the new sum may be in another order than those of the old one.
        if !is_own || !self.is_used_once(x) || !self.is_used_once(y) {
            return None;
        }
        let is_product = |id: NodeId| matches!(new[id].op, Op::Linear { .. }) && new.columns(id) == shape.columns;
        match (is_product(p), is_product(q)) {
            (true, _) => Some((p, q)),
            (_, true) => Some((q, p)),
            _ => None,
        }
    }
}

/// A product plus another product or a broadcast row, as one [`Op::Linear`]; `None` if they cannot be merged.
fn merge_pair(graph: &mut Graph, product: NodeId, other: NodeId, is_other_own: bool) -> Option<NodeId> {
    let shape = graph.shape(product);
    let Op::Linear { mut terms, init } = graph[product].op.clone() else { return None };
    let (more, second) = match &graph[other].op {
        Op::Linear { terms, init } if is_other_own => (terms.clone(), *init),
        _ if graph.shape(other) == (Shape { rows: Rows::Static(1), ..shape }) => (vec![], Some(other)),
        _ => return None,
    };
    let init = match (init, second) {
        (Some(a), Some(b)) if !graph.is_batch(a) && !graph.is_batch(b) => Some(graph.zip(Binary::Add, a, b)),
        (Some(_), Some(_)) => return None,
        (a, b) => a.or(b).map(|init| graph.in_memory(init)),
    };
    terms.extend(more);
    Some(graph.add(Op::Linear { terms, init }, shape))
}
