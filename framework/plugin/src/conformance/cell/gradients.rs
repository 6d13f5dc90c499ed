//! The gradients of a cell: that they reach everything, and that they are those of its values.

use burn::{
    Tensor,
    tensor::{DType, Device},
};

use super::{
    super::{
        numbers::{Matrix, SplitMix},
        report::Verdict,
    },
    Arguments, Point, Size, Trace, run_cell,
};
use crate::{PluginError, Rng, host::HostCell};

/// How far a gradient may be from the slope, relative to the larger of them.
const TOLERANCE: f64 = 1e-6;

/// What small gradients are measured against: this share of the largest gradient.
const FLOOR: f64 = 1e-2;

/// Half the distance of the two points of a slope: the cube root of the precision, where the error of the formula
/// (its square) and that of rounding (its inverse) are about alike.
const DISTANCE: f64 = 1e-5;

/// Entries of a matrix that are looked at.
const ENTRIES: usize = 40;

/// The gradient of a loss for all that a point consists of, and the loss.
pub(super) struct Gradient {
    loss: f64,
    params: Vec<Matrix>,
    inputs: Vec<Matrix>,
    state: Vec<Matrix>,
}

impl Gradient {
    /// In the order of [`Point::matrices_mut`].
    pub(super) fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        self.params.iter().chain(&self.inputs).chain(&self.state)
    }
}

/// What a loss is made of: the outputs, and the vectors that are penalties.
fn minimized<M, S>(
    cell: &dyn HostCell,
    point: &Point,
    mut outputs: Vec<M>,
    states: Vec<S>,
    vector: impl Fn(&S, &str) -> M,
) -> Result<Vec<M>, PluginError> {
    for name in &cell.declare(point.width())?.penalties {
        outputs.extend(states.iter().map(|state| vector(state, name)));
    }
    Ok(outputs)
}

/// The loss, a sum of all outputs and penalties with random weights, by back-propagation. What no gradient reaches has zeros.
pub(super) fn of(cell: &dyn HostCell, point: &Point, seed: u64, dtype: DType) -> Result<Gradient, String> {
    let device = Device::flex().autodiff();
    let leaves = |matrices: &[Matrix]| -> Vec<Tensor<2>> {
        matrices.iter().map(|matrix| matrix.tensor(&device, dtype).require_grad()).collect()
    };
    let named = |matrices: &[Matrix], leaves: &[Tensor<2>]| {
        matrices.iter().map(|matrix| matrix.name.clone()).zip(leaves.iter().cloned()).collect()
    };
    let (params, inputs, state) = (leaves(&point.params), leaves(&point.inputs), leaves(&point.state));
    let arguments = Arguments {
        params: named(&point.params, &params),
        noise: point.noise.iter().map(|noise| (noise.name.clone(), noise.tensor(&device, dtype))).collect(),
        inputs: inputs.clone(),
        state: named(&point.state, &state),
        begins: point.begins,
    };
    let (outputs, states) = run_cell(cell, point.width(), arguments)?;
    let mut rng = SplitMix::new(seed);
    let weighted = minimized(cell, point, outputs, states, |state, name| state.get(name))?.into_iter().map(|output| {
        let weights = Matrix::normal("", output.dims(), 1.0, &mut rng);
        (output * weights.tensor(&device, dtype)).sum()
    });
    let loss = weighted.reduce(|total, step| total + step).expect("there is a step");
    if !loss.is_tracked() {
        return Err("no gradient flows through `step` at all; look for `detach`, `inner` or a tensor made anew".into());
    }
    let gradients = loss.backward();
    let read = |matrices: &[Matrix], leaves: &[Tensor<2>]| {
        let of = |(matrix, leaf): (&Matrix, &Tensor<2>)| match leaf.grad(&gradients) {
            Some(gradient) => Matrix::read(&*matrix.name, &gradient),
            None => Matrix::new(&*matrix.name, matrix.shape, matrix.values.iter().map(|_| 0.0)),
        };
        matrices.iter().zip(leaves).map(of).collect()
    };
    Ok(Gradient {
        loss: loss.try_to_vec_as::<f64>().expect("every float is read as f64")[0],
        params: read(&point.params, &params),
        inputs: read(&point.inputs, &inputs),
        state: read(&point.state, &state),
    })
}

pub(super) fn everywhere(cell: &dyn HostCell) -> Verdict {
    let size = Size { batch: 3, inputs: 3, steps: 4 };
    let mut reached: Vec<(String, bool)> = Vec::new();
    for seed in 1..=3 {
        let gradient = of(cell, &Point::random(cell, size, seed)?, seed, DType::F64)?;
        let any = |matrix: &Matrix| matrix.values.iter().any(|value| *value != 0.0);
        // A penalty may be computed anew at every step.
        let declared = cell.declare(size.inputs)?;
        let is_penalty = |matrix: &&Matrix| declared.penalties.iter().any(|name| *name == matrix.name);
        let carried = gradient.state.iter().filter(|matrix| !is_penalty(matrix) && declared.has_gradient(&matrix.name));
        let mut seen: Vec<_> =
            gradient.params.iter().chain(carried).map(|matrix| (matrix.name.clone(), any(matrix))).collect();
        // Of the inputs one is enough: a cell may put out what it had before it saw the last.
        seen.push(("x".to_owned(), gradient.inputs.iter().any(any)));
        match &mut reached[..] {
            [] => reached = seen,
            before => before.iter_mut().zip(seen).for_each(|(before, now)| before.1 |= now.1),
        }
    }
    let missed: Vec<_> = reached.iter().filter(|(_, reached)| !reached).map(|(name, _)| format!("`{name}`")).collect();
    if missed.is_empty() {
        Ok(format!("{} matrices", reached.len()))
    } else {
        Err(format!(
            "the gradient is zero over {} steps and 3 random points for {}; `step` does not use it, or cuts it off \
             (`detach`)",
            size.steps,
            missed.join(", ")
        ))
    }
}

/// Compares back-propagation with central differences. A kink (a rectifier at zero) within the distance spoils an entry,
/// so a failure must repeat itself at other points.
pub(super) fn right(cell: &dyn HostCell) -> Verdict {
    const POINTS: u64 = 4;
    let mut last = Err(String::new());
    for seed in 1..=POINTS {
        last = right_at(cell, seed);
        if last.is_ok() {
            return last;
        }
    }
    last.map_err(|wrong| format!("{wrong}, and likewise at {} other random points", POINTS - 1))
}

fn right_at(cell: &dyn HostCell, seed: u64) -> Verdict {
    let point = Point::random(cell, Size { batch: 2, inputs: 3, steps: 3 }, seed)?;
    let gradient = of(cell, &point, seed, DType::F64)?;
    let (loss, magnitude) = loss_of(cell, &point, seed)?;
    if (loss - gradient.loss).abs() > 1e-12 * magnitude.max(1.0) {
        return Err(format!("the value with gradients is {}, without {loss}; `step` must not look", gradient.loss));
    }
    let largest = gradient.matrices().flat_map(|matrix| &matrix.values).fold(0.0_f64, |max, g| max.max(g.abs()));
    // Rounding of the two losses, as large as their sums are.
    let rounding = 10.0 * f64::EPSILON * magnitude / DISTANCE;
    let mut rng = SplitMix::new(seed);
    let mut worst = 0.0_f64;
    for (index, matrix) in gradient.matrices().enumerate() {
        for entry in entries(matrix.values.len(), &mut rng) {
            let at = |by: f64| {
                let mut moved = point.clone();
                let matrix = moved.matrices_mut().nth(index).expect("a gradient belongs to a matrix");
                matrix.values[entry] += by;
                loss_of(cell, &moved, seed).map(|(loss, _)| loss)
            };
            let slope_over = |distance: f64| Ok::<_, PluginError>((at(distance)? - at(-distance)?) / (2.0 * distance));
            let value = matrix.values[entry];
            let scale = |slope: f64| value.abs().max(slope.abs()).max(FLOOR * largest);
            let is_right = |slope: f64| (value - slope).abs() <= TOLERANCE * scale(slope) + rounding;
            let mut slope = slope_over(DISTANCE)?;
            if !is_right(slope) {
                // Richardson's extrapolation, for a function that bends within the distance.
                slope = (4.0 * slope_over(0.5 * DISTANCE)? - slope) / 3.0;
            }
            let (scale, difference) = (scale(slope), (value - slope).abs());
            if !is_right(slope) {
                return Err(format!(
                    "the gradient of {} is {value:e} and the slope {slope:e}: apart by {:.1e}; look for `detach`, a \
                     rounding or a comparison on the way of `{}` to the output",
                    matrix.place(entry),
                    difference / scale,
                    matrix.name
                ));
            }
            if scale > 0.0 {
                worst = worst.max(difference / scale);
            }
        }
    }
    Ok(format!("largest relative error {worst:.1e}"))
}

/// The loss without gradients, and the sum of the absolute values of its terms.
fn loss_of(cell: &dyn HostCell, point: &Point, seed: u64) -> Result<(f64, f64), PluginError> {
    let mut rng = SplitMix::new(seed);
    let (mut loss, mut magnitude) = (0.0, 0.0);
    let Trace { outputs, states } = point.run(cell, DType::F64)?;
    let vector = |state: &Vec<Matrix>, name: &str| {
        state.iter().find(|vector| vector.name == name).cloned().expect("a penalty is a vector of the state")
    };
    for output in minimized(cell, point, outputs, states, vector)? {
        let weights = Matrix::normal("", output.shape, 1.0, &mut rng);
        for (value, weight) in output.values.iter().zip(weights.values) {
            loss += value * weight;
            magnitude += (value * weight).abs();
        }
    }
    Ok((loss, magnitude))
}

/// All entries of a small matrix, a random choice of a large one.
fn entries(count: usize, rng: &mut SplitMix) -> Vec<usize> {
    if count <= ENTRIES {
        (0..count).collect()
    } else {
        (0..ENTRIES).map(|_| (rng.uniform() * count as f64) as usize).collect()
    }
}
