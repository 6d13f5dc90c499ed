//! Every operation that a recorded cell may use: replayed, it gives the values and the gradients of a direct call, bit
//! for bit in f64; and the values are those of the page that `hatchery export html` writes. An argument in the wrong place or
//! a wrong function would show in one of the three.

use hatchery::{export, replay::Program};
use hatchery_plugin::{
    Name,
    burn::{
        Tensor,
        tensor::{DType, Device, Int, TensorData, activation, module},
    },
    capture::capture,
};

use crate::export::{Graph, agree};

type Function = fn(Tensor<2>, Tensor<2>) -> Tensor<2>;

/// `[3, 4]`, of both signs, some equal, some whole.
fn argument(index: usize) -> Tensor<2> {
    let values: Vec<f64> =
        (0..12).map(|at| ((at * 7 + index * 5) % 11) as f64 * 0.25 - 1.1 + index as f64 * 0.003).collect();
    Tensor::from_data(TensorData::new(values, [3, 4]), (&Device::default(), DType::F64))
}

/// Values, and the gradients of a weighted sum of them, as bits; none where the result does not depend on the argument.
fn bits(out: &Tensor<2>, arguments: &[Tensor<2>]) -> (Vec<u64>, Vec<Option<Vec<u64>>>) {
    let read = |tensor: Tensor<2>| tensor.into_data().iter::<f64>().map(f64::to_bits).collect::<Vec<_>>();
    let values = read(out.clone().inner());
    let weights: Vec<f64> = (0..values.len()).map(|at| 1.0 + at as f64 * 0.37).collect();
    let weights = Tensor::<2>::from_data(TensorData::new(weights, out.dims()), (&Device::default(), DType::F64));
    let mut gradients = (out.clone() * weights.autodiff()).sum().backward();
    (values, arguments.iter().map(|argument| argument.grad_remove(&mut gradients).map(read)).collect())
}

/// Compares, and gives what a page must compute too.
#[track_caller]
fn same(label: &'static str, function: Function) -> Graph {
    let fresh = || [0, 1].map(|index| argument(index).autodiff().require_grad());
    let arguments = fresh();
    let [a, b] = arguments.clone();
    let direct = function(a, b);
    let (shape, expected) = (direct.dims(), bits(&direct, &arguments));

    let shapes = [(Name::from("a"), [3, 4]), (Name::from("b"), [3, 4])];
    let captured = capture(&shapes, DType::F64, |tensors| {
        let [a, b] = tensors.try_into().unwrap();
        Ok(vec![("out".into(), function(a, b))])
    });
    let captured = captured.unwrap_or_else(|error| panic!("{label}: {error}"));
    let program = Program::new(&captured, &shapes, &[("out".into(), shape)], DType::F64)
        .unwrap_or_else(|error| panic!("{label}: {error}"));
    let arguments = fresh();
    let replayed = program.run(arguments.to_vec()).remove(0);
    assert_eq!(bits(&replayed, &arguments), expected, "{label}");
    let numbers = |tensor: Tensor<2>| tensor.inner().into_data().iter::<f64>().collect();
    Graph {
        label,
        recorded: export::graph(&captured),
        given: arguments.into_iter().map(|argument| (argument.dims(), numbers(argument))).collect(),
        expected: (shape, numbers(direct)),
    }
}

macro_rules! same {
    ($($label:literal: |$a:pat_param, $b:pat_param| $body:expr;)+) => {
        agree(&[$(same($label, |$a: Tensor<2>, $b: Tensor<2>| $body),)+]);
    };
}

#[test]
fn arithmetic() {
    same! {
        "add": |a, b| a + b;
        "subtract": |a, b| a - b;
        "multiply": |a, b| a * b;
        "divide": |a, b| a / b;
        "remainder": |a, b| a.remainder(b + 3.0);
        "numbers": |a, _| ((a + 2.0) * 3.0 - 1.0) / 0.7;
        "remainder of a number": |a, _| a.remainder_scalar(0.4);
        "broadcast": |a, b| a.clone().narrow(0, 0, 1) * b.clone().narrow(1, 1, 1) + a;
        "square": |a, b| a.clone() * a + b.square();
        "negative": |a, b| -a + b.abs() * 2.0;
        "sign": |a, b| a.sign() * b;
        "reciprocal": |a, _| (a + 4.0).recip();
        "matrix product": |a, b| a.matmul(b.transpose());
        "linear": |a, b| module::linear(a, b.transpose(), None);
        "powers": |a, b| (a + 3.0).powf(b);
        "whole power": |a, _| a.powi_scalar(3);
        "broken power": |a, _| (a + 3.0).powf_scalar(1.7);
    }
}

#[test]
fn functions() {
    same! {
        "exponential": |a, b| a.exp() + (b + 4.0).log();
        "log1p": |a, _| (a + 3.0).log1p();
        "root": |a, _| (a + 4.0).sqrt();
        "waves": |a, b| a.clone().sin() * b.cos() + a.tan();
        "hyperbolic": |a, b| a.clone().sinh() + b.cosh() * a.tanh();
        "arcs": |a, b| (a.clone() * 0.3).asin() + (b.clone() * 0.3).acos() + a.atan();
        "hyperbolic arcs": |a, b| a.clone().asinh() + (b + 4.0).acosh() + (a * 0.3).atanh();
        "atan2": |a, b| a.atan2(b + 3.0);
        "error function": |a, _| a.erf();
        "rounding": |a, b| a.clone().round() + a.clone().floor() * 2.0 + a.clone().ceil() + a.trunc() + b;
    }
}

#[test]
fn activations() {
    same! {
        "relu": |a, _| activation::relu(a);
        "leaky relu": |a, _| activation::leaky_relu(a, 0.1);
        "gelu": |a, _| activation::gelu(a);
        "sigmoid": |a, _| activation::sigmoid(a);
        "log sigmoid": |a, _| activation::log_sigmoid(a);
        "hard sigmoid": |a, _| activation::hard_sigmoid(a, 0.2, 0.5);
        "softmax": |a, b| activation::softmax(a, 1) + activation::softmax(b, 0);
        "log softmax": |a, _| activation::log_softmax(a, 1);
        "softmin": |a, _| activation::softmin(a, 1);
        "softplus": |a, _| activation::softplus(a, 1.0);
        "silu": |a, _| activation::silu(a);
        "mish": |a, _| activation::mish(a);
        "tanh": |a, _| activation::tanh(a);
        "layer norm": |a, b| module::layer_norm(
            a, b.clone().narrow(0, 0, 1).reshape([4]), Some(b.narrow(0, 1, 1).reshape([4])), 1e-5);
    }
}

#[test]
fn reductions() {
    same! {
        "sum": |a, b| b * a.sum().reshape([1, 1]);
        "mean": |a, b| b * a.mean().reshape([1, 1]);
        "sum over rows": |a, b| a.sum_dim(0) * b.sum_dim(1);
        "mean over rows": |a, b| a.mean_dim(0) * b.mean_dim(1);
        "product": |a, _| (a + 3.0).prod_dim(1);
        "largest": |a, b| a.clone().max_dim(1) + b.min_dim(1) + a.max().reshape([1, 1]);
        "smallest": |a, b| b * a.min().reshape([1, 1]);
        "largest with its place": |a, b| { let (value, place) = a.max_dim_with_indices(1); value * b.gather(1, place) };
        "variance": |a, _| a.clone().var(1) + a.mean_dim(1);
        "cumulative sum": |a, _| a.cumsum(1);
        "cumulative product": |a, _| (a + 3.0).cumprod(1);
        "cumulative extremes": |a, b| a.cummax(1) + b.cummin(0);
    }
}

#[test]
fn masks_and_limits() {
    same! {
        "clamp": |a, b| a.clamp(-0.5, 0.5) + b.clamp_min(0.1).clamp_max(0.9);
        "greater": |a, b| a.clone().mask_where(a.greater(b.clone()), b);
        "greater or equal": |a, b| a.clone().mask_where(a.greater_equal(b.clone()), b);
        "lower": |a, b| a.clone().mask_fill(a.lower(b), 0.25);
        "lower or equal": |a, b| a.clone().mask_fill(a.lower_equal(b), 0.25);
        "against a number": |a, b| a.clone().mask_fill(a.clone().greater_elem(0.2), f64::INFINITY).clamp_max(3.0)
            + b.clone().mask_fill(b.lower_elem(0.0), 0.0) + a.clone().mask_fill(a.clone().lower_equal_elem(-0.1), 1.0)
            + a.clone().mask_fill(a.greater_equal_elem(0.1), 1.0);
        "equal": |a, b| a.clone().mask_fill(a.clone().equal(a.clone().round()), 0.5)
            + b.clone().mask_fill(b.clone().not_equal(b.clone().abs()), 0.5) + a.clone().mask_fill(a.equal_elem(-0.1), 7.0);
        "boolean": |a, b| { let (p, q) = (a.clone().greater_elem(0.0), b.clone().lower_elem(0.3));
            a.mask_fill(p.clone().bool_and(q.clone()), 0.1) + b.mask_fill(p.bool_or(q.bool_not()), 0.2) };
        "mask as numbers": |a, b| a.clone() * a.greater_elem(0.0).float().cast(DType::F64) + b;
        "larger of two": |a, b| a.clone().max_pair(b.clone()) + a.min_pair(b);
    }
}

#[test]
fn shapes() {
    same! {
        "transpose": |a, b| a.transpose().matmul(b);
        "permute": |a, b| a.permute([1, 0]) + b.transpose();
        "slice": |a, b| a.slice([0..2, 1..3]) * b.narrow(0, 1, 2).narrow(1, 0, 2);
        "concatenate": |a, b| Tensor::cat(vec![a, b], 1);
        "stack": |a, b| Tensor::stack::<3>(vec![a, b], 0).reshape([6, 4]);
        "chunks": |a, b| { let parts = a.chunk(2, 1); parts[0].clone() * parts[1].clone() + b.narrow(1, 0, 2) };
        "reshape": |a, b| a.reshape([4, 3]).matmul(b);
        "expand": |a, b| a.narrow(0, 0, 1).expand([3, 4]) * b;
        "repeat": |a, b| a.narrow(1, 0, 2).repeat_dim(1, 2) * b;
        "flip": |a, b| a.flip([1]) * b;
        "assign": |a, b| a.slice_assign([0..2, 0..2], b.narrow(0, 0, 2).narrow(1, 0, 2));
        "select": |a, b| a.select(0, Tensor::<1, Int>::from_ints([2, 0, 0], &b.device().inner())) * b;
        "gather": |a, b| b.gather(1, a.argmax(1));
        "cast": |a, b| a.cast(DType::F32).cast(DType::F64) * b;
        "constants": |a, b| a.clone() * Tensor::<2>::from_data(TensorData::from([[1.5f64, -2.0, 0.25, 3.0]]), (&a.device(), DType::F64)) + b.zeros_like() + a.ones_like();
        "full": |a, b| a.full_like(0.3) * b;
    }
}
