//! `none`: gradients as they are.

use hatchery_plugin::prelude::*;

/// Leaves gradients unchanged; useful to override a clipper from the command line.
///
/// ```toml
/// [[clipper]]
/// type = "none"
/// ```
#[plugin(clipper = "none")]
#[derive(Clone, Debug, PartialEq)]
pub struct NoClipping {}

// ANCHOR: clipper
impl Clipper for NoClipping {
    fn clip(&self, gradients: Gradients) -> Gradients {
        gradients
    }
}
// ANCHOR_END: clipper
