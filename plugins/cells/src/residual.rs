//! Residual connection: the input is added to the output.

use hatchery_plugin::prelude::*;

/// Adds its input to the output of the cell within: `y + x` (He et al. 2016).
///
/// Input and output must be equally wide: give the cell the width of the layer below, or put a `projection` between them.
///
/// ```toml
/// [cell]
/// type = "gru"
/// hidden = 128
/// wrap = ["residual"]
///
/// [model]
/// embedding = 128
/// ```
#[plugin(wrapper = "residual")]
#[derive(Clone, Debug)]
pub struct Residual {}

// ANCHOR: wrapper
impl Wrapper for Residual {
    fn declare(&self, inputs: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
        same_width(inputs, cell)
    }

    fn step(&self, cell: &mut Inner<'_>, _: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        (cell.step(x.clone()) + x, state) // [batch, outputs]
    }
}
// ANCHOR_END: wrapper

/// Declares the width of the output, which must be that of the input.
pub(crate) fn same_width(inputs: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
    let outputs = cell.declared.outputs;
    if outputs == inputs {
        return Ok(Declaration { outputs, ..Declaration::default() });
    }
    Err(PluginError::new(format!("an input of width {inputs} cannot be added to an output of width {outputs}"))
        .hint(format!("make both equal, or put `{{ type = \"projection\", width = {inputs} }}` before this in `wrap`")))
}
