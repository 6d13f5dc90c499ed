//! The samplers that come with Hatchery, one file each.
