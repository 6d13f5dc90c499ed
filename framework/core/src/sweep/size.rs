//! An equal number of parameters: the width of the cell that gives it.

use crate::{
    error::{Error, Problem, Result},
    experiment::Experiment,
    model::Model,
    plugins::Registry,
};

/// The widest cell that is tried.
const WIDEST: usize = 1 << 20;

/// The width with which the model comes nearest to that many parameters, and its parameters. `with` resolves the experiment
/// with a width; parameters grow with it.
///
/// # Errors
/// When the experiment has no `cell.hidden`, and when no width comes within 1 %.
pub(super) fn solve(
    wanted: usize,
    vocabulary: usize,
    registry: &Registry,
    with: impl Fn(usize) -> Result<Experiment>,
) -> Result<(usize, usize)> {
    // Sizes are judged before values are made: a width far too large costs nothing.
    let size = |hidden: usize| Ok::<_, Error>(Model::new(&with(hidden)?, registry, vocabulary)?.size());
    let (mut below, mut above) = (1, 2);
    while above < WIDEST && size(above)? < wanted {
        (below, above) = (above, above * 2);
    }
    while above - below > 1 {
        let middle = below.midpoint(above);
        if size(middle)? < wanted { below = middle } else { above = middle }
    }
    let (low, high) = (size(below)?, size(above)?);
    let (hidden, found) = if wanted.abs_diff(low) <= wanted.abs_diff(high) { (below, low) } else { (above, high) };
    if wanted.abs_diff(found) * 100 > wanted {
        return Err(Problem::new(format!("no width of the cell gives {wanted} parameters to 1 %"))
            .note(format!("cell.hidden = {below} gives {low}, {above} gives {high}"))
            .hint(format!("parameters = {found}"))
            .into());
    }
    Ok((hidden, found))
}
