//! `hatchery runs list`: the runs of a folder, chosen and sorted.

use std::cmp::Ordering;

use hatchery::{
    error::Result,
    experiment::compare::{DifferingKey, varying_values},
    run::{
        directory::{self, RunDirectory, Summary, Validation},
        environment::End,
    },
};
use serde_json::{Map, Value, json};

use super::{
    compare::head,
    runs::{LOSSES, loss},
};
use crate::{
    arguments::{List, Sort},
    show::{self, Column},
};

/// A line of the list.
struct Line {
    run: Summary,
    note: Option<String>,
    /// Keys in which it differs from other listed runs of its name, with its values.
    differs: Vec<(String, Option<Value>)>,
}

/// Prints one line per run.
pub(crate) fn list(arguments: &List) -> Result<()> {
    let mut runs = directory::list(&arguments.runs)?;
    if runs.is_empty() && !arguments.json {
        out!("there are no runs in {} yet: hatchery train EXPERIMENT.toml", arguments.runs.display());
        return Ok(());
    }
    if let Some(wanted) = arguments.name.as_ref().or(arguments.named.as_ref()) {
        runs.retain(|run| name(run).contains(wanted.as_str()));
    }
    if let Some(last) = arguments.last {
        runs.drain(..runs.len().saturating_sub(last));
    }
    runs.sort_by(|one, other| order(arguments.sort, one, other));
    let lines = lines(runs)?;
    if arguments.json {
        lines.iter().for_each(|line| out!("{}", line.json()));
    } else if lines.is_empty() {
        out!("no run in {} has such a name: hatchery runs list", arguments.runs.display());
    } else {
        print(&lines);
    }
    Ok(())
}

fn print(lines: &[Line]) {
    let cells = |cell: &dyn Fn(&Line) -> String| lines.iter().map(cell).collect::<Vec<_>>();
    let nats = |valid: Option<Validation>| loss(valid.map(|valid| valid.nats));
    let differs = cells(&|line| line.differs());
    let mut columns = vec![
        Column::left("run", cells(&|line| name(&line.run))),
        Column::left("when", cells(&|line| when(&line.run))),
        Column::right("updates", cells(&|line| line.run.updates.to_string())),
        Column::right("training", cells(&|line| loss(line.run.loss))),
        Column::right("validation", cells(&|line| nats(line.run.valid))),
        Column::right("best", cells(&|line| nats(line.run.best))),
    ];
    if differs.iter().any(|differs| !differs.is_empty()) {
        columns.insert(2, Column::left("differs in", differs));
    }
    columns.push(Column::left("state", cells(&|line| state(&line.run))));
    if lines.iter().any(|line| line.note.is_some()) {
        columns.push(Column::left("note", cells(&|line| line.note.clone().unwrap_or_default())));
    }
    show::table(&columns).iter().for_each(|line| out!("{line}"));
    out!("\n{LOSSES}");
}

/// Runs with their notes, and with what differs among those of one name.
fn lines(runs: Vec<Summary>) -> Result<Vec<Line>> {
    let mut lines = Vec::with_capacity(runs.len());
    let mut recorded = Vec::with_capacity(runs.len());
    for run in runs {
        let directory = RunDirectory::open(&run.path)?;
        let experiment = directory.recorded_experiment().ok().and_then(|text| text.parse::<toml::Table>().ok());
        recorded.push(experiment.and_then(|table| serde_json::to_value(table).ok()));
        lines.push(Line { note: directory.note().ok().flatten(), run, differs: Vec::new() });
    }
    let mut names: Vec<_> = lines.iter().map(|line| line.run.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let of: Vec<_> = (0..lines.len()).filter(|index| lines[*index].run.name == name).collect();
        let varying: Vec<DifferingKey> =
            varying_values(&of.iter().map(|index| recorded[*index].clone()).collect::<Vec<_>>());
        for (place, index) in of.into_iter().enumerate() {
            lines[index].differs = varying.iter().map(|one| (one.key.clone(), one.values[place].clone())).collect();
        }
    }
    Ok(lines)
}

fn order(sort: Sort, one: &Summary, other: &Summary) -> Ordering {
    let least = |value: fn(&Summary) -> Option<f64>| {
        let [one, other] =
            [one, other].map(|run| value(run).filter(|value| value.is_finite()).unwrap_or(f64::INFINITY));
        one.total_cmp(&other)
    };
    match sort {
        // The order of the list as it is.
        Sort::Created => Ordering::Equal,
        Sort::Run => name(one).cmp(&name(other)),
        Sort::Updates => one.updates.cmp(&other.updates),
        Sort::Seconds => least(|run| run.seconds),
        Sort::Training => least(|run| run.loss),
        Sort::Validation => least(|run| Some(run.valid?.nats)),
        Sort::Best => least(|run| Some(run.best?.nats)),
    }
}

impl Line {
    /// `hidden 64, seed 2`.
    fn differs(&self) -> String {
        let shown = |(key, value): &(String, Option<Value>)| {
            let keys = self.differs.iter().map(|(key, _)| key.as_str());
            let key = key.strip_suffix(".type").map_or_else(|| head(key, keys), str::to_owned);
            let value = value.as_ref()?;
            let number = value.as_f64().filter(|number| number.abs() >= 1e6).map(|number| format!("{number:e}"));
            let shown = number.or_else(|| value.as_str().map(str::to_owned)).unwrap_or_else(|| value.to_string());
            Some(format!("{key} {shown}"))
        };
        self.differs.iter().filter_map(shown).collect::<Vec<_>>().join(", ")
    }

    fn json(&self) -> Value {
        let run = &self.run;
        json!({
            "run": name(run),
            "started": run.started,
            "seconds": run.seconds,
            "updates": run.updates,
            "training": run.loss,
            "validation": run.valid,
            "best": run.best,
            "state": state(run),
            "differs": self.differs.iter().cloned().map(|(key, value)| (key, json!(value))).collect::<Map<_, _>>(),
            "note": self.note,
        })
    }
}

fn name(run: &Summary) -> String {
    format!("{}/{}", run.name, run.id)
}

/// The minute in which a run was begun, in UTC.
fn when(run: &Summary) -> String {
    let minute = run.started.as_ref().and_then(|started| started.get(..16)).unwrap_or("–");
    minute.replace('T', " ")
}

fn state(run: &Summary) -> String {
    let is_locked = || RunDirectory::open(&run.path).is_ok_and(|directory| directory.is_locked());
    let state = match run.ending {
        _ if is_locked() => "training",
        Some(End::Patience) => "finished by patience",
        _ if run.finished => "finished",
        Some(End::Stopped) => "interrupted by a signal",
        Some(End::Diverged | End::Failed) => "interrupted by an error",
        _ => "interrupted",
    };
    let diverged = if run.diverged { ", diverged" } else { "" };
    let changed = if run.changed { ", log changed" } else { "" };
    format!("{state}{diverged}{changed}")
}
