//! The tensors in a module's record that Burn saved, by `module.save_file("model.bpk")`.

use burn::tensor::TensorData;
use burn_pack::{Bytes, MAGIC_NUMBER, Reader};

use super::state_dict::{self, StateDict, Tensor};
use crate::error::Problem;

/// Whether the bytes begin as a record of Burn does.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC_NUMBER.to_le_bytes())
}

/// The tensors of the record, by the paths of their parameters in the module.
///
/// # Errors
/// When the file is damaged. The message is about "the file".
pub(super) fn read(bytes: &[u8]) -> Result<StateDict, Problem> {
    let damaged = |error: &dyn std::fmt::Display| {
        Problem::new(format!("the file cannot be read as a record of Burn: {error}"))
            .hint("copy the file again, or save it again: module.save_file(\"model.bpk\")")
    };
    let reader = Reader::from_bytes(Bytes::from_bytes_vec(bytes.to_vec())).map_err(|error| damaged(&error))?;
    let mut tensors = StateDict::new();
    for tensor in reader.into_tensors().map_err(|error| damaged(&error))? {
        let (name, dtype, shape, _, bytes) = tensor.into_parts().map_err(|error| damaged(&error))?;
        let shape = shape.to_vec();
        let numbers = if dtype.is_float() {
            let data = TensorData::try_from_bytes(bytes, shape.clone(), dtype).map_err(|error| damaged(&error))?;
            data.convert::<f32>().try_into_vec::<f32>().map_err(|error| damaged(&format!("{error:?}")))
        } else {
            Err(state_dict::unsupported(&name, &format!("{dtype:?}")))
        };
        tensors.insert(name, Tensor { shape, numbers });
    }
    Ok(tensors)
}
