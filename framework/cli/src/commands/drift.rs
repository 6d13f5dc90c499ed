//! `hatchery drift`: how far devices diverge from one seed.

use hatchery::{
    error::{Error, Problem, Result},
    inspect::drift::{Drift, Point, drift},
    plot::{Series, curves_svg},
};
use indicatif::{ProgressBar, ProgressStyle};

use super::{open_file, overrides};
use crate::arguments::Drift as Arguments;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.devices.len() < 2 {
        return Err(Problem::new("drift compares at least two devices")
            .hint("name another: --devices cpu,flex")
            .into());
    }
    let overrides = overrides(&arguments.overrides, arguments.devices.first().map(String::as_str));
    let session = open_file(&arguments.experiment, &arguments.libraries, overrides)?;
    let read_for = |device: &String| session.experiment_with(format!("backend.device={device}"));
    let experiments = arguments.devices.iter().map(read_for).collect::<Result<Vec<_>>>()?;
    let data = session.data()?;
    let style =
        ProgressStyle::with_template("{pos}/{len} updates on each device").expect("the template is well formed");
    let bar = ProgressBar::new(arguments.steps).with_style(style);
    let name = session.experiment.name.clone();
    let drifts = drift(experiments, &data, &session.registry, arguments.steps, arguments.length, &mut |step| {
        bar.set_position(step);
    })?;
    bar.finish_and_clear();
    for drift in &drifts {
        out!("{}", if arguments.json { json(drift)? } else { table(drift) });
    }
    if let Some(path) = &arguments.picture {
        super::picture::write(path, &picture(&drifts, &name))?;
    }
    Ok(())
}

fn json(drift: &Drift) -> Result<String> {
    serde_json::to_string(drift).map_err(|error| Error::internal("cannot write a drift as JSON", error))
}

/// A table with one line for each power of two and for the last update.
fn table(drift: &Drift) -> String {
    let Drift { reference, device, parameters, points } = drift;
    let last = points.len().saturating_sub(1);
    let shown = |point: &&Point| point.updates < 2 || point.updates.is_power_of_two() || point.updates == last as u64;
    let shown: Vec<_> = points.iter().filter(shown).collect();
    let mut text = format!("{device} beside {reference}\n\nlosses, and the largest difference of a parameter:\n");
    text += &format!("{:>8}  {:>14}  {:>14}  {:>9}  {:>9}\n", "updates", reference, device, "relative", "parameter");
    for point in &shown {
        let losses = match (point.losses, point.relative_loss()) {
            (Some([ours, theirs]), Some(relative)) => format!("{ours:>14.8}  {theirs:>14.8}  {relative:>9.1e}"),
            _ => format!("{:>14}  {:>14}  {:>9}", "–", "–", "–"),
        };
        text += &format!("{:>8}  {losses}  {:>9.1e}\n", point.updates, point.largest());
    }
    text += "\nthe largest difference in each parameter:\n";
    let width = parameters.iter().map(String::len).max().unwrap_or(0).max("after updates".len());
    let columns = |each: &dyn Fn(&Point) -> String| shown.iter().map(|point| each(point)).collect::<String>();
    text += &format!("{:<width$}{}\n", "after updates", columns(&|point| format!("  {:>8}", point.updates)));
    for (index, name) in parameters.iter().enumerate() {
        let row = columns(&|point| format!("  {:>8.1e}", point.differences[index]));
        text += &format!("{name:<width$}{row}\n");
    }
    text += &match drift.parting() {
        None => format!("\nthe most likely text is the same on both after each of {last} updates\n"),
        Some(Point { updates, texts: [ours, theirs], .. }) => format!(
            "\nthe most likely text differs first after update {updates}:\n  {reference:<9} {ours:?}\n  {device:<9} {theirs:?}\n"
        ),
    };
    text
}

/// The largest difference of each parameter, by update.
fn picture(drifts: &[Drift], name: &str) -> String {
    let several = drifts.len() > 1;
    let series: Vec<_> = drifts
        .iter()
        .flat_map(|drift| {
            drift.parameters.iter().enumerate().map(move |(index, parameter)| Series {
                label: if several { format!("{}: {parameter}", drift.device) } else { parameter.clone() },
                points: drift
                    .points
                    .iter()
                    .map(|point| (point.updates as f64, point.differences[index].log10()))
                    .collect(),
                ..Series::default()
            })
        })
        .collect();
    let (reference, device) = drifts.first().map_or(("", ""), |drift| (&*drift.reference, &*drift.device));
    let title = if several {
        format!("{name}: drift from {reference}")
    } else {
        format!("{name}: {device} beside {reference}")
    };
    curves_svg(&series, &title, ("update", "log10 of the largest difference"))
}
