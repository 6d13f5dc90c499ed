//! The trait of clippers, which change gradients between the backward pass and the optimizer.

use crate::Gradients;

#[diagnostic::on_unimplemented(
    message = "`{Self}` is declared as a clipper and does nothing yet",
    label = "write `impl Clipper for {Self}`"
)]
// ANCHOR: trait
/// A clipper: it changes gradients before the optimizer's update. An experiment may chain several.
pub trait Clipper: Send + Sync {
    /// Maps all gradients to all gradients, with the same names, in the same order and of the same shapes.
    ///
    /// The framework measures the global norm before the first and after the last clipper and logs both.
    fn clip(&self, gradients: Gradients) -> Gradients;
}
// ANCHOR_END: trait
