//! `hatchery check`: reads an experiment file as `train` does, looks at its text, and prints it with all defaults filled in.

use std::path::Path;

use hatchery::{
    data::encode_prefix,
    error::{Error, Problem, Result},
    experiment::reading,
    run::replace,
    session::Session,
    train::{fits, notes},
};

use crate::arguments::Check;

pub(crate) fn run(arguments: &Check) -> Result<()> {
    if arguments.fix {
        fix(&arguments.experiment)?;
    }
    let session = super::open_file(&arguments.experiment, &arguments.libraries, arguments.overrides.clone())?;
    if !arguments.no_data {
        look_at_the_text(&session)?;
    }
    put!("{}", session.experiment.to_toml());
    Ok(())
}

/// Everything that a training would find out about the text before its first update.
fn look_at_the_text(session: &Session) -> Result<()> {
    let data = session.data().map_err(|error| match error {
        Error::User(problems) => Error::User(problems.into_iter().map(without_text).collect()),
        internal @ Error::Internal { .. } => internal,
    })?;
    // On a machine without the card it is not known.
    if ["cpu", "flex", "ndarray"].contains(&session.experiment.backend.device.as_str()) {
        fits(&session.experiment, &data, &session.registry)?;
    }
    encode_prefix(&data.vocabulary, &session.experiment.sample.prefix)?;
    notes(&session.experiment, &data).iter().for_each(|note| say!("note: {note}"));
    Ok(())
}

/// The problem, with the way to check the file on a machine that lacks the text.
fn without_text(problem: Problem) -> Problem {
    problem.note("--no-data checks the file alone")
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
