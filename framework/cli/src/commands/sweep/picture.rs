//! `hatchery sweep picture`: the variants of a sweep as curves, boxes, a heat map or parallel coordinates.

use std::path::Path;

use hatchery::{
    error::{Problem, Result},
    plot::{Coordinate, HeatMap, Series, boxes_svg, heat_svg, loss_curve, parallel_svg},
    run::{
        directory::RunDirectory,
        log::{self, Metric},
        replace,
    },
    sweep::{Folder, Outcome, Plan, Row, mean_curve, standing, table},
};

use crate::{arguments::PictureForm, commands::picture as pictures, show};

const LABEL: &str = "nats per character, validation";

/// Draws a picture of a sweep.
pub(crate) fn picture(folder: &Path, form: PictureForm, picture: Option<&Path>) -> Result<()> {
    let folder = Folder::new(folder);
    let plan = folder.plan()?;
    let outcomes = folder.outcomes(&plan)?;
    let rows = table(&plan, &outcomes, &standing(&plan, &outcomes));
    let (name, drawn) = match form {
        PictureForm::Curves => ("curves.svg", curves(&folder, &plan)?),
        PictureForm::Boxes => ("boxes.svg", boxes_svg(&groups(&plan, &outcomes, &rows), &plan.sweep.name, LABEL)),
        PictureForm::Heat => ("heat.svg", heat_svg(&heat(&plan, &rows)?, &format!("{}: {LABEL}", plan.sweep.name))),
        PictureForm::Parallel => {
            ("parallel.svg", parallel_svg(&coordinates(&plan, &rows), &format!("{}: {LABEL}", plan.sweep.name)))
        }
    };
    let path = picture.map_or_else(|| folder.path().join(name), Path::to_owned);
    if picture.is_some() {
        pictures::write(&path, &drawn)?;
    } else {
        replace::text(&path, &drawn)?;
    }
    out!("{}", path.display());
    Ok(())
}

/// The validation curves: the mean over the seeds in a band of one standard deviation.
fn curves(folder: &Folder, plan: &Plan) -> Result<String> {
    let mut series = Vec::new();
    for (at, variant) in plan.variants.iter().enumerate() {
        let mut curves = Vec::new();
        for (_, trial) in plan.of_variant(at) {
            let Ok(run) = RunDirectory::open(&folder.trial(trial)) else { continue };
            let metrics: Vec<Metric> = log::read(&run.metrics())?;
            let valid = |metric: &Metric| Some((metric.step as f64, metric.valid.as_ref()?.nats_per_character));
            curves.push(metrics.iter().filter_map(valid).collect::<Vec<_>>());
        }
        let (points, band) = mean_curve(&curves);
        series.push(Series { label: variant.label(), points, band, ..Series::default() });
    }
    series.retain(|series| !series.points.is_empty());
    Ok(loss_curve(&series, &plan.sweep.name, LABEL))
}

/// The values of every variant over its seeds, in the order of the table.
fn groups(plan: &Plan, outcomes: &[Outcome], rows: &[Row]) -> Vec<(String, Vec<f64>)> {
    let values = |row: &Row| -> Vec<f64> {
        let trials = plan.of_variant(row.variant).map(|(trial, _)| &outcomes[trial]);
        trials.filter_map(|outcome| outcome.measured.get(&row.updates).copied()).collect()
    };
    rows.iter().map(|row| (plan.variants[row.variant].label(), values(row))).collect()
}

/// The varied keys, without a width that was solved for.
fn keys(plan: &Plan) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for variant in &plan.variants {
        for (key, _) in &variant.settings {
            let is_solved = plan.sweep.size.is_some() && key == "cell.hidden";
            if !is_solved && !keys.contains(key) {
                keys.push(key.clone());
            }
        }
    }
    keys
}

/// The value of a key in a variant.
fn value<'a>(plan: &'a Plan, variant: usize, key: &str) -> Option<&'a str> {
    let settings = &plan.variants[variant].settings;
    settings.iter().find(|(known, _)| known == key).map(|(_, value)| value.trim_matches('"'))
}

fn heat(plan: &Plan, rows: &[Row]) -> Result<HeatMap> {
    let keys = keys(plan);
    let [down, across] = &keys[..] else {
        return Err(Problem::new(format!("a heat map is over two varied keys, and this sweep varies {}", keys.len()))
            .note(keys.join(", "))
            .hint("take --form parallel, or boxes")
            .into());
    };
    let values = |key: &str| {
        let mut values: Vec<String> = Vec::new();
        for variant in 0..plan.variants.len() {
            let value = value(plan, variant, key).unwrap_or("–").to_owned();
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    };
    let (columns, lines) = (values(across), values(down));
    let mut map = vec![vec![None; columns.len()]; lines.len()];
    for row in rows {
        let place = |key: &str, values: &[String]| {
            let value = value(plan, row.variant, key).unwrap_or("–");
            values.iter().position(|known| known == value).unwrap_or(0)
        };
        map[place(down, &lines)][place(across, &columns)] = row.summary.map(|summary| summary.mean);
    }
    Ok(HeatMap { columns: (across.clone(), columns), rows: (down.clone(), lines), values: map })
}

/// An axis for every varied key, and one for the results; a line for every row.
fn coordinates(plan: &Plan, rows: &[Row]) -> Vec<Coordinate> {
    let of_key = |key: &String| {
        let values: Vec<_> = rows.iter().map(|row| value(plan, row.variant, key)).collect();
        Coordinate::of(key, &values)
    };
    let results: Vec<Option<String>> =
        rows.iter().map(|row| row.summary.filter(|it| it.mean.is_finite()).map(|it| show::loss(it.mean, 4))).collect();
    let results: Vec<_> = results.iter().map(Option::as_deref).collect();
    keys(plan).iter().map(of_key).chain([Coordinate::of("nats", &results)]).collect()
}
