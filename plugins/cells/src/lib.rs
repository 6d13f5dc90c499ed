//! The cells that come with Hatchery, one file each.
