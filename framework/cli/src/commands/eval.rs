//! `hatchery eval`: a trained model measured on a whole split.

use std::path::Path;

use hatchery::{
    batches::Data,
    error::{Problem, Result},
    evaluate::evaluate,
    network::Network,
    run::{checkpoint, directory},
};
use serde_json::json;

use super::{overrides, registry_for};
use crate::arguments::{Eval, Split};

pub(crate) fn run(arguments: &Eval) -> Result<()> {
    let path = directory::resolve(arguments.run.as_deref(), &arguments.place.runs)?.checkpoint();
    let checkpoint = checkpoint::read(&path)?;
    let registry = registry_for(&checkpoint, &arguments.place)?;
    let seed: Vec<_> = arguments.seed.iter().map(|seed| format!("seed={seed}")).collect();
    let overrides = overrides(&seed, arguments.place.device.as_deref());
    let (mut network, progress) = Network::restore(&checkpoint, &overrides, &registry)?;
    let vocabulary = network.vocabulary.as_ref().clone();
    let data = Data::open(&network.experiment, Path::new("."), &registry, Some(vocabulary))?;

    let split = arguments.split.unwrap_or(if data.valid.is_some() { Split::Valid } else { Split::Train });
    let (name, sequences) = match split {
        Split::Train => ("train", Some(&data.train)),
        Split::Valid => ("valid", data.valid.as_ref()),
        Split::Test => ("test", data.test.as_ref()),
    };
    let Some(sequences) = sequences else {
        return Err(Problem::new(format!("the experiment holds nothing out for the split `{name}`"))
            .hint(format!("train with --set split.{name}=0.1, or evaluate --split train"))
            .into());
    };
    let result = evaluate(network.executor.as_mut(), sequences)?;
    if arguments.json {
        println!(
            "{}",
            json!({
                "split": name,
                "updates": progress.updates,
                "nats_per_character": result.nats_per_character,
                "bits_per_character": result.bits_per_character,
                "perplexity": result.perplexity,
                "accuracy": result.accuracy,
                "characters": result.characters,
            })
        );
    } else {
        println!("split                {name}, {} characters", result.characters);
        println!("updates              {}", progress.updates);
        println!("nats per character   {:.6}", result.nats_per_character);
        println!("bits per character   {:.6}", result.bits_per_character);
        println!("perplexity           {:.4}", result.perplexity);
        println!("accuracy             {:.4}", result.accuracy);
    }
    Ok(())
}
