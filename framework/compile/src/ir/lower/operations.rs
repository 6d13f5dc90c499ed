//! The lowering of each of Burn's operations.

use std::f64::consts::FRAC_1_SQRT_2;

use hatchery_plugin::burn::backend::ir::{
    ActivationOperationIr, BaseOperationIr, BoolOperationIr, DimOpIr, FloatOperationIr, NumericOperationIr, ScalarOpIr,
    TensorId, TensorIr,
};

use super::{Lowering, number, unknown};
use crate::{
    error::{Result, Unsupported},
    id::NodeId,
    ir::{
        graph::Graph,
        op::{Binary, Reduce, Unary},
    },
};

impl Lowering<'_> {
    pub(super) fn base(&mut self, operation: &BaseOperationIr) -> Result<()> {
        match operation {
            BaseOperationIr::Reshape(op) => self.reshape(op.input.id, &op.out),
            BaseOperationIr::Expand(op) => self.expand(&op.input, &op.out),
            BaseOperationIr::RepeatDim(op) if op.tensor.shape[op.dim] == 1 || op.times == 1 => {
                self.expand(&op.tensor, &op.out)
            }
            BaseOperationIr::SwapDims(op) => {
                let mut order: Vec<usize> = (0..op.input.shape.len()).collect();
                order.swap(op.dim1, op.dim2);
                self.permute(&op.input, &order, &op.out)
            }
            BaseOperationIr::Permute(op) => self.permute(&op.input, &op.axes, &op.out),
            BaseOperationIr::Slice(op) => self.slice(op),
            BaseOperationIr::Cat(op) => self.concat(op),
            BaseOperationIr::MaskWhere(op) => {
                let [no, mask, yes] = [&op.tensor, &op.mask, &op.value].map(|of| self.broadcast(of, &op.out.shape));
                let (no, mask, yes) = (no?, mask?, yes?);
                let node = self.graph.select(mask, yes, no);
                self.set(&op.out, node)
            }
            BaseOperationIr::MaskFill(op) => {
                let [no, mask] = [&op.tensor, &op.mask].map(|of| self.broadcast(of, &op.out.shape));
                let (no, mask) = (no?, mask?);
                let yes = self.graph.scalar(number(op.value));
                let node = self.graph.select(mask, yes, no);
                self.set(&op.out, node)
            }
            BaseOperationIr::Equal(op) => self.zip(Binary::Equal, op),
            BaseOperationIr::EqualElem(op) => self.scalar(Binary::Equal, op),
            BaseOperationIr::NotEqual(op) => {
                let [a, b] = self.operands(op)?;
                let equal = self.graph.zip(Binary::Equal, a, b);
                let node = self.not(equal);
                self.set(&op.out, node)
            }
            BaseOperationIr::NotEqualElem(op) => {
                let (a, b) = self.with_scalar(op)?;
                let equal = self.graph.zip(Binary::Equal, a, b);
                let node = self.not(equal);
                self.set(&op.out, node)
            }
            BaseOperationIr::Cast(op) => self.alias(op.input.id, &op.out),
            BaseOperationIr::Zeros(op) => self.filled(0.0, &op.out),
            BaseOperationIr::Ones(op) => self.filled(1.0, &op.out),
            other => Err(unknown(other)),
        }
    }

    /// The result is the operand itself.
    fn alias(&mut self, input: TensorId, out: &TensorIr) -> Result<()> {
        let a = self.tensor(input)?;
        self.set(out, a)
    }

    fn filled(&mut self, value: f64, out: &TensorIr) -> Result<()> {
        let shape = self.shape(&out.shape);
        let node = self.graph.fill(value, shape);
        self.set(out, node)
    }

    pub(super) fn numeric(&mut self, operation: &NumericOperationIr) -> Result<()> {
        match operation {
            NumericOperationIr::Add(op) => self.zip(Binary::Add, op),
            NumericOperationIr::AddScalar(op) => self.scalar(Binary::Add, op),
            NumericOperationIr::Sub(op) => self.zip(Binary::Sub, op),
            NumericOperationIr::SubScalar(op) => self.scalar(Binary::Sub, op),
            NumericOperationIr::Mul(op) => self.zip(Binary::Mul, op),
            NumericOperationIr::MulScalar(op) => self.scalar(Binary::Mul, op),
            NumericOperationIr::Div(op) => self.zip(Binary::Div, op),
            NumericOperationIr::DivScalar(op) => self.scalar(Binary::Div, op),
            NumericOperationIr::Abs(op) => self.map(Unary::Abs, op),
            NumericOperationIr::Neg(op) => self.map(Unary::Neg, op),
            NumericOperationIr::Sign(op) => self.map(Unary::Sign, op),
            NumericOperationIr::Full(op) => self.filled(number(op.value), &op.out),
            NumericOperationIr::Sum(op) => {
                let a = self.of_no_batch(op.input.id, "sum over the whole batch")?;
                let rows = self.graph.sum_rows(a);
                let node = self.graph.sum_columns(rows);
                self.set(&op.out, node)
            }
            NumericOperationIr::Mean(op) => {
                let a = self.of_no_batch(op.input.id, "mean over the whole batch")?;
                let rows = self.graph.sum_rows(a);
                let sum = self.graph.sum_columns(rows);
                let count = self.graph.scalar(op.input.shape.num_elements() as f64);
                let node = self.graph.zip(Binary::Div, sum, count);
                self.set(&op.out, node)
            }
            NumericOperationIr::SumDim(op) => {
                let node = self.reduce(Reduce::Sum, op, "a sum")?;
                self.set(&op.out, node)
            }
            NumericOperationIr::MaxDim(op) => {
                let node = self.reduce(Reduce::Max, op, "a maximum")?;
                self.set(&op.out, node)
            }
            NumericOperationIr::CumSum(op) => self.cumulative_sum(&op.input, op.axis, &op.out),
            NumericOperationIr::Rem(op) => self.zip(Binary::Remainder, op),
            NumericOperationIr::RemScalar(op) => self.scalar(Binary::Remainder, op),
            NumericOperationIr::MeanDim(op) => {
                let sum = self.reduce(Reduce::Sum, op, "a mean")?;
                let count = self.graph.scalar(op.input.shape[op.axis] as f64);
                let node = self.graph.zip(Binary::Div, sum, count);
                self.set(&op.out, node)
            }
            NumericOperationIr::Greater(op) => self.flipped(Binary::Less, op),
            NumericOperationIr::GreaterElem(op) => self.scalar_flipped(Binary::Less, op),
            NumericOperationIr::GreaterEqual(op) => self.flipped(Binary::LessEqual, op),
            NumericOperationIr::GreaterEqualElem(op) => self.scalar_flipped(Binary::LessEqual, op),
            NumericOperationIr::Lower(op) => self.zip(Binary::Less, op),
            NumericOperationIr::LowerElem(op) => self.scalar(Binary::Less, op),
            NumericOperationIr::LowerEqual(op) => self.zip(Binary::LessEqual, op),
            NumericOperationIr::LowerEqualElem(op) => self.scalar(Binary::LessEqual, op),
            NumericOperationIr::Clamp(op) => {
                let a = self.tensor(op.tensor.id)?;
                let low = self.at_least(number(op.min), a);
                let node = self.at_most(number(op.max), low);
                self.set(&op.out, node)
            }
            NumericOperationIr::ClampMin(op) => {
                let a = self.tensor(op.lhs.id)?;
                let node = self.at_least(number(op.rhs), a);
                self.set(&op.out, node)
            }
            NumericOperationIr::ClampMax(op) => {
                let a = self.tensor(op.lhs.id)?;
                let node = self.at_most(number(op.rhs), a);
                self.set(&op.out, node)
            }
            NumericOperationIr::PowiScalar(op) => self.power(op),
            other => Err(unknown(other)),
        }
    }

    /// NaN stays NaN: both give the second operand when one is NaN.
    fn at_least(&mut self, bound: f64, a: NodeId) -> NodeId {
        let bound = self.graph.scalar(bound);
        self.graph.zip(Binary::Max, bound, a)
    }

    fn at_most(&mut self, bound: f64, a: NodeId) -> NodeId {
        let bound = self.graph.scalar(bound);
        self.graph.zip(Binary::Min, bound, a)
    }

    fn power(&mut self, op: &ScalarOpIr) -> Result<()> {
        let (a, exponent) = self.with_scalar(op)?;
        let node = match number(op.rhs) {
            2.0 => self.graph.map(Unary::Square, a),
            1.0 => a,
            0.5 => self.graph.map(Unary::Sqrt, a),
            -1.0 => self.graph.map(Unary::Recip, a),
            3.0 => {
                let square = self.graph.map(Unary::Square, a);
                self.graph.zip(Binary::Mul, square, a)
            }
            _ => self.graph.zip(Binary::Pow, a, exponent),
        };
        self.set(&op.out, node)
    }

    /// A matrix that has no row for each sequence.
    fn of_no_batch(&mut self, id: TensorId, what: &str) -> Result<NodeId> {
        let a = self.tensor(id)?;
        if self.graph.is_batch(a) {
            return Err(Unsupported::new(format!("{what}: sequences must not influence each other")));
        }
        Ok(a)
    }

    pub(super) fn float(&mut self, operation: &FloatOperationIr) -> Result<()> {
        match operation {
            FloatOperationIr::Exp(op) => self.map(Unary::Exp, op),
            FloatOperationIr::Log(op) => self.map(Unary::Log, op),
            FloatOperationIr::Log1p(op) => self.map(Unary::Log1p, op),
            FloatOperationIr::Sqrt(op) => self.map(Unary::Sqrt, op),
            FloatOperationIr::Tanh(op) => self.map(Unary::Tanh, op),
            FloatOperationIr::Sin(op) => self.map(Unary::Sin, op),
            FloatOperationIr::Cos(op) => self.map(Unary::Cos, op),
            FloatOperationIr::Recip(op) => self.map(Unary::Recip, op),
            FloatOperationIr::PowfScalar(op) => self.power(op),
            FloatOperationIr::Powf(op) => self.zip(Binary::Pow, op),
            FloatOperationIr::Floor(op) => self.map(Unary::Floor, op),
            FloatOperationIr::Round(op) => self.map(Unary::Round, op),
            FloatOperationIr::Erf(op) => self.map(Unary::Erf, op),
            FloatOperationIr::Matmul(op) => self.matmul(op),
            other => Err(unknown(other)),
        }
    }

    pub(super) fn bool(&mut self, operation: &BoolOperationIr) -> Result<()> {
        match operation {
            BoolOperationIr::IntoFloat(op) => {
                let a = self.tensor(op.input.id)?;
                self.set(&op.out, a)
            }
            BoolOperationIr::Not(op) => {
                let a = self.tensor(op.input.id)?;
                let node = self.not(a);
                self.set(&op.out, node)
            }
            BoolOperationIr::And(op) => self.zip(Binary::Mul, op),
            BoolOperationIr::Or(op) => self.zip(Binary::Max, op),
            other => Err(unknown(other)),
        }
    }

    pub(super) fn activation(&mut self, operation: &ActivationOperationIr) -> Result<()> {
        match operation {
            ActivationOperationIr::Relu(op) => self.map(Unary::Relu, op),
            ActivationOperationIr::Sigmoid(op) => self.map(Unary::Sigmoid, op),
            ActivationOperationIr::LeakyRelu(op) => {
                let (a, slope) = self.with_scalar(op)?;
                let zero = self.graph.scalar(0.0);
                let below = self.graph.zip(Binary::Less, a, zero);
                let scaled = self.graph.zip(Binary::Mul, a, slope);
                let node = self.graph.select(below, scaled, a);
                self.set(&op.out, node)
            }
            ActivationOperationIr::HardSigmoid(op) => {
                let a = self.tensor(op.tensor.id)?;
                let (alpha, beta) = (self.graph.scalar(number(op.alpha)), self.graph.scalar(number(op.beta)));
                let scaled = self.graph.zip(Binary::Mul, a, alpha);
                let shifted = self.graph.zip(Binary::Add, scaled, beta);
                let low = self.at_least(0.0, shifted);
                let node = self.at_most(1.0, low);
                self.set(&op.out, node)
            }
            ActivationOperationIr::LogSigmoid(op) => self.map(Unary::LogSigmoid, op),
            ActivationOperationIr::Gelu(op) => {
                // x / 2 (1 + erf(x / √2)) (Hendrycks and Gimpel 2016).
                let a = self.tensor(op.input.id)?;
                let [root, half, one] = [FRAC_1_SQRT_2, 0.5, 1.0].map(|value| self.graph.scalar(value));
                let scaled = self.graph.zip(Binary::Mul, a, root);
                let erf = self.graph.map(Unary::Erf, scaled);
                let sum = self.graph.zip(Binary::Add, erf, one);
                let halved = self.graph.zip(Binary::Mul, a, half);
                let node = self.graph.zip(Binary::Mul, halved, sum);
                self.set(&op.out, node)
            }
            ActivationOperationIr::Softmax(op) => self.softmax(op, false),
            ActivationOperationIr::LogSoftmax(op) => self.softmax(op, true),
            other => Err(unknown(other)),
        }
    }

    /// The softmax along an axis, or its logarithm.
    fn softmax(&mut self, op: &DimOpIr, is_log: bool) -> Result<()> {
        let a = self.tensor(op.input.id)?;
        let axis = self.axis(&op.input, op.axis).ok_or_else(|| Unsupported::new("a softmax over rows"))?;
        let spread = |graph: &mut Graph, a| if axis.outer * axis.inner == 1 { a } else { graph.repeat(a, axis) };
        // The largest entry only keeps exp in range: the result does not depend on it, so nor does a gradient.
        let largest = self.largest(Reduce::MaxConstant, a, axis);
        let largest = spread(&mut self.graph, largest);
        let shifted = self.graph.zip(Binary::Sub, a, largest);
        let powers = self.graph.map(Unary::Exp, shifted);
        let sum = self.graph.reduce(Reduce::Sum, powers, axis);
        let sum = if is_log { self.graph.map(Unary::Log, sum) } else { sum };
        let sum = spread(&mut self.graph, sum);
        let node =
            if is_log { self.graph.zip(Binary::Sub, shifted, sum) } else { self.graph.zip(Binary::Div, powers, sum) };
        self.set(&op.out, node)
    }
}
