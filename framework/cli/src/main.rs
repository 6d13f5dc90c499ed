//! The `hatchery` command.

fn main() {}
