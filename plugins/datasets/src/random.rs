//! What datasets that make their documents up draw from. The same on every machine and in every run, whatever else draws.

/// The next number of `SplitMix64` (Steele et al. 2014): a dataset has no generator of the framework's, and needs none
/// better.
pub(crate) fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
