//! The compiled executor: the whole update as one program for this processor.
//!
//! `hatchery-compile` compiles and runs; here its values get the names of checkpoints.

use std::sync::atomic::{AtomicUsize, Ordering};

use hatchery_compile::{BatchView, Description, Executable, Head, LayerDescription, NamedMatrix, Options, Unsupported};
use hatchery_plugin::{
    Cell, Token,
    host::{HostCell, HostClipper},
};

use super::{Executor, Products, Totals, parameter};
use crate::{
    data::Batch,
    error::{Error, Result},
    experiment::{self, Dtype, Experiment, OnNonfinite, Optimizer},
    model::{HEAD_PREFIX, Layer, Model, head::Mixture},
    random::Streams,
    tensors::{NamedTensor, Values},
};

/// The most threads of one compiled model; 0 for as many as there are.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Limits the threads of every model that is compiled from now on, for programs that train several at once. Results do not
/// depend on it.
pub fn limit_threads(threads: usize) {
    THREADS.store(threads, Ordering::Relaxed);
}

/// A compiled model.
pub struct CompiledExecutor {
    executable: Box<dyn Executable>,
    dtype: Dtype,
    /// Names and shapes of the parameters.
    params: Vec<(String, [usize; 2])>,
    /// Whether an update may have to be undone.
    undoable: bool,
    /// The state before the last update, if so.
    before: Option<Vec<NamedTensor>>,
}

impl CompiledExecutor {
    /// The model with these first values, in the order of [`Model::params`].
    ///
    /// # Errors
    /// When a cell or a clipper uses an operation that is not compiled: it runs on Burn then.
    pub fn new(
        model: &Model,
        values: &[Vec<f64>],
        clippers: &[Box<dyn HostClipper>],
        experiment: &Experiment,
    ) -> std::result::Result<Self, Unsupported> {
        let mut layers: Vec<_> = model.layers.iter().map(described).collect();
        let mixture;
        let head = match model.head {
            experiment::Head::Linear => Head::Linear,
            experiment::Head::Tied => Head::Tied,
            experiment::Head::Mixture(count) => {
                mixture = Mixture { count, vocabulary: model.vocabulary };
                layers.push(alone(&mixture, HEAD_PREFIX));
                Head::LastLayer
            }
        };
        let description = Description {
            vocabulary: model.vocabulary,
            embedding: model.embedding,
            layers,
            head,
            clippers: clippers.iter().map(|clipper| &**clipper).collect(),
            optimizer: optimizer(&experiment.optimizer),
        };
        let dtype = experiment.backend.dtype;
        let compiled = match dtype {
            Dtype::F32 => hatchery_compile::Dtype::F32,
            Dtype::F64 => hatchery_compile::Dtype::F64,
        };
        let threads = Some(THREADS.load(Ordering::Relaxed)).filter(|threads| *threads > 0);
        let options = Options { threads, ..Options::default() };
        let mut executable = hatchery_compile::compile(&description, compiled, options)?;
        let params: Vec<_> = model.params().into_iter().map(|spec| (spec.name.into_owned(), spec.shape)).collect();
        for ((name, shape), values) in params.iter().zip(values) {
            executable.set_parameter(name, *shape, values);
        }
        let undoable = experiment.train.on_nonfinite == OnNonfinite::Skip;
        Ok(Self { executable, dtype, params, undoable, before: None })
    }

    fn named(&self, group: &str, matrix: NamedMatrix) -> NamedTensor {
        let values = match self.dtype {
            Dtype::F32 => Values::F32(matrix.values.iter().map(|&value| value as f32).collect()),
            Dtype::F64 => Values::F64(matrix.values),
        };
        NamedTensor { name: format!("{group}.{}", matrix.name), shape: matrix.shape, values }
    }
}

impl Executor for CompiledExecutor {
    fn train(&mut self, batch: &Batch, streams: &Streams, learning_rate: f64) -> Result<()> {
        if self.undoable {
            self.before = Some(self.save()?);
        }
        self.executable.train(&view(batch), streams, learning_rate);
        Ok(())
    }

    fn undo(&mut self) -> Result<()> {
        match self.before.take() {
            Some(before) => self.load(&before),
            None => Err(Error::Internal { message: "there is no update to undo".to_owned(), cause: None }),
        }
    }

    fn losses(&mut self) -> Result<Vec<f64>> {
        Ok(self.executable.losses())
    }

    fn gradient_norms(&mut self) -> Result<(f64, f64)> {
        Ok(self.executable.gradient_norms())
    }

    fn products(&self) -> Option<Products> {
        Some(self.executable.products())
    }

    fn time_products(&mut self, on: bool) {
        self.executable.time_products(on);
    }

    fn evaluate(&mut self, batch: &Batch) -> Result<Totals> {
        Ok(self.executable.evaluate(&view(batch)))
    }

    fn begin(&mut self, rows: usize) {
        self.executable.begin(rows);
    }

    fn advance(&mut self, tokens: &[Token]) -> Result<Vec<f64>> {
        Ok(self.executable.advance(tokens))
    }

    fn save(&self) -> Result<Vec<NamedTensor>> {
        let mut saved: Vec<NamedTensor> =
            self.executable.parameters().into_iter().map(|matrix| self.named("parameters", matrix)).collect();
        for matrix in self.executable.optimizer_state() {
            // A count has 64 bits whatever the run's dtype.
            saved.push(if matrix.name.rsplit('.').next() == Some("time") {
                let name = format!("optimizer.{}", matrix.name);
                NamedTensor { name, shape: matrix.shape, values: Values::F64(matrix.values) }
            } else {
                self.named("optimizer", matrix)
            });
        }
        saved.extend(self.executable.state().into_iter().map(|matrix| self.named("state", matrix)));
        Ok(saved)
    }

    fn load(&mut self, saved: &[NamedTensor]) -> Result<()> {
        let mut found = Vec::with_capacity(self.params.len());
        for (name, shape) in &self.params {
            found.push((name.clone(), *shape, parameter(saved, name, *shape)?.values.to_f64()));
        }
        for (name, shape, values) in found {
            self.executable.set_parameter(&name, shape, &values);
        }
        // A checkpoint from before the first update has no optimizer state.
        self.executable.reset_optimizer();
        let mut state = Vec::new();
        for named in saved {
            if let Some(name) = named.name.strip_prefix("optimizer.") {
                self.executable.set_optimizer_state(name, &named.values.to_f64());
            } else if let Some(name) = named.name.strip_prefix("state.") {
                state.push(NamedMatrix { name: name.to_owned(), shape: named.shape, values: named.values.to_f64() });
            }
        }
        self.executable.set_state(&state);
        Ok(())
    }
}

/// The listing of the schedules that a cell is compiled to for inputs of that width.
///
/// # Errors
/// When the cell uses an operation that is not compiled.
pub fn program(cell: &dyn HostCell, inputs: usize) -> std::result::Result<String, Unsupported> {
    let below = Below(inputs);
    let options = Options { threads: Some(1), instructions: None };
    let compiled = hatchery_compile::compile(&second(&below, cell), hatchery_compile::Dtype::F32, options)?;
    let listing = compiled.listing();
    Ok(listing.split_inclusive('\n').skip_while(|line| !line.starts_with(PREFIX)).collect())
}

/// The result of one of the compiler's passes on a cell with inputs of that width: graphs, buffers or schedules.
///
/// # Errors
/// When the cell uses an operation that is not compiled.
pub fn program_after(cell: &dyn HostCell, inputs: usize, pass: &str) -> std::result::Result<String, Unsupported> {
    hatchery_compile::dump(&second(&Below(inputs), cell), pass)
}

/// The names of the compiler's passes, in their order.
pub fn passes() -> Vec<&'static str> {
    hatchery_compile::pass_names().collect()
}

const PREFIX: &str = "cell, ";

/// A cell as the second of two, so that its product with the input is seen too.
fn second<'a>(below: &'a Below, cell: &'a dyn HostCell) -> Description<'a> {
    Description {
        vocabulary: 2,
        embedding: Some(below.0),
        layers: vec![alone(below, ""), alone(cell, PREFIX)],
        head: Head::Linear,
        clippers: vec![],
        optimizer: hatchery_compile::Optimizer::Sgd { momentum: 0.0 },
    }
}

/// A cell that returns its input.
struct Below(usize);

impl Cell for Below {
    fn params(&self, _: usize) -> Vec<hatchery_plugin::ParamSpec> {
        vec![]
    }

    fn state(&self, _: usize) -> Vec<hatchery_plugin::StateSpec> {
        vec![]
    }

    fn outputs(&self, _: usize) -> usize {
        self.0
    }

    fn step(
        &self,
        _: &hatchery_plugin::Params,
        x: burn::Tensor<2>,
        state: hatchery_plugin::State,
    ) -> (burn::Tensor<2>, hatchery_plugin::State) {
        (x, state)
    }
}

/// A layer that is a cell and nothing else.
fn alone<'a>(cell: &'a dyn HostCell, prefix: &str) -> LayerDescription<'a> {
    LayerDescription { cell, prefix: prefix.to_owned(), dropout: 0.0, penalties: vec![] }
}

fn described(layer: &Layer) -> LayerDescription<'_> {
    LayerDescription {
        cell: &*layer.cell,
        prefix: layer.prefix.clone(),
        dropout: layer.dropout,
        penalties: layer.penalties.clone(),
    }
}

fn view(batch: &Batch) -> BatchView<'_> {
    BatchView {
        rows: batch.rows,
        steps: batch.steps,
        inputs: &batch.inputs,
        targets: &batch.targets,
        counted: &batch.counted,
        continues: batch.continues,
        divisor: batch.divisor,
    }
}

fn optimizer(experiment: &Optimizer) -> hatchery_compile::Optimizer {
    use hatchery_compile::Optimizer as Rule;
    match *experiment {
        Optimizer::Sgd { momentum, .. } => Rule::Sgd { momentum },
        Optimizer::Adagrad { epsilon, .. } => Rule::Adagrad { epsilon },
        Optimizer::Rmsprop { decay, epsilon, .. } => Rule::Rmsprop { decay, epsilon },
        Optimizer::Adam { beta1, beta2, epsilon, .. } => Rule::Adam { betas: [beta1, beta2], epsilon },
        Optimizer::Adamw { beta1, beta2, epsilon, weight_decay, .. } => {
            Rule::Adamw { betas: [beta1, beta2], epsilon, weight_decay }
        }
    }
}
