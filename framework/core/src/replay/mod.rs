//! Running a recorded graph on the host's own tensors.
//!
//! A cell or clipper from a loaded library is a [`RecordedGraph`] graph. Each operation is handed to Burn's dispatch backend,
//! the same function that a direct call ends in, so that values and gradients are those of direct execution, on every
//! device. A graph comes from outside: [`Program::new`] checks it, and runs it once, before anything relies on it.

#[macro_use]
mod call;
mod base;
mod check;
mod float;
mod int_bool;
mod probe;

pub use self::probe::probe;

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Mutex, PoisonError},
};

use burn::{
    Tensor,
    backend::{
        Dispatch, DispatchDevice, DispatchTensor,
        ir::{IrVisitorMut, OperationIr, TensorId, TensorIr, TensorStatus},
        ops::{BoolTensorOps, FloatTensorOps, IntTensorOps},
    },
    tensor::{BoolDType, DType, Device, IntDType, TensorData},
};
use hatchery_plugin::{
    Declaration, Name, NamedShape, PluginError,
    capture::{CALL, RecordedGraph},
};

/// A graph that was checked and can be run.
#[derive(Debug)]
pub struct Program {
    operations: Vec<OperationIr>,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    slots: usize,
    constants: Vec<(usize, TensorData)>,
    /// The constants on the device on which the program was run last.
    placed: Mutex<Option<(DispatchDevice, Vec<DispatchTensor>)>>,
}

impl Program {
    /// Checks a graph against what it must take and give, matrices of these names and shapes in this order, and runs it
    /// once with made-up numbers.
    ///
    /// # Errors
    /// What does not fit, or which operation cannot be replayed.
    pub fn new(
        captured: &RecordedGraph,
        arguments: &[(Name, [usize; 2])],
        results: &[(Name, [usize; 2])],
        dtype: DType,
    ) -> Result<Self, PluginError> {
        Self::around(captured, (arguments, results), dtype, None)
    }

    /// Checks the graph of a wrapper, around a cell of which input width, declaration and number of rows are given; without
    /// one, a graph that calls no cell.
    ///
    /// # Errors
    /// Those of [`Program::new`].
    pub fn around(
        captured: &RecordedGraph,
        (arguments, results): (&[NamedShape], &[NamedShape]),
        dtype: DType,
        cell: Option<((usize, &Declaration), usize)>,
    ) -> Result<Self, PluginError> {
        check::graph(captured, arguments, results, dtype)?;
        check::calls(captured, dtype, cell)?;
        let mut renumber = Renumber::default();
        let inputs = captured.inputs.iter().map(|(_, id)| renumber.slot(*id)).collect();
        let constants = captured.constants.iter().map(|(id, data)| (renumber.slot(*id), data.clone())).collect();
        let mut operations: Vec<_> =
            captured.graph.operations.iter().filter(|operation| computes(operation)).cloned().collect();
        operations.iter_mut().for_each(|operation| operation.visit_mut(&mut renumber));
        let outputs: Vec<_> = captured.outputs.iter().map(|(_, id)| renumber.slot(*id)).collect();
        mark_last_uses(&mut operations, &outputs);
        let program =
            Self { operations, inputs, outputs, slots: renumber.slots.len(), constants, placed: Mutex::new(None) };
        program.try_out(arguments, dtype)?;
        Ok(program)
    }

    /// Runs the program.
    ///
    /// # Panics
    /// When an argument has another shape than it was checked for.
    pub fn run(&self, arguments: Vec<Tensor<2>>) -> Vec<Tensor<2>> {
        self.run_around(arguments, &mut |_| panic!("the graph of no wrapper calls a cell"))
    }

    /// Runs the program of a wrapper. `cell` makes a step of the cell within: from its input and state to its output and
    /// state.
    ///
    /// # Panics
    /// When an argument has another shape than it was checked for.
    pub fn run_around(
        &self,
        arguments: Vec<Tensor<2>>,
        cell: &mut dyn FnMut(Vec<Tensor<2>>) -> Vec<Tensor<2>>,
    ) -> Vec<Tensor<2>> {
        let tracked = arguments.iter().any(Tensor::is_autodiff);
        let mut machine = self.machine(arguments);
        for operation in &self.operations {
            let done = execute(operation, &mut machine, cell);
            assert!(done.is_some(), "`{}` was covered when the graph was checked", name(operation));
        }
        let results = self.outputs.iter().map(|slot| {
            let tensor = machine.slots[*slot].clone().expect("a checked graph computes its outputs");
            let tensor = Tensor::from_dispatch(tensor);
            // A result that depends on no argument is a constant to autodiff, but one of its own.
            if tracked && !tensor.is_autodiff() { tensor.autodiff() } else { tensor }
        });
        results.collect()
    }

    /// The first operation of a run whose result is not finite, or else the first whose slope is infinite at its argument, in
    /// words: ``the operation `Sqrt` of 0``. None if there is neither.
    pub fn blame(&self, arguments: Vec<Tensor<2>>) -> Option<String> {
        const STEEP: [&str; 5] = ["Sqrt", "Log", "Recip", "PowfScalar", "Powf"];
        let mut machine = self.machine(arguments);
        let mut steep = None;
        for operation in &self.operations {
            let name = name(operation);
            let of_zero = || {
                let read = operation.inputs().next()?;
                values(machine.slots[slot(read)].as_ref()?, read)?.contains(&0.0).then_some(())
            };
            if steep.is_none() && STEEP.contains(&&*name) && of_zero().is_some() {
                steep = Some(format!("the operation `{name}` of 0 has no finite slope"));
            }
            execute(operation, &mut machine, &mut |_| Vec::new())?;
            let made = operation.outputs().find_map(|out| values(machine.slots[slot(out)].as_ref()?, out));
            if made.is_some_and(|made| made.iter().any(|value| !value.is_finite())) {
                return Some(format!("the operation `{name}` is the first whose result is not"));
            }
        }
        steep
    }

    fn machine(&self, arguments: Vec<Tensor<2>>) -> Machine {
        let device = match arguments.first() {
            Some(argument) => argument.device().inner(),
            None => burn::tensor::Device::default(),
        };
        let mut machine = Machine::on(device.as_dispatch().clone(), self.slots);
        for (slot, tensor) in self.place(&machine) {
            machine.slots[slot] = Some(tensor);
        }
        for (slot, argument) in self.inputs.iter().zip(arguments) {
            machine.slots[*slot] = Some(argument.into_dispatch());
        }
        machine
    }

    fn place(&self, machine: &Machine) -> Vec<(usize, DispatchTensor)> {
        if self.constants.is_empty() {
            return Vec::new();
        }
        let mut placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        let there = placed.as_ref().filter(|(device, _)| *device == machine.device);
        let tensors = match there {
            Some((_, tensors)) => tensors.clone(),
            None => {
                let tensors: Vec<_> = self.constants.iter().map(|(_, data)| machine.constant(data.clone())).collect();
                *placed = Some((machine.device.clone(), tensors.clone()));
                tensors
            }
        };
        self.constants.iter().map(|(slot, _)| *slot).zip(tensors).collect()
    }

    /// Runs the graph with made-up numbers and compares what comes out of each operation with what the graph declares.
    fn try_out(&self, arguments: &[(Name, [usize; 2])], dtype: DType) -> Result<(), PluginError> {
        let device = Device::default();
        let tensors = arguments.iter().map(|(_, shape)| Tensor::full(*shape, 0.5, (&device, dtype))).collect();
        let mut machine = self.machine(tensors);
        for (index, operation) in self.operations.iter().enumerate() {
            let label = format!("operation {index}, `{}`,", name(operation));
            // The machine is thrown away after a panic.
            let done = hatchery_plugin::capture::catch_panic(AssertUnwindSafe(|| {
                execute(operation, &mut machine, &mut |_| made_up(operation, &device, dtype))
            }))
            .map_err(|reason| PluginError::new(format!("{label} does not fit its arguments: {reason}")))?;
            if done.is_none() {
                return Err(refused(operation));
            }
            for out in operation.outputs() {
                check::made(&label, out, machine.slots[slot(out)].as_ref())?;
            }
        }
        Ok(())
    }
}

/// What a tensor of floating point holds; none of other tensors, or of more than four dimensions.
fn values(tensor: &DispatchTensor, ir: &TensorIr) -> Option<Vec<f64>> {
    if !ir.dtype.is_float() {
        return None;
    }
    let tensor = tensor.clone();
    let data = match ir.shape.num_dims() {
        1 => Tensor::<1>::from_dispatch(tensor).into_data(),
        2 => Tensor::<2>::from_dispatch(tensor).into_data(),
        3 => Tensor::<3>::from_dispatch(tensor).into_data(),
        4 => Tensor::<4>::from_dispatch(tensor).into_data(),
        _ => return None,
    };
    Some(data.iter::<f64>().collect())
}

/// The tensors of a run.
pub(crate) struct Machine {
    slots: Vec<Option<DispatchTensor>>,
    device: DispatchDevice,
    int: IntDType,
    bool: BoolDType,
}

impl Machine {
    fn on(device: DispatchDevice, slots: usize) -> Self {
        let settings = burn::backend::get_device_settings::<Dispatch>(&device);
        Self { slots: vec![None; slots], device, int: settings.int_dtype, bool: settings.bool_dtype }
    }

    /// A tensor that an operation reads. The last one to do so takes it, so that Burn may work in place.
    fn get(&mut self, tensor: &TensorIr) -> DispatchTensor {
        let slot = &mut self.slots[slot(tensor)];
        let found = if tensor.status == TensorStatus::ReadWrite { slot.take() } else { slot.clone() };
        found.expect("a checked graph computes a tensor before it reads it")
    }

    fn put(&mut self, tensor: &TensorIr, value: DispatchTensor) {
        self.slots[slot(tensor)] = Some(value);
    }

    fn constant(&self, data: TensorData) -> DispatchTensor {
        let dtype = data.dtype();
        if dtype.is_float() {
            Dispatch::float_from_data(data, &self.device)
        } else if dtype.is_bool() {
            Dispatch::bool_from_data(data.convert_dtype(self.bool.into()), &self.device)
        } else {
            Dispatch::int_from_data(data.convert_dtype(self.int.into()), &self.device)
        }
    }
}

/// Runs one operation. None when it is not covered.
fn execute(
    operation: &OperationIr,
    machine: &mut Machine,
    cell: &mut dyn FnMut(Vec<Tensor<2>>) -> Vec<Tensor<2>>,
) -> Option<()> {
    match operation {
        OperationIr::BaseFloat(operation) => base::float(operation, machine),
        OperationIr::BaseInt(operation) => base::int(operation, machine),
        OperationIr::BaseBool(operation) => base::bool(operation, machine),
        OperationIr::NumericFloat(_, operation) => float::numeric(operation, machine),
        OperationIr::Float(_, operation) => float::float(operation, machine),
        OperationIr::Activation(operation) => float::activation(operation, machine),
        OperationIr::Module(operation) => float::module(operation, machine),
        OperationIr::NumericInt(_, operation) => int_bool::numeric(operation, machine),
        OperationIr::Int(operation) => int_bool::int(operation, machine),
        OperationIr::Bool(operation) => int_bool::bool(operation, machine),
        OperationIr::Init(_) | OperationIr::Drop(_) => Some(()),
        OperationIr::Custom(call) if call.id == CALL => {
            let given = call.inputs.iter().map(|tensor| Tensor::from_dispatch(machine.get(tensor))).collect();
            let made = cell(given);
            call.outputs.iter().zip(made).for_each(|(out, tensor)| machine.put(out, tensor.into_dispatch()));
            Some(())
        }
        OperationIr::Custom(_) | OperationIr::Distributed(_) => None,
    }
}

/// What a call of the cell within gives when a graph is tried out.
fn made_up(operation: &OperationIr, device: &Device, dtype: DType) -> Vec<Tensor<2>> {
    let tensor = |out: &TensorIr| Tensor::full([out.shape[0], out.shape[1]], 0.5, (device, dtype));
    operation.outputs().map(tensor).collect()
}

/// Whether an operation does something: constants are there already, and tensors are dropped after their last use.
fn computes(operation: &OperationIr) -> bool {
    !matches!(operation, OperationIr::Init(_) | OperationIr::Drop(_))
}

/// Marks the reading of a tensor after which it is not needed. The marks of the recording are not trusted.
fn mark_last_uses(operations: &mut [OperationIr], outputs: &[usize]) {
    struct Mark<'a> {
        needed: &'a mut Vec<usize>,
        here: HashMap<u64, usize>,
        written: Vec<u64>,
    }
    impl IrVisitorMut for Mark<'_> {
        fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
            let id = tensor.id.value();
            let once = self.here.get(&id) == Some(&1) && !self.written.contains(&id);
            tensor.status = if once && !self.needed.contains(&(id as usize)) {
                TensorStatus::ReadWrite
            } else {
                TensorStatus::ReadOnly
            };
        }
    }
    let mut needed = outputs.to_vec();
    for operation in operations.iter_mut().rev() {
        let mut here = HashMap::new();
        operation.inputs().for_each(|tensor| *here.entry(tensor.id.value()).or_insert(0) += 1);
        let written = operation.outputs().map(|tensor| tensor.id.value()).collect();
        let read: Vec<_> = here.keys().map(|id| *id as usize).collect();
        operation.visit_mut(&mut Mark { needed: &mut needed, here, written });
        for id in read {
            if !needed.contains(&id) {
                needed.push(id);
            }
        }
    }
}

/// Gives tensors the numbers of slots.
#[derive(Default)]
struct Renumber {
    slots: HashMap<u64, usize>,
}

impl Renumber {
    fn slot(&mut self, id: TensorId) -> usize {
        let next = self.slots.len();
        *self.slots.entry(id.value()).or_insert(next)
    }
}

impl IrVisitorMut for Renumber {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        tensor.id = TensorId::new(self.slot(tensor.id) as u64);
    }
}

fn slot(tensor: &TensorIr) -> usize {
    tensor.id.value() as usize
}

/// Why an operation is not covered, and what to do.
fn refused(operation: &OperationIr) -> PluginError {
    let name = name(operation);
    if name == "Random" {
        return PluginError::new("it draws random numbers: a cell is a function of its arguments")
            .hint("declare what it needs in `noise`, `normal(\"z\", width)` or `mask(\"keep\", width, 0.9)`, and find it in `params`");
    }
    PluginError::new(format!("it uses the operation `{name}`, which is not covered"))
        .hint("write it with other operations: \"PyTorch to Hatchery\" in the book lists those that are covered")
}

/// What an operation is called: `Matmul`.
fn name(operation: &OperationIr) -> String {
    let text = format!("{operation:?}");
    let words = text.split(['(', ',', ' ', '{']).filter(|word| !word.is_empty());
    let inner = words.clone().skip(1).find(|word| !["F64", "F32", "I64", "I32"].contains(word));
    inner.or_else(|| words.clone().next()).unwrap_or_default().to_owned()
}
