//! The parts of the `hatchery` command that its tests use too: above all the one list of linked-in plugins.

pub mod interrupt;

use hatchery::{error::Result, plugins::Registry};

/// The plugins that this program is linked with. This is the only place in the framework that names any.
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
