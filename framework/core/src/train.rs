//! Training: the loop, readable from top to bottom, and what it reports on the way.

use crate::{
    batches::Data,
    error::{Problem, Result},
    evaluate::evaluate,
    experiment::Smoothing,
    generate::{Generated, Request, generate},
    network::Network,
    random::Stream,
    run::{
        checkpoint::{self, Best, Interval, Progress},
        directory::RunDirectory,
        log::{Log, Metric, SampleRow},
    },
    schedule,
};

/// Somebody who watches a training, and may end it.
pub trait Observer {
    /// An update is done; `updates` of `total` are.
    fn updated(&mut self, updates: u64, total: u64, smoothed_loss: f64);
    /// A line of metrics was written.
    fn measured(&mut self, metric: &Metric);
    /// Samples were drawn after that step.
    fn sampled(&mut self, step: u64, samples: &[Generated]);
    /// Whether to end after this update, with a checkpoint.
    fn wants_to_stop(&self) -> bool;
}

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All updates are done.
    Finished,
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
}

// ANCHOR: train
impl Training<'_> {
    /// Trains until all updates are done or the observer has enough.
    ///
    /// # Errors
    /// When the loss is no longer a number, or the device or the disk fails. The last good checkpoint stays.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Ending> {
        let train = self.network.experiment.train.clone();
        let total = self.updates();
        for step in self.progress.updates..total {
            let batch = self.data.train.batch(step);
            let dropout = Stream::new(self.network.experiment.seed, "dropout", step);
            self.network.executor.train(&batch, dropout, self.learning_rate(step))?;

            let nats = self.network.executor.losses()?;
            self.account(step, nats[0], batch.counted(), batch.divisor)?;
            observer.updated(step + 1, total, self.progress.smoothed_loss);

            let last = step + 1 == total;
            let stop = observer.wants_to_stop();
            let report = step % train.report_every == 0 || last;
            let checkpoint = (step + 1) % train.checkpoint_every == 0 || last || stop;
            if report || checkpoint {
                self.check_parameters(step)?;
            }
            if step % train.log_every == 0 || report {
                let metric = self.measure(step, report)?;
                observer.measured(&metric);
            }
            if report {
                let samples = self.sample(step)?;
                observer.sampled(step, &samples);
            }
            if checkpoint {
                self.save("checkpoint.safetensors")?;
            }
            if stop && !last {
                return Ok(Ending::Stopped);
            }
        }
        Ok(Ending::Finished)
    }
    // ANCHOR_END: train

    /// The updates of the whole training.
    pub fn updates(&self) -> u64 {
        let train = &self.network.experiment.train;
        match (train.steps, train.epochs) {
            (Some(steps), _) => steps,
            (None, epochs) => epochs.unwrap_or(1) * self.data.train.steps_per_epoch(),
        }
    }

    fn learning_rate(&self, step: u64) -> f64 {
        let experiment = &self.network.experiment;
        let factor = schedule::factor(&experiment.schedule, step, self.updates(), self.data.train.steps_per_epoch());
        experiment.optimizer.learning_rate() * factor * self.progress.rate_factor
    }

    /// Enters the loss of an update into the running means.
    fn account(&mut self, step: u64, nats: f64, characters: u64, divisor: f64) -> Result<()> {
        let loss = nats / divisor;
        if !loss.is_finite() {
            return Err(self.diverged(format!("the loss is {loss} at step {step}"))?.into());
        }
        let Smoothing { decay, .. } = self.network.experiment.train.smoothing;
        let progress = &mut self.progress;
        progress.smoothed_loss = progress.smoothed_loss * decay + loss * (1.0 - decay);
        progress.interval.updates += 1;
        progress.interval.loss += loss;
        progress.interval.nats += nats;
        progress.interval.characters += characters;
        progress.updates = step + 1;
        Ok(())
    }

    /// An update with a finite loss may still end in parameters that are not: they must neither be sampled from nor take
    /// the place of the last good checkpoint.
    fn check_parameters(&mut self, step: u64) -> Result<()> {
        let saved = self.network.executor.save()?;
        match saved.iter().find(|named| !named.values.are_finite()) {
            Some(named) => Err(self.diverged(format!("`{}` is not finite after step {step}", named.name))?.into()),
            None => Ok(()),
        }
    }

    /// Says that training has diverged, and what is left of it.
    fn diverged(&mut self, found: String) -> Result<Problem> {
        let (norm, _) = self.network.executor.gradient_norms()?;
        self.metrics.flush()?;
        let checkpoint = self.directory.checkpoint();
        let kept = if checkpoint.exists() {
            format!("the last good checkpoint is kept: {}", checkpoint.display())
        } else {
            "no checkpoint had been written yet: train.checkpoint-every sets how often".to_owned()
        };
        Ok(Problem::new(format!("{found}: the training has diverged"))
            .note(format!("norm of the gradients before clipping: {norm:e}"))
            .note(kept)
            .hint("lower optimizer.learning-rate, or clip gradients: [[clipper]] type = \"norm\", limit = 1.0"))
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
        if let Some(valid) = metric.valid.as_ref() {
            let nats = valid.nats_per_character;
            if self.progress.best.as_ref().is_none_or(|best| nats < best.nats) {
                self.progress.best = Some(Best { updates: step + 1, nats });
                self.save("best.safetensors")?;
            }
        }
        Ok(metric)
    }

    /// Draws the samples of a report.
    fn sample(&mut self, step: u64) -> Result<Vec<Generated>> {
        let sample = &self.network.experiment.sample;
        let request = Request {
            prefix: sample.prefix.clone(),
            count: sample.count,
            length: sample.length,
            seed: self.network.sample_seed(),
            occasion: format!("report {step}"),
            capitalise: sample.capitalise,
        };
        let generated = generate(&mut self.network, &request, &mut |_, _| ())?;
        for (index, sample) in generated.iter().enumerate() {
            self.samples.append(&SampleRow { step, index, text: sample.text.clone() })?;
        }
        self.samples.flush()?;
        Ok(generated)
    }

    fn save(&self, name: &str) -> Result<()> {
        checkpoint::write(&self.directory.path().join(name), &self.network.checkpoint(&self.progress)?)
    }
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
        }
    }
}
