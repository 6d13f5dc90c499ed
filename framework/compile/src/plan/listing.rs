//! Plans as text.

use std::fmt::{Display, Formatter, Result};

use crate::{
    model::Needs,
    plan::{
        assign_buffers::{CellBuffers, GraphBuffers},
        builder::PlanBuilder,
        fused_kernel::{FusedKernel, Operand},
        layer::Layer,
        model::ExecutionPlan,
        reductions::Reduction,
        schedule::{Buffer, Schedule, Task, Weight},
    },
};

/// A layer's products with their shapes, and its fused kernels with their operations.
pub(crate) struct LayerListing<'a> {
    pub(crate) layer: &'a Layer,
    pub(crate) weights: &'a [Weight],
    /// Bytes of an element.
    pub(crate) size: usize,
}

impl Display for LayerListing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let prefix = &self.layer.prefix;
        let phases = ["before the time loop", "time step, forward", "time step, backward", "after the time loop"];
        for (phase, schedule) in phases.into_iter().zip(self.layer.schedules()) {
            if !schedule.tasks.is_empty() {
                writeln!(f, "{prefix}{phase}:")?;
                self.schedule(f, schedule)?;
            }
        }
        let outers: Vec<_> = self.layer.reductions().filter_map(outer_shape).collect();
        if !outers.is_empty() {
            let when = if self.layer.accumulates_by_block { "time block by time block" } else { "at once" };
            writeln!(f, "{prefix}gradients, over all rows of all steps, {when}:")?;
        }
        outers
            .iter()
            .try_for_each(|(rows, columns)| writeln!(f, "  product [{rows}, rows x steps] x [rows x steps, {columns}]"))
    }
}

impl LayerListing<'_> {
    fn schedule(&self, f: &mut Formatter<'_>, schedule: &Schedule) -> Result {
        schedule.tasks.iter().try_for_each(|task| match task {
            Task::Multiply(multiply) => {
                let at = self.weights[multiply.weight.index()].at;
                let adds = if multiply.init.is_some() { ", added" } else { "" };
                writeln!(f, "  product [rows, {}] x [{}, {}]{adds}", at.rows, at.rows, at.columns)
            }
            Task::Fused(kernel) => {
                let opcodes: Vec<String> = kernel.instructions.iter().map(|one| one.opcode.to_string()).collect();
                let bytes = elements_in_memory(kernel) * self.size;
                let count = opcodes.len();
                writeln!(f, "  fused kernel of {count} operations, {bytes} bytes a row: {}", opcodes.join(" "))
            }
        })
    }
}

/// The elements that a kernel reads and writes outside registers, for one row.
fn elements_in_memory(kernel: &FusedKernel) -> usize {
    let is_outside = |operand: &&Operand| operand.slot.is_some() && operand.row_stride > 0;
    let of_instruction = kernel.instructions.iter().map(|instruction| {
        let operands = instruction.operands().iter().chain([&instruction.to]);
        operands.filter(is_outside).count() * instruction.width()
    });
    of_instruction.sum()
}

/// The shape of a gradient that is a product.
fn outer_shape(reduction: &Reduction) -> Option<(usize, usize)> {
    match reduction {
        Reduction::Outer { to, .. } => Some((to.rows, to.columns)),
        Reduction::Sum { .. } | Reduction::Fill { .. } => None,
    }
}

/// All layers of a plan, and the memory that it takes.
pub(crate) fn listing(plan: &ExecutionPlan, needs: Needs, size: usize) -> String {
    let layer = |layer| LayerListing { layer, weights: &plan.weights, size }.to_string();
    let layers: String = plan.layers.iter().map(layer).collect();
    let Needs { fixed, shard, row, row_and_step } = needs;
    let [fixed, shard, row, row_and_step] = [fixed, shard, row, row_and_step].map(|elements| elements * size);
    format!(
        "{layers}memory of the whole model:\n  {fixed} bytes, {shard} bytes a shard of rows, {row} bytes a row, \
         {row_and_step} bytes a row and step\n"
    )
}

/// The buffers of a cell, and the values in them.
pub(crate) struct BufferListing<'a> {
    pub(crate) buffers: &'a CellBuffers,
    pub(crate) plan: &'a PlanBuilder,
}

impl Display for BufferListing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (name, buffers) in [("before the time loop", &self.buffers.hoisted), ("time step", &self.buffers.step)] {
            if !buffers.views.is_empty() {
                writeln!(f, "{name}:")?;
                self.graph(f, buffers)?;
            }
        }
        Ok(())
    }
}

impl BufferListing<'_> {
    fn graph(&self, f: &mut Formatter<'_>, buffers: &GraphBuffers) -> Result {
        let mut views: Vec<_> = buffers.views.iter().collect();
        views.sort_unstable_by_key(|(id, _)| **id);
        for (id, view) in views {
            let Buffer { width, kind } = self.plan.buffers[view.buffer.index()];
            let number = view.buffer.index();
            write!(f, "  {id} in buffer {number} ({kind:?}, {width} columns), from column {}", view.offset)?;
            writeln!(f, "{}", if view.shift > 0 { ", at the next time step" } else { "" })?;
        }
        for (phase, assignment) in [("forward", &buffers.forward), ("backward", &buffers.backward)] {
            let registers: Vec<String> = assignment
                .compute
                .iter()
                .filter(|(id, _)| !buffers.views.contains_key(id))
                .map(|(id, _)| id.to_string())
                .collect();
            if !registers.is_empty() {
                writeln!(f, "  {phase}, in registers: {}", registers.join(" "))?;
            }
        }
        Ok(())
    }
}
