//! `hatchery sample`: text from a trained model.

use hatchery::{
    error::{Problem, Result},
    generate::{Generated, Request, generate},
    network::{Network, samplers},
    run::{checkpoint, directory},
};
use serde_json::json;

use super::overrides;
use crate::arguments::Sample;

pub(crate) fn run(arguments: &Sample) -> Result<()> {
    let registry = hatchery_cli::registry()?;
    let path = directory::resolve(arguments.run.as_deref(), &arguments.place.runs)?.checkpoint();
    let checkpoint = checkpoint::read(&path)?;
    let overrides = overrides(&[], arguments.place.device.as_deref());
    let (mut network, _) = Network::restore(&checkpoint, &overrides, &registry)?;

    let defaults = network.experiment.sample.clone();
    let request = Request {
        prefix: arguments.prefix.clone().unwrap_or(defaults.prefix),
        count: arguments.count.map_or(defaults.count, |count| count as usize),
        length: arguments.length.map_or(defaults.length, |length| length as usize),
        seed: arguments.seed.unwrap_or_else(|| network.sample_seed()),
        occasion: "sample".to_owned(),
        capitalise: defaults.capitalise,
    };
    if arguments.temperature.is_empty() {
        let samples = generate(&mut network, &request, &mut |_, _| ())?;
        print(&samples, None, arguments.json);
    }
    for &temperature in &arguments.temperature {
        network.samplers = at_temperature(&network, temperature, &registry)?;
        let samples = generate(&mut network, &request, &mut |_, _| ())?;
        print(&samples, Some(temperature), arguments.json);
    }
    Ok(())
}

/// The sampler chain that only divides by a temperature; 0 keeps the most likely.
fn at_temperature(
    network: &Network,
    temperature: f64,
    registry: &hatchery::registry::Registry,
) -> Result<Vec<Box<dyn hatchery_plugin::Sampler>>> {
    if !temperature.is_finite() || temperature < 0.0 {
        return Err(Problem::new(format!("a temperature is a number from 0 on, not {temperature}"))
            .hint("0 takes the most likely character, 1 draws as the model says, more draws more freely")
            .into());
    }
    let mut experiment = network.experiment.clone();
    let part = if temperature == 0.0 {
        json!({ "type": "greedy" })
    } else {
        json!({ "type": "temperature", "temperature": temperature })
    };
    let part = serde_json::from_value(part)
        .map_err(|error| hatchery::error::Error::internal("cannot set the temperature", error))?;
    experiment.sampler = vec![part];
    samplers(&experiment, registry)
}

fn print(samples: &[Generated], temperature: Option<f64>, json: bool) {
    if let (Some(temperature), false) = (temperature, json) {
        println!("temperature {temperature}:");
    }
    for (index, sample) in samples.iter().enumerate() {
        if json {
            println!("{}", json!({ "index": index, "temperature": temperature, "text": sample.text }));
        } else {
            println!("{}", sample.text);
        }
    }
}
