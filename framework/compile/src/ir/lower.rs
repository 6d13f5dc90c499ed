//! Recorded Burn operations become the compiler's graph.
//!
//! The capture is made with a batch size that no declared width shares, so that a matrix with that many rows is known to
//! hold one row for each sequence.

use std::collections::{BTreeMap, HashMap};

use hatchery_plugin::burn::{
    backend::ir::{
        ActivationOperationIr, BaseOperationIr, BinaryOpIr, BoolOperationIr, FloatOperationIr, GraphIr,
        NumericOperationIr, OperationIr, ReduceDimOpIr, ScalarIr, ScalarOpIr, TensorId, TensorIr, UnaryOpIr,
    },
    tensor::{Shape, TensorData},
};

use crate::{
    error::{Refusal, Result},
    ir::graph::{Binary, Graph, Id, Leaf, Op, Rows, Unary},
};

/// Lowers a captured graph. `leaves` says what its inputs are, `batch` which number of rows stands for the batch.
/// Returns the graph and the nodes of its outputs, in their order.
pub(crate) fn lower(
    captured: &GraphIr,
    constants: &BTreeMap<TensorId, TensorData>,
    leaves: &[(Leaf, [usize; 2])],
    outputs: &[TensorId],
    batch: Option<usize>,
) -> Result<(Graph, Vec<Id>)> {
    let mut lowering = Lowering { graph: Graph::default(), known: HashMap::new(), constants, batch };
    for (&input, &(leaf, [rows, columns])) in captured.inputs.iter().zip(leaves) {
        let rows = lowering.rows(rows);
        let id = lowering.graph.leaf(leaf, rows, columns);
        lowering.known.insert(input, id);
    }
    for operation in &captured.operations {
        lowering.operation(operation)?;
    }
    let outputs = outputs.iter().map(|id| lowering.tensor(*id)).collect::<Result<_>>()?;
    Ok((lowering.graph, outputs))
}

struct Lowering<'a> {
    graph: Graph,
    known: HashMap<TensorId, Id>,
    constants: &'a BTreeMap<TensorId, TensorData>,
    batch: Option<usize>,
}

impl Lowering<'_> {
    fn rows(&self, rows: usize) -> Rows {
        if self.batch == Some(rows) { Rows::Batch } else { Rows::Fixed(rows) }
    }

    /// Rows and columns; a vector is one row.
    fn shape(&self, shape: &Shape) -> Result<(Rows, usize)> {
        match shape[..] {
            [columns] => Ok((Rows::Fixed(1), columns)),
            [rows, columns] => Ok((self.rows(rows), columns)),
            _ => Err(Refusal::new(format!("a tensor of shape {shape:?}: only matrices are compiled"))),
        }
    }

    fn tensor(&mut self, id: TensorId) -> Result<Id> {
        if let Some(&known) = self.known.get(&id) {
            return Ok(known);
        }
        let Some(data) = self.constants.get(&id) else {
            return Err(Refusal::new(format!("a tensor that nothing computes ({id})")));
        };
        let (rows, columns) = self.shape(data.shape())?;
        let values: Vec<f64> = data.iter::<f64>().collect();
        let node = match (values.first(), rows) {
            (Some(&first), _) if values.iter().all(|value| value.to_bits() == first.to_bits()) => {
                self.graph.fill(first, rows, columns)
            }
            (_, Rows::Fixed(fixed)) => {
                self.graph.constants.push(([fixed, columns], values));
                let number = self.graph.constants.len() - 1;
                self.graph.add(Op::Constant(number), rows, columns)
            }
            _ => return Err(Refusal::new("a constant with a row for each sequence of the batch")),
        };
        self.known.insert(id, node);
        Ok(node)
    }

    fn operation(&mut self, operation: &OperationIr) -> Result<()> {
        match operation {
            OperationIr::BaseFloat(base) | OperationIr::BaseBool(base) => self.base(base),
            OperationIr::NumericFloat(_, numeric) => self.numeric(numeric),
            OperationIr::Float(_, float) => self.float(float),
            OperationIr::Bool(bool) => self.bool(bool),
            OperationIr::Activation(activation) => self.activation(activation),
            OperationIr::Init(_) | OperationIr::Drop(_) => Ok(()),
            other => Err(unknown(other)),
        }
    }

    fn set(&mut self, out: &TensorIr, node: Id) -> Result<()> {
        // An operand that is repeated in both directions, or an expansion, is known by the shape of its result.
        let (rows, columns) = self.shape(&out.shape)?;
        let made = (self.graph[node].rows, self.graph[node].columns);
        if made != (rows, columns) {
            return Err(Refusal::new(format!("a result of shape {made:?} where {:?} was recorded", out.shape)));
        }
        self.known.insert(out.id, node);
        Ok(())
    }

    fn map(&mut self, function: Unary, of: &UnaryOpIr) -> Result<()> {
        let a = self.tensor(of.input.id)?;
        let node = self.graph.map(function, a);
        self.set(&of.out, node)
    }

    fn zip(&mut self, function: Binary, of: &BinaryOpIr) -> Result<()> {
        let (a, b) = (self.tensor(of.lhs.id)?, self.tensor(of.rhs.id)?);
        let node = self.graph.zip(function, a, b);
        self.set(&of.out, node)
    }

    fn flipped(&mut self, function: Binary, of: &BinaryOpIr) -> Result<()> {
        let (a, b) = (self.tensor(of.lhs.id)?, self.tensor(of.rhs.id)?);
        let node = self.graph.zip(function, b, a);
        self.set(&of.out, node)
    }

    /// The operand and the scalar, as nodes.
    fn with_scalar(&mut self, of: &ScalarOpIr) -> Result<(Id, Id)> {
        let a = self.tensor(of.lhs.id)?;
        Ok((a, self.graph.scalar(number(of.rhs))))
    }

    fn scalar(&mut self, function: Binary, of: &ScalarOpIr) -> Result<()> {
        let (a, b) = self.with_scalar(of)?;
        let node = self.graph.zip(function, a, b);
        self.set(&of.out, node)
    }

    fn scalar_flipped(&mut self, function: Binary, of: &ScalarOpIr) -> Result<()> {
        let (a, b) = self.with_scalar(of)?;
        let node = self.graph.zip(function, b, a);
        self.set(&of.out, node)
    }

    fn not(&mut self, a: Id) -> Id {
        let one = self.graph.scalar(1.0);
        self.graph.zip(Binary::Sub, one, a)
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each operation")]
    fn base(&mut self, operation: &BaseOperationIr) -> Result<()> {
        match operation {
            BaseOperationIr::Reshape(op) | BaseOperationIr::Expand(op) => {
                let a = self.tensor(op.input.id)?;
                let (rows, columns) = self.shape(&op.out.shape)?;
                let (from_rows, from_columns) = (self.graph[a].rows, self.graph[a].columns);
                let node = if (rows, columns) == (from_rows, from_columns) {
                    a
                } else if let Some(value) = self.graph.fill_of(a) {
                    self.graph.fill(value, rows, columns)
                } else if let (BaseOperationIr::Reshape(_), Rows::Fixed(_), Rows::Fixed(_)) =
                    (operation, rows, from_rows)
                {
                    self.graph.add(Op::Reshape(a), rows, columns)
                } else if matches!(operation, BaseOperationIr::Expand(_)) {
                    // Repeating is adding to zeros; the programs repeat rows and columns at no cost.
                    let zeros = self.graph.fill(0.0, rows, columns);
                    self.graph.add(Op::Zip(Binary::Add, zeros, a), rows, columns)
                } else {
                    return Err(Refusal::new(format!("reshape of {:?} to {:?}", op.input.shape, op.out.shape)));
                };
                self.set(&op.out, node)
            }
            BaseOperationIr::SwapDims(op) => {
                let a = self.tensor(op.input.id)?;
                if op.dim1 == op.dim2 {
                    return self.set(&op.out, a);
                }
                self.transpose(a, &op.out)
            }
            BaseOperationIr::Permute(op) => {
                let a = self.tensor(op.input.id)?;
                if op.axes == [0, 1] {
                    return self.set(&op.out, a);
                }
                self.transpose(a, &op.out)
            }
            BaseOperationIr::Slice(op) => {
                let a = self.tensor(op.tensor.id)?;
                let mut starts = [0; 2];
                let rank = op.tensor.shape.num_dims();
                for (axis, range) in op.ranges.iter().enumerate() {
                    if range.step != 1 || range.start < 0 {
                        return Err(Refusal::new("a slice with steps or counted from the end"));
                    }
                    starts[2 - rank + axis] = range.start as usize;
                }
                let (rows, columns) = self.shape(&op.out.shape)?;
                let cut_batch = self.graph.is_batch(a) && (rows != Rows::Batch || starts[0] != 0);
                if cut_batch {
                    return Err(Refusal::new("a slice of some sequences of the batch"));
                }
                let node = self.graph.slice(a, (starts[0], rows), (starts[1], columns));
                self.set(&op.out, node)
            }
            BaseOperationIr::Cat(op) => {
                let parts: Vec<Id> = op.tensors.iter().map(|part| self.tensor(part.id)).collect::<Result<_>>()?;
                let axis = op.dim + 2 - op.out.shape.num_dims();
                let node = match axis {
                    1 => self.graph.columns(parts),
                    _ if parts.iter().any(|&part| self.graph.is_batch(part)) => {
                        return Err(Refusal::new("cat of batches one below the other"));
                    }
                    _ => self.graph.stack(parts),
                };
                self.set(&op.out, node)
            }
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
            BaseOperationIr::RepeatDim(op) if op.tensor.shape[op.dim] == 1 || op.times == 1 => {
                let a = self.tensor(op.tensor.id)?;
                let (rows, columns) = self.shape(&op.out.shape)?;
                let zeros = self.graph.fill(0.0, rows, columns);
                let node = self.graph.zip(Binary::Add, zeros, a);
                self.set(&op.out, node)
            }
            BaseOperationIr::Cast(op) => {
                let a = self.tensor(op.input.id)?;
                self.set(&op.out, a)
            }
            BaseOperationIr::Zeros(op) => self.filled(0.0, &op.out),
            BaseOperationIr::Ones(op) => self.filled(1.0, &op.out),
            other => Err(unknown(other)),
        }
    }

    fn filled(&mut self, value: f64, out: &TensorIr) -> Result<()> {
        let (rows, columns) = self.shape(&out.shape)?;
        let node = self.graph.fill(value, rows, columns);
        self.set(out, node)
    }

    fn transpose(&mut self, a: Id, out: &TensorIr) -> Result<()> {
        if self.graph.is_batch(a) {
            return Err(Refusal::new("transpose of a batch"));
        }
        let node = self.graph.transpose(a);
        self.set(out, node)
    }

    fn numeric(&mut self, operation: &NumericOperationIr) -> Result<()> {
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
                let a = self.fixed(op.input.id, "sum over the whole batch")?;
                let rows = self.graph.sum_rows(a);
                let node = self.graph.sum_columns(rows);
                self.set(&op.out, node)
            }
            NumericOperationIr::Mean(op) => {
                let a = self.fixed(op.input.id, "mean over the whole batch")?;
                let rows = self.graph.sum_rows(a);
                let sum = self.graph.sum_columns(rows);
                let count = self.graph.scalar(op.input.shape.num_elements() as f64);
                let node = self.graph.zip(Binary::Div, sum, count);
                self.set(&op.out, node)
            }
            NumericOperationIr::SumDim(op) => {
                let node = self.sum(op)?;
                self.set(&op.out, node)
            }
            NumericOperationIr::MeanDim(op) => {
                let sum = self.sum(op)?;
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
    fn at_least(&mut self, bound: f64, a: Id) -> Id {
        let bound = self.graph.scalar(bound);
        self.graph.zip(Binary::Max, bound, a)
    }

    fn at_most(&mut self, bound: f64, a: Id) -> Id {
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
    fn fixed(&mut self, id: TensorId, what: &str) -> Result<Id> {
        let a = self.tensor(id)?;
        if self.graph.is_batch(a) {
            return Err(Refusal::new(format!("{what}: sequences must not influence each other")));
        }
        Ok(a)
    }

    fn sum(&mut self, op: &ReduceDimOpIr) -> Result<Id> {
        if op.axis + 1 == op.input.shape.num_dims() {
            let a = self.tensor(op.input.id)?;
            return Ok(self.graph.sum_columns(a));
        }
        let a = self.fixed(op.input.id, "sum over the rows of the batch")?;
        Ok(self.graph.sum_rows(a))
    }

    fn float(&mut self, operation: &FloatOperationIr) -> Result<()> {
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
                    return Err(Refusal::new("matmul of two values that depend on the batch"));
                }
                let node = self.graph.product(a, b);
                self.set(&op.out, node)
            }
            other => Err(unknown(other)),
        }
    }

    fn bool(&mut self, operation: &BoolOperationIr) -> Result<()> {
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

    fn activation(&mut self, operation: &ActivationOperationIr) -> Result<()> {
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
                let rows = self.graph[a].rows;
                // The largest entry only keeps exp in range: the result does not depend on it, so nor does a gradient.
                let largest = self.graph.add(Op::MaxColumns(a), rows, 1);
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

fn number(scalar: ScalarIr) -> f64 {
    match scalar {
        ScalarIr::Float(value) => value,
        ScalarIr::Int(value) => value as f64,
        ScalarIr::UInt(value) => value as f64,
        ScalarIr::Bool(value) => f64::from(u8::from(value)),
    }
}

/// The name of an operation, from what its debug form begins with: `NumericFloat(F32, CumSum(…` is `CumSum`.
fn unknown(operation: &impl std::fmt::Debug) -> Refusal {
    let text = format!("{operation:?}");
    let words = text.split(['(', '{', ',', ' ']).filter(|word| !word.is_empty());
    let kinds =
        ["BaseFloat", "BaseInt", "BaseBool", "NumericFloat", "NumericInt", "Float", "Int", "Bool", "Activation"];
    let types = ["F64", "F32", "I64", "I32", "Module"];
    let name = words.into_iter().find(|word| !kinds.contains(word) && !types.contains(word)).unwrap_or("operation");
    Refusal::new(format!("operation `{name}`"))
}
