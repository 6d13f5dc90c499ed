//! Proposals: variants that another program asks for, one JSON object of keys and values a line.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    expand::{Setting, incomparable},
    file::Written,
    plan::Plan,
};
use crate::error::{Place, Problem, Result};

/// The variants of a plan, if there is one, and those of the proposals that it lacks; and the variant of each proposal.
///
/// # Errors
/// When a line is no object of keys and values, or varies what cannot be compared.
pub(super) fn variants(
    written: &Written,
    before: Option<&Plan>,
    proposals: &str,
) -> Result<(Vec<Vec<Setting>>, Vec<usize>)> {
    if let Some(vary) = written.node.find(&["vary"]) {
        return Err(Problem::new("[[vary]] has no effect with [search] type = \"ask\": proposals have the values")
            .at(vary.place.clone())
            .hint("take it out, or use another search")
            .into());
    }
    let mut all: Vec<Vec<Setting>> = before.map_or(Vec::new(), |plan| plan.variants.iter().map(known(plan)).collect());
    let (mut asked, mut problems) = (Vec::new(), Vec::new());
    let text: Arc<str> = proposals.into();
    let mut start = 0;
    for line in proposals.split_inclusive('\n') {
        let place =
            Place { file: "proposals".into(), text: Arc::clone(&text), span: start..start + line.trim_end().len() };
        start += line.len();
        if line.trim().is_empty() {
            continue;
        }
        let Some(settings) = settings(line, &place) else {
            problems.push(no_proposal().at(place));
            continue;
        };
        problems.extend(settings.iter().filter_map(|setting| incomparable(&setting.key, &setting.place, written)));
        let is_same = |other: &Vec<Setting>| {
            other.len() == settings.len()
                && other.iter().zip(&settings).all(|(one, other)| one.key == other.key && one.value == other.value)
        };
        let at = all.iter().position(is_same).unwrap_or(all.len());
        if at == all.len() {
            all.push(settings);
        }
        asked.push(at);
    }
    if problems.is_empty() { Ok((all, asked)) } else { Err(problems.into()) }
}

/// The settings of a known variant as they were proposed: without the solved width.
fn known(plan: &Plan) -> impl Fn(&super::plan::Variant) -> Vec<Setting> {
    let solved = usize::from(plan.sweep.size.is_some());
    let place = Place { file: "plan.json".into(), text: "".into(), span: 0..0 };
    move |variant| {
        let proposed = &variant.settings[..variant.settings.len().saturating_sub(solved)];
        let setting =
            |(key, value): &(String, String)| Setting { key: key.clone(), value: value.clone(), place: place.clone() };
        proposed.iter().map(setting).collect()
    }
}

/// The settings of a line, sorted by their keys.
fn settings(line: &str, place: &Place) -> Option<Vec<Setting>> {
    let object: Map<String, Value> = serde_json::from_str(line).ok()?;
    let mut settings = Vec::new();
    for (key, value) in object {
        let value = toml::Value::try_from(value).ok()?.to_string();
        settings.push(Setting { key, value, place: place.clone() });
    }
    settings.sort_by(|one, other| one.key.cmp(&other.key));
    Some(settings)
}

fn no_proposal() -> Problem {
    Problem::new("the line is no JSON object of keys and values")
        .hint("for example {\"cell.type\": \"gru\", \"optimizer.learning-rate\": 0.003}")
}

/// A refusal of proposals for a sweep that has its own variants.
pub(super) fn not_asked(written: &Written) -> Problem {
    let problem = Problem::new("this sweep takes no proposals: its [[vary]] has the variants");
    let problem = match written.node.find(&["search"]) {
        Some(search) => problem.at(search.place.clone()),
        None => problem,
    };
    problem.hint("write [search] type = \"ask\"")
}
