//! `hatchery sweep`: plans, runs and compares the trials of a sweep.

mod launch;
mod picture;
mod progress;
mod table;

use std::{io::Read, path::Path, thread};

use hatchery::{
    error::{Error, Result},
    executor,
    sweep::{self, Folder, Plan, Planned, State, score, standing, work},
};
use hatchery_cli::interrupt::Interrupt;
use serde_json::json;

use self::progress::Progress;
pub(crate) use self::{picture::picture, table::print};
use crate::{
    arguments::{Libraries, SweepPlan, SweepRun, TableForm},
    show::{self, Column},
};

/// Writes the plan, and prints what it has.
pub(crate) fn plan(arguments: &SweepPlan) -> Result<()> {
    let (folder, plan) = planned(&arguments.file, arguments.folder.as_deref(), &arguments.libraries)?;
    if arguments.commands {
        launch::commands(&folder, &plan, &arguments.libraries);
        return Ok(());
    }
    if arguments.kubernetes {
        launch::kubernetes(&folder, &plan, arguments.jobs, &arguments.cluster);
        return Ok(());
    }
    say!("{}", headline(&plan));
    let cells = |cell: &dyn Fn(&sweep::Variant) -> String| plan.variants.iter().map(cell).collect::<Vec<_>>();
    let mut columns = vec![
        Column::left("variant", cells(&sweep::Variant::label)),
        Column::right("parameters", cells(&|variant| variant.parameters.to_string())),
    ];
    if plan.variants.iter().any(|variant| variant.updates != plan.variants[0].updates) {
        columns.insert(1, Column::right("updates", cells(&|variant| variant.updates.to_string())));
    }
    show::table(&columns).iter().for_each(|line| say!("  {line}"));
    say!("Next:\n  hatchery sweep work {}", folder.path().display());
    out!("{}", folder.path().display());
    Ok(())
}

/// Plans, works with several workers, and prints the table. Returns the exit status.
pub(crate) fn run(arguments: &SweepRun) -> Result<u8> {
    let SweepRun { file, folder, jobs, slurm, sbatch, libraries } = arguments;
    let (folder, plan) = planned(file, folder.as_deref(), libraries)?;
    say!("{}", headline(&plan));
    if *slurm {
        return launch::slurm(&folder, &plan, *jobs, sbatch, libraries).map(|()| 0);
    }
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
            drop(progress);
            say!("stopped; the same command goes on");
            return Ok(Interrupt::STATUS);
        }
    }
    drop(progress);
    print(folder.path(), TableForm::Text, None, false)?;
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

/// Adds the variants that standard input proposes, and prints what became of each.
pub(crate) fn ask(file: &Path, folder: Option<&Path>, libraries: &Libraries) -> Result<()> {
    let mut proposals = String::new();
    std::io::stdin()
        .read_to_string(&mut proposals)
        .map_err(|error| Error::internal("cannot read the proposals from standard input", error))?;
    let options = super::options(libraries, Vec::new());
    // Until they are written no other program adds any.
    let _alone = Plan::folder(file, folder)?.lock()?;
    let Planned { folder, plan, paths, asked } = Plan::of(file, folder, &options, Some(&proposals))?;
    folder.write(&plan, &paths)?;
    for variant in asked {
        let trials: Vec<_> = plan.of_variant(variant).map(|(_, trial)| &trial.id).collect();
        let it = &plan.variants[variant];
        out!("{}", json!({ "variant": variant, "label": it.label(), "parameters": it.parameters, "trials": trials }));
    }
    Ok(())
}

/// Prints the result of every variant whose trials are all done, one JSON object each.
pub(crate) fn tell(folder: &Path) -> Result<()> {
    let folder = Folder::new(folder);
    let plan = folder.plan()?;
    let outcomes = folder.outcomes(&plan)?;
    for (variant, it) in plan.variants.iter().enumerate() {
        let values: Option<Vec<f64>> =
            plan.of_variant(variant).map(|(trial, _)| objective(&outcomes[trial], it.updates)).collect();
        let Some(values) = values else { continue };
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let nats = mean.is_finite().then_some(mean);
        out!("{}", json!({ "variant": variant, "label": it.label(), "nats": nats, "seeds": values.len() }));
    }
    Ok(())
}

/// The objective of a whole trial, infinite if it failed; none if it is not done.
fn objective(outcome: &sweep::Outcome, updates: u64) -> Option<f64> {
    outcome.failed.as_ref().map(|_| f64::INFINITY).or(outcome.measured.get(&updates).copied())
}

/// Measures the chosen variants on the test split, and prints their scores.
pub(crate) fn test(folder: &Path, libraries: &Libraries) -> Result<()> {
    sweep::test(&Folder::new(folder), &super::options(libraries, Vec::new()))?;
    let folder = Folder::new(folder);
    let (plan, scores) = (folder.plan()?, folder.scores()?);
    let tested = (0..plan.variants.len()).filter_map(|variant| Some((variant, score(&plan, &scores, variant)?)));
    for (variant, score) in tested {
        let deviation = score.deviation.map_or(String::new(), |deviation| format!(" ± {deviation:.4}"));
        let (label, mean) = (plan.variants[variant].label(), show::loss(score.mean, 4));
        out!("{label}: {mean}{deviation} nats per character on the test split, {} seeds", score.count);
    }
    Ok(())
}

fn planned(file: &Path, folder: Option<&Path>, libraries: &Libraries) -> Result<(Folder, Plan)> {
    let Planned { folder, plan, paths, .. } = Plan::of(file, folder, &super::options(libraries, Vec::new()), None)?;
    folder.write(&plan, &paths)?;
    Ok((folder, plan))
}

fn headline(plan: &Plan) -> String {
    let (variants, seeds) = (plan.variants.len(), plan.sweep.repeat.seeds);
    let plural = |count: u64, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let updates = || plan.variants.iter().map(|variant| variant.updates);
    let range = match (updates().min().unwrap_or(0), updates().max().unwrap_or(0)) {
        (least, most) if least == most => plural(most, "update"),
        (least, most) => format!("{least} to {most} updates"),
    };
    format!(
        "{}: {} × {}, {} of {}",
        plan.sweep.name,
        plural(variants as u64, "variant"),
        plural(seeds.into(), "seed"),
        plural(plan.trials.len() as u64, "trial"),
        range,
    )
}
