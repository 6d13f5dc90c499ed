//! The jobs that sum gradients over the shards, in pieces of about equal size.

use super::{
    layer::{Layer, Reduction},
    model::Head,
    parameter_program::Location,
    schedule::View,
};
use crate::kernels::OUTER_ROWS;

/// A piece of the work of summing gradients.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Job {
    /// Rows of `to = aᵀ · b`, over all time steps or those with predictions that count; or what the chunks summed up.
    Outer { a: View, b: View, to: Location, rows: (usize, usize), counted: bool, place: Option<usize> },
    /// The sum of all rows at the time steps with predictions that count; or of what the chunks summed up.
    SumRows { from: View, to: Location, place: Option<usize> },
    /// What the chunks summed up step by step.
    Sum { place: usize, to: Location },
    /// Columns of the rows of `from` are summed up for each token; or what the chunks summed up.
    Scatter { from: View, to: View, columns: (usize, usize), place: Option<usize> },
    /// All entries one number.
    Fill { to: Location, value: f64 },
}

/// What summing gradients begins with, in pieces of about equal size.
pub(crate) fn jobs(layers: &[(String, Layer, Vec<String>)], head: &Head, gradients: &[Location]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (index, (_, layer, _)) in layers.iter().enumerate() {
        for lookup in &layer.lookups {
            if let Some((from, to)) = lookup.gradient {
                let place = lookup.sum;
                jobs.extend(blocks(lookup.width, 256).map(|columns| Job::Scatter { from, to, columns, place }));
            }
        }
        let before = if index == 0 { &[][..] } else { &layer.before.reductions[..] };
        for &reduction in layer.step.reductions.iter().chain(before) {
            match reduction {
                Reduction::Outer { a, b, to, add: false, place } => {
                    jobs.extend(outer_rows(to.rows).map(|rows| Job::Outer { a, b, to, rows, counted: false, place }));
                }
                Reduction::Sum { place, to, add: false } => jobs.push(Job::Sum { place, to }),
                Reduction::Fill { to, value } => jobs.push(Job::Fill { to, value }),
                _ => {}
            }
        }
    }
    let [wya, by] = head.params;
    let (a, to) = (View { buffer: head.logits, shift: 0, offset: 0 }, gradients[wya]);
    let [outer_place, sum_place] = head.sums.map_or([None; 2], |places| places.map(Some));
    let outer = |rows| Job::Outer { a, b: head.from, to, rows, counted: true, place: outer_place };
    jobs.extend(outer_rows(to.rows).map(outer));
    jobs.push(Job::SumRows { from: a, to: gradients[by], place: sum_place });
    jobs
}

/// `0..count` in pieces of nearly equal length, at most `size`.
pub(crate) fn blocks(count: usize, size: usize) -> impl Iterator<Item = (usize, usize)> {
    let pieces = count.div_ceil(size);
    (0..pieces).map(move |piece| (piece * count / pieces, (piece + 1) * count / pieces))
}

/// The rows of an outer product in pieces, one for each job: many are computed faster together, but every core should have some.
fn outer_rows(rows: usize) -> impl Iterator<Item = (usize, usize)> {
    blocks(rows, if rows > 512 { OUTER_ROWS } else { 64 })
}
