//! The reference: the same model step by step on Burn's tensors, gradients by autodiff, updates by burn-optim.

use burn::optim::{
    AdaGradConfig, AdamConfig, AdamWConfig, Optimizer as Rule, RmsPropConfig, SgdConfig, momentum::MomentumConfig,
};
use hatchery_compile::{BatchView, Head, Optimizer, Streams};
use hatchery_plugin::{
    Declaration, Gradients, Matrices, NoiseSpec, Per, Rng, Start, State,
    burn::{
        Tensor,
        tensor::{DType, Device, Int, TensorData, activation},
    },
    host::{HostCell, HostClipper},
};

/// A model to compare executors on.
pub(super) struct Case {
    pub(super) vocabulary: usize,
    pub(super) embedding: Option<usize>,
    pub(super) layers: Vec<Box<dyn HostCell>>,
    pub(super) head: Head,
    pub(super) dropout: f64,
    pub dropout_last: bool,
    /// Vectors of every layer's state that are added to what is minimized.
    pub(super) penalties: Vec<(String, f64)>,
    pub(super) clippers: Vec<Box<dyn HostClipper>>,
    pub(super) optimizer: Optimizer,
    pub(super) rate: f64,
}

impl Case {
    pub(super) fn new(vocabulary: usize, layers: Vec<Box<dyn HostCell>>) -> Self {
        let optimizer = Optimizer::Sgd { momentum: 0.0 };
        Self {
            vocabulary,
            embedding: None,
            layers,
            head: Head::Linear,
            dropout: 0.0,
            dropout_last: false,
            penalties: vec![],
            clippers: vec![],
            optimizer,
            rate: 0.05,
        }
    }

    /// What the cells declare.
    fn declared(&self) -> Vec<Declaration> {
        (0..self.layers.len()).map(|index| self.layers[index].declare(self.inputs(index)).unwrap()).collect()
    }

    /// The width of a layer's input.
    fn inputs(&self, index: usize) -> usize {
        let first = self.embedding.unwrap_or(self.vocabulary);
        self.layers[..index].iter().fold(first, |width, cell| cell.declare(width).unwrap().outputs)
    }

    /// Names and shapes of all parameters.
    pub(super) fn params(&self) -> Vec<(String, [usize; 2])> {
        let mut params = Vec::new();
        let mut width = self.vocabulary;
        if let Some(embedding) = self.embedding {
            params.push(("embedding".to_owned(), [self.vocabulary, embedding]));
            width = embedding;
        }
        for (index, cell) in self.layers.iter().enumerate() {
            let declared = cell.declare(width).unwrap();
            params
                .extend(declared.params.into_iter().map(|spec| (format!("layers.{index}.{}", spec.name), spec.shape)));
            width = declared.outputs;
        }
        if self.head == Head::Linear {
            params.push(("head.wya".to_owned(), [self.vocabulary, width]));
        }
        if self.head != Head::LastLayer {
            params.push(("head.by".to_owned(), [1, self.vocabulary]));
        }
        params
    }

    /// First values: small numbers that look random.
    pub(super) fn values(&self, seed: u64) -> Vec<Vec<f64>> {
        let mut noise = Noise(seed);
        let scale = |columns: usize| if columns > 16 { 3.0 / (columns as f64).sqrt() } else { 0.8 };
        let matrix =
            |(_, [r, c]): &(String, [usize; 2])| (0..r * c).map(|_| scale(*c) * (noise.uniform() - 0.5)).collect();
        self.params().iter().map(matrix).collect()
    }
}

/// Numbers that look random, the same everywhere.
pub(super) struct Noise(pub(super) u64);

impl Noise {
    pub(super) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.uniform() * bound as f64) as usize
    }
}

impl Rng for Noise {
    fn uniform(&mut self) -> f64 {
        Self::uniform(self)
    }

    /// Box and Muller (1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// The streams of an update.
pub(super) struct Draws(pub(super) u64);

impl Streams for Draws {
    fn dropout(&self) -> Box<dyn Rng> {
        Box::new(Noise(self.0))
    }

    fn noise(&self, name: &str) -> Box<dyn Rng> {
        Box::new(Noise(name.bytes().fold(self.0, |seed, letter| seed.wrapping_mul(31).wrapping_add(letter.into()))))
    }
}

/// A batch that owns its tokens.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) rows: usize,
    pub(super) steps: usize,
    pub(super) inputs: Vec<u32>,
    pub(super) targets: Vec<u32>,
    pub(super) counted: Vec<bool>,
    pub(super) continues: bool,
}

impl Batch {
    /// Tokens that look random; some rows begin with the zero vector, and some do not count at some steps.
    pub(super) fn random(noise: &mut Noise, vocabulary: usize, rows: usize, steps: usize, masked: bool) -> Self {
        let count = rows * steps;
        let inputs = (0..count).map(|at| if at < rows { vocabulary } else { noise.below(vocabulary) } as u32).collect();
        let targets = (0..count).map(|_| noise.below(vocabulary) as u32).collect();
        let mut counted: Vec<bool> = (0..count).map(|_| !masked || noise.uniform() < 0.7).collect();
        counted[count / 2] = true;
        Self { rows, steps, inputs, targets, counted, continues: true }
    }

    pub(super) fn view(&self) -> BatchView<'_> {
        BatchView {
            rows: self.rows,
            steps: self.steps,
            inputs: &self.inputs,
            targets: &self.targets,
            counted: &self.counted,
            continues: self.continues,
            divisor: self.rows as f64,
        }
    }
}

/// The model on Burn.
pub(super) struct Reference<'a> {
    case: &'a Case,
    device: Device,
    dtype: DType,
    pub(super) params: Matrices,
    carried: Option<State>,
    update: Box<dyn Update>,
    pub(super) gradients: Option<(Gradients, Gradients)>,
}

impl<'a> Reference<'a> {
    pub(super) fn new(case: &'a Case, values: &[Vec<f64>], dtype: DType) -> Self {
        let device = Device::flex();
        let params = case
            .params()
            .into_iter()
            .zip(values)
            .map(|((name, shape), values)| {
                (name, Tensor::from_data(TensorData::new(values.clone(), shape), (&device, dtype)))
            })
            .collect();
        let update = update(case.optimizer, case.params().len());
        Self { case, device, dtype, params, carried: None, update, gradients: None }
    }

    fn start(&self, params: &Matrices, rows: usize) -> State {
        let mut state = State::default();
        for (index, declared) in self.case.declared().into_iter().enumerate() {
            for spec in declared.state {
                let start = match spec.start {
                    Start::Constant(value) => self.constant(vec![value; rows * spec.width], [rows, spec.width], params),
                    Start::Param(name) => params.get(&format!("layers.{index}.{name}")).repeat_dim(0, rows),
                };
                state.push(format!("{index}.{}", spec.name), start);
            }
        }
        state
    }

    /// A constant, of the autodiff graph if the parameters are.
    fn constant(&self, values: Vec<f64>, shape: [usize; 2], params: &Matrices) -> Tensor<2> {
        let constant = Tensor::from_data(TensorData::new(values, shape), (&self.device, self.dtype));
        if params.iter().any(|(_, matrix)| matrix.is_autodiff()) { constant.autodiff() } else { constant }
    }

    /// What each step of a layer receives, with the noise of that step.
    fn given(&self, index: usize, params: &Matrices, batch: &Batch, streams: Option<&Draws>) -> Vec<Matrices> {
        let (cell, inputs) = (&self.case.layers[index], self.case.inputs(index));
        let declared = cell.declare(inputs).unwrap();
        let prefix = format!("layers.{index}.");
        let drawn = |spec: &NoiseSpec, rows: usize| {
            let count = rows * spec.width;
            let mut stream = streams.map(|streams| streams.noise(&format!("{prefix}{}", spec.name)));
            let value = |_| match &mut stream {
                Some(stream) => spec.distribution.draw(&mut **stream),
                None => spec.distribution.expectation(),
            };
            self.constant((0..count).map(value).collect(), [rows, spec.width], params)
        };
        let mut own: Matrices =
            params.iter().filter_map(|(name, p)| Some((name.strip_prefix(&prefix)?.to_owned(), p.clone()))).collect();
        let mut of_rows = Vec::new();
        for spec in &declared.noise {
            match spec.per {
                Per::Update { rows } => own.push(spec.name.clone(), drawn(spec, rows)),
                Per::Sequence => of_rows.push((spec, drawn(spec, batch.rows).repeat_dim(0, batch.steps))),
                Per::Step => of_rows.push((spec, drawn(spec, batch.rows * batch.steps))),
            }
        }
        let derived = cell.derive(inputs, own).unwrap();
        let of_step = |step: usize| {
            let mut given = derived.clone();
            for (spec, noise) in &of_rows {
                given.push(spec.name.clone(), noise.clone().narrow(0, step * batch.rows, batch.rows));
            }
            given
        };
        (0..batch.steps).map(of_step).collect()
    }

    /// Logits of every step, `[steps × rows, vocabulary]`, the state after the last, and the weighted penalties.
    pub(super) fn forward(
        &self,
        params: &Matrices,
        batch: &Batch,
        mut state: State,
        streams: Option<&Draws>,
    ) -> (Tensor<2>, State, Option<Tensor<1>>) {
        let case = self.case;
        let mut penalty = None;
        let mut dropout = streams.map(|streams| Noise(streams.0));
        let width = case.embedding.unwrap_or(case.vocabulary);
        let zero = Tensor::<2>::zeros([1, width], (&self.device, self.dtype));
        let table = match case.embedding {
            Some(_) => params.get("embedding"),
            None => Tensor::<2>::eye(case.vocabulary, &self.device).cast(self.dtype),
        };
        let zero = if table.is_autodiff() { zero.autodiff() } else { zero };
        let table = Tensor::cat(vec![table, zero], 0);
        let indices = |step: usize| {
            let tokens: Vec<i32> =
                batch.inputs[step * batch.rows..][..batch.rows].iter().map(|&t| t.cast_signed()).collect();
            Tensor::<1, Int>::from_data(TensorData::from(tokens.as_slice()), &self.device)
        };
        let mut sequence: Vec<Tensor<2>> =
            (0..batch.steps).map(|step| table.clone().select(0, indices(step))).collect();
        for (index, cell) in case.layers.iter().enumerate() {
            let within = |matrices: &Matrices, prefix: &str| -> Matrices {
                let own = matrices
                    .iter()
                    .filter_map(|(name, matrix)| Some((name.strip_prefix(prefix)?.to_owned(), matrix.clone())));
                own.collect()
            };
            let given = self.given(index, params, batch, streams);
            let mut carried = within(&state, &format!("{index}."));
            for (step, x) in sequence.iter_mut().enumerate() {
                (*x, carried) = cell.step(&given[step], x.clone(), carried).unwrap();
                let counted = &batch.counted[step * batch.rows..][..batch.rows];
                let counted: Vec<f64> = counted.iter().map(|&counted| f64::from(u8::from(counted))).collect();
                let counted = self.constant(counted, [batch.rows, 1], params);
                for (name, weight) in &case.penalties {
                    let here = (carried.get(name) * counted.clone()).sum() * *weight;
                    penalty = Some(penalty.map_or(here.clone(), |penalty: Tensor<1>| penalty + here));
                }
            }
            let carried: Vec<_> = carried.into_iter().collect();
            state = state
                .into_iter()
                .map(|(name, old)| {
                    let new = carried.iter().find(|(own, _)| format!("{index}.{own}") == name);
                    let new = new.map_or(old, |(_, new)| new.clone());
                    (name, new)
                })
                .collect();
            let drops = case.dropout > 0.0 && (case.dropout_last || index + 1 < case.layers.len());
            if let Some(noise) = dropout.as_mut().filter(|_| drops) {
                let keep = 1.0 - case.dropout;
                for x in &mut sequence {
                    let shape = x.dims();
                    let mask = (0..shape[0] * shape[1]).map(|_| if noise.uniform() < keep { 1.0 / keep } else { 0.0 });
                    let mask = TensorData::new(mask.collect::<Vec<f64>>(), shape);
                    let mask = Tensor::<2>::from_data(mask, (&self.device, self.dtype));
                    *x = x.clone() * mask.autodiff();
                }
            }
        }
        let outputs = Tensor::cat(sequence, 0);
        let logits = match case.head {
            Head::Linear => hatchery_plugin::linear(outputs, params.get("head.wya"), params.get("head.by")),
            Head::Tied => hatchery_plugin::linear(outputs, params.get("embedding"), params.get("head.by")),
            Head::LastLayer => outputs,
        };
        (logits, state, penalty)
    }

    fn nats(&self, logits: Tensor<2>, batch: &Batch) -> Tensor<1> {
        let targets: Vec<i32> = batch.targets.iter().map(|&target| target.cast_signed()).collect();
        let targets = Tensor::<1, Int>::from_data(TensorData::from(targets.as_slice()), &self.device);
        let mask: Vec<f64> = batch.counted.iter().map(|&counted| f64::from(u8::from(counted))).collect();
        let mask = TensorData::new(mask, [batch.counted.len(), 1]);
        let mask = Tensor::<2>::from_data(mask, (&self.device, self.dtype));
        let picked = activation::log_softmax(logits, 1).gather(1, targets.unsqueeze_dim(1));
        let mask = if picked.is_autodiff() { mask.autodiff() } else { mask };
        (picked * mask).sum().neg()
    }

    /// One update; returns the loss in nats.
    pub(super) fn train(&mut self, batch: &Batch, streams: &Draws, rate: f64) -> f64 {
        let tracked = self.params.clone().map(|_, matrix| matrix.autodiff().require_grad());
        let state = match self.carried.take() {
            Some(state) if batch.continues && state.iter().all(|(_, vector)| vector.dims()[0] == batch.rows) => {
                state.map(|_, vector| vector.autodiff())
            }
            _ => self.start(&tracked, batch.rows),
        };
        let (logits, end, penalty) = self.forward(&tracked, batch, state, Some(streams));
        let nats = self.nats(logits, batch);
        let minimized = penalty.map_or(nats.clone(), |penalty| nats.clone() + penalty);
        // Not divided: Burn 0.22 differentiates the division by a number in 32 bits.
        let mut all = (minimized * (1.0 / batch.view().divisor)).backward();
        let gradients: Gradients = tracked
            .iter()
            .map(|(name, matrix)| {
                let gradient = matrix.grad_remove(&mut all);
                (name.to_owned(), gradient.unwrap_or_else(|| matrix.clone().inner().zeros_like()))
            })
            .collect();
        let clipped =
            self.case.clippers.iter().fold(gradients.clone(), |gradients, clipper| clipper.clip(gradients).unwrap());
        let update = &mut self.update;
        self.params = std::mem::take(&mut self.params)
            .into_iter()
            .zip(clipped.clone())
            .enumerate()
            .map(|(index, ((name, p), (_, g)))| (name, update.step(index, rate, p, g)))
            .collect();
        self.carried = Some(end.map(|_, vector| vector.inner()));
        self.gradients = Some((gradients, clipped));
        numbers(nats.inner())[0]
    }

    /// Logits of every step of a batch that begins anew.
    pub(super) fn logits(&self, batch: &Batch) -> Vec<f64> {
        numbers(self.forward(&self.params, batch, self.start(&self.params, batch.rows), None).0)
    }

    /// The loss of a batch that begins anew, in nats.
    pub(super) fn evaluate(&self, batch: &Batch) -> f64 {
        let (logits, ..) = self.forward(&self.params, batch, self.start(&self.params, batch.rows), None);
        numbers(self.nats(logits, batch))[0]
    }
}

/// One of burn-optim's optimizers with the state of every parameter.
trait Update {
    fn step(&mut self, index: usize, rate: f64, p: Tensor<2>, g: Tensor<2>) -> Tensor<2>;
}

struct States<R: Rule>(R, Vec<Option<R::State<2>>>);

impl<R: Rule> Update for States<R> {
    fn step(&mut self, index: usize, rate: f64, p: Tensor<2>, g: Tensor<2>) -> Tensor<2> {
        let (p, state) = self.0.step(rate, p, g, self.1[index].take());
        self.1[index] = state;
        p
    }
}

fn update(optimizer: Optimizer, count: usize) -> Box<dyn Update> {
    fn states<R: Rule + 'static>(rule: R, count: usize) -> Box<dyn Update> {
        Box::new(States(rule, vec![None; count]))
    }
    match optimizer {
        Optimizer::Sgd { momentum } => {
            let momentum = (momentum > 0.0).then(|| MomentumConfig::new().with_momentum(momentum).with_dampening(0.0));
            states(SgdConfig::new().with_momentum(momentum).build(), count)
        }
        Optimizer::Adagrad { epsilon } => states(AdaGradConfig::new().with_epsilon(epsilon as f32).build(), count),
        Optimizer::Rmsprop { decay, epsilon } => {
            let config = RmsPropConfig::new().with_alpha(decay as f32).with_epsilon(epsilon as f32);
            states(config.with_momentum(0.0).build(), count)
        }
        Optimizer::Adam { betas, epsilon } => {
            let config = AdamConfig::new().with_beta_1(betas[0] as f32).with_beta_2(betas[1] as f32);
            states(config.with_epsilon(epsilon as f32).build(), count)
        }
        Optimizer::Adamw { betas, epsilon, weight_decay } => {
            let config = AdamWConfig::new().with_beta_1(betas[0] as f32).with_beta_2(betas[1] as f32);
            states(config.with_epsilon(epsilon as f32).with_weight_decay(weight_decay as f32).build(), count)
        }
    }
}

/// The numbers of a tensor.
pub(super) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().convert::<f64>().try_into_vec().expect("converted to f64")
}
