//! The pass `linear-recurrences`: a state whose next value is `a ⊙ state + b`, with a and b free of every state, is written in
//! that form whatever the cell's own, so that all else can be hoisted and the time loop is a multiplication and an addition.

use std::collections::HashMap;

use crate::{
    id::NodeId,
    ir::{
        graph::{Graph, Role},
        module::Module,
        op::{Binary, Leaf, Op, Unary},
    },
};

/// The time step with its linear recurrences in one form.
pub(crate) fn run(module: &Module) -> Module {
    let mut step = module.step.clone();
    let is_free = free_of_state(&step);
    let mut replaced = HashMap::new();
    for (role, next) in step.outputs.clone() {
        let Role::NextState(state) = role else { continue };
        let Some(leaf) = step.leaf_node(Leaf::State(state)) else { continue };
        let mut recurrence = Recurrence { graph: &mut step, is_free: &is_free, state: leaf };
        if let Some(Affine { factor: Some(factor), rest: Some(rest) }) = recurrence.of(next) {
            let product = step.zip(Binary::Mul, factor, leaf);
            let sum = step.zip(Binary::Add, product, rest);
            replaced.extend((sum != next).then_some((next, sum)));
        }
    }
    if replaced.is_empty() { module.clone() } else { Module { step: with_replaced(&step, replaced), ..module.clone() } }
}

/// The graph with other nodes in the place of some, and without what only those needed.
fn with_replaced(graph: &Graph, replaced: HashMap<NodeId, NodeId>) -> Graph {
    fn copy(
        graph: &Graph,
        new: &mut Graph,
        replaced: &HashMap<NodeId, NodeId>,
        made: &mut HashMap<NodeId, NodeId>,
        id: NodeId,
    ) -> NodeId {
        let id = replaced.get(&id).copied().unwrap_or(id);
        if let Some(&known) = made.get(&id) {
            return known;
        }
        let op = graph[id].op.with_operands(|operand| copy(graph, new, replaced, made, operand));
        let node = new.add(op, graph.shape(id));
        made.insert(id, node);
        node
    }
    let (mut new, mut made) = (graph.empty(), HashMap::new());
    for &(role, id) in &graph.outputs {
        let node = copy(graph, &mut new, &replaced, &mut made, id);
        new.outputs.push((role, node));
    }
    new
}

/// Whether each node is free of every state.
pub(crate) fn free_of_state(graph: &Graph) -> Vec<bool> {
    let mut is_free: Vec<bool> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        // Noise of a step has a row for each sequence, where the hoisted values of the first layer have one for each token.
        let is_state = matches!(graph[id].op, Op::Leaf(Leaf::State(_) | Leaf::Noise(_)));
        is_free.push(!is_state && graph[id].op.operands().iter().all(|operand| is_free[operand.index()]));
    }
    is_free
}

/// `factor ⊙ state + rest`; nothing stands for zero.
#[derive(Clone, Copy, Default)]
struct Affine {
    factor: Option<NodeId>,
    rest: Option<NodeId>,
}

struct Recurrence<'a> {
    graph: &'a mut Graph,
    /// Of the nodes that were there before the pass.
    is_free: &'a [bool],
    state: NodeId,
}

impl Recurrence<'_> {
    /// A node as an affine function of the state; nothing if it is none, or depends on another state.
    fn of(&mut self, id: NodeId) -> Option<Affine> {
        if id == self.state {
            let one = self.graph.scalar(1.0);
            return Some(Affine { factor: Some(one), rest: None });
        }
        if self.is_free[id.index()] {
            return Some(Affine { factor: None, rest: Some(id) });
        }
        match self.graph[id].op {
            Op::Map(Unary::Copy, a) => self.of(a),
            Op::Map(Unary::Neg, a) => {
                let Affine { factor, rest } = self.of(a)?;
                let mut negative = |id: Option<NodeId>| id.map(|id| self.graph.map(Unary::Neg, id));
                Some(Affine { factor: negative(factor), rest: negative(rest) })
            }
            Op::Zip(function @ (Binary::Add | Binary::Sub), a, b) => {
                let (a, b) = (self.of(a)?, self.of(b)?);
                Some(Affine {
                    factor: self.combine(function, a.factor, b.factor),
                    rest: self.combine(function, a.rest, b.rest),
                })
            }
            Op::Zip(Binary::Mul, a, b) if self.is_free[a.index()] => self.scaled(Binary::Mul, b, a),
            Op::Zip(function @ (Binary::Mul | Binary::Div), a, b) if self.is_free[b.index()] => {
                self.scaled(function, a, b)
            }
            _ => None,
        }
    }

    fn combine(&mut self, function: Binary, a: Option<NodeId>, b: Option<NodeId>) -> Option<NodeId> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.graph.zip(function, a, b)),
            (None, Some(b)) if function == Binary::Sub => Some(self.graph.map(Unary::Neg, b)),
            (a, b) => a.or(b),
        }
    }

    fn scaled(&mut self, function: Binary, of: NodeId, by: NodeId) -> Option<Affine> {
        let Affine { factor, rest } = self.of(of)?;
        let mut scaled = |id: Option<NodeId>| id.map(|id| self.graph.zip(function, id, by));
        Some(Affine { factor: scaled(factor), rest: scaled(rest) })
    }
}
