//! The phases of a differentiated graph: what is computed forward, what backward, and which sums over the batch the gradients
//! of parameters are made of.

use std::collections::HashSet;

use crate::{
    id::NodeId,
    ir::{
        graph::{Graph, Role},
        op::Op,
    },
};

/// A graph with its nodes by phase.
pub(crate) struct Phases<'a> {
    pub(crate) graph: &'a Graph,
    /// The outputs that are no gradients.
    pub(crate) outputs: Vec<NodeId>,
    /// The batch values computed in each phase, each after its operands.
    pub(crate) forward: Vec<NodeId>,
    pub(crate) backward: Vec<NodeId>,
    /// Batch values whose rows are summed.
    pub(crate) row_sums: Vec<NodeId>,
    /// The operands of outer products.
    pub(crate) outers: Vec<(NodeId, NodeId)>,
}

impl<'a> Phases<'a> {
    pub(crate) fn new(graph: &'a Graph) -> Self {
        let nodes = |are_gradients: bool| -> Vec<NodeId> {
            let outputs = graph.outputs.iter();
            outputs.filter(|(role, _)| matches!(role, Role::Gradient(_)) == are_gradients).map(|&(_, id)| id).collect()
        };
        let (gradients, outputs) = (nodes(true), nodes(false));

        let is_computed = |id: &NodeId| graph.is_batch(*id) && !matches!(graph[*id].op, Op::Leaf(_) | Op::Fill(_));
        let forward: Vec<NodeId> = graph.reachable(&outputs).into_iter().filter(is_computed).collect();
        let known: HashSet<NodeId> = forward.iter().copied().collect();
        let needed = graph.reachable(&gradients);
        let backward = needed.iter().copied().filter(is_computed).filter(|id| !known.contains(id)).collect();
        let (mut row_sums, mut outers) = (Vec::new(), Vec::new());
        for &id in &needed {
            match graph[id].op {
                Op::Outer(a, b) => outers.push((a, b)),
                Op::SumRows(a) if graph.is_batch(a) => row_sums.push(a),
                _ => {}
            }
        }
        Self { graph, outputs, forward, backward, row_sums, outers }
    }

    /// The entries of all gradients that are outer products.
    pub(crate) fn outer_entries(&self) -> usize {
        self.outers.iter().map(|&(a, b)| self.graph.columns(a) * self.graph.columns(b)).sum()
    }

    /// The operands of outer products.
    pub(crate) fn outer_operands(&self) -> impl Iterator<Item = NodeId> {
        self.outers.iter().flat_map(|&(a, b)| [a, b])
    }

    /// The values that the backward phase reads; of a slice or repetition the value that it is of.
    pub(crate) fn read_backward(&self) -> HashSet<NodeId> {
        let operands = self.backward.iter().flat_map(|&id| self.graph[id].op.operands());
        let all = operands.chain(self.outer_operands()).chain(self.row_sums.iter().copied());
        all.map(|id| base(self.graph, id)).collect()
    }

    /// The values of the forward phase that must stay in memory after it.
    pub(crate) fn kept_forward(&self) -> HashSet<NodeId> {
        let known: HashSet<NodeId> = self.forward.iter().copied().collect();
        let kept = self.read_backward().into_iter().chain(self.outputs.iter().copied());
        kept.filter(|id| known.contains(id)).collect()
    }

    /// The values of the backward phase that must stay in memory after it, with some more.
    pub(crate) fn kept_backward(&self, more: &[NodeId]) -> HashSet<NodeId> {
        let known: HashSet<NodeId> = self.backward.iter().copied().collect();
        let kept = self.outer_operands().chain(more.iter().copied());
        kept.map(|id| base(self.graph, id)).filter(|id| known.contains(id)).collect()
    }
}

/// The value that a slice, or a slice of a slice, is a part of, or that one repeats.
pub(crate) fn base(graph: &Graph, mut id: NodeId) -> NodeId {
    while let Op::Slice { of, .. } | Op::Repeat(of, _) = graph[id].op {
        id = of;
    }
    id
}
