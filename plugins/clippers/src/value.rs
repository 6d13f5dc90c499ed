//! `value`: no entry of a gradient beyond a limit.

use hatchery_plugin::prelude::*;

/// Cuts every entry of every gradient to at most the limit and at least its negative.
///
/// Mikolov (2012). The direction of the update changes; `norm` keeps it.
///
/// ```toml
/// [[clipper]]
/// type = "value"
/// limit = 5.0
/// ```
#[plugin(clipper = "value")]
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The largest absolute value of an entry.
    #[plugin(above = 0.0)]
    pub limit: f64,
}

// ANCHOR: clipper
impl Clipper for Value {
    fn clip(&self, gradients: Gradients) -> Gradients {
        gradients.map(|_, gradient| gradient.clamp(-self.limit, self.limit))
    }
}
// ANCHOR_END: clipper
