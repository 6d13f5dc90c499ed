//! `hatchery train`: trains an experiment file, or resumes an interrupted run.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use hatchery::{
    data::{Data, corpus},
    error::{Problem, Result},
    experiment::{Experiment, reading},
    network::Network,
    plot::{Histogram, Series, histogram_svg, loss_curve},
    plugins::Registry,
    run::{
        directory::{self, RunDirectory, Summary, Where},
        environment::Environment,
        log::{self, Metric},
        replace,
    },
    schedule,
    train::{
        Ending, Training, fits,
        origin::{self, Origin, Start},
        resume::Plan,
    },
};
use hatchery_cli::interrupt::Interrupt;

use super::{overrides, registry};
use crate::{arguments::Train, progress::Display};

/// Trains, and returns the exit status.
pub(crate) fn run(arguments: &Train) -> Result<u8> {
    match (&arguments.experiment, &arguments.resume) {
        (Some(experiment), None) => begin(arguments, experiment),
        // `--resume experiments/names.toml`: the value is meant to be the experiment.
        (None, Some(Some(file))) if file.is_file() && file.extension().is_some_and(|end| end == "toml") => {
            resume(arguments, Some(file), None)
        }
        (experiment, run) => resume(arguments, experiment.as_deref(), run.as_ref().and_then(|it| it.as_deref())),
    }
}

/// Trains from the first update.
fn begin(arguments: &Train, file: &Path) -> Result<u8> {
    let overrides = overrides(&arguments.overrides, arguments.device.as_deref());
    let registry = &registry(&arguments.libraries, &reading::libraries(file, &overrides)?)?;
    let (written, (experiment, base)) = read_file(file, &overrides, registry)?;
    let from = arguments.from.as_ref().map(|run| directory::resolve(Some(run), &arguments.runs)).transpose()?;
    let start = from.map(|run| Start::read(&run.checkpoint())).transpose()?;
    let vocabulary = start.as_ref().map(|start| start.vocabulary(&experiment)).transpose()?;
    let data = Data::open(&written, folder_of(file), registry, vocabulary)?;
    fits(&experiment, &data, registry)?;
    let mut network = Network::new(experiment, data.vocabulary.clone(), registry)?;
    if let Some(start) = &start {
        start.load(&mut network)?;
    }
    super::remark(&network);
    if !arguments.progress.quiet
        && let Some(run) = interrupted(&arguments.runs, Some(&network.experiment.name))?
    {
        let folder = run.path.display();
        say!("the last run, {folder}, was interrupted after {} updates; to resume it instead:", run.updates);
        say!("  hatchery train --resume {folder}\n");
    }
    let interrupt = Interrupt::watch()?;
    let directory = RunDirectory::create(&arguments.runs, &network.experiment.name)?;
    let lock = directory.lock()?;
    let mut display = Display::new(&arguments.progress, &network, &data, interrupt);
    let noted = Origin::write(&directory, &base, start.as_ref());
    let trained = noted.and_then(|()| Training::begin(network, &data, &directory)).and_then(|mut training| {
        if start.is_some() {
            // The experiment does not contain the parameters of `--from`: without this checkpoint an early interruption
            // could not be resumed.
            training.save()?;
        }
        train(training, environment_of, &mut display)
    });
    drop(lock);
    if trained.is_err() && !directory.checkpoint().exists() {
        // Without a checkpoint the folder holds no result.
        directory.discard()?;
    }
    trained
}

/// Resumes a run.
fn resume(arguments: &Train, file: Option<&Path>, run: Option<&Path>) -> Result<u8> {
    let overrides = overrides(&arguments.overrides, arguments.device.as_deref());
    // With a file, the experiment's name is known before the run is found.
    let libraries = file.map(|file| reading::libraries(file, &overrides)).transpose()?.unwrap_or_default();
    let named = registry(&arguments.libraries, &libraries)?;
    let (written, wanted) = file.map(|file| read_file(file, &overrides, &named)).transpose()?.unzip();
    let wanted = wanted.map(|(wanted, _)| wanted);
    let run = match run {
        Some(run) => directory::resolve(Some(run), &arguments.runs)?,
        None => match interrupted(&arguments.runs, wanted.as_ref().map(|wanted| wanted.name.as_str()))? {
            Some(run) => Where::Run(RunDirectory::open(&run.path)?),
            None => return Err(nothing_to_resume(arguments, wanted.as_ref()).into()),
        },
    };
    let recorded = run.directory()?.recorded_experiment().unwrap_or_default();
    // Without a file, texts and libraries are found by the paths in `origin.json`.
    let folder = file.map_or_else(|| origin::folder(&run), |file| folder_of(file).to_owned());
    let registry = match file {
        Some(_) => &named,
        None => &registry(&arguments.libraries, &reading::recorded_libraries(&recorded, &folder))?,
    };
    let directory = run.directory()?;
    let lock = directory.lock()?;
    let recorded = |text: &str| match wanted {
        Some(wanted) => Ok(wanted),
        None => reading::from_text(text, &directory.experiment().display().to_string(), &overrides, registry),
    };
    let plan = Plan::new(&run, &lock, recorded, registry)?;
    plan.reports.iter().for_each(super::warn);
    let from = plan.checkpoint.as_ref().map(|checkpoint| checkpoint.meta.progress.updates);
    let data = Data::open(written.as_ref().unwrap_or(&plan.experiment), &folder, registry, plan.vocabulary()?)?;
    let then = plan.checkpoint.as_ref().map(|checkpoint| checkpoint.meta.experiment.clone());
    let training = plan.start(&data, &directory, registry)?;
    super::remark(&training.network);
    let interrupt = Interrupt::watch()?;
    if !arguments.progress.quiet {
        let folder = directory.path().display();
        match from {
            Some(updates) if updates >= training.updates() => {
                say!("{folder} already has all its {updates} updates; for more: --set train.steps=…");
            }
            Some(updates) => say!("resuming {folder} after {updates} of {} updates", training.updates()),
            None => say!("{folder} has no checkpoint yet: it starts from the beginning"),
        }
        if let Some(then) = then {
            let then = reading::from_text(&then, "the experiment in the checkpoint", &[], registry)?;
            jump(&training, &then);
        }
    }
    let mut display = Display::new(&arguments.progress, &training.network, &data, interrupt);
    let before = Environment::read(&directory.environment()).ok();
    let trained = train(training, |experiment| environment_of(experiment).after(before), &mut display);
    drop(lock);
    trained
}

/// Reports the jump of the learning rate if the run was extended and its schedule depends on the number of updates.
fn jump(training: &Training<'_>, then: &Experiment) {
    let (updates, total) = (training.progress.updates, training.updates());
    let before = training.data.train.updates(&then.train);
    if before == total || updates == 0 || updates >= total || !then.schedule.depends_on_steps() {
        return;
    }
    let rate = |step, total| {
        let factor = schedule::factor(&then.schedule, step, total, training.data.train.steps_per_epoch());
        then.optimizer.learning_rate() * factor * training.progress.rate_factor
    };
    let short = |rate: f64| if rate == 0.0 { "0".to_owned() } else { format!("{rate:.1e}") };
    say!(
        "the learning rate goes from {} to {}: its schedule was that of {before} steps and is now that of {total}",
        short(rate(updates - 1, before)),
        short(rate(updates, total)),
    );
}

/// Trains, and writes all files of the run.
fn train(
    mut training: Training<'_>,
    environment: impl FnOnce(&Experiment) -> Environment,
    display: &mut Display,
) -> Result<u8> {
    let directory = training.directory;
    let experiment = training.network.experiment.clone();
    let mut environment = environment(&experiment);
    environment.write(&directory.environment())?;
    let start = Instant::now();
    let ending = training.run(display);
    let seconds = start.elapsed().as_secs_f64();
    let finished = matches!(ending, Ok(Ending::Finished | Ending::Early));
    environment.end(training.progress.updates, seconds, finished);
    environment.write(&directory.environment())?;
    draw(directory, &experiment)?;
    draw_lengths(directory, &experiment, training.data)?;
    let ending = ending?;
    display.finished(&training, ending, seconds);
    println!("{}", directory.path().display());
    Ok(if ending == Ending::Stopped { Interrupt::STATUS } else { 0 })
}

fn environment_of(experiment: &Experiment) -> Environment {
    Environment::begin(&experiment.backend.device, dtype(experiment), std::env::args())
}

/// The newest run, of the given name if any, unless it is finished or a program is training it.
fn interrupted(root: &Path, name: Option<&str>) -> Result<Option<Summary>> {
    let mut runs = directory::list(root)?;
    runs.retain(|run| name.is_none_or(|name| run.name == name));
    let last = runs.pop().filter(|run| !run.finished);
    Ok(last.filter(|run| RunDirectory::open(&run.path).is_ok_and(|directory| !directory.is_locked())))
}

fn nothing_to_resume(arguments: &Train, wanted: Option<&Experiment>) -> Problem {
    let of = wanted.map_or(String::new(), |wanted| format!(" of `{}`", wanted.name));
    Problem::new(format!(
        "the last run{of} in `{}` was not interrupted, or is still training",
        arguments.runs.display()
    ))
    .hint("`hatchery runs list` shows all of them; name one: --resume RUN")
}

/// The experiment of a file; and the form that the run records, whose paths of texts are relative to the folder returned
/// with it, so that they are found without the file.
fn read_file(file: &Path, overrides: &[String], registry: &Registry) -> Result<(Experiment, (Experiment, PathBuf))> {
    let written = reading::read(file, overrides, registry)?;
    let mut recorded = written.clone();
    let (corpus, base) = corpus::seen_from_here(&written.dataset.corpus, folder_of(file));
    recorded.dataset.corpus = corpus;
    Ok((written, (recorded, base)))
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("."))
}

/// The picture of the losses.
fn draw(directory: &RunDirectory, experiment: &Experiment) -> Result<()> {
    let metrics: Vec<Metric> = log::read(&directory.metrics())?;
    let train = metrics.iter().map(|metric| (metric.step as f64, metric.nats())).collect();
    let valid: Vec<_> = metrics
        .iter()
        .filter_map(|metric| Some((metric.step as f64, metric.valid.as_ref()?.nats_per_character)))
        .collect();
    let mut series = vec![Series { label: "training".to_owned(), points: train, ..Series::default() }];
    if !valid.is_empty() {
        series.push(Series { label: "validation".to_owned(), points: valid, ..Series::default() });
    }
    let picture = loss_curve(&series, &experiment.name, "nats per character");
    replace::text(&directory.picture(), &picture)
}

/// The histogram of the lengths of the training sequences, if they differ.
fn draw_lengths(directory: &RunDirectory, experiment: &Experiment, data: &Data) -> Result<()> {
    let lengths = data.train.facts().lengths;
    if lengths.len() < 2 {
        return Ok(());
    }
    let all = lengths.iter().flat_map(|(&length, &count)| std::iter::repeat_n(length as f64, count));
    let picture = histogram_svg(&Histogram::of(all, 25), &experiment.name, "symbols of a sequence");
    replace::text(&directory.path().join("lengths.svg"), &picture)
}

fn dtype(experiment: &Experiment) -> &'static str {
    match experiment.backend.dtype {
        hatchery::experiment::Dtype::F32 => "f32",
        hatchery::experiment::Dtype::F64 => "f64",
    }
}
