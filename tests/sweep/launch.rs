//! Workers that others start: commands, an Indexed Job, and what is submitted to Slurm.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use super::{HALVING, lab, table};
use crate::lab::Lab;

/// Would catch: fewer commands than there is work, and a folder that the shell takes apart.
#[test]
fn the_commands_do_all_the_work() {
    for (more, count) in [("", 8), (HALVING, 8 + 4 + 2 + 2)] {
        let alone = lab(more);
        alone.ok("sweep run cells.toml");
        let lab = lab(more);
        let commands = lab.run_with(&["sweep", "plan", "cells.toml", "--folder", "it's a sweep", "--commands"]).stdout;
        assert_eq!(commands.lines().count(), count, "{commands}");
        assert!(commands.starts_with(r"hatchery sweep work 'it'\''s a sweep' --one"), "{commands}");
        let program = env!("CARGO_BIN_EXE_hatchery");
        let script = commands.replace("hatchery sweep", &format!("'{program}' sweep"));
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("set -e\n{script}")).current_dir(lab.path("")).stderr(Stdio::null());
        let done = shell.status().unwrap();
        assert!(done.success());
        let printed = lab.run_with(&["sweep", "table", "it's a sweep", "--format", "json"]).stdout;
        assert_eq!(printed, table(&alone), "{more}");
    }
}

/// Would catch: a manifest that Kubernetes refuses, and a worker that is not started again after its pod was evicted.
#[test]
fn the_manifest_is_an_indexed_job() {
    let lab = lab("");
    let refused = lab.refused("sweep plan cells.toml --kubernetes");
    assert!(refused.contains("--image"), "{refused}");
    let printed = lab.ok("sweep plan cells.toml --kubernetes -j 3 --image hatchery:1 --claim texts");
    let job: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let spec = &job["spec"];
    assert_eq!((&job["kind"], &spec["completionMode"]), (&"Job".into(), &"Indexed".into()));
    assert_eq!((&spec["completions"], &spec["parallelism"]), (&3.into(), &3.into()));
    let pod = &spec["template"]["spec"];
    let command = serde_json::json!(["hatchery", "sweep", "work", "sweeps/cells"]);
    assert_eq!((&pod["containers"][0]["command"], &pod["restartPolicy"]), (&command, &"Never".into()));
    let lab = lab.with("job.json", &printed);
    let check = "import json, kubernetes_validate as k; k.validate(json.load(open('job.json')), '1.31', strict=True)";
    let has_schemas = Command::new("python3").args(["-c", "import kubernetes_validate"]).output();
    if !has_schemas.is_ok_and(|output| output.status.success()) {
        return println!("skipped: the schema of Kubernetes needs python3 with kubernetes-validate");
    }
    let checked = Command::new("python3").args(["-c", check]).current_dir(lab.path("")).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// Adds programs of Slurm that write down how they were called; `sbatch` answers with a job's number, or refuses.
fn with_stubs(lab: Lab, sbatch: &str) -> Lab {
    let lab = lab.with("bin/sbatch", format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > sbatch.txt\n{sbatch}\n"));
    let lab = lab.with("bin/srun", "#!/bin/sh\n[ -n \"$SRUN_STATUS\" ] && exit $SRUN_STATUS\nexec \"$@\"\n");
    let lab = lab.with("bin/squeue", "#!/bin/sh\necho \"$STATE\"\n");
    let lab = lab.with("bin/scontrol", "#!/bin/sh\necho \"$@\" > scontrol.txt\n");
    for name in ["sbatch", "srun", "squeue", "scontrol"] {
        fs::set_permissions(lab.path(&format!("bin/{name}")), fs::Permissions::from_mode(0o755)).unwrap();
    }
    lab
}

fn path(lab: &Lab) -> String {
    format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").unwrap_or_default())
}

/// Would catch: an array that is not queued again, that gets no signal before its time limit, or whose workers do nothing.
#[test]
fn an_array_is_submitted() {
    let alone = lab("");
    alone.ok("sweep run cells.toml");
    let lab = with_stubs(lab(""), "echo 17");
    let arguments =
        ["sweep", "run", "cells.toml", "--slurm", "-j", "20", "--sbatch=--time=01:00:00", "--sbatch=--partition=long"];
    let submitted = lab.command(&arguments).env("PATH", path(&lab)).output().unwrap();
    assert!(submitted.status.success(), "{submitted:?}");
    assert_eq!(String::from_utf8_lossy(&submitted.stdout), "17\n");
    let called = lab.text("sbatch.txt");
    let script = lab.path("sweeps/cells/slurm.sh");
    // No more workers than there are trials.
    for part in ["--requeue", "--signal=TERM@60", "--array=0-7", "--time=01:00:00", "--partition=long"] {
        assert!(called.lines().any(|line| line == part), "{part}:\n{called}");
    }
    assert_eq!(called.lines().last(), script.to_str(), "the script comes last, or options would be its arguments");
    let worker = |status: &str, state: &str, restarts: &str| {
        let _ = fs::remove_file(lab.path("scontrol.txt"));
        let mut sh = Command::new("sh");
        sh.arg(&script)
            .current_dir(lab.path(""))
            .env("PATH", path(&lab))
            .env("SRUN_STATUS", status)
            .env("STATE", state);
        sh.env("SLURM_ARRAY_JOB_ID", "17").env("SLURM_ARRAY_TASK_ID", "3").env("SLURM_RESTART_COUNT", restarts);
        let ended = sh.stderr(Stdio::null()).status().unwrap().code();
        (ended, fs::read_to_string(lab.path("scontrol.txt")).ok())
    };
    let requeued = (Some(0), Some("requeue 17_3\n".to_owned()));
    assert_eq!(worker("130", "RUNNING", "99"), requeued, "before the time limit, as often as it takes");
    assert_eq!(worker("137", "RUNNING", "2"), requeued, "a worker that was killed");
    assert_eq!(worker("137", "RUNNING", "10"), (Some(137), None), "but not for ever");
    assert_eq!(worker("130", "COMPLETING", ""), (Some(130), None), "scancel is the end");
    assert_eq!(worker("2", "RUNNING", ""), (Some(2), None), "a mistake does not go away");
    assert_eq!(worker("", "RUNNING", ""), (Some(0), None));
    assert_eq!(table(&lab), table(&alone));
    let again = lab.command(&arguments).env("PATH", path(&lab)).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("nothing is left to do"), "{again:?}");
}

/// Would catch: a panic, or a silent end, where there is no Slurm or where it refuses.
#[test]
fn a_refusal_of_slurm_is_reported() {
    let lab = with_stubs(lab(""), "echo 'sbatch: error: invalid partition specified: long' >&2; exit 1");
    let run = |path: &str| lab.command(&["sweep", "run", "cells.toml", "--slurm"]).env("PATH", path).output().unwrap();
    for (path, said, hint) in [
        (path(&lab), "invalid partition specified: long", "--sbatch=--partition=NAME"),
        ("/nowhere".to_owned(), "sbatch did not take the array", "hatchery sweep work"),
    ] {
        let refused = run(&path);
        let stderr = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said) && stderr.contains(hint), "{stderr}");
    }
}
