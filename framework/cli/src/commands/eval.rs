//! `hatchery eval`: a trained model measured on a whole split.

use hatchery::{
    data::{Data, Sequences},
    error::{Problem, Result},
    inspect::{
        baseline::{Baseline, Counts},
        evaluate::measure,
    },
    run::log::Evaluation,
    session::Session,
};
use serde_json::{Value, json};

use crate::arguments::{self, Eval, Split};

pub(crate) fn run(arguments: &Eval) -> Result<()> {
    let seed: Vec<_> = arguments.seed.iter().map(|seed| format!("split.seed={seed}")).collect();
    if let Some(path) = &arguments.experiment {
        let data = super::open_file(path, &arguments.place.libraries, seed)?.data()?;
        let (name, sequences) = chosen(&data, arguments.split)?;
        return baselines(arguments, &data, (name, sequences));
    }
    let session = super::open_model(arguments.run.as_deref(), &arguments.place, &seed)?;
    let (mut network, progress) = super::restore(&session)?;
    let data = session.data()?;
    super::warn_of_another_text(&session, &data);
    warn_of_another_seed(arguments, &session);
    let (name, sequences) = chosen(&data, arguments.split)?;
    super::notes(&data);
    let (result, error) = measure(network.executor.as_mut(), sequences)?;
    if arguments.json {
        let subject = json!({ "split": name, "updates": progress.updates, "standard_error": error });
        out!("{}", json(&result, subject));
    } else {
        let unit = data.vocabulary.unit().word();
        let error = error.map_or(String::new(), |error| format!(" ± {error:.4}"));
        out!("split                {name}, {}", extent(sequences, result.characters, unit));
        out!("updates              {}", progress.updates);
        out!("{:<20} {:.6}{error}", format!("nats per {unit}"), result.nats_per_character);
        out!("{:<20} {:.6}", format!("bits per {unit}"), result.bits_per_character);
        out!("perplexity           {:.4}", result.perplexity);
        out!("accuracy             {:.4}", result.accuracy);
    }
    baselines(arguments, &data, (name, sequences))
}

/// How much was measured: `120 sequences, 1474 characters`.
fn extent(sequences: &Sequences, predictions: u64, unit: &str) -> String {
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    let count = sequences.count() as u64;
    let of = if sequences.has_documents() { format!("{count} sequence{}, ", plural(count)) } else { String::new() };
    format!("{of}{predictions} {unit}{}", plural(predictions))
}

/// The result as JSON, appended to the keys of `subject`.
fn json(result: &Evaluation, mut subject: Value) -> Value {
    subject["nats_per_character"] = result.nats_per_character.into();
    subject["bits_per_character"] = result.bits_per_character.into();
    subject["perplexity"] = result.perplexity.into();
    subject["accuracy"] = result.accuracy.into();
    subject["characters"] = result.characters.into();
    subject
}

/// Warns if the text is split by another seed than in training.
fn warn_of_another_seed(arguments: &Eval, session: &Session) {
    let recorded = session.checkpoint.as_ref().map(|checkpoint| checkpoint.meta.experiment.as_str());
    let recorded = recorded.and_then(|text| text.parse::<toml::Table>().ok());
    let trained = recorded
        .and_then(|table| table.get("split").and_then(|split| split.get("seed")).or(table.get("seed"))?.as_integer());
    if arguments.seed.is_some_and(|seed| i64::try_from(seed).ok() != trained) {
        super::warn(
            &Problem::new("this seed splits the text differently than in training")
                .note("most of the held-out part was trained on: the loss says nothing about new text")
                .hint("leave out --seed to evaluate the model; any seed is good for baselines alone, with --experiment FILE"),
        );
    }
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
            let subject = json!({ "split": name, "baseline": word, "smoothing": smoothing });
            out!("{}", json(&result, subject));
        } else {
            out!(
                "baseline {word:<8}    {:.6} nats per character on {name}, accuracy {:.4}",
                result.nats_per_character,
                result.accuracy
            );
        }
    }
    Ok(())
}
