//! The pass `hoist`: what does not depend on the state moves out of the time loop, where it is computed for all time steps at
//! once (loop-invariant code motion).
//!
//! Products do with what they need. Other operations follow if the loop then reads no more columns than the products'; a value
//! that is wider than all that it is made of, such as an outer product, is cheaper to compute anew than to read.

use std::collections::HashMap;

use crate::{
    id::NodeId,
    ir::{
        graph::{Graph, Node, Role, Rows, Shape},
        module::Module,
        op::{Leaf, Op},
    },
    passes::linear_recurrences::free_of_state,
};

/// The time step in two parts.
pub(crate) fn run(module: &Module) -> Module {
    let hoisted = hoist(&module.step, false);
    let all = hoist(&module.step, true);
    let columns =
        |module: &Module| -> usize { module.hoisted.outputs.iter().map(|&(_, id)| module.hoisted.columns(id)).sum() };
    let is_work = |id: NodeId| !matches!(all.hoisted[id].op, Op::Linear { .. } | Op::Slice { .. } | Op::Leaf(_));
    let is_worth_it = all.hoisted.output_nodes().into_iter().any(is_work) && columns(&all) <= columns(&hoisted);
    if is_worth_it { all } else { hoisted }
}

/// The time step in two parts. `takes_all` says whether other operations than products move too.
fn hoist(graph: &Graph, takes_all: bool) -> Module {
    let mut hoisting = Hoisting {
        graph,
        is_hoisted: hoistable(graph, takes_all),
        depends_on_state: free_of_state(graph).into_iter().map(|is_free| !is_free).collect(),
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

/// Whether the time step reads each node as a hoisted value, if it reads it.
fn hoistable(graph: &Graph, takes_all: bool) -> Vec<bool> {
    let is_free = free_of_state(graph);
    let mut is_hoisted: Vec<bool> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        let operands = graph[id].op.operands();
        let of_batch = || operands.iter().filter(|&&operand| graph.is_batch(operand));
        let is = match &graph[id].op {
            Op::Leaf(Leaf::Input) => true,
            Op::Linear { .. } => graph.is_batch(id) && is_free[id.index()],
            Op::Leaf(_) | Op::Fill(_) => false,
            _ => {
                let width: usize = of_batch().map(|&operand| graph.columns(operand)).sum();
                let reads_hoisted = of_batch().all(|operand| is_hoisted[operand.index()]);
                takes_all && graph.is_batch(id) && width >= graph.columns(id) && reads_hoisted
            }
        };
        is_hoisted.push(is);
    }
    is_hoisted
}

struct Hoisting<'a> {
    graph: &'a Graph,
    is_hoisted: Vec<bool>,
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
            _ if self.is_hoisted[id.index()] => {
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
