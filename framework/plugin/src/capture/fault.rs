//! What went wrong while a plugin was recorded, with one hint for the fault at hand, and none where none is known.

use crate::{Name, NamedShape, PluginError};

/// The error of a recording that panicked. `arguments` are the matrices that the function received.
pub(super) fn explain(reason: &str, arguments: &[NamedShape]) -> PluginError {
    let (what, place) = match reason.rfind(" (") {
        Some(at) if reason.ends_with(')') && reason.contains(".rs:") => reason.split_at(at),
        _ => (reason, ""),
    };
    read_a_value(what, place)
        .or_else(|| kept(what, place))
        .or_else(|| product(what, place, arguments))
        .or_else(|| column(what, place, arguments))
        .or_else(|| other_dtype(what, place))
        .unwrap_or_else(|| {
            // It says itself what is wrong, and what may be meant.
            let begins = if what.starts_with("no matrix is named") { "" } else { "it panicked: " };
            PluginError::new(format!("{begins}{what}{place}"))
        })
}

/// While recording there are no values.
fn read_a_value(what: &str, place: &str) -> Option<PluginError> {
    let reads = ["has no concrete value", "has no initialized value", "Error while reading data"];
    reads.iter().any(|words| what.contains(words)).then(|| {
        PluginError::new(format!("it reads the value of a tensor{place}"))
            .hint("it is recorded once, for all values, and has none: where values decide, use `mask_where`")
    })
}

/// A tensor of a recording is of no use after it.
fn kept(what: &str, place: &str) -> Option<PluginError> {
    what.contains("capture scope is already complete").then(|| {
        PluginError::new(format!("it uses a tensor that it kept from an earlier call{place}"))
            .hint("a cell keeps nothing between calls: what is carried is a vector of `state`")
    })
}

/// A product of matrices that do not fit: a weight that was not transposed, above all.
fn product(what: &str, place: &str, arguments: &[NamedShape]) -> Option<PluginError> {
    if !what.contains("Matmul") {
        return None;
    }
    let [left, right] = *shapes(what).first_chunk()?;
    let [a, b] = [left, right].map(|shape| described(shape, arguments));
    let error = PluginError::new(format!("the product of {a} and {b} does not fit{place}"));
    let [x, w] = [left, right].map(|shape| named(shape, arguments).map_or("…".to_owned(), ToString::to_string));
    Some(if left[1] == right[1] {
        error.hint(format!("did you mean `linear_no_bias({x}, {w})`? weights are [outputs, inputs]"))
    } else {
        error
    })
}

/// A parameter with one column where a row was meant.
fn column(what: &str, place: &str, arguments: &[NamedShape]) -> Option<PluginError> {
    let found = shapes(what);
    let (name, [rows, _]) =
        arguments.iter().find(|(_, shape)| shape[1] == 1 && shape[0] > 1 && found.contains(shape))?;
    Some(
        PluginError::new(format!("`{name}` is [{rows}, 1] and does not fit{place}"))
            .hint(format!("a bias is a row, [1, outputs]: `bias(\"{name}\", {rows})`")),
    )
}

fn other_dtype(what: &str, place: &str) -> Option<PluginError> {
    what.contains("DTypeMismatch").then(|| {
        PluginError::new(format!("two tensors have different element types{place}"))
            .hint("a constant takes the type of an argument: `constant(&x, [[0.5, 2.0]])`")
    })
}

/// The shapes of matrices in a message, `[3, 5]`.
fn shapes(text: &str) -> Vec<[usize; 2]> {
    let lists = text.split('[').skip(1).filter_map(|rest| rest.split(']').next());
    let numbers =
        lists.map(|list| list.split(',').map(|number| number.trim().parse().ok()).collect::<Option<Vec<_>>>());
    numbers.filter_map(|numbers| numbers?.try_into().ok()).collect()
}

/// The only argument of a shape.
fn named(shape: [usize; 2], arguments: &[NamedShape]) -> Option<&Name> {
    let mut found = arguments.iter().filter(|(_, known)| *known == shape).map(|(name, _)| name);
    found.next().filter(|_| found.next().is_none())
}

fn described(shape: [usize; 2], arguments: &[NamedShape]) -> String {
    named(shape, arguments).map_or_else(|| format!("{shape:?}"), |name| format!("`{name}` {shape:?}"))
}

/// `did you mean …?` for a name that is not among the known ones.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known.filter_map(|known| {
        let distance = distance(&name.to_lowercase(), &known.to_lowercase());
        (distance * 2 <= name.len().max(known.len()) || known.starts_with(name) || name.starts_with(known))
            .then_some((distance, known))
    });
    near.min().map_or_else(String::new, |(_, known)| format!(": did you mean `{known}`?"))
}

/// Letters to add, leave out or change (Levenshtein 1966).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
