//! The clippers, against `PyTorch`'s numbers and their definitions.

use std::collections::BTreeMap;

use burn::{
    Tensor,
    tensor::{DType, Device, TensorData},
};
use hatchery_plugin::{Build, Gradients, Kind, host::HostClipper};
use serde::Deserialize;
use serde_json::{Value, json};

type Plain = BTreeMap<String, Matrix>;

#[derive(Deserialize)]
struct Golden {
    norm: f64,
    gradients: Plain,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    r#type: String,
    limit: f64,
    output: Plain,
}

#[derive(Clone, Deserialize)]
struct Matrix {
    shape: [usize; 2],
    data: Vec<f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/clippers.json")).expect("the golden file is whole")
}

fn clipper(name: &str, keys: Value) -> Box<dyn HostClipper> {
    match hatchery_clippers::plugins().find(Kind::Clipper, name).map(|variant| variant.build.clone()) {
        Some(Build::Clipper(build)) => build(keys).expect("these are its keys").0,
        _ => panic!("no clipper is named {name}"),
    }
}

fn gradients(plain: &Plain, device: &Device, dtype: DType) -> Gradients {
    let matrix = |Matrix { shape, data }: &Matrix| {
        Tensor::<2>::from_data(TensorData::new(data.clone(), *shape), (device, dtype))
    };
    plain.iter().map(|(name, plain)| (name.clone(), matrix(plain))).collect()
}

fn numbers(tensor: &Tensor<2>) -> Vec<f64> {
    tensor.to_data().iter::<f64>().collect()
}

fn clipped(name: &str, keys: Value, plain: &Plain, dtype: DType) -> Gradients {
    let after = clipper(name, keys).clip(gradients(plain, &Device::flex(), dtype)).unwrap();
    assert!(after.names().eq(plain.keys()), "{name} changes the names or their order");
    assert!(after.iter().all(|(_, matrix)| matrix.dtype() == dtype), "{name} changes the dtype");
    after
}

fn check(after: &Gradients, expected: &Plain, tolerance: f64, what: &str) {
    for (name, Matrix { shape, data }) in expected {
        let matrix = after.get(name);
        assert_eq!(matrix.dims(), *shape, "{what}: {name}");
        for (value, expected) in numbers(&matrix).iter().zip(data) {
            assert!((value - expected).abs() <= tolerance, "{what}: {name} has {value} where {expected} is expected");
        }
    }
}

/// Catches a norm of each tensor in place of all, a factor above one, a limit on one side only, and a small term that is
/// missing or elsewhere.
#[test]
fn clippers_give_the_numbers_of_pytorch() {
    let golden = golden();
    for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-6)] {
        let before = gradients(&golden.gradients, &Device::flex(), dtype);
        let norm: f64 = before.global_norm().into_scalar();
        assert!((norm - golden.norm).abs() < tolerance * 3.0, "{norm} is not {}", golden.norm);
        for case in &golden.cases {
            let after = clipped(&case.r#type, json!({ "limit": case.limit }), &golden.gradients, dtype);
            check(&after, &case.output, tolerance, &format!("{} {} {dtype:?}", case.r#type, case.limit));
        }
    }
}

/// Catches a `tensor-norm` that measures all tensors together, and one that lengthens the short ones.
#[test]
fn tensor_norm_measures_each_gradient_by_itself() {
    let before = golden().gradients;
    let mut expected = before.clone();
    let mut scaled = 0;
    for Matrix { data, .. } in expected.values_mut() {
        let norm = data.iter().map(|value| value * value).sum::<f64>().sqrt();
        if norm > 1.0 {
            for value in data {
                *value *= 1.0 / (norm + 1e-6);
            }
            scaled += 1;
        }
    }
    assert_eq!(scaled, 2, "the case needs gradients on both sides of the limit");
    let after = clipped("tensor-norm", json!({ "limit": 1.0 }), &before, DType::F64);
    check(&after, &expected, 1e-12, "tensor-norm");
}

/// Catches a division by the norm of gradients that are all zero.
#[test]
fn zero_gradients_stay_zero() {
    let zero = Plain::from([("a".to_owned(), Matrix { shape: [2, 3], data: vec![0.0; 6] })]);
    for name in ["norm", "tensor-norm", "value"] {
        for dtype in [DType::F64, DType::F32] {
            check(&clipped(name, json!({ "limit": 1e-3 }), &zero, dtype), &zero, 0.0, name);
        }
    }
}

/// Catches a `none` that does something.
#[test]
fn none_changes_nothing() {
    let before = golden().gradients;
    check(&clipped("none", json!({}), &before, DType::F64), &before, 0.0, "none");
}

/// Catches a clipper that reads values back: on the capture device there are none.
#[test]
fn clippers_can_be_captured() {
    let plain = golden().gradients;
    for (name, keys) in [
        ("none", json!({})),
        ("value", json!({ "limit": 0.5 })),
        ("norm", json!({ "limit": 1.0 })),
        ("tensor-norm", json!({ "limit": 1.0 })),
    ] {
        let device = Device::capture();
        let captured = device.capture_scope(|scope| {
            let after = clipper(name, keys).clip(gradients(&plain, &device, DType::F32)).unwrap();
            assert_eq!(after.len(), plain.len());
            scope.complete([], [])
        });
        let operations = captured.expect("the scope is complete").graph.operations.len();
        // Putting the gradients on the device is recorded too.
        assert_eq!(operations > plain.len(), name != "none", "{name} records {operations} operations");
    }
}

/// Catches a documented example that no longer builds, and a limit that may be zero.
#[test]
fn documented_examples_build() {
    let provider = hatchery_clippers::plugins();
    crate::samplers::check_examples(&provider, |build, keys| match build {
        Build::Clipper(build) => build(keys).map(|(_, resolved)| resolved).map_err(|fault| fault.message),
        _ => Err("this is no clipper".to_owned()),
    });
    for variant in provider.variants.iter().filter(|variant| variant.name != "none") {
        assert_eq!(variant.schema["properties"]["limit"]["exclusiveMinimum"], 0.0, "{}", variant.name);
    }
}
