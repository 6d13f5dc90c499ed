//! The answers to a value that is no longer finite: stopping, dropping the update, or rewinding to a checkpoint.

use super::{Training, resume};
use crate::{
    error::{Problem, Result},
    experiment::OnNonfinite,
    run::{
        checkpoint::Progress,
        keep,
        log::{Action, Event, Log},
    },
};

/// How often training is taken back before it is given up: the learning rate is then a thousandth.
const REWINDS: u64 = 10;
/// The end of the message of a training that has diverged.
pub(crate) const DIVERGED: &str = "the training has diverged";
/// How many updates in a row are dropped before training is given up.
const SKIPS: u64 = 100;

impl Training<'_> {
    /// Makes sure that there is something to go back to, if that is what the experiment wants.
    pub(super) fn prepare(&mut self) -> Result<()> {
        if self.network.experiment.train.on_nonfinite == OnNonfinite::Rewind && self.saved.is_none() {
            self.save()?;
        }
        Ok(())
    }

    /// Whether an update was sound: nothing, if so. If not, what was done about it. `thoroughly` looks at the parameters
    /// too, as before a checkpoint is written or samples are drawn: the loss shows only what was wrong before the update.
    ///
    /// # Errors
    /// When it was not, and the experiment says to stop or everything that it says has been tried.
    pub(super) fn judge(&mut self, step: u64, loss: f64, thoroughly: bool) -> Result<Option<Event>> {
        let policy = self.network.experiment.train.on_nonfinite;
        let mut sound = loss.is_finite();
        if sound && policy == OnNonfinite::Skip {
            // A gradient that is not finite is in the parameters when the next loss shows it; that is too late here.
            let (before, after) = self.network.executor.gradient_norms()?;
            sound = before.is_finite() && after.is_finite();
        }
        if sound && thoroughly {
            sound = self.checkpoint()?.diverged().is_none();
        }
        if sound {
            return Ok(None);
        }
        // Messages and rewinding refer to what is on the disk.
        self.writer.wait()?;
        let (gradient_norm, _) = self.network.executor.gradient_norms()?;
        let rate_factor = self.progress.rate_factor;
        let event = Event { step, action: Action::Skip, loss, gradient_norm, back_to: None, rate_factor };
        match policy {
            OnNonfinite::Stop => Err(self.diverged(&event, "").into()),
            OnNonfinite::Skip => self.skip(event).map(Some),
            OnNonfinite::Rewind => self.rewind(event).map(Some),
        }
    }

    fn skip(&mut self, event: Event) -> Result<Event> {
        if self.progress.skipped >= SKIPS {
            return Err(self.diverged(&event, &format!("the last {SKIPS} updates were all dropped")).into());
        }
        self.network.executor.undo()?;
        self.progress.skipped += 1;
        self.note(event)
    }

    /// Goes back to the last good checkpoint, which is written anew with half the rate, so that a run that is killed
    /// now continues like one that is not.
    fn rewind(&mut self, event: Event) -> Result<Event> {
        if self.progress.rewinds >= REWINDS {
            return Err(self.diverged(&event, &format!("it was taken back {REWINDS} times already")).into());
        }
        let found = keep::newest(self.directory)?;
        let Some(checkpoint) = found.checkpoint else {
            return Err(self.diverged(&event, "there is no checkpoint to go back to").into());
        };
        found.damaged.iter().try_for_each(|path| keep::rename(path, "damaged"))?;
        self.network.executor.load(&checkpoint.tensors)?;
        let Progress { rewinds, events, rate_factor, .. } = self.progress;
        let before = checkpoint.meta.progress;
        let updates = before.updates;
        self.progress = Progress { rewinds: rewinds + 1, events, rate_factor: rate_factor * 0.5, ..before };
        self.metrics.flush()?;
        self.samples.flush()?;
        resume::put_in_order(self.directory, updates, events)?;
        (self.metrics, self.samples) = (Log::open(self.directory.metrics())?, Log::open(self.directory.samples())?);
        self.times = Log::open(self.directory.times())?;
        self.saved = Some(updates);
        let rate_factor = self.progress.rate_factor;
        let event = self.note(Event { action: Action::Rewind, back_to: Some(updates), rate_factor, ..event })?;
        self.save()?;
        Ok(event)
    }

    /// Writes an event down.
    fn note(&mut self, event: Event) -> Result<Event> {
        let mut events = Log::open(self.directory.events())?;
        events.append(&event)?;
        events.sync_later()?.wait()?;
        self.progress.events += 1;
        Ok(event)
    }

    fn diverged(&mut self, event: &Event, tried: &str) -> Problem {
        self.has_diverged = true;
        let Event { step, loss, gradient_norm, .. } = event;
        let what = if loss.is_finite() {
            format!("a gradient or a parameter is not finite after step {step}")
        } else {
            format!("the loss is {loss} at step {step}")
        };
        let kept = self.directory.checkpoint();
        let kept = if kept.exists() {
            format!("the last good checkpoint is kept: {}", kept.display())
        } else {
            "no checkpoint had been written yet (train.checkpoint-every sets how often)".to_owned()
        };
        let problem = Problem::new(format!("{what}: {DIVERGED}"))
            .note(format!("norm of the gradients before clipping: {gradient_norm:e}"))
            .note(kept);
        let problem = if tried.is_empty() { problem } else { problem.note(tried) };
        problem.hint(
            "lower optimizer.learning-rate, clip gradients ([[clipper]] type = \"norm\", limit = 1.0), \
             or set train.on-nonfinite = \"rewind\"",
        )
    }
}
