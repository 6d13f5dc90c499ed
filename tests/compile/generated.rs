//! Random cells: graphs of the operations that a cell may use, compared with Burn and with finite differences.

use hatchery_compile::{Dtype, Options};
use hatchery_plugin::{
    Cell, Initializer, ParamSpec, Params, State, StateSpec,
    burn::{
        Tensor,
        tensor::{activation, module},
    },
    host::HostCell,
    linear, linear_no_bias,
};
use proptest::prelude::*;

use super::{
    compare, description, executable,
    reference::{Batch, Case, Draws, Noise},
};

/// A cell whose step is a random sequence of operations.
#[derive(Clone, Debug)]
struct Random {
    hidden: usize,
    /// Each an operation and the indices of the two earlier values that it may use.
    operations: Vec<(u8, usize, usize)>,
}

impl Cell for Random {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![
            ParamSpec::new("wx", [2 * h, inputs], Initializer::Zeros),
            ParamSpec::new("wh", [h, h], Initializer::Zeros),
            ParamSpec::new("wc", [h, h + inputs], Initializer::Zeros),
            ParamSpec::new("b", [1, 2 * h], Initializer::Zeros),
            ParamSpec::new("p", [1, h], Initializer::Zeros),
            ParamSpec::new("s", [1, 1], Initializer::Zeros),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![StateSpec::new("h", self.hidden), StateSpec::new("c", self.hidden).start(0.5)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let h = self.hidden;
        let both = linear(x.clone(), params.get("wx"), params.get("b")); // [batch, 2 hidden]
        let mut values = vec![both.clone().narrow(1, 0, h), both.narrow(1, h, h), state.get("h"), state.get("c")];
        for &(operation, first, second) in &self.operations {
            let (a, b) = (values[first % values.len()].clone(), values[second % values.len()].clone());
            values.push(match operation % 32 {
                0 => a + b,
                1 => a - b,
                2 => a * b,
                3 => a.tanh() + linear_no_bias(b, params.get("wh")),
                4 => activation::sigmoid(a),
                5 => activation::relu(a) * 0.5,
                6 => linear_no_bias(a * params.get("p"), params.get("wh")),
                7 => linear_no_bias(Tensor::cat(vec![a, x.clone()], 1), params.get("wc")).tanh(),
                8 => (a * 0.2 + 0.5).clamp(-0.7, 0.6) + b,
                9 => (a.clone() * a + 1.0).sqrt(),
                10 => a.tanh() / (b.abs() + 1.5),
                11 => a.clone().tanh() * a.mean_dim(1),
                12 => activation::softmax(a, 1) * b,
                13 => a.clone().mask_where(b.clone().greater(a), b),
                14 => (a.tanh() * params.get("s")).exp(),
                15 => Tensor::cat(vec![b.narrow(1, 0, h / 2), a.narrow(1, h / 2, h - h / 2)], 1),
                16 => activation::leaky_relu(a, 0.1),
                17 => linear_no_bias(a, params.get("wh").slice([0..h, 0..h]).transpose()) * 0.5,
                18 => a.tanh().sin() + b.cos(),
                19 => linear(a, params.get("wh") * params.get("s"), params.get("b").narrow(1, 0, h) + params.get("p")),
                20 => activation::silu(a),
                21 => a.clone().tanh() * a.max_dim(1),
                22 => a.cumsum(1) * 0.3,
                23 => (a * 3.0).floor() * 0.2 + b,
                24 => (a * 3.0).round() * 0.2 * b,
                25 => a.remainder_scalar(0.7) + b.clone().remainder(b.abs() + 1.1),
                26 => (a * 0.7).erf() + b,
                27 => activation::log_sigmoid(a) * 0.3,
                28 => module::layer_norm(a, params.get("p").reshape([h]), Some(params.get("p").reshape([h])), 1e-3),
                29 => a.clone() / (a.powi_scalar(2).mean_dim(1) + 1e-2).sqrt() * params.get("p"),
                30 => activation::log_softmax(a, 1) * 0.1,
                _ => (a.tanh() + 1.5).log() - b.powi_scalar(2).neg() * 0.1,
            });
        }
        // Bounded, so that fifty steps stay finite.
        let count = values.len();
        let (next, carried) = (values[count - 1].clone().tanh(), values[count - 2].clone().tanh());
        let output = values[count - 1].clone().tanh() + values[count / 2].clone().tanh();
        (output, State::from([("h", next), ("c", carried)]))
    }
}

fn any_cell() -> impl Strategy<Value = Random> {
    let operation = (any::<u8>(), any::<usize>(), any::<usize>());
    (2..9_usize, prop::collection::vec(operation, 1..12)).prop_map(|(hidden, operations)| Random { hidden, operations })
}

fn settings(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(settings(60))]

    #[test]
    fn random_cells_agree_with_burn(
        cells in prop::collection::vec(any_cell(), 1..3),
        embedding in prop::option::of(1..6_usize),
        rows in 1..30_usize,
        steps in 1..6_usize,
    ) {
        let layers = cells.into_iter().map(|cell| Box::new(cell) as Box<dyn HostCell>).collect();
        let mut case = Case::new(6, layers);
        case.embedding = embedding;
        compare(Dtype::F64, &case, &[(rows, steps), (1, 3)], 4, 1e-9);
    }

    /// The gradient of one element of every parameter is the slope of the loss.
    #[test]
    fn gradients_are_slopes(cell in any_cell(), entry in any::<usize>()) {
        let case = Case::new(5, vec![Box::new(cell)]);
        let values = case.values(11);
        let batch = Batch { continues: false, ..Batch::random(&mut Noise(2), 5, 3, 4, true) };
        let mut trained = executable(&case, &values, Dtype::F64, Options::default());
        trained.train(&batch.view(), &Draws(0), 0.0);
        let [gradients, _] = trained.gradients();
        for (index, gradient) in gradients.iter().enumerate() {
            let entry = entry % gradient.len();
            let loss = |shift: f64| {
                let mut values = values.clone();
                values[index][entry] += shift;
                executable(&case, &values, Dtype::F64, Options::default()).evaluate(&batch.view()).nats / batch.view().divisor
            };
            let (left, here, right) = (loss(-1e-6), loss(0.0), loss(1e-6));
            let fine = (right - left) / 2e-6;
            let tolerance = 1e-5 * (1.0 + fine.abs());
            // At a kink (clamp, relu, mask) the slopes on both sides differ, and the central difference, their mean, is
            // off by at most half of that. Only elements at which they differ by the tolerance or more are skipped.
            if (right - 2.0 * here + left).abs() / 1e-6 < tolerance {
                let (name, _) = &case.params()[index];
                prop_assert!((gradient[entry] - fine).abs() < tolerance, "{name}: {} {fine}", gradient[entry]);
            }
        }
    }
}

/// A cell with an operation that the compiler does not know.
struct Unknown;

impl Cell for Unknown {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![ParamSpec::new("w", [4, inputs], Initializer::Zeros)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![StateSpec::new("h", 4)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        4
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let h = (linear_no_bias(x, params.get("w")) + state.get("h")).cumprod(1);
        (h.clone(), State::from([("h", h)]))
    }
}

/// A cell that reads a value back, or one whose shapes do not fit.
struct Wrong(bool);

impl Cell for Wrong {
    fn params(&self, _: usize) -> Vec<ParamSpec> {
        vec![ParamSpec::new("w", [4, 3], Initializer::Zeros)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![StateSpec::new("h", 4)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        4
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let h = state.get("h");
        let h = if self.0 {
            let seen: f32 = x.sum().into_scalar();
            h * f64::from(seen)
        } else {
            linear_no_bias(h, params.get("w"))
        };
        (h.clone(), State::from([("h", h)]))
    }
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let refusal = |cell: Box<dyn HostCell>| {
        let case = Case::new(5, vec![cell]);
        let result = hatchery_compile::compile(&description(&case), Dtype::F32, Options::default());
        result.err().expect("it is refused").to_string()
    };
    assert_eq!(refusal(Box::new(Unknown)), "operation `CumProd`");
    assert!(refusal(Box::new(Wrong(true))).contains("it reads the value of a tensor"));
    let text = refusal(Box::new(Wrong(false)));
    assert!(text.contains("the product of") && text.contains("does not fit"), "{text}");
}

/// Would catch a bug that the random cells found: a gradient that is passed to the step before and is also that of a
/// product outside of the loop was overwritten before the loop was over.
#[test]
fn gradients_that_are_passed_on_last() {
    let cells: [&[(u8, usize, usize)]; 3] = [
        &[(6, 0, 1), (0, 4, 2), (0, 0, 0), (0, 0, 0), (14, 0, 0), (3, 0, 0)],
        &[(6, 0, 1), (0, 4, 3), (0, 0, 0), (0, 0, 0), (14, 0, 0), (3, 0, 4)],
        &[(6, 0, 1), (0, 4, 2), (0, 0, 0), (0, 0, 0), (0, 0, 0), (6, 4, 4)],
    ];
    for operations in cells {
        let cell = || Box::new(Random { hidden: 3, operations: operations.to_vec() }) as Box<dyn HostCell>;
        compare(Dtype::F64, &Case::new(6, vec![cell(), cell()]), &[(2, 5), (9, 7)], 4, 1e-10);
    }
    compare(Dtype::F64, &Case::new(6, vec![Box::new(Late), Box::new(Late)]), &[(2, 5), (9, 7)], 4, 1e-10);
}

/// A cell of which one state vector is a product without an activation, and whose output depends on the state before
/// alone.
struct Late;

impl Cell for Late {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![
            ParamSpec::new("wx", [3, inputs], Initializer::Zeros),
            ParamSpec::new("wh", [3, 3], Initializer::Zeros),
            ParamSpec::new("wc", [3, inputs], Initializer::Zeros),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![StateSpec::new("h", 3), StateSpec::new("c", 3)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        3
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [h, c] = [state.get("h"), state.get("c")];
        let next =
            linear_no_bias(x.clone(), params.get("wx")) + linear_no_bias(h.clone(), params.get("wh")) + c.clone();
        (h.tanh() + c, State::from([("h", next), ("c", linear_no_bias(x, params.get("wc")))]))
    }
}
