//! Training: the loop, readable from top to bottom, and what it reports on the way.

mod demands;
mod divergence;
mod grow;
pub mod origin;
pub mod resume;
mod writer;

use std::time::Instant;

pub use self::demands::{fits, notes};
pub(crate) use self::divergence::DIVERGED;
use self::writer::Writer;
use crate::{
    data::Data,
    error::{Problem, Result},
    experiment::{Experiment, OnNonfinite, Smoothing},
    inspect::{
        evaluate::evaluate,
        generate::{GeneratedText, Limits, Request, generate},
    },
    network::Network,
    random::Streams,
    run::{
        checkpoint::{self, Best, Checkpoint, Interval, LogDigests, Progress},
        directory::RunDirectory,
        keep,
        log::{self, Event, Log, Metric, SampleRow, Time},
        replace,
    },
    schedule,
};

/// An observer of a training, which may end it.
pub trait Observer {
    /// An update is done; `updates` of `total` are.
    fn updated(&mut self, updates: u64, total: u64, smoothed_loss: f64);
    /// A line of metrics was written.
    fn measured(&mut self, metric: &Metric);
    /// Samples were drawn after that step.
    fn sampled(&mut self, step: u64, samples: &[GeneratedText]);
    /// Whether to end after this update, with a checkpoint.
    fn wants_to_stop(&self) -> bool;
    /// Whether to write a checkpoint after this update and continue.
    fn wants_checkpoint(&self) -> bool {
        false
    }
    /// A number was not finite, and training went on all the same.
    fn recovered(&mut self, _event: &Event) {}
    /// Something went wrong that does no harm to the training.
    fn warned(&mut self, _warning: &Problem) {}
}

/// No observer: the training runs to its end.
impl Observer for () {
    fn updated(&mut self, _updates: u64, _total: u64, _smoothed_loss: f64) {}

    fn measured(&mut self, _metric: &Metric) {}

    fn sampled(&mut self, _step: u64, _samples: &[GeneratedText]) {}

    fn wants_to_stop(&self) -> bool {
        false
    }
}

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All updates are done.
    Finished,
    /// The validation has not become better for as many reports as `train.patience` says.
    Early,
    /// The observer asked for it; a checkpoint holds everything to continue.
    Stopped,
}

/// A run under way: the network, its data, and where its reports go.
pub struct Training<'a> {
    /// What is trained.
    pub network: Network,
    /// On what.
    pub data: &'a Data,
    /// How far it has come.
    pub progress: Progress,
    /// Where its reports and checkpoints go.
    pub directory: &'a RunDirectory,
    /// `metrics.jsonl`.
    pub metrics: Log<Metric>,
    /// `samples.jsonl`.
    pub samples: Log<SampleRow>,
    /// `times.jsonl`.
    pub times: Log<Time>,
    /// Seconds of training before this part of it, and when this part began.
    clock: (f64, Instant),
    /// Updates whose losses are still on the device.
    pending: Vec<PendingLoss>,
    /// Updates of the newest checkpoint of the run, if it has one.
    saved: Option<u64>,
    /// Whether it ended because a number was not finite.
    pub has_diverged: bool,
    /// SHA-256 of the text, for the checkpoints.
    digest: String,
    writer: Writer,
}

/// What must be known of an update to make something of its loss.
struct PendingLoss {
    step: u64,
    divisor: f64,
    characters: u64,
}

/// Losses that are left on the device at most: a training that has diverged has to be noticed soon.
const MOST_PENDING: usize = 100;

// ANCHOR: train
impl Training<'_> {
    /// Trains until all updates are done or the observer has enough.
    ///
    /// # Errors
    /// When a number is no longer finite and the experiment says no more than to stop, or when the device or the disk
    /// fails. The last good checkpoint stays.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Ending> {
        let ending = self.update(observer);
        let written = self.writer.wait();
        self.writer.warnings().iter().for_each(|warning| observer.warned(warning));
        ending.and_then(|ending| written.map(|()| ending))
    }

    fn update(&mut self, observer: &mut dyn Observer) -> Result<Ending> {
        let train = self.network.experiment.train.clone();
        let total = self.updates();
        let mut saved = Instant::now();
        self.prepare()?;
        while self.progress.updates < total && !self.is_out_of_patience() {
            let step = self.progress.updates;
            let batch = self.data.train.batch(step);
            let streams = Streams::new(self.network.experiment.seed, step);
            self.network.executor.train(&batch, &streams, self.learning_rate(step))?;
            self.pending.push(PendingLoss { step, divisor: batch.divisor, characters: batch.counted() });

            let (last, stop) = (step + 1 == total, observer.wants_to_stop());
            let report = step.is_multiple_of(train.report_every) || last;
            let overdue = train.checkpoint_minutes.is_some_and(|most| saved.elapsed().as_secs_f64() >= 60.0 * most);
            let asked = stop || observer.wants_checkpoint();
            let due = (step + 1).is_multiple_of(train.checkpoint_every) || overdue || last || asked;
            let log = step.is_multiple_of(train.log_every) || report;
            if (log || due || self.reads_at_once())
                && let Some(event) = self.read_losses(report || due)?
            {
                observer.recovered(&event);
                if event.back_to.is_some() {
                    continue;
                }
            }
            self.progress.updates = step + 1;
            observer.updated(step + 1, total, self.progress.smoothed_loss);

            if log {
                let metric = self.measure(step, report)?;
                observer.measured(&metric);
            }
            if report {
                let samples = self.sample(step)?;
                observer.sampled(step, &samples);
                self.save_best()?;
            }
            if due || self.is_out_of_patience() {
                self.save()?;
                self.writer.warnings().iter().for_each(|warning| observer.warned(warning));
                saved = Instant::now();
            }
            if stop && !last {
                return Ok(Ending::Stopped);
            }
        }
        Ok(if self.progress.updates < total { Ending::Early } else { Ending::Finished })
    }
    // ANCHOR_END: train

    /// The updates of the whole training.
    pub fn updates(&self) -> u64 {
        self.data.train.updates(&self.network.experiment.train)
    }

    fn learning_rate(&self, step: u64) -> f64 {
        let experiment = &self.network.experiment;
        let factor = schedule::factor(&experiment.schedule, step, self.updates(), self.data.train.steps_per_epoch());
        experiment.optimizer.learning_rate() * factor * self.progress.rate_factor
    }

    /// Whether every loss is looked at before the next update. Where asking for a number makes the device wait, only
    /// those updates do that must be taken back if they fail.
    fn reads_at_once(&self) -> bool {
        let skips = self.network.experiment.train.on_nonfinite == OnNonfinite::Skip;
        skips || !self.network.executor.is_async() || self.pending.len() >= MOST_PENDING
    }

    /// Reads the losses of the updates since the last time, judges them, and enters the sound ones into the means.
    fn read_losses(&mut self, thoroughly: bool) -> Result<Option<Event>> {
        let (losses, pending) = (self.network.executor.losses()?, std::mem::take(&mut self.pending));
        let last = pending.len().saturating_sub(1);
        for (index, (nats, update)) in losses.into_iter().zip(pending).enumerate() {
            let loss = nats / update.divisor;
            if let Some(event) = self.judge(update.step, loss, thoroughly && index == last)? {
                return Ok(Some(event));
            }
            self.account(nats, loss, update.characters);
        }
        Ok(None)
    }

    /// Enters the loss of an update into the running means: in nats over the batch, and in the experiment's unit.
    fn account(&mut self, nats: f64, loss: f64, characters: u64) {
        let Smoothing { decay, .. } = self.network.experiment.train.smoothing;
        let progress = &mut self.progress;
        progress.smoothed_loss = progress.smoothed_loss * decay + loss * (1.0 - decay);
        progress.interval.updates += 1;
        progress.interval.loss += loss;
        progress.interval.nats += nats;
        progress.interval.characters += characters;
        progress.skipped = 0;
    }

    /// A line of `metrics.jsonl`: means over the updates since the line before, validation if it is due.
    fn measure(&mut self, step: u64, validate: bool) -> Result<Metric> {
        let interval = std::mem::take(&mut self.progress.interval);
        let (gradient_norm, clipped_norm) = self.network.executor.gradient_norms()?;
        let valid = match &self.data.valid {
            Some(split) if validate => Some(evaluate(self.network.executor.as_mut(), split)?),
            _ => None,
        };
        let nats = interval.nats / interval.characters as f64;
        let metric = Metric {
            step,
            epoch: (step + 1) as f64 / self.data.train.steps_per_epoch() as f64,
            loss: interval.loss / interval.updates as f64,
            smoothed_loss: self.progress.smoothed_loss,
            bits_per_character: nats / std::f64::consts::LN_2,
            perplexity: nats.exp(),
            gradient_norm,
            clipped_norm,
            learning_rate: self.learning_rate(step),
            valid,
        };
        self.metrics.append(&metric)?;
        self.metrics.flush()?;
        let (before, began) = self.clock;
        // Milliseconds are enough for a curve.
        let seconds = ((before + began.elapsed().as_secs_f64()) * 1e3).round() / 1e3;
        self.times.append(&Time { step, seconds })?;
        self.times.flush()?;
        if let Some(valid) = metric.valid.as_ref() {
            let nats = valid.nats_per_character;
            if nats.is_finite() && self.progress.best.as_ref().is_none_or(|best| nats < best.nats) {
                self.progress.best = Some(Best { updates: step + 1, nats });
                self.progress.stale = 0;
            } else {
                self.progress.stale += 1;
            }
        }
        Ok(metric)
    }

    /// Whether the validation has not become better for as many reports as `train.patience` says.
    pub fn is_out_of_patience(&self) -> bool {
        self.network.experiment.train.patience.is_some_and(|patience| self.progress.stale >= patience)
    }

    /// Draws the samples of a report.
    fn sample(&mut self, step: u64) -> Result<Vec<GeneratedText>> {
        let sample = &self.network.experiment.sample;
        let request = Request {
            prefix: sample.prefix.clone(),
            count: sample.count,
            length: sample.length,
            seed: self.network.sample_seed(),
            occasion: format!("report {step}"),
            capitalize: sample.capitalize,
            limits: Limits::default(),
        };
        let generated = generate(&mut self.network, &request, &mut |_, _| ())?;
        for (index, sample) in generated.iter().enumerate() {
            self.samples.append(&SampleRow { step, index, text: sample.text.clone() })?;
        }
        self.samples.flush()?;
        Ok(generated)
    }

    /// Begins to write the newest checkpoint, after the rows that it counts on. [`Training::run`] does not end before it
    /// is written.
    ///
    /// # Errors
    /// When the device fails, and when the checkpoint before could not be written.
    pub fn save(&mut self) -> Result<()> {
        let (rows, samples, checkpoint) = (self.metrics.sync_later()?, self.samples.sync_later()?, self.checkpoint()?);
        let (directory, before, keep) = (self.directory.clone(), self.saved, self.network.experiment.train.keep);
        self.writer.start(move || {
            rows.wait()?;
            samples.wait()?;
            keep::write(&directory, &checkpoint, before, keep)
        })?;
        self.saved = Some(self.progress.updates);
        Ok(())
    }

    /// Writes the best checkpoint, if this is it.
    fn save_best(&mut self) -> Result<()> {
        match self.progress.best {
            Some(best) if best.updates == self.progress.updates => {
                checkpoint::write(&self.directory.best(), &self.checkpoint()?)
            }
            _ => Ok(()),
        }
    }

    fn checkpoint(&self) -> Result<Checkpoint> {
        let mut checkpoint = self.network.checkpoint(&self.progress)?;
        checkpoint.meta.data = Some(self.digest.clone());
        let (metrics, samples) = (self.metrics.digest(), self.samples.digest());
        let rows = self.progress.events;
        let events = (rows > 0).then(|| log::digest_of::<Event>(&self.directory.events(), rows)).transpose()?;
        checkpoint.meta.logs = Some(LogDigests { metrics, samples, events });
        Ok(checkpoint)
    }
}

impl<'a> Training<'a> {
    /// A training that begins, in a folder that its experiment is written into.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn begin(network: Network, data: &'a Data, directory: &'a RunDirectory) -> Result<Self> {
        record(directory, &network.experiment)?;
        let progress = Progress::start(&network.experiment.train.smoothing, network.vocabulary.len());
        Self::of(network, data, progress, directory, None)
    }

    /// A training that has come so far; `saved` are the updates of the newest checkpoint in the folder.
    ///
    /// # Errors
    /// When the logs cannot be opened.
    pub(crate) fn of(
        network: Network,
        data: &'a Data,
        progress: Progress,
        directory: &'a RunDirectory,
        saved: Option<u64>,
    ) -> Result<Self> {
        let (metrics, samples) = (Log::open(directory.metrics())?, Log::open(directory.samples())?);
        let before = log::read::<Time>(&directory.times())?.last().map_or(0.0, |time| time.seconds);
        Ok(Self {
            times: Log::open(directory.times())?,
            clock: (before, Instant::now()),
            network,
            data,
            progress,
            directory,
            metrics,
            samples,
            pending: Vec::new(),
            saved,
            has_diverged: false,
            digest: data.digest(),
            writer: Writer::default(),
        })
    }
}

/// Writes the experiment into the run's folder. Its first line names the schema, which is in the folder of all runs.
///
/// # Errors
/// When it cannot be written.
fn record(directory: &RunDirectory, experiment: &Experiment) -> Result<()> {
    let text = format!("#:schema ../../experiment.schema.json\n{}", experiment.to_toml());
    replace::text(&directory.experiment(), &text)
}

impl Progress {
    /// Before the first update: the smoothed loss is that of a uniform guess.
    pub fn start(smoothing: &Smoothing, vocabulary: usize) -> Self {
        Self {
            updates: 0,
            smoothed_loss: smoothing.start_length * (vocabulary as f64).ln(),
            interval: Interval::default(),
            best: None,
            rate_factor: 1.0,
            stale: 0,
            skipped: 0,
            rewinds: 0,
            events: 0,
        }
    }
}
