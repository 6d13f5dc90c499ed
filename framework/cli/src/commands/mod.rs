//! One module a command: each reads its arguments, calls the framework, prints results on standard output.

pub mod check;
pub mod data;
pub mod eval;
pub mod plugins;
pub mod runs;
pub mod sample;
pub mod train;

use clap::CommandFactory;
use hatchery::error::Result;

use crate::arguments::Arguments;

/// Prints a completion script.
#[expect(clippy::unnecessary_wraps, reason = "every command returns a result")]
pub fn completions(shell: clap_complete::Shell) -> Result<()> {
    clap_complete::generate(shell, &mut Arguments::command(), "hatchery", &mut std::io::stdout());
    Ok(())
}

/// The overrides of a command line, `--device` among them.
pub fn overrides(set: &[String], device: Option<&str>) -> Vec<String> {
    set.iter().cloned().chain(device.map(|device| format!("backend.device={device}"))).collect()
}
