//! The files of Keras: HDF5 that describes its layers in an attribute, and since Keras 2.12 a zip archive with the layers as
//! JSON beside an HDF5 file of weights. Nothing in them is run.

use hdf5_pure::{AttrValue, File, Group};
use rawzip::{CompressionMethod, ZipArchive};
use serde_json::Value;

use super::Foreign;
use crate::error::{Problem, Result};

/// A layer as the file describes it.
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) class: String,
    pub(super) config: Value,
    /// The group of its weights in an archive.
    key: String,
}

impl Layer {
    pub(super) fn text(&self, key: &str) -> &str {
        self.config[key].as_str().unwrap_or_default()
    }

    pub(super) fn is(&self, key: &str, default: bool) -> bool {
        self.config[key].as_bool().unwrap_or(default)
    }
}

/// An open file.
pub(super) struct ModelFile {
    /// Layers, weights and optimizer state, or the weights alone.
    file: File,
    name: String,
    size: usize,
    /// The description of the model and the version of Keras, of an archive.
    archive: Option<(Value, String)>,
}

impl ModelFile {
    pub(super) fn open(bytes: Vec<u8>, name: &str) -> Result<Self> {
        let size = bytes.len();
        let (bytes, archive) = if bytes.starts_with(b"PK") {
            let member = |wanted: &str| {
                member(&bytes, wanted).map_err(|why| {
                    Problem::new(format!("`{name}` cannot be read as a model of Keras: {why}"))
                        .hint("copy the file again, or save it again: model.save(\"model.keras\")")
                })
            };
            let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
            let version = json(member("metadata.json")?)["keras_version"].as_str().unwrap_or_default().to_owned();
            let config = json(member("config.json")?);
            (member("model.weights.h5")?.to_vec(), Some((config, version)))
        } else {
            (bytes, None)
        };
        let file = File::from_bytes(bytes).map_err(|error| {
            Problem::new(format!("`{name}` cannot be read as HDF5: {error}"))
                .hint("Keras saves such files when their names end in .h5 or .keras")
        })?;
        Ok(Self { file, name: name.to_owned(), size, archive })
    }

    pub(super) fn damaged(&self, what: &str, error: impl std::fmt::Display) -> Problem {
        Problem::new(format!("cannot read {what} of `{}`: {error}", self.name))
    }

    /// The main version of Keras that wrote it; 2 where none is noted.
    pub(super) fn version(&self) -> u32 {
        let noted = match &self.archive {
            Some((_, version)) => Some(version.clone()),
            None => self.attribute(&self.file.root(), "keras_version").ok().flatten().and_then(text),
        };
        noted.and_then(|version| version.split('.').next()?.parse().ok()).unwrap_or(2)
    }

    fn attribute(&self, group: &Group, name: &str) -> Result<Option<AttrValue>> {
        let mut attributes = group.attrs().map_err(|error| self.damaged("the attributes", error))?;
        Ok(attributes.remove(name))
    }

    /// The layers, in order.
    pub(super) fn layers(&self) -> Result<Vec<Layer>> {
        let no_model = || {
            Problem::new(format!("`{}` does not describe a model", self.name))
                .note("there is no attribute `model_config` in it")
                .hint("save the whole model: model.save(\"model.h5\"), not its weights only")
        };
        let config: Value = match &self.archive {
            Some((config, _)) => config.clone(),
            None => {
                let text = self.attribute(&self.file.root(), "model_config")?.and_then(text).ok_or_else(no_model)?;
                serde_json::from_str(&text).map_err(|error| self.damaged("`model_config`", error))?
            }
        };
        // A sequential model of early versions is a list of layers; later ones and functional models have a table.
        let layers = match &config["config"] {
            Value::Array(layers) => layers,
            table => table["layers"].as_array().ok_or_else(no_model)?,
        };
        let mut found: Vec<Layer> = Vec::new();
        for layer in layers {
            let name = layer["config"]["name"].as_str().or(layer["name"].as_str()).unwrap_or_default().to_owned();
            let class = layer["class_name"].as_str().unwrap_or_default().to_owned();
            // In an archive, layers of a class are counted.
            let before = found.iter().filter(|layer| layer.class == class).count();
            let count = if before > 0 { format!("_{before}") } else { String::new() };
            let key = format!("{}{count}", snake_case(&class));
            found.push(Layer { name, class, config: layer["config"].clone(), key });
        }
        Ok(found)
    }

    /// A weight of a layer.
    pub(super) fn weight(&self, layer: &Layer, weight: &str) -> Result<Foreign> {
        let missing = |what: String| {
            Problem::new(format!("`{}` has no {what}", self.name)).note("the model that it describes has this layer")
        };
        if self.archive.is_some() {
            let number = match weight {
                "bias" if layer.class != "Dense" => 2,
                "recurrent_kernel" | "bias" => 1,
                _ => 0,
            };
            let inner = if ["LSTM", "GRU", "SimpleRNN"].contains(&layer.class.as_str()) { "cell/vars" } else { "vars" };
            let places = ["layers", "_layer_checkpoint_dependencies"].map(|all| format!("{all}/{}/{inner}", layer.key));
            let group = places.iter().find_map(|place| self.file.group(place).ok());
            let group = group.ok_or_else(|| missing(format!("weights of the layer `{}`", layer.name)))?;
            return self.read(&group, &number.to_string());
        }
        // `kernel` stands as `lstm_1/kernel:0`, or deeper, in the layer's group.
        let group = self
            .file
            .group(&format!("model_weights/{}", layer.name))
            .map_err(|_| missing(format!("weights of the layer `{}`", layer.name)))?;
        let names = self.attribute(&group, "weight_names")?.map(texts).unwrap_or_default();
        let is_it = |name: &&String| {
            let last = name.rsplit('/').next().unwrap_or_default();
            last.split(':').next() == Some(weight)
        };
        let name =
            names.iter().find(is_it).ok_or_else(|| missing(format!("`{weight}` of the layer `{}`", layer.name)))?;
        self.read(&group, name)
    }

    fn read(&self, group: &Group, name: &str) -> Result<Foreign> {
        let what = format!("`{name}`");
        let failed = |error| self.damaged(&what, error);
        let dataset = group.dataset(name).map_err(failed)?;
        let shape: Vec<usize> = dataset.shape().map_err(failed)?.iter().map(|&size| size as usize).collect();
        // Nothing in it is compressed: no room is made for more numbers than there are bytes.
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

    /// The class of the optimizer and its settings, if its state is in the file.
    pub(super) fn optimizer(&self) -> Result<Option<(String, Value)>> {
        let config = match &self.archive {
            Some((config, _)) => config["compile_config"]["optimizer"].clone(),
            None => {
                let text = self.attribute(&self.file.root(), "training_config")?.and_then(text).unwrap_or_default();
                serde_json::from_str::<Value>(&text).unwrap_or_default()["optimizer_config"].clone()
            }
        };
        if self.optimizer_group().is_none() {
            return Ok(None);
        }
        let class = config["class_name"].as_str().unwrap_or("an unknown optimizer");
        Ok(Some((class.trim_start_matches("Custom>").to_owned(), config["config"].clone())))
    }

    fn optimizer_group(&self) -> Option<Group> {
        self.file.group(if self.archive.is_some() { "optimizer/vars" } else { "optimizer_weights" }).ok()
    }

    /// The step count, the names of the arrays that the optimizer keeps, and whether all first moments of Adam stand before
    /// all second ones.
    pub(super) fn moments(&self) -> Result<(f64, Vec<String>, bool)> {
        let group = self.optimizer_group().ok_or_else(|| self.damaged("the optimizer state", "it is missing"))?;
        let names: Vec<String> = match &self.archive {
            Some(_) => {
                let numbers = (0..u32::MAX).map(|number| number.to_string());
                numbers.take_while(|name| group.dataset(name).is_ok()).collect()
            }
            None => self.attribute(&group, "weight_names")?.map(texts).unwrap_or_default(),
        };
        let (mut iterations, mut moments) = (None, Vec::new());
        for name in names {
            let array = self.read(&group, &name)?;
            if !array.shape.is_empty() {
                moments.push(name);
            } else if iterations.is_none() {
                // The first value is the count; the learning rate may stand behind it.
                iterations = array.values.first().copied();
            }
        }
        // Before 2.3 the arrays had no names of their own: `Variable_1:0`.
        let is_first = |name: &String| name.contains("/m/") || name.ends_with("/m:0") || name.contains("Variable");
        let is_grouped = matches!(&moments[..], [one, other, ..] if is_first(one) && is_first(other));
        Ok((f64::from(iterations.unwrap_or_default()), moments, is_grouped))
    }

    /// An array of the optimizer state.
    pub(super) fn moment(&self, name: &str) -> Result<Foreign> {
        let group = self.optimizer_group().ok_or_else(|| self.damaged("the optimizer state", "it is missing"))?;
        self.read(&group, name)
    }
}

/// The bytes of a member of a zip archive, which Keras does not compress.
fn member<'a>(bytes: &'a [u8], wanted: &str) -> std::result::Result<&'a [u8], String> {
    let archive = ZipArchive::from_slice(bytes).map_err(|_| "its directory is missing: it is cut off".to_owned())?;
    let damaged = |error: rawzip::Error| format!("its directory is damaged: {error}");
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry().map_err(damaged)? {
        if entry.file_path().as_bytes() != wanted.as_bytes() {
            continue;
        }
        if entry.compression_method() != CompressionMethod::STORE {
            return Err(format!("`{wanted}` in it is compressed, as Keras never does"));
        }
        let (start, end) = archive.get_entry(entry.wayfinder()).map_err(damaged)?.compressed_data_range();
        let data = bytes.get(start as usize..end as usize).ok_or("its directory is damaged")?;
        if entry.crc32() != 0 && rawzip::crc32(data) != entry.crc32() {
            return Err(format!("`{wanted}` in it is not as it was saved: its checksum differs"));
        }
        return Ok(data);
    }
    Err(format!("it is a zip archive without `{wanted}`"))
}

/// `SimpleRNN` as `simple_rnn`.
fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().collect();
    let mut name = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let begins = letter.is_uppercase() && at > 0 && letters[at - 1].is_lowercase();
        name.push_str(if begins { "_" } else { "" });
        name.extend(letter.to_lowercase());
    }
    name
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
