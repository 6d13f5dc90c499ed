//! `hatchery sample`: text from a trained model.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use hatchery::{
    data::encode_prefix,
    error::{Error, Problem, Result},
    inspect::{
        beam::beam,
        generate::{GeneratedText, Limits, Request, generate, likely},
        novelty::{NoveltyReport, novelty},
    },
    network::{Network, samplers},
    plugins::Registry,
    session::Session,
    visible,
};
use serde_json::json;

use crate::{arguments::Sample, show};

pub(crate) fn run(arguments: &Sample) -> Result<()> {
    let samplers: Vec<_> = chain(&specs(arguments))?.into_iter().collect();
    let (session, mut network) = open(arguments.chosen.first().map(PathBuf::as_path), arguments, &samplers)?;
    if let [_, others @ ..] = arguments.chosen.as_slice()
        && !others.is_empty()
    {
        let others = others.iter().map(|run| Ok(open(Some(run), arguments, &samplers)?.1)).collect::<Result<_>>()?;
        network = network.average(others)?;
    }

    let defaults = network.experiment.sample.clone();
    if let Some(count) = arguments.next {
        let prefix = arguments.prefix.as_ref().unwrap_or(&defaults.prefix);
        return next(&mut network, prefix, count as usize, arguments.json);
    }
    if let Some(width) = arguments.beam {
        // The file's chain is made for drawing; one that is asked for says what may follow.
        if samplers.is_empty() {
            network.samplers.clear();
        }
        return search(arguments, &mut network, width as usize);
    }
    if arguments.interactive {
        return interact(arguments, &mut network, &session.registry);
    }
    let request = Request {
        prefix: arguments.prefix.clone().unwrap_or(defaults.prefix),
        count: arguments.count.map_or(defaults.count, |count| count as usize),
        length: arguments.length.map_or(defaults.length, |length| length as usize),
        seed: arguments.seed.unwrap_or_else(|| network.sample_seed()),
        occasion: "sample".to_owned(),
        capitalize: defaults.capitalize,
        limits: limits(arguments),
    };
    let mut all = Vec::new();
    if arguments.temperature.is_empty() {
        all = draw(&mut network, &request, None, arguments.json)?;
    }
    for &temperature in &arguments.temperature {
        network.samplers = at_temperature(arguments, &network, temperature, &session.registry)?;
        all.extend(draw(&mut network, &request, Some(temperature), arguments.json)?);
    }
    if arguments.novelty {
        let data = session.data()?;
        super::warn_of_another_text(&session, &data);
        report(&novelty(&data, &all), &all, arguments.json);
    }
    Ok(())
}

/// A model, with a note if its run has another checkpoint.
fn open(run: Option<&Path>, arguments: &Sample, samplers: &[String]) -> Result<(Session, Network)> {
    let (session, checkpoint) = super::open_model(run, &arguments.place, samplers)?;
    let (network, progress) = super::restore(&session)?;
    if let Some(remark) = checkpoint.remark(progress.updates) {
        say!("{remark}");
    }
    Ok((session, network))
}

/// The samplers of the command line, the short forms among them.
fn specs(arguments: &Sample) -> Vec<String> {
    let top_k = arguments.top_k.map(|k| format!("top-k:k={k}"));
    let top_p = arguments.top_p.map(|p| format!("top-p:p={p:?}"));
    arguments.sampler.iter().cloned().chain(top_k).chain(top_p).collect()
}

/// The most likely continuations.
fn search(arguments: &Sample, network: &mut Network, width: usize) -> Result<()> {
    let defaults = network.experiment.sample.clone();
    let request = Request {
        prefix: arguments.prefix.clone().unwrap_or(defaults.prefix),
        count: width,
        length: arguments.length.map_or(defaults.length, |length| length as usize),
        seed: 0,
        occasion: "beam".to_owned(),
        capitalize: defaults.capitalize,
        limits: Limits::default(),
    };
    for (index, found) in beam(network, &request, width)?.into_iter().enumerate() {
        let (nats, text) = (found.nats, found.sequence.text);
        if arguments.json {
            out!("{}", json!({ "index": index, "nats": nats, "text": text }));
        } else {
            out!("{nats:>9.4}  {text}");
        }
    }
    Ok(())
}

/// What ends a sample, and what is not drawn.
fn limits(arguments: &Sample) -> Limits {
    Limits {
        stop: arguments.stop.clone(),
        min_length: arguments.min_length.map_or(0, |length| length as usize),
        forbid: arguments.forbid.clone().unwrap_or_default(),
    }
}

/// The samplers of the command line as an override of the experiment, which is checked as a file is.
fn chain(samplers: &[String]) -> Result<Option<String>> {
    let table = |spec: &String| {
        let (name, keys) = spec.split_once(':').unwrap_or((spec, ""));
        let comma = if keys.is_empty() { "" } else { ", " };
        let table = format!("{{ type = {name:?}{comma}{keys} }}");
        let is_table = format!("x = {table}").parse::<toml::Table>().is_ok_and(|whole| whole.len() == 1);
        let problem = || {
            Problem::new(format!("`--sampler {spec}` is not a name with keys"))
                .hint("for example --sampler greedy, --sampler top-p:p=0.9; `hatchery plugins list` has the names")
        };
        if is_table { Ok(table) } else { Err(problem()) }
    };
    let tables = samplers.iter().map(table).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok((!tables.is_empty()).then(|| format!("sampler=[{}]", tables.join(", "))))
}

/// Prints the most likely next characters with their probabilities.
fn next(network: &mut Network, prefix: &str, count: usize, json: bool) -> Result<()> {
    for (symbol, probability) in likely(network, prefix)?.into_iter().take(count) {
        if json {
            out!("{}", json!({ "symbol": symbol, "probability": probability }));
        } else {
            out!("{:<6} {probability:.6}", visible::symbol(symbol));
        }
    }
    Ok(())
}

/// Prompts for the beginning of a text and continues it character by character, until an empty line or the end of input.
fn interact(arguments: &Sample, network: &mut Network, registry: &Registry) -> Result<()> {
    if let [temperature, ..] = arguments.temperature[..] {
        network.samplers = at_temperature(arguments, network, temperature, registry)?;
    }
    let failed = |error| Error::internal("cannot read what was typed", error);
    for number in 0.. {
        eprint!("The beginning (an empty line ends): ");
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map_err(failed)?;
        let prefix = line.trim_end_matches(['\n', '\r']);
        if prefix.is_empty() {
            break;
        }
        let request = Request {
            prefix: prefix.to_owned(),
            count: 1,
            length: arguments.length.map_or(network.experiment.sample.length, |length| length as usize),
            seed: arguments.seed.unwrap_or_else(|| network.sample_seed()),
            occasion: format!("sample {number}"),
            capitalize: false,
            limits: limits(arguments),
        };
        // After an unknown character, prompt again.
        if let Err(error) = encode_prefix(&network.vocabulary, prefix) {
            say!("{}", error.render(false));
            continue;
        }
        stream(network, &request)?;
        out!("");
    }
    Ok(())
}

/// Prints the comparison of the samples with the training split.
fn report(copied: &[NoveltyReport], samples: &[GeneratedText], json: bool) {
    let verbatim = copied.iter().filter(|copied| copied.is_verbatim).count();
    if json {
        for (index, copied) in copied.iter().enumerate() {
            let (nearest, distance) = copied.nearest.clone().unzip();
            out!(
                "{}",
                json!({
                    "index": index,
                    "verbatim": copied.is_verbatim,
                    "nearest": nearest,
                    "distance": distance,
                    "longest_run": copied.longest_run,
                })
            );
        }
        return;
    }
    out!("\nin the training data word for word: {verbatim} of {}", samples.len());
    for (copied, sample) in copied.iter().zip(samples) {
        let run = copied.longest_run.chars().count();
        let nearest = match &copied.nearest {
            Some((_, 0)) => "is in the training data".to_owned(),
            Some((document, distance)) => format!("nearest {document:?}, {distance} away"),
            None => String::new(),
        };
        let start: String = sample.text.chars().take(24).collect();
        out!("  {:<26}  longest copied run {run:>3} {:?}  {nearest}", format!("{start:?}"), copied.longest_run);
    }
}

/// A sampler chain of one temperature, 0 is greedy, and then --top-k and --top-p.
fn at_temperature(
    arguments: &Sample,
    network: &Network,
    temperature: f64,
    registry: &Registry,
) -> Result<Vec<Box<dyn hatchery_plugin::host::HostSampler>>> {
    if !temperature.is_finite() || temperature < 0.0 {
        return Err(Problem::new(format!("a temperature is a number of at least 0, not {temperature}"))
            .hint("0 is the most likely character, 1 the model's own probabilities; higher values make them more even")
            .into());
    }
    let mut experiment = network.experiment.clone();
    let part = if temperature == 0.0 {
        json!({ "type": "greedy" })
    } else {
        json!({ "type": "temperature", "temperature": temperature })
    };
    let part = serde_json::from_value(part).map_err(|error| Error::internal("cannot set the temperature", error))?;
    if arguments.top_k.is_none() && arguments.top_p.is_none() {
        experiment.sampler.clear();
    }
    experiment.sampler.insert(0, part);
    samplers(&experiment, registry)
}

/// Draws and prints samples: a single one character by character, several when all are drawn.
fn draw(network: &mut Network, request: &Request, temperature: Option<f64>, json: bool) -> Result<Vec<GeneratedText>> {
    if let (Some(temperature), false) = (temperature, json) {
        out!("temperature {temperature}:");
    }
    if request.count == 1 && !json {
        return Ok(vec![stream(network, request)?]);
    }
    let samples = generate(network, request, &mut |_, _| ())?;
    if json {
        for (index, sample) in samples.iter().enumerate() {
            out!("{}", json!({ "index": index, "temperature": temperature, "text": sample.text }));
        }
    } else {
        let texts = samples.iter().map(|sample| sample.text.as_str());
        show::samples(texts, "").iter().for_each(|text| out!("{text}"));
    }
    Ok(samples)
}

/// Prints a sample character by character. An invalid prefix is refused before anything is printed.
fn stream(network: &mut Network, request: &Request) -> Result<GeneratedText> {
    encode_prefix(&network.vocabulary, &request.prefix)?;
    let mut out = std::io::stdout();
    let is_watched = out.is_terminal();
    let mut capitalize = request.capitalize;
    let mut show = |symbol: char| {
        if std::mem::take(&mut capitalize) {
            put!("{}", symbol.to_uppercase());
        } else {
            put!("{symbol}");
        }
        if is_watched {
            out.flush().ok(); // If it fails, so does the next print, which reports it.
        }
    };
    request.prefix.chars().for_each(&mut show);
    let drawn = generate(network, request, &mut |_, symbol| show(symbol));
    out!("");
    Ok(drawn?.remove(0))
}
