//! A recorded graph as the page's interpreter reads it.
//!
//! Burn's own JSON of an operation names a tensor by its number, shape, element type and status at each mention. Here
//! tensors are numbered from 0 and mentioned by their number alone, and their shapes stand once in a list.

use std::collections::HashMap;

use burn::{
    backend::ir::{IrVisitorMut, OperationIr, ScalarIr, TensorId, TensorIr},
    tensor::{DType, TensorData},
};
use hatchery_plugin::capture::RecordedGraph;
use serde_json::{Value, json};

use super::encoded;
use crate::tensors::Values;

/// A graph as JSON: `inputs` and `outputs` are numbers of tensors, `shapes` the shape of each, `constants` those with values,
/// and an operation is its family, its name and its fields, in which a tensor is its number after a t:
/// `["Float", "Matmul", {"lhs": "t0", "rhs": "t1", "out": "t2"}]`. Infinities, which JSON has not, are the largest finite
/// numbers.
///
/// # Panics
/// When the graph has an operation without a form in JSON; none of Burn's is.
pub fn graph(recorded: &RecordedGraph) -> Value {
    let mut tensors = Tensors::default();
    let inputs: Vec<_> = recorded.inputs.iter().map(|(_, id)| tensors.number(*id)).collect();
    let constants: Vec<_> = recorded
        .constants
        .iter()
        .map(|(id, data)| {
            let number = tensors.number(*id);
            let shape: Vec<usize> = data.shape().iter().copied().collect();
            tensors.shapes[number].clone_from(&shape);
            json!({ "tensor": number, "content": encoded(&shape, &values(data)) })
        })
        .collect();
    let mut operations = recorded.graph.operations.clone();
    operations.retain(|operation| !matches!(operation, OperationIr::Init(_) | OperationIr::Drop(_)));
    operations.iter_mut().for_each(|operation| operation.visit_mut(&mut tensors));
    let operations: Vec<_> = operations.iter().map(operation).collect();
    let outputs: Vec<_> = recorded.outputs.iter().map(|(_, id)| tensors.number(*id)).collect();
    json!({
        "inputs": inputs,
        "outputs": outputs,
        "shapes": tensors.shapes,
        "constants": constants,
        "operations": operations,
    })
}

/// Numbers tensors in the order in which they are met, and notes their shapes.
#[derive(Default)]
struct Tensors {
    numbers: HashMap<TensorId, usize>,
    shapes: Vec<Vec<usize>>,
}

impl Tensors {
    fn number(&mut self, id: TensorId) -> usize {
        *self.numbers.entry(id).or_insert_with(|| {
            self.shapes.push(Vec::new());
            self.shapes.len() - 1
        })
    }
}

impl IrVisitorMut for Tensors {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        let number = self.number(tensor.id);
        self.shapes[number] = tensor.shape.iter().copied().collect();
        tensor.id = TensorId::new(number as u64);
    }

    fn visit_scalar_mut(&mut self, scalar: &mut ScalarIr) {
        if let ScalarIr::Float(value) = scalar
            && value.is_infinite()
        {
            *value = f64::MAX.copysign(*value);
        }
    }
}

/// Burn's JSON is `{"NumericFloat": ["F32", {"Add": {…}}]}`, or without the element type.
fn operation(operation: &OperationIr) -> Value {
    let json = serde_json::to_value(operation).expect("Burn's operations have a form in JSON");
    let (family, inner) = single(&json).expect("an operation is named");
    let inner = inner.as_array().and_then(|parts| parts.last()).unwrap_or(inner);
    match single(inner) {
        Some((name, fields)) => json!([family, name, fields_alone(fields)]),
        None => json!([family, family, fields_alone(inner)]),
    }
}

/// Tensors by their numbers, scalars without their type.
fn fields_alone(value: &Value) -> Value {
    match value {
        Value::Object(fields) if fields.contains_key("id") && fields.contains_key("status") => {
            json!(format!("t{}", fields["id"].get("value").unwrap_or(&fields["id"])))
        }
        Value::Object(fields) => match single(value) {
            Some(("Float" | "Int" | "UInt" | "Bool", scalar)) => scalar.clone(),
            _ => fields.iter().map(|(name, field)| (name.clone(), fields_alone(field))).collect(),
        },
        Value::Array(items) => items.iter().map(fields_alone).collect(),
        other => other.clone(),
    }
}

/// The key and the value of an object with one.
fn single(value: &Value) -> Option<(&str, &Value)> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.iter().next().map(|(name, value)| (name.as_str(), value))
}

/// The elements of a constant. Integers and booleans are numbers to the page.
fn values(data: &TensorData) -> Values {
    match data.dtype() {
        DType::F32 => Values::F32(data.iter::<f32>().collect()),
        _ => Values::F64(data.iter::<f64>().collect()),
    }
}
