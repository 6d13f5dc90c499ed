//! Reading an experiment, strictly: from files and `--set` arguments to an [`Experiment`], or to everything that is
//! wrong with them.
//!
//! The steps: parse the file and those it is based on, lay them over each other, lay the `--set` arguments over that,
//! check the result along the schema and against the rules, let every plugin read its keys, deserialize. Problems of
//! all steps that could run come together.

pub mod bundled;
pub(crate) mod files;
pub(crate) mod overrides;
pub(crate) mod spanned;

use std::path::{Path, PathBuf};

use hatchery_plugin::Kind;
use serde_json::{Map, Value as Json, json};

use self::{
    files::Chain,
    spanned::{Node, Source, Value},
};
use super::{
    CellPart, Experiment, Numpy, Rng,
    checking::{
        self, layers, rules,
        schema::{Schemas, properties, required},
        walk::Walk,
    },
    renamed,
};
use crate::{
    error::{Error, Problem, Result},
    plugins::{Part, Registry},
};

/// Reads an experiment file, with `KEY=VALUE` overrides laid over it in their order.
///
/// A file may begin with `base = "other.toml"`, relative to itself: it is then laid over that file, table by table and
/// key by key. Lists of tables are replaced as a whole, and a table that names another `type` than its base's starts
/// afresh, except for the `corpus` of the data set.
///
/// Overrides are paths and TOML values: `cell.hidden=64`, `clipper.0.limit=1.0`, `name=x`. Setting one of
/// `train.steps` and `train.epochs` takes the file's other one away; setting another `type` takes away the file's keys
/// that it does not know.
///
/// # Errors
/// Everything that is wrong, each problem at its place.
pub fn read(path: &Path, overrides: &[String], registry: &Registry) -> Result<Experiment> {
    let source = files::load(path)?;
    let mut experiment = resolve(&source, &mut Chain::starting_at(path), overrides, registry)?;
    // What is recorded of a run is found from the folder in which it was started, and names no absolute path.
    let folder = path.parent().unwrap_or(Path::new(""));
    experiment.plugins = libraries(path, overrides)?.iter().map(|library| portable(&library.path, folder)).collect();
    Ok(experiment)
}

/// A library as a run records it: as seen from the current folder, or else from that of the experiment file, for what is not
/// UTF-8 cannot be in an experiment; if neither is possible, by its name.
fn portable(path: &Path, folder: &Path) -> String {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let shown = [path, below].into_iter().find(|path| !path.is_absolute() && path.to_str().is_some());
    shown.unwrap_or_else(|| path.file_name().map_or(path, Path::new)).display().to_string()
}

/// A library that an experiment names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExperimentLibrary {
    /// The library.
    pub path: PathBuf,
    /// The experiment file, or the one that it is based on, in which it is named; none if an override names it.
    pub file: Option<PathBuf>,
}

/// The libraries that an experiment file names, read before anything else of it, for they hold what the rest may name.
/// A path is looked for beside the file that it is in, then in the current folder. What else is wrong with the file
/// is left to [`read()`].
///
/// # Errors
/// When the file cannot be read, or a library is not there.
pub fn libraries(path: &Path, overrides: &[String]) -> Result<Vec<ExperimentLibrary>> {
    named_libraries(&files::load(path)?, &mut Chain::starting_at(path), overrides)
}

fn named_libraries(source: &Source, chain: &mut Chain, overrides: &[String]) -> Result<Vec<ExperimentLibrary>> {
    let schema = checking::schema(&Registry::default());
    let mut elsewhere = Vec::new();
    let Some(mut experiment) = files::layered(source, chain, &[], &mut elsewhere) else { return Ok(Vec::new()) };
    for argument in overrides {
        // A bad argument is reported by `read`.
        let _ = overrides::apply(argument, &mut experiment, Schemas::new(&schema), &schema);
    }
    let Some(Value::Array(items)) = experiment.find(&["plugins"]).map(|entry| &entry.node.value) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for (node, named) in items.iter().filter_map(|node| Some((node, node.as_str()?))) {
        let file = chain.file(&node.place.file);
        let beside = file.and_then(Path::parent).unwrap_or(Path::new("")).join(named);
        match [beside, PathBuf::from(named)].into_iter().find(|path| path.is_file()) {
            Some(path) => found.push(ExperimentLibrary { path, file: file.map(Path::to_owned) }),
            None => {
                return Err(Problem::new(format!("there is no plugin library `{named}`"))
                    .at(node.place.clone())
                    .hint("build it, or correct the path, which is relative to this file")
                    .into());
            }
        }
    }
    Ok(found)
}

/// The libraries that the experiment of a checkpoint names, as far as they are where they were, seen from `folder` or from
/// the current one.
pub fn recorded_libraries(text: &str, folder: &Path) -> Vec<PathBuf> {
    let recorded = toml::from_str::<toml::Table>(text).ok();
    let named = recorded.as_ref().and_then(|table| table.get("plugins")).and_then(toml::Value::as_array);
    let paths = named.into_iter().flatten().filter_map(toml::Value::as_str).map(PathBuf::from);
    let beside = |path: &Path| folder.join(path).strip_prefix(".").map_or_else(|_| folder.join(path), Path::to_owned);
    paths.filter_map(|path| [beside(&path), path].into_iter().find(|path| path.is_file())).collect()
}

/// The text of an experiment file with old names of keys replaced (see [`renamed`]), and what was replaced.
///
/// # Errors
/// When the file cannot be read.
pub fn fixed(path: &Path) -> Result<(String, Vec<String>)> {
    Ok(renamed::rename(&files::load(path)?.text))
}

/// Reads an experiment from a text, as [`read()`] does from a file. `name` stands for the file in messages, and files
/// that the text is based on are looked for beside it.
///
/// # Errors
/// Everything that is wrong, each problem at its place.
pub fn from_text(text: &str, name: &str, overrides: &[String], registry: &Registry) -> Result<Experiment> {
    files::check_size(text.as_bytes(), name)?;
    resolve(&Source::new(name, text), &mut Chain::starting_at(Path::new(name)), overrides, registry)
}

fn resolve(source: &Source, chain: &mut Chain, overrides: &[String], registry: &Registry) -> Result<Experiment> {
    let schema = checking::schema(registry);
    let mut problems = Vec::new();
    let schemas = Schemas::new(&schema);
    let tables: Vec<_> =
        properties(&schema).filter(|(_, schema)| schemas.is_tabular(schema)).map(|(name, _)| name).collect();
    let Some(mut experiment) = files::layered(source, chain, &tables, &mut problems) else {
        return Err(sorted(problems).into());
    };
    for argument in overrides {
        let applied = overrides::apply(argument, &mut experiment, schemas, &schema);
        problems.extend(applied.err());
    }
    if experiment.as_table().is_some_and(|table| table.entries.is_empty()) && problems.is_empty() {
        let needed: Vec<_> = required(&schema).collect();
        return Err(Problem::new(format!("the experiment file `{}` is empty", source.file))
            .note(format!("an experiment needs at least: {}", needed.join(", ")))
            .into());
    }
    let schema = for_layers(schema, &experiment);
    let walk = Walk::over(&schema, &experiment);
    let rules = rules::check(&experiment, &walk.proposed, &walk.problems);
    problems.extend(walk.problems);
    problems.extend(rules);
    let mut json = experiment.to_json();
    let layers = std::iter::once((Kind::Cell, "layer"));
    for place in Kind::ALL.into_iter().map(|kind| (kind, kind.word())).chain(layers) {
        problems.extend(resolve_parts(place, &experiment, &mut json, &schema, registry)?);
    }
    if !problems.is_empty() {
        return Err(sorted(problems).into());
    }
    let mut resolved: Experiment = serde_json::from_value(json).map_err(|error| {
        Problem::new(format!("the experiment cannot be read: {error}")).at(experiment.place.clone())
    })?;
    if !resolved.layer.is_empty() {
        resolved.model.layers = resolved.layer.len();
    }
    layers::check(&resolved, registry, &experiment)?;
    if resolved.rng == Rng::Numpy {
        resolved.numpy.get_or_insert_with(Numpy::default);
    }
    Ok(resolved)
}

/// Lets the plugins of a kind read their keys, and puts what they make of them, defaults filled in, into `json`.
/// Returns their refusals. Tables with problems are skipped: those are reported already.
fn resolve_parts(
    (kind, word): (Kind, &str),
    experiment: &Node,
    json: &mut Json,
    schema: &Json,
    registry: &Registry,
) -> Result<Vec<Problem>> {
    let (Some(entry), property) = (experiment.find(&[word]), &schema["properties"][word]) else {
        return Ok(Vec::new());
    };
    let tables: Vec<(&Node, &mut Json, &Json)> = match (&entry.node.value, &mut json[word]) {
        (Value::Array(items), Json::Array(values)) => {
            let of_item = property.get("items").unwrap_or(property);
            items.iter().zip(values).map(|(item, value)| (item, value, of_item)).collect()
        }
        (_, value) => vec![(&entry.node, value, property)],
    };
    let mut problems = Vec::new();
    for (node, value, of_table) in tables {
        if !Walk::passes(schema, of_table, node) {
            continue;
        }
        let resolved =
            if kind == Kind::Cell { cell(value.take(), registry) } else { part(kind, value.take(), registry) };
        match resolved {
            Ok(table) => *value = table,
            Err(Error::User(refusals)) => {
                problems.extend(refusals.into_iter().map(|refusal| refusal.at(node.place.clone())));
            }
            Err(internal) => return Err(internal),
        }
    }
    Ok(problems)
}

/// The table of a plugin with every default filled in.
fn part(kind: Kind, value: Json, registry: &Registry) -> Result<Json> {
    let Json::Object(mut keys) = value else { return Ok(value) };
    let name = keys.remove("type");
    let corpus = if kind == Kind::Dataset { keys.remove("corpus") } else { None };
    let part = Part { name: name.as_ref().and_then(Json::as_str).unwrap_or_default().to_owned(), keys };
    let keys = match kind {
        Kind::Dataset => registry.dataset(&part)?.1,
        Kind::Cell => registry.cell(&part)?.1,
        Kind::Clipper => registry.clipper(&part)?.1,
        Kind::Sampler => registry.sampler(&part)?.1,
    };
    let mut table = Map::new();
    table.insert("type".to_owned(), json!(part.name));
    table.extend(corpus.map(|corpus| ("corpus".to_owned(), corpus)));
    table.extend(keys);
    Ok(Json::Object(table))
}

/// The table of a cell, with every default of the plugin and of the wrappers filled in.
fn cell(value: Json, registry: &Registry) -> Result<Json> {
    let mut cell: CellPart = serde_json::from_value(value).map_err(|error| Problem::new(error.to_string()))?;
    let (_, keys, wrap) = registry.wrapped(&cell.part, &cell.wrap)?;
    (cell.part.keys, cell.wrap) = (keys, wrap);
    serde_json::to_value(cell).map_err(|error| Problem::new(error.to_string()).into())
}

/// The schema of a file with `[[layer]]`, which needs no `[cell]`.
fn for_layers(mut schema: Json, experiment: &Node) -> Json {
    if experiment.find(&["layer"]).is_some()
        && let Some(required) = schema["required"].as_array_mut()
    {
        required.retain(|key| key != "cell");
    }
    schema
}

/// In the order in which a reader meets them: text by text, each from its beginning.
fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    let mut files = Vec::new();
    for place in problems.iter().filter_map(|problem| problem.place.as_ref()) {
        if !files.contains(&place.file) {
            files.push(place.file.clone());
        }
    }
    problems.sort_by_key(|problem| {
        problem.place.as_ref().map(|place| (files.iter().position(|file| *file == place.file), place.span.start))
    });
    problems
}
