//! A model that Keras saved, by version 2 or 3, as `.h5` or `.keras`: its layers, and which weight is which parameter.
//!
//! Keras keeps kernels as `[inputs, gates × units]` and applies them to rows, so that they are our matrices transposed. Its
//! LSTM has the gates in the order i, f, c, o, which is ours; its GRU in the order z, r, h, where ours is r, z, n.

use std::path::Path;

use serde_json::Value;

use super::{
    Foreign, ImportedModel, checkpoint,
    keras_file::{Layer, ModelFile},
    keras_optimizer as optimizer, model, pytorch,
};
use crate::{
    data::Vocabulary,
    error::{Problem, Result},
    experiment::{Experiment, Head},
    model::{EMBEDDING, HEAD_BIAS, HEAD_WEIGHTS, Layer as OwnLayer, Model},
    plugins::{Part, Registry},
    run::checkpoint::PARAMETERS,
};

/// The layers that can be imported.
const SUPPORTED: &str = "InputLayer, Embedding, LSTM, GRU, SimpleRNN, Dropout, Dense, Activation (softmax)";

/// Converts a model file of Keras to a checkpoint of an experiment that describes the same model: weights, and the
/// optimizer state if both use the same optimizer.
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
    let layers = file.layers()?;
    let places = places(&layers, &file, &model, &experiment, &mut notes)?;
    let mut tensors = Vec::new();
    for place in &places {
        tensors.push(place.take(&file, &layers)?.into_named(PARAMETERS, &place.parameter, place.shape)?);
    }
    let updates = optimizer::state(&file, &layers, &places, &experiment, &mut tensors, &mut notes)?;
    Ok(ImportedModel { checkpoint: checkpoint(experiment, vocabulary, registry, &tensors, updates)?, notes })
}

/// Where a parameter of ours is in the file.
pub(super) struct Place {
    pub(super) parameter: String,
    pub(super) shape: [usize; 2],
    /// The number of the layer.
    pub(super) layer: usize,
    pub(super) weight: &'static str,
    is_transposed: bool,
    /// Which of their gates comes first, second, … in ours; empty if they are in our order.
    gates: &'static [usize],
    /// Which row of the weight it is, if it is one.
    row: Option<usize>,
    /// Whether the file has no such weight, so that it is zero.
    pub(super) is_absent: bool,
}

impl Place {
    pub(super) fn take(&self, file: &ModelFile, layers: &[Layer]) -> Result<Foreign> {
        if self.is_absent {
            let [rows, columns] = self.shape;
            let name = format!("zeros for {}", self.parameter);
            return Ok(Foreign { name, shape: vec![rows, columns], values: vec![0.0; rows * columns] });
        }
        self.arrange(file.weight(&layers[self.layer], self.weight)?)
    }

    /// Their weight, or what an optimizer keeps for it, in our order.
    pub(super) fn arrange(&self, theirs: Foreign) -> Result<Foreign> {
        let theirs = match self.row {
            Some(row) => theirs.row(row),
            None if self.is_transposed => theirs.transposed(),
            None => theirs,
        };
        if self.gates.is_empty() { Ok(theirs) } else { pytorch::reorder(theirs, self.gates) }
    }
}

impl Layer {
    fn unsupported(&self, why: &str) -> Problem {
        Problem::new(format!("the layer `{}` ({}) cannot be imported: {why}", self.name, self.class))
            .note(format!("supported layers: {SUPPORTED}"))
    }
}

/// Finds every parameter of the model in the layers, in the order in which Keras has them.
fn places(
    layers: &[Layer],
    file: &ModelFile,
    model: &Model,
    experiment: &Experiment,
    notes: &mut Vec<String>,
) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    let (mut recurrent, mut has_head, mut drops) = (0, false, Vec::new());
    let specs = model.params();
    for (number, layer) in layers.iter().enumerate() {
        let shape =
            |parameter: &str| specs.iter().find(|spec| spec.name == parameter).map_or([0, 0], |spec| spec.shape);
        let mut place = |parameter: &str, weight: &'static str, is_transposed: bool, is_absent: bool| {
            let (parameter, shape) = (parameter.to_owned(), shape(parameter));
            let (gates, row): (&[usize], _) = (&[], None);
            places.push(Place { parameter, shape, layer: number, weight, is_transposed, gates, row, is_absent });
        };
        match layer.class.as_str() {
            "InputLayer" => {}
            "Embedding" if model.embedding.is_some() && recurrent == 0 => place(EMBEDDING, "embeddings", false, false),
            "Embedding" => return Err(layer.unsupported("the experiment has none: set model.embedding").into()),
            "LSTM" | "GRU" | "SimpleRNN" => {
                if let Some(own) = model.layers.get(recurrent) {
                    check_cell(layer, file, &experiment.layers()[recurrent].part)?;
                    places.extend(of_cell(layer, number, own)?);
                }
                recurrent += 1;
            }
            "Dropout" => drops.push(layer.config["rate"].as_f64().unwrap_or_default()),
            "Dense" if !has_head && recurrent > 0 => {
                if !["linear", "softmax"].contains(&layer.text("activation")) {
                    return Err(layer.unsupported("the head is linear, followed by softmax").into());
                }
                if model.head != Head::Linear {
                    let other = layer.unsupported("it has a matrix of its own, and the experiment's head is another");
                    return Err(other.hint("set model.head = \"linear\"").into());
                }
                place(HEAD_WEIGHTS, "kernel", true, false);
                place(HEAD_BIAS, "bias", false, !layer.is("use_bias", true));
                has_head = true;
            }
            "Activation" if has_head && layer.text("activation") == "softmax" => {}
            _ => return Err(layer.unsupported("an experiment has no such layer at this place").into()),
        }
    }
    complete(layers, (recurrent, has_head), model, &places)?;
    for place in places.iter().filter(|place| place.is_absent) {
        notes.push(format!("`{}` is not in the file: it is 0, and training would change it", place.parameter));
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

/// Makes sure that the layers are all that the model has.
fn complete(layers: &[Layer], (recurrent, has_head): (usize, bool), model: &Model, places: &[Place]) -> Result<()> {
    let class =
        layers.iter().map(|layer| layer.class.as_str()).find(|class| ["LSTM", "GRU", "SimpleRNN"].contains(class));
    let class = class.unwrap_or("recurrent");
    if recurrent != model.layers.len() {
        let message = format!("the file has {recurrent} {class} layers and the experiment {}", model.layers.len());
        return Err(Problem::new(message).hint(format!("set model.layers = {recurrent}")).into());
    }
    if !has_head {
        let what = format!("the file has no dense layer after the last {class} layer: there is no head");
        return Err(Problem::new(what).into());
    }
    if model.embedding.is_some() && !places.iter().any(|place| place.parameter == EMBEDDING) {
        return Err(Problem::new("the file has no embedding layer, and the experiment asks for one")
            .hint("set model.embedding = \"one-hot\"")
            .into());
    }
    Ok(())
}

/// Makes sure that the experiment's cell computes what the layer does.
fn check_cell(layer: &Layer, file: &ModelFile, cell: &Part) -> Result<()> {
    let own = |key: &str, default: &str| cell.keys.get(key).and_then(Value::as_str).unwrap_or(default).to_owned();
    let differs = |what: String, key: &str, value: &str| -> Result<()> {
        Err(Problem::new(what).hint(format!("set cell.{key} = \"{value}\"")).into())
    };
    let (name, article) = match layer.class.as_str() {
        "LSTM" => ("lstm", "an LSTM"),
        "GRU" => ("gru", "a GRU"),
        _ => ("vanilla", "a SimpleRNN"),
    };
    if cell.name != name {
        let what = format!("the layer `{}` is {article} and the experiment's cell a `{}`", layer.name, cell.name);
        return differs(what, "type", name);
    }
    if layer.is("go_backwards", false) {
        return Err(layer.unsupported("it goes backwards").into());
    }
    let activation = layer.text("activation");
    if name == "vanilla" {
        let ours = own("activation", "tanh");
        if !["tanh", "relu"].contains(&activation) {
            return Err(layer.unsupported("its activation is neither tanh nor relu").into());
        }
        let what = format!("`{}` applies {activation}, the experiment's cell {ours}", layer.name);
        return if activation == ours { Ok(()) } else { differs(what, "activation", activation) };
    }
    if activation != "tanh" {
        return Err(layer.unsupported("its activation is not tanh").into());
    }
    let gates = layer.text("recurrent_activation").replace('_', "-");
    if gates == "hard-sigmoid" && file.version() >= 3 {
        return Err(layer.unsupported("hard_sigmoid of Keras 3 has the slope 1/6, that of cells 1/5").into());
    }
    let ours = own("gate-activation", "sigmoid");
    if gates != ours {
        let what = format!("the gates of `{}` apply {gates}, those of the experiment's cell {ours}", layer.name);
        let can_change = name == "lstm" && ["sigmoid", "hard-sigmoid"].contains(&gates.as_str());
        return if can_change {
            differs(what, "gate-activation", &gates)
        } else {
            Err(layer.unsupported(&what).into())
        };
    }
    let reset = if layer.is("reset_after", false) { "after" } else { "before" };
    if name == "gru" && reset != own("reset", "after") {
        return differs(
            format!("`{}` resets {reset} the product, the experiment's cell does not", layer.name),
            "reset",
            reset,
        );
    }
    Ok(())
}

/// The parameters of a cell in a recurrent layer.
fn of_cell(layer: &Layer, number: usize, own: &OwnLayer) -> Result<Vec<Place>> {
    // Their z, r, h as our r, z, n.
    let gates: &'static [usize] = if layer.class == "GRU" { &[1, 0, 2] } else { &[] };
    let place = |index: usize, weight: &'static str, row: Option<usize>| {
        let spec = &own.declared.params[index];
        Place {
            parameter: format!("{}{}", own.prefix, spec.name),
            shape: spec.shape,
            layer: number,
            weight,
            is_transposed: weight != "bias",
            gates,
            row,
            is_absent: weight == "bias" && !layer.is("use_bias", true),
        }
    };
    let mut places = vec![];
    match (own.declared.params.len(), layer.class.as_str()) {
        (3, _) => places.push(place(2, "bias", None)),
        (4, "GRU") => places.extend([place(2, "bias", Some(0)), place(3, "bias", Some(1))]),
        _ => return Err(layer.unsupported("the experiment's cell has other parameters than kernels and bias").into()),
    }
    places.splice(0..0, [place(0, "kernel", None), place(1, "recurrent_kernel", None)]);
    Ok(places)
}
