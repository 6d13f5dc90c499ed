//! The datasets that come with Hatchery, one file each.

mod brackets;
mod copy;
mod lines;
mod random;
mod stream;
mod windows;

pub use brackets::Brackets;
pub use copy::Copy;
pub use lines::Lines;
pub use stream::Stream;
pub use windows::{Predicted, Windows};

hatchery_plugin::export! {
    dataset "lines" => Lines,
    dataset "windows" => Windows,
    dataset "stream" => Stream,
    dataset "copy" => Copy,
    dataset "brackets" => Brackets,
}
