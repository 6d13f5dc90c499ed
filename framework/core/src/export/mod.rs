//! A trained model as one page of HTML, which runs it in the browser: nothing is sent to it or fetched by it.
//!
//! The page has the model as JSON: its symbols, what it sees before and between characters, its parameters, and the
//! recorded graph of each layer's step. `interpreter.js` runs such a graph, `model.js` the model, `page.js` is what a reader
//! sees. The same checkpoint always gives the same bytes.

mod graph;

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use hatchery_plugin::{
    Declaration, Name, ParamSpec, Params, Per, Start,
    capture::{capture, capture_cell},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

pub use self::graph::graph;
use crate::{
    data::Vocabulary,
    error::{Problem, Result},
    executor::parameter,
    experiment::{Experiment, SymbolUnit},
    inspect::context::Context,
    model::{EMBEDDING, Layer, Model, head::logits},
    plugins::Registry,
    replay::Program,
    run::checkpoint::Checkpoint,
    tensors::{NamedTensor, Values},
    visible,
};

/// Runs recorded graphs and models; needs no page.
pub const LIBRARY: &str = concat!(include_str!("interpreter.js"), include_str!("model.js"));
const PAGE: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");
const BODY: &str = include_str!("page.html");

/// Parameters at most: more make a text that browsers do not read.
const LARGEST: usize = 50_000_000;

/// The page of a checkpoint's model.
///
/// # Errors
/// When the experiment needs what this build lacks, the checkpoint does not fit it, a cell has an operation that the page
/// cannot run, or the model is too large for a page.
pub fn html(experiment: &Experiment, checkpoint: &Checkpoint, registry: &Registry) -> Result<String> {
    let model = model(experiment, checkpoint, registry)?;
    let name = text(&visible::escape(&experiment.name));
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src '{}' '{}'; style-src '{}'\">\n\
         <title>{name}</title>\n<style>{STYLE}</style>\n{BODY}\
         <script type=\"application/json\" id=\"model\">{}</script>\n\
         <script>{LIBRARY}</script>\n<script>{PAGE}</script>\n",
        digest(LIBRARY),
        digest(PAGE),
        digest(STYLE),
        inert(&model),
    ))
}

/// A checkpoint's model as the page reads it.
///
/// # Errors
/// Those of [`html`].
pub fn model(experiment: &Experiment, checkpoint: &Checkpoint, registry: &Registry) -> Result<Value> {
    let vocabulary = Vocabulary::from_text(&checkpoint.meta.vocabulary, &experiment.vocabulary)?;
    let model = Model::new(experiment, registry, vocabulary.len())?;
    if model.size() > LARGEST {
        return Err(Problem::new(format!("a page has room for {LARGEST} parameters; the model has {}", model.size()))
            .hint("`hatchery sample --interactive` completes texts with a model of any size")
            .into());
    }
    let parameters = parameters(&model, &checkpoint.tensors)?;
    let names = experiment.layers().into_iter().map(|part| part.part.name);
    let layers =
        model.layers.iter().zip(names).map(|(it, cell)| layer(it, &cell, experiment)).collect::<Result<Vec<_>>>()?;
    let (dataset, _) = registry.dataset(&experiment.dataset.part)?;
    let [bare, prefixed] = [false, true].map(|prefix| Context::of(&dataset.framing(), &vocabulary, prefix));
    let settings = &experiment.vocabulary;
    let symbols: Vec<String> = vocabulary.symbols().iter().map(char::to_string).collect();
    Ok(json!({
        "name": visible::escape(&experiment.name),
        "updates": checkpoint.meta.progress.updates,
        "size": model.size(),
        "symbols": symbols,
        "bytes": vocabulary.unit() == SymbolUnit::Byte,
        "reading": {
            "lowercase": settings.lowercase,
            "newlines": settings.newlines,
            "normalize": settings.normalize,
            "remove": settings.remove,
            "unknown": settings.unknown,
        },
        "sample": experiment.sample,
        "context": { "bare": bare.start, "prefixed": prefixed.start, "end": bare.end, "window": bare.window },
        "embedding": model.embedding.map(|_| EMBEDDING),
        "layers": layers,
        "head": head(&model, experiment)?,
        "parameters": parameters,
    }))
}

/// The parameters of a model under their full names.
fn parameters(model: &Model, saved: &[NamedTensor]) -> Result<Map<String, Value>> {
    let of = |spec: ParamSpec| {
        let found = parameter(saved, &spec.name, spec.shape)?;
        Ok((spec.name.into_owned(), encoded(&found.shape, &found.values)))
    };
    model.params().into_iter().map(of).collect()
}

/// A layer: its graphs, and where the arguments of each come from.
fn layer(layer: &Layer, cell: &str, experiment: &Experiment) -> Result<Value> {
    let Layer { declared, inputs, prefix, .. } = layer;
    let dtype = experiment.backend.dtype.into();
    let recorded = capture_cell(&*layer.cell, *inputs, 1, dtype).map_err(|error| error.within(format!("`{cell}`")))?;
    // What a library may not ask of a replay, a page does not run either.
    let step = (declared.arguments(*inputs, 1), declared.results(1));
    Program::new(&recorded.step, &step.0, &step.1, dtype)
        .map_err(|error| error.within(format!("`step` of `{cell}`")))?;
    if let Some(derive) = &recorded.derive {
        Program::new(derive, &declared.fixed(), &declared.matrices(), dtype)
            .map_err(|error| error.within(format!("`derive` of `{cell}`")))?;
    }
    let state = declared.state.iter().map(|spec| {
        let start = match &spec.start {
            Start::Constant(value) => json!(value),
            Start::Param(name) => json!(format!("{prefix}{name}")),
        };
        json!({ "name": visible::escape(&spec.name), "width": spec.width, "start": start })
    });
    Ok(json!({
        "cell": visible::escape(cell),
        "fixed": fixed(declared, prefix),
        "derive": recorded.derive.as_ref().map(graph),
        "noise": declared.noise_of_rows().map(|it| json!({
            "shape": [1, it.width], "value": it.distribution.expectation(),
        })).collect::<Vec<_>>(),
        "step": graph(&recorded.step),
        "state": state.collect::<Vec<_>>(),
    }))
}

/// The head: its graph, from the last layer's output and its parameters to the logits.
fn head(model: &Model, experiment: &Experiment) -> Result<Value> {
    let is_read = |spec: &ParamSpec| spec.name.starts_with("head.") || spec.name == EMBEDDING;
    let read: Vec<_> = model.params().into_iter().filter(is_read).map(|spec| (spec.name, spec.shape)).collect();
    let arguments = [vec![(Name::from("x"), [1, model.outputs()])], read.clone()].concat();
    let recorded = capture(&arguments, experiment.backend.dtype.into(), |mut tensors| {
        let outputs = tensors.remove(0);
        let params: Params = read.iter().map(|(name, _)| name.clone()).zip(tensors).collect();
        Ok(vec![("logits".into(), logits(model, &params, outputs))])
    })?;
    let names: Vec<_> = read.iter().map(|(name, _)| name).collect();
    Ok(json!({ "parameters": names, "graph": graph(&recorded) }))
}

/// What `derive` receives, in the order of [`Declaration::fixed`]: the name of a parameter, or the expectation of noise.
fn fixed(declared: &Declaration, prefix: &str) -> Vec<Value> {
    let params = declared.params.iter().map(|spec| json!(format!("{prefix}{}", spec.name)));
    let noise = declared.noise.iter().filter_map(|spec| match spec.per {
        Per::Update { rows } => Some(json!({ "shape": [rows, spec.width], "value": spec.distribution.expectation() })),
        Per::Step | Per::Sequence => None,
    });
    params.chain(noise).collect()
}

/// A tensor as base64 of its elements, little-endian.
fn encoded(shape: &[usize], values: &Values) -> Value {
    let kind = match values {
        Values::F32(_) => "f32",
        Values::F64(_) => "f64",
    };
    let mut bytes = Vec::with_capacity(8 * values.len());
    let copied = values.stream(&mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    copied.expect("copying into memory cannot fail");
    json!({ "shape": shape, kind: STANDARD.encode(bytes) })
}

/// A source of the page's policy: the SHA-256 of a script or a style.
fn digest(content: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(content.as_bytes())))
}

/// JSON that HTML leaves alone, whatever its strings hold: outside ASCII and instead of `<`, `>` and `&` it has escapes, so
/// that it neither ends the script nor reorders the lines of an editor.
fn inert(value: &Value) -> String {
    let json = value.to_string();
    let mut inert = String::with_capacity(json.len());
    for symbol in json.chars() {
        if symbol.is_ascii() && !matches!(symbol, '<' | '>' | '&' | '\u{7f}') {
            inert.push(symbol);
        } else {
            for unit in symbol.encode_utf16(&mut [0; 2]) {
                write!(inert, "\\u{unit:04x}").expect("writing into a string cannot fail");
            }
        }
    }
    inert
}

/// A text as the content of an element.
fn text(content: &str) -> String {
    content.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
