//! What can be wrong with a single value: its type, its limits, its word.

use serde_json::Value as Json;

use super::schema::{Schemas, Shape, count, text_kind};
use crate::{
    error::Problem,
    experiment::reading::{
        overrides::FLAG,
        spanned::{Node, Value},
    },
    suggest::{nearest, question},
};

/// The schema's pattern for names of experiments, which name folders as well.
const NAME_PATTERN: &str = r"^[A-Za-z0-9][A-Za-z0-9._-]*$";

/// A value of the right type that its schema does not allow. `label` says which value it is.
pub(crate) fn wrong_value<'s>(
    schemas: Schemas<'s>,
    schema: &'s Json,
    shape: &Shape<'s>,
    node: &Node,
    label: &str,
) -> Option<Problem> {
    let out_of_range = |number: &dyn std::fmt::Display| {
        Problem::new(format!("{label} is out of range: {number}")).note(format!("expected: {}", schemas.kind(schema)))
    };
    let problem = match (shape, &node.value) {
        (Shape::Words(words), Value::String(word)) => wrong_word(words, word, label)?,
        (Shape::Text(limits), Value::String(text)) => wrong_text(limits, text, label)?,
        (Shape::Integer(limits) | Shape::Number(limits), Value::Integer(number)) => {
            if is_within(limits, *number as f64) && fits(limits, *number) {
                return None;
            }
            out_of_range(number)
        }
        (Shape::Number(limits), Value::Float(number)) => {
            if number.is_finite() && is_within(limits, *number) {
                return None;
            }
            out_of_range(number)
        }
        _ => return None,
    };
    Some(problem.at(node.place.clone()))
}

/// A list that is too short or too long.
pub(crate) fn wrong_length(limits: &Json, items: &[Node], node: &Node, label: &str) -> Option<Problem> {
    let (least, most) = (count(limits, "minItems"), count(limits, "maxItems"));
    let length = items.len() as u64;
    let expected = match (least, most) {
        (Some(least), _) if length < least => format!("expected: at least {least}"),
        (_, Some(most)) if length > most => format!("expected: at most {most}"),
        _ => return None,
    };
    Some(Problem::new(format!("{label} has {length} items")).at(node.place.clone()).note(expected))
}

/// A value of a type that its schema does not know.
pub(crate) fn wrong_type<'s>(schemas: Schemas<'s>, schema: &'s Json, node: &Node, label: &str) -> Problem {
    let problem = Problem::new(format!("wrong type for {label}: {}", node.described()))
        .at(node.place.clone())
        .note(format!("expected: {}", schemas.kind(schema)));
    let shapes = schemas.shapes(schema);
    let wants = |wanted: fn(&Shape<'_>) -> bool| shapes.iter().any(wanted);
    let wants_number = wants(|shape| matches!(shape, Shape::Integer(_) | Shape::Number(_)));
    let hint = match &node.value {
        Value::Array(_) if node.is_tabular() && wants(|shape| matches!(shape, Shape::Table(_))) => {
            "there is one such table only: write its header in single brackets".to_owned()
        }
        Value::Table(_) if wants(|shape| matches!(shape, Shape::List(_))) => match numbered(node, 0) {
            Some(argument) => question(&[argument]),
            None => "there may be several such tables: write the header in double brackets".to_owned(),
        },
        Value::Array(_) if wants(is_pattern) => {
            "several files are one pattern: corpus = { glob = \"folder/*.txt\" }".to_owned()
        }
        Value::Float(number) if wants_number && number.fract() == 0.0 => question(&[format!("{number:.0}")]),
        Value::String(text) if wants_number && text.trim().parse::<f64>().is_ok_and(f64::is_finite) => {
            let number: f64 = text.trim().parse().unwrap_or_default();
            // A word of the command line has no quotes: it is a string because TOML writes such a number otherwise.
            if is_quoted(node) { "leave out the quotes".to_owned() } else { question(&[number.to_string()]) }
        }
        Value::String(text)
            if matches!(text.as_str(), "true" | "false") && wants(|shape| matches!(shape, Shape::Boolean)) =>
        {
            "leave out the quotes".to_owned()
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime
            if wants(|shape| matches!(shape, Shape::Text(_))) =>
        {
            "put it in quotes".to_owned()
        }
        _ => return problem,
    };
    problem.hint(hint)
}

/// Whether a table of this shape names files by a pattern.
fn is_pattern(shape: &Shape<'_>) -> bool {
    let Shape::Table(forms) = shape else { return false };
    forms.iter().any(|form| form.get("properties").is_some_and(|keys| keys.get("glob").is_some()))
}

/// Whether a value was written in quotes.
fn is_quoted(node: &Node) -> bool {
    node.place.text.get(node.place.span.start..).is_some_and(|text| text.starts_with(['"', '\'']))
}

/// A `--set` argument with the number of an entry after the key at fault: `clipper.0.type=norm`. Nothing elsewhere.
pub(crate) fn numbered(node: &Node, entry: usize) -> Option<String> {
    let place = &node.place;
    let (before, after) = place.text.split_at_checked(place.span.end)?;
    let argument = before.strip_prefix(FLAG)?.trim_start();
    (&*place.file == FLAG && after.starts_with('.')).then(|| format!("{argument}.{entry}{after}"))
}

fn wrong_word(words: &[&str], word: &str, label: &str) -> Option<Problem> {
    if words.contains(&word) {
        return None;
    }
    let quoted = |words: &[&str]| words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>();
    let problem = Problem::new(format!("unknown value \"{}\" for {label}", word.escape_debug()))
        .note(format!("known values: {}", quoted(words).join(", ")));
    let near = nearest(word, words.iter().copied());
    Some(if near.is_empty() { problem } else { problem.hint(question(&quoted(&near))) })
}

fn wrong_text(limits: &Json, text: &str, label: &str) -> Option<Problem> {
    let length = text.chars().count() as u64;
    let (least, most) = (count(limits, "minLength"), count(limits, "maxLength"));
    if least.is_some_and(|least| length < least) || most.is_some_and(|most| length > most) {
        let characters = if length == 1 { "character" } else { "characters" };
        let problem = Problem::new(format!("{label} has {length} {characters}"));
        return Some(problem.note(format!("expected: {}", text_kind(limits))));
    }
    let named = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let is_name = text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.chars().all(named);
    if limits.get("pattern").and_then(Json::as_str) != Some(NAME_PATTERN) || is_name {
        return None;
    }
    let problem = Problem::new(format!("{label} cannot be \"{}\": it names a folder as well", text.escape_debug()))
        .note("expected: letters, digits, `.`, `_` and `-`, beginning with a letter or digit");
    let fixed = text.replace(|letter| !named(letter), "-");
    let fixed = fixed.trim_start_matches(|first: char| !first.is_ascii_alphanumeric());
    Some(if fixed.is_empty() { problem } else { problem.hint(question(&[format!("\"{fixed}\"")])) })
}

fn is_within(limits: &Json, number: f64) -> bool {
    let limit = |name: &str| limits.get(name).and_then(Json::as_f64);
    limit("minimum").is_none_or(|least| number >= least)
        && limit("exclusiveMinimum").is_none_or(|below| number > below)
        && limit("maximum").is_none_or(|most| number <= most)
        && limit("exclusiveMaximum").is_none_or(|above| number < above)
}

/// Whether an integer fits the type that will hold it, which schemas give as a format.
fn fits(limits: &Json, number: i128) -> bool {
    let (least, most) = match limits.get("format").and_then(Json::as_str) {
        Some("uint8") => (0, i128::from(u8::MAX)),
        Some("uint16") => (0, i128::from(u16::MAX)),
        Some("uint32") => (0, i128::from(u32::MAX)),
        Some("uint" | "uint64") => (0, i128::from(u64::MAX)),
        Some("int8") => (i128::from(i8::MIN), i128::from(i8::MAX)),
        Some("int16") => (i128::from(i16::MIN), i128::from(i16::MAX)),
        Some("int32") => (i128::from(i32::MIN), i128::from(i32::MAX)),
        Some("int" | "int64") => (i128::from(i64::MIN), i128::from(i64::MAX)),
        // A number with a fraction holds any integer: what is wider than JSON's integers is rounded to one.
        Some("float" | "double") => return true,
        _ => (i128::from(i64::MIN), i128::from(u64::MAX)),
    };
    (least..=most).contains(&number)
}
