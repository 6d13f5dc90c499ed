//! Layer normalization before or after a cell.

use hatchery_plugin::prelude::*;

/// Normalizes each row to mean 0 and variance 1, then scales and shifts it by learned vectors (Ba et al. 2016).
///
/// ```toml
/// [cell]
/// type = "gru"
/// hidden = 128
/// wrap = [{ type = "layer-norm", place = "before" }]
///
/// [model]
/// embedding = 64
/// ```
#[plugin(wrapper = "layer-norm")]
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// What is normalized.
    #[plugin(default)]
    pub place: Place,
    /// Added to the variance.
    #[plugin(above = 0.0, default = 1e-5)]
    pub epsilon: f64,
}

/// What is normalized.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default)]
pub enum Place {
    /// The input of the cell.
    Before,
    /// The output of the cell.
    #[default]
    After,
}

// ANCHOR: wrapper
impl Wrapper for LayerNorm {
    fn declare(&self, inputs: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
        let outputs = cell.declared.outputs;
        let width = if let Place::Before = self.place { inputs } else { outputs };
        let ones = bias("gain", width).initializer(Initializer::Constant { value: 1.0 });
        Ok(Declaration { outputs, params: vec![ones, bias("b", width)], ..Declaration::default() })
    }

    fn step(&self, cell: &mut Inner<'_>, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let output = match self.place {
            Place::Before => cell.step(self.normalized(x, params)),
            Place::After => self.normalized(cell.step(x), params),
        };
        (output, state)
    }
}

impl LayerNorm {
    /// `[batch, width]`, row by row.
    fn normalized(&self, x: Tensor<2>, params: &Params) -> Tensor<2> {
        let [gain, b] = params.get(["gain", "b"]);
        let centered = x.clone() - x.mean_dim(1); // [batch, width]
        let variance = centered.clone().square().mean_dim(1); // [batch, 1]
        centered / (variance + self.epsilon).sqrt() * gain + b
    }
}
// ANCHOR_END: wrapper
