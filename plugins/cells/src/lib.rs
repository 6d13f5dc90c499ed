//! The cells that come with Hatchery, one file each.

mod gru;
mod lstm;
mod vanilla;

pub use gru::Gru;
pub use lstm::Lstm;
pub use vanilla::Vanilla;

hatchery_plugin::export! {
    cell "vanilla" => Vanilla,
    cell "lstm" => Lstm,
    cell "gru" => Gru,
}
