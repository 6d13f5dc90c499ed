//! `hatchery runs compare`: several runs side by side.

mod groups;

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
    plot::{charts, compared_curves},
    run::{
        directory::{RunDirectory, RunRef, Validation, diverged},
        environment::Environment,
        failure,
        log::{self, Metric},
        replace, seal,
    },
    session::{Session, Source},
    sweep::Summary,
};

use serde_json::{Map, Value, json};

use self::groups::{Group, groups};
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
    mention_other_texts(&rows);
    let rows = groups(rows);
    let mut varying = varying(&rows.iter().map(Group::experiment).collect::<Vec<_>>());
    if rows.iter().any(Group::has_seeds) {
        varying.retain(|varying| varying.key != "seed");
    }
    let heads: Vec<_> = varying.iter().map(|one| head(&one.key, varying.iter().map(|one| one.key.as_str()))).collect();
    // Written before the table, whose pipe may be closed early.
    let mut series = Vec::new();
    for (index, (letter, row)) in letters().zip(&rows).enumerate() {
        let values = varying.iter().zip(&heads).filter_map(|(varying, head)| {
            let value = varying.shown(index)?;
            Some(format!(", {head} {value}"))
        });
        series.push(row.series(format!("{letter} {}{}", row.label(), values.collect::<String>())));
    }
    let drawn = compared_curves(&series, "runs compared", "nats per character");
    if to.is_some() {
        picture::write(&path, &drawn)?;
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

fn print(rows: &[Group], varying: &[DifferingKey], heads: &[String]) {
    let cells = |cell: &dyn Fn(&Group) -> String| rows.iter().map(cell).collect();
    let first = |cell: &dyn Fn(&Row) -> String| rows.iter().map(|group| cell(&group.rows[0])).collect();
    let mean = |number: &dyn Fn(&Row) -> Option<f64>| rows.iter().map(|group| loss(group.mean(number))).collect();
    let seconds = |group: &Group| group.mean(|row| Some(row.seconds)).unwrap_or_default();
    let mut columns = vec![
        Column::left("", letters().take(rows.len()).map(String::from).collect()),
        Column::left("run", cells(&Group::label)),
        Column::left("cell", first(&|row| cell(&row.experiment))),
    ];
    let mut measured = vec![
        Column::right("parameters", first(&|row| row.parameters.map_or("–".to_owned(), |size| size.to_string()))),
        Column::right("updates", first(&|row| row.updates.to_string())),
        Column::right("seconds", cells(&|group| format!("{:.1}", seconds(group)))),
        Column::right("training", mean(&|row| row.train)),
        Column::right("validation", mean(&|row| row.valid.map(|valid| valid.nats))),
    ];
    if rows.iter().any(Group::has_seeds) {
        let summary = |shown: &dyn Fn(Summary) -> Option<String>| {
            cells(&|group| group.summary().and_then(shown).unwrap_or("–".to_owned()))
        };
        measured.push(Column::right("deviation", summary(&|it| it.deviation.map(|it| format!("{it:.4}")))));
        let ends = |[from, to]: [f64; 2]| format!("{} to {}", loss(Some(from)), loss(Some(to)));
        measured.push(Column::right("95 % interval", summary(&|it| it.interval.map(ends))));
    }
    measured.push(Column::right("best", mean(&|row| row.best.map(|best| best.nats))));
    if rows.iter().any(|group| group.rows.iter().any(|row| row.diverged)) {
        let is_diverged = |group: &Group| group.rows.iter().any(|row| row.diverged);
        measured.push(Column::left("", cells(&|group| if is_diverged(group) { "diverged" } else { "" }.to_owned())));
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
    let Some((base, others)) = rows.split_first() else { return };
    for (letter, other) in letters().skip(1).zip(others) {
        if let Some(difference) = base.difference(other) {
            out!("{letter} − A: {difference}");
        }
    }
    out!("\n{LOSSES}");
    let drawn: Vec<_> = rows.iter().map(|row| row.series(String::new()).points).collect();
    let curves: Vec<_> = letters().zip(&drawn).map(|(letter, points)| (letter, points.as_slice())).collect();
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
        json!({
            "run": self.label,
            "cell": cell(&self.experiment),
            "differs": differs(varying, index),
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

fn differs(varying: &[DifferingKey], index: usize) -> Map<String, Value> {
    varying.iter().map(|it| (it.key.clone(), json!(it.values[index]))).collect()
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
