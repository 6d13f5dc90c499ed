//! A recorded graph of Burn operations as it crosses the boundary of a loaded library, and the two encodings.
//!
//! It is a crate of its own because the code that reads Burn's operations is by far the largest of the framework and runs
//! once per cell: here it is compiled once, without optimization (`[profile.release.package.hatchery-graph]`).

use std::borrow::Cow;

use burn::{
    backend::ir::{GraphIr, TensorId},
    tensor::DType,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A recorded function of named matrices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Graph {
    /// The operations, in the order of execution.
    pub graph: GraphIr,
    /// The arguments. Of a cell: `x`, the parameters, the state.
    pub inputs: Vec<(Cow<'static, str>, TensorId)>,
    /// The results. Of a cell: `output`, the next state.
    pub outputs: Vec<(Cow<'static, str>, TensorId)>,
    /// Constants of the function.
    #[serde(default)]
    pub constants: Vec<Constant>,
}

/// A tensor with its values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Constant {
    /// The tensor.
    pub id: TensorId,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its element type.
    pub dtype: DType,
    /// Its elements, row by row.
    pub values: Elements,
}

/// Elements in their widest form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Elements {
    /// Floating point.
    Floats(Vec<f64>),
    /// Integers.
    Ints(Vec<i64>),
    /// Booleans.
    Bools(Vec<bool>),
}

impl Graph {
    /// Reads a graph in either encoding: [`decode`], compiled in this crate.
    ///
    /// # Errors
    /// When the bytes are neither JSON nor `MessagePack`, or no graph.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        decode(bytes)
    }

    /// Writes a graph as `MessagePack`: [`encode`], compiled in this crate.
    ///
    /// # Errors
    /// When a value has no form in `MessagePack`.
    pub fn write(&self) -> Result<Vec<u8>, String> {
        encode(self)
    }
}

/// Reads JSON, which begins with `{` or `[`, or `MessagePack`, of which no map or array that is exchanged does.
///
/// # Errors
/// When the bytes are neither JSON nor `MessagePack`, or not of this form.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match bytes.first() {
        None => Err("it is empty".to_owned()),
        Some(b'{' | b'[' | b' ' | b'\n') => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
        Some(_) => {
            let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
            // Deeper nesting than that of any graph is an attempt to exhaust the stack.
            reader.set_max_depth(64);
            T::deserialize(&mut reader).map_err(|error| error.to_string())
        }
    }
}

/// Writes `MessagePack`, which unlike JSON has infinities.
///
/// # Errors
/// When the value has no form in `MessagePack`.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(value).map_err(|error| error.to_string())
}
