//! The gradients of parameters as sums over all rows of the batch and all time steps: which there are, and where each goes.

use std::collections::HashMap;

use crate::{
    error::{Result, Unsupported},
    id::{NodeId, ParamId},
    ir::{
        graph::{Graph, Role},
        op::{Binary, Leaf, Op},
    },
    plan::{
        assign_buffers::GraphBuffers,
        assign_phase::{Views, view_of},
        builder::PlanBuilder,
        parameter_program::{Locations, ParameterPlanner},
        parameters::Location,
        schedule::View,
    },
};

/// A sum over all rows of the batch and all time steps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reduction {
    /// `to = aᵀ · b`, or `to += aᵀ · b`; the rows of `to` are contiguous. With an accumulator, the offset of its own sum,
    /// each shard adds it up time block by time block.
    Outer { a: View, b: View, to: Location, add: bool, accumulator: Option<usize> },
    /// `to = ` or `to +=` the sum that each shard made row by row.
    Sum { accumulator: usize, to: Location, add: bool },
    /// Every entry one value.
    Fill { to: Location, value: f64 },
}

/// Plans the gradients of all parameters of a graph. `known` are the static nodes that the prologue computes; what is
/// computed from whole sums goes to the epilogue.
pub(crate) fn plan(
    graph: &Graph,
    buffers: &GraphBuffers,
    by_block: bool,
    known: Locations,
    plan: &mut PlanBuilder,
) -> Result<Vec<Reduction>> {
    let mut gradients: Vec<(ParamId, NodeId)> = graph
        .outputs
        .iter()
        .filter_map(|&(role, id)| match role {
            Role::Gradient(Leaf::Param(param)) => Some((param, id)),
            _ => None,
        })
        .collect();
    gradients.sort_unstable();
    let params = plan.params.clone();
    let mut reducer = Reducer {
        graph,
        views: &buffers.views,
        accumulators: buffers.backward.row_sums.iter().copied().collect(),
        by_block,
        epilogue: ParameterPlanner::with_known(graph, &params, known),
        plan,
        reductions: Vec::new(),
    };
    for (param, id) in gradients {
        let (to, add) = reducer.plan.gradients.contribute(param);
        reducer.reduce(id, to, add)?;
    }
    let Reducer { epilogue, plan, reductions, .. } = reducer;
    plan.epilogue.extend(epilogue.finish().0);
    Ok(reductions)
}

struct Reducer<'a> {
    graph: &'a Graph,
    views: &'a Views,
    /// The accumulators of values whose rows are summed.
    accumulators: HashMap<NodeId, usize>,
    by_block: bool,
    epilogue: ParameterPlanner<'a>,
    plan: &'a mut PlanBuilder,
    reductions: Vec<Reduction>,
}

impl Reducer<'_> {
    /// Whether a node is a sum over the batch.
    fn is_sum(&self, id: NodeId) -> bool {
        match self.graph[id].op {
            Op::Outer(..) => true,
            Op::SumRows(a) => self.graph.is_batch(a),
            _ => false,
        }
    }

    /// Whether a static value depends on sums over the batch.
    fn depends_on_sums(&self, id: NodeId) -> bool {
        self.is_sum(id) || self.graph[id].op.operands().iter().any(|&operand| self.depends_on_sums(operand))
    }

    fn view(&self, id: NodeId) -> Result<View> {
        view_of(self.graph, self.views, id).ok_or_else(missing)
    }

    /// Plans that a gradient is summed into a location.
    fn reduce(&mut self, id: NodeId, to: Location, add: bool) -> Result<()> {
        let shape = self.graph.shape(id);
        match self.graph[id].op.clone() {
            Op::Outer(a, b) => {
                let (a, b) = (self.view(a)?, self.view(b)?);
                // A transposed sum is that of the exchanged operands.
                let (a, b, to) = if to.column_stride == 1 { (a, b, to) } else { (b, a, to.transposed()) };
                let accumulator = self.by_block.then(|| self.plan.accumulators.allocate_block(to.len()));
                self.reductions.push(Reduction::Outer { a, b, to, add, accumulator });
            }
            Op::SumRows(a) if self.graph.is_batch(a) => {
                let accumulator = *self.accumulators.get(&a).ok_or_else(missing)?;
                self.reductions.push(Reduction::Sum { accumulator, to, add });
            }
            Op::Zip(Binary::Add, a, b)
                if [a, b].iter().all(|&id| self.graph.shape(id) == shape && self.depends_on_sums(id)) =>
            {
                self.reduce(a, to, add)?;
                self.reduce(b, to, true)?;
            }
            Op::Transpose(a) => self.reduce(a, to.transposed(), add)?,
            Op::Reshape(a) if to.is_contiguous() => {
                let (rows, columns) = (self.graph.static_rows(a), self.graph.columns(a));
                self.reduce(a, Location::row_major(to.offset, rows, columns), add)?;
            }
            Op::ConcatColumns(parts) => {
                let mut column = 0;
                for part in parts {
                    let columns = self.graph.columns(part);
                    self.reduce(part, to.columns_from(column, columns), add)?;
                    column += columns;
                }
            }
            Op::ConcatRows(parts) => {
                let mut row = 0;
                for part in parts {
                    let rows = self.graph.static_rows(part);
                    self.reduce(part, to.rows_from(row, rows), add)?;
                    row += rows;
                }
            }
            Op::Fill(_) if add => {}
            Op::Fill(bits) => self.reductions.push(Reduction::Fill { to, value: f64::from_bits(bits) }),
            _ => self.compute_from_sums(id, to, add)?,
        }
        Ok(())
    }

    /// Plans a gradient that is computed from whole sums, after them.
    fn compute_from_sums(&mut self, id: NodeId, to: Location, add: bool) -> Result<()> {
        if !add {
            self.reductions.push(Reduction::Fill { to, value: 0.0 });
        }
        for inner in self.graph.reachable(&[id]) {
            if self.is_sum(inner) {
                let temporary = self.plan.memory.allocate(self.graph.static_rows(inner), self.graph.columns(inner));
                self.reduce(inner, temporary, false)?;
                self.epilogue.define(inner, temporary);
            }
        }
        self.epilogue.compute_into(&mut self.plan.memory, id, to, true)
    }
}

fn missing() -> Unsupported {
    Unsupported::new("the gradient of a product that nothing computes")
}
