//! A compiled model behind one interface, whatever the width of its numbers.
//!
//! Numbers go in and out in 64 bits, which hold those of 32 bits exactly.

pub(crate) mod buffers;
mod clock;
mod executable;
mod gradients;
pub(crate) mod optimizer;
mod parameter_program;
mod prepare;
mod sequence;
mod shard;

pub use self::executable::Executable;
use crate::{
    error::Refusal,
    kernels::Float,
    model::{Description, Matrix, Options, Products, Sequences, Totals, Width},
};

/// What a compiled model does.
pub trait Run: Send {
    /// See [`Executable::train`].
    fn train(&mut self, batch: &Sequences<'_>, uniform: &mut dyn FnMut() -> f64, rate: f64);
    /// See [`Executable::losses`].
    fn losses(&mut self) -> Vec<f64>;
    /// See [`Executable::products`].
    fn products(&self) -> Products;
    /// See [`Executable::time_products`].
    fn time_products(&mut self, on: bool);
    /// See [`Executable::gradient_norms`].
    fn gradient_norms(&self) -> (f64, f64);
    /// See [`Executable::evaluate`].
    fn evaluate(&mut self, batch: &Sequences<'_>) -> Totals;
    /// See [`Executable::begin`].
    fn begin(&mut self, rows: usize);
    /// See [`Executable::advance`].
    fn advance(&mut self, tokens: &[u32]) -> Vec<f64>;
    /// See [`Executable::parameters`].
    fn parameters(&self) -> Vec<Matrix<f64>>;
    /// See [`Executable::set_parameter`].
    fn set_parameter(&mut self, name: &str, shape: [usize; 2], values: &[f64]) -> bool;
    /// See [`Executable::optimizer_state`].
    fn optimizer_state(&self) -> Vec<Matrix<f64>>;
    /// See [`Executable::forget`].
    fn forget(&mut self);
    /// See [`Executable::set_optimizer_state`].
    fn set_optimizer_state(&mut self, name: &str, values: &[f64]) -> bool;
    /// See [`Executable::carried`].
    fn carried(&self) -> Vec<Matrix<f64>>;
    /// See [`Executable::set_carried`].
    fn set_carried(&mut self, saved: &[Matrix<f64>]);
    /// See [`Executable::listing`].
    fn listing(&self) -> String;
    /// See [`Executable::bytes`].
    fn bytes(&self) -> usize;
}

/// Compiles a model.
///
/// # Errors
/// When a cell or a clipper cannot be recorded or uses an operation that is not known here.
pub fn compile(description: &Description<'_>, width: Width, options: Options) -> Result<Box<dyn Run>, Refusal> {
    Ok(match width {
        Width::Single => Box::new(Executable::<f32>::new(description, options)?),
        Width::Double => Box::new(Executable::<f64>::new(description, options)?),
    })
}

impl<T: Float> Run for Executable<T> {
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
