//! The datasets that come with Hatchery, one file each.
