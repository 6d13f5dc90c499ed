//! The clippers that come with Hatchery, one file each.
