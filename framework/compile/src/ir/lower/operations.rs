//! The lowering of each of Burn's operations.

use hatchery_plugin::burn::backend::ir::{
    ActivationOperationIr, BaseOperationIr, BoolOperationIr, CatOpIr, FloatOperationIr, NumericOperationIr,
    ReduceDimOpIr, ScalarOpIr, SliceOpIr, TensorId, TensorIr,
};

use super::{Lowering, number, unknown};
use crate::{
    error::{Result, Unsupported},
    id::NodeId,
    ir::{
        graph::{Rows, Shape},
        op::{Binary, Op, Unary},
    },
};

impl Lowering<'_> {
    pub(super) fn base(&mut self, operation: &BaseOperationIr) -> Result<()> {
        match operation {
            BaseOperationIr::Reshape(op) => self.reshape(op.input.id, &op.out),
            BaseOperationIr::Expand(op) => self.expand(op.input.id, &op.out),
            BaseOperationIr::RepeatDim(op) if op.tensor.shape[op.dim] == 1 || op.times == 1 => {
                self.expand(op.tensor.id, &op.out)
            }
            BaseOperationIr::SwapDims(op) if op.dim1 == op.dim2 => self.alias(op.input.id, &op.out),
            BaseOperationIr::SwapDims(op) => self.transpose(op.input.id, &op.out),
            BaseOperationIr::Permute(op) if op.axes == [0, 1] => self.alias(op.input.id, &op.out),
            BaseOperationIr::Permute(op) => self.transpose(op.input.id, &op.out),
            BaseOperationIr::Slice(op) => self.slice(op),
            BaseOperationIr::Cat(op) => self.concat(op),
            BaseOperationIr::MaskWhere(op) => {
                let (no, mask, yes) = (self.tensor(op.tensor.id)?, self.tensor(op.mask.id)?, self.tensor(op.value.id)?);
                let node = self.graph.select(mask, yes, no);
                self.set(&op.out, node)
            }
            BaseOperationIr::MaskFill(op) => {
                let (no, mask) = (self.tensor(op.tensor.id)?, self.tensor(op.mask.id)?);
                let yes = self.graph.scalar(number(op.value));
                let node = self.graph.select(mask, yes, no);
                self.set(&op.out, node)
            }
            BaseOperationIr::Equal(op) => self.zip(Binary::Equal, op),
            BaseOperationIr::EqualElem(op) => self.scalar(Binary::Equal, op),
            BaseOperationIr::NotEqual(op) => {
                let (a, b) = (self.tensor(op.lhs.id)?, self.tensor(op.rhs.id)?);
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

    fn reshape(&mut self, input: TensorId, out: &TensorIr) -> Result<()> {
        let a = self.tensor(input)?;
        let (from, to) = (self.graph.shape(a), self.shape(&out.shape)?);
        let node = match (self.graph.fill_of(a), from.rows, to.rows) {
            _ if from == to => a,
            (Some(value), ..) => self.graph.fill(value, to),
            (None, Rows::Static(_), Rows::Static(_)) => self.graph.add(Op::Reshape(a), to),
            _ => return Err(Unsupported::new(format!("reshape of {from} to {to}"))),
        };
        self.set(out, node)
    }

    /// Broadcasts rows and columns, as a sum with zeros: element-wise operations broadcast at no cost.
    fn expand(&mut self, input: TensorId, out: &TensorIr) -> Result<()> {
        let a = self.tensor(input)?;
        let shape = self.shape(&out.shape)?;
        let node = match self.graph.fill_of(a) {
            _ if self.graph.shape(a) == shape => a,
            Some(value) => self.graph.fill(value, shape),
            None => {
                let zeros = self.graph.fill(0.0, shape);
                self.graph.add(Op::Zip(Binary::Add, zeros, a), shape)
            }
        };
        self.set(out, node)
    }

    fn slice(&mut self, op: &SliceOpIr) -> Result<()> {
        let a = self.tensor(op.tensor.id)?;
        let mut starts = [0; 2];
        let rank = op.tensor.shape.num_dims();
        for (axis, range) in op.ranges.iter().enumerate() {
            if range.step != 1 || range.start < 0 {
                return Err(Unsupported::new("a slice with steps or counted from the end"));
            }
            starts[2 - rank + axis] = range.start as usize;
        }
        let shape = self.shape(&op.out.shape)?;
        if self.graph.is_batch(a) && (shape.rows != Rows::Batch || starts[0] != 0) {
            return Err(Unsupported::new("a slice of some sequences of the batch"));
        }
        let node = self.graph.slice(a, (starts[0], starts[1]), shape);
        self.set(&op.out, node)
    }

    fn concat(&mut self, op: &CatOpIr) -> Result<()> {
        let parts: Vec<NodeId> = op.tensors.iter().map(|part| self.tensor(part.id)).collect::<Result<_>>()?;
        let axis = op.dim + 2 - op.out.shape.num_dims();
        let node = match axis {
            1 => self.graph.concat_columns(parts),
            _ if parts.iter().any(|&part| self.graph.is_batch(part)) => {
                return Err(Unsupported::new("cat of batches one below the other"));
            }
            _ => self.graph.concat_rows(parts),
        };
        self.set(&op.out, node)
    }

    fn filled(&mut self, value: f64, out: &TensorIr) -> Result<()> {
        let shape = self.shape(&out.shape)?;
        let node = self.graph.fill(value, shape);
        self.set(out, node)
    }

    fn transpose(&mut self, input: TensorId, out: &TensorIr) -> Result<()> {
        let a = self.tensor(input)?;
        if self.graph.is_batch(a) {
            return Err(Unsupported::new("transpose of a batch"));
        }
        let node = self.graph.transpose(a);
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
                let node = self.sum_along(op)?;
                self.set(&op.out, node)
            }
            NumericOperationIr::MeanDim(op) => {
                let sum = self.sum_along(op)?;
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

    fn sum_along(&mut self, op: &ReduceDimOpIr) -> Result<NodeId> {
        if op.axis + 1 == op.input.shape.num_dims() {
            let a = self.tensor(op.input.id)?;
            return Ok(self.graph.sum_columns(a));
        }
        let a = self.of_no_batch(op.input.id, "sum over the rows of the batch")?;
        Ok(self.graph.sum_rows(a))
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
            FloatOperationIr::Matmul(op) => {
                let (a, b) = (self.tensor(op.lhs.id)?, self.tensor(op.rhs.id)?);
                if self.graph.is_batch(b) {
                    return Err(Unsupported::new("matmul of two values that depend on the batch"));
                }
                let node = self.graph.product(a, b);
                self.set(&op.out, node)
            }
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
            ActivationOperationIr::Softmax(op) if op.axis == 1 => {
                let a = self.tensor(op.input.id)?;
                let rows = self.graph.shape(a).rows;
                // The largest entry only keeps exp in range: the result does not depend on it, so nor does a gradient.
                let largest = self.graph.add(Op::MaxColumns(a), Shape { rows, columns: 1 });
                let shifted = self.graph.zip(Binary::Sub, a, largest);
                let powers = self.graph.map(Unary::Exp, shifted);
                let sum = self.graph.sum_columns(powers);
                let node = self.graph.zip(Binary::Div, powers, sum);
                self.set(&op.out, node)
            }
            other => Err(unknown(other)),
        }
    }
}
