//! Sweeps: what is planned, what is trained, and that no accident of the work shows in the table.

mod ask;
mod budgets;
mod launch;
mod many;
mod pictures;
mod race;
mod refusals;
mod slurm;

use std::{fs, process::Stdio, thread, time::Duration};

use crate::lab::Lab;

/// Two cells and two rates, two seeds: eight trials of a moment each.
const SWEEP: &str = r#"
name = "cells"
experiment = "tiny.toml"

[[vary]]
"cell.type" = ["gru", "lstm"]

[[vary]]
"optimizer.learning-rate" = [0.01, 0.001]

[repeat]
seeds = 2

[budget]
steps = 60
"#;

const HALVING: &str = "\n[search]\ntype = \"halving\"\nfirst = 10\nkeep = 0.5\n";

fn lab(more: &str) -> Lab {
    Lab::new().with("cells.toml", format!("{SWEEP}{more}"))
}

fn table(lab: &Lab) -> String {
    lab.ok("sweep table sweeps/cells --format json")
}

/// The bytes of the checkpoints of all trials, by their names.
fn checkpoints(lab: &Lab) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(lab.path("sweeps/cells/trials")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        found.extend(fs::read(path.join("checkpoint.safetensors")).ok().map(|bytes| (name, bytes)));
    }
    found.sort();
    found
}

/// Would catch: a result that depends on which worker trained a trial, or on the order of the trials.
#[test]
fn the_table_depends_neither_on_the_workers_nor_on_their_order() {
    for more in ["", HALVING] {
        let alone = lab(more);
        alone.ok("sweep run cells.toml");
        let expected = (table(&alone), checkpoints(&alone));

        let threads = lab(more);
        threads.ok("sweep run cells.toml -j 3");
        assert_eq!((table(&threads), checkpoints(&threads)), expected, "three workers of one program{more}");

        let programs = lab(more);
        programs.ok("sweep plan cells.toml");
        let work = |order: &str| {
            programs.command(&["sweep", "work", "sweeps/cells", "--order", order]).stderr(Stdio::null()).spawn()
        };
        let workers: Vec<_> = ["1", "2", "3"].map(|order| work(order).unwrap()).into();
        for mut worker in workers {
            assert!(worker.wait().unwrap().success());
        }
        assert_eq!((table(&programs), checkpoints(&programs)), expected, "three programs, each in its own order{more}");
    }
}

/// Would catch: a trial that a killed worker left and that is begun anew, left out, or measured from a damaged file.
#[test]
fn kills_leave_no_trace_in_the_table() {
    for more in ["", HALVING] {
        let undisturbed = lab(more);
        undisturbed.ok("sweep run cells.toml");
        let killed = lab(more);
        killed.ok("sweep plan cells.toml");
        for after in [15, 40, 70, 25, 90, 55, 120, 35] {
            let mut worker = killed.command(&["sweep", "work", "sweeps/cells"]).stderr(Stdio::null()).spawn().unwrap();
            thread::sleep(Duration::from_millis(after));
            worker.kill().unwrap();
            worker.wait().unwrap();
        }
        killed.ok("sweep work sweeps/cells");
        assert_eq!((table(&killed), checkpoints(&killed)), (table(&undisturbed), checkpoints(&undisturbed)), "{more}");
    }
}

/// Would catch: promoted trials that are trained again from the start, and a rung of a wrong length.
#[test]
fn halving_trains_what_it_promises_and_nothing_twice() {
    let lab = lab(HALVING);
    let mut trained = 0;
    lab.ok("sweep plan cells.toml");
    // One task a call: the updates that it added are those of the checkpoint less those before.
    loop {
        let before = updates(&lab);
        lab.ok("sweep work sweeps/cells --one");
        let after = updates(&lab);
        if before == after {
            break;
        }
        trained += after - before;
    }
    // Four variants of two seeds for 10 updates, two go on to 20, 1 to 40 and to 60.
    assert_eq!(trained, 8 * 10 + 4 * 10 + 2 * 20 + 2 * 20);
    let left: Vec<_> = lab.ok("sweep table sweeps/cells --format csv").lines().skip(1).map(str::to_owned).collect();
    let ends = |part: &str| left.iter().filter(|row| row.contains(part)).count();
    assert_eq!((ends("after 10 updates"), ends("after 20 updates"), ends("lowest mean")), (2, 1, 1), "{left:#?}");
}

/// The updates of all checkpoints together.
fn updates(lab: &Lab) -> u64 {
    let last =
        |row: &serde_json::Value| row["measured"].as_object().and_then(|it| it.keys().next_back()?.parse::<u64>().ok());
    let rows = lab.ok("sweep status sweeps/cells --json");
    rows.lines().filter_map(|row| last(&serde_json::from_str(row).unwrap())).sum()
}

/// Would catch: a number of the table that is not the one that `eval` gives for that run.
#[test]
fn a_trial_is_a_run_and_its_number_that_of_eval() {
    let lab = lab("");
    lab.ok("sweep run cells.toml");
    let rows = lab.ok("sweep status sweeps/cells --json");
    let row: serde_json::Value = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&row["state"], &row["variant"]),
        (&"completed".into(), &"cell.type=gru optimizer.learning-rate=0.01".into())
    );
    let nats = row["measured"]["60"].as_f64().unwrap();
    let run = format!("sweeps/cells/trials/{}", row["trial"].as_str().unwrap());
    let evaluated: serde_json::Value = serde_json::from_str(&lab.ok(&format!("eval {run} --json"))).unwrap();
    assert_eq!(evaluated["nats_per_character"].as_f64(), Some(nats), "{evaluated}");
}

/// Would catch: an extended sweep that trains again what it has, and a changed one that mixes two experiments.
#[test]
fn a_sweep_is_extended_and_never_changed() {
    let lab = lab("");
    lab.ok("sweep run cells.toml");
    let before = checkpoints(&lab);
    let lab = lab.with("cells.toml", SWEEP.replace("seeds = 2", "seeds = 3"));
    let said = lab.run("sweep run cells.toml").stderr;
    assert_eq!(said.matches(" nats after ").count(), 4, "one more seed for each of four variants:\n{said}");
    let after = checkpoints(&lab);
    assert!(before.iter().all(|known| after.contains(known)) && after.len() == 12);

    let lab = lab.with("cells.toml", SWEEP.replace("steps = 60", "steps = 61"));
    let refused = lab.refused("sweep run cells.toml");
    assert!(refused.contains("a trial has 61 updates, not 60") && refused.contains("another `name`"), "{refused}");
    let lab = lab.with("cells.toml", SWEEP).with("tiny.toml", crate::lab::TINY.replace("hidden = 8", "hidden = 9"));
    let refused = lab.refused("sweep plan cells.toml");
    assert!(refused.contains("of 12 trials are no longer in it"), "{refused}");
}

/// Would catch: a trial that diverges and ends the sweep, or is the best because its loss is no number.
#[test]
fn a_trial_that_diverges_is_an_outcome() {
    let wild = SWEEP.replace("[0.01, 0.001]", "[0.01, 1e300]").replace(r#""gru", "lstm""#, r#""vanilla""#);
    let lab = Lab::new().with("cells.toml", wild);
    lab.ok("sweep run cells.toml");
    let status = lab.ok("sweep status sweeps/cells");
    assert!(status.contains("2 completed") && status.contains("2 diverged"), "{status}");
    let rows = lab.ok("sweep table sweeps/cells --format csv");
    let last = rows.lines().last().unwrap();
    assert!(last.contains("1e300") && last.contains("2 failed"), "{rows}");
}

/// Would catch: an absolute path in the folder, and a text that is looked for from the wrong folder.
#[test]
fn a_sweep_is_moved_with_its_text() {
    let names = "anna\nbert\ncora\ndora\nemil\nfritz\ngerda\nhans\nida\njan\n".repeat(3);
    let lab =
        lab("").with("tiny.toml", crate::lab::TINY.replace("\"dinosaurs\"", "\"names.txt\"")).with("names.txt", names);
    lab.ok("sweep plan cells.toml");
    fs::create_dir(lab.path("moved")).unwrap();
    for name in ["sweeps", "names.txt"] {
        fs::rename(lab.path(name), lab.path("moved").join(name)).unwrap();
    }
    lab.ok("sweep work moved/sweeps/cells");
    assert!(lab.ok("sweep status moved/sweeps/cells").contains("8 completed"));
}

/// Would catch: parameters of the solved width that are not those asked for.
#[test]
fn variants_of_an_equal_size_are_equally_large() {
    let lab = lab("\n[size]\nparameters = 60_000\n");
    let printed = lab.run("sweep plan cells.toml").stderr;
    let sizes: Vec<f64> = printed.lines().filter_map(|line| line.trim().rsplit(' ').next()?.parse().ok()).collect();
    assert_eq!(sizes.len(), 4, "{printed}");
    assert!(sizes.iter().all(|size| (size / 60_000.0 - 1.0).abs() <= 0.01), "{printed}");
}

/// Would catch: commands that slow down with the square of the trials, or read more than they show.
#[test]
fn ten_thousand_trials_are_counted_and_compared_at_once() {
    let many =
        SWEEP.replace("[0.01, 0.001]", "{ linear = [0.001, 0.1], points = 50 }").replace("seeds = 2", "seeds = 100");
    let lab = Lab::new().with("cells.toml", many);
    lab.ok("sweep plan cells.toml");
    let plan: serde_json::Value = serde_json::from_str(&lab.text("sweeps/cells/plan.json")).unwrap();
    for (at, trial) in plan["trials"].as_array().unwrap().iter().enumerate() {
        let folder = lab.path("sweeps/cells/trials").join(trial["id"].as_str().unwrap());
        fs::create_dir(&folder).unwrap();
        fs::write(
            folder.join("objective.json"),
            format!("{{\"measured\":{{\"60\":{}}}}}", 2.0 + (at % 97) as f64 / 100.0),
        )
        .unwrap();
    }
    let begun = std::time::Instant::now();
    assert!(lab.ok("sweep status sweeps/cells").contains("10000 completed"));
    assert_eq!(lab.ok("sweep table sweeps/cells --format csv").lines().count(), 101);
    // Each takes a third of a second on two idle cores; the limit leaves room for busy ones.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
