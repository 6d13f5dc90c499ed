//! `hatchery resume-test`: the proof, for an experiment of one's own, that a killed run continues exactly.
//!
//! Two trainings of 2 k steps run in programs of their own: one is left alone, the other is killed as soon as its
//! checkpoint after k steps is there, and resumed. Then everything that they left behind is compared.

use std::{
    fmt::Display,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use hatchery::{
    error::{Error, Problem, Result},
    run::{
        compare::differences,
        directory::{self, RunDirectory, RunRef},
    },
};

use crate::arguments::ResumeTest;

/// A program that comes to its end before it could be killed gets twice as many steps, so often.
const ATTEMPTS: u32 = 6;

pub(crate) fn run(arguments: &ResumeTest) -> Result<()> {
    // What is wrong with the file is told once and before anything runs.
    super::open_file(&arguments.experiment, &arguments.libraries, arguments.overrides.clone())?;
    for steps in (0..ATTEMPTS).map(|attempt| arguments.steps << attempt) {
        if let Some(differences) = attempt(arguments, steps)? {
            return judge(steps, &differences);
        }
        say!("{steps} more steps were done before the program could be killed; trying with {}", 2 * steps);
    }
    Err(Problem::new("training is over before it can be killed").hint("give more steps: --steps 100000").into())
}

fn judge(steps: u64, differences: &[String]) -> Result<()> {
    if differences.is_empty() {
        out!("{steps} steps, a kill and {steps} steps are {} steps: every bit is the same", 2 * steps);
        return Ok(());
    }
    differences.iter().for_each(|difference| out!("{difference}"));
    let message =
        format!("{steps} steps, a kill and {steps} steps are not {} steps: what differs stands above", 2 * steps);
    Err(Error::Internal { message, cause: None })
}

/// What differs; nothing if the program was too quick to be killed.
fn attempt(arguments: &ResumeTest, steps: u64) -> Result<Option<Vec<String>>> {
    let folder = super::temporary_folder()?;
    let (alone, killed) = (folder.path().join("alone"), folder.path().join("killed"));
    finish(start(arguments, steps, &alone)?)?;

    let mut child = start(arguments, steps, &killed)?;
    let checkpoint = |root: &Path| Some(run_in(root).ok()?.checkpoint()).filter(|path| path.exists());
    while checkpoint(&killed).is_none() && child.try_wait().map_err(failed)?.is_none() {
        thread::sleep(Duration::from_micros(200));
    }
    child.kill().map_err(failed)?;
    if child.wait().map_err(failed)?.code().is_some() {
        // It had a status of its own: it was not killed. Should it have failed, the same way is told by the others.
        return Ok(None);
    }
    let run = run_in(&killed)?;
    finish(resume(arguments, run.path())?)?;
    Ok(Some(differences(&run_in(&alone)?, &run, u64::MAX)?))
}

fn start(arguments: &ResumeTest, steps: u64, root: &Path) -> Result<Child> {
    let mut command = hatchery(arguments)?;
    command.arg(&arguments.experiment).arg("--runs").arg(root);
    for set in &arguments.overrides {
        command.args(["--set", set]);
    }
    let mut set = |key: &str, value: u64| {
        command.args(["--set".to_owned(), format!("train.{key}={value}")]);
    };
    set("steps", 2 * steps);
    set("checkpoint-every", steps);
    // Often enough that the logs have something to compare, before and after the kill, and not in step with it.
    set("log-every", (steps / 7).max(1));
    set("report-every", (steps / 2 + 1).max(1));
    command.spawn().map_err(failed)
}

fn resume(arguments: &ResumeTest, run: &Path) -> Result<Child> {
    hatchery(arguments)?.arg("--resume").arg(run).spawn().map_err(failed)
}

/// This program, about to train.
fn hatchery(arguments: &ResumeTest) -> Result<Command> {
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(["train", "--quiet"]).stdout(Stdio::null()).stdin(Stdio::null());
    for library in &arguments.libraries.plugins {
        command.arg("--plugin").arg(library);
    }
    Ok(command)
}

fn finish(mut child: Child) -> Result<()> {
    let status = child.wait().map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    Err(Problem::new(format!("the training failed: {status}")).hint("its own message stands above").into())
}

fn run_in(root: &Path) -> Result<RunDirectory> {
    match directory::resolve(None, root)? {
        RunRef::Run(run) => Ok(run),
        RunRef::Checkpoint(path) => Err(failed(format!("{} is no folder", path.display()))),
    }
}

fn failed(error: impl Display) -> Error {
    Error::internal("cannot test the resuming", error.to_string())
}
