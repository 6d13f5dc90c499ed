//! What a library answered for a run: kept in the checkpoint, it takes the library's place once that is gone or built anew.
//!
//! A cell, a wrapper and a clipper are what they declare and the graphs that they record. The graph of a step has the
//! number of rows in its shapes. It is kept for one number that no width has as a factor, and what that divides is
//! scaled to the number that is asked for; a graph for which that is wrong is not kept.

use hatchery_plugin::{Declaration, Kind, PluginError, Provider, Variant, wire::InstanceInfo};
use serde_json::Value;

use super::instance::Opener;
use crate::provenance::{Provenance, Recording};

/// Rows of the graphs that are kept: the first of them that is no factor of a width.
const ROWS: [usize; 4] = [1009, 1013, 1019, 1021];
/// Rows at which a scaled graph is compared with the library's own.
const OTHER_ROWS: [usize; 2] = [1, 6];

impl Recording {
    /// Asks a library for all that is to be kept. `ask` answers one request. `requests` with `batch` are asked with a
    /// number of rows that is no factor of any of the declared shapes.
    ///
    /// None if the library does not answer, or the graph of another number of rows does not follow from the one that is kept.
    pub(super) fn of(
        info: &InstanceInfo,
        requests: &[Value],
        declared: &Declaration,
        ask: impl Fn(&Value) -> Result<Value, PluginError>,
    ) -> Option<Self> {
        let shapes = declared.fixed().into_iter().chain(declared.arguments(1, 1)).flat_map(|(_, shape)| shape);
        let widths: Vec<usize> = shapes.chain([declared.outputs]).collect();
        let rows = ROWS.into_iter().find(|rows| widths.iter().all(|width| width % rows != 0))?;
        let mut recording = Self { info: serde_json::to_value(info).unwrap_or_default(), answers: Vec::new() };
        for request in requests {
            let is_sized = request.get("batch").is_some();
            let asked = if is_sized { with_rows(request, rows) } else { request.clone() };
            recording.answers.push((asked.clone(), ask(&asked).ok()?));
            for other in OTHER_ROWS.into_iter().filter(|_| is_sized) {
                let asked = with_rows(request, other);
                if recording.answer(&asked) != Some(ask(&asked).ok()?) {
                    return None;
                }
            }
        }
        Some(recording)
    }

    /// The properties.
    pub(super) fn info(&self) -> Result<InstanceInfo, PluginError> {
        serde_json::from_value(self.info.clone()).map_err(|error| PluginError::new(error.to_string()))
    }

    /// The answer to a request, scaled to its number of rows.
    pub(super) fn answer(&self, request: &Value) -> Option<Value> {
        if let Some((_, answer)) = self.answers.iter().find(|(asked, _)| asked == request) {
            return Some(answer.clone());
        }
        let rows = request.get("batch")?.as_u64()?;
        let of_rows = |asked: &Value| {
            let kept = asked.get("batch")?.as_u64()?;
            (with_rows(asked, rows as usize) == *request).then_some(kept)
        };
        let (kept, answer) = self.answers.iter().find_map(|(asked, answer)| Some((of_rows(asked)?, answer)))?;
        let mut answer = answer.clone();
        scale(&mut answer, kept, rows);
        Some(answer)
    }

    /// Whether it is of a plugin with these keys.
    pub(super) fn has_keys(&self, keys: &Value) -> bool {
        self.info.get("keys") == Some(keys)
    }

    /// Takes the answers of another recording with the same keys besides. Returns whether it has those.
    pub(crate) fn join(&mut self, other: &Self) -> bool {
        let same = self.info == other.info;
        for answer in other.answers.iter().filter(|_| same) {
            if !self.answers.contains(answer) {
                self.answers.push(answer.clone());
            }
        }
        same
    }
}

/// The plugin of a checkpoint without its library: none if nothing was recorded of it.
pub fn provider(of: &Provenance) -> Option<Provider> {
    let recorded = of.recorded.as_ref()?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == of.kind)?;
    // As long as the program, as those of libraries.
    let [name, package, version] = [&of.name, &of.package, &of.version].map(|text| &*text.clone().leak());
    let subject = format!("the {kind} \"{name}\" of {package} {version} (recorded)");
    let opener = Opener::recorded(recorded.instances.clone(), (kind, recorded.is_wrapper), name, subject);
    let doc = "As it was recorded in the checkpoint.".to_owned();
    let variant = Variant { name, doc, schema: recorded.schema.clone(), build: opener.build() };
    Some(Provider { package, version, variants: vec![variant] })
}

fn with_rows(request: &Value, rows: usize) -> Value {
    let mut request = request.clone();
    request["batch"] = rows.into();
    request
}

/// Every integer that `from` divides, times `to / from`.
fn scale(value: &mut Value, from: u64, to: u64) {
    match value {
        Value::Number(number) => {
            if let Some(rows) = number.as_u64().filter(|number| *number > 0 && number % from == 0) {
                *value = (rows / from * to).into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| scale(item, from, to)),
        Value::Object(entries) => entries.values_mut().for_each(|entry| scale(entry, from, to)),
        _ => {}
    }
}

/// Makes the numbers of a graph's tensors small, in the order in which they stand: those of a library count on from graph
/// to graph.
pub(super) fn renumber(graph: &mut Value) {
    fn visit(value: &mut Value, known: &mut Vec<u64>, is_id: bool) {
        match value {
            Value::Number(number) if is_id => {
                if let Some(id) = number.as_u64() {
                    let place = known.iter().position(|other| *other == id).unwrap_or_else(|| {
                        known.push(id);
                        known.len() - 1
                    });
                    *value = place.into();
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| visit(item, known, false)),
            // An id is `{"value": 7}`.
            Value::Object(entries) => {
                let is_id = entries.len() == 1 && entries.get("value").is_some_and(Value::is_u64);
                entries.values_mut().for_each(|entry| visit(entry, known, is_id));
            }
            _ => {}
        }
    }
    visit(graph, &mut Vec::new(), false);
}
