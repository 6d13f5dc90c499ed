//! Multiplicative integration of input and state before a cell.

use hatchery_plugin::prelude::*;

/// Shows the cell within, in place of its state h, `m = (W x) ⊙ (U h)`: each input has a recurrent matrix of its own
/// (Krause et al. 2017; around an `lstm` it is their mLSTM).
///
/// h is the vector of the state that the cell puts out.
///
/// ```toml
/// [cell]
/// type = "lstm"
/// hidden = 128
/// wrap = ["multiplicative"]
/// ```
#[plugin(wrapper = "multiplicative")]
#[derive(Clone, Debug)]
pub struct Multiplicative {}

// ANCHOR: wrapper
impl Wrapper for Multiplicative {
    fn declare(&self, inputs: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
        if cell.output.is_none() {
            return Err(PluginError::new("the output of the cell within is no vector of its state")
                .hint("wrap a cell that puts out its state, such as `lstm`, `gru` or `vanilla`"));
        }
        let outputs = cell.declared.outputs;
        let params = vec![weight("wx", [outputs, inputs]), recurrent("wh", outputs)];
        Ok(Declaration { outputs, params, ..Declaration::default() })
    }

    fn step(&self, cell: &mut Inner<'_>, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh] = params.get(["wx", "wh"]);
        let shown = cell.info().output.clone();
        let factor = linear_no_bias(x.clone(), wx); // [batch, outputs]
        let m = |name: &str, vector: Tensor<2>| match &shown {
            Some(h) if h == name => factor.clone() * linear_no_bias(vector, wh.clone()),
            _ => vector,
        };
        cell.state = std::mem::take(&mut cell.state).map(m);
        (cell.step(x), state)
    }
}
// ANCHOR_END: wrapper
