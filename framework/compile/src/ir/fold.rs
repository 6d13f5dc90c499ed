//! Constant folding: the value of an operation whose operands are known when the model is compiled.

use super::op::{Binary, Unary};
use crate::kernels::{Element, erf};

impl Unary {
    /// Its value.
    pub(crate) fn of(self, x: f64) -> f64 {
        match self {
            Self::Copy => x,
            Self::Neg => -x,
            Self::Abs => x.abs(),
            Self::Sign => f64::from(i8::from(x > 0.0) - i8::from(x < 0.0)),
            Self::Recip => 1.0 / x,
            Self::Sqrt => x.sqrt(),
            Self::Square => x * x,
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Log1p => x.ln_1p(),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Relu => x.max(0.0),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Floor => x.floor(),
            Self::Round => x.round_ties_even(),
            Self::Erf => erf(x),
            Self::LogSigmoid => x.min(0.0) - (-x.abs()).exp().ln_1p(),
        }
    }
}

impl Binary {
    /// Its value.
    pub(crate) fn of(self, a: f64, b: f64) -> f64 {
        let indicator = |is: bool| f64::from(u8::from(is));
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Pow => a.powf(b),
            Self::Less => indicator(a < b),
            Self::LessEqual => indicator(a <= b),
            #[expect(clippy::float_cmp, reason = "the operation is an exact comparison")]
            Self::Equal => indicator(a == b),
            Self::TanhGradient => b * (1.0 - a * a),
            Self::SigmoidGradient => b * a * (1.0 - a),
            Self::ReluGradient => {
                if a <= 0.0 {
                    0.0
                } else {
                    b
                }
            }
            Self::Max => {
                if a > b {
                    a
                } else {
                    b
                }
            }
            Self::Min => {
                if a < b {
                    a
                } else {
                    b
                }
            }
            Self::Remainder => a.remainder(b),
        }
    }
}
