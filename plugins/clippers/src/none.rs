//! `none`: gradients as they are.

use hatchery_plugin::prelude::*;

/// Changes nothing: the same as no clipper, said aloud, or put in place of another from the command line.
///
/// ```toml
/// [[clipper]]
/// type = "none"
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NoClipping {}

// ANCHOR: clipper
impl Clipper for NoClipping {
    fn clip(&self, gradients: Gradients) -> Gradients {
        gradients
    }
}
// ANCHOR_END: clipper
