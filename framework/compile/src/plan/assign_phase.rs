//! Buffer assignment of one phase: a buffer for every batch value that cannot stay in a register of a fused kernel.

use std::collections::{HashMap, HashSet};

use crate::{
    id::NodeId,
    ir::{graph::Graph, op::Op},
    plan::{
        builder::PlanBuilder,
        phases::base,
        schedule::{BufferKind, View},
    },
};

/// Where batch values lie.
pub(crate) type Views = HashMap<NodeId, View>;

/// What a phase has to compute.
pub(crate) struct PhaseValues<'a> {
    pub(crate) graph: &'a Graph,
    /// The batch values to compute, each after its operands.
    pub(crate) compute: &'a [NodeId],
    /// Values that are read after the phase.
    pub(crate) kept: &'a HashSet<NodeId>,
    /// The kind of buffer for values that are kept, and for others.
    pub(crate) kinds: (BufferKind, BufferKind),
    /// Values that must be in a certain place.
    pub(crate) results: &'a [(NodeId, View)],
    /// Values whose rows are summed.
    pub(crate) row_sums: &'a [NodeId],
}

/// What a phase computes, in stages between which products run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assignment {
    /// The values to compute, each after its operands, with their stage.
    pub(crate) compute: Vec<(NodeId, usize)>,
    /// Values that are copied to a place.
    pub(crate) copies: Vec<(NodeId, View)>,
    /// Values whose rows are summed, with the offset of the sum among each shard's accumulators.
    pub(crate) row_sums: Vec<(NodeId, usize)>,
}

impl Assignment {
    /// The stage of a value; nothing if this phase does not compute it.
    pub(crate) fn stage(&self, id: NodeId) -> Option<usize> {
        self.compute.iter().find(|&&(known, _)| known == id).map(|&(_, stage)| stage)
    }

    /// The number of stages, at least one.
    pub(crate) fn stages(&self) -> usize {
        self.compute.iter().map(|&(_, stage)| stage + 1).max().unwrap_or(1)
    }
}

/// Assigns buffers to the values of a phase. `views` has the values of earlier phases, and gets those of this one.
pub(crate) fn assign(values: &PhaseValues<'_>, views: &mut Views, plan: &mut PlanBuilder) -> Assignment {
    let mut assigning = Assigning::new(values);
    let copies = assigning.place_results(views);
    assigning.place_values(views, plan);
    let row_sum = |&id: &NodeId| (id, plan.accumulators.allocate_step(values.graph.columns(id)));
    let row_sums = distinct(values.row_sums).iter().map(row_sum).collect();
    let compute = values.compute.iter().map(|&id| (id, assigning.stages[&id])).collect();
    Assignment { compute, copies, row_sums }
}

fn distinct(ids: &[NodeId]) -> Vec<NodeId> {
    let mut seen = HashSet::new();
    ids.iter().copied().filter(|&id| seen.insert(id)).collect()
}

struct Assigning<'a> {
    values: &'a PhaseValues<'a>,
    /// The number of products on the way to each computed value.
    stages: HashMap<NodeId, usize>,
    uses: Vec<usize>,
}

impl<'a> Assigning<'a> {
    fn new(values: &'a PhaseValues<'a>) -> Self {
        let PhaseValues { graph, compute, kept, results, row_sums, .. } = *values;
        let roots: Vec<NodeId> = compute
            .iter()
            .copied()
            .chain(results.iter().map(|&(id, _)| id))
            .chain(row_sums.iter().copied())
            .chain(kept.iter().copied())
            .collect();
        Self { values, stages: stages(graph, compute), uses: graph.uses(&roots) }
    }

    fn op(&self, id: NodeId) -> &'a Op {
        &self.values.graph[id].op
    }

    fn is_computed(&self, id: NodeId) -> bool {
        self.stages.contains_key(&id)
    }

    /// A result is computed where it must be, if it is computed here and is not needed in two places; others are copied.
    fn place_results(&self, views: &mut Views) -> Vec<(NodeId, View)> {
        let mut copies = Vec::new();
        for &(id, view) in self.values.results {
            let is_writable =
                self.op(id).is_instruction() || matches!(self.op(id), Op::Linear { .. } | Op::ConcatColumns(_));
            if self.is_computed(id) && !views.contains_key(&id) && is_writable {
                views.insert(id, view);
            } else {
                copies.push((id, view));
            }
        }
        copies
    }

    fn place_values(&mut self, views: &mut Views, plan: &mut PlanBuilder) {
        let values = self.values;
        let in_memory = self.values_in_memory();
        let (kept, passing) = values.kinds;
        for &id in values.compute.iter().rev() {
            let is_view = matches!(self.op(id), Op::Slice { .. } | Op::Repeat(..));
            if !views.contains_key(&id) && !is_view && in_memory.contains(&id) {
                let kind = if values.kept.contains(&id) { kept } else { passing };
                views.insert(id, plan.view(values.graph.columns(id), kind));
            }
            if let (Op::ConcatColumns(parts), Some(&view)) = (self.op(id), views.get(&id)) {
                self.place_parts(parts, view, views);
            }
        }
    }

    /// The parts of a concatenation are computed where they belong in it, if nothing else needs them elsewhere.
    fn place_parts(&self, parts: &[NodeId], view: View, views: &mut Views) {
        let mut offset = view.offset;
        for &part in parts {
            let is_direct = self.is_computed(part)
                && !views.contains_key(&part)
                && self.uses[part.index()] <= 2
                && !self.values.kept.contains(&part)
                && (self.op(part).is_instruction() || matches!(self.op(part), Op::ConcatColumns(_)));
            if is_direct {
                views.insert(part, View { offset, ..view });
            }
            offset += self.values.graph.columns(part);
        }
    }

    /// The values that cannot stay in registers of a kernel: what products read and write, and what later stages read.
    fn values_in_memory(&self) -> HashSet<NodeId> {
        let graph = self.values.graph;
        let kept = self.values.kept.iter().map(|&id| base(graph, id));
        let mut memory: HashSet<NodeId> = kept.collect();
        for &id in self.values.compute {
            match self.op(id) {
                Op::Linear { terms, init } => {
                    memory.insert(id);
                    memory.extend(terms.iter().map(|&(a, _)| base(graph, a)));
                    memory.extend(init.map(|init| base(graph, init)));
                }
                Op::ConcatColumns(_) => {
                    memory.insert(id);
                }
                Op::Slice { of, .. } => {
                    memory.insert(base(graph, *of));
                }
                _ => {}
            }
            for operand in self.op(id).operands() {
                if self.stages.get(&operand).is_some_and(|stage| *stage < self.stages[&id]) {
                    memory.insert(base(graph, operand));
                }
            }
        }
        memory.retain(|&id| self.is_computed(id));
        memory
    }
}

/// After how many products each value can be computed.
fn stages(graph: &Graph, compute: &[NodeId]) -> HashMap<NodeId, usize> {
    let mut stages: HashMap<NodeId, usize> = HashMap::new();
    for &id in compute {
        let operands = graph[id].op.operands();
        let ready = operands.iter().filter_map(|operand| stages.get(operand).copied()).max();
        let stage = match (&graph[id].op, ready) {
            (Op::Linear { .. }, Some(ready)) => ready + 1,
            (_, ready) => ready.unwrap_or(0),
        };
        stages.insert(id, stage);
    }
    stages
}

/// Where a batch value lies: a slice is in what it is a part of.
pub(crate) fn view_of(graph: &Graph, views: &Views, id: NodeId) -> Option<View> {
    if let Some(&view) = views.get(&id) {
        return Some(view);
    }
    match graph[id].op {
        Op::Slice { of, column, .. } => {
            view_of(graph, views, of).map(|view| View { offset: view.offset + column, ..view })
        }
        _ => None,
    }
}
