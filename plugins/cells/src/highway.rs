//! Highway connection: a gate weighs output and input.

use hatchery_plugin::prelude::*;

use crate::residual::same_width;

/// Weighs the output y of the cell within and its own input by a gate: `t y + (1 − t) x` with `t = σ(W x + b)` (Srivastava
/// et al. 2015).
///
/// Input and output must be equally wide.
///
/// ```toml
/// [cell]
/// type = "lstm"
/// hidden = 128
/// wrap = [{ type = "highway", bias = -1.0 }]
///
/// [model]
/// embedding = 128
/// ```
#[plugin(wrapper = "highway")]
#[derive(Clone, Debug)]
pub struct Highway {
    /// First value of the gate's bias: below zero, the input passes at first.
    #[plugin(default = -1.0)]
    pub bias: f64,
}

// ANCHOR: wrapper
impl Wrapper for Highway {
    fn declare(&self, inputs: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
        let gate = bias("b", inputs).initializer(Initializer::Constant { value: self.bias });
        Ok(Declaration { params: vec![weight("w", [inputs, inputs]), gate], ..same_width(inputs, cell)? })
    }

    fn step(&self, cell: &mut Inner<'_>, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [w, b] = params.get(["w", "b"]);
        let t = sigmoid(linear(x.clone(), w, b)); // [batch, outputs]
        let y = cell.step(x.clone()); // [batch, outputs]
        (x.clone() + t * (y - x), state) // t y + (1 − t) x
    }

    fn keeps_identity(&self) -> bool {
        true
    }
}
// ANCHOR_END: wrapper
