//! Killed anywhere and resumed: every bit of weights, optimizer state, metrics and samples.

use std::fs;

use hatchery::{
    experiment::Experiment,
    random::Stream,
    run::{
        checkpoint,
        compare::differences,
        directory::{RunDirectory, RunRef},
        keep,
        log::{self, Metric, SampleRow},
    },
    train::Ending,
};
use tempfile::tempdir;

use super::{Watch, begin, experiment, refusal, resume_run, resume_run_as};

/// Trains once alone and once killed at these moments, one after the other, and compares.
fn compare(experiment: &Experiment, kills: &[Watch]) {
    let root = tempdir().unwrap();
    let (alone, ending) = begin(root.path(), experiment, Watch::default());
    ending.expect("it is not killed").unwrap_or_else(|error| panic!("{error}"));
    let killed = cut(root.path(), experiment, kills);
    resume_run(&killed, Watch::default()).unwrap().expect("it is not killed again");
    let found = differences(&alone, &killed, u64::MAX).unwrap();
    assert!(found.is_empty(), "{kills:?}\n{}\n{}", found.join("\n"), experiment.to_toml());
    let whole = |log| fs::read(log).unwrap_or_default();
    assert_eq!(whole(alone.metrics()), whole(killed.metrics()));
    assert_eq!(whole(alone.samples()), whole(killed.samples()));
    assert_eq!(whole(alone.best()), whole(killed.best()), "the best checkpoint");
}

/// As [`compare`], killed twice at random moments.
#[cfg(feature = "wgpu")]
pub(crate) fn continues_exactly(experiment: &Experiment) {
    compare(experiment, &random_kills(&mut Stream::new(7, "kills elsewhere", 0)));
}

fn cut(root: &std::path::Path, experiment: &Experiment, kills: &[Watch]) -> RunDirectory {
    let (killed, _) = begin(root, experiment, kills[0]);
    for kill in &kills[1..] {
        resume_run(&killed, *kill).unwrap();
    }
    killed
}

fn random_kills(stream: &mut Stream) -> Vec<Watch> {
    let updated = |at| Watch { kill_updated: Some(at), ..Watch::default() };
    let first = 1 + stream.below(12) as u64;
    let second = first + 1 + stream.below(11) as u64;
    vec![updated(first), updated(second)]
}

/// Would catch: noise that depends on more than the update, a learned start or the state of a wrapper that is not in the
/// checkpoint, on either executor.
#[test]
fn wrapped_cells_continue_exactly() {
    let wrap = "cell.wrap=[{ type = \"weight-drop\", share = 0.3, params = [\"wh\"] }, { type = \"zoneout\", keep = 0.8 }, \
                { type = \"attention\", length = 3 }, { type = \"dropout\", input = 0.2, per = \"sequence\" }, \"residual\"]";
    let mut stream = Stream::new(7, "kills of wrapped cells", 0);
    for device in ["backend.device=cpu", "backend.device=flex"] {
        for framing in [&["dataset.type=lines"][..], &["dataset.type=stream", "dataset.steps=6"]] {
            let set = [&["model.embedding=6", "model.layers=2", wrap, device], framing].concat();
            compare(&experiment(&set), &random_kills(&mut stream));
        }
    }
}

/// Would catch: a moment of an optimizer, a carried state or a stream that is not in the checkpoint, for any of them.
#[test]
fn every_cell_framing_and_optimizer_continues_exactly() {
    let cells = ["vanilla", "gru", "lstm"];
    let framings: [&[&str]; 4] = [
        &["dataset.type=lines"],
        &["dataset.type=lines", "train.carry-state=true", "train.order=random"],
        &["dataset.type=windows", "dataset.length=5", "dataset.stride=2"],
        &["dataset.type=stream", "dataset.steps=6"],
    ];
    let optimizers: [&[&str]; 6] = [
        &["optimizer={ type = \"sgd\", learning-rate = 0.1 }"],
        &["optimizer={ type = \"sgd\", learning-rate = 0.1, momentum = 0.9 }"],
        &["optimizer={ type = \"adagrad\", learning-rate = 0.1 }"],
        &["optimizer={ type = \"rmsprop\", learning-rate = 0.01 }"],
        &["optimizer={ type = \"adam\", learning-rate = 0.01 }"],
        &["optimizer={ type = \"adamw\", learning-rate = 0.01 }"],
    ];
    let mut stream = Stream::new(7, "kills", 0);
    for cell in cells {
        for framing in framings {
            for optimizer in optimizers {
                // Compiled, and on Burn.
                for device in ["backend.device=cpu", "backend.device=flex"] {
                    let cell = format!("cell={{ type = \"{cell}\", hidden = 6 }}");
                    let set = [&[device, cell.as_str()], framing, optimizer].concat();
                    compare(&experiment(&set), &random_kills(&mut stream));
                }
            }
        }
    }
}

/// Would catch: the same in 64 bits, where Burn's own restoring would round; and state that only these keys bring in.
#[test]
fn everything_else_that_has_a_state_continues_exactly() {
    let others: [&[&str]; 9] = [
        &["backend.dtype=f64", "optimizer.type=adam"],
        &["rng=numpy", "numpy.reseed-each-character=true", "train.order=shuffled-once", "backend.dtype=f64"],
        &["rng=numpy", "train.carry-state=true", "train.batch=1", "train.loss=sum"],
        &["model.layers=2", "model.dropout=0.3", "model.embedding=5"],
        &["model.embedding=6", "model.head=tied", "optimizer.type=adam"],
        &["model.head={ mixture = 3 }", "model.dropout=0.3", "model.dropout-last=true"],
        &["schedule={ type = \"cosine\", warmup = 5, floor = 0.1 }", "train.smoothing.decay=0.9"],
        &["schedule={ type = \"decay\", factor = 0.5, every = 1 }", "clipper=[{ type = \"norm\", limit = 0.1 }]"],
        &["train.order=sequential", "split.valid=0.0", "train.keep=1"],
    ];
    let mut stream = Stream::new(7, "more kills", 0);
    for set in others {
        for device in ["backend.device=cpu", "backend.device=flex"] {
            compare(&experiment(&[&[device], set].concat()), &random_kills(&mut stream));
        }
    }
}

/// Would catch: a row that is there twice or not at all, when the kill comes between the files that one step writes.
#[test]
fn kills_between_the_files_of_one_step() {
    let experiment = experiment(&["train.checkpoint-every=8"]);
    for step in [7, 14, 21] {
        compare(&experiment, &[Watch { kill_measured: Some(step), ..Watch::default() }]);
        compare(&experiment, &[Watch { kill_sampled: Some(step), ..Watch::default() }]);
    }
    // Before the first checkpoint: it begins anew, in the same folder.
    compare(&experiment, &[Watch { kill_updated: Some(3), ..Watch::default() }]);
    let root = tempdir().unwrap();
    let killed = cut(root.path(), &experiment, &[Watch { kill_sampled: Some(14), ..Watch::default() }]);
    // What the killed program had begun to write.
    fs::write(killed.metrics(), [fs::read(killed.metrics()).unwrap(), b"{\"step\":15,\"ep".to_vec()].concat()).unwrap();
    let partial = killed.path().join(".abc123.partial");
    fs::write(&partial, "half a checkpoint").unwrap();
    resume_run(&killed, Watch::default()).unwrap();
    assert!(!partial.exists());
    let steps: Vec<_> = log::read::<Metric>(&killed.metrics()).unwrap().iter().map(|row| row.step).collect();
    assert_eq!(steps, [0, 3, 6, 7, 9, 12, 14, 15, 18, 21, 23]);
    let samples: Vec<_> = log::read::<SampleRow>(&killed.samples()).unwrap();
    let samples: Vec<_> = samples.iter().map(|row| (row.step, row.index)).collect();
    assert_eq!(samples, [0, 7, 14, 21, 23].map(|step| [(step, 0), (step, 1)]).concat());
}

/// Would catch: a stop that loses the step it finished, or changes what follows.
#[test]
fn a_stop_by_the_user_writes_a_checkpoint_of_that_step() {
    let experiment = experiment(&[]);
    let root = tempdir().unwrap();
    let stop = Watch { stop: Some(13), ..Watch::default() };
    let (run, ending) = begin(root.path(), &experiment, stop);
    assert_eq!(ending.unwrap().unwrap(), Ending::Stopped);
    assert_eq!(checkpoint::read(&run.checkpoint()).unwrap().meta.progress.updates, 13);
    compare(&experiment, &[stop]);
}

/// Would catch: older checkpoints that pile up, are overwritten, or stand under the wrong number.
#[test]
fn the_last_checkpoints_are_kept() {
    let root = tempdir().unwrap();
    let (run, _) = begin(root.path(), &experiment(&["train.keep=3"]), Watch::default());
    let kept = || keep::older(&run).unwrap().into_iter().map(|(updates, _)| updates).collect::<Vec<_>>();
    assert_eq!(kept(), [20, 15]);
    for (updates, path) in keep::older(&run).unwrap() {
        assert_eq!(checkpoint::read(&path).unwrap().meta.progress.updates, updates);
    }
    // Going on from one of them on purpose: the newer ones are out of the way, but not lost.
    let chosen = RunRef::Checkpoint(run.path().join("checkpoint-15.safetensors"));
    let before = fs::read(run.checkpoint()).unwrap();
    resume_run_as(&chosen, None, super::NAMES, Watch::default()).unwrap();
    assert_eq!(kept(), [20, 15]);
    assert_eq!(fs::read(run.checkpoint()).unwrap(), before, "the same steps give the same bits");
    assert_eq!(fs::read(run.path().join("checkpoint.left-1")).unwrap(), before);
    assert!(run.path().join("checkpoint-20.left-1").exists());
}

/// Would catch: minutes that are never looked at.
#[test]
fn checkpoint_minutes_writes_checkpoints() {
    let root = tempdir().unwrap();
    let set = ["train.checkpoint-minutes=1e-9", "train.checkpoint-every=1000"];
    let (run, _) = begin(root.path(), &experiment(&set), Watch { kill_updated: Some(4), ..Watch::default() });
    assert_eq!(checkpoint::read(&run.checkpoint()).unwrap().meta.progress.updates, 3);
}

/// Would catch: counters of early stopping that begin anew, and a run that trains on after it ended early.
#[test]
fn patience_is_resumed() {
    // With so large a rate the validation soon gets no better.
    let set = ["train.patience=2", "train.steps=200", "optimizer={ type = \"sgd\", learning-rate = 6.0 }"];
    let experiment = experiment(&set);
    let root = tempdir().unwrap();
    let (run, ending) = begin(root.path(), &experiment, Watch::default());
    assert_eq!(ending.unwrap().unwrap(), Ending::Early);
    let progress = checkpoint::read(&run.checkpoint()).unwrap().meta.progress;
    assert_eq!(progress.stale, 2);
    let best = progress.best.unwrap();
    assert_eq!(best.updates + 14, progress.updates, "two reports of 7 steps after the best");
    assert_eq!(checkpoint::read(&run.best()).unwrap().meta.progress.updates, best.updates);
    // Between the first report that was no better and the second.
    compare(&experiment, &[Watch { kill_updated: Some(best.updates + 9), ..Watch::default() }]);
    let before = fs::read(run.checkpoint()).unwrap();
    assert_eq!(resume_run(&run, Watch::default()).unwrap(), Some(Ending::Early));
    assert_eq!(fs::read(run.checkpoint()).unwrap(), before);
}

/// Would catch: a longer training that is refused, one that does not equal the whole, and other changes let through.
#[test]
fn only_a_longer_training_may_be_resumed() {
    let root = tempdir().unwrap();
    let (run, _) = begin(root.path(), &experiment(&[]), Watch::default());
    let (whole, _) = begin(root.path(), &experiment(&["train.steps=40"]), Watch::default());
    let here = RunRef::Run(run.clone());
    let resume = |set: &[&str]| resume_run_as(&here, Some(experiment(set)), super::NAMES, Watch::default());

    let message = refusal(resume(&["train.steps=23"]));
    assert!(message.contains("train.steps: 24 before, 23 now"), "{message}");
    let message = refusal(resume(&["train.steps=40", "cell.hidden=7", "optimizer.beta1=0.5"]));
    assert!(message.contains("cell.hidden: 6 before, 7 now"), "{message}");
    assert!(message.contains("optimizer.beta1: 0.9 before, 0.5 now"), "{message}");
    assert!(!message.contains("steps:"), "{message}");
    let message = refusal(resume(&["train.epochs=40"]));
    assert!(message.contains("train.epochs: nothing before, 40 now"), "{message}");

    assert_eq!(resume(&["train.steps=40"]).unwrap(), Some(Ending::Finished));
    let tensors = |run: &RunDirectory| checkpoint::read(&run.checkpoint()).unwrap().tensors;
    assert_eq!(tensors(&run), tensors(&whole));
    assert!(fs::read_to_string(run.experiment()).unwrap().contains("steps = 40"));
}
