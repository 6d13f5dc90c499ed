//! `hatchery export`: a trained model as something that runs without this program.

use std::path::PathBuf;

use hatchery::{
    error::{Problem, Result},
    export,
    run::replace,
};

use crate::arguments::Html;

/// A page of HTML.
pub(crate) fn html(arguments: &Html) -> Result<()> {
    if let Some(device) = &arguments.place.device {
        return Err(Problem::new(format!("`--device {device}` has no effect on a page, which runs in the browser"))
            .hint("leave it out")
            .into());
    }
    let (session, chosen) = super::open_model(arguments.run.as_deref(), &arguments.place, &[])?;
    let checkpoint = session.checkpoint.as_ref().expect("the session of a model has its checkpoint");
    if let Some(remark) = chosen.remark(checkpoint.meta.progress.updates) {
        say!("{remark}");
    }
    let output = match &arguments.output {
        Some(path) => path.clone(),
        None => new_file(&session.experiment.name)?,
    };
    replace::output(&output, &export::html(&session.experiment, checkpoint, &session.registry)?)?;
    out!("{}", output.display());
    Ok(())
}

/// The file that is named after an experiment. One that is there is not replaced, because the user did not name it.
fn new_file(name: &str) -> Result<PathBuf> {
    let name = name.replace(['/', '\\'], "-");
    let path = PathBuf::from(format!("{name}.html"));
    if path.exists() {
        return Err(Problem::new(format!("`{}` is there already", path.display()))
            .hint(format!("name a file; `-o {}` replaces that one", path.display()))
            .into());
    }
    Ok(path)
}
