//! `hatchery check`: reads an experiment file as `train` does and prints it with all defaults filled in.

use std::path::Path;

use hatchery::{error::Result, experiment::reading, run::replace};

use crate::arguments::Check;

pub(crate) fn run(arguments: &Check) -> Result<()> {
    if arguments.fix {
        fix(&arguments.experiment)?;
    }
    let session = super::open_file(&arguments.experiment, &arguments.libraries, arguments.overrides.clone())?;
    put!("{}", session.experiment.to_toml());
    Ok(())
}

/// Rewrites keys with names of earlier versions in the file.
fn fix(path: &Path) -> Result<()> {
    let (text, replaced) = reading::fixed(path)?;
    if !replaced.is_empty() {
        replace::output(path, &text)?;
    }
    for what in replaced {
        say!("{}: {what}", path.display());
    }
    Ok(())
}
