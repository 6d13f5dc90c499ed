//! The pass `hoist`: products that do not depend on the state move out of the time loop, where they are computed for all
//! time steps at once (loop-invariant code motion).
//!
//! Only products are worth it, with what they need; the other operations of a step are cheaper where their operands are in
//! the cache.

use std::collections::HashMap;

use crate::{
    id::NodeId,
    ir::{
        graph::{Graph, Node, Role, Rows, Shape},
        module::Module,
        op::{Leaf, Op},
    },
};

/// The time step in two parts.
pub(crate) fn run(module: &Module) -> Module {
    let graph = &module.step;
    // What needs noise of a step has a row for each sequence, where the first layer's hoisted values have one for each token.
    let mut depends_on_state = vec![false; graph.len()];
    for id in graph.ids() {
        depends_on_state[id.index()] = matches!(graph[id].op, Op::Leaf(Leaf::State(_) | Leaf::Noise(_)))
            || graph[id].op.operands().iter().any(|operand| depends_on_state[operand.index()]);
    }
    let mut hoisting = Hoisting {
        graph,
        depends_on_state,
        hoisted: graph.empty(),
        hoisted_nodes: HashMap::new(),
        step: graph.empty(),
        step_nodes: HashMap::new(),
    };
    for &(role, node) in &graph.outputs {
        let node = hoisting.in_step(node);
        hoisting.step.outputs.push((role, node));
    }
    Module { hoisted: hoisting.hoisted, step: hoisting.step }
}

struct Hoisting<'a> {
    graph: &'a Graph,
    depends_on_state: Vec<bool>,
    hoisted: Graph,
    hoisted_nodes: HashMap<NodeId, NodeId>,
    step: Graph,
    step_nodes: HashMap<NodeId, NodeId>,
}

impl Hoisting<'_> {
    /// The node in the graph before the loop.
    fn before_loop(&mut self, id: NodeId) -> NodeId {
        if let Some(&known) = self.hoisted_nodes.get(&id) {
            return known;
        }
        let Node { op, shape } = self.graph[id].clone();
        let op = op.with_operands(|operand| self.before_loop(operand));
        let made = self.hoisted.add(op, shape);
        self.hoisted_nodes.insert(id, made);
        made
    }

    /// The leaf of the loop that stands for a node before it.
    fn hoist(&mut self, before: NodeId) -> NodeId {
        let outputs = &mut self.hoisted.outputs;
        let number = outputs.iter().position(|&(_, known)| known == before).unwrap_or_else(|| {
            outputs.push((Role::Hoisted(outputs.len()), before));
            outputs.len() - 1
        });
        let columns = self.hoisted.columns(before);
        self.step.leaf(Leaf::Hoisted(number), Shape::batch(columns))
    }

    /// The node in the loop.
    fn in_step(&mut self, id: NodeId) -> NodeId {
        if let Some(&known) = self.step_nodes.get(&id) {
            return known;
        }
        let Node { op, shape } = self.graph[id].clone();
        let made = match op {
            Op::Leaf(Leaf::Input) => {
                let before = self.before_loop(id);
                self.hoist(before)
            }
            Op::Linear { .. } if shape.rows == Rows::Batch && !self.depends_on_state[id.index()] => {
                let before = self.before_loop(id);
                self.hoist(before)
            }
            Op::Linear { terms, init } if shape.rows == Rows::Batch => self.linear(terms, init, shape),
            op => {
                let op = op.with_operands(|operand| self.in_step(operand));
                self.step.add(op, shape)
            }
        };
        self.step_nodes.insert(id, made);
        made
    }

    /// A sum of products of which some depend on the state: the others begin the sum, computed before the loop.
    fn linear(&mut self, terms: Vec<(NodeId, NodeId)>, init: Option<NodeId>, shape: Shape) -> NodeId {
        let (inside, outside): (Vec<_>, Vec<_>) =
            terms.into_iter().partition(|(a, b)| self.depends_on_state[a.index()] || self.depends_on_state[b.index()]);
        let init = if outside.is_empty() {
            init.map(|init| self.in_step(init))
        } else {
            let terms = outside.iter().map(|&(a, b)| (self.before_loop(a), self.before_loop(b))).collect();
            let init = init.map(|init| self.before_loop(init));
            let sum = self.hoisted.add(Op::Linear { terms, init }, shape);
            Some(self.hoist(sum))
        };
        let terms = inside.iter().map(|&(a, b)| (self.in_step(a), self.in_step(b))).collect();
        self.step.add(Op::Linear { terms, init }, shape)
    }
}
