//! Several models as one that generates: their logits averaged.

use hatchery_plugin::Token;

use super::{Executor, Totals};
use crate::{
    data::Batch,
    error::{Error, Result},
    random::Streams,
    tensors::NamedTensor,
};

/// Models over the same symbols whose logits are averaged: the geometric mean of their probabilities. It generates only.
pub struct AveragedExecutor(pub Vec<Box<dyn Executor>>);

fn only_generates<T>() -> Result<T> {
    Err(Error::Internal { message: "an average of models only generates".to_owned(), cause: None })
}

impl Executor for AveragedExecutor {
    fn begin(&mut self, rows: usize) {
        self.0.iter_mut().for_each(|model| model.begin(rows));
    }

    fn advance(&mut self, tokens: &[Token]) -> Result<Vec<f64>> {
        let mut mean = Vec::new();
        let share = 1.0 / self.0.len() as f64;
        for model in &mut self.0 {
            let logits = model.advance(tokens)?; // [rows × vocabulary]
            mean.resize(logits.len(), 0.0);
            mean.iter_mut().zip(logits).for_each(|(mean, logit)| *mean += share * logit);
        }
        Ok(mean)
    }

    fn train(&mut self, _: &Batch, _: &Streams, _: f64) -> Result<()> {
        only_generates()
    }

    fn undo(&mut self) -> Result<()> {
        only_generates()
    }

    fn losses(&mut self) -> Result<Vec<f64>> {
        only_generates()
    }

    fn gradient_norms(&mut self) -> Result<(f64, f64)> {
        only_generates()
    }

    fn evaluate(&mut self, _: &Batch) -> Result<Totals> {
        only_generates()
    }

    fn save(&self) -> Result<Vec<NamedTensor>> {
        only_generates()
    }

    fn load(&mut self, _: &[NamedTensor]) -> Result<()> {
        only_generates()
    }
}
