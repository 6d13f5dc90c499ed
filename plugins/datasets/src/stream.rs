//! `stream`: one contiguous text, the state carried from batch to batch.

use hatchery_plugin::prelude::*;

/// The text as one stream: every row of a batch reads on from its own place, its state carried over from the batch
/// before. Gradients go back `steps` characters: truncated back-propagation through time.
///
/// ```toml
/// [dataset]
/// type = "stream"
/// corpus = "tinyshakespeare"
/// steps = 100
/// ```
#[plugin(dataset = "stream")]
#[derive(Clone, Debug)]
pub struct Stream {
    /// Time steps of a batch.
    #[plugin(min = 1)]
    pub steps: usize,
}

// ANCHOR: dataset
impl Dataset for Stream {
    fn documents(&self, source: &Source<'_>) -> Result<Documents, PluginError> {
        Ok(Documents::Ranges(std::iter::once(0..source.text.len()).collect()))
    }

    fn framing(&self) -> Framing {
        Framing::Stream { steps: self.steps }
    }
}
// ANCHOR_END: dataset
