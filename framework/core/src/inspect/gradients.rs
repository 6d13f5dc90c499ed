//! The gradient flow back through time: the gradient of a prediction's loss with respect to the state at every earlier
//! time step.
//!
//! Back-propagation through time multiplies one Jacobian a step. Where their product shrinks, the gradient vanishes and
//! the model cannot learn from distant inputs; where it grows, the gradient explodes (Bengio, Simard and Frasconi
//! 1994). The norms that [`flow`] returns show both.

use std::collections::BTreeSet;

use burn::{
    Tensor,
    tensor::{DType, Device, Int, TensorData, activation},
};
use hatchery_plugin::{Params, State, Token};
use serde::Serialize;

use crate::{
    data::Batch,
    device,
    error::{Error, Result},
    executor::layer::{LayerRun, Noise, Place, start},
    experiment::{Backend, Dtype},
    model::{EMBEDDING, Model, head::logits, within},
    network::Network,
    plugins::Registry,
    run::checkpoint::PARAMETERS,
};

/// The gradient that flows back through one state vector.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flow {
    /// The vector: `layers.0.h`.
    pub vector: String,
    /// Element `k` is the norm of dL/ds, averaged over the sequences that are long enough. L is the loss of the
    /// prediction, and s the vector after the time step that is `k + 1` steps before it.
    pub norms: Vec<f64>,
}

/// The gradients of the last counted prediction of every sequence of a batch, each sequence begun from the starting
/// state. Computed in f64 on Burn's `flex` backend, on whatever device the network runs: f32 ends at 10⁻³⁸, and the
/// squares in a norm underflow much earlier.
///
/// # Errors
/// When this build lacks the backend, or a parameter cannot be read.
pub fn flow(network: &Network, batch: &Batch, registry: &Registry) -> Result<Vec<Flow>> {
    let device = device::open(&Backend { device: "flex".to_owned(), dtype: Dtype::F64 })?.inner();
    let model = Model::new(&network.experiment, registry, network.vocabulary.len())?;
    Probe { params: params(network, &device)?, model, device }.flow(batch)
}

/// The network's parameters as constants of the autodiff graph.
fn params(network: &Network, device: &Device) -> Result<Params> {
    let saved = network.executor.save()?;
    let matrices = saved.into_iter().filter_map(|named| {
        let name = named.name.strip_prefix(PARAMETERS)?.to_owned();
        Some((name, matrix(named.values.to_f64(), named.shape, device)))
    });
    Ok(matrices.collect())
}

struct Probe {
    model: Model,
    params: Params,
    device: Device,
}

impl Probe {
    // ANCHOR: flow
    fn flow(&self, batch: &Batch) -> Result<Vec<Flow>> {
        let rows = batch.rows;
        let last: Vec<Option<usize>> =
            (0..rows).map(|row| (0..batch.steps).rev().find(|step| batch.counted[step * rows + row])).collect();
        let ends: BTreeSet<usize> = last.iter().flatten().copied().collect();

        let place = Place { device: self.device.clone(), dtype: DType::F64, is_tracked: true };
        let layers = self.model.layers.iter();
        let run = |layer| LayerRun::new(layer, &self.params, Noise::Expected, (1, rows), &place);
        let runs = layers.map(run).collect::<Result<Vec<_>>>()?;
        let mut state = start(&self.model, &self.params, rows, &place);
        let mut nudges: Vec<State> = Vec::with_capacity(batch.steps);
        let mut loss: Option<Tensor<1>> = None;
        for step in 0..batch.steps {
            let tokens = &batch.inputs[step * rows..(step + 1) * rows];
            let (output, next) = self.step(&runs, self.inputs(tokens), &state)?;
            if ends.contains(&step) {
                let here: Vec<f64> = last.iter().map(|&end| f64::from(u8::from(end == Some(step)))).collect();
                let nats = self.nats(output, &batch.targets[step * rows..(step + 1) * rows], here);
                loss = Some(loss.map_or(nats.clone(), |loss| loss + nats));
            }
            // A zero is added to each state vector: its gradient is that of the vector itself.
            let zeros = next.clone().map(|_, vector| vector.inner().zeros_like().autodiff().require_grad());
            state = next.iter().map(|(name, vector)| (name.to_owned(), vector.clone() + zeros.get(name))).collect();
            nudges.push(zeros);
        }
        let Some(loss) = loss else { return Ok(Vec::new()) };
        let gradients = loss.backward();

        let names: Vec<_> = nudges[0].names().map(str::to_owned).collect();
        let mut flows = Vec::with_capacity(names.len());
        for name in names {
            let mut sums = vec![(0.0, 0_u32); batch.steps];
            for (step, zeros) in nudges.iter().enumerate() {
                let Some(gradient) = zeros.get(&name).grad(&gradients) else { continue };
                let norms = read(gradient.square().sum_dim(1).sqrt())?; // [rows]
                for (norm, end) in norms.into_iter().zip(&last) {
                    if let Some(back) = end.and_then(|end| end.checked_sub(step)).filter(|&back| back > 0) {
                        sums[back - 1].0 += norm;
                        sums[back - 1].1 += 1;
                    }
                }
            }
            let long_enough = sums.into_iter().take_while(|(_, count)| *count > 0);
            flows.push(Flow { vector: name, norms: long_enough.map(|(sum, count)| sum / f64::from(count)).collect() });
        }
        Ok(flows)
    }
    // ANCHOR_END: flow

    /// The input of the first layer: `[rows, inputs]`, a row of zeros where there is no token.
    fn inputs(&self, tokens: &[Token]) -> Tensor<2> {
        let width = self.model.vocabulary;
        let mut values = vec![0.0; tokens.len() * width];
        for (row, &token) in tokens.iter().enumerate().filter(|(_, token)| (**token as usize) < width) {
            values[row * width + token as usize] = 1.0;
        }
        let one_hot = matrix(values, [tokens.len(), width], &self.device); // [rows, vocabulary]
        if self.model.embedding.is_some() { one_hot.matmul(self.params.get(EMBEDDING)) } else { one_hot }
    }

    /// One step of all layers. Dropout, which is for training, is left out.
    fn step(&self, runs: &[LayerRun<'_>], mut x: Tensor<2>, state: &State) -> Result<(Tensor<2>, State)> {
        let mut next = State::with_capacity(state.len());
        for (layer, run) in self.model.layers.iter().zip(runs) {
            let (output, carried) = run.step(0, x, within(state, &layer.prefix))?;
            x = output; // [rows, outputs]
            for spec in &layer.declared.state {
                next.push(format!("{}{}", layer.prefix, spec.name), carried.get(&spec.name));
            }
        }
        Ok((x, next))
    }

    /// Cross-entropy of the rows that end here, summed, in nats: `[1]`.
    fn nats(&self, output: Tensor<2>, targets: &[Token], here: Vec<f64>) -> Tensor<1> {
        let rows = targets.len();
        let targets: Vec<i32> = targets.iter().map(|token| token.cast_signed()).collect();
        let targets = Tensor::<1, Int>::from_data(TensorData::from(targets.as_slice()), &self.device);
        let logits = logits(&self.model, &self.params, output); // [rows, vocabulary]
        let picked = activation::log_softmax(logits, 1).gather(1, targets.unsqueeze_dim(1)); // [rows, 1]
        (picked * matrix(here, [rows, 1], &self.device)).sum().neg()
    }
}

fn matrix(values: Vec<f64>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), (device, DType::F64)).autodiff()
}

fn read(tensor: Tensor<2>) -> Result<Vec<f64>> {
    let data = tensor.try_into_data().map_err(|error| Error::internal("the device failed", error.to_string()))?;
    data.try_into_vec().map_err(|error| Error::internal("cannot read gradients", format!("{error:?}")))
}
