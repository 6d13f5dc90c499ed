//! The parameters of a checkpoint for a model with more symbols than it had: what was learned stays, bit for bit, and every
//! symbol that is new has rows or columns of its own behind it.

use crate::{
    error::{Problem, Result},
    run::checkpoint::{OPTIMIZER, PARAMETERS},
    tensors::{NamedTensor, Values},
};

/// The tensors of a checkpoint in the shapes of `own`, the initial parameters of the model that they are for. `symbols` are
/// the numbers of symbols of both. What is new in a parameter is as in `own`, and 0 in the state of an optimizer.
///
/// # Errors
/// When a parameter has the symbols among other rows or columns, so that it is not known which of them are new.
pub(super) fn grown(saved: &[NamedTensor], own: &[NamedTensor], symbols: [usize; 2]) -> Result<Vec<NamedTensor>> {
    let parameter = |tensor: &NamedTensor| {
        own.iter().find(|own| match (own.name.strip_prefix(PARAMETERS), tensor.name.strip_prefix(OPTIMIZER)) {
            (Some(parameter), Some(state)) => {
                state.strip_prefix(parameter).is_some_and(|rest| rest.starts_with('.')) && tensor.shape != [1, 1]
            }
            _ => own.name == tensor.name,
        })
    };
    saved
        .iter()
        .map(|tensor| match parameter(tensor) {
            Some(own) if own.shape != tensor.shape => grow(tensor, own, symbols),
            _ => Ok(tensor.clone()),
        })
        .collect()
}

fn grow(saved: &NamedTensor, own: &NamedTensor, [before, after]: [usize; 2]) -> Result<NamedTensor> {
    let fits = saved.shape.iter().zip(own.shape).all(|(&then, now)| then == now || (then, now) == (before, after));
    if !fits {
        // Another model altogether: the executor says how the shapes differ. A part of a matrix that belongs to the symbols
        // cannot be found in it.
        let is_wider =
            saved.shape.iter().zip(own.shape).all(|(&then, now)| then == now || now == then + after - before);
        if !is_wider {
            return Ok(saved.clone());
        }
        return Err(Problem::new(format!("`{}` cannot grow with the vocabulary", saved.name))
            .note("symbols are not all of its rows or columns, so that it is not known where new ones belong")
            .hint(
                "set vocabulary.grow = false and vocabulary.unknown = \"skip\", or train a model with model.embedding",
            )
            .into());
    }
    let values = match (&saved.values, &own.values) {
        (Values::F32(then), Values::F32(now)) => Values::F32(laid_over(then, saved, now, own)),
        (Values::F64(then), Values::F64(now)) => Values::F64(laid_over(then, saved, now, own)),
        (Values::F32(then), Values::F64(now)) => {
            let then: Vec<f64> = then.iter().copied().map(f64::from).collect();
            Values::F64(laid_over(&then, saved, now, own))
        }
        (Values::F64(then), Values::F32(now)) => {
            let now: Vec<f64> = now.iter().copied().map(f64::from).collect();
            Values::F64(laid_over(then, saved, &now, own))
        }
    };
    Ok(NamedTensor { name: saved.name.clone(), shape: own.shape, values })
}

/// The saved values in the upper left of the model's own; 0 around them if they are not a parameter.
fn laid_over<T: Copy + Default>(then: &[T], saved: &NamedTensor, now: &[T], own: &NamedTensor) -> Vec<T> {
    let mut values = if saved.name == own.name { now.to_vec() } else { vec![T::default(); now.len()] };
    let [width, columns] = [own.shape[1], saved.shape[1]];
    for (row, then) in then.chunks(columns).enumerate() {
        values[row * width..row * width + columns].copy_from_slice(then);
    }
    values
}
