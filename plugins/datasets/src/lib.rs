//! The datasets that come with Hatchery, one file each.

mod brackets;
mod copy;
mod documents;
mod lines;
mod stream;
mod windows;

pub use brackets::Brackets;
pub use copy::Copy;
pub use documents::Documents;
pub use lines::{Lines, Symbol};
pub use stream::Stream;
pub use windows::{Predicted, Windows};

hatchery_plugin::plugins![Lines, Documents, Windows, Stream, Copy, Brackets];

#[cfg(feature = "library")]
hatchery_plugin::entry_points!();

/// What datasets that make their documents up draw from: the next number of `SplitMix64` (Steele et al. 2014), the same on
/// every machine and in every run, whatever else draws.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
