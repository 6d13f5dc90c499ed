//! `hatchery bench`: how fast an experiment trains and generates on the devices of this computer.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use hatchery::{
    data::Data,
    device::{card, open},
    error::Result,
    inspect::generate::{Limits, Request, generate},
    network::Network,
    plugins::Entry,
    random::Streams,
};
use hatchery_plugin::{Build, Kind};
use serde_json::json;

use super::{open_file, overrides};
use crate::arguments::Bench;

/// Repeats that are not counted, because caches and thread pools are cold.
const WARM_UP: u64 = 1;

/// Measures each device in turn. The experiment is set up as for training; a step is an update with its batch and its
/// loss, which is read once per repeat on graphics cards.
pub(crate) fn run(arguments: &Bench) -> Result<()> {
    if arguments.cells {
        return arguments.experiments.iter().try_for_each(|file| cells(file, arguments));
    }
    let devices: Vec<_> = match arguments.device.as_slice() {
        [] => vec![None],
        devices => devices.iter().map(|device| Some(device.as_str())).collect(),
    };
    let session_on = |(file, device): (&PathBuf, Option<&str>)| {
        let overrides = overrides(&arguments.overrides, device);
        let session = open_file(file, &arguments.libraries, overrides)?;
        open(&session.experiment.backend).map(|_| session)
    };
    let files = arguments.experiments.iter();
    let measured = files.flat_map(|file| devices.iter().map(move |device| (file, *device)));
    let mut rows: Vec<(String, f64, f64)> = Vec::new();
    // Missing devices are reported before any device is measured.
    for session in measured.map(session_on).collect::<Result<Vec<_>>>()? {
        let data = session.data()?;
        let mut network = session.network(data.vocabulary.clone())?;
        let training = train(&mut network, &data, arguments)?;
        let generation = write(&mut network, arguments)?;
        print(&network, &training, generation, arguments);
        let experiment = &network.experiment;
        let name = format!("{}, {} on {}", experiment.name, experiment.stack(), experiment.backend.device);
        rows.push((name, training.milliseconds_per_step, generation));
    }
    if arguments.experiments.len() > 1 && !arguments.json {
        compare(&rows);
    }
    Ok(())
}

/// Measures training with every cell, with the file's width and its own defaults.
fn cells(file: &Path, arguments: &Bench) -> Result<()> {
    let registry = super::registry(&arguments.libraries)?;
    let is_cell = |entry: &&Entry| matches!(entry.variant.build, Build::Cell(_));
    if !arguments.json {
        out!("| cell | parameters | ms a step | characters per second | GFLOP/s | compiled |");
        out!("| --- | ---: | ---: | ---: | ---: | --- |");
    }
    for name in registry.of(Kind::Cell).filter(is_cell).map(|entry| entry.variant.name) {
        let mut overrides = overrides(&arguments.overrides, arguments.device.first().map(String::as_str));
        overrides.push(format!("cell.type={name}"));
        let session = open_file(file, &arguments.libraries, overrides)?;
        let data = session.data()?;
        let mut network = session.network(data.vocabulary.clone())?;
        let training = train(&mut network, &data, arguments)?;
        let parameters = network.size;
        let rate = training.products.as_ref().map(|work| work.gigaflops_per_second);
        if arguments.json {
            out!(
                "{}",
                json!({
                    "cell": name,
                    "parameters": parameters,
                    "milliseconds_per_step": training.milliseconds_per_step,
                    "characters_per_second": training.characters_per_second,
                    "gigaflops_per_second": rate,
                    "compiled": network.remark.is_none(),
                    "remark": network.remark,
                })
            );
            continue;
        }
        let (time, speed) = (training.milliseconds_per_step, training.characters_per_second);
        let compiled = network.remark.as_deref().map_or("yes".to_owned(), |why| format!("no: {why}"));
        let rate = rate.map_or(String::new(), |rate| format!("{rate:.1}"));
        out!("| {name} | {parameters} | {time:.2} | {speed:.0} | {rate} | {compiled} |");
    }
    Ok(())
}

/// A line for each experiment, with its times as multiples of the first.
fn compare(rows: &[(String, f64, f64)]) {
    let Some((_, first_step, first_written)) = rows.first() else { return };
    let width = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or_default();
    out!("{:width$}  {:>12}  {:>6}  {:>16}  {:>6}", "", "ms per step", "times", "characters per s", "times");
    for (name, step, written) in rows {
        out!(
            "{name:width$}  {step:>12.3}  {:>6.2}  {written:>16.0}  {:>6.2}",
            step / first_step,
            written / first_written
        );
    }
}

/// Medians over the repeats.
struct Training {
    milliseconds_per_step: f64,
    characters_per_second: f64,
    /// Of the compiled executor only: its execution plan has the number of operations.
    products: Option<Work>,
}

/// The speed of matrix products in training.
struct Work {
    /// Operations of matrix products, divided by the time of the whole update.
    gigaflops_per_second: f64,
    /// Share of the time of all threads, waiting included, that is spent in matrix products.
    share_of_time: f64,
}

fn train(network: &mut Network, data: &Data, arguments: &Bench) -> Result<Training> {
    let rate = network.experiment.optimizer.learning_rate();
    let mut step = 0;
    // One repeat: its seconds and the characters in its losses.
    let mut repeat = |network: &mut Network| -> Result<(f64, f64)> {
        let mut characters = 0;
        let start = Instant::now();
        for _ in 0..arguments.steps {
            let batch = data.train.batch(step);
            network.executor.train(&batch, &Streams::new(network.experiment.seed, step), rate)?;
            // As in training, losses of an asynchronous device are not read after each update.
            if !network.executor.is_async() {
                network.executor.losses()?;
            }
            characters += batch.counted();
            step += 1;
        }
        network.executor.losses()?;
        Ok((start.elapsed().as_secs_f64(), characters as f64))
    };
    for _ in 0..WARM_UP {
        repeat(network)?;
    }
    let (mut milliseconds, mut speeds, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.repeats {
        let before = operations(network);
        let (seconds, characters) = repeat(network)?;
        milliseconds.push(1000.0 * seconds / arguments.steps as f64);
        speeds.push(characters / seconds);
        rates.extend(operations(network).zip(before).map(|(after, before)| (after - before) as f64 / seconds / 1e9));
    }
    // Reading the clock twice for every product takes time itself: hence a separate repeat.
    network.executor.time_products(true);
    let (seconds, _) = repeat(network)?;
    network.executor.time_products(false);
    let products = network.executor.products().map(|products| Work {
        gigaflops_per_second: median(rates),
        share_of_time: products.seconds / (seconds * products.threads as f64),
    });
    Ok(Training { milliseconds_per_step: median(milliseconds), characters_per_second: median(speeds), products })
}

/// The floating-point operations of all matrix products so far.
fn operations(network: &Network) -> Option<u64> {
    network.executor.products().map(|products| products.operations)
}

/// Characters generated per second, one sequence at a time; a sequence that ends early is followed by another.
fn write(network: &mut Network, arguments: &Bench) -> Result<f64> {
    let mut speeds = Vec::new();
    let wanted = arguments.characters as usize;
    for repeat in 0..=arguments.repeats {
        let (mut drawn, mut seed) = (0, 0);
        let start = Instant::now();
        while drawn < wanted {
            let request = Request {
                prefix: String::new(),
                count: 1,
                length: wanted - drawn,
                seed,
                occasion: "bench".to_owned(),
                capitalize: false,
                limits: Limits::default(),
            };
            let tokens =
                generate(network, &request, &mut |_, _| ())?.iter().map(|text| text.tokens.len()).sum::<usize>();
            drawn += (tokens + 1).min(wanted - drawn); // the end symbol was drawn too
            seed += 1;
        }
        if repeat >= WARM_UP {
            speeds.push(drawn as f64 / start.elapsed().as_secs_f64());
        }
    }
    Ok(median(speeds))
}

fn print(network: &Network, training: &Training, generation: f64, arguments: &Bench) {
    let experiment = &network.experiment;
    if arguments.json {
        out!(
            "{}",
            json!({
                "experiment": experiment.name,
                "device": experiment.backend.device,
                "card": card(&experiment.backend.device),
                "dtype": experiment.backend.dtype,
                "remark": network.remark,
                "milliseconds_per_step": training.milliseconds_per_step,
                "characters_per_second": training.characters_per_second,
                "gigaflops_per_second": training.products.as_ref().map(|work| work.gigaflops_per_second),
                "share_of_time_in_products": training.products.as_ref().map(|work| work.share_of_time),
                "generated_characters_per_second": generation,
                "steps": arguments.steps,
                "repeats": arguments.repeats,
            })
        );
    } else {
        let device = &experiment.backend.device;
        if arguments.experiments.len() > 1 {
            out!("experiment           {}", experiment.name);
        }
        out!("device               {}", card(device).map_or(device.clone(), |card| format!("{device} ({card})")));
        if let Some(remark) = &network.remark {
            out!("not compiled         {remark}");
        }
        out!("training step        {:.3} ms", training.milliseconds_per_step);
        out!("training             {:.0} characters per second", training.characters_per_second);
        if let Some(work) = &training.products {
            let (rate, share) = (work.gigaflops_per_second, 100.0 * work.share_of_time);
            out!("products             {rate:.1} GFLOP/s, {share:.0} % of the threads' time");
        }
        out!("generation           {generation:.0} characters per second\n");
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}
