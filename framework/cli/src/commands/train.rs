//! `hatchery train`: trains an experiment file, or resumes an interrupted run.

use std::{path::Path, time::Instant};

use hatchery::{
    data::Data,
    error::{Error, Problem, Result},
    experiment::{Experiment, reading},
    inspect::beginning,
    plot::{Histogram, Series, histogram_svg, loss_curve},
    plugins::Registry,
    run::{
        directory::{self, RunDirectory, RunRef, Summary, Validation, diverged},
        environment::{End, Environment},
        log::{self, Metric},
        replace,
    },
    schedule,
    session::{Session, Source},
    train::{
        Ending, Training, fits,
        origin::{Origin, Start},
        resume::Plan,
    },
};
use hatchery_cli::interrupt::Interrupt;

use super::{checkpoint::Chosen, schema};
use crate::{arguments::Train, progress::Display, show::loss};

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
    let session = super::open_file(file, &arguments.libraries, overrides(arguments))?;
    let from = arguments.from.as_ref().map(|run| Chosen::find(Some(run), &arguments.runs, false)).transpose()?;
    let start = from.as_ref().map(|from| Start::read(&from.run.checkpoint())).transpose()?;
    let data = session.data_from(start.as_ref())?;
    fits(&session.experiment, &data, &session.registry)?;
    let mut network = session.network(data.vocabulary.clone())?;
    if let Some(start) = &start {
        start.load(&mut network)?;
        for difference in start.differences(&network.experiment) {
            say!("note: {difference}");
        }
    }
    super::remark(&network);
    if !arguments.progress.quiet {
        mention_interrupted(&arguments.runs, &network.experiment.name)?;
        if let (Some(from), Some(start)) = (&from, &start) {
            mention_start(from, start.updates());
        }
    }
    let interrupt = Interrupt::watch()?;
    let directory = RunDirectory::create(&arguments.runs, &network.experiment.name)?;
    let lock = directory.lock()?;
    let mut display = Display::new(&arguments.progress, &network, &data, interrupt);
    let noted = Origin::write(&directory, &session.recorded().1, start.as_ref());
    let trained = noted.and_then(|()| Training::begin(network, &data, &directory)).and_then(|mut training| {
        if start.is_some() {
            // The experiment does not contain the parameters of `--from`: without this checkpoint an early interruption
            // could not be resumed.
            training.save()?;
        }
        train(training, environment_of, &session.registry, &mut display)
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
    let of_file = file.map(|file| super::open_file(file, &arguments.libraries, overrides(arguments))).transpose()?;
    let run = find(arguments, run, of_file.as_ref().map(|session| &session.experiment))?;
    let directory = run.directory()?;
    let lock = directory.lock()?;
    let session = match of_file {
        Some(session) => session,
        None => Session::open(Source::Run(&run), &super::options(&arguments.libraries, overrides(arguments)))?,
    };
    let plan = Plan::new(&run, &lock, session.recorded().0, &session.registry)?;
    plan.reports.iter().for_each(super::warn);
    let then = plan.checkpoint.as_ref().map(|checkpoint| checkpoint.meta.clone());
    let data = session.data_with(plan.vocabulary()?)?;
    let training = plan.start(&data, &directory, &session.registry)?;
    super::remark(&training.network);
    let interrupt = Interrupt::watch()?;
    if !arguments.progress.quiet {
        let folder = directory.path().display();
        match &then {
            Some(then) if then.progress.updates >= training.updates() => {
                let updates = then.progress.updates;
                say!("{folder} already has all its {updates} updates; for more: --set train.steps=…");
            }
            Some(_) if training.is_out_of_patience() => {
                let reports = training.progress.stale;
                say!(
                    "{folder} ended by patience, {reports} reports after its best; for more: --set train.patience={}",
                    2 * reports
                );
            }
            Some(then) => {
                say!("resuming {folder} after {} of {} updates", then.progress.updates, training.updates());
            }
            None => say!("{folder} has no checkpoint yet: it starts from the beginning"),
        }
        if let Some(then) = then {
            let then =
                reading::from_text(&then.experiment, "the experiment in the checkpoint", &[], &session.registry)?;
            jump(&training, &then);
        }
    }
    let mut display = Display::new(&arguments.progress, &training.network, &data, interrupt);
    let before = Environment::read(&directory.environment()).ok();
    let trained =
        train(training, |experiment| environment_of(experiment).after(before), &session.registry, &mut display);
    drop(lock);
    trained
}

/// The run to resume: the given one, or the newest (with the experiment's name, if a file is given) if it was interrupted.
fn find(arguments: &Train, run: Option<&Path>, wanted: Option<&Experiment>) -> Result<RunRef> {
    if run.is_some() {
        return directory::resolve(run, &arguments.runs);
    }
    match interrupted(&arguments.runs, wanted.map(|wanted| wanted.name.as_str()))? {
        Some(run) => Ok(RunRef::Run(RunDirectory::open(&run.path)?)),
        None => Err(nothing_to_resume(arguments, wanted).into()),
    }
}

/// Prints a hint if the last run with this name was interrupted.
fn mention_interrupted(root: &Path, name: &str) -> Result<()> {
    if let Some(run) = interrupted(root, Some(name))? {
        let folder = run.path.display();
        say!("the last run, {folder}, was interrupted after {} updates; to resume it instead:", run.updates);
        say!("  hatchery train --resume {folder}\n");
    }
    Ok(())
}

/// Prints with which checkpoint the run begins, and how to begin with the other.
fn mention_start(from: &Chosen, updates: u64) {
    let RunRef::Run(run) = &from.run else {
        return say!("beginning with {}, after {updates} updates", from.name());
    };
    let other = from.other().filter(|other| *other != updates);
    let other =
        other.map_or(String::new(), |best| format!("; the best is after {best}: --from {}", run.best().display()));
    say!("beginning with the {} checkpoint, after {updates} updates{other}", from.name());
}

fn overrides(arguments: &Train) -> Vec<String> {
    super::overrides(&arguments.overrides, arguments.device.as_deref())
}

/// Reports the jump of the learning rate if the run was extended and its schedule depends on the number of updates.
fn jump(training: &Training<'_>, then: &Experiment) {
    let (updates, total) = (training.progress.updates, training.updates());
    let before = training.data.train.updates(&then.train);
    if before == total || updates == 0 || updates >= total || !then.schedule.depends_on_steps() {
        return;
    }
    let rate = |experiment: &Experiment, step, total| {
        let factor = schedule::factor(&experiment.schedule, step, total, training.data.train.steps_per_epoch());
        experiment.optimizer.learning_rate() * factor * training.progress.rate_factor
    };
    let short = |rate: f64| if rate == 0.0 { "0".to_owned() } else { format!("{rate:.1e}") };
    say!(
        "the learning rate goes from {} to {}: its schedule was that of {before} steps and is now that of {total}",
        short(rate(then, updates - 1, before)),
        short(rate(&training.network.experiment, updates, total)),
    );
}

/// Trains, and writes all files of the run.
fn train(
    mut training: Training<'_>,
    environment: impl FnOnce(&Experiment) -> Environment,
    registry: &Registry,
    display: &mut Display,
) -> Result<u8> {
    let directory = training.directory;
    let experiment = training.network.experiment.clone();
    let mut environment = environment(&experiment);
    environment.write(&directory.environment())?;
    let start = Instant::now();
    let ending = training.run(display);
    let seconds = start.elapsed().as_secs_f64();
    let end = match &ending {
        Ok(Ending::Finished) => End::Finished,
        Ok(Ending::Early) => End::Patience,
        Ok(Ending::Stopped) => End::Stopped,
        Err(_) if training.has_diverged => End::Diverged,
        Err(_) => End::Failed,
    };
    environment.end(training.progress.updates, seconds, end);
    environment.write(&directory.environment())?;
    draw(directory, &experiment)?;
    draw_lengths(directory, &experiment, training.data)?;
    let ending = ending.map_err(|error| at_the_beginning(error, &training, &experiment, registry))?;
    if let Some(root) = directory.path().parent().and_then(Path::parent) {
        schema::write(root, registry)?;
    }
    display.finished(&training, ending, seconds);
    warn_of_divergence(directory)?;
    out!("{}", directory.path().display());
    Ok(if ending == Ending::Stopped { Interrupt::STATUS } else { 0 })
}

/// The error of a training that diverged before its first update: that is the model's fault, and no learning rate helps.
fn at_the_beginning(error: Error, training: &Training<'_>, experiment: &Experiment, registry: &Registry) -> Error {
    let Error::User(mut problems) = error else { return error };
    if !training.has_diverged || training.progress.updates > 0 {
        return Error::User(problems);
    }
    // What explains the error must not replace it by another.
    let found = beginning::fault(experiment, registry, training.network.vocabulary.len()).unwrap_or_default();
    if let (Some(fault), Some(problem)) = (found, problems.first_mut()) {
        problem.notes.insert(0, fault);
        problem.hint = Some(
            "no update was made yet, so the learning rate is not the cause: change the cell, for a root or a quotient \
             `(x.square().sum_dim(1) + 1e-5).sqrt()`"
                .to_owned(),
        );
    }
    Error::User(problems)
}

/// Warns if the losses of a training that came to its end say that it has diverged.
fn warn_of_divergence(directory: &RunDirectory) -> Result<()> {
    let metrics: Vec<Metric> = log::read(&directory.metrics())?;
    if let (true, Some(first), Some(last)) = (diverged(&metrics), metrics.first(), metrics.last()) {
        let [first, last] = [first, last].map(|metric| loss(metric.nats(), 4));
        let problem = Problem::new("the training has diverged");
        let problem = problem.note(format!("training loss: {first} nats per character at first, {last} at the end"));
        super::warn(
            &problem
                .hint("lower optimizer.learning-rate, or clip gradients ([[clipper]] type = \"norm\", limit = 1.0)"),
        );
    }
    Ok(())
}

fn environment_of(experiment: &Experiment) -> Environment {
    Environment::begin(&experiment.backend.device, dtype(experiment), std::env::args_os())
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
        let best = Validation::of(&metrics).1;
        let best = best.map_or(String::new(), |best| format!(", best {} at step {}", loss(best.nats, 4), best.step));
        series.push(Series {
            label: format!("validation{best}"),
            points: valid,
            is_measured: true,
            ..Series::default()
        });
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
