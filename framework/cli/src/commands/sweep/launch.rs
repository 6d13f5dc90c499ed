//! Workers that others start: GNU parallel, a Kubernetes Job, a Slurm array. The folder of the sweep has all that a worker
//! needs, so a launcher only starts workers, and starts them again.

use std::{env, num::NonZeroUsize, path::Path, process::Command};

use hatchery::{
    error::{Error, Problem, Result},
    run::replace,
    sweep::{Folder, Plan, standing},
};
use serde_json::json;

use crate::arguments::{Cluster, Libraries};

/// Prints a command for each piece of work.
pub(super) fn commands(folder: &Folder, plan: &Plan, libraries: &Libraries) {
    let command = command("hatchery", folder.path(), libraries);
    (0..plan.most_tasks()).for_each(|_| out!("{command} --one"));
}

/// The command line of a worker.
fn command(program: &str, folder: &Path, libraries: &Libraries) -> String {
    let plugins = libraries.plugins.iter().map(|path| format!(" --plugin {}", quoted(&path.display().to_string())));
    format!("{} sweep work {}{}", quoted(program), quoted(&folder.display().to_string()), plugins.collect::<String>())
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "/._-+=:,@%".contains(sign);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Prints an Indexed Job. A pod that is evicted counts as no failure and is started again; a worker that is asked to end
/// writes a checkpoint first.
pub(super) fn kubernetes(folder: &Folder, plan: &Plan, workers: NonZeroUsize, cluster: &Cluster) {
    let name: String =
        plan.sweep.name.to_lowercase().chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '-' }).collect();
    let name = name.trim_matches('-').chars().take(50).collect::<String>();
    let container = json!({
        "name": "worker",
        "image": cluster.image,
        "command": ["hatchery", "sweep", "work", folder.path().display().to_string()],
        "workingDir": "/sweep",
        "volumeMounts": [{ "name": "sweep", "mountPath": "/sweep" }],
        "resources": { "requests": { "cpu": "1" } },
    });
    let job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": format!("sweep-{name}") },
        "spec": {
            "completionMode": "Indexed",
            "completions": workers,
            "parallelism": workers,
            "backoffLimitPerIndex": 10,
            "podFailurePolicy": { "rules": [
                { "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] },
                { "action": "FailIndex", "onExitCodes": { "containerName": "worker", "operator": "In", "values": [2] } },
            ] },
            "template": { "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 60,
                "containers": [container],
                "volumes": [{ "name": "sweep", "persistentVolumeClaim": { "claimName": cluster.claim } }],
            } },
        },
    });
    out!("{job:#}");
}

/// Writes the script of a worker into the sweep's folder and submits an array of them.
pub(super) fn slurm(
    folder: &Folder,
    plan: &Plan,
    workers: NonZeroUsize,
    more: &[String],
    libraries: &Libraries,
) -> Result<()> {
    let open = standing(plan, &folder.outcomes(plan)?).tasks.len();
    if open == 0 {
        say!("nothing is left to do");
        return Ok(());
    }
    let absolute =
        |path: &Path| std::path::absolute(path).map_err(|error| Error::internal("there is no folder", error));
    let path = absolute(folder.path())?;
    let script = path.join("slurm.sh");
    let program = env::current_exe().map_err(|error| Error::internal("cannot find this program", error))?;
    let libraries = Libraries { plugins: libraries.plugins.iter().map(|it| absolute(it)).collect::<Result<_>>()? };
    let worker = command(&program.display().to_string(), &path, &libraries);
    replace::text(&script, &SCRIPT.replace("WORKER", &worker))?;
    let log = |name: &str| path.join(name).display().to_string();
    let mut sbatch = Command::new("sbatch");
    sbatch.args(["--parsable", "--requeue", "--signal=TERM@60", "--open-mode=append"]);
    sbatch.arg(format!("--job-name={}", plan.sweep.name)).arg(format!("--array=0-{}", workers.get().min(open) - 1));
    sbatch.arg(format!("--output={}", log("slurm-%A_%a.txt"))).args(more).arg(&script);
    let refused = |why: &str| {
        Problem::new(format!("sbatch did not take the array: {}", why.trim()))
            .note(format!("script: {}", script.display()))
    };
    let answer = sbatch.output().map_err(|error| {
        refused(&error.to_string()).hint("run this where Slurm's commands are, or start workers: hatchery sweep work")
    })?;
    if !answer.status.success() {
        let why = String::from_utf8_lossy(&answer.stderr).into_owned();
        return Err(refused(&why).hint("give sbatch what it asks for, for example --sbatch=--partition=NAME").into());
    }
    let job = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    say!("submitted {job}. Next:\n  squeue --job {job}\n  hatchery sweep status {}", folder.path().display());
    out!("{job}");
    Ok(())
}

/// A worker of the array. `srun` starts it, since only what `srun` starts gets the signal before the time limit; it then
/// writes a checkpoint and ends with status 130. Pre-emption and the loss of a node are Slurm's to requeue, `scancel` is the
/// end: the job is then no longer running.
const SCRIPT: &str = r#"#!/bin/sh
# Written by `hatchery sweep run --slurm`: one worker of the array.
srun WORKER
status=$?
task="${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
again=no
# 130: the time limit is near, and a checkpoint is written. Above: the worker was killed, which may happen again for ever.
[ "$status" -eq 130 ] && again=yes
[ "$status" -gt 130 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 10 ] && again=yes
if [ "$again" = yes ] && [ "$(squeue --noheader --jobs="$task" --format=%T)" = RUNNING ]; then
    exec scontrol requeue "$task"
fi
exit "$status"
"#;
