//! Comparison of the plugins at hand with those that a checkpoint was made with.

use hatchery_plugin::Kind;

use super::Registry;
use crate::{
    error::{Problem, Result},
    provenance::Provenance,
};

/// Compares what a checkpoint records of its plugins with a registry.
///
/// # Errors
/// One problem for each plugin that comes from another crate, version or library now: the model may compute something else
/// than it was trained to.
pub fn check_drift(recorded: &[Provenance], registry: &Registry) -> Result<()> {
    let problems: Vec<_> = recorded.iter().filter_map(|recorded| drifted(recorded, registry)).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}

fn drifted(recorded: &Provenance, registry: &Registry) -> Option<Problem> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == recorded.kind)?;
    // A missing plugin is reported when the experiment is read.
    let origin = &registry.find(kind, &recorded.name)?.origin;
    let now = (&origin.package, &origin.version, &origin.library);
    if now == (&recorded.package, &recorded.version, &recorded.library) {
        return None;
    }
    let described = |package: &str, version: &str, library: Option<&str>| {
        let library =
            library.map_or("linked in".to_owned(), |hash| format!("library {}…", &hash[..hash.len().min(12)]));
        format!("{package} {version}, {library}")
    };
    let problem =
        Problem::new(format!("the {kind} `{}` is not the one that the checkpoint was made with", recorded.name))
            .note(format!("then: {}", described(&recorded.package, &recorded.version, recorded.library.as_deref())))
            .note(format!("now: {}", described(&origin.package, &origin.version, origin.library.as_deref())))
            .hint("use the plugin of then, or accept this one: --allow-plugin-drift");
    Some(problem)
}
