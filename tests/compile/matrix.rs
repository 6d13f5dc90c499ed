//! Cells whose state is a matrix, or one for each head: graphs of the operations that such cells are made of, against Burn.

use hatchery_compile::{Dtype, Options};
use hatchery_plugin::{
    Cell, Initializer, ParamSpec, Params, State, StateSpec,
    burn::{
        Tensor,
        tensor::activation::{self, sigmoid},
    },
    host::HostCell,
    linear_no_bias,
};
use proptest::prelude::*;

use super::{compare, compiled, reference::Case};

/// A cell with matrices `[heads, rows, columns]` as its state, whose step is made of the operations that its numbers choose.
#[derive(Clone, Debug)]
struct Random {
    heads: usize,
    rows: usize,
    columns: usize,
    operations: Vec<(u8, usize, usize)>,
}

impl Random {
    fn entries(&self) -> usize {
        self.heads * self.rows * self.columns
    }
}

impl Cell for Random {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let Self { heads, rows, columns, .. } = *self;
        let spec = |name: &'static str, shape| ParamSpec::new(name, shape, Initializer::Zeros);
        vec![
            spec("wk", [heads * rows, inputs]),
            spec("wv", [heads * columns, inputs]),
            spec("wg", [heads, inputs]),
            spec("fixed", [columns, columns]),
            spec("left", [rows, rows]),
            spec("each", [heads * columns, columns]),
            spec("whole", [1, heads * rows * columns]),
            spec("p", [1, columns]),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![StateSpec::new("s", self.entries()).start(0.25), StateSpec::new("n", self.heads * self.rows)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.heads * self.columns
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let Self { heads, rows, columns, .. } = *self;
        let [batch, _] = x.dims();
        let of = |name: &str| linear_no_bias(x.clone(), params.get(name));
        let mut tall = vec![of("wk").reshape([batch, heads, rows, 1]), state.get("n").reshape([batch, heads, rows, 1])];
        let mut wide = vec![of("wv").reshape([batch, heads, 1, columns])];
        let gate = sigmoid(of("wg")).reshape([batch, heads, 1, 1]);
        let mut values: Vec<Tensor<4>> = vec![state.get("s").reshape([batch, heads, rows, columns])];
        for &(operation, first, second) in &self.operations {
            let (a, b) = (values[first % values.len()].clone(), values[second % values.len()].clone());
            let (t, w) = (tall[first % tall.len()].clone(), wide[second % wide.len()].clone());
            match operation % 24 {
                0 => values.push(a * gate.clone() + t.matmul(w)),
                1 => values.push(a * t.tanh() + b),
                2 => values.push(a + b * w),
                3 => values.push(t * w),
                4 => wide.push((t.swap_dims(2, 3).matmul(a)).tanh()),
                5 => tall.push(a.matmul(w.swap_dims(2, 3)).tanh()),
                6 => tall.push(a.sum_dim(3) * 0.3),
                7 => wide.push(b.mean_dim(2)),
                8 => values.push(a.tanh().matmul(params.get("fixed").unsqueeze::<4>()) + b),
                9 => values.push(a.clone().tanh().matmul(b.tanh().swap_dims(2, 3)).matmul(a) * 0.2),
                10 => values.push(a.tanh().matmul(params.get("each").reshape([1, heads, columns, columns]))),
                11 => values.push(a + params.get("whole").reshape([1, heads, rows, columns])),
                12 => values.push(a.swap_dims(2, 3).tanh().swap_dims(2, 3) * b.clone() + b),
                13 => tall.push(activation::softmax(t, 2)),
                14 => wide.push(a.max_dim(2).tanh()),
                15 => values.push((a.tanh() * params.get("p").reshape([1, 1, 1, columns])).cumsum(3) * 0.2),
                16 => values.push(a.cumsum(2) * 0.2 + b),
                17 if columns > 1 => values.push(Tensor::cat(vec![a.narrow(3, 0, 1), b.narrow(3, 1, columns - 1)], 3)),
                18 if rows > 1 => values.push(Tensor::cat(vec![a.narrow(2, 0, 1), b.narrow(2, 1, rows - 1)], 2)),
                19 => values.push(
                    a.tanh().swap_dims(2, 3).matmul(t).matmul(w).slice([0..batch, 0..heads, 0..1, 0..columns]) + b,
                ),
                20 => values.push(a.clone().mask_where(a.clone().greater(t.expand([batch, heads, rows, columns])), b)),
                21 => values.push(
                    linear_no_bias(a.tanh().reshape([batch * heads * rows, columns]), params.get("fixed"))
                        .reshape([batch, heads, rows, columns]),
                ),
                22 => {
                    values
                        .push(params.get("left").unsqueeze::<4>().expand([batch, heads, rows, rows]).matmul(a.tanh()));
                }
                _ => values.push((a - b.clone()) * gate.clone() + b),
            }
        }
        let last = values[values.len() - 1].clone().tanh();
        let query = tall[tall.len() - 1].clone();
        let output = query.clone().swap_dims(2, 3).matmul(last.clone()) + wide[wide.len() - 1].clone();
        (
            output.reshape([batch, heads * columns]).tanh(),
            State::from([
                ("s", last.reshape([batch, self.entries()])),
                ("n", query.reshape([batch, heads * rows]).tanh()),
            ]),
        )
    }
}

fn any_cell() -> impl Strategy<Value = Random> {
    let operation = (any::<u8>(), any::<usize>(), any::<usize>());
    (1..4_usize, 1..10_usize, 1..20_usize, prop::collection::vec(operation, 1..8))
        .prop_map(|(heads, rows, columns, operations)| Random { heads, rows, columns, operations })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Would catch: a gradient of an operation on the matrices of each row that goes to another entry.
    #[test]
    fn random_cells_agree_with_burn(
        cells in prop::collection::vec(any_cell(), 1..3),
        embedding in prop::option::of(1..6_usize),
        rows in 1..20_usize,
        steps in 1..5_usize,
    ) {
        let layers = cells.into_iter().map(|cell| Box::new(cell) as Box<dyn HostCell>).collect();
        let mut case = Case::new(6, layers);
        case.embedding = embedding;
        case.rate = 1e-3;
        compare(Dtype::F64, &case, &[(rows, steps), (1, 3)], 4, 1e-9);
    }
}

/// Would catch: a form of the operations that no random cell of a test run happens to have.
#[test]
fn each_operation_agrees_with_burn() {
    for (heads, rows, columns) in [(1, 1, 1), (2, 3, 5), (3, 8, 16), (1, 17, 33), (4, 9, 1)] {
        for operation in 0..24 {
            let operations = vec![(0, 0, 0), (operation, 0, 0), (operation, 1, 1), (0, 1, 2)];
            let cell = Random { heads, rows, columns, operations };
            println!("{cell:?}");
            let mut case = Case::new(6, vec![Box::new(cell)]);
            case.rate = 1e-3;
            compare(Dtype::F64, &case, &[(2, 3), (13, 2)], 2, 1e-11);
            compare(Dtype::F32, &case, &[(3, 4)], 2, 1e-3);
            compiled(&case, Dtype::F32, Options { threads: Some(2), ..Options::default() });
        }
    }
}

/// Would catch: a product with a one-hot input that is compared only, so that it has no gradient, and whose table was never
/// filled; and a sum of outer products whose factors are parts of what the backward pass computes.
#[test]
fn found_by_random_cells() {
    for (rows, operations) in [(1, vec![(1, 3, 0), (5, 3, 0), (20, 3, 0)]), (2, vec![(8, 0, 0), (4, 0, 0)])] {
        let cell = Random { heads: 1, rows, columns: 2, operations };
        compare(Dtype::F64, &Case::new(6, vec![Box::new(cell)]), &[(12, 4), (1, 3)], 4, 1e-9);
    }
}
