//! `hatchery runs compare` and `hatchery runs table`: several runs side by side.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hatchery::{
    error::{Problem, Result},
    experiment::{
        Experiment,
        compare::{DifferingKey, varying},
    },
    model::Model,
    plot::{Series, charts, loss_curve},
    run::{
        directory::{self, RunDirectory, RunRef, Validation, diverged},
        environment::Environment,
        failure,
        log::{self, Metric},
        replace,
    },
    session::{Session, Source},
};

use serde_json::{Map, Value, json};

use super::runs::{LOSSES, loss};
use crate::{
    arguments::Libraries,
    show::{self, Column},
};

/// A row of the tables: one run.
struct Row {
    label: String,
    experiment: Experiment,
    parameters: Option<usize>,
    updates: u64,
    epochs: f64,
    seconds: f64,
    /// Nats per character of the last line of the log.
    train: Option<f64>,
    /// The last validation, and the best.
    valid: Option<Validation>,
    best: Option<Validation>,
    diverged: bool,
    curve: Vec<(f64, f64)>,
    held_out: Vec<(f64, f64)>,
}

/// The maximum width of the table, in characters; keys that do not fit are listed below it.
const WIDTH: usize = 120;
/// Keys that the column of the cell shows.
const IN_CELL: [&str; 3] = ["cell.type", "cell.hidden", "model.layers"];

/// Prints a table of the runs and their training losses, and writes a picture of the curves.
pub(crate) fn compare(compared: &[PathBuf], picture: Option<&Path>, root: &Path, json: bool) -> Result<()> {
    let runs = compared.iter().map(|argument| folder(argument, root)).collect::<Result<Vec<_>>>()?;
    // Whether the picture has a place is not to be found out after the work.
    let path = picture.map_or_else(|| root.join("compare.svg"), Path::to_owned);
    make_folder_of(&path)?;
    let rows = runs.iter().map(Row::of).collect::<Result<Vec<_>>>()?;
    let varying = varying(&rows.iter().map(|row| &row.experiment).collect::<Vec<_>>());
    let heads: Vec<_> = varying.iter().map(|one| head(&one.key, &varying)).collect();
    // Written before the table, whose pipe may be closed early.
    let mut series = Vec::new();
    for (index, (letter, row)) in letters().zip(&rows).enumerate() {
        let values = varying.iter().zip(&heads).filter_map(|(varying, head)| {
            let value = varying.shown(index)?;
            Some(format!(", {head} {value}"))
        });
        series.push(Series {
            label: format!("{letter} {}{}", row.label, values.collect::<String>()),
            points: row.curve.clone(),
            held_out: row.held_out.clone(),
        });
    }
    let drawn = loss_curve(&series, "runs compared", "nats per character");
    if picture.is_some() {
        replace::output(&path, &drawn)?;
    } else {
        replace::text(&path, &drawn)?;
    }
    if json {
        rows.iter().enumerate().for_each(|(index, row)| out!("{}", row.json(&varying, index)));
    } else {
        print(&rows, &varying, &heads);
        out!("{}", path.display());
    }
    Ok(())
}

/// Makes the folder of a file, unless it is there.
fn make_folder_of(file: &Path) -> Result<()> {
    match file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::create_dir_all(folder).map_err(|error| failure("create", folder, error)),
        None => Ok(()),
    }
}

fn print(rows: &[Row], varying: &[DifferingKey], heads: &[String]) {
    let cells = |cell: &dyn Fn(&Row) -> String| rows.iter().map(cell).collect();
    let nats = |valid: Option<Validation>| loss(valid.map(|valid| valid.nats));
    let mut columns = vec![
        Column::left("", letters().take(rows.len()).map(String::from).collect()),
        Column::left("run", cells(&|row| row.label.clone())),
        Column::left("cell", cells(&|row| cell(&row.experiment))),
    ];
    let mut measured = vec![
        Column::right("parameters", cells(&|row| row.parameters.map_or("–".to_owned(), |size| size.to_string()))),
        Column::right("updates", cells(&|row| row.updates.to_string())),
        Column::right("seconds", cells(&|row| format!("{:.1}", row.seconds))),
        Column::right("training", cells(&|row| loss(row.train))),
        Column::right("validation", cells(&|row| nats(row.valid))),
        Column::right("best", cells(&|row| nats(row.best))),
    ];
    if rows.iter().any(|row| row.diverged) {
        measured.push(Column::left("", cells(&|row| if row.diverged { "diverged" } else { "" }.to_owned())));
    }
    let mut room = WIDTH.saturating_sub(columns.iter().chain(&measured).map(Column::room).sum());
    let mut left_out = Vec::new();
    for (varying, head) in varying.iter().zip(heads).filter(|(varying, _)| !IN_CELL.contains(&varying.key.as_str())) {
        let values = (0..rows.len()).map(|index| varying.shown(index).unwrap_or("–".to_owned()));
        let column = Column::right(head, values.collect());
        if left_out.is_empty() && column.room() <= room {
            room -= column.room();
            columns.push(column);
        } else {
            left_out.push(varying.key.as_str());
        }
    }
    columns.extend(measured);
    show::table(&columns).iter().for_each(|line| out!("{line}"));
    if !left_out.is_empty() {
        out!("they differ also in: {}", left_out.join(", "));
    }
    out!("\n{LOSSES}");
    let curves: Vec<_> = letters().zip(rows).map(|(letter, row)| (letter, row.curve.as_slice())).collect();
    out!("\nnats per character, training, by step:\n{}", charts(&curves, 72, 16));
}

/// The last part of a key, if it is unambiguous.
fn head(key: &str, varying: &[DifferingKey]) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let alone = varying.iter().filter(|other| last(&other.key) == last(key)).count() == 1;
    if alone && last(key) != "type" { last(key) } else { key.to_owned() }
}

/// Prints a Markdown table of experiment files with the results of their newest finished runs.
pub(crate) fn table(experiments: &Path, root: &Path) -> Result<()> {
    let runs = if root.is_dir() { directory::list(root)? } else { Vec::new() };
    out!("| experiment | question | cell | parameters | updates | seconds | training | best validation |");
    out!("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |");
    for path in files(experiments)? {
        let experiment = super::open_file(&path, &Libraries::default(), Vec::new())?.experiment;
        let shown = path.strip_prefix(experiments).unwrap_or(&path).display().to_string();
        let question = question(&path)?;
        let newest = runs.iter().rev().find(|run| run.name == experiment.name && run.finished);
        let Some(newest) = newest else {
            out!("| [{shown}]({shown}) | {question} | {} | | | not run | | |", cell(&experiment));
            continue;
        };
        let row = Row::of(&RunDirectory::open(&newest.path)?)?;
        out!(
            "| [{shown}]({shown}) | {question} | {} | {} | {} | {:.1} | {} | {} |",
            cell(&row.experiment),
            row.parameters.map_or(String::new(), |parameters| parameters.to_string()),
            row.length(&experiment),
            row.seconds,
            loss(row.train),
            row.best.map_or(String::new(), |best| loss(Some(best.nats))),
        );
    }
    Ok(())
}

impl Row {
    fn of(run: &RunDirectory) -> Result<Self> {
        let session =
            Session::open(Source::Run(&RunRef::Run(run.clone())), &super::options(&Libraries::default(), Vec::new()))?;
        let metrics: Vec<Metric> = log::read(&run.metrics())?;
        let held_out: Vec<_> = metrics
            .iter()
            .filter_map(|metric| Some((metric.step as f64, metric.valid.as_ref()?.nats_per_character)))
            .collect();
        let environment = Environment::read(&run.environment())?;
        let (valid, best) = Validation::of(&metrics);
        Ok(Self {
            label: run.to_string(),
            parameters: parameters(&session),
            experiment: session.experiment,
            updates: metrics.last().map_or(0, |metric| metric.step + 1),
            epochs: metrics.last().map_or(0.0, |metric| metric.epoch),
            seconds: environment.wall_seconds,
            train: metrics.last().map(Metric::nats),
            valid,
            best,
            diverged: diverged(&metrics),
            curve: metrics.iter().map(|metric| (metric.step as f64, metric.nats())).collect(),
            held_out,
        })
    }

    fn json(&self, varying: &[DifferingKey], index: usize) -> Value {
        let differs: Map<_, _> = varying.iter().map(|it| (it.key.clone(), json!(it.values[index]))).collect();
        json!({
            "run": self.label,
            "cell": cell(&self.experiment),
            "differs": differs,
            "parameters": self.parameters,
            "updates": self.updates,
            "seconds": self.seconds,
            "training": self.train,
            "validation": self.valid,
            "best": self.best,
            "diverged": self.diverged,
        })
    }

    /// The updates, and those of the file if the run was shorter or longer.
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
    let Some(cell) = &experiment.cell else { return experiment.stack() };
    let width = cell.part.keys.get("hidden").map_or(String::new(), |hidden| format!(" {hidden}"));
    let layers = match experiment.model.layers {
        1 => String::new(),
        layers => format!("{layers} × "),
    };
    format!("{layers}{}{width}", cell.part.name)
}

/// The parameter count, if the text of the vocabulary still exists.
fn parameters(session: &Session) -> Option<usize> {
    let data = session.data().ok()?;
    Some(Model::new(&session.experiment, &session.registry, data.vocabulary.len()).ok()?.size())
}

fn folder(argument: &Path, root: &Path) -> Result<RunDirectory> {
    match directory::resolve(Some(argument), root)? {
        RunRef::Run(run) => Ok(run),
        RunRef::Checkpoint(path) => {
            Err(Problem::new(format!("`{}` is a checkpoint, not a run's folder", path.display()))
                .hint("name the folder that it lies in")
                .into())
        }
    }
}

/// The experiment files below a folder, those of the folder itself first.
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

/// The question in a file's first comment, up to its question mark.
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
