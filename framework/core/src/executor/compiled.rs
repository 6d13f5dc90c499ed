//! The compiled executor: the whole training step as one program for this machine's processor.
//!
//! The compiling and the running are `hatchery-compile`'s; here its numbers get the names of checkpoints.

use hatchery_compile::{Description, Matrix, Options, Refusal, Run, Sequences, Width};
use hatchery_plugin::{
    Cell, Token,
    host::{HostCell, HostClipper},
};

use super::{Executor, Products, Totals, parameter};
use crate::{
    data::Batch,
    error::{Error, Result},
    experiment::{Dtype, Experiment, OnNonfinite, Optimizer},
    model::Model,
    random::Stream,
    tensors::{NamedTensor, Values},
};

/// A compiled model.
pub struct CompiledExecutor {
    run: Box<dyn Run>,
    dtype: Dtype,
    /// Names and shapes of the parameters.
    params: Vec<(String, [usize; 2])>,
    /// Whether an update may have to be taken back.
    undoable: bool,
    /// Everything as it was before the last update, if so.
    before: Option<Vec<NamedTensor>>,
}

impl CompiledExecutor {
    /// The model with these first values, in the order of [`Model::params`].
    ///
    /// # Errors
    /// When a cell or a clipper uses an operation that the compiler does not know: it runs on Burn then.
    pub fn new(
        model: &Model,
        values: &[Vec<f64>],
        clippers: &[Box<dyn HostClipper>],
        experiment: &Experiment,
    ) -> std::result::Result<Self, Refusal> {
        let description = Description {
            vocabulary: model.vocabulary,
            embedding: model.embedding,
            layers: model.layers.iter().map(|layer| (&*layer.cell, layer.prefix.clone())).collect(),
            dropout: model.dropout,
            dropout_last: model.dropout_last,
            clippers: clippers.iter().map(|clipper| &**clipper).collect(),
            optimizer: optimizer(&experiment.optimizer),
        };
        let dtype = experiment.backend.dtype;
        let width = match dtype {
            Dtype::F32 => Width::Single,
            Dtype::F64 => Width::Double,
        };
        let mut run = hatchery_compile::compile(&description, width, Options::default())?;
        let params: Vec<_> = model.params().into_iter().map(|spec| (spec.name.into_owned(), spec.shape)).collect();
        for ((name, shape), values) in params.iter().zip(values) {
            run.set_parameter(name, *shape, values);
        }
        let undoable = experiment.train.on_nonfinite == OnNonfinite::Skip;
        Ok(Self { run, dtype, params, undoable, before: None })
    }

    fn named(&self, group: &str, matrix: Matrix<f64>) -> NamedTensor {
        let values = match self.dtype {
            Dtype::F32 => Values::F32(matrix.values.iter().map(|&value| value as f32).collect()),
            Dtype::F64 => Values::F64(matrix.values),
        };
        NamedTensor { name: format!("{group}.{}", matrix.name), shape: matrix.shape, values }
    }
}

impl Executor for CompiledExecutor {
    fn train(&mut self, batch: &Batch, mut dropout: Stream, learning_rate: f64) -> Result<()> {
        if self.undoable {
            self.before = Some(self.save()?);
        }
        self.run.train(&sequences(batch), &mut || dropout.uniform(), learning_rate);
        Ok(())
    }

    fn undo(&mut self) -> Result<()> {
        match self.before.take() {
            Some(before) => self.load(&before),
            None => Err(Error::Internal { message: "there is no update to take back".to_owned(), cause: None }),
        }
    }

    fn losses(&mut self) -> Result<Vec<f64>> {
        Ok(self.run.losses())
    }

    fn gradient_norms(&mut self) -> Result<(f64, f64)> {
        Ok(self.run.gradient_norms())
    }

    fn products(&self) -> Option<Products> {
        Some(self.run.products())
    }

    fn time_products(&mut self, on: bool) {
        self.run.time_products(on);
    }

    fn evaluate(&mut self, batch: &Batch) -> Result<Totals> {
        let totals = self.run.evaluate(&sequences(batch));
        Ok(Totals { nats: totals.nats, correct: totals.correct, characters: totals.characters })
    }

    fn begin(&mut self, rows: usize) {
        self.run.begin(rows);
    }

    fn advance(&mut self, tokens: &[Token]) -> Result<Vec<f64>> {
        Ok(self.run.advance(tokens))
    }

    fn save(&self) -> Result<Vec<NamedTensor>> {
        let mut saved: Vec<NamedTensor> =
            self.run.parameters().into_iter().map(|matrix| self.named("parameters", matrix)).collect();
        for matrix in self.run.optimizer_state() {
            // A count is kept in 64 bits whatever the run's width.
            saved.push(if matrix.name.rsplit('.').next() == Some("time") {
                let name = format!("optimizer.{}", matrix.name);
                NamedTensor { name, shape: matrix.shape, values: Values::F64(matrix.values) }
            } else {
                self.named("optimizer", matrix)
            });
        }
        saved.extend(self.run.carried().into_iter().map(|matrix| self.named("state", matrix)));
        Ok(saved)
    }

    fn load(&mut self, saved: &[NamedTensor]) -> Result<()> {
        let mut found = Vec::with_capacity(self.params.len());
        for (name, shape) in &self.params {
            found.push((name.clone(), *shape, parameter(saved, name, *shape)?.values.to_f64()));
        }
        for (name, shape, values) in found {
            self.run.set_parameter(&name, shape, &values);
        }
        // A checkpoint before the first update holds nothing of the optimiser's.
        self.run.forget();
        let mut carried = Vec::new();
        for named in saved {
            if let Some(name) = named.name.strip_prefix("optimizer.") {
                self.run.set_optimizer_state(name, &named.values.to_f64());
            } else if let Some(name) = named.name.strip_prefix("state.") {
                carried.push(Matrix { name: name.to_owned(), shape: named.shape, values: named.values.to_f64() });
            }
        }
        self.run.set_carried(&carried);
        Ok(())
    }
}

/// The program that a cell is compiled to for inputs of that width, for people to read.
///
/// # Errors
/// When the cell uses an operation that the compiler does not know.
pub fn program(cell: &dyn HostCell, inputs: usize) -> std::result::Result<String, Refusal> {
    let below = Below(inputs);
    let description = Description {
        vocabulary: 2,
        embedding: Some(inputs),
        // The first of two: a cell that is fed by another shows its product with the input too.
        layers: vec![(&below as &dyn HostCell, String::new()), (cell, "cell, ".to_owned())],
        dropout: 0.0,
        dropout_last: false,
        clippers: vec![],
        optimizer: hatchery_compile::Optimizer::Sgd { momentum: 0.0 },
    };
    let run = hatchery_compile::compile(&description, Width::Single, Options { threads: Some(1), instructions: None })?;
    let listing = run.listing();
    Ok(listing.split_inclusive('\n').skip_while(|line| !line.starts_with("cell, ")).collect())
}

/// Passes its input on.
struct Below(usize);

impl Cell for Below {
    fn params(&self, _: usize) -> Vec<hatchery_plugin::ParamSpec> {
        vec![]
    }

    fn state(&self) -> Vec<hatchery_plugin::StateSpec> {
        vec![]
    }

    fn outputs(&self) -> usize {
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

fn sequences(batch: &Batch) -> Sequences<'_> {
    Sequences {
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
