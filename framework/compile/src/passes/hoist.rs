//! What of a step can be computed for all time steps at once: everything that does not depend on the state.
//!
//! Only products are worth it, and what they need; the rest of the step's operations is cheaper where its operands are
//! in the cache.

use std::collections::HashMap;

use crate::ir::graph::{Graph, Id, Leaf, Node, Op, Rows};

/// A step in two parts.
pub(crate) struct Split {
    /// Computed for all time steps at once; depends on the input and on parameters.
    pub(crate) before: Graph,
    /// The nodes of `before` that the time loop uses, by the number of [`Leaf::Hoisted`].
    pub(crate) hoisted: Vec<Id>,
    /// The time loop.
    pub(crate) step: Graph,
    /// The output and the next state.
    pub(crate) roots: Vec<Id>,
}

/// Splits the step of a cell.
pub(crate) fn split(graph: &Graph, roots: &[Id]) -> Split {
    let mut carried = vec![false; graph.len()];
    for id in graph.needed(roots) {
        carried[id] = matches!(graph[id].op, Op::Leaf(Leaf::State(_)))
            || graph.operands(id).iter().any(|&operand| carried[operand]);
    }
    let mut splitting = Splitting {
        graph,
        carried,
        before: graph.empty(),
        before_place: HashMap::new(),
        step: graph.empty(),
        step_place: HashMap::new(),
        hoisted: Vec::new(),
    };
    let roots = roots.iter().map(|&root| splitting.step(root)).collect();
    Split { before: splitting.before, hoisted: splitting.hoisted, step: splitting.step, roots }
}

struct Splitting<'a> {
    graph: &'a Graph,
    /// Whether a node depends on the state.
    carried: Vec<bool>,
    before: Graph,
    before_place: HashMap<Id, Id>,
    step: Graph,
    step_place: HashMap<Id, Id>,
    hoisted: Vec<Id>,
}

impl Splitting<'_> {
    /// The node in the part before the loop.
    fn before(&mut self, id: Id) -> Id {
        if let Some(&known) = self.before_place.get(&id) {
            return known;
        }
        let Node { op, rows, columns } = self.graph[id].clone();
        let op = op.with_operands(|operand| self.before(operand));
        let made = self.before.add(op, rows, columns);
        self.before_place.insert(id, made);
        made
    }

    /// The leaf of the loop that stands for a node before it.
    fn hoist(&mut self, before: Id) -> Id {
        let number = self.hoisted.iter().position(|&known| known == before).unwrap_or_else(|| {
            self.hoisted.push(before);
            self.hoisted.len() - 1
        });
        let columns = self.before[before].columns;
        self.step.leaf(Leaf::Hoisted(number), Rows::Batch, columns)
    }

    /// The node in the loop.
    fn step(&mut self, id: Id) -> Id {
        if let Some(&known) = self.step_place.get(&id) {
            return known;
        }
        let Node { op, rows, columns } = self.graph[id].clone();
        let made = match op {
            Op::Leaf(Leaf::X) => {
                let before = self.before(id);
                self.hoist(before)
            }
            Op::Linear { .. } if rows == Rows::Batch && !self.carried[id] => {
                let before = self.before(id);
                self.hoist(before)
            }
            Op::Linear { terms, init } if rows == Rows::Batch => {
                let (inside, outside): (Vec<_>, Vec<_>) =
                    terms.into_iter().partition(|&(a, b)| self.carried[a] || self.carried[b]);
                let init = if outside.is_empty() {
                    init.map(|init| self.step(init))
                } else {
                    let terms = outside.iter().map(|&(a, b)| (self.before(a), self.before(b))).collect();
                    let init = init.map(|init| self.before(init));
                    let sum = self.before.add(Op::Linear { terms, init }, rows, columns);
                    Some(self.hoist(sum))
                };
                let terms = inside.iter().map(|&(a, b)| (self.step(a), self.step(b))).collect();
                self.step.add(Op::Linear { terms, init }, rows, columns)
            }
            op => {
                let op = op.with_operands(|operand| self.step(operand));
                self.step.add(op, rows, columns)
            }
        };
        self.step_place.insert(id, made);
        made
    }
}
