//! Progress of the workers of this program, on standard error: a live table on a terminal, else a line for each task that
//! is done.

use std::{
    collections::HashMap,
    io::{IsTerminal, stderr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use hatchery::{
    error::Result,
    sweep::{Folder, Outcome, Plan, Report, Task, Trial},
};
use hatchery_cli::interrupt::Interrupt;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::show;

/// What the workers report to.
pub(super) struct Progress {
    interrupt: Interrupt,
    trials: usize,
    bars: MultiProgress,
    /// All updates of the sweep.
    whole: ProgressBar,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Trials that are done.
    done: usize,
    /// The tasks at work, by the trial: when each began, and its bar.
    at_work: HashMap<usize, (Instant, ProgressBar)>,
    /// The lowest objective of a whole trial.
    best: Option<(f64, String)>,
}

impl Progress {
    pub(super) fn new(folder: &Folder, plan: &Plan, interrupt: Interrupt) -> Result<Self> {
        let outcomes = folder.outcomes(plan)?;
        let target =
            if stderr().is_terminal() { ProgressDrawTarget::stderr_with_hz(4) } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let whole = bars.add(ProgressBar::new(plan.most_updates()));
        whole.set_style(style("{bar:32} {pos}/{len} updates  {msg}  {eta} left"));
        let progress = Self { interrupt, trials: plan.trials.len(), bars, whole, state: Mutex::new(State::default()) };
        for (trial, outcome) in plan.trials.iter().zip(&outcomes) {
            progress.whole.inc(outcome.measured.keys().next_back().copied().unwrap_or(0));
            progress.count(&mut progress.state(), plan, trial, outcome);
        }
        progress.whole.reset_eta();
        Ok(progress)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a trial, if it is done.
    fn count(&self, state: &mut State, plan: &Plan, trial: &Trial, outcome: &Outcome) {
        let nats = outcome.measured.get(&plan.updates(trial)).copied();
        state.done += usize::from(outcome.failed.is_some() || nats.is_some());
        if let Some(nats) = nats.filter(|nats| state.best.as_ref().is_none_or(|(best, _)| nats < best)) {
            state.best = Some((nats, name(plan, trial)));
        }
        if let Some((nats, name)) = &state.best {
            let (done, nats) = (state.done, show::loss(*nats, 4));
            self.whole.set_message(format!("{done}/{} trials, best {nats}: {name}", self.trials));
        }
    }
}

fn name(plan: &Plan, trial: &Trial) -> String {
    format!("{} seed {}", plan.variants[trial.variant].label(), trial.seed)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Report for Progress {
    fn began(&self, plan: &Plan, trial: &Trial, task: Task) {
        let bar = self.bars.add(ProgressBar::new(task.updates));
        bar.set_style(style("  {bar:30} {pos}/{len}  {msg}"));
        bar.set_message(name(plan, trial));
        self.state().at_work.insert(task.trial, (Instant::now(), bar));
    }

    fn updated(&self, task: Task, updates: u64) {
        if let Some((_, bar)) = self.state().at_work.get(&task.trial) {
            // A trial that is resumed begins where it was; what it has done is counted when its task ends.
            bar.set_position(updates);
        }
        self.whole.inc(1);
    }

    fn ended(&self, plan: &Plan, trial: &Trial, task: Task, outcome: &Outcome) {
        let mut state = self.state();
        let seconds = state.at_work.remove(&task.trial).map_or(0.0, |(began, bar)| {
            bar.finish_and_clear();
            began.elapsed().as_secs_f64()
        });
        self.count(&mut state, plan, trial, outcome);
        let result = match (&outcome.failed, outcome.measured.get(&task.updates)) {
            (Some(failure), _) => failure.message.clone(),
            (None, Some(nats)) => format!("{} nats after {} updates", show::loss(*nats, 4), task.updates),
            (None, None) => String::new(),
        };
        let (done, trials, name) = (state.done, self.trials, name(plan, trial));
        drop(state);
        self.bars.suspend(|| say!("[{done}/{trials}] {name}: {result}  ({seconds:.1} s)"));
    }

    fn wants_to_stop(&self) -> bool {
        self.interrupt.is_asked()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.whole.finish_and_clear();
    }
}
