//! `hatchery check`: reads an experiment file as `train` would and prints it with every default filled in.

use hatchery::{error::Result, experiment::reading};

use super::registry;
use crate::arguments::Check;

pub(crate) fn run(arguments: &Check) -> Result<()> {
    let libraries = reading::libraries(&arguments.experiment, &arguments.overrides)?;
    let registry = registry(&arguments.libraries, &libraries)?;
    let experiment = reading::read(&arguments.experiment, &arguments.overrides, &registry)?;
    print!("{}", experiment.to_toml());
    Ok(())
}
