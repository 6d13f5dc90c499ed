//! The residual block of recent recurrent models: norm, cell, residual; norm, gated MLP, residual.

use hatchery_plugin::prelude::*;

/// Puts the cell within into a block (De et al. 2024; Beck et al. 2024): `z = x + W cell(norm(x))`, then
/// `z + D (silu(G norm(z)) ⊙ (U norm(z)))`.
///
/// The output is as wide as the input, whatever the width of the cell. The norms are root-mean-square norms (Zhang and
/// Sennrich 2019).
///
/// ```toml
/// [cell]
/// type = "gru"
/// hidden = 96
/// wrap = [{ type = "block", expand = 2 }]
///
/// [model]
/// embedding = 64
/// layers = 3
/// ```
#[plugin(wrapper = "block")]
#[derive(Clone, Debug)]
pub struct Block {
    /// How many times as wide as the input the MLP is.
    #[plugin(min = 1, max = 64, default = 2)]
    pub expand: usize,
}

/// Added to the mean of squares.
const EPSILON: f64 = 1e-6;

// ANCHOR: wrapper
impl Wrapper for Block {
    fn declare(&self, inputs: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
        let wide = self.expand * inputs;
        let gain = |name: &'static str| bias(name, inputs).initializer(Initializer::Constant { value: 1.0 });
        let params = vec![
            gain("gain-cell"),
            weight("w", [inputs, cell.declared.outputs]),
            gain("gain-mlp"),
            weight("gate-and-up", [wide, inputs]).gates(2),
            weight("down", [inputs, wide]),
        ];
        Ok(Declaration { outputs: inputs, params, ..Declaration::default() })
    }

    fn step(&self, cell: &mut Inner<'_>, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let y = cell.step(normalized(x.clone(), params.get("gain-cell"))); // [batch, outputs]
        let z = x + linear_no_bias(y, params.get("w")); // [batch, inputs]
        let wide = linear_no_bias(normalized(z.clone(), params.get("gain-mlp")), params.get("gate-and-up"));
        let [gate, up] = chunk(wide); // each [batch, expand × inputs]
        let mlp = linear_no_bias(gate.clone() * sigmoid(gate) * up, params.get("down")); // [batch, inputs]
        (z + mlp, state)
    }
}

/// Each row divided by the root of its mean of squares.
fn normalized(x: Tensor<2>, gain: Tensor<2>) -> Tensor<2> {
    let squares = x.clone().square().mean_dim(1); // [batch, 1]
    x / (squares + EPSILON).sqrt() * gain
}
// ANCHOR_END: wrapper
