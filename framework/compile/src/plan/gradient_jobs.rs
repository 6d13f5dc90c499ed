//! The jobs that sum gradients over the shards, in pieces of about equal size, for threads to share.

use crate::{
    id::ParamId,
    plan::{
        head::{Head, HeadProduct},
        layer::Layer,
        parameters::{GradientMemory, Location},
        reductions::Reduction,
        schedule::View,
    },
};

/// The most rows of an outer product that are computed at once.
pub(crate) const OUTER_ROWS: usize = 256;

/// A piece of the work of summing gradients. With an accumulator, what the shards summed up time block by time block is
/// added up instead, if there was more than one block.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GradientJob {
    /// Rows `rows.0..rows.1` of `to = aᵀ · b`, over all time steps, or over those with predictions that count.
    Outer { a: View, b: View, to: Location, rows: (usize, usize), counted: bool, accumulator: Option<usize> },
    /// The sum of all rows at the time steps with predictions that count.
    SumRows { from: View, to: Location, accumulator: Option<usize> },
    /// What the shards summed up step by step.
    Sum { accumulator: usize, to: Location },
    /// Columns of the rows of `from` are added to the row of each token.
    Scatter { from: View, to: View, columns: (usize, usize), accumulator: Option<usize> },
    /// Every entry one value.
    Fill { to: Location, value: f64 },
}

/// The contributions that begin a gradient: each goes to a location of its own, in any order.
pub(crate) fn jobs(layers: &[Layer], head: &Head, gradients: &GradientMemory) -> Vec<GradientJob> {
    let mut jobs = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        for gather in &layer.gathers {
            let Some(gradient) = gather.gradient else { continue };
            let (from, to, accumulator) = (gradient.from, gradient.to, gradient.accumulator);
            let scatter = |columns| GradientJob::Scatter { from, to, columns, accumulator };
            jobs.extend(ranges(gather.width, 256).map(scatter));
        }
        let hoisted = if index == 0 { &[][..] } else { &layer.hoisted.reductions[..] };
        for &reduction in layer.step.reductions.iter().chain(hoisted) {
            match reduction {
                Reduction::Outer { a, b, to, add: false, accumulator } => {
                    let outer = |rows| GradientJob::Outer { a, b, to, rows, counted: false, accumulator };
                    jobs.extend(outer_rows(to.rows).map(outer));
                }
                Reduction::Sum { accumulator, to, add: false } => jobs.push(GradientJob::Sum { accumulator, to }),
                Reduction::Fill { to, value } => jobs.push(GradientJob::Fill { to, value }),
                Reduction::Outer { .. } | Reduction::Sum { .. } => {}
            }
        }
    }
    jobs.extend(head.product.iter().flat_map(|product| head_jobs(head, product, gradients)));
    jobs
}

fn head_jobs(
    head: &Head,
    product: &HeadProduct,
    gradients: &GradientMemory,
) -> impl Iterator<Item = GradientJob> + use<> {
    let [weight, bias]: [ParamId; 2] = product.params;
    let (logits, to) = (View::whole(head.logits), gradients.at(weight));
    let [weight_sum, bias_sum] = product.accumulators.map_or([None; 2], |offsets| offsets.map(Some));
    let b = head.from;
    let outer = move |rows| GradientJob::Outer { a: logits, b, to, rows, counted: true, accumulator: weight_sum };
    let sum = GradientJob::SumRows { from: logits, to: gradients.at(bias), accumulator: bias_sum };
    outer_rows(to.rows).map(outer).chain([sum])
}

/// `0..count` in ranges of nearly equal length, at most `size`.
pub(crate) fn ranges(count: usize, size: usize) -> impl Iterator<Item = (usize, usize)> {
    let pieces = count.div_ceil(size);
    (0..pieces).map(move |piece| (piece * count / pieces, (piece + 1) * count / pieces))
}

/// The rows of an outer product, one range for each job: many are computed faster together, but every core should have some.
fn outer_rows(rows: usize) -> impl Iterator<Item = (usize, usize)> {
    ranges(rows, if rows > 512 { OUTER_ROWS } else { 64 })
}
