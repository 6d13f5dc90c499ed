//! Losses that are not finite: dropped updates leave no trace, and a rewind restores the last good checkpoint.

use hatchery::{
    data::Batch,
    error::Result,
    executor::{Executor, Totals},
    experiment::Experiment,
    network::Network,
    random::Streams,
    run::{
        checkpoint,
        compare::differences,
        directory::RunDirectory,
        log::{self, Action, Event, Metric},
        seal,
    },
    tensors::{NamedTensor, Values},
    train::{Ending, Training},
};
use hatchery_plugin::Token;
use tempfile::tempdir;

use super::{NAMES, Watch, begin, data, drive, experiment, refusal, registry, resume_run};

/// An executor whose update number `at` (from 0, counting repetitions) goes wrong: all parameters become no numbers.
/// The loss shows it, or, as after an overflow in the backward pass, only that of the next update does.
struct Poisoned {
    inner: Box<dyn Executor>,
    at: Vec<u64>,
    shows: bool,
    updates: u64,
}

impl Executor for Poisoned {
    fn train(&mut self, batch: &Batch, streams: &Streams, learning_rate: f64) -> Result<()> {
        let poisoned = self.at.contains(&self.updates);
        self.updates += 1;
        self.inner.train(batch, streams, if poisoned { f64::NAN } else { learning_rate })
    }
    fn undo(&mut self) -> Result<()> {
        self.inner.undo()
    }
    fn losses(&mut self) -> Result<Vec<f64>> {
        let poisoned = self.shows && self.at.contains(&(self.updates - 1));
        Ok(self.inner.losses()?.into_iter().map(|loss| if poisoned { f64::NAN } else { loss }).collect())
    }
    fn gradient_norms(&mut self) -> Result<(f64, f64)> {
        self.inner.gradient_norms()
    }
    fn evaluate(&mut self, batch: &Batch) -> Result<Totals> {
        self.inner.evaluate(batch)
    }
    fn begin(&mut self, rows: usize) {
        self.inner.begin(rows);
    }
    fn advance(&mut self, tokens: &[Token]) -> Result<Vec<f64>> {
        self.inner.advance(tokens)
    }
    fn save(&self) -> Result<Vec<NamedTensor>> {
        self.inner.save()
    }
    fn load(&mut self, saved: &[NamedTensor]) -> Result<()> {
        self.inner.load(saved)
    }
}

/// Trains with an executor that goes wrong at these updates.
fn poisoned(root: &std::path::Path, experiment: &Experiment, at: &[u64], shows: bool, watch: Watch) -> Outcome {
    let directory = RunDirectory::create(root, &experiment.name).unwrap();
    let data = data(experiment, None, NAMES).unwrap();
    let mut network = Network::new(experiment.clone(), data.vocabulary.clone(), &registry()).unwrap();
    network.executor = Box::new(Poisoned { inner: network.executor, at: at.to_vec(), shows, updates: 0 });
    let ending = drive(Training::begin(network, &data, &directory).unwrap(), watch).expect("it is not killed");
    (directory, ending)
}

type Outcome = (RunDirectory, Result<Ending>);

fn tensors(run: &RunDirectory) -> Vec<NamedTensor> {
    checkpoint::read(&run.checkpoint()).unwrap().tensors
}

fn events(run: &RunDirectory) -> Vec<Event> {
    log::read(&run.events()).unwrap()
}

fn steps(run: &RunDirectory) -> Vec<u64> {
    log::read::<Metric>(&run.metrics()).unwrap().iter().map(|row| row.step).collect()
}

/// Would catch: a dropped update that leaves a trace in a parameter, a moment, a count or the carried state.
#[test]
fn a_dropped_update_leaves_no_trace() {
    let root = tempdir().unwrap();
    let optimizers = ["sgd", "adagrad", "rmsprop", "adam", "adamw"];
    for (device, optimizer) in ["cpu", "flex"].into_iter().flat_map(|device| optimizers.map(|it| (device, it))) {
        let device = format!("backend.device={device}");
        let optimizer = format!("optimizer={{ type = \"{optimizer}\", learning-rate = 0.01 }}");
        let set = [optimizer.as_str(), "train.on-nonfinite=skip", "dataset={ type = \"stream\", steps = 4 }"];
        let experiment = experiment(&[&set[..], &["dataset.corpus=names", device.as_str()]].concat());
        let stop = |updates| Watch { stop: Some(updates), ..Watch::default() };
        let (before, _) = poisoned(root.path(), &experiment, &[], true, stop(11));
        let (after, ending) = poisoned(root.path(), &experiment, &[11], true, stop(12));
        assert_eq!(ending.unwrap(), Ending::Stopped);
        assert_eq!(tensors(&before), tensors(&after), "{optimizer}");
        let (one, other) = (checkpoint::read(&before.checkpoint()), checkpoint::read(&after.checkpoint()));
        let (one, other) = (one.unwrap().meta.progress, other.unwrap().meta.progress);
        assert_eq!((one.updates, other.updates), (11, 12), "the batch is used up");
        assert_eq!((one.smoothed_loss, one.interval), (other.smoothed_loss, other.interval));
        let events = events(&after);
        assert_eq!(events.iter().map(|it| (it.step, it.action)).collect::<Vec<_>>(), [(11, Action::Skip)]);
        assert!(events[0].loss.is_nan());
    }
}

/// Would catch: dropping for ever, without an end and without a word.
#[test]
fn too_many_dropped_updates_end_the_run() {
    let root = tempdir().unwrap();
    let all: Vec<u64> = (0..200).collect();
    let set = experiment(&["train.on-nonfinite=skip", "train.steps=200"]);
    let (run, ending) = poisoned(root.path(), &set, &all, true, Watch::default());
    let message = refusal(ending);
    assert!(message.contains("the last 100 updates were all dropped"), "{message}");
    assert_eq!(events(&run).len(), 100);
}

/// Would catch: a checkpoint with parameters that are not finite, which the loss of its own update does not show; and
/// rows that stay in the logs from the way that was not taken.
#[test]
fn a_rewind_restores_the_last_good_checkpoint() {
    let root = tempdir().unwrap();
    let on = |device| experiment(&["train.on-nonfinite=rewind", device]);
    let (compiled, experiment) = (on("backend.device=cpu"), on("backend.device=flex"));
    // Before the first checkpoint there is the beginning: moments and counts are those of a run that begins.
    for experiment in [&compiled, &experiment] {
        let (run, ending) = poisoned(root.path(), experiment, &[2], true, Watch::default());
        assert_eq!(ending.unwrap(), Ending::Finished);
        assert_eq!(events(&run)[0].back_to, Some(0));
        let saved = tensors(&run);
        let time = saved.iter().find(|tensor| tensor.name.ends_with("by.momentum.time")).unwrap();
        assert_eq!(time.values, Values::F64(vec![24.0]));
    }
    for (poison, shows, seen) in [(12, true, 12), (12, false, 13), (14, false, 14)] {
        let (run, ending) = poisoned(root.path(), &experiment, &[poison], shows, Watch::default());
        assert_eq!(ending.unwrap(), Ending::Finished);
        let events = events(&run);
        assert_eq!(events.len(), 1);
        let Event { step, back_to, rate_factor, .. } = events[0];
        assert_eq!((step, back_to), (seen, Some(10)));
        assert!((rate_factor - 0.5).abs() < f64::EPSILON);
        assert_eq!(steps(&run), [0, 3, 6, 7, 9, 12, 14, 15, 18, 21, 23], "every line once");
        let checkpoint = checkpoint::read(&run.checkpoint()).unwrap();
        assert_eq!((checkpoint.diverged(), checkpoint.meta.progress.rewinds), (None, 1));
        let rates: Vec<_> = log::read::<Metric>(&run.metrics()).unwrap().iter().map(|row| row.learning_rate).collect();
        assert_eq!((rates[4], rates[5]), (0.01, 0.005), "half the rate from there on, and not before");
        // The checkpoint knows its events: one that is changed is found.
        assert_eq!(seal::changed_since_checkpoint(&run), []);
        let changed = std::fs::read_to_string(run.events()).unwrap().replace("\"back_to\":10", "\"back_to\":11");
        std::fs::write(run.events(), changed).unwrap();
        let reported = seal::changed_since_checkpoint(&run);
        assert!(reported.len() == 1 && reported[0].message.contains("events.jsonl"), "{reported:?}");
    }
}

/// Would catch: a run taken back again and again, for ever.
#[test]
fn too_many_rewinds_end_the_run() {
    let root = tempdir().unwrap();
    let all: Vec<u64> = (10..200).collect();
    let (run, ending) =
        poisoned(root.path(), &experiment(&["train.on-nonfinite=rewind"]), &all, true, Watch::default());
    let message = refusal(ending);
    assert!(message.contains("it was taken back 10 times already"), "{message}");
    assert!(message.contains("the last good checkpoint is kept"), "{message}");
    assert_eq!(checkpoint::read(&run.checkpoint()).unwrap().diverged(), None);
}

/// Would catch: without a word in the experiment, anything but an end; and a diverged checkpoint over the good one.
#[test]
fn the_default_is_to_stop() {
    let root = tempdir().unwrap();
    let (run, ending) = poisoned(root.path(), &experiment(&[]), &[14], false, Watch::default());
    let message = refusal(ending);
    assert!(message.contains("a gradient or a parameter is not finite after step 14"), "{message}");
    assert_eq!(checkpoint::read(&run.checkpoint()).unwrap().meta.progress.updates, 10);
}

/// Would catch: rewinding and resuming that do not agree: a rate, a count or an event of one that the other lacks. The
/// divergence is a real one here, of a rate beyond the largest number of 32 bits, until it is halved often enough.
#[test]
fn a_rewound_run_is_resumed_exactly() {
    let root = tempdir().unwrap();
    let set = ["train.on-nonfinite=rewind", "optimizer={ type = \"sgd\", learning-rate = 1e40 }", "train.steps=40"];
    let experiment = experiment(&[&set[..], &["cell={ type = \"vanilla\", hidden = 6 }"]].concat());
    let (alone, ending) = begin(root.path(), &experiment, Watch::default());
    let alone_message = ending.unwrap().map_err(|error| error.to_string());
    assert!(!events(&alone).is_empty(), "it diverges");
    for at in [1, 2, 7, 11] {
        let (killed, _) = begin(root.path(), &experiment, Watch { kill_updated: Some(at), ..Watch::default() });
        let message = resume_run(&killed, Watch::default()).map(Option::unwrap).map_err(|error| error.to_string());
        let message = message.map_err(|text| text.replace(&killed.path().display().to_string(), "RUN"));
        let expected = alone_message.clone().map_err(|text| text.replace(&alone.path().display().to_string(), "RUN"));
        assert_eq!(message, expected);
        let found = differences(&alone, &killed, u64::MAX).unwrap();
        assert!(found.is_empty(), "killed after {at}: {}", found.join("\n"));
    }
}
