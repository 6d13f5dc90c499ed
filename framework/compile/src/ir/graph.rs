//! The compiler's own graph: matrices and the operations that connect them, without time or memory.
//!
//! A node's rows are either those of the batch, whatever its size, or a static number, for parameters and values that
//! depend on parameters alone. Equal nodes are one node (hash consing); `build.rs` has the functions that make nodes and
//! fold what needs no computation.

use std::collections::HashMap;

use super::op::{Leaf, Op};
use crate::id::NodeId;

/// The number of rows of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rows {
    /// One for each sequence of the batch.
    Batch,
    /// Known when the model is compiled.
    Static(usize),
}

/// The shape of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub(crate) rows: Rows,
    pub(crate) columns: usize,
}

impl Shape {
    pub(crate) const SCALAR: Self = Self::fixed(1, 1);

    pub(crate) const fn batch(columns: usize) -> Self {
        Self { rows: Rows::Batch, columns }
    }

    pub(crate) const fn fixed(rows: usize, columns: usize) -> Self {
        Self { rows: Rows::Static(rows), columns }
    }
}

/// One matrix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) shape: Shape,
}

/// The meaning of an output of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// The output of the cell.
    Output,
    /// A state vector after the time step.
    NextState(usize),
    /// A value that the time loop reads as [`Leaf::Hoisted`].
    Hoisted(usize),
    /// The gradient of a leaf.
    Gradient(Leaf),
    /// A parameter's gradient after the clippers.
    Clipped(usize),
}

/// A constant matrix of the recorded function, its values row by row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Constant {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) values: Vec<f64>,
}

/// Matrices that depend on each other; a node comes after its operands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(super) nodes: Vec<Node>,
    known: HashMap<Node, NodeId>,
    pub(crate) constants: Vec<Constant>,
    /// The values that the graph is there for.
    pub(crate) outputs: Vec<(Role, NodeId)>,
}

impl std::ops::Index<NodeId> for Graph {
    type Output = Node;

    fn index(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }
}

impl Graph {
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// All nodes, each after its operands.
    pub(crate) fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId::new)
    }

    /// A graph with the same constants, without nodes and outputs.
    pub(crate) fn empty(&self) -> Self {
        Self { constants: self.constants.clone(), ..Self::default() }
    }

    pub(crate) fn shape(&self, id: NodeId) -> Shape {
        self[id].shape
    }

    pub(crate) fn columns(&self, id: NodeId) -> usize {
        self[id].shape.columns
    }

    pub(crate) fn is_batch(&self, id: NodeId) -> bool {
        self[id].shape.rows == Rows::Batch
    }

    /// The number of rows of a static matrix.
    pub(crate) fn static_rows(&self, id: NodeId) -> usize {
        match self[id].shape.rows {
            Rows::Static(rows) => rows,
            Rows::Batch => panic!("the rows of a batch value are not known when the model is compiled"),
        }
    }

    /// The value of every entry of the matrix, if they are all the same.
    pub(crate) fn fill_of(&self, id: NodeId) -> Option<f64> {
        match self[id].op {
            Op::Fill(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    /// Adds a node as it is, or finds the equal one.
    pub(crate) fn add(&mut self, op: Op, shape: Shape) -> NodeId {
        let node = Node { op, shape };
        if let Some(&id) = self.known.get(&node) {
            return id;
        }
        let id = NodeId::new(self.nodes.len());
        self.nodes.push(node.clone());
        self.known.insert(node, id);
        id
    }

    /// The node of a leaf, if the graph has it.
    pub(crate) fn leaf_node(&self, leaf: Leaf) -> Option<NodeId> {
        self.ids().find(|&id| self[id].op == Op::Leaf(leaf))
    }

    /// The node of an output.
    pub(crate) fn output(&self, role: Role) -> Option<NodeId> {
        self.outputs.iter().find(|(known, _)| *known == role).map(|&(_, id)| id)
    }

    /// The gradient of a leaf, if the graph computes it.
    pub(crate) fn gradient(&self, leaf: Leaf) -> Option<NodeId> {
        self.output(Role::Gradient(leaf))
    }

    /// The nodes of all outputs.
    pub(crate) fn output_nodes(&self) -> Vec<NodeId> {
        self.outputs.iter().map(|&(_, id)| id).collect()
    }

    /// Every node that the roots depend on, themselves included, each after its operands.
    pub(crate) fn reachable(&self, roots: &[NodeId]) -> Vec<NodeId> {
        let mut marked = vec![false; self.len()];
        roots.iter().for_each(|root| marked[root.index()] = true);
        for id in self.ids().rev() {
            if marked[id.index()] {
                self[id].op.operands().iter().for_each(|operand| marked[operand.index()] = true);
            }
        }
        self.ids().filter(|id| marked[id.index()]).collect()
    }

    /// The number of uses of each node by the nodes that the roots depend on; a root counts as a use.
    pub(crate) fn uses(&self, roots: &[NodeId]) -> Vec<usize> {
        let mut uses = vec![0; self.len()];
        let operands = self.reachable(roots).into_iter().flat_map(|id| self[id].op.operands());
        operands.chain(roots.iter().copied()).for_each(|id| uses[id.index()] += 1);
        uses
    }

    /// A graph with the same outputs, made by `visit` from the nodes that they depend on. It gets each node with its
    /// operands already replaced, and returns the replacement in the new graph.
    pub(crate) fn rebuild(&self, mut visit: impl FnMut(&mut Self, NodeId, Op) -> NodeId) -> Self {
        let mut new = self.empty();
        let mut replaced: HashMap<NodeId, NodeId> = HashMap::new();
        for id in self.reachable(&self.output_nodes()) {
            let op = self[id].op.with_operands(|old| replaced[&old]);
            let made = visit(&mut new, id, op);
            replaced.insert(id, made);
        }
        new.outputs = self.outputs.iter().map(|&(role, id)| (role, replaced[&id])).collect();
        new
    }
}
