//! The cells that come with Hatchery, one file each.

mod gru;
mod lstm;
mod vanilla;

pub use gru::Gru;
pub use lstm::Lstm;
pub use vanilla::Vanilla;

hatchery_plugin::plugins![Vanilla, Lstm, Gru];

#[cfg(feature = "library")]
hatchery_plugin::entry_points!();
