//! The operations of cells, by the names that `PyTorch` gives them: what each is called here, that it computes what it should,
//! and whether it is compiled, runs on Burn, or is refused. The book's table is written from this list.

use hatchery::{executor, replay::Program};
use hatchery_plugin::{
    burn::tensor::{DType, Device, Distribution, activation},
    capture::capture_step,
    prelude::*,
};

/// What an operation makes of a row.
type OfRow = fn(&[f64]) -> Vec<f64>;

/// A row of the table.
struct Row {
    /// In `PyTorch`.
    torch: &'static str,
    /// Here.
    here: &'static str,
    run: fn(Tensor<2>) -> Tensor<2>,
    /// What a row of the matrix becomes; none where values are random.
    becomes: Option<OfRow>,
}

macro_rules! rows {
    ($($torch:literal, |$x:ident| $here:expr, $row:expr;)*) => {
        vec![$(Row { torch: $torch, here: stringify!($here), run: |$x: Tensor<2>| $here, becomes: $row }),*]
    };
}

fn each(row: &[f64], function: fn(f64) -> f64) -> Vec<f64> {
    row.iter().copied().map(function).collect()
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softmax(row: &[f64]) -> Vec<f64> {
    let sum: f64 = row.iter().map(|x| x.exp()).sum();
    row.iter().map(|x| x.exp() / sum).collect()
}

fn mean(row: &[f64]) -> f64 {
    row.iter().sum::<f64>() / row.len() as f64
}

fn variance(row: &[f64]) -> f64 {
    row.iter().map(|x| (x - mean(row)).powi(2)).sum::<f64>() / row.len() as f64
}

fn running(row: &[f64], start: f64, join: fn(f64, f64) -> f64) -> Vec<f64> {
    row.iter()
        .scan(start, |sum, x| {
            Some({
                *sum = join(*sum, *x);
                *sum
            })
        })
        .collect()
}

/// The list. Matrices are `[batch, columns]`, as those of a step are; the row functions say what is expected.
#[rustfmt::skip]
fn table() -> Vec<Row> {
    rows! {
        "x + 1", |x| x + 1.0, Some(|r| each(r, |x| x + 1.0));
        "1 - x", |x| one_minus(x), Some(|r| each(r, |x| 1.0 - x));
        "0.5 * x", |x| x * 0.5, Some(|r| each(r, |x| 0.5 * x));
        "x * x", |x| x.clone() * x, Some(|r| each(r, |x| x * x));
        "1 / (2 + x.square())", |x| (x.square() + 2.0).recip(), Some(|r| each(r, |x| 1.0 / (2.0 + x * x)));
        "-x", |x| x.neg(), Some(|r| each(r, |x| -x));
        "x.abs()", |x| x.abs(), Some(|r| each(r, f64::abs));
        "x.sign()", |x| x.sign(), Some(|r| each(r, f64::signum));
        "x.exp()", |x| x.exp(), Some(|r| each(r, f64::exp));
        "x.abs().log()", |x| x.abs().log(), Some(|r| each(r, |x| x.abs().ln()));
        "(x.square() + eps).sqrt()", |x| (x.square() + 1e-5).sqrt(), Some(|r| each(r, |x| (x * x + 1e-5).sqrt()));
        "x.pow(2)", |x| x.powf_scalar(2.0), Some(|r| each(r, |x| x * x));
        "x.clamp(-1, 1)", |x| x.clamp(-1.0, 1.0), Some(|r| each(r, |x| x.clamp(-1.0, 1.0)));
        "x.clamp(min=0)", |x| x.clamp_min(0.0), Some(|r| each(r, |x| x.max(0.0)));
        "torch.maximum(x, y)", |x| x.clone().max_pair(x.neg()), Some(|r| each(r, f64::abs));
        "x.sin()", |x| x.sin(), Some(|r| each(r, f64::sin));
        "x.floor()", |x| x.floor(), Some(|r| each(r, f64::floor));
        "x.tanh()", |x| x.tanh(), Some(|r| each(r, f64::tanh));
        "x.sigmoid()", |x| sigmoid(x), Some(|r| each(r, logistic));
        "F.logsigmoid(x)", |x| activation::log_sigmoid(x), Some(|r| each(r, |x| logistic(x).ln()));
        "F.hardsigmoid as in Keras", |x| hard_sigmoid(x), Some(|r| each(r, |x| (0.2 * x + 0.5).clamp(0.0, 1.0)));
        "F.relu(x)", |x| activation::relu(x), Some(|r| each(r, |x| x.max(0.0)));
        "F.leaky_relu(x, 0.1)", |x| activation::leaky_relu(x, 0.1), Some(|r| each(r, |x| if x < 0.0 { 0.1 * x } else { x }));
        "F.silu(x)", |x| activation::silu(x), Some(|r| each(r, |x| x * logistic(x)));
        "F.softplus(x)", |x| activation::softplus(x, 1.0), Some(|r| each(r, |x| x.exp().ln_1p()));
        "F.softmax(x, 1)", |x| activation::softmax(x, 1), Some(softmax);
        "F.log_softmax(x, 1)", |x| activation::log_softmax(x, 1), Some(|r| each(&softmax(r), f64::ln));
        "torch.where(x < 0, 0.1 * x, x)", |x| x.clone().mask_where(x.clone().lower_elem(0.0), x * 0.1), Some(|r| each(r, |x| if x < 0.0 { 0.1 * x } else { x }));
        "x.masked_fill(x < 0, 0)", |x| x.clone().mask_fill(x.lower_elem(0.0), 0.0), Some(|r| each(r, |x| x.max(0.0)));
        "(x > 0).float()", |x| x.greater_elem(0.0).float(), Some(|r| each(r, |x| f64::from(x > 0.0)));
        "x.sum(1, keepdim=True)", |x| x.sum_dim(1), Some(|r| vec![r.iter().sum()]);
        "x.mean(1, keepdim=True)", |x| x.mean_dim(1), Some(|r| vec![mean(r)]);
        "x.max(1, keepdim=True).values", |x| x.max_dim(1), Some(|r| vec![r.iter().copied().fold(f64::MIN, f64::max)]);
        "F.layer_norm(x, [n])", |x| { let c = x.clone() - x.mean_dim(1); c.clone() / (c.square().mean_dim(1) + 1e-5).sqrt() }, Some(|r| { let (m, v) = (mean(r), variance(r)); r.iter().map(|x| (x - m) / (v + 1e-5).sqrt()).collect() });
        "x.cumsum(1)", |x| x.cumsum(1), Some(|r| running(r, 0.0, |a, b| a + b));
        "x.cumprod(1)", |x| x.cumprod(1), Some(|r| running(r, 1.0, |a, b| a * b));
        "x[:, 1:3]", |x| x.narrow(1, 1, 2), Some(|r| r[1..3].to_vec());
        "x.chunk(2, 1)", |x| { let [a, b] = chunk(x); a * b }, Some(|r| vec![r[0] * r[2], r[1] * r[3]]);
        "torch.cat([x, x], 1)", |x| Tensor::cat(vec![x.clone(), x], 1), Some(|r| [r, r].concat());
        "x.flip(1)", |x| x.flip([1]), Some(|r| r.iter().rev().copied().collect());
        "x.roll(1, 1)", |x| Tensor::cat(vec![x.clone().narrow(1, 3, 1), x.narrow(1, 0, 3)], 1), Some(|r| vec![r[3], r[0], r[1], r[2]]);
        "x.view(b, 2, 2).sum(2)", |x| { let [b, _] = x.dims(); let y: Tensor<3> = x.reshape([b, 2, 2]).sum_dim(2); y.reshape([b, 2]) }, Some(|r| vec![r[0] + r[1], r[2] + r[3]]);
        "torch.tensor([[1., 2., 3., 4.]]) * x", |x| x.clone() * constant(&x, [[1.0, 2.0, 3.0, 4.0]]), Some(|r| r.iter().zip(1..).map(|(x, k)| x * f64::from(k)).collect());
        "x.sort(1).values", |x| x.sort(1), Some(|r| { let mut r = r.to_vec(); r.sort_by(f64::total_cmp); r });
        "x.topk(2, 1).values", |x| x.topk(2, 1), Some(|r| { let mut r = r.to_vec(); r.sort_by(f64::total_cmp); vec![r[3], r[2]] });
        "torch.randn_like(x)", |x| x.random_like(Distribution::Normal(0.0, 1.0)), None;
    }
}

/// A cell whose output is one operation of its hidden vector.
struct Once(fn(Tensor<2>) -> Tensor<2>);

/// Width of the hidden vector.
const WIDTH: usize = 4;

fn example(rows: usize) -> Tensor<2> {
    let values = [[-1.5, 0.5, 2.25, -0.75], [3.0, -0.25, 1.5, 0.125]];
    Tensor::from_data(values, (&Device::flex(), DType::F64)).narrow(0, 0, rows)
}

impl Cell for Once {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![weight("w", [WIDTH, inputs])]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", WIDTH)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        (self.0)(example(1)).dims()[1]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let h = (linear_no_bias(x, params.get("w")) + state.get("h")).tanh(); // [batch, WIDTH]
        ((self.0)(h.clone()), State::from([("h", h)]))
    }
}

/// How an operation is run: `compiled`, `on Burn` with the reason, or `refused` with what to do.
fn status(run: fn(Tensor<2>) -> Tensor<2>) -> String {
    let cell = Once(run);
    let (inputs, rows, dtype) = (5, 3, DType::F32);
    let declared = hatchery_plugin::host::HostCell::declare(&cell, inputs).unwrap();
    let (arguments, results) = (declared.arguments(inputs, rows), declared.results(rows));
    let replayed = capture_step(&cell, inputs, rows, dtype)
        .and_then(|recorded| Program::new(&recorded, &arguments, &results, dtype));
    if let Err(error) = replayed {
        return format!("refused: {error}");
    }
    match executor::program(&cell, inputs) {
        Ok(_) => "compiled".to_owned(),
        Err(refusal) => format!("on Burn: {refusal}"),
    }
}

/// Would catch: a name in the book's table under which something else is computed.
#[test]
fn each_computes_what_it_should() {
    for Row { torch, run, becomes, .. } in table() {
        let Some(row) = becomes else { continue };
        let given = example(2);
        let rows: Vec<Vec<f64>> =
            (0..2).map(|at| given.clone().narrow(0, at, 1).into_data().iter::<f64>().collect()).collect();
        let expected: Vec<f64> = rows.iter().flat_map(|given| row(given)).collect();
        let found: Vec<f64> = run(given).into_data().iter::<f64>().collect();
        assert_eq!(found.len(), expected.len(), "{torch}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-9, "{torch}: {found} and {expected}");
        }
    }
}

/// Would catch: a table of fewer than the forty operations that the book promises, or one in which most are not compiled.
#[test]
fn most_are_compiled() {
    let table = table();
    assert!(table.len() >= 40, "{}", table.len());
    let compiled = table.iter().filter(|row| status(row.run) == "compiled").count();
    assert!(compiled >= 35, "{compiled} of {}", table.len());
    assert!(status(|x| x.random_like(Distribution::Normal(0.0, 1.0))).starts_with("refused: it draws random numbers"));
}

/// The book's table.
pub(crate) fn page() -> String {
    let line = |Row { torch, here, run, .. }: Row| {
        let here = here.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("| `{torch}` | `{here}` | {} |\n", status(run).replace('|', "\\|"))
    };
    let lines: String = table().into_iter().map(line).collect();
    format!("| PyTorch | here | run |\n| --- | --- | --- |\n{lines}")
}
