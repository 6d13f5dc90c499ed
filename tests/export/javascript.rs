//! The page's own scripts, run by Node.js.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use hatchery::export;
use serde_json::{Value, json};

use crate::lab::root;

/// The answers of `run.js`; none, with a line that says so, where there is no Node.js.
pub(super) fn answers(model: Option<&Value>, questions: Vec<Value>) -> Option<Vec<Value>> {
    if Command::new("node").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: the scripts of a page are not run: there is no `node`");
        return None;
    }
    let mut node = Command::new("node")
        .arg(root().join("tests/export/run.js"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = json!({ "library": export::LIBRARY, "model": model, "questions": questions });
    node.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let done = node.wait_with_output().unwrap();
    assert!(done.status.success(), "node failed: what it said is above");
    Some(serde_json::from_slice(&done.stdout).unwrap())
}

/// The model in a page.
pub(super) fn model(html: &str) -> Value {
    let (_, rest) = html.split_once("<script type=\"application/json\" id=\"model\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// A recorded graph, its arguments, and what it must give: each a shape and elements.
pub(crate) struct Graph {
    pub(crate) label: &'static str,
    pub(crate) recorded: Value,
    pub(crate) given: Vec<([usize; 2], Vec<f64>)>,
    pub(crate) expected: ([usize; 2], Vec<f64>),
}

/// Runs recorded graphs of one result as a page does, and compares what comes out.
pub(crate) fn agree(graphs: &[Graph]) {
    let asked = graphs.iter().map(|it| {
        let given: Vec<_> =
            it.given.iter().map(|(shape, values)| json!({ "shape": shape, "values": values })).collect();
        json!({ "ask": "graph", "graph": it.recorded, "given": given })
    });
    let Some(answers) = answers(None, asked.collect()) else { return };
    for (Graph { label, expected: (shape, expected), .. }, answer) in graphs.iter().zip(answers) {
        for outputs in answer.as_array().unwrap() {
            assert_eq!(outputs[0]["shape"], json!(shape), "{label}");
            let values: Vec<f64> =
                outputs[0]["values"].as_array().unwrap().iter().map(|it| number(it.as_str().unwrap())).collect();
            // Both go by 32 bits in Burn, which a page has not.
            let exact = if ["cast", "hard sigmoid"].contains(label) { 1e-7 } else { 1e-12 };
            let near = |(a, b): (&f64, &f64)| (a - b).abs() <= exact * (1.0 + b.abs()) || a.to_bits() == b.to_bits();
            assert!(values.iter().zip(expected).all(near), "{label}: {values:?}, not {expected:?}");
        }
    }
}

/// A number as JavaScript prints it.
fn number(text: &str) -> f64 {
    match text {
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        other => other.parse().unwrap(),
    }
}
