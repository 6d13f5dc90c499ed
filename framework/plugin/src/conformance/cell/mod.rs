//! The checks that every cell must pass.
//!
//! | check | finds |
//! | --- | --- |
//! | declaration | names that repeat, shapes of zero, first values that do not fit, a declaration that changes |
//! | can be recorded | a look at a value, shapes that do not fit, a name that was not declared |
//! | shapes kept | a wrong output width, a state dropped, renamed or out of order |
//! | dtype kept | a constant or a cast of a fixed dtype |
//! | finite for ordinary inputs | a logarithm of what may be negative, a root whose slope is infinite |
//! | derived from parameters alone | hidden memory or random numbers in `derive` |
//! | nothing but the arguments | hidden memory, random numbers, a clock |
//! | causal | a step that depends on later inputs |
//! | finite at first values | a norm without an epsilon, or with it outside the root: where training begins, biases, state and input are zero |
//! | batch rows independent | a mean over the batch, a reshape that mixes rows |
//! | noise used | noise that is declared and has no effect |
//! | double precision used | values that are rounded to single precision in between |
//! | single agrees with double | a difference of large numbers, an epsilon too small for single precision |
//! | everything gets a gradient | a parameter unused or detached, a learned start without effect |
//! | gradients are right | a gradient that is not the derivative of the value |
//! | finite for large inputs | overflow in an exponential, 0/0 in its gradient |
//!
//! All checks run a cell through [`run_cell`], so that the way in which it is run can be replaced in one place.

mod declared;
mod gradients;
mod numeric;
mod pure;

use burn::{
    Tensor,
    tensor::{DType, Device},
};

use super::{
    numbers::{Matrix, SplitMix, read, tensors},
    report::{Check, Report, Verdict},
};
use crate::{Declaration, NoiseSpec, Params, Per, PluginError, Start, State, StateSpec, host::HostCell};

/// The checks, the most likely cause of others first.
const CHECKS: [Check; 16] = [
    needed("declaration", |cell, _| declared::declaration(cell)),
    needed("can be recorded", |cell, _| declared::recorded(cell)),
    needed("shapes kept", |cell, _| declared::shapes(cell)),
    needed("dtype kept", |cell, _| declared::dtype_kept(cell)),
    needed("finite for ordinary inputs", |cell, _| numeric::finite_ordinary(cell)),
    needed("derived from parameters alone", pure::derived),
    needed("nothing but the arguments", pure::nothing_else),
    needed("causal", |cell, _| pure::causal(cell)),
    other("finite at first values", |cell, _| numeric::finite_first(cell)),
    other("batch rows independent", |cell, _| pure::rows_independent(cell)),
    other("noise used", |cell, _| pure::noise_used(cell)),
    other("double precision used", |cell, _| numeric::double_used(cell)),
    other("single agrees with double", |cell, _| numeric::single_agrees(cell)),
    other("everything gets a gradient", |cell, _| gradients::everywhere(cell)),
    other("gradients are right", |cell, _| gradients::right(cell)),
    other("finite for large inputs", |cell, _| numeric::finite_large(cell)),
];

type Body = fn(&dyn HostCell, &dyn HostCell) -> Verdict;

const fn needed(name: &'static str, body: Body) -> Check {
    Check { name, needed: true, body }
}

const fn other(name: &'static str, body: Body) -> Check {
    Check { name, needed: false, body }
}

/// Runs the checks of this folder. `twin` is built from the same keys.
pub(super) fn check(report: &mut Report, cell: &dyn HostCell, twin: &dyn HostCell) {
    report.run_all(&CHECKS, cell, twin);
}

/// Whether a cell keeps its shapes at the sizes of an experiment.
pub(super) fn check_at(report: &mut Report, cell: &dyn HostCell, batch: usize) {
    report.run("shapes kept at the batch of the experiment", || declared::shapes_at(cell, batch));
}

/// The tensors of a [`Point`].
struct Arguments {
    params: Params,
    noise: Params,
    inputs: Vec<Tensor<2>>,
    state: State,
    /// Whether the state is that before the first step.
    begins: bool,
}

/// Runs a cell over time, with the same noise at every step: the output `[batch, outputs]` and the state after each.
/// Where the run begins, the start of a vector that starts at a parameter is added to it, so that gradients reach it.
fn run_cell(
    cell: &dyn HostCell,
    width: usize,
    Arguments { params, noise, inputs, state, begins }: Arguments,
) -> Result<(Vec<Tensor<2>>, Vec<State>), PluginError> {
    let declared = cell.declare(width)?;
    let start = |name: &str| match &declared.state.iter().find(|spec| spec.name == name)?.start {
        Start::Param(start) if begins => params.find(start).cloned(),
        Start::Param(_) | Start::Constant(_) => None,
    };
    let mut state = state.map(|name, vector| start(name).map_or(vector.clone(), |start| vector + start));
    let of_rows = |name: &str| declared.noise_of_rows().any(|spec| spec.name == name);
    let (of_rows, of_update): (Vec<_>, Vec<_>) = noise.into_iter().partition(|(name, _)| of_rows(name));
    let derived = cell.derive(width, params.clone().into_iter().chain(of_update).collect())?;
    let params: Params = derived.into_iter().chain(of_rows).collect();
    let steps = inputs.into_iter().map(|x| {
        let (output, next) = cell.step(&params, x, state.clone())?;
        state = next;
        Ok::<_, PluginError>((output, state.clone()))
    });
    Ok(steps.collect::<Result<Vec<_>, _>>()?.into_iter().unzip())
}

/// The arguments of a run: the cell's parameters, its noise, the inputs over time and the state before the first step.
#[derive(Clone, Debug)]
struct Point {
    params: Vec<Matrix>,
    noise: Vec<Matrix>,
    inputs: Vec<Matrix>,
    state: Vec<Matrix>,
    /// Whether the state is that before the first step, and not one from the middle of a run.
    begins: bool,
}

/// The results of a run: outputs and states after each step.
struct Trace {
    outputs: Vec<Matrix>,
    states: Vec<Vec<Matrix>>,
}

/// The size of a [`Point`].
#[derive(Clone, Copy)]
struct Size {
    batch: usize,
    inputs: usize,
    steps: usize,
}

impl Point {
    /// A point as at the start of training: parameters near their first values, normal inputs, the declared state.
    fn first(cell: &dyn HostCell, size: Size, rng: &mut SplitMix) -> Result<Self, PluginError> {
        let declared = cell.declare(size.inputs)?;
        let params = declared
            .params
            .iter()
            .map(|spec| {
                let first = declared::first_values(spec, rng);
                let scale = if spec.shape[0] == 1 { 0.3 } else { 0.3 / (spec.shape[1] as f64).sqrt() };
                let noise = Matrix::normal("", spec.shape, scale, rng);
                Matrix::new(&*spec.name, spec.shape, first.iter().zip(noise.values).map(|(value, noise)| value + noise))
            })
            .collect();
        let noise = declared.noise.iter().map(|spec| drawn(spec, size.batch, rng)).collect();
        Ok(Self { params, noise, inputs: inputs(size, rng), state: start(&declared, size.batch), begins: true })
    }

    /// The point at which a training begins: parameters at their first values, the declared state, and the vector of
    /// zeros, which stands for no symbol, as the first input.
    fn beginning(cell: &dyn HostCell, size: Size, seed: u64) -> Result<Self, PluginError> {
        let mut rng = SplitMix::new(seed);
        let mut point = Self::first(cell, size, &mut rng)?;
        for (spec, matrix) in cell.declare(size.inputs)?.params.iter().zip(&mut point.params) {
            *matrix = Matrix::new(&*spec.name, spec.shape, declared::first_values(spec, &mut rng));
        }
        point.inputs[0].values.fill(0.0);
        Ok(point)
    }

    /// A random point that a cell can reach in an experiment: its state is the result of two steps from the declared
    /// one, so that a state that is always positive, for example, is positive here.
    fn random(cell: &dyn HostCell, size: Size, seed: u64) -> Result<Self, PluginError> {
        let mut rng = SplitMix::new(seed);
        let first = Self::first(cell, Size { steps: 2, ..size }, &mut rng)?;
        let reached = first.run(cell, DType::F64)?.states.pop().expect("there were two steps");
        let state = reached.into_iter().map(|state| Matrix::new(state.name, state.shape, state.values)).collect();
        Ok(Self { inputs: inputs(size, &mut rng), state, ..first })
    }

    /// Runs the cell at this point.
    fn run(&self, cell: &dyn HostCell, dtype: DType) -> Result<Trace, PluginError> {
        let device = Device::flex();
        let arguments = Arguments {
            params: tensors(&self.params, &device, dtype),
            noise: tensors(&self.noise, &device, dtype),
            inputs: self.inputs.iter().map(|x| x.tensor(&device, dtype)).collect(),
            state: tensors(&self.state, &device, dtype),
            begins: self.begins,
        };
        let (outputs, states) = run_cell(cell, self.width(), arguments)?;
        Ok(Trace {
            outputs: outputs.iter().map(|output| Matrix::read("output", output)).collect(),
            states: states.iter().map(read).collect(),
        })
    }

    /// The width of the inputs.
    fn width(&self) -> usize {
        self.inputs[0].shape[1]
    }

    /// All matrices but the noise: parameters, inputs, state.
    fn matrices_mut(&mut self) -> impl Iterator<Item = &mut Matrix> {
        self.params.iter_mut().chain(&mut self.inputs).chain(&mut self.state)
    }

    /// The same point with the batch rows of these indices.
    fn rows(&self, order: &[usize]) -> Self {
        let take = |matrices: &[Matrix]| matrices.iter().map(|matrix| matrix.rows(order)).collect();
        let noise = |matrix: &Matrix| if matrix.is_of_rows { matrix.rows(order) } else { matrix.clone() };
        Self {
            params: self.params.clone(),
            noise: self.noise.iter().map(noise).collect(),
            inputs: take(&self.inputs),
            state: take(&self.state),
            begins: self.begins,
        }
    }
}

impl Trace {
    /// Outputs and states in the order of steps, each with the number of its step.
    fn matrices(&self) -> impl Iterator<Item = (usize, &Matrix)> {
        self.outputs
            .iter()
            .zip(&self.states)
            .enumerate()
            .flat_map(|(step, (output, states))| std::iter::once(output).chain(states).map(move |m| (step + 1, m)))
    }

    /// The same trace with the batch rows of these indices.
    fn rows(&self, order: &[usize]) -> Self {
        Self {
            outputs: self.outputs.iter().map(|output| output.rows(order)).collect(),
            states: self.states.iter().map(|states| states.iter().map(|state| state.rows(order)).collect()).collect(),
        }
    }

    /// The first element in which two runs differ in any bit, over the steps that both have.
    fn first_difference(&self, other: &Self) -> Option<String> {
        self.matrices().zip(other.matrices()).find_map(|((step, a), (_, b))| {
            a.first_difference(b).map(|difference| format!("at step {step} {difference}"))
        })
    }

    /// The largest difference of two runs, relative to the element or to one, whichever is larger, and its place.
    fn largest_difference(&self, other: &Self) -> (f64, String) {
        let mut largest = (0.0, String::new());
        for ((step, a), (_, b)) in self.matrices().zip(other.matrices()) {
            let (difference, place) = a.largest_difference(b);
            if difference > largest.0 || difference.is_nan() {
                largest = (difference, format!("at step {step} {place}"));
            }
        }
        largest
    }
}

/// Normal inputs, one matrix for each step.
fn inputs(size: Size, rng: &mut SplitMix) -> Vec<Matrix> {
    (1..=size.steps).map(|step| Matrix::normal(format!("x{step}"), [size.batch, size.inputs], 1.0, rng)).collect()
}

/// Noise as a cell declares it.
fn drawn(spec: &NoiseSpec, batch: usize, rng: &mut SplitMix) -> Matrix {
    let rows = if let Per::Update { rows } = spec.per { rows } else { batch };
    let values: Vec<f64> = (0..rows * spec.width).map(|_| spec.distribution.draw(rng)).collect();
    Matrix {
        is_of_rows: !matches!(spec.per, Per::Update { .. }),
        ..Matrix::new(&*spec.name, [rows, spec.width], values)
    }
}

/// The state before the first step, as the cell declares it; zeros where it starts at a parameter, which is added.
fn start(declared: &Declaration, batch: usize) -> Vec<Matrix> {
    let vector = |spec: &StateSpec| {
        let value = if let Start::Constant(value) = spec.start { value } else { 0.0 };
        Matrix::new(&*spec.name, [batch, spec.width], std::iter::repeat_n(value, batch * spec.width))
    };
    declared.state.iter().map(vector).collect()
}
