//! Runs that differ only in their seed are one row: the mean over the seeds, how far they differ, and differences between
//! two rows seed by seed.

use hatchery::{
    experiment::{Experiment, compare::varying},
    plot::Series,
    sweep::{Summary, mean_curve, paired},
};
use serde_json::{Value, json};

use super::{DifferingKey, Row, cell};

/// Runs that differ only in their seed, or one run.
pub(super) struct Group {
    pub(super) rows: Vec<Row>,
}

/// The rows in groups, in the order of their first runs. A run with a seed that the group has already is another group.
pub(super) fn groups(rows: Vec<Row>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        let fits = |group: &&mut Group| {
            let known = |seed: u64| group.rows.iter().any(|known| known.experiment.seed == seed);
            let differing = varying(&[group.experiment(), &row.experiment]);
            !known(row.experiment.seed) && differing.iter().all(|it| it.key == "seed")
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { rows: vec![row] }),
        }
    }
    groups
}

impl Group {
    pub(super) fn experiment(&self) -> &Experiment {
        &self.rows[0].experiment
    }

    pub(super) fn has_seeds(&self) -> bool {
        self.rows.len() > 1
    }

    /// The run, or the name of the runs and how many there are.
    pub(super) fn label(&self) -> String {
        let [row] = &self.rows[..] else { return format!("{}, {} seeds", self.experiment().name, self.rows.len()) };
        row.label.clone()
    }

    /// The mean of a number over the runs; none unless all have it.
    pub(super) fn mean(&self, number: impl Fn(&Row) -> Option<f64>) -> Option<f64> {
        let values: Option<Vec<f64>> = self.rows.iter().map(number).collect();
        values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// The last validation over the seeds.
    pub(super) fn summary(&self) -> Option<Summary> {
        let values: Option<Vec<f64>> = self.rows.iter().map(|row| Some(row.valid?.nats)).collect();
        values.filter(|_| self.has_seeds()).map(|values| Summary::of(&values, 1))
    }

    /// The mean curves, in a band of one standard deviation.
    pub(super) fn series(&self, label: String) -> Series {
        if let [row] = &self.rows[..] {
            let (points, held_out) = (row.curve.clone(), row.held_out.clone());
            return Series { label, points, held_out, ..Series::default() };
        }
        let of = |curve: &dyn Fn(&Row) -> Vec<(f64, f64)>| mean_curve(&self.rows.iter().map(curve).collect::<Vec<_>>());
        let ((points, band), (held_out, _)) = (of(&|row| row.curve.clone()), of(&|row| row.held_out.clone()));
        Series { label, points, held_out, band, ..Series::default() }
    }

    pub(super) fn json(&self, varying: &[DifferingKey], index: usize) -> Value {
        let [first, _, ..] = &self.rows[..] else { return self.rows[0].json(varying, index) };
        let summary = self.summary();
        json!({
            "runs": self.rows.iter().map(|row| &row.label).collect::<Vec<_>>(),
            "seeds": self.rows.iter().map(|row| row.experiment.seed).collect::<Vec<_>>(),
            "cell": cell(&first.experiment),
            "differs": super::differs(varying, index),
            "parameters": first.parameters,
            "updates": first.updates,
            "seconds": self.mean(|row| Some(row.seconds)),
            "training": self.mean(|row| row.train),
            "validation": summary.map(|summary| json!({
                "mean": summary.mean, "deviation": summary.deviation, "interval": summary.interval,
            })),
            "best": self.mean(|row| row.best.map(|best| best.nats)),
            "diverged": self.rows.iter().any(|row| row.diverged),
        })
    }

    /// The difference of another group to this one, where both have validated runs with the same seeds and the same order of
    /// the same data: seed by seed, so that what a seed makes easy or hard for both cancels out.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        if !has_same_order(self.experiment(), other.experiment()) {
            return None;
        }
        let nats = |row: &Row| Some(row.valid?.nats);
        let pair = |row: &Row| {
            let same = other.rows.iter().find(|other| other.experiment.seed == row.experiment.seed)?;
            Some((nats(same)?, nats(row)?))
        };
        let (one, base): (Vec<f64>, Vec<f64>) = self.rows.iter().filter_map(pair).unzip();
        if one.len() < 2 {
            return None;
        }
        let test = paired(&one, &base);
        let p = if test.p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {:.3}", test.p) };
        Some(format!("{:+.4} nats over {} shared seeds ({p}, paired t-test)", test.difference, one.len()))
    }
}

/// Whether two experiments with one seed get the same batches in the same order.
fn has_same_order(one: &Experiment, other: &Experiment) -> bool {
    let decides = |it: &Experiment| json!([it.dataset, it.split, it.vocabulary, it.train.batch, it.train.order]);
    decides(one) == decides(other)
}
