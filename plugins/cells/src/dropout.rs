//! Dropout of a cell's input and output.

use hatchery_plugin::prelude::*;

/// Sets a share of the inputs and of the outputs of the cell within to zero in training, and scales the others up so that
/// the expectation stays (Srivastava et al. 2014).
///
/// Drawn once a sequence it is the variational dropout of Gal and Ghahramani (2016). Around the first cell, `input` is the
/// dropout of the embedding; around the last one, `output` is the dropout before the head.
///
/// ```toml
/// [cell]
/// type = "lstm"
/// hidden = 128
/// wrap = [{ type = "dropout", input = 0.2, output = 0.3, per = "sequence" }]
///
/// [model]
/// embedding = 64
/// ```
#[plugin(wrapper = "dropout")]
#[derive(Clone, Debug)]
pub struct Dropout {
    /// Share of the inputs.
    #[plugin(min = 0.0, max = 0.99, default = 0.0)]
    pub input: f64,
    /// Share of the outputs.
    #[plugin(min = 0.0, max = 0.99, default = 0.0)]
    pub output: f64,
    /// How often the masks are drawn.
    #[plugin(default)]
    pub per: Drawn,
}

/// How often a mask is drawn.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default)]
pub enum Drawn {
    /// At every time step.
    #[default]
    Step,
    /// Once for each sequence.
    Sequence,
}

// ANCHOR: wrapper
impl Wrapper for Dropout {
    fn declare(&self, inputs: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
        let outputs = cell.declared.outputs;
        let masks = [("input", inputs, self.input), ("output", outputs, self.output)];
        let masks = masks.into_iter().filter(|(.., share)| *share > 0.0).map(|(name, width, share)| {
            let mask = mask(name, width, 1.0 - share);
            if let Drawn::Sequence = self.per { mask.per_sequence() } else { mask }
        });
        Ok(Declaration { outputs, noise: masks.collect(), ..Declaration::default() })
    }

    fn step(&self, cell: &mut Inner<'_>, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let masked = |name: &str, share: f64, x: Tensor<2>| match params.find(name) {
            Some(mask) => x * (mask.clone() / (1.0 - share)), // [batch, width]
            None => x,
        };
        let y = cell.step(masked("input", self.input, x));
        (masked("output", self.output, y), state)
    }

    fn keeps_identity(&self) -> bool {
        self.input == 0.0 && self.output == 0.0
    }
}
// ANCHOR_END: wrapper
