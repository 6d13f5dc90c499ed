//! Weight drop: entries of a cell's matrices are zero for an update.

use hatchery_plugin::prelude::*;

/// Sets entries of matrices of the cell within to zero for a whole update, and scales the others up so that the expectation
/// stays: the regularization of the AWD-LSTM (Merity et al. 2018).
///
/// ```toml
/// [cell]
/// type = "lstm"
/// hidden = 128
/// wrap = [{ type = "weight-drop", share = 0.5, params = ["wh"] }]
/// ```
#[plugin(wrapper = "weight-drop")]
#[derive(Clone, Debug)]
pub struct WeightDrop {
    /// Share of the entries that are zero.
    #[plugin(min = 0.0, max = 0.99)]
    pub share: f64,
    /// The matrices.
    pub params: Vec<String>,
}

// ANCHOR: wrapper
impl Wrapper for WeightDrop {
    fn declare(&self, _: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
        let known = &cell.declared.params;
        let drawn = |name: &String| match known.iter().find(|spec| spec.name == *name) {
            Some(spec) => Ok(mask(name.clone(), spec.shape[1], 1.0 - self.share).per_update(spec.shape[0])),
            None => {
                let names: Vec<_> = known.iter().map(|spec| &*spec.name).collect();
                let wrong = format!("the cell within has no parameter `{name}`");
                Err(PluginError::new(wrong).hint(format!("its parameters: {}", names.join(", "))))
            }
        };
        let noise = self.params.iter().map(drawn).collect::<Result<_, _>>()?;
        Ok(Declaration { outputs: cell.declared.outputs, noise, ..Declaration::default() })
    }

    fn derive(&self, masks: Params, cell: Params) -> (Params, Params) {
        let cell = cell.map(|name, matrix| match masks.find(name) {
            Some(mask) => matrix * (mask.clone() / (1.0 - self.share)),
            None => matrix,
        });
        (Params::default(), cell)
    }

    fn step(&self, cell: &mut Inner<'_>, _: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        (cell.step(x), state)
    }
}
// ANCHOR_END: wrapper
