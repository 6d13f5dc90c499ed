//! What crosses the boundary of a loaded library: the manifest, requests and answers, and how they are written.
//!
//! No tensor and no Rust type crosses it, only bytes, because a library has its own copy of Burn with its
//! own autodiff graph and devices. The C side of the same interface is `include/hatchery_plugin.h`. An answer is JSON or
//! `MessagePack`: JSON begins with `{` or `[`, which no `MessagePack` map or array of ours does.

use std::collections::BTreeMap;

use burn::{
    backend::ir::TensorId,
    tensor::{DType, TensorData},
};
pub use hatchery_graph::{Constant, Elements, Graph};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{CellInfo, Framing, Kind, PluginError, capture::RecordedGraph};

/// The version of the C interface. It changes when a function or the meaning of a field does.
pub const INTERFACE: u32 = 2;

/// The version of the crate `burn-ir` whose graphs are exchanged. It is that of Burn, which is pinned.
pub const BURN_IR: &str = "0.22.1";

/// Status of a call that succeeded.
pub const OK: i32 = 0;
/// Status of a call that failed: the answer is a [`PluginError`].
pub const ERROR: i32 = 1;
/// Status of a call in which the plugin panicked: the answer is a [`PluginError`].
pub const PANICKED: i32 = 2;

/// What a library says about itself, read and checked before anything else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// The version of the C interface: [`INTERFACE`].
    pub interface: u32,
    /// The version of `burn-ir`: [`BURN_IR`].
    pub burn_ir: String,
    /// The crate.
    pub package: String,
    /// The crate's version.
    pub version: String,
    /// Its plugins.
    pub plugins: Vec<PluginEntry>,
}

/// A plugin in a manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PluginEntry {
    /// Its kind.
    pub kind: Kind,
    /// Whether it is a cell that is built around another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_wrapper: bool,
    /// Its name.
    pub name: String,
    /// What it is.
    pub doc: String,
    /// JSON schema of its keys.
    pub schema: Value,
}

/// The request for an instance of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OpenRequest {
    /// The plugin's kind.
    pub kind: Kind,
    /// The plugin's name.
    pub name: String,
    /// Its keys.
    pub keys: Value,
}

/// The properties of an open plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InstanceInfo {
    /// The keys, every default filled in.
    pub keys: Map<String, Value>,
    /// Of a wrapper: whether it promises to be the identity around a cell that returns its input.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_identity: bool,
    /// Of a dataset: how documents become sequences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framing: Option<Framing>,
}

/// The request for what a cell declares. The answer is a [`Declaration`](crate::Declaration).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeclareRequest {
    /// Width of the input.
    pub inputs: usize,
    /// Whether parameters and noise are asked for; otherwise they may be left out.
    pub params: bool,
    /// Of a wrapper: the cell within. Without it the answer is a [`CellInputs`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<CellInfo>,
}

/// The input of the cell within a wrapper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CellInputs {
    /// Its width.
    pub cell_inputs: usize,
}

/// The request for a graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "of")]
pub enum CaptureRequest {
    /// One step of a cell.
    Cell {
        /// Width of the input.
        inputs: usize,
        /// Rows.
        batch: usize,
        /// Element type.
        dtype: Precision,
    },
    /// One step of a wrapper.
    Wrapper {
        /// Width of the input.
        inputs: usize,
        /// Rows.
        batch: usize,
        /// Element type.
        dtype: Precision,
        /// The cell within.
        cell: CellInfo,
    },
    /// What a wrapper computes from its parameters and those of the cell within once an update.
    DeriveWrapper {
        /// Width of the input.
        inputs: usize,
        /// Element type.
        dtype: Precision,
        /// The cell within.
        cell: CellInfo,
    },
    /// What a cell computes from its parameters once an update.
    Derive {
        /// Width of the input.
        inputs: usize,
        /// Element type.
        dtype: Precision,
    },
    /// A clipper on gradients of these names and shapes.
    Clipper {
        /// The gradients.
        gradients: Vec<(String, [usize; 2])>,
        /// Element type.
        dtype: Precision,
    },
}

/// The element type of a graph's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Precision {
    /// 32 bits.
    F32,
    /// 64 bits.
    F64,
}

/// The documents of a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum DocumentList {
    /// Byte ranges of the source: from, to.
    Ranges(Vec<(usize, usize)>),
    /// Generated text.
    Text(Vec<String>),
}

/// Reads an answer or a request in either encoding. A graph is read by [`Graph::read`], which is compiled once.
///
/// # Errors
/// When the bytes are neither JSON nor `MessagePack`, or not of this form.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    hatchery_graph::decode(bytes)
}

/// Writes an answer as JSON, which a person can read.
///
/// # Errors
/// When the value has no form in JSON.
pub fn write_json<T: Serialize>(value: &T) -> Result<Vec<u8>, PluginError> {
    serde_json::to_vec(value).map_err(|error| PluginError::new(error.to_string()))
}

/// Writes an answer as `MessagePack`, which unlike JSON has infinities.
///
/// # Errors
/// When the value has no form in `MessagePack`.
pub fn write_binary<T: Serialize>(value: &T) -> Result<Vec<u8>, PluginError> {
    hatchery_graph::encode(value).map_err(PluginError::new)
}

impl Precision {
    /// As Burn names it.
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F64 => DType::F64,
        }
    }

    /// From Burn's name; none for types in which nothing is trained here.
    pub fn of(dtype: DType) -> Option<Self> {
        match dtype {
            DType::F32 => Some(Self::F32),
            DType::F64 => Some(Self::F64),
            _ => None,
        }
    }
}

impl TryFrom<RecordedGraph> for Graph {
    type Error = PluginError;

    fn try_from(recorded: RecordedGraph) -> Result<Self, PluginError> {
        let constants =
            recorded.constants.iter().map(|(id, data)| constant(*id, data)).collect::<Result<_, PluginError>>()?;
        Ok(Self { graph: recorded.graph, inputs: recorded.inputs, outputs: recorded.outputs, constants })
    }
}

impl TryFrom<Graph> for RecordedGraph {
    type Error = PluginError;

    /// Fails when a constant has another number of values than its shape.
    fn try_from(graph: Graph) -> Result<Self, PluginError> {
        let constants = graph.constants.into_iter().map(|constant| Ok((constant.id, elements(constant)?)));
        let constants = constants.collect::<Result<BTreeMap<_, _>, PluginError>>()?;
        Ok(Self { graph: graph.graph, inputs: graph.inputs, outputs: graph.outputs, constants })
    }
}

fn elements(constant: Constant) -> Result<TensorData, PluginError> {
    let Constant { id, shape, dtype, values } = constant;
    let count = shape.iter().try_fold(1usize, |count, size| count.checked_mul(*size));
    let given = match &values {
        Elements::Floats(values) => values.len(),
        Elements::Ints(values) => values.len(),
        Elements::Bools(values) => values.len(),
    };
    if count != Some(given) {
        return Err(PluginError::new(format!("constant {id} has {given} values for shape {shape:?}")));
    }
    match values {
        Elements::Floats(values) if dtype.is_float() => Ok(TensorData::new(values, shape).convert_dtype(dtype)),
        Elements::Ints(values) if dtype.is_int() || dtype.is_uint() => {
            Ok(TensorData::new(values, shape).convert_dtype(dtype))
        }
        Elements::Bools(values) if dtype.is_bool() => Ok(TensorData::new(values, shape)),
        _ => Err(PluginError::new(format!("constant {id} holds other values than its dtype {dtype:?}"))),
    }
}

fn constant(id: TensorId, data: &TensorData) -> Result<Constant, PluginError> {
    let dtype = data.dtype();
    let values = if dtype.is_float() {
        Elements::Floats(data.iter::<f64>().collect())
    } else if dtype.is_int() || dtype.is_uint() {
        Elements::Ints(data.iter::<i64>().collect())
    } else if dtype.is_bool() {
        Elements::Bools(data.iter::<bool>().collect())
    } else {
        return Err(PluginError::new(format!("a constant of {dtype:?} cannot cross the boundary")));
    };
    Ok(Constant { id, shape: data.shape().iter().copied().collect(), dtype, values })
}
