//! A layer over time on Burn's tensors: what its step receives beside input and state.

use burn::{
    Tensor,
    tensor::{DType, Device, TensorData},
};
use hatchery_plugin::{Name, NoiseSpec, Params, Per, Start, State};

use crate::{
    error::Result,
    model::{Layer, Model, within},
    random::{Stream, Streams},
};

/// Where tensors are made, and whether autodiff tracks what is computed from them.
pub(crate) struct Place {
    pub(crate) device: Device,
    pub(crate) dtype: DType,
    pub(crate) is_tracked: bool,
}

impl Place {
    /// A constant.
    pub(crate) fn tensor(&self, values: Vec<f64>, shape: [usize; 2]) -> Tensor<2> {
        self.constant(Tensor::from_data(TensorData::new(values, shape), (&self.device, self.dtype)))
    }

    fn full(&self, shape: [usize; 2], value: f64) -> Tensor<2> {
        self.constant(Tensor::full(shape, value, (&self.device, self.dtype)))
    }

    fn constant(&self, tensor: Tensor<2>) -> Tensor<2> {
        if self.is_tracked { tensor.autodiff() } else { tensor }
    }
}

/// Where the noise of cells comes from.
#[derive(Clone, Copy)]
pub(crate) enum Noise<'a> {
    /// From the streams of an update.
    Drawn(&'a Streams),
    /// Every value is its expectation.
    Expected,
}

/// What the steps of a layer receive during one batch.
pub(crate) struct LayerRun<'a> {
    layer: &'a Layer,
    /// What is the same at every step: derived parameters, noise that is drawn once an update or once a sequence.
    constant: Params,
    /// Noise that is drawn at every step: `[steps × rows, width]`.
    each_step: Vec<(Name, Tensor<2>)>,
    rows: usize,
}

impl<'a> LayerRun<'a> {
    /// Of the model's parameters, for a batch of that many steps and rows.
    pub(crate) fn new(
        layer: &'a Layer,
        params: &Params,
        noise: Noise<'_>,
        (steps, rows): (usize, usize),
        place: &Place,
    ) -> Result<Self> {
        let declared = &layer.declared;
        let draw = |spec: &NoiseSpec, rows| {
            let shape = [rows, spec.width];
            place.tensor(values(&layer.prefix, spec, noise, rows * spec.width), shape)
        };
        let mut fixed = within(params, &layer.prefix);
        for spec in &declared.noise {
            if let Per::Update { rows } = spec.per {
                fixed.push(spec.name.clone(), draw(spec, rows));
            }
        }
        let mut constant = layer.cell.derive(layer.inputs, fixed)?;
        let mut each_step = Vec::new();
        for spec in declared.noise_of_rows() {
            match noise {
                Noise::Drawn(_) if spec.per == Per::Step => {
                    each_step.push((spec.name.clone(), draw(spec, steps * rows)));
                }
                _ => constant.push(spec.name.clone(), draw(spec, rows)),
            }
        }
        Ok(Self { layer, constant, each_step, rows })
    }

    /// The sum of the penalties in a state, each times its weight: `[rows, 1]`; none if the layer has none.
    pub(crate) fn penalty(&self, state: &State) -> Option<Tensor<2>> {
        let weighted = |(name, weight): &(String, f64)| state.get(name).sum_dim(1) * *weight; // [rows, 1]
        self.layer.penalties.iter().map(weighted).reduce(|sum, next| sum + next)
    }

    /// One step of the cell: the output `[rows, outputs]`, and the next state.
    pub(crate) fn step(&self, step: usize, x: Tensor<2>, state: State) -> Result<(Tensor<2>, State)> {
        if self.each_step.is_empty() {
            return Ok(self.layer.cell.step(&self.constant, x, state)?);
        }
        let mut params = self.constant.clone();
        for (name, noise) in &self.each_step {
            params.push(name.clone(), noise.clone().narrow(0, step * self.rows, self.rows)); // [rows, width]
        }
        Ok(self.layer.cell.step(&params, x, state)?)
    }
}

/// Every carried vector of all layers before the first step, under its full name: each `[rows, width]`.
pub(crate) fn start(model: &Model, params: &Params, rows: usize, place: &Place) -> State {
    let mut state = State::default();
    for layer in &model.layers {
        for spec in &layer.declared.state {
            let start = match &spec.start {
                Start::Constant(value) => place.full([rows, spec.width], *value),
                Start::Param(name) => params.get(&format!("{}{name}", layer.prefix)).repeat_dim(0, rows),
            };
            state.push(format!("{}{}", layer.prefix, spec.name), start);
        }
    }
    state
}

/// The values of a layer's noise.
fn values(prefix: &str, spec: &NoiseSpec, noise: Noise<'_>, count: usize) -> Vec<f64> {
    match noise {
        Noise::Expected => vec![spec.distribution.expectation(); count],
        Noise::Drawn(streams) => {
            let mut stream: Stream = streams.noise(&format!("{prefix}{}", spec.name));
            (0..count).map(|_| spec.distribution.draw(&mut stream)).collect()
        }
    }
}
