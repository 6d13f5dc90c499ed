//! The gradients of functions of elements.

use std::f64::consts::FRAC_2_SQRT_PI;

use super::Reverse;
use crate::{
    error::{Result, Unsupported},
    id::NodeId,
    ir::op::{Binary, Unary},
};

impl Reverse<'_> {
    /// The gradient of a of `y = function(a)`.
    pub(super) fn map(&mut self, function: Unary, y: NodeId, a: NodeId, dy: NodeId) -> Option<NodeId> {
        let graph = &mut *self.graph;
        Some(match function {
            Unary::Copy => dy,
            Unary::Neg => graph.map(Unary::Neg, dy),
            Unary::Abs => {
                let sign = graph.map(Unary::Sign, a);
                graph.zip(Binary::Mul, dy, sign)
            }
            Unary::Sign | Unary::Floor | Unary::Round => return None,
            Unary::Erf | Unary::LogSigmoid => {
                let slope = self.slope(function, a);
                self.graph.zip(Binary::Mul, dy, slope)
            }
            Unary::Recip => {
                let square = graph.map(Unary::Square, y);
                let product = graph.zip(Binary::Mul, dy, square);
                graph.map(Unary::Neg, product)
            }
            Unary::Sqrt => {
                let half = self.scaled(dy, 0.5);
                self.graph.zip(Binary::Div, half, y)
            }
            Unary::Square => {
                let double = self.scaled(dy, 2.0);
                self.graph.zip(Binary::Mul, double, a)
            }
            Unary::Exp => graph.zip(Binary::Mul, dy, y),
            Unary::Log => graph.zip(Binary::Div, dy, a),
            Unary::Log1p => {
                let one = graph.scalar(1.0);
                let sum = graph.zip(Binary::Add, a, one);
                graph.zip(Binary::Div, dy, sum)
            }
            Unary::Tanh => graph.zip(Binary::TanhGradient, y, dy),
            Unary::Sigmoid => graph.zip(Binary::SigmoidGradient, y, dy),
            Unary::Relu => graph.zip(Binary::ReluGradient, y, dy),
            Unary::Sin => {
                let cos = graph.map(Unary::Cos, a);
                graph.zip(Binary::Mul, dy, cos)
            }
            Unary::Cos => {
                let sin = graph.map(Unary::Sin, a);
                let product = graph.zip(Binary::Mul, dy, sin);
                graph.map(Unary::Neg, product)
            }
        })
    }

    /// The derivative of a function.
    fn slope(&mut self, function: Unary, a: NodeId) -> NodeId {
        if function == Unary::LogSigmoid {
            let negative = self.graph.map(Unary::Neg, a);
            return self.graph.map(Unary::Sigmoid, negative);
        }
        let square = self.graph.map(Unary::Square, a);
        let negative = self.graph.map(Unary::Neg, square);
        let power = self.graph.map(Unary::Exp, negative);
        self.scaled(power, FRAC_2_SQRT_PI)
    }

    pub(super) fn zip(&mut self, function: Binary, y: NodeId, (a, b): (NodeId, NodeId), dy: NodeId) -> Result<()> {
        match function {
            Binary::Add => {
                self.accumulate(a, dy);
                self.accumulate(b, dy);
            }
            Binary::Sub => {
                self.accumulate(a, dy);
                if self.varies(b) {
                    let negative = self.graph.map(Unary::Neg, dy);
                    self.accumulate(b, negative);
                }
            }
            Binary::Mul => {
                if self.varies(a) {
                    let gradient = self.graph.zip(Binary::Mul, dy, b);
                    self.accumulate(a, gradient);
                }
                if self.varies(b) {
                    let gradient = self.graph.zip(Binary::Mul, dy, a);
                    self.accumulate(b, gradient);
                }
            }
            Binary::Div => {
                let share = self.graph.zip(Binary::Div, dy, b);
                self.accumulate(a, share);
                if self.varies(b) {
                    let product = self.graph.zip(Binary::Mul, share, y);
                    let negative = self.graph.map(Unary::Neg, product);
                    self.accumulate(b, negative);
                }
            }
            Binary::Pow => {
                if self.varies(b) {
                    return Err(Unsupported::new("the derivative of a power by its exponent"));
                }
                let one = self.graph.scalar(1.0);
                let less = self.graph.zip(Binary::Sub, b, one);
                let power = self.graph.zip(Binary::Pow, a, less);
                let scaled = self.graph.zip(Binary::Mul, dy, b);
                let gradient = self.graph.zip(Binary::Mul, scaled, power);
                self.accumulate(a, gradient);
            }
            Binary::Remainder => self.remainder((a, b), dy),
            Binary::Max | Binary::Min => self.bound(function, (a, b), dy)?,
            Binary::Less | Binary::LessEqual | Binary::Equal => {}
            Binary::TanhGradient | Binary::SigmoidGradient | Binary::ReluGradient => {
                return Err(Unsupported::new("the derivative of a derivative"));
            }
        }
        Ok(())
    }

    /// The gradient of `a − b ⌊a / b⌋`, whose last factor does not change.
    fn remainder(&mut self, (a, b): (NodeId, NodeId), dy: NodeId) {
        self.accumulate(a, dy);
        if self.varies(b) {
            let quotient = self.graph.zip(Binary::Div, a, b);
            let whole = self.graph.map(Unary::Floor, quotient);
            let product = self.graph.zip(Binary::Mul, dy, whole);
            let negative = self.graph.map(Unary::Neg, product);
            self.accumulate(b, negative);
        }
    }

    /// The gradient of a maximum or minimum with a bound. As in Burn, an entry at the bound passes its gradient on, and so
    /// does NaN.
    fn bound(&mut self, function: Binary, (bound, x): (NodeId, NodeId), dy: NodeId) -> Result<()> {
        if self.varies(bound) {
            return Err(Unsupported::new("the derivative of a maximum of two values"));
        }
        let (low, high) = if function == Binary::Max { (x, bound) } else { (bound, x) };
        let outside = self.graph.zip(Binary::Less, low, high);
        let zero = self.graph.scalar(0.0);
        let gradient = self.graph.select(outside, zero, dy);
        self.accumulate(x, gradient);
        Ok(())
    }
}
