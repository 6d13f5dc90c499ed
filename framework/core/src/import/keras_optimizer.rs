//! The optimizer state in a model file of Keras, as the optimizers here keep it.

use serde_json::Value;

use super::{
    keras::Place,
    keras_file::{Layer, ModelFile},
};
use crate::{
    error::Result,
    experiment::{Experiment, Optimizer},
    run::checkpoint::OPTIMIZER,
    tensors::{NamedTensor, Values},
};

/// What an optimizer keeps for each weight.
struct Kept {
    /// For each array that the file has of a weight, the names of ours that are equal to it.
    arrays: &'static [&'static [&'static str]],
    /// What ours is theirs multiplied by.
    factor: f64,
    /// The name under which ours counts updates.
    count: Option<&'static str>,
}

/// Settings of Keras that change an update and that the optimizers here lack, with the value that changes nothing.
const OTHERS: [&str; 8] =
    ["amsgrad", "nesterov", "clipnorm", "clipvalue", "global_clipnorm", "use_ema", "decay", "weight_decay"];

/// Adds what the optimizer keeps for every parameter, and gives the number of updates. The file has the arrays of a weight one
/// after the other; early versions all first moments and then all second ones.
pub(super) fn state(
    file: &ModelFile,
    layers: &[Layer],
    places: &[Place],
    experiment: &Experiment,
    tensors: &mut Vec<NamedTensor>,
    notes: &mut Vec<String>,
) -> Result<u64> {
    let Some((class, config)) = file.optimizer()? else {
        notes.push("the file has no optimizer state: training would begin with a fresh one".to_owned());
        return Ok(0);
    };
    let Kept { arrays, factor, count } = match kept(&experiment.optimizer, &class, &config, notes) {
        Ok(kept) => kept,
        Err(why) => {
            notes.push(format!("the optimizer state is left out: {why}"));
            return Ok(0);
        }
    };
    let mut weights: Vec<(usize, &str)> = Vec::new();
    for place in places.iter().filter(|place| !place.is_absent) {
        if !weights.contains(&(place.layer, place.weight)) {
            weights.push((place.layer, place.weight));
        }
    }
    let (iterations, theirs, is_grouped) = file.moments()?;
    // A third of each, the largest second moment, is there for the variant AMSGrad.
    if theirs.len() < arrays.len() * weights.len() {
        let (found, needed) = (theirs.len(), arrays.len());
        let what = format!("{found} arrays for {} weights, and {class} needs {needed} for each", weights.len());
        return Err(file.damaged("the optimizer state", what).into());
    }
    for place in places {
        let number = weights.iter().position(|weight| *weight == (place.layer, place.weight));
        for (which, names) in arrays.iter().enumerate() {
            let mut array = match number.filter(|_| !place.is_absent) {
                Some(number) => {
                    let at = if is_grouped { number + which * weights.len() } else { arrays.len() * number + which };
                    place.arrange(file.moment(&theirs[at])?)?
                }
                None => place.take(file, layers)?,
            };
            array.values.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
            let array = array.into_named(OPTIMIZER, &format!("{}.", place.parameter), place.shape)?;
            tensors.extend(
                names.iter().map(|name| NamedTensor { name: format!("{}{name}", array.name), ..array.clone() }),
            );
        }
        tensors.extend(count.map(|name| NamedTensor {
            name: format!("{OPTIMIZER}{}.{name}", place.parameter),
            shape: [1, 1],
            values: Values::F64(vec![iterations]),
        }));
    }
    Ok(iterations as u64)
}

/// What the optimizer keeps, if the file's is the experiment's; notes name the settings that differ. Otherwise, why its state
/// cannot be used.
fn kept(own: &Optimizer, class: &str, config: &Value, notes: &mut Vec<String>) -> std::result::Result<Kept, String> {
    const MOMENTS: &[&[&str]] = &[&["momentum.moment_1"], &["momentum.moment_2"]];
    const SQUARES: &[&[&str]] = &[&["square_avg.square_avg", "centered.avg"]];
    const VELOCITY: &[&[&str]] = &[&["momentum.velocity"]];
    let rate_key = if config.get("lr").is_some() { "lr" } else { "learning_rate" };
    let number = |key: &str| config[key].as_f64();
    let is_set = |key: &str| !matches!(&config[key], Value::Null | Value::Bool(false)) && number(key) != Some(0.0);
    let (settings, kept) = match (own, class) {
        (&Optimizer::Adam { beta1, beta2, epsilon, .. }, "Adam") => (
            vec![("beta_1", beta1), ("beta_2", beta2), ("epsilon", epsilon)],
            Kept { arrays: MOMENTS, factor: 1.0, count: Some("momentum.time") },
        ),
        (&Optimizer::Adamw { beta1, beta2, epsilon, weight_decay, .. }, "AdamW") => (
            vec![("beta_1", beta1), ("beta_2", beta2), ("epsilon", epsilon), ("weight_decay", weight_decay)],
            Kept { arrays: MOMENTS, factor: 1.0, count: Some("momentum.time") },
        ),
        (Optimizer::Rmsprop { .. }, "RMSprop") if is_set("momentum") || is_set("centered") => {
            return Err("it is that of RMSprop with momentum or centered, which the optimizer here is not".to_owned());
        }
        (&Optimizer::Rmsprop { decay, epsilon, .. }, "RMSprop") => {
            (vec![("rho", decay), ("epsilon", epsilon)], Kept { arrays: SQUARES, factor: 1.0, count: None })
        }
        (&Optimizer::Sgd { momentum, .. }, "SGD") => {
            let has_velocity = momentum > 0.0 && is_set("momentum");
            let rate = number(rate_key).filter(|rate| *rate > 0.0);
            let kept = match rate {
                // Theirs has the learning rate in it, and another sign: v = momentum · v − rate · gradient.
                Some(rate) if has_velocity => Kept { arrays: VELOCITY, factor: -1.0 / rate, count: None },
                None if has_velocity => return Err("the velocity has a learning rate in it that varies".to_owned()),
                _ => Kept { arrays: &[], factor: 1.0, count: None },
            };
            (vec![("momentum", momentum)], kept)
        }
        _ => return Err(format!("it is that of {class}, the experiment's optimizer is another")),
    };
    let mut differs = |key: &str, theirs: &dyn std::fmt::Display, ours: &dyn std::fmt::Display| {
        notes.push(format!("{class}'s {key} is {theirs} in the file and {ours} in the experiment, which is kept"));
    };
    for (key, ours) in [&[(rate_key, own.learning_rate())][..], &settings[..]].concat() {
        match number(key) {
            Some(theirs) if (theirs - ours).abs() > 1e-6 * ours.abs() => differs(key, &theirs, &ours),
            None if config[key].is_object() => differs(key, &"a schedule", &ours),
            _ => {}
        }
    }
    for key in OTHERS {
        if is_set(key) && !settings.iter().any(|(known, _)| *known == key) {
            notes.push(format!(
                "{class}'s {key} is {} in the file, and the optimizer here has no such setting",
                config[key]
            ));
        }
    }
    Ok(kept)
}
