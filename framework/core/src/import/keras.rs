//! A model that Keras saved: HDF5 with the layers as JSON in an attribute, weights and optimizer state in groups.
//!
//! Keras keeps kernels as `[inputs, gates × units]` and applies them to rows, so that they are our matrices transposed;
//! its LSTM has the gates in the order i, f, c, o, which is ours.

use std::path::Path;

use hdf5_pure::{AttrValue, File, Group};
use serde_json::Value;

use super::{Foreign, ImportedModel, checkpoint, model};
use crate::{
    data::Vocabulary,
    error::{Problem, Result},
    experiment::{Experiment, Optimizer},
    model::{EMBEDDING, HEAD_BIAS, HEAD_WEIGHTS, Model},
    plugins::{Part, Registry},
    run::checkpoint::{OPTIMIZER, PARAMETERS},
    tensors::{NamedTensor, Values},
};

/// The layers that can be imported.
const SUPPORTED: &str = "InputLayer, Embedding, LSTM, Dropout, Dense, Activation (softmax)";

/// Converts a model file of Keras to a checkpoint of an experiment that describes the same model: weights, and Adam's
/// moments and step count if both use Adam.
///
/// # Errors
/// When the file is not a model of Keras, has a layer that is not supported, lacks one that the experiment has, or when
/// a shape differs.
pub fn keras(
    path: &Path,
    experiment: Experiment,
    vocabulary: Vocabulary,
    registry: &Registry,
) -> Result<ImportedModel> {
    keras_from_bytes(super::read(path)?, &path.display().to_string(), experiment, vocabulary, registry)
}

/// [`keras`] for a file in memory, which messages call `name`.
///
/// # Errors
/// Those of [`keras`].
pub fn keras_from_bytes(
    bytes: Vec<u8>,
    name: &str,
    experiment: Experiment,
    vocabulary: Vocabulary,
    registry: &Registry,
) -> Result<ImportedModel> {
    let file = ModelFile::open(bytes, name)?;
    let model = model(&experiment, &vocabulary, registry)?;
    let mut notes = Vec::new();
    let places = places(&file.layers()?, &model, &experiment, &mut notes)?;
    let mut tensors = Vec::new();
    for place in &places {
        let weights = file.weights(&place.layer, place.weight)?;
        let weights = if place.is_transposed { weights.transposed() } else { weights };
        tensors.push(weights.into_named(PARAMETERS, &place.parameter, place.shape)?);
    }
    let updates = file.adam(&places, &experiment, &mut tensors, &mut notes)?;
    Ok(ImportedModel { checkpoint: checkpoint(experiment, vocabulary, registry, &tensors, updates)?, notes })
}

/// The place in the file of one of our parameters.
struct Place {
    parameter: String,
    shape: [usize; 2],
    layer: String,
    weight: &'static str,
    is_transposed: bool,
}

/// A layer as the file describes it.
struct Layer {
    name: String,
    class: String,
    config: Value,
}

impl Layer {
    fn text(&self, key: &str) -> &str {
        self.config[key].as_str().unwrap_or_default()
    }

    fn is(&self, key: &str, default: bool) -> bool {
        self.config[key].as_bool().unwrap_or(default)
    }

    fn unsupported(&self, why: &str) -> Problem {
        Problem::new(format!("the layer `{}` ({}) cannot be imported: {why}", self.name, self.class))
            .note(format!("supported layers: {SUPPORTED}"))
    }
}

/// Finds every parameter of the model in the layers, in the order in which Keras has them.
fn places(layers: &[Layer], model: &Model, experiment: &Experiment, notes: &mut Vec<String>) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    let mut recurrent = 0;
    let mut has_head = false;
    let mut drops = Vec::new();
    let specs = model.params();
    let mut place = |parameter: &str, layer: &Layer, weight: &'static str, is_transposed: bool| {
        let shape = specs.iter().find(|spec| spec.name == parameter).map_or([0, 0], |spec| spec.shape);
        places.push(Place { parameter: parameter.to_owned(), shape, layer: layer.name.clone(), weight, is_transposed });
    };
    for layer in layers {
        match layer.class.as_str() {
            "InputLayer" => {}
            "Embedding" if model.embedding.is_some() && recurrent == 0 => {
                place(EMBEDDING, layer, "embeddings", false);
            }
            "Embedding" => return Err(layer.unsupported("the experiment has none: set model.embedding").into()),
            "LSTM" => {
                let Some(own) = model.layers.get(recurrent) else {
                    recurrent += 1;
                    continue;
                };
                let names = lstm(layer, &experiment.layers()[recurrent].part, &own.declared.params)?;
                for (name, (weight, is_transposed)) in
                    names.iter().zip([("kernel", true), ("recurrent_kernel", true), ("bias", false)])
                {
                    place(&format!("{}{name}", own.prefix), layer, weight, is_transposed);
                }
                recurrent += 1;
            }
            "Dropout" => drops.push(layer.config["rate"].as_f64().unwrap_or_default()),
            "Dense" if !has_head && recurrent > 0 => {
                if !layer.is("use_bias", true) {
                    return Err(layer.unsupported("it has no bias").into());
                }
                if !["linear", "softmax"].contains(&layer.text("activation")) {
                    return Err(layer.unsupported("the head is linear, followed by softmax").into());
                }
                place(HEAD_WEIGHTS, layer, "kernel", true);
                place(HEAD_BIAS, layer, "bias", false);
                has_head = true;
            }
            "Activation" if has_head && layer.text("activation") == "softmax" => {}
            _ => return Err(layer.unsupported("an experiment has no such layer at this place").into()),
        }
    }
    if recurrent != model.layers.len() {
        let message = format!("the file has {recurrent} LSTM layers and the experiment {}", model.layers.len());
        return Err(Problem::new(message).hint(format!("set model.layers = {recurrent}")).into());
    }
    if !has_head {
        return Err(Problem::new("the file has no dense layer after the last LSTM layer: there is no head").into());
    }
    if model.embedding.is_some() && !places.iter().any(|place| place.parameter == EMBEDDING) {
        return Err(Problem::new("the file has no embedding layer, and the experiment asks for one")
            .hint("set model.embedding = \"one-hot\"")
            .into());
    }
    let wanted: Vec<f64> = model.layers.iter().map(|layer| layer.dropout).filter(|rate| *rate > 0.0).collect();
    if drops.len() != wanted.len() || drops.iter().zip(&wanted).any(|(rate, wanted)| (rate - wanted).abs() > 1e-6) {
        notes.push(format!(
            "dropout differs: {drops:?} in the file, {} after {} layers in the experiment, which is kept",
            experiment.model.dropout,
            wanted.len()
        ));
    }
    Ok(places)
}

/// The names of the cell's input matrix, state matrix and bias; an error if the cell's equations are not the layer's.
fn lstm(layer: &Layer, cell: &Part, params: &[hatchery_plugin::ParamSpec]) -> Result<[String; 3]> {
    if cell.name != layer.class.to_lowercase() {
        return Err(Problem::new(format!(
            "the layer `{}` is an LSTM and the experiment's cell a `{}`",
            layer.name, cell.name
        ))
        .hint(format!("set cell.type = \"{}\"", layer.class.to_lowercase()))
        .into());
    }
    if !layer.is("use_bias", true) || layer.is("go_backwards", false) || layer.text("activation") != "tanh" {
        return Err(layer.unsupported("it has no bias, goes backwards, or its activation is not tanh").into());
    }
    let [kernel, recurrent, bias] = params else {
        return Err(layer.unsupported("the experiment's cell has other parameters than kernels and bias").into());
    };
    let gates = layer.text("recurrent_activation").replace('_', "-");
    let own = cell.keys.get("gate-activation").and_then(Value::as_str).unwrap_or("sigmoid");
    if gates != own {
        let message = format!("the gates of `{}` apply {gates}, those of the experiment's cell {own}", layer.name);
        return Err(Problem::new(message).hint(format!("set cell.gate-activation = \"{gates}\"")).into());
    }
    Ok([kernel, recurrent, bias].map(|spec| spec.name.to_string()))
}

/// An open file.
struct ModelFile {
    file: File,
    name: String,
    size: usize,
}

impl ModelFile {
    fn open(bytes: Vec<u8>, name: &str) -> Result<Self> {
        let size = bytes.len();
        let file = File::from_bytes(bytes).map_err(|error| {
            Problem::new(format!("`{name}` cannot be read as HDF5: {error}"))
                .hint("Keras saves HDF5 when the file's name ends in .h5")
        })?;
        Ok(Self { file, name: name.to_owned(), size })
    }

    fn damaged(&self, what: &str, error: impl std::fmt::Display) -> Problem {
        Problem::new(format!("cannot read {what} of `{}`: {error}", self.name))
    }

    fn attribute(&self, group: &Group, name: &str) -> Result<Option<AttrValue>> {
        let mut attributes = group.attrs().map_err(|error| self.damaged("the attributes", error))?;
        Ok(attributes.remove(name))
    }

    /// The layers, in order.
    fn layers(&self) -> Result<Vec<Layer>> {
        let no_model = || {
            Problem::new(format!("`{}` does not describe a model", self.name))
                .note("there is no attribute `model_config` in it")
                .hint("save the whole model: model.save(\"model.h5\"), not its weights only")
        };
        let text = self.attribute(&self.file.root(), "model_config")?.and_then(text).ok_or_else(no_model)?;
        let config: Value = serde_json::from_str(&text).map_err(|error| self.damaged("`model_config`", error))?;
        // A sequential model of early versions is a list of layers; later ones and functional models have a table.
        let layers = match &config["config"] {
            Value::Array(layers) => layers,
            table => table["layers"].as_array().ok_or_else(no_model)?,
        };
        Ok(layers
            .iter()
            .map(|layer| {
                let name = layer["config"]["name"].as_str().or(layer["name"].as_str()).unwrap_or_default().to_owned();
                let class = layer["class_name"].as_str().unwrap_or_default().to_owned();
                Layer { name, class, config: layer["config"].clone() }
            })
            .collect())
    }

    /// A weight of a layer: `kernel` is the dataset `lstm_1/kernel:0`, or a deeper one, in the layer's group.
    fn weights(&self, layer: &str, weight: &str) -> Result<Foreign> {
        let missing = |what: String| {
            Problem::new(format!("`{}` has no {what}", self.name)).note("the layer is in its `model_config`")
        };
        let group = self
            .file
            .group(&format!("model_weights/{layer}"))
            .map_err(|_| missing(format!("weights of the layer `{layer}`")))?;
        let names = self.attribute(&group, "weight_names")?.map(texts).unwrap_or_default();
        let is_it = |name: &&String| {
            let last = name.rsplit('/').next().unwrap_or_default();
            last.split(':').next() == Some(weight)
        };
        let name = names.iter().find(is_it).ok_or_else(|| missing(format!("`{weight}` of the layer `{layer}`")))?;
        self.read(&group, name)
    }

    fn read(&self, group: &Group, name: &str) -> Result<Foreign> {
        let what = format!("`{name}`");
        let failed = |error| self.damaged(&what, error);
        let dataset = group.dataset(name).map_err(failed)?;
        let shape: Vec<usize> = dataset.shape().map_err(failed)?.iter().map(|&size| size as usize).collect();
        // Nothing in the file is compressed, so no shape can have more elements than the file has bytes.
        let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
        let Some(count) = count.filter(|count| *count <= self.size) else {
            return Err(self.damaged(&what, format!("its shape, {shape:?}, is larger than the file")).into());
        };
        let values = dataset.read_f32().map_err(failed)?;
        if count != values.len() {
            return Err(self.damaged(&what, "its size is not that of its shape").into());
        }
        Ok(Foreign { name: name.to_owned(), shape, values })
    }

    /// Adds Adam's moments and step count for every parameter, and returns the count. The file has the count first, then
    /// all first moments, then all second moments, in the order of the weights.
    fn adam(
        &self,
        places: &[Place],
        experiment: &Experiment,
        tensors: &mut Vec<NamedTensor>,
        notes: &mut Vec<String>,
    ) -> Result<u64> {
        let Ok(group) = self.file.group("optimizer_weights") else {
            notes.push("the file has no optimizer state: training would begin with a fresh one".to_owned());
            return Ok(0);
        };
        let config = self.attribute(&self.file.root(), "training_config")?.and_then(text).unwrap_or_default();
        let config: Value = serde_json::from_str(&config).unwrap_or_default();
        let class = config["optimizer_config"]["class_name"].as_str().unwrap_or("unknown");
        let Optimizer::Adam { learning_rate, beta1, beta2, epsilon } = experiment.optimizer else {
            notes.push(format!("the optimizer state ({class}) is left out: the experiment's optimizer is another"));
            return Ok(0);
        };
        if class != "Adam" {
            notes.push(format!("the optimizer state is left out: it is that of {class}, not of Adam"));
            return Ok(0);
        }
        for (key, own) in [("lr", learning_rate), ("beta_1", beta1), ("beta_2", beta2), ("epsilon", epsilon)] {
            let theirs = config["optimizer_config"]["config"][key].as_f64().unwrap_or(own);
            if (theirs - own).abs() > 1e-6 * own {
                notes.push(format!("Adam's {key} is {theirs} in the file and {own} in the experiment, which is kept"));
            }
        }
        let names = self.attribute(&group, "weight_names")?.map(texts).unwrap_or_default();
        let count = places.len();
        let [iterations, moments @ ..] = &names[..] else {
            return Err(self.damaged("`optimizer_weights`", "it lists no weights").into());
        };
        // The variant AMSGrad has a third group, of the largest second moments.
        if moments.len() < 2 * count {
            let what = format!("{} arrays for {count} parameters, and Adam needs two for each", moments.len());
            return Err(self.damaged("`optimizer_weights`", what).into());
        }
        let iterations = self.read(&group, iterations)?.values.first().copied().unwrap_or_default();
        for (index, place) in places.iter().enumerate() {
            for (leaf, name) in [("moment_1", &moments[index]), ("moment_2", &moments[count + index])] {
                let moment = self.read(&group, name)?;
                let moment = if place.is_transposed { moment.transposed() } else { moment };
                let own = format!("{}.momentum.{leaf}", place.parameter);
                tensors.push(moment.into_named(OPTIMIZER, &own, place.shape)?);
            }
            tensors.push(NamedTensor {
                name: format!("{OPTIMIZER}{}.momentum.time", place.parameter),
                shape: [1, 1],
                values: Values::F64(vec![f64::from(iterations)]),
            });
        }
        Ok(iterations as u64)
    }
}

fn text(value: AttrValue) -> Option<String> {
    texts(value).pop()
}

fn texts(value: AttrValue) -> Vec<String> {
    match value {
        AttrValue::String(text)
        | AttrValue::AsciiString(text)
        | AttrValue::VarLenString(text)
        | AttrValue::VarLenAsciiString(text) => vec![text],
        AttrValue::StringArray(texts)
        | AttrValue::AsciiStringArray(texts)
        | AttrValue::VarLenStringArray(texts)
        | AttrValue::VarLenAsciiStringArray(texts) => texts,
        _ => Vec::new(),
    }
}
