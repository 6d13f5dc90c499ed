//! Attention over the last outputs of a cell.

use hatchery_plugin::burn::tensor::activation;
use hatchery_plugin::prelude::*;

/// Adds to the output of the cell within what it remembers of its last outputs: `y + W Σ aᵢ pᵢ`, with weights
/// `a = softmax(vᵀ tanh(U pᵢ + Q y))` (Bahdanau et al. 2015) over the last `length` outputs pᵢ, zeros before the first.
///
/// The whole past would be a state without bounds; a window of it is a vector of the state as any other.
///
/// ```toml
/// [cell]
/// type = "gru"
/// hidden = 64
/// wrap = [{ type = "attention", length = 8 }]
/// ```
#[plugin(wrapper = "attention")]
#[derive(Clone, Debug)]
pub struct Attention {
    /// How many outputs are kept.
    #[plugin(min = 1, max = 256)]
    pub length: usize,
}

// ANCHOR: wrapper
impl Wrapper for Attention {
    fn declare(&self, _: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
        let outputs = cell.declared.outputs;
        let square = |name: &'static str| weight(name, [outputs, outputs]);
        Ok(Declaration {
            outputs,
            params: vec![square("u"), square("q"), square("w"), weight("v", [1, outputs])],
            state: vec![zeros("past", self.length * outputs)],
            ..Declaration::default()
        })
    }

    fn step(&self, cell: &mut Inner<'_>, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [u, q, w, v] = params.get(["u", "q", "w", "v"]);
        let y = cell.step(x); // [batch, outputs]
        let [_, width] = y.dims();
        let past = state.get("past"); // [batch, length × outputs], the oldest first
        let query = linear_no_bias(y.clone(), q); // [batch, outputs]
        let each = |index: usize| past.clone().narrow(1, index * width, width); // [batch, outputs]
        let score = |index| {
            let key = linear_no_bias(each(index), u.clone());
            ((key + query.clone()).tanh() * v.clone()).sum_dim(1) // [batch, 1]
        };
        let weights = activation::softmax(Tensor::cat((0..self.length).map(score).collect(), 1), 1); // [batch, length]
        let weighed = (0..self.length).map(|index| weights.clone().narrow(1, index, 1) * each(index));
        let seen = weighed.reduce(|sum, next| sum + next).expect("the length is at least 1"); // [batch, outputs]
        let mut kept = vec![y.clone()];
        if self.length > 1 {
            kept.insert(0, past.narrow(1, width, (self.length - 1) * width));
        }
        (y + linear_no_bias(seen, w), State::from([("past", Tensor::cat(kept, 1))]))
    }
}
// ANCHOR_END: wrapper
