//! The gradients of parameters as sums over all rows of the batch and all time steps: which there are, and where each goes.

use std::collections::HashMap;

use super::differentiated::Derived;
use crate::{
    error::{Refusal, Result},
    ir::graph::{Binary, Id, Leaf, Op},
    plan::emit::view_of,
    plan::parameter_program::Location,
    plan::schedule::{Layout, View},
};

/// A sum over all rows of the batch and all time steps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reduction {
    /// `to (+)= aᵀ · b`; the numbers of a row of `to` lie next to each other. With a place among its sums each chunk adds
    /// it up there for itself, a block of time steps at a time.
    Outer { a: View, b: View, to: Location, add: bool, place: Option<usize> },
    /// `to (+)=` the sum that each chunk made, row by row.
    Sum { place: usize, to: Location, add: bool },
    /// All entries one number.
    Fill { to: Location, value: f64 },
}

/// Where each parameter's gradient goes, and whether something is there already.
pub(crate) struct Gradients<'a> {
    pub(crate) at: &'a [Location],
    pub(crate) begun: &'a mut [bool],
}

impl Derived {
    /// Plans the gradients of all parameters.
    pub(super) fn reductions(
        &self,
        computed: (&HashMap<Id, View>, &[usize], bool),
        gradients: &mut Gradients<'_>,
        layout: &mut Layout<'_>,
        reductions: &mut Vec<Reduction>,
    ) -> Result<()> {
        let mut params: Vec<(usize, Id)> = self
            .gradients
            .iter()
            .filter_map(|(leaf, &id)| match leaf {
                Leaf::Param(number) => Some((*number, id)),
                _ => None,
            })
            .collect();
        params.sort_unstable();
        for (number, id) in params {
            let add = std::mem::replace(&mut gradients.begun[number], true);
            self.reduce(id, gradients.at[number], add, computed, layout, reductions)?;
        }
        Ok(())
    }

    /// Whether a fixed value depends on sums over the batch.
    fn is_reduced(&self, id: Id) -> bool {
        match self.graph[id].op {
            Op::Outer(..) => true,
            Op::SumRows(a) if self.graph.is_batch(a) => true,
            _ => self.graph.operands(id).iter().any(|&operand| self.is_reduced(operand)),
        }
    }

    /// Plans that a gradient is summed into a place.
    fn reduce(
        &self,
        id: Id,
        to: Location,
        add: bool,
        computed: (&HashMap<Id, View>, &[usize], bool),
        layout: &mut Layout<'_>,
        reductions: &mut Vec<Reduction>,
    ) -> Result<()> {
        let (views, sums, by_blocks) = computed;
        let graph = &self.graph;
        let missing = || Refusal::new("the gradient of a product that nothing computes");
        let same = |operand: Id| graph[operand].rows == graph[id].rows && graph[operand].columns == graph[id].columns;
        match graph[id].op.clone() {
            Op::Outer(a, b) => {
                let a = view_of(graph, views, a).ok_or_else(missing)?;
                let b = view_of(graph, views, b).ok_or_else(missing)?;
                // A transposed sum is that of the exchanged operands.
                let (a, b, to) = if to.column == 1 { (a, b, to) } else { (b, a, to.transposed()) };
                let place = by_blocks.then(|| layout.total(to.rows * to.columns));
                reductions.push(Reduction::Outer { a, b, to, add, place });
            }
            Op::SumRows(a) if graph.is_batch(a) => {
                let number = self.sums.iter().position(|&sum| sum == a).ok_or_else(missing)?;
                reductions.push(Reduction::Sum { place: sums[number], to, add });
            }
            Op::Zip(Binary::Add, a, b) if same(a) && same(b) && self.is_reduced(a) && self.is_reduced(b) => {
                self.reduce(a, to, add, computed, layout, reductions)?;
                self.reduce(b, to, true, computed, layout, reductions)?;
            }
            Op::Transpose(a) => self.reduce(a, to.transposed(), add, computed, layout, reductions)?,
            Op::Columns(parts) => {
                let mut column = 0;
                for part in parts {
                    let columns = graph[part].columns;
                    let to = to.part((0, to.rows), (column, columns));
                    self.reduce(part, to, add, computed, layout, reductions)?;
                    column += columns;
                }
            }
            Op::Stack(parts) => {
                let mut row = 0;
                for part in parts {
                    let rows = graph.fixed_rows(part);
                    let to = to.part((row, rows), (0, to.columns));
                    self.reduce(part, to, add, computed, layout, reductions)?;
                    row += rows;
                }
            }
            Op::Fill(bits) => {
                if !add {
                    reductions.push(Reduction::Fill { to, value: f64::from_bits(bits) });
                }
            }
            _ => {
                // What is left is computed from whole sums, after them.
                if !add {
                    reductions.push(Reduction::Fill { to, value: 0.0 });
                }
                for inner in graph.needed(&[id]) {
                    let is_sum = match graph[inner].op {
                        Op::Outer(..) => true,
                        Op::SumRows(a) => graph.is_batch(a),
                        _ => false,
                    };
                    if is_sum {
                        let temporary = layout.fixed.allocate(graph.fixed_rows(inner), graph[inner].columns);
                        self.reduce(inner, temporary, false, computed, layout, reductions)?;
                        layout.fixed.give(inner, temporary);
                    }
                }
                let forward = std::mem::take(&mut layout.fixed.steps);
                layout.fixed.into(graph, id, to, true)?;
                layout.epilogue.append(&mut layout.fixed.steps);
                layout.fixed.steps = forward;
            }
        }
        Ok(())
    }
}
