//! A sweep of 64 trials, however it is worked on: one table.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use hatchery::random::Stream;

use super::{SWEEP, checkpoints, table};
use crate::lab::Lab;

fn lab(steps: u32) -> Lab {
    let sweep = SWEEP.replace("[0.01, 0.001]", "{ log-uniform = [1e-4, 1e-1], draws = 8 }");
    let sweep = sweep.replace("seeds = 2", "seeds = 4").replace("steps = 60", &format!("steps = {steps}"));
    Lab::new().with("cells.toml", sweep)
}

/// Would catch: any way in which workers, their order, or kills show in the table.
#[test]
fn sixty_four_trials_have_one_table() {
    if std::env::var_os("HATCHERY_SLOW_TESTS").is_none() {
        return println!("skipped: sixty_four_trials_have_one_table needs HATCHERY_SLOW_TESTS=1");
    }
    let steps = 400;
    let alone = lab(steps);
    alone.ok("sweep run cells.toml");
    let expected = (table(&alone), checkpoints(&alone));
    assert_eq!(expected.1.len(), 64);
    let three = lab(steps);
    three.ok("sweep run cells.toml -j 3");
    assert_eq!((table(&three), checkpoints(&three)), expected, "three workers");
    let shuffled = lab(steps);
    shuffled.ok("sweep plan cells.toml");
    shuffled.ok("sweep work sweeps/cells --order 7");
    assert_eq!((table(&shuffled), checkpoints(&shuffled)), expected, "another order");

    let killed = lab(steps);
    killed.ok("sweep plan cells.toml");
    let mut stream = Stream::new(1, "kills", 0);
    let mut kills = 0;
    while kills < 50 {
        let start = || killed.command(&["sweep", "work", "sweeps/cells"]).stderr(Stdio::null()).spawn().unwrap();
        let mut workers = [start(), start()];
        thread::sleep(Duration::from_millis(20 + stream.below(300) as u64));
        for worker in &mut workers {
            kills += usize::from(worker.try_wait().unwrap().is_none());
            worker.kill().unwrap();
            worker.wait().unwrap();
        }
    }
    killed.ok("sweep work sweeps/cells");
    assert_eq!((table(&killed), checkpoints(&killed)), expected, "50 kills");
    println!("64 trials: one table with 1 worker, 3 workers, another order, and {kills} kills");
}

/// Would catch: work between trials that grows with the sweep: a plan that is read, or results that are read, each time.
#[test]
fn a_worker_adds_little_to_a_trial() {
    let lab = lab(1);
    lab.ok("sweep plan cells.toml");
    lab.ok("sweep work sweeps/cells --one");
    let timed = |work: &mut dyn FnMut()| {
        let begun = Instant::now();
        work();
        begun.elapsed().as_secs_f64()
    };
    let train = || drop(lab.ok("train tiny.toml --quiet --set train.steps=1"));
    let one = timed(&mut || (0..10).for_each(|_| train())) / 10.0;
    let sixty = timed(&mut || drop(lab.ok("sweep work sweeps/cells"))) / 63.0;
    println!("a trial of one update in a sweep: {:.1} ms, as a program: {:.1} ms", 1e3 * sixty, 1e3 * one);
    // Both are measured on the same busy machine, and a trial is no more work than a run of its own.
    assert!(sixty < 2.0 * one + 0.01, "{sixty} s for a trial of one update, {one} s for a run");
}
