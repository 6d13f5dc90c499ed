//! Whether layers fit each other: widths of wrappers above all, as far as they are known before the text is read.

use hatchery_plugin::PluginError;

use crate::{
    error::{Problem, Result},
    experiment::{
        CellPart, Embedding, Experiment, Head,
        reading::spanned::{Node, Value},
    },
    plugins::Registry,
};

/// Declares every layer for the width of its input. That of one-hot vectors is not known yet: what depends on it is refused
/// when the network is made.
///
/// # Errors
/// What does not fit, at the table of its layer.
pub(crate) fn check(experiment: &Experiment, registry: &Registry, page: &Node) -> Result<()> {
    let mut inputs = match experiment.model.embedding {
        Embedding::OneHot => None,
        Embedding::Learned(width) => Some(width),
    };
    let layers = experiment.layers();
    for (index, layer) in layers.iter().enumerate() {
        let (cell, ..) = registry.wrapped(&layer.part, &layer.wrap)?;
        // Without a width only the width of the output may be of use, and only of a bare cell.
        let Some(width) = inputs else {
            inputs = layer.wrap.is_empty().then(|| cell.widths(1)).transpose()?.map(|widths| widths.outputs);
            continue;
        };
        // A width that no machine can hold is reported with the memory that it takes.
        if cell.widths(width)?.outputs > LARGEST {
            return Ok(());
        }
        let declared = cell.declare(width).and_then(|declared| declared.check().map(|()| declared));
        let declared = declared.map_err(|error| refused(index, layer, error, page))?;
        penalties(index, layer, &declared.penalties, page)?;
        inputs = Some(declared.outputs);
    }
    match tied_widths(experiment, inputs.unwrap_or_default()) {
        Some(problem) => Err(match page.find(&["model", "head"]) {
            Some(entry) => problem.at(entry.node.place.clone()).into(),
            None => problem.into(),
        }),
        None => Ok(()),
    }
}

/// Widths beyond it are left to the check of the memory.
const LARGEST: usize = 1 << 20;

/// The fault of a tied head on an output that is not as wide as the embedding.
pub(crate) fn tied_widths(experiment: &Experiment, outputs: usize) -> Option<Problem> {
    let (Head::Tied, Embedding::Learned(width)) = (experiment.model.head, experiment.model.embedding) else {
        return None;
    };
    let wrong = format!("a tied head on an output of width {outputs}, and the embedding is {width} wide");
    let projection = format!("{{ type = \"projection\", width = {width} }}");
    let problem = Problem::new(wrong)
        .note("the head's matrix is the embedding: both widths must be equal")
        .hint(format!("make them equal, or put `{projection}` last in the `wrap` of the last layer"));
    (width != outputs).then_some(problem)
}

/// Checks that the vectors with weights are penalties of the cell.
///
/// # Errors
/// When one is not.
fn penalties(index: usize, layer: &CellPart, known: &[hatchery_plugin::Name], page: &Node) -> Result<()> {
    let Some(unknown) = layer.penalties.keys().find(|name| !known.iter().any(|known| known == *name)) else {
        return Ok(());
    };
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let problem = Problem::new(format!("`{unknown}` is no penalty of layer {index}, `{}`", layer.part.name));
    Err(at(problem.note(format!("its penalties: {list}")), index, page).into())
}

fn refused(index: usize, layer: &CellPart, error: PluginError, page: &Node) -> Problem {
    let problem = Problem::new(format!("layer {index}, `{}`: {}", layer.part.name, error.message));
    let problem = match error.hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    };
    at(problem, index, page)
}

/// At the table of a layer.
fn at(problem: Problem, index: usize, page: &Node) -> Problem {
    let place = match page.find(&["layer"]).map(|entry| &entry.node) {
        Some(Node { value: Value::Array(items), .. }) => items.get(index).map(|item| &item.place),
        _ => None,
    };
    match place.or_else(|| page.find(&["cell"]).map(|entry| &entry.node.place)) {
        Some(place) => problem.at(place.clone()),
        None => problem,
    }
}
