//! Workers under a real Slurm of one node on the loopback interface, which this installs and starts: `HATCHERY_SLURM=1`.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{checkpoints, lab, table};
use crate::lab::Lab;

/// A cluster of this machine; its daemons end with it.
struct Cluster {
    folder: TempDir,
    host: String,
    daemons: Vec<Child>,
}

/// Runs a program; an error says which.
fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() { Ok(output) } else { Err(format!("{command:?}: {output:?}")) }
}

fn is_there(program: &str) -> bool {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].iter().any(|folder| Path::new(folder).join(program).exists())
}

fn install() -> Result<(), String> {
    if ["slurmctld", "slurmd", "sbatch", "munged"].iter().all(|program| is_there(program)) {
        return Ok(());
    }
    let packages = ["install", "-y", "--no-install-recommends", "slurmctld", "slurmd", "slurm-client", "munge"];
    run(Command::new("apt-get").args(packages).env("DEBIAN_FRONTEND", "noninteractive")).map(drop)
}

impl Cluster {
    /// Installs and starts it; why it cannot be had otherwise.
    fn start() -> Result<Self, String> {
        install()?;
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        let io = |error: std::io::Error| error.to_string();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).map_err(io)?;
        let at = folder.path().display().to_string();
        let host = String::from_utf8_lossy(&run(Command::new("hostname").arg("-s"))?.stdout).trim().to_owned();
        for name in ["state", "spool"] {
            fs::create_dir(folder.path().join(name)).map_err(io)?;
        }
        let key = folder.path().join("key");
        fs::write(&key, [7; 1024]).map_err(io)?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).map_err(io)?;
        let [control, node] = [free_port(), free_port()];
        let settings = format!(
            "ClusterName=loopback\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={control}\nSlurmdPort={node}\n\
            AuthType=auth/munge\nAuthInfo=socket={at}/munge.socket,cred_expire=5\nCredType=cred/munge\n\
            MpiDefault=none\nProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n\
            JobAcctGatherType=jobacct_gather/none\nAccountingStorageType=accounting_storage/none\n\
            SelectType=select/cons_tres\nSelectTypeParameters=CR_Core\nReturnToService=2\nSlurmUser=root\n\
            StateSaveLocation={at}/state\nSlurmdSpoolDir={at}/spool\nSlurmctldPidFile={at}/ctl.pid\n\
            SlurmdPidFile={at}/d.pid\nSlurmctldLogFile={at}/ctl.log\nSlurmdLogFile={at}/d.log\nKillWait=5\n\
            SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0\n\
            NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN\n\
            PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES\n"
        );
        fs::write(folder.path().join("slurm.conf"), settings).map_err(io)?;
        let groups = "CgroupPlugin=cgroup/v1\nCgroupMountpoint=/sys/fs/cgroup\n";
        fs::write(folder.path().join("cgroup.conf"), groups).map_err(io)?;
        let mut cluster = Self { folder, host: host.clone(), daemons: Vec::new() };
        let option = |name: &str, file: &str| format!("--{name}={at}/{file}");
        cluster.daemon(
            "munged",
            &[
                "--foreground".to_owned(),
                "--force".to_owned(),
                option("key-file", "key"),
                option("socket", "munge.socket"),
                option("pid-file", "munged.pid"),
                option("log-file", "munged.log"),
                option("seed-file", "munged.seed"),
            ],
        )?;
        cluster.until("munge", || Path::new(&format!("{at}/munge.socket")).exists())?;
        cluster.daemon("slurmctld", &["-D".to_owned()])?;
        cluster.daemon("slurmd", &["-D".to_owned(), "-N".to_owned(), host])?;
        cluster.until("an idle node", || cluster.ask("sinfo", &["-h", "-o", "%T"]).trim() == "idle")?;
        Ok(cluster)
    }

    fn daemon(&mut self, program: &str, arguments: &[String]) -> Result<(), String> {
        let mut command = Command::new(format!("/usr/sbin/{program}"));
        command.args(arguments).env("SLURM_CONF", self.settings()).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.daemons.push(child.map_err(|error| format!("{program}: {error}"))?);
        Ok(())
    }

    fn settings(&self) -> std::path::PathBuf {
        self.folder.path().join("slurm.conf")
    }

    /// What a program of Slurm prints.
    fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program).args(arguments).env("SLURM_CONF", self.settings()).output();
        output.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Waits until something is so, for a minute at most.
    fn until(&self, what: &str, is_so: impl Fn() -> bool) -> Result<(), String> {
        let begun = Instant::now();
        while !is_so() {
            if begun.elapsed() > Duration::from_mins(1) {
                let log = fs::read_to_string(self.folder.path().join("ctl.log")).unwrap_or_default();
                return Err(format!("{what} within a minute\n{log}"));
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn states(&self, job: &str) -> Vec<String> {
        self.ask("squeue", &["-h", "-r", "-j", job, "-o", "%T"]).lines().map(str::to_owned).collect()
    }

    fn until_running(&self, job: &str, count: usize) {
        let running = || self.states(job).iter().filter(|state| *state == "RUNNING").count() == count;
        self.until("running workers", running).unwrap();
    }

    fn node(&self, state: &str) {
        let (node, state) = (format!("nodename={}", self.host), format!("state={state}"));
        self.ask("scontrol", &["update", &node, &state, "reason=test"]);
    }

    fn submit(&self, lab: &Lab) -> String {
        let mut command = lab.command(&["sweep", "run", "cells.toml", "--slurm", "-j", "2"]);
        let submitted = command.env("SLURM_CONF", self.settings()).output().unwrap();
        assert!(submitted.status.success(), "{submitted:?}");
        String::from_utf8(submitted.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for daemon in self.daemons.iter_mut().rev() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The process of a worker at work: the holder of the lock of a trial.
fn a_worker(lab: &Lab) -> Option<String> {
    let trials = fs::read_dir(lab.path("sweeps/cells/trials")).ok()?;
    let holders = trials.filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("lock")).ok());
    let is_worker = |process: &String| {
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("sweep\0work")
    };
    holders.map(|holder| holder.trim().to_owned()).find(is_worker)
}

/// Would catch: a worker that does not come back after any of what happens on a cluster, one that comes back after
/// `scancel`, and a result that shows what happened.
#[test]
fn slurm_leaves_no_trace_in_the_table() {
    if std::env::var_os("HATCHERY_SLURM").is_none() {
        return println!("skipped: slurm_leaves_no_trace_in_the_table needs HATCHERY_SLURM=1");
    }
    let cluster = match Cluster::start() {
        Ok(cluster) => cluster,
        Err(why) => return println!("skipped: slurm_leaves_no_trace_in_the_table: {why}"),
    };
    let long = |lab: Lab| lab.with("cells.toml", super::SWEEP.replace("steps = 60", "steps = 8000"));
    let alone = long(lab(""));
    let lab = long(lab(""));
    let job = cluster.submit(&lab);
    cluster.until_running(&job, 2);
    cluster.until("a worker", || a_worker(&lab).is_some()).unwrap();
    // A worker is killed; its script queues it again.
    let worker = a_worker(&lab).unwrap();
    run(Command::new("kill").args(["-9", &worker])).unwrap();
    cluster.until("a requeued worker", || cluster.states(&job).contains(&"PENDING".to_owned())).unwrap();
    cluster.until_running(&job, 2);
    // The signal before the time limit.
    cluster.ask("scancel", &["--signal=TERM", &format!("{job}_0")]);
    cluster.until("a worker that stopped", || cluster.states(&job).contains(&"PENDING".to_owned())).unwrap();
    cluster.until_running(&job, 2);
    // Pre-emption.
    cluster.ask("scontrol", &["requeue", &format!("{job}_1")]);
    cluster.until_running(&job, 2);
    // The node is lost, and comes back.
    cluster.node("down");
    cluster.until("lost workers", || !cluster.states(&job).contains(&"RUNNING".to_owned())).unwrap();
    cluster.node("resume");
    cluster.until_running(&job, 2);
    // The node is drained: workers that end there wait.
    cluster.node("drain");
    cluster.ask("scontrol", &["requeue", &format!("{job}_0")]);
    cluster.until("a waiting worker", || cluster.states(&job).contains(&"PENDING".to_owned())).unwrap();
    cluster.node("resume");
    cluster.until_running(&job, 2);
    // The end for good; then another array does the rest.
    cluster.ask("scancel", &[&job]);
    cluster.until("no worker", || cluster.states(&job).is_empty()).unwrap();
    assert!(!lab.ok("sweep status sweeps/cells").contains("8 completed"), "more must be left to do: raise the steps");
    let job = cluster.submit(&lab);
    alone.ok("sweep run cells.toml");
    let begun = Instant::now();
    while !cluster.states(&job).is_empty() && begun.elapsed() < Duration::from_mins(5) {
        thread::sleep(Duration::from_millis(200));
    }
    assert!(lab.ok("sweep status sweeps/cells").contains("8 completed"));
    assert_eq!((table(&lab), checkpoints(&lab)), (table(&alone), checkpoints(&alone)));
}
