//! The reference executor: the cells' `step` called over time on Burn's tensors, gradients by Burn's autodiff.
//!
//! It runs on every device that Burn has. [`BurnExecutor::train`] is one update, from top to bottom.

use burn::{
    Tensor,
    tensor::{DType, Device, Int, TensorData, activation},
};
use hatchery_plugin::{Gradients, Matrices, Params, State, Token, host::HostClipper};

use super::{
    Executor, Totals,
    layer::{LayerRun, Noise, Place, start},
    loss_mask::LossMask,
    optimizer::{Saved, Update, optimizer},
    parameter,
};
use crate::{
    data::Batch,
    device,
    error::{Error, Result},
    experiment::{Experiment, OnNonfinite},
    model::{EMBEDDING, Model, head::logits, within},
    random::{Stream, Streams},
    tensors::NamedTensor,
    tensors::{data, failed, named},
};

/// A model on one of Burn's devices.
pub struct BurnExecutor {
    model: Model,
    clippers: Vec<Box<dyn HostClipper>>,
    optimizer: Box<dyn Update>,
    device: Device,
    is_async: bool,
    dtype: DType,
    /// For one-hot inputs, the identity matrix with a row of zeros below it: `[vocabulary + 1, vocabulary]`.
    one_hot: Option<Tensor<2>>,
    /// All parameters under their full names, without gradient tracking.
    params: Matrices,
    /// The state after the last training batch.
    carried: Option<State>,
    /// The state after the last evaluated batch.
    evaluated: Option<State>,
    /// The state of the sequences being generated.
    generated: State,
    /// Whether an update may have to be undone.
    undoable: bool,
    /// Parameters and carried state before the last update. Tensors are handles: keeping them copies nothing.
    before: Option<(Matrices, Option<State>)>,
    /// The loss of every update since the last call of [`Executor::losses`].
    losses: Vec<Tensor<1>>,
    /// Gradients of the last update, before and after the clippers.
    gradients: Option<(Gradients, Gradients)>,
}

impl BurnExecutor {
    /// The model with these first values, in the order of [`Model::params`], on a device.
    pub fn new(
        model: Model,
        values: Vec<Vec<f64>>,
        clippers: Vec<Box<dyn HostClipper>>,
        experiment: &Experiment,
        device: &Device,
    ) -> Self {
        let dtype: DType = experiment.backend.dtype.into();
        let device = device.clone().inner();
        let specs = model.params();
        let optimizer = optimizer(&experiment.optimizer, specs.len());
        let params = specs
            .into_iter()
            .zip(values)
            .map(|(spec, values)| (spec.name, Tensor::from_data(TensorData::new(values, spec.shape), (&device, dtype))))
            .collect();
        let one_hot = model.embedding.is_none().then(|| identity(model.vocabulary, &device, dtype));
        Self {
            model,
            clippers,
            optimizer,
            device,
            is_async: device::lags(&experiment.backend),
            dtype,
            one_hot,
            params,
            carried: None,
            evaluated: None,
            generated: State::default(),
            undoable: experiment.train.on_nonfinite == OnNonfinite::Skip,
            before: None,
            losses: Vec::new(),
            gradients: None,
        }
    }

    fn place(&self, is_tracked: bool) -> Place {
        Place { device: self.device.clone(), dtype: self.dtype, is_tracked }
    }

    /// The initial state of a batch: the final state of the batch before, or the starting state.
    fn initial_state(&self, before: Option<State>, params: &Params, batch: &Batch, is_tracked: bool) -> State {
        match before.filter(|state| batch.continues && rows(state) == Some(batch.rows)) {
            Some(state) if is_tracked => state.map(|_, vector| vector.autodiff()),
            Some(state) => state,
            None => start(&self.model, params, batch.rows, &self.place(is_tracked)),
        }
    }

    /// Tokens as indices on the device.
    fn indices(&self, tokens: &[Token]) -> Tensor<1, Int> {
        let tokens: Vec<i32> = tokens.iter().map(|token| token.cast_signed()).collect();
        Tensor::from_data(TensorData::from(tokens.as_slice()), &self.device)
    }

    /// The input of the first layer at every time step, each `[rows, inputs]`.
    fn inputs(&self, params: &Params, tokens: &[Token], rows: usize) -> Vec<Tensor<2>> {
        let indices = self.indices(tokens); // [steps × rows]
        let steps = tokens.len() / rows;
        if let Some(table) = &self.one_hot {
            let all = table.clone().select(0, indices); // [steps × rows, vocabulary]
            return (0..steps).map(|step| all.clone().narrow(0, step * rows, rows)).collect();
        }
        // One `select` a time step: its gradient is as large as the table. The gradient of a `narrow` of one `select`
        // for all steps would be as large as the sequence.
        let zero = Tensor::zeros([1, self.model.embedding.unwrap_or_default()], (&self.device, self.dtype));
        let learned = params.get(EMBEDDING);
        let zero = if learned.is_autodiff() { zero.autodiff() } else { zero };
        let table = Tensor::cat(vec![learned, zero], 0); // [vocabulary + 1, width]
        (0..steps).map(|step| table.clone().select(0, indices.clone().narrow(0, step * rows, rows))).collect()
    }

    // ANCHOR: forward
    /// Runs all layers over time. Returns the last layer's outputs at the time steps in `wanted`, concatenated by rows;
    /// the state after the last time step; and the penalties at the wanted steps, if there are any.
    fn forward(
        &self,
        params: &Params,
        batch: (&[Token], usize),
        state: &State,
        wanted: &[usize],
        streams: Option<&Streams>,
    ) -> Result<(Tensor<2>, State, Option<Tensor<2>>)> {
        let (tokens, rows) = batch;
        let place = self.place(streams.is_some());
        let noise = streams.map_or(Noise::Expected, Noise::Drawn);
        let mut dropout = streams.map(Streams::dropout);
        let mut sequence = self.inputs(params, tokens, rows);
        let mut ends = State::with_capacity(state.len());
        let mut penalties: Option<Tensor<2>> = None;
        for layer in &self.model.layers {
            let run = LayerRun::new(layer, params, noise, (sequence.len(), rows), &place)?;
            // ANCHOR: over-time
            let (mut carried, mut costs) = (within(state, &layer.prefix), Vec::new());
            for (step, x) in sequence.iter_mut().enumerate() {
                let (output, next) = run.step(step, x.clone(), carried)?;
                (*x, carried) = (output, next); // [rows, outputs]
                costs.extend(run.penalty(&carried).filter(|_| wanted.contains(&step))); // [rows, 1]
            }
            // ANCHOR_END: over-time
            if !costs.is_empty() {
                let own = Tensor::cat(costs, 0); // [wanted × rows, 1]
                penalties = Some(penalties.map_or(own.clone(), |sum| sum + own));
            }
            for (name, vector) in carried {
                ends.push(format!("{}{name}", layer.prefix), vector);
            }
            if let Some(stream) = dropout.as_mut().filter(|_| layer.dropout > 0.0) {
                self.drop_out(&mut sequence, 1.0 - layer.dropout, stream);
            }
        }
        let outputs = wanted.iter().map(|&step| sequence[step].clone()).collect();
        Ok((Tensor::cat(outputs, 0), ends, penalties)) // [wanted × rows, outputs]
    }
    // ANCHOR_END: forward

    /// Dropout: sets a share of the outputs to zero and scales the others up, so that the expectation is unchanged.
    fn drop_out(&self, sequence: &mut [Tensor<2>], keep: f64, stream: &mut Stream) {
        let [rows, width] = sequence[0].dims();
        // One upload for all steps: on a graphics card the latency of an upload outweighs its bytes.
        let shape = [sequence.len() * rows, width];
        let mask =
            (0..shape[0] * width).map(|_| if stream.uniform() < keep { 1.0 / keep } else { 0.0 }).collect::<Vec<_>>();
        let mask = Tensor::<2>::from_data(TensorData::new(mask, shape), (&self.device, self.dtype)).autodiff();
        for (step, x) in sequence.iter_mut().enumerate() {
            *x = x.clone() * mask.clone().narrow(0, step * rows, rows); // [rows, width]
        }
    }

    // ANCHOR: cross-entropy
    /// Cross-entropy summed over the counted characters, in nats: `[1]`. `logits` holds the rows of the counted steps.
    fn cross_entropy(&self, logits: Tensor<2>, counted: &LossMask) -> Tensor<1> {
        // ANCHOR: picked
        let targets = self.indices(&counted.targets);
        let logs = activation::log_softmax(logits, 1); // [counted rows, vocabulary]
        let picked = logs.gather(1, targets.unsqueeze_dim(1)); // [counted rows, 1]
        // ANCHOR_END: picked
        self.sum(picked, counted).neg()
    }
    // ANCHOR_END: cross-entropy

    /// The sum over the rows that count: `[1]`. `values` is `[counted rows, 1]`.
    fn sum(&self, values: Tensor<2>, counted: &LossMask) -> Tensor<1> {
        let Some(mask) = &counted.mask else { return values.sum() };
        let mask = TensorData::new(mask.clone(), [mask.len(), 1]);
        let mask = Tensor::<2>::from_data(mask, (&self.device, self.dtype));
        (values.clone() * if values.is_autodiff() { mask.autodiff() } else { mask }).sum()
    }
}

// ANCHOR: train
impl Executor for BurnExecutor {
    fn train(&mut self, batch: &Batch, streams: &Streams, learning_rate: f64) -> Result<()> {
        if self.undoable {
            self.before = Some((self.params.clone(), self.carried.clone()));
            self.optimizer.snapshot();
        }
        let tracked = self.params.clone().map(|_, matrix| matrix.autodiff().require_grad());
        let carried = self.carried.take();
        let state = self.initial_state(carried, &tracked, batch, true);
        let counted = LossMask::of(batch);

        let (outputs, end, penalties) =
            self.forward(&tracked, (&batch.inputs, batch.rows), &state, &counted.steps, Some(streams))?;
        let nats = self.cross_entropy(logits(&self.model, &tracked, outputs), &counted); // [1]

        let minimized = penalties.map_or(nats.clone(), |penalties| nats.clone() + self.sum(penalties, &counted));

        // ANCHOR: backward
        // A product, because Burn 0.22 computes the gradient of a division by a scalar in f32.
        let mut all = (minimized * (1.0 / batch.divisor)).backward();
        let gradients: Gradients = tracked
            .iter()
            .map(|(name, matrix)| {
                let gradient = matrix.grad_remove(&mut all);
                (name.to_owned(), gradient.unwrap_or_else(|| matrix.clone().inner().zeros_like()))
            })
            .collect();
        // ANCHOR_END: backward
        let clipped = self.clippers.iter().try_fold(gradients.clone(), |gradients, clipper| clipper.clip(gradients))?;

        let optimizer = &mut self.optimizer;
        self.params = std::mem::take(&mut self.params)
            .into_iter()
            .zip(clipped.clone())
            .enumerate()
            .map(|(index, ((name, matrix), (_, gradient)))| {
                (name, optimizer.step(index, learning_rate, matrix, gradient))
            })
            .collect();

        self.carried = Some(end.map(|_, vector| vector.inner()));
        self.losses.push(nats.inner());
        self.gradients = Some((gradients, clipped));
        Ok(())
    }
    // ANCHOR_END: train

    fn undo(&mut self) -> Result<()> {
        let Some((params, carried)) = self.before.take() else {
            return Err(Error::Internal { message: "there is no update to undo".to_owned(), cause: None });
        };
        (self.params, self.carried) = (params, carried);
        self.optimizer.undo();
        Ok(())
    }

    fn losses(&mut self) -> Result<Vec<f64>> {
        if self.losses.is_empty() {
            return Ok(Vec::new());
        }
        read(Tensor::cat(std::mem::take(&mut self.losses), 0))
    }

    fn is_async(&self) -> bool {
        self.is_async
    }

    fn gradient_norms(&mut self) -> Result<(f64, f64)> {
        let Some((before, after)) = &self.gradients else { return Ok((f64::NAN, f64::NAN)) };
        let norms = read(Tensor::cat(vec![before.global_norm(), after.global_norm()], 0))?;
        Ok((norms[0], norms[1]))
    }

    fn evaluate(&mut self, batch: &Batch) -> Result<Totals> {
        let evaluated = self.evaluated.take();
        let state = self.initial_state(evaluated, &self.params, batch, false);
        let counted = LossMask::of(batch);
        let (outputs, end, _) =
            self.forward(&self.params, (&batch.inputs, batch.rows), &state, &counted.steps, None)?;
        self.evaluated = Some(end);
        let logits = logits(&self.model, &self.params, outputs); // [counted rows, vocabulary]
        let guesses = logits.clone().argmax(1).try_into_data().map_err(failed)?;
        let guesses: Vec<i32> = guesses.try_into_vec_as().map_err(failed)?;
        let right = |row: usize| guesses[row].cast_unsigned() == counted.targets[row];
        let counts = |row: usize| counted.mask.as_ref().is_none_or(|mask| mask[row] != 0.0);
        Ok(Totals {
            nats: read(self.cross_entropy(logits, &counted))?.first().copied().unwrap_or(f64::NAN),
            correct: (0..guesses.len()).filter(|&row| counts(row) && right(row)).count() as u64,
            characters: (0..guesses.len()).filter(|&row| counts(row)).count() as u64,
        })
    }

    fn begin(&mut self, rows: usize) {
        self.generated = start(&self.model, &self.params, rows, &self.place(false));
    }

    fn advance(&mut self, tokens: &[Token]) -> Result<Vec<f64>> {
        let (outputs, state, _) = self.forward(&self.params, (tokens, tokens.len()), &self.generated, &[0], None)?;
        self.generated = state;
        read(logits(&self.model, &self.params, outputs))
    }

    fn save(&self) -> Result<Vec<NamedTensor>> {
        let mut saved = Vec::new();
        for (name, matrix) in self.params.iter() {
            saved.push(named(format!("parameters.{name}"), &download(matrix.clone())?)?);
        }
        for (index, name) in self.params.names().enumerate() {
            saved.extend(self.optimizer.save(index, &format!("optimizer.{name}"))?);
        }
        for (name, vector) in self.carried.iter().flat_map(Matrices::iter) {
            saved.push(named(format!("state.{name}"), &download(vector.clone())?)?);
        }
        Ok(saved)
    }

    fn load(&mut self, saved: &[NamedTensor]) -> Result<()> {
        let place =
            |named: &NamedTensor| Tensor::from_data(data(named.shape, &named.values), (&self.device, self.dtype));
        let mut params = Params::with_capacity(self.params.len());
        for spec in self.model.params() {
            let found = parameter(saved, &spec.name, spec.shape)?;
            params.push(spec.name, place(found));
        }
        let carried: State = saved
            .iter()
            .filter_map(|named| Some((named.name.strip_prefix("state.")?.to_owned(), place(named))))
            .collect();
        self.params = params;
        self.carried = (!carried.is_empty()).then_some(carried);
        for (index, spec) in self.model.params().iter().enumerate() {
            let prefix = format!("optimizer.{}", spec.name);
            self.optimizer.load(index, &Saved { tensors: saved, prefix, place: (&self.device, self.dtype) });
        }
        Ok(())
    }
}

/// The identity with a row of zeros below it.
fn identity(size: usize, device: &Device, dtype: DType) -> Tensor<2> {
    let mut values = vec![0.0; (size + 1) * size];
    (0..size).for_each(|index| values[index * size + index] = 1.0);
    Tensor::from_data(TensorData::new(values, [size + 1, size]), (device, dtype))
}

/// The number of sequences of a state.
fn rows(state: &State) -> Option<usize> {
    state.iter().next().map(|(_, vector)| vector.dims()[0])
}

/// Waits for the device and reads values back, row by row.
fn read<const RANK: usize>(tensor: Tensor<RANK>) -> Result<Vec<f64>> {
    download(tensor)?.try_into_vec_as().map_err(failed)
}

fn download<const RANK: usize>(tensor: Tensor<RANK>) -> Result<TensorData> {
    tensor.try_into_data().map_err(failed)
}
