//! `hatchery check`: reads an experiment file as `train` would and prints it with every default filled in.

use hatchery::{error::Result, experiment::read};

use crate::arguments::Check;

pub(crate) fn run(arguments: &Check) -> Result<()> {
    let registry = hatchery_cli::registry()?;
    let experiment = read::read(&arguments.experiment, &arguments.overrides, &registry)?;
    print!("{}", experiment.to_toml());
    Ok(())
}
