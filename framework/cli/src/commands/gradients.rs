//! `hatchery gradients`: gradient norms by distance in time or by update.

use std::{path::Path, sync::Arc};

use hatchery::{
    error::{Problem, Result},
    inspect::gradients::flow,
    plot::{Series, curves_svg},
    run::{
        directory::{self, RunRef},
        log::{self, Metric},
        seal,
    },
};
use serde_json::json;

use crate::arguments::Gradients;

/// Sequences over which norms are averaged, for documents and windows; for a stream there are 32.
const SEQUENCES: usize = 64;

/// Norms by distance in time or by update.
struct Curve {
    label: String,
    points: Vec<(f64, f64)>,
}

pub(crate) fn run(arguments: &Gradients) -> Result<()> {
    let mut chosen: Vec<Option<&Path>> = arguments.chosen.iter().map(|path| Some(path.as_path())).collect();
    if chosen.is_empty() {
        chosen.push(None);
    }
    let mut curves = Vec::new();
    for run in chosen {
        curves.extend(if arguments.updates { by_update(run, arguments)? } else { by_distance(run, arguments)? });
    }
    let (title, across) = if arguments.updates {
        ("norm of the gradient of all parameters", "update")
    } else {
        ("norm of dL/ds", "steps before the prediction")
    };
    print(&curves, across, arguments.json);
    if let Some(path) = &arguments.picture {
        let logarithms = |points: &[(f64, f64)]| points.iter().map(|(x, norm)| (*x, norm.log10())).collect();
        let series: Vec<_> = curves
            .iter()
            .map(|curve| Series { label: curve.label.clone(), points: logarithms(&curve.points), ..Series::default() })
            .collect();
        let picture = curves_svg(&series, title, (across, "log10 of the norm"));
        super::picture::write(path, &picture)?;
    }
    Ok(())
}

/// One curve for each state vector of the model.
fn by_distance(run: Option<&Path>, arguments: &Gradients) -> Result<Vec<Curve>> {
    let (session, checkpoint) = super::open_model(run, &arguments.place, &[])?;
    let data = session.data()?;
    let network = if arguments.untrained {
        session.network(Arc::clone(&data.vocabulary))?
    } else {
        let (network, progress) = session.restore()?;
        if let Some(remark) = checkpoint.remark(progress.updates) {
            say!("{}, {remark}", network.experiment.name);
        }
        network
    };
    let split = data.valid.as_ref().unwrap_or(&data.train);
    let Some(batch) = split.evaluation(SEQUENCES).next() else { return Ok(Vec::new()) };
    let flows = flow(&network, &batch, &session.registry)?;
    let name = network.experiment.name.as_str();
    let several = flows.len() > 1;
    let curve = |flow: hatchery::inspect::gradients::Flow| Curve {
        label: if several { format!("{name}: {}", flow.vector) } else { name.to_owned() },
        points: flow.norms.into_iter().enumerate().map(|(index, norm)| ((index + 1) as f64, norm)).collect(),
    };
    Ok(flows.into_iter().map(curve).collect())
}

/// Two curves: before and after the clippers.
fn by_update(run: Option<&Path>, arguments: &Gradients) -> Result<Vec<Curve>> {
    let RunRef::Run(run) = directory::resolve(run, &arguments.place.runs)? else {
        return Err(Problem::new("a checkpoint does not contain the norms of earlier updates")
            .hint("name the run's folder: its metrics.jsonl does contain them")
            .into());
    };
    let metrics: Vec<Metric> = log::read(&run.metrics())?;
    seal::changed_since_checkpoint(&run).iter().for_each(super::warn);
    let curve = |label: &str, norm: fn(&Metric) -> f64| Curve {
        label: format!("{}: {label}", run.name()),
        points: metrics.iter().map(|metric| (metric.step as f64, norm(metric))).collect(),
    };
    Ok(vec![
        curve("before clipping", |metric| metric.gradient_norm),
        curve("after clipping", |metric| metric.clipped_norm),
    ])
}

/// Prints one column per curve and one line for each power of two and the last point; as JSON all points.
fn print(curves: &[Curve], across: &str, json: bool) {
    if json {
        for Curve { label, points } in curves {
            out!("{}", json!({ "curve": label, "across": across, "norms": points }));
        }
        return;
    }
    for (number, Curve { label, .. }) in curves.iter().enumerate() {
        out!("({}) {label}", number + 1);
    }
    let heads: String = (1..=curves.len()).map(|number| format!("  {:>9}", format!("({number})"))).collect();
    out!("\n{across:<28}{heads}");
    let longest = curves.iter().max_by_key(|curve| curve.points.len()).map_or(&[][..], |curve| &curve.points);
    let shown = |index: usize| (index + 1).is_power_of_two() || index + 1 == longest.len();
    for (index, (x, _)) in longest.iter().enumerate().filter(|(index, _)| shown(*index)) {
        let norm = |curve: &Curve| curve.points.get(index).map_or("–".to_owned(), |(_, norm)| format!("{norm:.2e}"));
        let norms: String = curves.iter().map(|curve| format!("  {:>9}", norm(curve))).collect();
        out!("{x:<28}{norms}");
    }
}
