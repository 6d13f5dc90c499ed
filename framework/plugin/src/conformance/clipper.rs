//! What every clipper must keep to.
//!
//! | check | finds |
//! | --- | --- |
//! | names and shapes kept | a gradient dropped, renamed or out of order: the optimizer would update another matrix |
//! | dtype kept | a constant or a cast of a fixed dtype |
//! | zero stays zero | 0/0 where a norm is zero |
//! | finite stays finite | a division by a norm that is tiny |
//! | never larger | a clipper that amplifies: it stretches small gradients, too |
//! | signs kept | a step uphill |
//! | nothing but the gradients | hidden memory, random numbers |

use burn::tensor::{DType, Device};

use super::{
    numbers::{Matrix, SplitMix, read, tensors},
    report::{Report, Verdict, attempt},
};
use crate::host::HostClipper;

const DTYPES: [DType; 2] = [DType::F64, DType::F32];

/// Makes the checks of this file. `twin` is built from the same keys.
pub(super) fn check(report: &mut Report, clipper: &dyn HostClipper, twin: &dyn HostClipper) {
    // Every other check compares gradients one by one.
    if !report.run("names and shapes kept", || over_all(clipper, same_names)) {
        return;
    }
    report.run("dtype kept", || over_all(clipper, same_dtype));
    report.run("zero stays zero", || over_all(clipper, zero_stays_zero));
    report.run("finite stays finite", || over_all(clipper, finite));
    report.run("never larger", || over_all(clipper, never_larger));
    report.run("signs kept", || over_all(clipper, signs_kept));
    report.run("nothing but the gradients", || nothing_else(clipper, twin));
}

/// Gradients as a training run could meet them.
struct Case {
    what: String,
    gradients: Vec<Matrix>,
}

fn cases() -> Vec<Case> {
    const SHAPES: [(&str, [usize; 2]); 4] = [("wx", [12, 7]), ("wh", [12, 4]), ("b", [1, 12]), ("head.b", [1, 1])];
    let mut rng = SplitMix::new(1);
    let mut cases = Vec::new();
    for scale in [1.0, 1e-3, 1e3, 1e-30, 1e15] {
        let gradients = SHAPES.map(|(name, shape)| Matrix::normal(name, shape, scale, &mut rng)).to_vec();
        cases.push(Case { what: format!("gradients of about {scale:e}"), gradients });
    }
    let zeros = |name: &str, [rows, columns]: [usize; 2]| {
        Matrix::new(name, [rows, columns], std::iter::repeat_n(0.0, rows * columns))
    };
    cases.push(Case {
        what: "gradients that are all zero".into(),
        gradients: SHAPES.map(|(name, shape)| zeros(name, shape)).to_vec(),
    });
    cases.push(Case {
        what: "a gradient of zeros among others".into(),
        gradients: vec![Matrix::normal("wx", [3, 2], 10.0, &mut rng), zeros("b", [1, 3])],
    });
    let single = |value: f64| Case {
        what: format!("the only gradient {value:e}, [1, 1]"),
        gradients: vec![Matrix::new("w", [1, 1], [value])],
    };
    cases.extend([0.25, -1000.0, 0.0].map(single));
    cases.push(Case {
        what: "one large matrix".into(),
        gradients: vec![Matrix::normal("embedding", [65, 129], 2.0, &mut rng)],
    });
    cases
}

fn clip(clipper: &dyn HostClipper, gradients: &[Matrix], dtype: DType) -> Result<Vec<Matrix>, String> {
    Ok(read(&clipper.clip(tensors(gradients, &Device::flex(), dtype))?))
}

/// Asks the same of all cases in both precisions.
fn over_all(clipper: &dyn HostClipper, ask: impl Fn(&[Matrix], &[Matrix], DType) -> Result<(), String>) -> Verdict {
    let cases = cases();
    for dtype in DTYPES {
        for Case { what, gradients } in &cases {
            attempt(|| clip(clipper, gradients, dtype))
                .flatten()
                .and_then(|clipped| ask(gradients, &clipped, dtype))
                .map_err(|wrong| format!("for {what}, in {dtype:?}: {wrong}"))?;
        }
    }
    Ok(format!("{} lists of gradients in F64 and F32", cases.len()))
}

type Answer = Result<(), String>;

fn same_names(before: &[Matrix], after: &[Matrix], _: DType) -> Answer {
    let shapes = |gradients: &[Matrix]| -> Vec<_> {
        gradients.iter().map(|gradient| (gradient.name.clone(), gradient.shape)).collect()
    };
    if shapes(before) == shapes(after) {
        Ok(())
    } else {
        Err(format!(
            "in went {:?}, out came {:?}: all gradients must come out, in the same order; `Gradients::map` keeps both",
            shapes(before),
            shapes(after)
        ))
    }
}

fn same_dtype(_: &[Matrix], after: &[Matrix], dtype: DType) -> Answer {
    match after.iter().find(|gradient| gradient.dtype != dtype) {
        Some(gradient) => Err(format!("`{}` comes out as {:?}", gradient.name, gradient.dtype)),
        None => Ok(()),
    }
}

fn zero_stays_zero(before: &[Matrix], after: &[Matrix], _: DType) -> Answer {
    // Not equal rather than non-zero, so that NaN counts.
    match pairs(before, after).find(|(_, _, before, after)| *before == 0.0 && *after != 0.0) {
        Some((gradient, entry, _, after)) => Err(format!(
            "{} was 0 and is {after}; look for a division by a norm, and keep the norm away from zero",
            gradient.place(entry)
        )),
        None => Ok(()),
    }
}

fn finite(_: &[Matrix], after: &[Matrix], _: DType) -> Answer {
    match after.iter().find_map(Matrix::first_not_finite) {
        Some(entry) => Err(format!("{entry}; look for a division by a norm that is tiny or overflows")),
        None => Ok(()),
    }
}

fn never_larger(before: &[Matrix], after: &[Matrix], dtype: DType) -> Answer {
    let tolerance = if dtype == DType::F64 { 1e-9 } else { 1e-5 };
    let (before, after) = (norm(before), norm(after));
    if after <= before * (1.0 + tolerance) {
        Ok(())
    } else {
        Err(format!("the global norm was {before:e} and is {after:e}; a scale must be at most 1"))
    }
}

fn signs_kept(before: &[Matrix], after: &[Matrix], _: DType) -> Answer {
    match pairs(before, after).find(|(_, _, before, after)| before * after < 0.0) {
        Some((gradient, entry, before, after)) => {
            Err(format!("{} was {before:e} and is {after:e}: the step would go uphill", gradient.place(entry)))
        }
        None => Ok(()),
    }
}

fn nothing_else(clipper: &dyn HostClipper, twin: &dyn HostClipper) -> Verdict {
    let cases = cases();
    let clipped = |case: &Case| clip(clipper, &case.gradients, DType::F64);
    let first: Vec<_> = cases.iter().map(clipped).collect::<Result<_, _>>()?;
    for (what, plugin) in [("again", clipper), ("with a second clipper of the same keys", twin)] {
        // In the other order, so that what one call leaves behind meets another.
        for (case, first) in cases.iter().zip(&first).rev() {
            let second = clip(plugin, &case.gradients, DType::F64)?;
            if let Some(difference) = first.iter().zip(&second).find_map(|(a, b)| a.first_difference(b)) {
                return Err(format!(
                    "clipping {} {what} gives something else: {difference}; a clipper is a pure function",
                    case.what
                ));
            }
        }
    }
    Ok(format!("{} lists of gradients, twice and by a second clipper", cases.len()))
}

/// The global norm; scaled first, so that it does not overflow.
fn norm(gradients: &[Matrix]) -> f64 {
    let values = || gradients.iter().flat_map(|gradient| &gradient.values);
    let largest = values().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    largest * values().map(|value| (value / largest).powi(2)).sum::<f64>().sqrt()
}

/// Gradient before, index of the entry, its value before and after.
fn pairs<'a>(before: &'a [Matrix], after: &'a [Matrix]) -> impl Iterator<Item = (&'a Matrix, usize, f64, f64)> {
    before.iter().zip(after).flat_map(|(before, after)| {
        let values = before.values.iter().zip(&after.values).enumerate();
        values.map(move |(entry, (&was, &is))| (before, entry, was, is))
    })
}
