//! The compiled program of a model, for people to read.

use std::fmt::Write;

use crate::{
    plan::layer::Reduction,
    plan::model::ExecutionPlan,
    plan::schedule::{Body, Step},
};

/// Every product with its shape and every program with its operations, layer by layer.
pub(crate) fn listing(program: &ExecutionPlan, size: usize) -> String {
    let mut text = String::new();
    for (prefix, layer, _) in &program.layers {
        let parts = [
            ("before the loop", &layer.before.forward),
            ("a step forward", &layer.step.forward),
            ("a step backward", &layer.step.backward),
            ("after the loop", &layer.before.backward),
        ];
        for (name, body) in parts {
            if !body.steps.is_empty() {
                let _ = writeln!(text, "{prefix}{name}:");
                write_body(&mut text, program, body, size);
            }
        }
        let outers: Vec<_> =
            layer.step.reductions.iter().chain(&layer.before.reductions).filter_map(of_outer).collect();
        if !outers.is_empty() {
            let when = if layer.is_summed_by_blocks { "block by block of steps" } else { "at once" };
            let _ = writeln!(text, "{prefix}gradients, over all rows of all steps, {when}:");
        }
        for (rows, columns) in outers {
            let _ = writeln!(text, "  product [{rows}, rows x steps] x [rows x steps, {columns}]");
        }
    }
    text
}

/// The shape of a gradient that is a product.
fn of_outer(reduction: &Reduction) -> Option<(usize, usize)> {
    match reduction {
        Reduction::Outer { to, .. } => Some((to.rows, to.columns)),
        _ => None,
    }
}

fn write_body(text: &mut String, program: &ExecutionPlan, body: &Body, size: usize) {
    for step in &body.steps {
        let _ = match step {
            Step::Multiply(multiply) => {
                let at = program.weights[multiply.weight].0.at;
                let adds = if multiply.init.is_some() { ", added" } else { "" };
                writeln!(text, "  product [rows, {}] x [{}, {}]{adds}", at.rows, at.rows, at.columns)
            }
            Step::Program(list) => {
                // What is read and written outside registers, for one row.
                let outside = |place: &crate::plan::instruction::Place| place.slot.is_some() && place.stride > 0;
                let numbers: usize = list
                    .instructions
                    .iter()
                    .map(|instruction| {
                        let places = instruction.from.iter().chain([&instruction.to]);
                        places.filter(|place| outside(place)).count() * instruction.width
                    })
                    .sum();
                let codes: Vec<String> =
                    list.instructions.iter().map(|instruction| instruction.code.to_string()).collect();
                let count = codes.len();
                writeln!(text, "  program of {count} operations, {} bytes a row: {}", numbers * size, codes.join(" "))
            }
        };
    }
}
