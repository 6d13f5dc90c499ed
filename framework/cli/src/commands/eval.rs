//! `hatchery eval`: a trained model measured on a whole split.

use hatchery::{
    data::{Data, Sequences},
    error::{Problem, Result},
    experiment::Unknown,
    inspect::{
        baseline::{Baseline, Counts},
        evaluate::{evaluate_dynamically, measure},
    },
    run::{checkpoint::PARAMETERS, log::Evaluation},
    session::{OtherText, Session},
};
use serde_json::{Value, json};

use super::{SKIP_UNKNOWN, checkpoint::Chosen};
use crate::arguments::{self, Eval, Split};

pub(crate) fn run(arguments: &Eval) -> Result<()> {
    let seed: Vec<_> = arguments.seed.iter().map(|seed| format!("split.seed={seed}")).collect();
    if let Some(path) = &arguments.experiment {
        let data = super::open_file(path, &arguments.place.libraries, seed)?.data()?;
        let (name, sequences) = chosen(&data, arguments.split)?;
        return baselines(arguments, &data, (name, sequences));
    }
    let rate = arguments.dynamic.map(dynamic).transpose()?;
    let skip = arguments.skip_unknown.then(|| SKIP_UNKNOWN.to_owned());
    let set: Vec<_> = seed.into_iter().chain(skip).chain(rate.iter().flat_map(|(_, set)| set.clone())).collect();
    let (mut session, checkpoint) = super::open_model(arguments.run.as_deref(), &arguments.place, &set)?;
    if let (Some(checkpoint), Some(_)) = (&mut session.checkpoint, &rate) {
        // The state of the optimizer of training is not one of SGD.
        checkpoint.tensors.retain(|tensor| tensor.name.starts_with(PARAMETERS));
    }
    let (mut network, progress) = super::restore(&session)?;
    let data = match arguments.text {
        Some(_) if arguments.baseline.is_empty() => None,
        _ => Some(session.data()?),
    };
    if let Some(data) = data.as_ref().filter(|_| arguments.text.is_none()) {
        super::warn_of_another_text(&session, data);
        warn_of_another_seed(arguments, &session);
    }
    let text = arguments.text.as_ref().map(|text| session.text(text, &network.vocabulary)).transpose();
    let text = text.map_err(super::offering_to_skip)?;
    let (name, sequences) = match (&arguments.text, &text, &data) {
        (Some(name), Some(text), _) => (name.as_str(), &text.sequences),
        (_, _, Some(data)) => chosen(data, arguments.split)?,
        _ => return Ok(()),
    };
    if let Some(data) = data.as_ref().filter(|_| arguments.text.is_none()) {
        super::notes(data);
    }
    let framing = network.framing.clone();
    let executor = network.executor.as_mut();
    let (result, error) = match rate {
        Some((rate, _)) => (evaluate_dynamically(executor, sequences, &framing, rate)?, None),
        None => measure(executor, sequences)?,
    };
    let unit = network.vocabulary.unit().word();
    let updates = progress.updates;
    let subject = Subject { arguments, name, sequences, checkpoint, updates, text: text.as_ref(), unit };
    subject.print(&result, error, &session);
    data.as_ref().map_or(Ok(()), |data| baselines(arguments, data, (name, sequences)))
}

/// What was evaluated.
struct Subject<'a> {
    arguments: &'a Eval,
    /// The split or the text.
    name: &'a str,
    sequences: &'a Sequences,
    checkpoint: Chosen,
    updates: u64,
    text: Option<&'a OtherText>,
    /// What a symbol is.
    unit: &'static str,
}

impl Subject<'_> {
    fn print(&self, result: &Evaluation, error: Option<f64>, session: &Session) {
        let Self { arguments, name, sequences, checkpoint, updates, text, unit } = self;
        let unknown = text.map_or(0, |text| text.unknown);
        let what = if text.is_some() { "text " } else { "split" };
        if arguments.json {
            let subject = json!({
                what.trim_end(): name,
                "checkpoint": checkpoint.name(),
                "updates": updates,
                "other_checkpoint_updates": checkpoint.other(),
                "dynamic_rate": arguments.dynamic,
                "unknown_characters": unknown,
                "standard_error": error,
            });
            return out!("{}", json(result, subject));
        }
        out!("{what}                {name}, {}", extent(sequences, result.characters, unit));
        if unknown > 0 {
            out!("unknown              {unknown} characters that the vocabulary lacks: {}", treated(session));
        }
        out!("checkpoint           {}", checkpoint.described(*updates));
        out!("updates              {updates}");
        if let Some(rate) = arguments.dynamic {
            out!("dynamic evaluation   SGD, learning rate {rate}, after each sequence");
        }
        let error = error.map_or(String::new(), |error| format!(" ± {error:.4}"));
        out!("{:<20} {:.6}{error}", format!("nats per {unit}"), result.nats_per_character);
        out!("{:<20} {:.6}", format!("bits per {unit}"), result.bits_per_character);
        out!("perplexity           {:.4}", result.perplexity);
        out!("accuracy             {:.4}", result.accuracy);
    }
}

/// The rate of dynamic evaluation, and what it changes of the experiment: dropout would disturb the prediction's successor.
fn dynamic(rate: f64) -> Result<(f64, Vec<String>)> {
    if !(rate.is_finite() && rate > 0.0) {
        return Err(Problem::new(format!("--dynamic takes a learning rate above 0, not {rate}"))
            .hint("0.1 is the rate without a value: --dynamic")
            .into());
    }
    let optimizer = format!("optimizer={{ type = \"sgd\", learning-rate = {rate:?} }}");
    Ok((rate, vec![optimizer, "model.dropout=0.0".to_owned(), "train.loss=mean".to_owned()]))
}

/// What happens to unknown characters.
fn treated(session: &Session) -> &'static str {
    match session.experiment.vocabulary.unknown {
        Unknown::Token => "read as the unknown symbol",
        Unknown::Skip | Unknown::Error => "left out",
    }
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
