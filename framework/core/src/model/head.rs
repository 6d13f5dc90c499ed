//! The head: logits of the last layer's output.
//!
//! A mixture of softmaxes is a cell without state, so that both executors run it as they run every cell: as the last layer.

use burn::{Tensor, tensor::activation};
use hatchery_plugin::{Cell, Initializer, ParamSpec, Params, State, StateSpec, linear, linear_no_bias, weight};

use super::{EMBEDDING, HEAD_BIAS, HEAD_PREFIX, HEAD_WEIGHTS, Model, within};
use crate::experiment::Head;

/// The parameters of a head on outputs of that width, without the embedding if it is tied.
pub(crate) fn params(head: Head, vocabulary: usize, outputs: usize) -> Vec<ParamSpec> {
    let weights = ParamSpec::new(HEAD_WEIGHTS, [vocabulary, outputs], Initializer::XavierUniform);
    let bias = ParamSpec::new(HEAD_BIAS, [1, vocabulary], Initializer::Zeros);
    match head {
        Head::Linear => vec![weights, bias],
        Head::Tied => vec![bias],
        Head::Mixture(count) => {
            let own = Mixture { count, vocabulary }.params(outputs).into_iter();
            own.map(|spec| ParamSpec { name: format!("{HEAD_PREFIX}{}", spec.name).into(), ..spec }).collect()
        }
    }
}

/// Logits of the rows of `outputs`: `[rows, vocabulary]`.
pub(crate) fn logits(model: &Model, params: &Params, outputs: Tensor<2>) -> Tensor<2> {
    match model.head {
        // ANCHOR: linear
        Head::Linear => linear(outputs, params.get(HEAD_WEIGHTS), params.get(HEAD_BIAS)),
        // ANCHOR_END: linear
        Head::Tied => linear(outputs, params.get(EMBEDDING), params.get(HEAD_BIAS)),
        Head::Mixture(count) => {
            let mixture = Mixture { count, vocabulary: model.vocabulary };
            mixture.step(&within(params, HEAD_PREFIX), outputs, State::default()).0
        }
    }
}

/// A mixture of softmaxes (Yang et al. 2018, arXiv 1711.03953): the mixture and not the logits has the rank of the outputs,
/// so that more distributions over symbols can be expressed than by one softmax.
pub(crate) struct Mixture {
    /// The number of softmaxes.
    pub(crate) count: usize,
    pub(crate) vocabulary: usize,
}

// ANCHOR: mixture
impl Cell for Mixture {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![
            weight("prior", [self.count, inputs]),
            weight("latent", [inputs, inputs]).gates(self.count),
            weight("wya", [self.vocabulary, inputs]),
            ParamSpec::new("by", [1, self.vocabulary], Initializer::Zeros),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.vocabulary
    }

    /// The logarithm of the mixture of equation 2: its softmax is the mixture itself.
    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [prior, latent, wya, by] = params.get(["prior", "latent", "wya", "by"]);
        let ([rows, width], count) = (x.dims(), self.count);
        let prior = activation::log_softmax(linear_no_bias(x.clone(), prior), 1).reshape([rows, count, 1]);
        let latent = linear_no_bias(x, latent).tanh(); // [rows, count × width]
        let each = |k| linear(latent.clone().narrow(1, k * width, width), wya.clone(), by.clone()); // [rows, vocabulary]
        let logits = Tensor::cat((0..count).map(each).collect(), 1).reshape([rows, count, self.vocabulary]);
        let logs = activation::log_softmax(logits, 2) + prior; // [rows, count, vocabulary]
        // The logarithm of a sum of exponentials, less the largest so that one of them is 1.
        let largest = logs.clone().max_dim(1); // [rows, 1, vocabulary]
        let sum = (logs - largest.clone()).exp().sum_dim(1); // [rows, 1, vocabulary]
        ((sum.log() + largest).reshape([rows, self.vocabulary]), state)
    }
}
// ANCHOR_END: mixture
