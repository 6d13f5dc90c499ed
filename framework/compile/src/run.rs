//! A compiled model behind one interface, whatever the width of its numbers.
//!
//! Numbers go in and out in 64 bits, which hold those of 32 bits exactly.

use crate::{
    error::Refusal,
    kernels::Float,
    machine::{Description, Machine, Matrix, Options, Products, Sequences, Totals},
};

/// The width of a machine's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 32 bits.
    Single,
    /// 64 bits.
    Double,
}

/// What a compiled model does.
pub trait Run: Send {
    /// See [`Machine::train`].
    fn train(&mut self, batch: &Sequences<'_>, uniform: &mut dyn FnMut() -> f64, rate: f64);
    /// See [`Machine::losses`].
    fn losses(&mut self) -> Vec<f64>;
    /// See [`Machine::products`].
    fn products(&self) -> Products;
    /// See [`Machine::time_products`].
    fn time_products(&mut self, on: bool);
    /// See [`Machine::gradient_norms`].
    fn gradient_norms(&self) -> (f64, f64);
    /// See [`Machine::evaluate`].
    fn evaluate(&mut self, batch: &Sequences<'_>) -> Totals;
    /// See [`Machine::begin`].
    fn begin(&mut self, rows: usize);
    /// See [`Machine::advance`].
    fn advance(&mut self, tokens: &[u32]) -> Vec<f64>;
    /// See [`Machine::parameters`].
    fn parameters(&self) -> Vec<Matrix<f64>>;
    /// See [`Machine::set_parameter`].
    fn set_parameter(&mut self, name: &str, shape: [usize; 2], values: &[f64]) -> bool;
    /// See [`Machine::optimizer_state`].
    fn optimizer_state(&self) -> Vec<Matrix<f64>>;
    /// See [`Machine::forget`].
    fn forget(&mut self);
    /// See [`Machine::set_optimizer_state`].
    fn set_optimizer_state(&mut self, name: &str, values: &[f64]) -> bool;
    /// See [`Machine::carried`].
    fn carried(&self) -> Vec<Matrix<f64>>;
    /// See [`Machine::set_carried`].
    fn set_carried(&mut self, saved: &[Matrix<f64>]);
    /// See [`Machine::listing`].
    fn listing(&self) -> String;
    /// See [`Machine::bytes`].
    fn bytes(&self) -> usize;
}

/// Compiles a model.
///
/// # Errors
/// When a cell or a clipper cannot be recorded or uses an operation that is not known here.
pub fn compile(description: &Description<'_>, width: Width, options: Options) -> Result<Box<dyn Run>, Refusal> {
    Ok(match width {
        Width::Single => Box::new(Machine::<f32>::new(description, options)?),
        Width::Double => Box::new(Machine::<f64>::new(description, options)?),
    })
}

impl<T: Float> Run for Machine<T> {
    fn train(&mut self, batch: &Sequences<'_>, uniform: &mut dyn FnMut() -> f64, rate: f64) {
        self.train(batch, uniform, rate);
    }

    fn losses(&mut self) -> Vec<f64> {
        self.losses()
    }

    fn products(&self) -> Products {
        self.products()
    }

    fn time_products(&mut self, on: bool) {
        self.time_products(on);
    }

    fn gradient_norms(&self) -> (f64, f64) {
        self.gradient_norms()
    }

    fn evaluate(&mut self, batch: &Sequences<'_>) -> Totals {
        self.evaluate(batch)
    }

    fn begin(&mut self, rows: usize) {
        self.begin(rows);
    }

    fn advance(&mut self, tokens: &[u32]) -> Vec<f64> {
        self.advance(tokens)
    }

    fn parameters(&self) -> Vec<Matrix<f64>> {
        self.parameters().into_iter().map(double).collect()
    }

    fn set_parameter(&mut self, name: &str, shape: [usize; 2], values: &[f64]) -> bool {
        let values: Vec<T> = values.iter().map(|&value| T::from_f64(value)).collect();
        self.set_parameter(name, shape, &values)
    }

    fn optimizer_state(&self) -> Vec<Matrix<f64>> {
        self.optimizer_state()
    }

    fn forget(&mut self) {
        self.forget();
    }

    fn set_optimizer_state(&mut self, name: &str, values: &[f64]) -> bool {
        self.set_optimizer_state(name, values)
    }

    fn carried(&self) -> Vec<Matrix<f64>> {
        self.carried().into_iter().map(double).collect()
    }

    fn set_carried(&mut self, saved: &[Matrix<f64>]) {
        let own = |matrix: &Matrix<f64>| Matrix {
            name: matrix.name.clone(),
            shape: matrix.shape,
            values: matrix.values.iter().map(|&value| T::from_f64(value)).collect(),
        };
        self.set_carried(&saved.iter().map(own).collect::<Vec<_>>());
    }

    fn listing(&self) -> String {
        self.listing()
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }
}

fn double<T: Float>(matrix: Matrix<T>) -> Matrix<f64> {
    let values = matrix.values.iter().map(|value| value.to_f64()).collect();
    Matrix { name: matrix.name, shape: matrix.shape, values }
}
