//! Complex numbers as pairs of tensors, for cells whose state is complex.

use hatchery_plugin::prelude::*;

/// Real and imaginary parts.
#[derive(Clone)]
pub(crate) struct Complex<const D: usize> {
    pub(crate) re: Tensor<D>,
    pub(crate) im: Tensor<D>,
}

impl<const D: usize> Complex<D> {
    pub(crate) fn new(re: Tensor<D>, im: Tensor<D>) -> Self {
        Self { re, im }
    }

    /// `magnitude · exp(i angle)`.
    pub(crate) fn polar(magnitude: Tensor<D>, angle: Tensor<D>) -> Self {
        Self { re: magnitude.clone() * angle.clone().cos(), im: magnitude * angle.sin() }
    }

    pub(crate) fn times(self, other: Self) -> Self {
        let re = self.re.clone() * other.re.clone() - self.im.clone() * other.im.clone();
        Self { re, im: self.re * other.im + self.im * other.re }
    }

    pub(crate) fn over(self, other: Self) -> Self {
        let square = other.re.clone().square() + other.im.clone().square();
        let Self { re, im } = self.times(Self { re: other.re, im: other.im.neg() });
        Self { re: re / square.clone(), im: im / square }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }

    /// The same number of another shape.
    pub(crate) fn reshape<const N: usize>(self, shape: [usize; N]) -> Complex<N> {
        Complex { re: self.re.reshape(shape), im: self.im.reshape(shape) }
    }
}
