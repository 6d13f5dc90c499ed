//! `hatchery runs compare` and `hatchery runs table`: several runs side by side.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hatchery::{
    batches::Data,
    error::{Problem, Result},
    experiment::{Experiment, read},
    model::Model,
    registry::Registry,
    run::{
        directory::{self, RunDirectory, Where},
        environment::Environment,
        failure,
        log::{self, Metric},
        origin,
        picture::{Series, charts, loss_curve},
        replace,
    },
};

use crate::arguments::Libraries;

/// A run as the tables show it.
struct Row {
    label: String,
    cell: String,
    parameters: Option<usize>,
    updates: u64,
    epochs: f64,
    seconds: f64,
    /// Nats per character of the last line of the log.
    train: f64,
    /// The same of the best validation.
    valid: Option<f64>,
    curve: Vec<(f64, f64)>,
    held_out: Vec<(f64, f64)>,
}

/// A table of the runs, their training losses over each other, and a picture of both.
pub(crate) fn compare(compared: &[PathBuf], picture: Option<&Path>, root: &Path) -> Result<()> {
    let mut rows = Vec::new();
    for argument in compared {
        rows.push(Row::of(&folder(argument, root)?)?);
    }
    println!(
        "{:<2} {:<32} {:<14} {:>10} {:>8} {:>9} {:>10} {:>10}",
        "", "run", "cell", "parameters", "updates", "seconds", "training", "validation"
    );
    for (letter, row) in letters().zip(&rows) {
        println!(
            "{letter:<2} {:<32} {:<14} {:>10} {:>8} {:>9.1} {:>10.4} {:>10}",
            row.label,
            row.cell,
            row.parameters.map_or("–".to_owned(), |parameters| parameters.to_string()),
            row.updates,
            row.seconds,
            row.train,
            row.valid.map_or("–".to_owned(), |valid| format!("{valid:.4}")),
        );
    }
    let curves: Vec<_> = letters().zip(&rows).map(|(letter, row)| (letter, row.curve.as_slice())).collect();
    println!("\nnats per character, training, by step:\n{}", charts(&curves, 72, 16));

    let mut series = Vec::new();
    for row in rows {
        series.push(Series { label: row.label.clone(), points: row.curve });
        if !row.held_out.is_empty() {
            series.push(Series { label: format!("{}, validation", row.label), points: row.held_out });
        }
    }
    let path = picture.map_or_else(|| root.join("compare.svg"), Path::to_owned);
    replace::text(&path, &loss_curve(&series, "runs compared", "nats per character"))?;
    println!("{}", path.display());
    Ok(())
}

/// A Markdown table of experiment files, with what their newest finished run measured.
pub(crate) fn table(experiments: &Path, root: &Path) -> Result<()> {
    let runs = if root.is_dir() { directory::list(root)? } else { Vec::new() };
    println!("| experiment | question | cell | parameters | updates | seconds | training | validation |");
    println!("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |");
    for path in files(experiments)? {
        let registry = super::registry(&Libraries::default(), &read::libraries(&path, &[])?)?;
        let experiment = read::read(&path, &[], &registry)?;
        let shown = path.strip_prefix(experiments).unwrap_or(&path).display().to_string();
        let question = question(&path)?;
        let newest = runs.iter().rev().find(|run| run.name == experiment.name && run.finished);
        let Some(newest) = newest else {
            println!("| [{shown}]({shown}) | {question} | {} | | | not run | | |", cell(&experiment));
            continue;
        };
        let row = Row::of(&RunDirectory::open(&newest.path)?)?;
        println!(
            "| [{shown}]({shown}) | {question} | {} | {} | {} | {:.1} | {:.4} | {} |",
            row.cell,
            row.parameters.map_or(String::new(), |parameters| parameters.to_string()),
            row.length(&experiment),
            row.seconds,
            row.train,
            row.valid.map_or(String::new(), |valid| format!("{valid:.4}")),
        );
    }
    Ok(())
}

impl Row {
    fn of(run: &RunDirectory) -> Result<Self> {
        let text = fs::read_to_string(run.experiment()).map_err(|error| failure("read", &run.experiment(), error))?;
        let folder = origin::folder(&Where::Run(run.clone()));
        let registry = super::registry(&Libraries::default(), &read::recorded_libraries(&text, &folder))?;
        let experiment = read::from_text(&text, &run.experiment().display().to_string(), &[], &registry)?;
        let metrics: Vec<Metric> = log::read(&run.metrics())?;
        let nats = |metric: &Metric| metric.bits_per_character * std::f64::consts::LN_2;
        let held_out: Vec<_> = metrics
            .iter()
            .filter_map(|metric| Some((metric.step as f64, metric.valid.as_ref()?.nats_per_character)))
            .collect();
        let environment = Environment::read(&run.environment())?;
        Ok(Self {
            label: run.to_string(),
            cell: cell(&experiment),
            parameters: parameters(&experiment, &folder, &registry),
            updates: metrics.last().map_or(0, |metric| metric.step + 1),
            epochs: metrics.last().map_or(0.0, |metric| metric.epoch),
            seconds: environment.wall_seconds,
            train: metrics.last().map_or(f64::NAN, nats),
            valid: held_out.iter().map(|(_, nats)| *nats).reduce(f64::min),
            curve: metrics.iter().map(|metric| (metric.step as f64, nats(metric))).collect(),
            held_out,
        })
    }

    /// The updates, and what the file asks for if the run was shorter or longer.
    fn length(&self, experiment: &Experiment) -> String {
        let updates = self.updates;
        match (experiment.train.steps, experiment.train.epochs) {
            (Some(steps), _) if steps != updates => format!("{updates} of {steps}"),
            (None, Some(epochs)) if (self.epochs - epochs as f64).abs() > 0.5 => {
                format!("{updates} ({:.0} of {epochs} epochs)", self.epochs)
            }
            _ => updates.to_string(),
        }
    }
}

/// `2 × lstm 128`.
fn cell(experiment: &Experiment) -> String {
    let width = experiment.cell.keys.get("hidden").map_or(String::new(), |hidden| format!(" {hidden}"));
    let layers = match experiment.model.layers {
        1 => String::new(),
        layers => format!("{layers} × "),
    };
    format!("{layers}{}{width}", experiment.cell.name)
}

/// The number of trained numbers, if the text that it depends on is still there.
fn parameters(experiment: &Experiment, folder: &Path, registry: &Registry) -> Option<usize> {
    let data = Data::open(experiment, folder, registry, None).ok()?;
    Some(Model::new(experiment, registry, data.vocabulary.len()).ok()?.size())
}

fn folder(argument: &Path, root: &Path) -> Result<RunDirectory> {
    match directory::resolve(Some(argument), root)? {
        Where::Run(run) => Ok(run),
        Where::Checkpoint(path) => {
            Err(Problem::new(format!("`{}` is a checkpoint, not a run's folder", path.display()))
                .hint("name the folder that it lies in")
                .into())
        }
    }
}

/// The experiment files under a folder, those of the folder itself first.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| failure("read", folder, error);
    if !folder.is_dir() {
        return Err(Problem::new(format!("there is no folder `{}`", folder.display())).into());
    }
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>())
        .map_err(failed)?;
    paths.sort();
    let (folders, others): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    let mut found: Vec<_> =
        others.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect();
    for folder in folders {
        found.extend(files(&folder)?);
    }
    Ok(found)
}

/// The question that a file opens with, up to its mark.
fn question(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).map_err(|error| failure("read", path, error))?;
    let comment: Vec<_> = text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim).collect();
    let comment = comment.join(" ");
    let question = comment.strip_prefix("Question:").unwrap_or_default().trim();
    let end = question.find('?').map_or(0, |mark| mark + 1);
    Ok(question[..end].replace('|', "\\|"))
}

fn letters() -> impl Iterator<Item = char> {
    ('A'..='Z').cycle()
}
