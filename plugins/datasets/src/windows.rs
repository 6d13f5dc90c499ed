//! `windows`: overlapping windows of a fixed length, as in the notebooks' sonnets.

use hatchery_plugin::prelude::*;

/// Overlapping windows of a fixed length over the whole text, each read from a fresh state.
///
/// ```toml
/// [dataset]
/// type = "windows"
/// corpus = "sonnets"
/// length = 40
/// stride = 3
/// ```
#[plugin(dataset = "windows")]
#[derive(Clone, Debug)]
pub struct Windows {
    /// Inputs of a window.
    #[plugin(min = 1)]
    pub length: usize,
    /// Characters from the start of a window to that of the next.
    #[plugin(min = 1, default = 1)]
    pub stride: usize,
    /// Which predictions count in the loss.
    #[plugin(default)]
    pub predict: Predicted,
}

/// Which predictions of a window count.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Predicted {
    /// That of the character after the window.
    #[default]
    Last,
    /// That of the character after each character of the window.
    All,
}

// ANCHOR: dataset
impl Dataset for Windows {
    fn documents(&self, source: &Source<'_>) -> Result<Documents, PluginError> {
        Ok(Documents::Ranges(std::iter::once(0..source.text.len()).collect()))
    }

    fn framing(&self) -> Framing {
        let predict = match self.predict {
            Predicted::Last => Predict::Last,
            Predicted::All => Predict::All,
        };
        Framing::Windows { length: self.length, stride: self.stride, predict }
    }
}
// ANCHOR_END: dataset
