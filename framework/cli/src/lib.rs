//! The parts of the `hatchery` command that its tests use too: signals, and the list of linked-in plugins.

pub mod interrupt;

use hatchery::{error::Result, plugins::Registry};

/// The linked-in plugins. No other place in the framework names a plugin.
///
/// # Errors
/// When two plugins of one kind have one name.
pub fn registry() -> Result<Registry> {
    Registry::new([
        hatchery_datasets::plugins(),
        hatchery_cells::plugins(),
        hatchery_clippers::plugins(),
        hatchery_samplers::plugins(),
    ])
}
