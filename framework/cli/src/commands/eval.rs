//! `hatchery eval`: a trained model measured on a whole split.

use std::path::Path;

use hatchery::{
    data::{Data, Sequences},
    error::{Problem, Result},
    experiment::reading,
    inspect::{
        baseline::{Baseline, Counts},
        evaluate::evaluate,
    },
    network::Network,
    run::{checkpoint, directory},
    train::origin,
};
use serde_json::json;

use super::{overrides, registry, registry_for};
use crate::arguments::{self, Eval, Split};

pub(crate) fn run(arguments: &Eval) -> Result<()> {
    if let Some(path) = &arguments.experiment {
        let seed: Vec<_> = arguments.seed.iter().map(|seed| format!("seed={seed}")).collect();
        let registry = registry(&arguments.place.libraries, &reading::libraries(path, &seed)?)?;
        let experiment = reading::read(path, &seed, &registry)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let data = Data::open(&experiment, folder, &registry, None)?;
        let (name, sequences) = chosen(&data, arguments.split)?;
        return baselines(arguments, &data, (name, sequences));
    }
    let run = directory::resolve(arguments.run.as_deref(), &arguments.place.runs)?;
    let (checkpoint, folder) = (checkpoint::read(&run.checkpoint())?, origin::folder(&run));
    let registry = registry_for(&checkpoint, &folder, &arguments.place)?;
    let seed: Vec<_> = arguments.seed.iter().map(|seed| format!("seed={seed}")).collect();
    let overrides = overrides(&seed, arguments.place.device.as_deref());
    let (mut network, progress) = Network::restore(&checkpoint, &overrides, &registry)?;
    super::remark(&network);
    let vocabulary = network.vocabulary.as_ref().clone();
    let data = Data::open(&network.experiment, &folder, &registry, Some(vocabulary))?;
    super::warn_of_another_text(&checkpoint, &data);
    let trained =
        checkpoint.meta.experiment.parse::<toml::Table>().ok().and_then(|table| table.get("seed")?.as_integer());
    if arguments.seed.is_some_and(|seed| i64::try_from(seed).ok() != trained) {
        super::warn(
            &Problem::new("this seed splits the text differently than in training")
                .note("most of the held-out part was trained on: the loss says nothing about new text")
                .hint("leave out --seed to evaluate the model; any seed is good for baselines alone, with --experiment FILE"),
        );
    }

    let (name, sequences) = chosen(&data, arguments.split)?;
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
    baselines(arguments, &data, (name, sequences))
}

/// The split to evaluate: by default validation, or training if nothing is held out.
fn chosen(data: &Data, split: Option<Split>) -> Result<(&'static str, &Sequences)> {
    let split = split.unwrap_or(if data.valid.is_some() { Split::Valid } else { Split::Train });
    let (name, sequences) = match split {
        Split::Train => ("train", Some(&data.train)),
        Split::Valid => ("valid", data.valid.as_ref()),
        Split::Test => ("test", data.test.as_ref()),
    };
    let nothing = || {
        Problem::new(format!("the experiment has no split `{name}`"))
            .hint(format!("train with --set split.{name}=0.1, or evaluate --split train"))
    };
    Ok((name, sequences.ok_or_else(nothing)?))
}

/// Evaluates count models, counted on the training split, on the chosen split.
fn baselines(arguments: &Eval, data: &Data, (name, sequences): (&str, &Sequences)) -> Result<()> {
    let smoothing = arguments.smoothing;
    if !(smoothing.is_finite() && smoothing >= 0.0) {
        return Err(Problem::new(format!("--smoothing is a number of at least 0, not {smoothing}")).into());
    }
    for &kind in &arguments.baseline {
        let (word, baseline) = match kind {
            arguments::Baseline::Uniform => ("uniform", Baseline::Uniform),
            arguments::Baseline::Unigram => ("unigram", Baseline::Unigram),
            arguments::Baseline::Bigram => ("bigram", Baseline::Bigram),
        };
        let result = Counts::of(baseline, &data.train, data.vocabulary.len(), smoothing).evaluate(sequences);
        if arguments.json {
            println!(
                "{}",
                json!({
                    "split": name,
                    "baseline": word,
                    "smoothing": smoothing,
                    "nats_per_character": result.nats_per_character,
                    "bits_per_character": result.bits_per_character,
                    "perplexity": result.perplexity,
                    "accuracy": result.accuracy,
                    "characters": result.characters,
                })
            );
        } else {
            println!(
                "baseline {word:<8}    {:.6} nats per character on {name}, accuracy {:.4}",
                result.nats_per_character, result.accuracy
            );
        }
    }
    Ok(())
}
