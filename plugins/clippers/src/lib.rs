//! The clippers that come with Hatchery, one file each.
//!
//! All consist of tensor operations and read no values back, so that gradients stay on their device and a chain of
//! clippers can be recorded.

mod none;
mod norm;
mod tensor_norm;
mod value;

use hatchery_plugin::burn::Tensor;

pub use none::NoClipping;
pub use norm::Norm;
pub use tensor_norm::TensorNorm;
pub use value::Value;

hatchery_plugin::plugins![NoClipping, Value, Norm, TensorNorm];

#[cfg(feature = "library")]
hatchery_plugin::entry_points!();

// ANCHOR: factor
/// `min(1, limit / (norm + 10⁻⁶))`, the factor that scales a norm `[1]` down to the limit: `[1, 1]`. As in `PyTorch`,
/// 10⁻⁶ avoids a division by zero.
fn factor(norm: Tensor<1>, limit: f64) -> Tensor<2> {
    ((norm + 1e-6).recip() * limit).clamp_max(1.0).reshape([1, 1]) // [1, 1]
}
// ANCHOR_END: factor
