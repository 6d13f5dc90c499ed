//! Projection: a linear map of the output to another width.

use hatchery_plugin::prelude::*;

/// Maps the output of the cell within to another width: `W y`.
///
/// ```toml
/// [cell]
/// type = "lstm"
/// hidden = 256
/// wrap = [{ type = "projection", width = 64 }]
/// ```
#[plugin(wrapper = "projection")]
#[derive(Clone, Debug)]
pub struct Projection {
    /// Width of the output.
    #[plugin(min = 1)]
    pub width: usize,
}

// ANCHOR: wrapper
impl Wrapper for Projection {
    fn declare(&self, _: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
        let w = weight("w", [self.width, cell.declared.outputs]);
        Ok(Declaration { outputs: self.width, params: vec![w], ..Declaration::default() })
    }

    fn step(&self, cell: &mut Inner<'_>, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        (linear_no_bias(cell.step(x), params.get("w")), state) // [batch, width]
    }
}
// ANCHOR_END: wrapper
