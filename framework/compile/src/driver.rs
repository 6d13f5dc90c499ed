//! The compiler's driver: the passes that make a layer of a cell, in their order.
//!
//! ```text
//! lower → merge-products → linear-recurrences → hoist → differentiate → fuse → assign-buffers → emit
//! ```
//!
//! Each is a function of its input. The verifier runs after each that makes graphs.

#[cfg(test)]
mod tests;

use std::fmt::{Display, Write};

use hatchery_plugin::burn::tensor::DType;

use crate::{
    error::{Result, Unsupported},
    ir::{
        lower::record::{CellSource, lower_cell},
        module::Module,
    },
    kernels::{Float, InstructionSet},
    model::Description,
    passes::PASSES,
    plan::{
        assign_buffers::{CellContext, assign_buffers},
        builder::PlanBuilder,
        emit::emit,
        layer::Layer,
        listing::{BufferListing, LayerListing},
        model::ExecutionPlan,
    },
};

/// Called after each pass with its name and result.
pub(crate) type Observer<'a> = &'a mut dyn FnMut(&'static str, &dyn Display);

/// The names of all passes, in their order.
pub fn pass_names() -> impl Iterator<Item = &'static str> {
    ["lower"].into_iter().chain(PASSES.iter().map(|(name, _)| *name)).chain(["assign-buffers", "emit"])
}

/// Compiles a cell into a layer of the plan.
pub(crate) fn compile_cell(
    (source, prefix): (&CellSource<'_>, &str),
    context: &CellContext<'_>,
    plan: &mut PlanBuilder,
    observe: Observer<'_>,
) -> Result<Layer> {
    let mut module = verified("lower", lower_cell(source)?)?;
    observe("lower", &module);
    for (name, pass) in PASSES {
        module = verified(name, pass(&module)?)?;
        observe(name, &module);
    }
    let buffers = assign_buffers(&module, context, plan)?;
    observe("assign-buffers", &BufferListing { buffers: &buffers, plan });
    let emitted = emit(&module, &buffers, context.input.is_tokens(), plan)?;
    let state_names = context.declared.state.iter().map(|spec| spec.name.to_string()).collect();
    let layer = Layer::new(prefix, state_names, buffers, emitted);
    observe("emit", &LayerListing { layer: &layer, weights: &plan.weights, size: source.dtype.size() });
    Ok(layer)
}

/// The result of a pass on the last layer of a model, as text; of a pass that makes graphs, with the names of their
/// parameters.
///
/// # Errors
/// When a cell or a clipper cannot be recorded, or uses an operation that is not compiled.
pub fn dump(description: &Description<'_>, after: &str) -> Result<String> {
    let mut text = String::new();
    let panel = f32::kernels(InstructionSet::available()[0]).panel;
    let plan = ExecutionPlan::new(description, DType::F32, panel, &mut |pass, result| {
        if pass == after {
            text = result.to_string();
        }
    })?;
    let prefix = description.layers.last().map_or("", |layer| layer.prefix.as_str());
    let makes_graphs = after == "lower" || PASSES.iter().any(|(name, _)| *name == after);
    let mut names = String::new();
    for (index, (name, _)) in plan.params.iter().enumerate().filter(|_| makes_graphs) {
        if let Some(name) = name.strip_prefix(prefix) {
            let _ = writeln!(names, "param {index}: {name}");
        }
    }
    Ok(names + &text)
}

/// A module that the verifier has no objection to.
fn verified(pass: &str, module: Module) -> Result<Module> {
    match module.verify() {
        Ok(()) => Ok(module),
        Err(fault) => Err(Unsupported::new(format!("a graph that the pass `{pass}` made malformed: {fault}"))),
    }
}
