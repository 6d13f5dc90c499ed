//! `hatchery resume-test`: tests that a killed run of an experiment is resumed to the same bits.
//!
//! Two processes train for 2 k updates: one is uninterrupted, the other is killed as soon as its checkpoint after k
//! updates exists, and resumed. Then the files of both runs are compared.

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

/// The number of attempts, each with twice the updates of the one before, while a process ends before it is killed.
const ATTEMPTS: u32 = 6;

pub(crate) fn run(arguments: &ResumeTest) -> Result<()> {
    // Errors in the file are reported once, not by both processes.
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
    let message = format!(
        "{steps} steps, a kill and {steps} steps are not {} steps: the differences are listed above",
        2 * steps
    );
    Err(Error::Internal { message, cause: None })
}

/// The differences between the two runs; `None` if the process ended before it was killed.
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
        // It has an exit status, so it was not killed. If it failed, so does the next attempt, which reports it.
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
    // The logs need lines before and after the kill, at intervals that do not divide its update.
    set("log-every", (steps / 7).max(1));
    set("report-every", (steps / 2 + 1).max(1));
    command.spawn().map_err(failed)
}

fn resume(arguments: &ResumeTest, run: &Path) -> Result<Child> {
    hatchery(arguments)?.arg("--resume").arg(run).spawn().map_err(failed)
}

/// The command `hatchery train`, run by this executable.
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
    Err(Problem::new(format!("the training failed: {status}")).hint("its own message is above").into())
}

fn run_in(root: &Path) -> Result<RunDirectory> {
    match directory::resolve(None, root)? {
        RunRef::Run(run) => Ok(run),
        RunRef::Checkpoint(path) => Err(failed(format!("{} is no folder", path.display()))),
    }
}

fn failed(error: impl Display) -> Error {
    Error::internal("cannot run the resume test", error.to_string())
}
