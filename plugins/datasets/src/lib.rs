//! The datasets that come with Hatchery, one file each.

mod copy;
mod lines;
mod stream;
mod windows;

pub use copy::Copy;
pub use lines::Lines;
pub use stream::Stream;
pub use windows::{Predicted, Windows};

hatchery_plugin::export! {
    dataset "lines" => Lines,
    dataset "windows" => Windows,
    dataset "stream" => Stream,
    dataset "copy" => Copy,
}
