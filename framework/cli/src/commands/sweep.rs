//! `hatchery sweep`: plans, runs and compares the trials of a sweep.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use hatchery::{
    error::{Error, Result},
    executor,
    plot::{Series, loss_curve},
    run::{
        directory::RunDirectory,
        log::{self, Metric},
        replace,
    },
    sweep::{Folder, Outcome, Plan, Report, Row, Standing, State, Task, Trial, Verdict, standing, table, work},
};
use hatchery_cli::interrupt::Interrupt;
use serde_json::json;

use crate::{
    arguments::{Libraries, TableForm},
    show::{self, Column},
};

/// Writes the plan, and prints what it has.
pub(crate) fn plan(file: &Path, folder: Option<&Path>, commands: bool, libraries: &Libraries) -> Result<()> {
    let (folder, plan) = planned(file, folder, libraries)?;
    if commands {
        plan.trials.iter().for_each(|_| out!("hatchery sweep work {} --one", folder.path().display()));
        return Ok(());
    }
    say!("{}", headline(&plan));
    let columns = [
        Column::left("variant", plan.variants.iter().map(hatchery::sweep::Variant::label).collect()),
        Column::right("parameters", plan.variants.iter().map(|variant| variant.parameters.to_string()).collect()),
    ];
    show::table(&columns).iter().for_each(|line| say!("  {line}"));
    say!("Next:\n  hatchery sweep work {}", folder.path().display());
    out!("{}", folder.path().display());
    Ok(())
}

/// Plans, works with several workers, and prints the table. Returns the exit status.
pub(crate) fn run(file: &Path, folder: Option<&Path>, jobs: NonZeroUsize, libraries: &Libraries) -> Result<u8> {
    let (folder, plan) = planned(file, folder, libraries)?;
    say!("{}", headline(&plan));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if jobs.get() > 1 {
        executor::limit_threads((cores / jobs.get()).max(1));
    }
    let progress = Progress::new(&folder, &plan, Interrupt::watch()?)?;
    let options = super::options(libraries, Vec::new());
    let ended: Vec<Result<bool>> = thread::scope(|scope| {
        let worker = || work(&folder, &options, &progress, false, None);
        let workers: Vec<_> = (0..jobs.get()).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(lost()))).collect()
    });
    for done in ended {
        if !done? {
            say!("stopped; the same command goes on");
            return Ok(Interrupt::STATUS);
        }
    }
    print(&folder, TableForm::Text)?;
    Ok(0)
}

fn lost() -> Error {
    Error::Internal { message: "a worker ended without a result".to_owned(), cause: None }
}

/// Works on a planned sweep. Returns the exit status.
pub(crate) fn work_on(folder: &Path, one: bool, order: Option<u64>, libraries: &Libraries) -> Result<u8> {
    let folder = Folder::new(folder);
    let progress = Progress::new(&folder, &folder.plan()?, Interrupt::watch()?)?;
    let done = work(&folder, &super::options(libraries, Vec::new()), &progress, one, order)?;
    Ok(if done { 0 } else { Interrupt::STATUS })
}

/// Prints how many trials are in which state, or each trial with its state.
pub(crate) fn status(folder: &Path, json: bool) -> Result<()> {
    let folder = Folder::new(folder);
    let plan = folder.plan()?;
    let outcomes = folder.outcomes(&plan)?;
    let stands = standing(&plan, &outcomes);
    let states: Vec<_> = plan.trials.iter().zip(&outcomes).map(|(trial, it)| folder.state(&plan, trial, it)).collect();
    if json {
        for ((trial, outcome), state) in plan.trials.iter().zip(&outcomes).zip(states) {
            out!(
                "{}",
                json!({
                    "trial": trial.id, "variant": plan.variants[trial.variant].label(), "seed": trial.seed,
                    "state": state, "measured": outcome.measured, "error": outcome.failed.as_ref().map(|it| &it.message),
                })
            );
        }
        return Ok(());
    }
    out!("{}", headline(&plan));
    for state in [State::Completed, State::Running, State::Interrupted, State::Waiting, State::Diverged, State::Failed]
    {
        let count = states.iter().filter(|it| **it == state).count();
        if count > 0 {
            out!("{count:>7} {}", state.word());
        }
    }
    let left = stands.left.iter().flatten().count();
    if left > 0 {
        out!("{left:>7} variants left behind; their other trials are not trained");
    }
    if stands.is_done() {
        out!("nothing is left to do");
    }
    for (trial, outcome) in plan.trials.iter().zip(&outcomes) {
        if let Some(failure) = &outcome.failed {
            out!("  {} seed {}: {}", plan.variants[trial.variant].label(), trial.seed, failure.message);
        }
    }
    Ok(())
}

/// Prints the table of a sweep.
pub(crate) fn print(folder: &Folder, form: TableForm) -> Result<()> {
    let plan = folder.plan()?;
    let outcomes = folder.outcomes(&plan)?;
    let stands = standing(&plan, &outcomes);
    let rows = table(&plan, &outcomes, &stands);
    if form == TableForm::Json {
        rows.iter().for_each(|row| out!("{}", object(&plan, row)));
        return Ok(());
    }
    let heads =
        ["variant", "parameters", "updates", "seeds", "nats", "deviation", "95 % interval", "wins", "p", "verdict"];
    let cells: Vec<Vec<String>> = rows.iter().enumerate().map(|(at, row)| cells(&plan, &stands, row, at)).collect();
    match form {
        TableForm::Markdown => {
            out!("| {} |", heads.join(" | "));
            out!(
                "|{}",
                heads.iter().enumerate().map(|(at, _)| if at == 0 { " --- |" } else { " ---: |" }).collect::<String>()
            );
            cells.iter().for_each(|row| out!("| {} |", row.join(" | ")));
        }
        TableForm::Csv => {
            let quoted = |cell: &String| {
                if cell.contains([',', '"']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() }
            };
            out!("{}", heads.join(","));
            cells.iter().for_each(|row| out!("{}", row.iter().map(quoted).collect::<Vec<_>>().join(",")));
        }
        TableForm::Latex => {
            let escaped = |cell: &str| cell.replace('%', "\\%").replace('_', "\\_");
            out!("\\begin{{tabular}}{{l{}}}", "r".repeat(heads.len() - 1));
            out!("{} \\\\ \\hline", escaped(&heads.join(" & ")));
            cells.iter().for_each(|row| out!("{} \\\\", escaped(&row.join(" & "))));
            out!("\\end{{tabular}}");
        }
        TableForm::Text | TableForm::Json => {
            let column = |(at, head): (usize, &&str)| {
                let cells = cells.iter().map(|row| row[at].clone()).collect();
                if at == 0 || at + 1 == heads.len() { Column::left(head, cells) } else { Column::right(head, cells) }
            };
            show::table(&heads.iter().enumerate().map(column).collect::<Vec<_>>())
                .iter()
                .for_each(|line| out!("{line}"));
        }
    }
    Ok(())
}

/// Draws the mean validation curves.
pub(crate) fn picture(folder: &Path, picture: Option<&Path>) -> Result<()> {
    let folder = Folder::new(folder);
    let plan = folder.plan()?;
    let mut series = Vec::new();
    for (at, variant) in plan.variants.iter().enumerate() {
        let mut curves = Vec::new();
        for (_, trial) in plan.of_variant(at) {
            let Ok(run) = RunDirectory::open(&folder.trial(trial)) else { continue };
            let metrics: Vec<Metric> = log::read(&run.metrics())?;
            let valid = |metric: &Metric| Some((metric.step, metric.valid.as_ref()?.nats_per_character));
            curves.push(metrics.iter().filter_map(valid).collect::<Vec<_>>());
        }
        series.push(Series { label: variant.label(), points: mean_curve(&curves), ..Series::default() });
    }
    series.retain(|series| !series.points.is_empty());
    let drawn = loss_curve(&series, &plan.sweep.name, "nats per character, validation");
    let path = picture.map_or_else(|| folder.path().join("sweep.svg"), Path::to_owned);
    if picture.is_some() {
        replace::output(&path, &drawn)?;
    } else {
        replace::text(&path, &drawn)?;
    }
    out!("{}", path.display());
    Ok(())
}

/// The mean of several curves at the steps that the first and all others have.
fn mean_curve(curves: &[Vec<(u64, f64)>]) -> Vec<(f64, f64)> {
    let Some((first, others)) = curves.split_first() else { return Vec::new() };
    let at = |curve: &[(u64, f64)], step: u64| curve.iter().find(|(known, _)| *known == step).map(|(_, nats)| *nats);
    let mean = |&(step, nats): &(u64, f64)| {
        let others: Option<Vec<_>> = others.iter().map(|curve| at(curve, step)).collect();
        let sum = nats + others?.iter().sum::<f64>();
        Some((step as f64, sum / curves.len() as f64))
    };
    first.iter().filter_map(mean).collect()
}

fn planned(file: &Path, folder: Option<&Path>, libraries: &Libraries) -> Result<(Folder, Plan)> {
    let (plan, paths) = Plan::of(file, &super::options(libraries, Vec::new()))?;
    let folder = Folder::new(folder.map_or_else(|| Path::new("sweeps").join(&plan.sweep.name), PathBuf::from));
    folder.write(&plan, &paths)?;
    Ok((folder, plan))
}

fn headline(plan: &Plan) -> String {
    let (variants, seeds) = (plan.variants.len(), plan.sweep.repeat.seeds);
    let plural = |count: u64, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    format!(
        "{}: {} × {}, {} of {}",
        plan.sweep.name,
        plural(variants as u64, "variant"),
        plural(seeds.into(), "seed"),
        plural(plan.trials.len() as u64, "trial"),
        plural(plan.updates, "update"),
    )
}

/// The cells of a row that is the `at`-th of the table.
fn cells(plan: &Plan, stands: &Standing, row: &Row, at: usize) -> Vec<String> {
    let variant = &plan.variants[row.variant];
    let summary = row.summary.as_ref();
    let dash = || "–".to_owned();
    vec![
        variant.label(),
        variant.parameters.to_string(),
        row.updates.to_string(),
        summary.map_or_else(|| "0".to_owned(), |summary| summary.count.to_string()),
        summary.map_or_else(dash, |summary| show::loss(summary.mean, 4)),
        summary.and_then(|summary| summary.deviation).map_or_else(dash, |deviation| format!("{deviation:.4}")),
        summary
            .and_then(|summary| summary.interval)
            .map_or_else(dash, |[from, to]| format!("{} to {}", show::loss(from, 4), show::loss(to, 4))),
        row.wins.to_string(),
        row.p.map_or_else(dash, probability),
        verdict(plan, stands, row, at),
    ]
}

fn probability(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// The verdict on a variant, in words.
fn verdict(plan: &Plan, stands: &Standing, row: &Row, at: usize) -> String {
    let verdict = match &row.left {
        Some(Verdict::Rung(updates)) => format!("left behind after {updates} updates"),
        Some(Verdict::Behind { of, seeds, p }) => {
            format!("behind {} over {seeds} seeds (p {})", plan.variants[*of].label(), probability(*p))
        }
        None if !stands.is_done() => "not yet".to_owned(),
        None if at == 0 => "lowest mean".to_owned(),
        None => match row.p {
            Some(p) if p < 0.05 => "behind the first".to_owned(),
            Some(_) => "no difference found".to_owned(),
            None => String::new(),
        },
    };
    let failed = (row.failed > 0).then(|| format!("{} failed", row.failed));
    [verdict].into_iter().chain(failed).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

fn object(plan: &Plan, row: &Row) -> serde_json::Value {
    let variant = &plan.variants[row.variant];
    let summary = row.summary.as_ref();
    json!({
        "variant": variant.label(),
        "settings": variant.settings.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "parameters": variant.parameters,
        "updates": row.updates,
        "seeds": summary.map_or(0, |summary| summary.count),
        "mean": summary.map(|summary| summary.mean),
        "deviation": summary.and_then(|summary| summary.deviation),
        "interval": summary.and_then(|summary| summary.interval),
        "wins": row.wins,
        "p": row.p,
        "failed": row.failed,
        "left_behind": row.left.is_some(),
    })
}

/// Prints a line for each task that is done.
struct Progress {
    interrupt: Interrupt,
    /// Tasks that are done, of all workers of this program, and when each of the present ones began.
    state: Mutex<(usize, Vec<(Task, Instant)>)>,
    trials: usize,
}

impl Progress {
    fn new(folder: &Folder, plan: &Plan, interrupt: Interrupt) -> Result<Self> {
        let outcomes = folder.outcomes(plan)?;
        let done = outcomes.iter().filter(|outcome| is_complete(plan, outcome)).count();
        Ok(Self { interrupt, state: Mutex::new((done, Vec::new())), trials: plan.trials.len() })
    }
}

fn is_complete(plan: &Plan, outcome: &Outcome) -> bool {
    outcome.failed.is_some() || outcome.measured.contains_key(&plan.updates)
}

impl Report for Progress {
    fn began(&self, _plan: &Plan, _trial: &Trial, task: Task) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.push((task, Instant::now()));
    }

    fn ended(&self, plan: &Plan, trial: &Trial, task: Task, outcome: &Outcome) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let began = state.1.iter().position(|(known, _)| *known == task).map(|at| state.1.swap_remove(at).1);
        state.0 += usize::from(is_complete(plan, outcome));
        let seconds = began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        let result = match (&outcome.failed, outcome.measured.get(&task.updates)) {
            (Some(failure), _) => failure.message.clone(),
            (None, Some(nats)) => format!("{} nats after {} updates", show::loss(*nats, 4), task.updates),
            (None, None) => String::new(),
        };
        let label = plan.variants[trial.variant].label();
        say!("[{}/{}] {label} seed {}: {result}  ({seconds:.1} s)", state.0, self.trials, trial.seed);
    }

    fn wants_to_stop(&self) -> bool {
        self.interrupt.is_asked()
    }
}
