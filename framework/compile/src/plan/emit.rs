//! The pass `emit`: the schedules of a cell, and the programs that compute what depends on parameters alone.

use crate::{
    error::Result,
    ir::{graph::Graph, module::Module, op::Leaf},
    plan::{
        assign_buffers::{CellBuffers, GraphBuffers, OneHotProduct},
        builder::PlanBuilder,
        emit_phase::emit as emit_phase,
        layer::{Gather, InitialState, OneHotTable, Phase, StateBuffers},
        noise,
        parameter_program::ParameterPlanner,
        parameters::Location,
        reductions::{self, Reduction},
        schedule::{BufferKind, Schedule},
    },
};

/// What the pass returns: the schedules of both graphs, and how rows of tables are gathered.
pub(crate) struct Emitted {
    pub(crate) hoisted: Phase,
    pub(crate) step: Phase,
    pub(crate) tables: Vec<OneHotTable>,
    pub(crate) gathers: Vec<Gather>,
}

/// Emits a cell. `is_tokens` says whether its input is one-hot or an embedding.
///
/// # Errors
/// When an operation has no kernel.
pub(crate) fn emit(module: &Module, buffers: &CellBuffers, is_tokens: bool, plan: &mut PlanBuilder) -> Result<Emitted> {
    let params = plan.params.clone();
    let mut step = Phase::default();
    let mut planner = ParameterPlanner::new(&module.step, &params);
    noise::define(&buffers.noise, &module.step, &mut planner);
    step.forward = emit_phase(&module.step, &buffers.step.forward, &buffers.step.views, &mut planner, plan)?;
    let mut gathers = buffers.gathers.clone();
    fold_gathers(&mut gathers, &mut step.forward, plan);
    step.backward = emit_phase(&module.step, &buffers.step.backward, &buffers.step.views, &mut planner, plan)?;
    step.reductions = sums(planner, &module.step, &buffers.step, buffers.accumulates_by_block, plan)?;
    step.reductions.extend(buffers.states.iter().filter_map(|state| start_gradient(state, plan)));

    let mut hoisted = Phase::default();
    let mut planner = ParameterPlanner::new(&module.hoisted, &params);
    noise::define(&buffers.noise, &module.hoisted, &mut planner);
    let views = &buffers.hoisted.views;
    hoisted.forward = emit_phase(&module.hoisted, &buffers.hoisted.forward, views, &mut planner, plan)?;
    hoisted.backward = emit_phase(&module.hoisted, &buffers.hoisted.backward, views, &mut planner, plan)?;
    let mut tables = Vec::new();
    if let Some(products) = &buffers.one_hot {
        tables = one_hot_tables(products, &gathers, &params, plan);
        if let Some(identity) = module.hoisted.leaf_node(Leaf::Input).and_then(|input| views.get(&input)) {
            // Nothing reads the one-hot vectors: they take no memory, which would be the square of the vocabulary.
            plan.buffers[identity.buffer.index()].width = 0;
        }
    } else {
        let by_block = buffers.accumulates_by_block && !is_tokens;
        hoisted.reductions = sums(planner, &module.hoisted, &buffers.hoisted, by_block, plan)?;
    }
    Ok(Emitted { hoisted, step, tables, gathers })
}

/// The sums that the gradients of a graph's parameters are. What follows from them goes to the epilogue.
fn sums(
    planner: ParameterPlanner<'_>,
    graph: &Graph,
    buffers: &GraphBuffers,
    by_block: bool,
    plan: &mut PlanBuilder,
) -> Result<Vec<Reduction>> {
    let (program, known) = planner.finish();
    plan.prologue.extend(program);
    reductions::plan(graph, buffers, by_block, known, plan)
}

/// The gradient of a state's start, if that is learned.
fn start_gradient(state: &StateBuffers, plan: &mut PlanBuilder) -> Option<Reduction> {
    let InitialState::Param { param, accumulator, .. } = state.start else { return None };
    let (to, add) = plan.gradients.contribute(param);
    Some(Reduction::Sum { accumulator, to, add })
}

/// Lets products begin with rows of a table where copies of these rows are read by nothing else.
fn fold_gathers(gathers: &mut [Gather], forward: &mut Schedule, plan: &mut PlanBuilder) {
    for Gather { table, to, .. } in gathers {
        let stride = plan.width(*table);
        if let Some(copies) = to.filter(|to| plan.buffers[to.buffer.index()].kind == BufferKind::Step)
            && forward.fold_gather(copies, *table, stride)
        {
            // Nothing writes the copies: they take no memory.
            plan.buffers[copies.buffer.index()].width = 0;
            *to = None;
        }
    }
}

fn one_hot_tables(
    products: &[OneHotProduct],
    gathers: &[Gather],
    params: &[Location],
    plan: &mut PlanBuilder,
) -> Vec<OneHotTable> {
    let mut tables = Vec::new();
    for (product, gather) in products.iter().zip(gathers) {
        let weight_gradient = plan.gradients.contribute(product.weight);
        let bias_gradient = product.bias.map(|bias| plan.gradients.contribute(bias));
        let Some(gradient) = gather.gradient else { continue };
        tables.push(OneHotTable {
            weight: params[product.weight.index()],
            bias: product.bias.map(|bias| params[bias.index()]),
            weight_gradient,
            bias_gradient,
            table: gather.table,
            table_gradient: gradient.to,
        });
    }
    tables
}
