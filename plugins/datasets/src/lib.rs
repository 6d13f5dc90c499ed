//! The datasets that come with Hatchery, one file each.

mod brackets;
mod copy;
mod documents;
mod lines;
mod modular;
mod recall;
mod selective_copy;
mod stream;
mod windows;

pub use brackets::Brackets;
pub use copy::Copy;
pub use documents::Documents;
pub use lines::{Lines, Symbol};
pub use modular::Modular;
pub use recall::Recall;
pub use selective_copy::SelectiveCopy;
pub use stream::Stream;
pub use windows::{Predicted, Windows};

hatchery_plugin::plugins![Lines, Documents, Windows, Stream, Copy, Brackets, SelectiveCopy, Recall, Modular];

#[cfg(feature = "library")]
hatchery_plugin::entry_points!();

/// Documents of another length, behind all others: with `[split] test` at their share they are the test split.
#[hatchery_plugin::plugin(key)]
#[derive(Clone, Debug)]
pub struct Longer {
    /// Their length, in place of the dataset's.
    #[plugin(min = 1, max = 10_000)]
    pub length: usize,
    /// How many there are.
    #[plugin(min = 1, max = 10_000_000)]
    pub documents: usize,
}

/// Documents made of a generator's state, their length, and whether they are the longer ones.
fn drawn(
    documents: usize,
    length: usize,
    longer: Option<&Longer>,
    seed: u64,
    mut document: impl FnMut(&mut u64, usize, bool) -> String,
) -> hatchery_plugin::Documents {
    let mut state = seed;
    let mut all: Vec<String> = (0..documents).map(|_| document(&mut state, length, false)).collect();
    if let Some(longer) = longer {
        all.extend((0..longer.documents).map(|_| document(&mut state, longer.length, true)));
    }
    hatchery_plugin::Documents::Text(all)
}

/// What datasets that make their documents up draw from: the next number of `SplitMix64` (Steele et al. 2014), the same on
/// every machine and in every run, whatever else draws.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
