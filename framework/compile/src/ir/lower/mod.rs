//! The pass `lower`: recorded Burn operations become the compiler's graph.
//!
//! A cell is recorded with a batch size that no declared width shares, so that a matrix with that many rows is known to
//! have one row for each sequence.

mod axes;
mod operations;
pub(crate) mod record;

use std::collections::{BTreeMap, HashMap};

use hatchery_plugin::{
    burn::{
        backend::ir::{
            BinaryOpIr, ModuleOperationIr, OperationIr, ScalarIr, ScalarOpIr, TensorId, TensorIr, UnaryOpIr,
        },
        tensor::TensorData,
    },
    capture::RecordedGraph,
};

use crate::{
    error::{Result, Unsupported},
    id::NodeId,
    ir::{
        graph::{Constant, Graph, Rows, Shape},
        op::{Binary, Op, Unary},
    },
};

/// Adds a recorded function to a graph. `inputs` are the nodes of its arguments, and `batch` is the number of rows that
/// stands for the batch. Returns the nodes of its results.
///
/// # Errors
/// When it uses an operation that is not compiled.
pub(crate) fn lower(
    graph: &mut Graph,
    recorded: &RecordedGraph,
    inputs: &[NodeId],
    batch: Option<usize>,
) -> Result<Vec<NodeId>> {
    let known = recorded.inputs.iter().map(|(_, id)| *id).zip(inputs.iter().copied()).collect();
    let constants = &recorded.constants;
    let mut lowering = Lowering { graph: std::mem::take(graph), known, constants, batch };
    for operation in &recorded.graph.operations {
        lowering.operation(operation)?;
    }
    let mut results = Vec::with_capacity(recorded.outputs.len());
    for (_, id) in &recorded.outputs {
        let node = lowering.tensor(*id)?;
        results.push(lowering.graph.in_memory(node));
    }
    *graph = lowering.graph;
    Ok(results)
}

struct Lowering<'a> {
    graph: Graph,
    known: HashMap<TensorId, NodeId>,
    constants: &'a BTreeMap<TensorId, TensorData>,
    batch: Option<usize>,
}

impl Lowering<'_> {
    /// The shape of a tensor as a matrix: of the batch a row for each sequence, of any other tensor its first axis.
    fn shape(&self, shape: &[usize]) -> Shape {
        match (self.inner(shape), shape) {
            (Some(inner), _) => Shape::batch(inner.iter().product()),
            (None, [columns]) => Shape::fixed(1, *columns),
            (None, [rows, columns @ ..]) => Shape::fixed(*rows, columns.iter().product()),
            (None, []) => Shape::SCALAR,
        }
    }

    fn tensor(&mut self, id: TensorId) -> Result<NodeId> {
        if let Some(&known) = self.known.get(&id) {
            return Ok(known);
        }
        let Some(data) = self.constants.get(&id) else {
            return Err(Unsupported::new(format!("a tensor that nothing computes ({id})")));
        };
        let shape = self.shape(data.shape());
        let values: Vec<f64> = data.iter::<f64>().collect();
        let node = match (values.first(), shape.rows) {
            (Some(&first), _) if values.iter().all(|value| value.to_bits() == first.to_bits()) => {
                self.graph.fill(first, shape)
            }
            (_, Rows::Static(rows)) => {
                self.graph.constants.push(Constant { rows, columns: shape.columns, values });
                self.graph.add(Op::Constant(self.graph.constants.len() - 1), shape)
            }
            _ => return Err(Unsupported::new("a constant with a row for each sequence of the batch")),
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
            OperationIr::Module(ModuleOperationIr::LayerNorm(op)) => self.layer_norm(op),
            OperationIr::Init(_) | OperationIr::Drop(_) => Ok(()),
            other => Err(unknown(other)),
        }
    }

    fn set(&mut self, out: &TensorIr, node: NodeId) -> Result<()> {
        // An operand that is repeated in both directions, or an expansion, is known by the shape of its result.
        let recorded = self.shape(&out.shape);
        let made = self.graph.shape(node);
        if made != recorded {
            return Err(Unsupported::new(format!("a result of shape {made} where {:?} was recorded", out.shape)));
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
        let [a, b] = self.operands(of)?;
        let node = self.graph.zip(function, a, b);
        self.set(&of.out, node)
    }

    fn flipped(&mut self, function: Binary, of: &BinaryOpIr) -> Result<()> {
        let [a, b] = self.operands(of)?;
        let node = self.graph.zip(function, b, a);
        self.set(&of.out, node)
    }

    /// Both operands, repeated along the axes that they lack.
    fn operands(&mut self, of: &BinaryOpIr) -> Result<[NodeId; 2]> {
        Ok([self.broadcast(&of.lhs, &of.out.shape)?, self.broadcast(&of.rhs, &of.out.shape)?])
    }

    /// The operand and the scalar, as nodes.
    fn with_scalar(&mut self, of: &ScalarOpIr) -> Result<(NodeId, NodeId)> {
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

    fn not(&mut self, a: NodeId) -> NodeId {
        let one = self.graph.scalar(1.0);
        self.graph.zip(Binary::Sub, one, a)
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
fn unknown(operation: &impl std::fmt::Debug) -> Unsupported {
    let text = format!("{operation:?}");
    let words = text.split(['(', '{', ',', ' ']).filter(|word| !word.is_empty());
    let kinds =
        ["BaseFloat", "BaseInt", "BaseBool", "NumericFloat", "NumericInt", "Float", "Int", "Bool", "Activation"];
    let types = ["F64", "F32", "I64", "I32", "Module"];
    let name = words.into_iter().find(|word| !kinds.contains(word) && !types.contains(word)).unwrap_or("operation");
    Unsupported::new(format!("operation `{name}`"))
}
