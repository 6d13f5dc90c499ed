//! The clipper: what happens to gradients between the backward pass and the optimizer.

use burn::tensor::DType;

use crate::{Gradients, Name, PluginError};

// ANCHOR: trait
/// Changes gradients before the optimizer sees them. An experiment may chain several.
pub trait Clipper: Send + Sync {
    /// All gradients in, all gradients out, under the same names, in the same order and of the same shapes.
    ///
    /// The framework measures the global norm before the first and after the last clipper and logs both.
    fn clip(&self, gradients: Gradients) -> Gradients;

    /// Called once before a model with gradients of these shapes and of that kind of number is put together.
    ///
    /// # Errors
    /// When the clipper cannot be run there. One written in Rust always can; one from a library may turn out not to.
    #[doc(hidden)]
    fn prepare(&self, shapes: &[(Name, [usize; 2])], dtype: DType) -> Result<(), PluginError> {
        let _ = (shapes, dtype);
        Ok(())
    }
}
// ANCHOR_END: trait
