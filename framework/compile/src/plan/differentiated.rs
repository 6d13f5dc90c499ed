//! A graph of a cell with its gradients: what is computed forward, what backward, and of what gradients are summed.

use std::collections::{HashMap, HashSet};

use super::layer::base;
use crate::{
    error::Result,
    ir::graph::{Graph, Id, Leaf, Op, Rows},
    passes::differentiate::differentiate,
    passes::fuse::fuse,
    passes::merge_products::gather,
    plan::emit::{self, Task},
    plan::schedule::{Body, Kind, Layout, View},
};

/// A graph with its gradients.
pub(super) struct Derived {
    pub(super) graph: Graph,
    /// The results.
    pub(super) roots: Vec<Id>,
    pub(super) gradients: HashMap<Leaf, Id>,
    /// The batch values computed forward, and those computed backward.
    forward: Vec<Id>,
    backward: Vec<Id>,
    /// Sums over the batch that gradients of parameters are made of.
    pub(super) sums: Vec<Id>,
    pub(super) outers: Vec<(Id, Id)>,
    /// Zeros as wide as the input, for an input that nothing depends on.
    pub(super) zero: Option<Id>,
}

impl Derived {
    /// Differentiates a graph with the seeds that `seed` makes, and gathers and fuses what can be.
    pub(super) fn new(mut graph: Graph, roots: &[Id], seed: impl FnOnce(&mut Graph) -> Vec<(Id, Id)>) -> Result<Self> {
        let seeds = seed(&mut graph);
        let leaves: Vec<(Leaf, Id)> = (0..graph.len())
            .filter_map(|id| match graph[id].op {
                Op::Leaf(leaf) => Some((leaf, id)),
                _ => None,
            })
            .collect();
        let gradients = differentiate(&mut graph, &seeds)?;
        let given: Vec<(Leaf, Id)> =
            leaves.iter().filter_map(|&(leaf, id)| Some((leaf, (*gradients.get(id)?)?))).collect();
        let zero = leaves
            .iter()
            .find(|(leaf, _)| *leaf == Leaf::X)
            .map(|&(_, id)| graph[id].columns)
            .map(|columns| graph.fill(0.0, Rows::Batch, columns));
        let all: Vec<Id> = roots
            .iter()
            .copied()
            .chain(given.iter().map(|&(_, id)| id))
            .chain(leaves.iter().map(|&(_, id)| id))
            .chain(zero)
            .collect();
        let (graph, all) = gather(&graph, &all, false);
        let (graph, all) = fuse(&graph, &all);
        let (roots, rest) = all.split_at(roots.len());
        let gradients: HashMap<Leaf, Id> = given.iter().zip(rest).map(|(&(leaf, _), &id)| (leaf, id)).collect();
        let zero = zero.and_then(|_| rest.last().copied());

        let is_computed = |&id: &Id| graph.is_batch(id) && !matches!(graph[id].op, Op::Leaf(_) | Op::Fill(_));
        let forward: Vec<Id> = graph.needed(roots).into_iter().filter(is_computed).collect();
        let known: HashSet<Id> = forward.iter().copied().collect();
        let ends: Vec<Id> = gradients
            .iter()
            .filter(|(leaf, _)| {
                !matches!(leaf, Leaf::OutputGradient | Leaf::NextGradient(_) | Leaf::HoistedGradient(_))
            })
            .map(|(_, &id)| id)
            .collect();
        let needed = graph.needed(&ends);
        let backward: Vec<Id> = needed.iter().copied().filter(is_computed).filter(|id| !known.contains(id)).collect();
        let mut sums = Vec::new();
        let mut outers = Vec::new();
        for &id in &needed {
            match graph[id].op {
                Op::Outer(a, b) => outers.push((a, b)),
                Op::SumRows(a) if graph.is_batch(a) => sums.push(a),
                _ => {}
            }
        }
        Ok(Self { roots: roots.to_vec(), graph, gradients, forward, backward, sums, outers, zero })
    }

    /// How many numbers all gradients that are outer products have.
    pub(super) fn numbers_of_outers(&self) -> usize {
        self.outers.iter().map(|&(a, b)| self.graph[a].columns * self.graph[b].columns).sum()
    }

    pub(super) fn gradient(&self, leaf: Leaf) -> Option<Id> {
        self.gradients.get(&leaf).copied()
    }

    pub(super) fn leaf(&self, leaf: Leaf) -> Option<Id> {
        (0..self.graph.len()).find(|&id| self.graph[id].op == Op::Leaf(leaf))
    }

    pub(super) fn place(&self, leaf: Leaf, view: View, views: &mut HashMap<Id, View>) {
        if let Some(id) = self.leaf(leaf) {
            views.insert(id, view);
        }
    }

    /// What the backward part uses, itself not included: slices by what they are cut from.
    pub(super) fn used_backward(&self) -> HashSet<Id> {
        let operands = self.backward.iter().flat_map(|&id| self.graph.operands(id));
        let outers = self.outers.iter().flat_map(|&(a, b)| [a, b]);
        operands.chain(outers).chain(self.sums.iter().copied()).map(|id| base(&self.graph, id)).collect()
    }

    pub(super) fn forward(
        &self,
        (kept, passing): (Kind, Kind),
        results: &[(Id, View)],
        views: &mut HashMap<Id, View>,
        layout: &mut Layout<'_>,
    ) -> Result<Body> {
        let known: HashSet<Id> = self.forward.iter().copied().collect();
        let keep = self.used_backward().into_iter().chain(self.roots.iter().copied());
        let keep: HashSet<Id> = keep.filter(|id| known.contains(id)).collect();
        let graph = &self.graph;
        let task = Task { graph, compute: &self.forward, keep: &keep, kept, passing, results, sums: &[] };
        Ok(emit::compile(&task, views, layout)?.0)
    }

    pub(super) fn backward(
        &self,
        (kept, passing): (Kind, Kind),
        results: &[(Id, View)],
        keep: &[Id],
        views: &mut HashMap<Id, View>,
        layout: &mut Layout<'_>,
    ) -> Result<(Body, Vec<usize>)> {
        let known: HashSet<Id> = self.backward.iter().copied().collect();
        let keep = self.outers.iter().flat_map(|&(a, b)| [a, b]).chain(keep.iter().copied());
        let keep: HashSet<Id> = keep.filter(|id| known.contains(id)).collect();
        let graph = &self.graph;
        let task = Task { graph, compute: &self.backward, keep: &keep, kept, passing, results, sums: &self.sums };
        emit::compile(&task, views, layout)
    }
}
