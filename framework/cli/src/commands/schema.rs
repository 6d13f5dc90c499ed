//! `hatchery schema`: the JSON Schema of experiment files, by which editors complete and check them.

use std::path::Path;

use hatchery::{
    error::{Error, Result},
    experiment::checking::editor_schema,
    plugins::Registry,
    run::replace,
};

use crate::arguments::Libraries;

/// The file of the schema in the folder of all runs.
const FILE: &str = "experiment.schema.json";

pub(crate) fn run(libraries: &Libraries) -> Result<()> {
    put!("{}", text(&super::registry(libraries)?)?);
    Ok(())
}

/// Writes the schema into the folder of all runs, unless it is there already.
pub(crate) fn write(root: &Path, registry: &Registry) -> Result<()> {
    let (path, text) = (root.join(FILE), text(registry)?);
    if std::fs::read_to_string(&path).is_ok_and(|there| there == text) { Ok(()) } else { replace::text(&path, &text) }
}

fn text(registry: &Registry) -> Result<String> {
    let text = serde_json::to_string_pretty(&editor_schema(registry));
    Ok(text.map_err(|error| Error::internal("cannot write the schema", error))? + "\n")
}
