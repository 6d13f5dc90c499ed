//! Progress of a training, on standard error.

use std::{io::IsTerminal, time::Instant};

use hatchery::{
    data::Data,
    device::card,
    error::Problem,
    inspect::generate::GeneratedText,
    network::Network,
    run::log::{Event, Metric},
    train::{self, Ending, Observer, Training},
};
use hatchery_cli::interrupt::Interrupt;
use hatchery_plugin::Framing;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::{
    arguments::{Form, Progress},
    commands::{notes, warn},
    show::{loss, samples as shown},
};

/// The display of a training.
pub(crate) struct Display {
    form: OutputForm,
    bar: ProgressBar,
    start: Instant,
    report_every: u64,
    /// What a symbol is.
    unit: &'static str,
    done: u64,
    total: u64,
    interrupted: Interrupt,
}

#[derive(Clone, Copy, PartialEq)]
enum OutputForm {
    Nothing,
    Bar,
    Lines,
    Json,
}

impl Display {
    /// Prints the size of model and data.
    pub(crate) fn new(progress: &Progress, network: &Network, data: &Data, interrupted: Interrupt) -> Self {
        let form = match progress.progress {
            _ if progress.quiet => OutputForm::Nothing,
            Form::Json => OutputForm::Json,
            Form::Auto if std::io::stderr().is_terminal() => OutputForm::Bar,
            Form::Auto | Form::Plain => OutputForm::Lines,
        };
        let target =
            if form == OutputForm::Bar { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{bar:32} {pos}/{len} steps  {per_sec}  loss {msg}  {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let display = Self {
            form,
            bar,
            start: Instant::now(),
            report_every: network.experiment.train.report_every,
            unit: network.vocabulary.unit().word(),
            done: 0,
            total: 0,
            interrupted,
        };
        if matches!(form, OutputForm::Bar | OutputForm::Lines) {
            let experiment = &network.experiment;
            let device = &experiment.backend.device;
            let device = card(device).map_or(device.clone(), |card| format!("{device} ({card})"));
            say!(
                "{}: {}; {} different symbols; {} × {}, {} parameters, on {}",
                experiment.name,
                sequences(data),
                network.vocabulary.len(),
                experiment.model.layers,
                experiment.cell.name,
                network.size,
                device,
            );
            notes(data);
            train::notes(experiment, data).iter().for_each(|note| say!("note: {note}"));
        }
        display
    }

    /// Prints how the training ended and which commands to run next.
    pub(crate) fn finished(&self, training: &Training<'_>, ending: Ending, seconds: f64) {
        self.bar.finish_and_clear();
        if !matches!(self.form, OutputForm::Bar | OutputForm::Lines) {
            return;
        }
        let folder = training.directory.path().display();
        let updates = training.progress.updates;
        match ending {
            Ending::Finished => {
                say!(
                    "\n{updates} steps in {seconds:.1} s. Losses: {folder}/loss.svg.{} Next:",
                    better_before(training)
                );
            }
            Ending::Early => {
                let patience = training.network.experiment.train.patience.unwrap_or_default();
                say!("\nended after {updates} steps in {seconds:.1} s: no better validation in {patience} reports.");
                let more = patience.max(training.progress.stale) * 2;
                say!("{}", better_before(training).trim_start());
                say!("To continue: hatchery train --resume {folder} --set train.patience={more}\nNext:");
            }
            Ending::Stopped => {
                say!(
                    "\nstopped after {updates} steps; a checkpoint is written. To resume:\n  hatchery train --resume {folder}"
                );
                return;
            }
        }
        let best = if better_before(training).is_empty() { "" } else { " --best" };
        say!("  hatchery sample {folder}{best} --count 10\n  hatchery eval {folder}{best}");
    }

    fn say(&self, text: &str) {
        match self.form {
            OutputForm::Bar => self.bar.suspend(|| say!("{text}")),
            _ => say!("{text}"),
        }
    }
}

impl Observer for Display {
    fn updated(&mut self, updates: u64, total: u64, smoothed_loss: f64) {
        (self.done, self.total) = (updates, total);
        if self.form == OutputForm::Bar {
            self.bar.set_length(total);
            self.bar.set_position(updates);
            // Formatting takes time: 16 updates are shorter than an eye can follow.
            if updates.is_multiple_of(16) || updates == total {
                self.bar.set_message(loss(smoothed_loss, 4));
            }
        }
    }

    fn measured(&mut self, metric: &Metric) {
        match self.form {
            OutputForm::Json => {
                say!("{}", serde_json::to_string(metric).unwrap_or_default());
            }
            OutputForm::Bar | OutputForm::Lines
                if metric.step.is_multiple_of(self.report_every) || metric.step + 1 == self.total =>
            {
                let elapsed = clock(self.start.elapsed().as_secs());
                let nats = metric.bits_per_character * std::f64::consts::LN_2;
                let valid = metric
                    .valid
                    .as_ref()
                    .map_or(String::new(), |valid| format!(", validation {}", loss(valid.nats_per_character, 4)));
                self.say(&format!(
                    "\nstep {}  loss {} nats per {}{valid}, smoothed {}  ({elapsed})",
                    metric.step,
                    loss(nats, 4),
                    self.unit,
                    loss(metric.smoothed_loss, 6),
                ));
            }
            _ => {}
        }
    }

    fn sampled(&mut self, step: u64, samples: &[GeneratedText]) {
        match self.form {
            OutputForm::Json => {
                for (index, sample) in samples.iter().enumerate() {
                    say!("{}", json!({ "step": step, "index": index, "text": sample.text }));
                }
            }
            OutputForm::Bar | OutputForm::Lines => {
                shown(samples.iter().map(|sample| sample.text.as_str()), "  ").iter().for_each(|text| self.say(text));
            }
            OutputForm::Nothing => {}
        }
    }

    fn wants_to_stop(&self) -> bool {
        self.interrupted.is_asked()
    }

    fn wants_checkpoint(&self) -> bool {
        self.interrupted.take_save()
    }

    fn warned(&mut self, warning: &Problem) {
        self.bar.suspend(|| warn(warning));
    }

    fn recovered(&mut self, event: &Event) {
        let Event { step, loss, rate_factor, .. } = event;
        let what = if loss.is_finite() {
            "a gradient or a parameter is not finite".to_owned()
        } else {
            format!("the loss is {loss}")
        };
        match (self.form, event.back_to) {
            (OutputForm::Json, _) => say!("{}", serde_json::to_string(event).unwrap_or_default()),
            (_, None) => self.say(&format!("step {step}: {what}; the update is dropped")),
            (_, Some(updates)) => self.say(&format!(
                "step {step}: {what}; back to the checkpoint after {updates} updates, with {rate_factor} times the learning rate"
            )),
        }
    }
}

/// The size of the data: sequences and those held out; of a stream, whose rows are no sequences of the text, characters.
fn sequences(data: &Data) -> String {
    let held_out = [("validation", &data.valid), ("test", &data.test)];
    if let Framing::Stream { .. } = data.framing {
        let held_out = held_out.iter().filter_map(|(name, split)| Some((name, split.as_ref()?.facts().characters)));
        let held_out: String =
            held_out.map(|(name, characters)| format!(", {characters} held out for {name}")).collect();
        return format!(
            "{} characters in {} parallel streams{held_out}",
            data.train.facts().characters,
            data.train.count()
        );
    }
    let held_out: usize = held_out.iter().filter_map(|(_, split)| Some(split.as_ref()?.count())).sum();
    let held_out = if held_out == 0 { String::new() } else { format!(", {held_out} held out") };
    format!("{} sequences{held_out}, the longest of {} symbols", data.train.count(), data.train.facts().longest)
}

/// The best checkpoint, if it is not the last.
fn better_before(training: &Training<'_>) -> String {
    let progress = &training.progress;
    let Some(best) = progress.best.filter(|best| best.updates < progress.updates) else { return String::new() };
    format!(
        "\nThe best validation, {} nats per {}, was at step {}: {}.",
        loss(best.nats, 4),
        training.network.vocabulary.unit().word(),
        best.updates - 1,
        training.directory.best().display()
    )
}

/// Seconds as `7 s` or `2 min 05 s`.
fn clock(seconds: u64) -> String {
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {:02} s", seconds / 60, seconds % 60) }
}
