//! Zoneout: elements of the state keep their old value at random.

use hatchery_plugin::prelude::*;

/// Lets each element of the cell's state take its new value with probability `keep`, and otherwise stay as it was (Krueger
/// et al. 2017).
///
/// Every vector of the state has a mask of its own, drawn for every time step and sequence; evaluation weighs old and new
/// value by the expectation. If the output of the cell is a vector of its state, it is so after this, too.
///
/// ```toml
/// [cell]
/// type = "lstm"
/// hidden = 128
/// wrap = [{ type = "zoneout", keep = 0.9 }]
/// ```
#[plugin(wrapper = "zoneout")]
#[derive(Clone, Debug)]
pub struct Zoneout {
    /// The probability with which an element takes its new value.
    #[plugin(above = 0.0, max = 1.0)]
    pub keep: f64,
}

// ANCHOR: wrapper
impl Wrapper for Zoneout {
    fn declare(&self, _: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
        let masks = cell.declared.state.iter().map(|vector| mask(vector.name.clone(), vector.width, self.keep));
        Ok(Declaration { outputs: cell.declared.outputs, noise: masks.collect(), ..Declaration::default() })
    }

    fn step(&self, cell: &mut Inner<'_>, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let before = cell.state.clone();
        let output = cell.step(x);
        // d · new + (1 − d) · old: [batch, width]
        let keep = |name: &str, new: Tensor<2>| before.get(name) + params.get(name) * (new - before.get(name));
        cell.state = std::mem::take(&mut cell.state).map(keep);
        (cell.output(output), state)
    }

    fn keeps_identity(&self) -> bool {
        true
    }
}
// ANCHOR_END: wrapper
