//! `hatchery runs compare`: several runs side by side.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hatchery::{
    error::{Problem, Result},
    experiment::{
        Experiment,
        compare::{DifferingKey, held_out, varying},
    },
    model::Model,
    plot::{Series, charts, compared_curves},
    run::{
        directory::{RunDirectory, RunRef, Validation, diverged},
        environment::Environment,
        failure,
        log::{self, Metric},
        replace, seal,
    },
    session::{Session, Source},
};

use serde_json::{Map, Value, json};

use super::{
    picture,
    runs::{LOSSES, folder, loss},
};
use crate::{
    arguments::Libraries,
    show::{self, Column},
};

/// A row of the tables: one run.
pub(super) struct Row {
    label: String,
    experiment: Experiment,
    pub(super) parameters: Option<usize>,
    pub(super) updates: u64,
    pub(super) seconds: f64,
    /// Nats per character of the last line of the log.
    pub(super) train: Option<f64>,
    /// The last validation, and the best.
    valid: Option<Validation>,
    pub(super) best: Option<Validation>,
    diverged: bool,
    curve: Vec<(f64, f64)>,
    held_out: Vec<(f64, f64)>,
}

/// The maximum width of the table, in characters; keys that do not fit are listed below it.
const WIDTH: usize = 120;
/// Keys that the column of the cell shows.
const IN_CELL: [&str; 3] = ["cell.type", "cell.hidden", "model.layers"];

/// Prints a table of the runs and their training losses, and writes a picture of the curves.
pub(crate) fn compare(compared: &[PathBuf], to: Option<&Path>, root: &Path, json: bool) -> Result<()> {
    let runs = compared.iter().map(|argument| folder(Some(argument), root)).collect::<Result<Vec<_>>>()?;
    // Whether the picture has a place is not to be found out after the work.
    let path = to.map_or_else(|| free(root), Path::to_owned);
    make_folder_of(&path)?;
    let rows = runs.iter().map(Row::of).collect::<Result<Vec<_>>>()?;
    let varying = varying(&rows.iter().map(|row| &row.experiment).collect::<Vec<_>>());
    let heads: Vec<_> = varying.iter().map(|one| head(&one.key, varying.iter().map(|one| one.key.as_str()))).collect();
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
            ..Series::default()
        });
    }
    let drawn = compared_curves(&series, "runs compared", "nats per character");
    if to.is_some() {
        picture::write(&path, &drawn)?;
    } else {
        replace::text(&path, &drawn)?;
    }
    mention_other_texts(&rows);
    if json {
        rows.iter().enumerate().for_each(|(index, row)| out!("{}", row.json(&varying, index)));
    } else {
        print(&rows, &varying, &heads);
        out!("{}", path.display());
    }
    Ok(())
}

/// `compare.svg`, or `compare-2.svg` and so on where there is one: another comparison is not written over.
fn free(root: &Path) -> PathBuf {
    let numbered = |number: u32| match number {
        1 => root.join("compare.svg"),
        _ => root.join(format!("compare-{number}.svg")),
    };
    (1..=u32::MAX).map(numbered).find(|path| !path.exists()).unwrap_or_default()
}

/// Says of runs that were validated on different texts that their numbers cannot be compared.
fn mention_other_texts(rows: &[Row]) {
    let measured: Vec<_> = rows.iter().filter(|row| row.valid.is_some()).map(|row| &row.experiment).collect();
    let differing = held_out(&measured);
    if differing.is_empty() {
        return;
    }
    let shown = differing.iter().map(|key| {
        let values = (0..measured.len()).map(|index| key.shown(index).unwrap_or("–".to_owned()));
        format!("{} = {}", key.key, values.collect::<Vec<_>>().join(", "))
    });
    super::warn(
        &Problem::new("the runs were validated on different texts: their numbers cannot be compared")
            .note(shown.collect::<Vec<_>>().join("; "))
            .hint("hold out the same text in each: set `split.seed`, and vary `seed` alone"),
    );
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

/// The last part of a key, if it is unambiguous among those that are shown: `split.seed` is not `seed`.
pub(super) fn head<'a>(key: &str, shown: impl Iterator<Item = &'a str>) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let alone = shown.filter(|other| last(other) == last(key)).count() == 1;
    let is_another = key.contains('.') && ["type", "name", "seed", "rng"].contains(&&*last(key));
    if alone && !is_another { last(key) } else { key.to_owned() }
}

impl Row {
    pub(super) fn of(run: &RunDirectory) -> Result<Self> {
        let session = session(run)?;
        let metrics: Vec<Metric> = log::read(&run.metrics())?;
        seal::changed_since_checkpoint(run).iter().for_each(super::warn);
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
}

/// The session of a run's recorded experiment.
pub(super) fn session(run: &RunDirectory) -> Result<Session> {
    Session::open(Source::Run(&RunRef::Run(run.clone())), &super::options(&Libraries::default(), Vec::new()))
}

/// `2 × lstm 128`.
pub(super) fn cell(experiment: &Experiment) -> String {
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

fn letters() -> impl Iterator<Item = char> {
    ('A'..='Z').cycle()
}
