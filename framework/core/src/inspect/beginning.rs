//! What is not finite at the first values of a training, before any update: a root of zero in a norm, above all. A smaller
//! learning rate cannot help there.

use burn::{Tensor, tensor::DType};
use hatchery_plugin::{Name, Params, State, capture::capture_step};

use crate::{
    device,
    error::Result,
    executor::layer::{LayerRun, Noise, Place, start},
    experiment::{Backend, Experiment},
    model::{Layer, Model, within},
    plugins::Registry,
    replay::Program,
};

/// Time steps that are looked at: the first has the vector of zeros as its input.
const STEPS: usize = 2;

/// The first layer of which a value or a gradient is not finite at the first values of the experiment's model, as a sentence;
/// none if all are finite.
///
/// # Errors
/// When the model cannot be made again, or this build lacks Burn's `flex`.
pub fn fault(experiment: &Experiment, registry: &Registry, vocabulary: usize) -> Result<Option<String>> {
    let backend = Backend { device: "flex".to_owned(), ..experiment.backend.clone() };
    let dtype: DType = backend.dtype.into();
    let place = Place { device: device::open(&backend)?.inner(), dtype, is_tracked: true };
    let model = Model::new(experiment, registry, vocabulary)?;
    let values = model.initial_values(experiment.seed, experiment.rng);
    let params: Params = model
        .params()
        .into_iter()
        .zip(values)
        .map(|(spec, values)| (spec.name, place.tensor(values, spec.shape).require_grad()))
        .collect();
    let states = start(&model, &params, 1, &place);
    let mut inputs: Vec<Tensor<2>> = Vec::new();
    for (index, layer) in model.layers.iter().enumerate() {
        if inputs.is_empty() {
            let zero = place.tensor(vec![0.0; layer.inputs], [1, layer.inputs]);
            inputs = vec![zero.clone(), zero + 0.5];
        }
        let state = within(&states, &layer.prefix);
        let (outputs, fault) = of_layer(layer, &params, &inputs, state, &place)?;
        if let Some(what) = fault {
            let name = experiment.layers()[index].part.name.clone();
            return Ok(Some(format!("at its first values, in layer {index} with the cell `{name}`, {what}")));
        }
        inputs = outputs;
    }
    Ok(None)
}

/// The outputs of a layer, and what is not finite.
fn of_layer(
    layer: &Layer,
    params: &Params,
    inputs: &[Tensor<2>],
    mut state: State,
    place: &Place,
) -> Result<(Vec<Tensor<2>>, Option<String>)> {
    let run = LayerRun::new(layer, params, Noise::Expected, (STEPS, 1), place)?;
    let mut outputs: Vec<Tensor<2>> = Vec::new();
    let mut arguments = Vec::new();
    for (step, x) in inputs.iter().enumerate() {
        arguments.push((x.clone(), state.clone()));
        let (output, next) = run.step(step, x.clone(), state)?;
        state = next;
        let broken = {
            let mut made = std::iter::once(("output", &output)).chain(state.iter());
            made.find(|(_, tensor)| !is_finite(tensor)).map(|(name, _)| name.to_owned())
        };
        outputs.push(output);
        let is_last = outputs.len() == inputs.len();
        let gradient = || if is_last { broken_gradient(layer, params, &outputs) } else { None };
        let what = broken.map(|name| format!("`{name}` is not finite after time step {}", step + 1)).or_else(gradient);
        if let Some(what) = what {
            let found = arguments.into_iter().find_map(|before| operation(layer, params, before, place));
            let operation = found.map_or_else(String::new, |name| format!(": {name}"));
            return Ok((outputs, Some(what + &operation)));
        }
    }
    Ok((outputs, None))
}

/// The parameter whose gradient is not finite.
fn broken_gradient(layer: &Layer, params: &Params, outputs: &[Tensor<2>]) -> Option<String> {
    let loss = outputs.iter().map(|output| output.clone().sum()).reduce(|sum, next| sum + next)?;
    if !loss.is_tracked() {
        return None;
    }
    let gradients = loss.backward();
    let own = within(params, &layer.prefix);
    let broken = own.iter().find(|(_, leaf)| leaf.grad(&gradients).is_some_and(|gradient| !is_finite(&gradient)));
    broken.map(|(name, _)| format!("the gradient of `{name}` is not finite after time step {}", outputs.len()))
}

/// The operation at fault in a step.
fn operation(layer: &Layer, params: &Params, (x, state): (Tensor<2>, State), place: &Place) -> Option<String> {
    let recorded = capture_step(&*layer.cell, layer.inputs, 1, place.dtype).ok()?;
    let (arguments, results) = (layer.declared.arguments(layer.inputs, 1), layer.declared.results(1));
    let program = Program::new(&recorded, &arguments, &results, place.dtype).ok()?;
    let derived = layer.cell.derive(layer.inputs, within(params, &layer.prefix)).ok()?;
    let value = |(name, shape): &(Name, [usize; 2])| {
        let known = if name == "x" { Some(&x) } else { derived.find(name).or_else(|| state.find(name)) };
        // Noise is its expectation for a mask that keeps everything.
        known.cloned().unwrap_or_else(|| place.tensor(vec![1.0; shape[0] * shape[1]], *shape)).without_autodiff()
    };
    program.blame(arguments.iter().map(value).collect())
}

fn is_finite(tensor: &Tensor<2>) -> bool {
    tensor.clone().into_data().iter::<f64>().all(f64::is_finite)
}
