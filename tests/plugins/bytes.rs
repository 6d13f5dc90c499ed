//! The functions of the host that take a library's bytes never panic, whatever the bytes are.

use std::sync::OnceLock;

use hatchery::{plugins::read_manifest, replay::Program};
use hatchery_plugin::{
    Declaration, Kind, Name,
    burn::tensor::DType,
    capture::{RecordedGraph, capture_step},
    serde_json::json,
    wire::{self, DocumentList, Graph, InstanceInfo},
};
use proptest::prelude::*;

type Shapes = Vec<(Name, [usize; 2])>;

/// A GRU's step as bytes, with the shapes of its arguments and results.
fn step() -> &'static (Vec<u8>, Shapes, Shapes) {
    static STEP: OnceLock<(Vec<u8>, Shapes, Shapes)> = OnceLock::new();
    STEP.get_or_init(|| {
        let provider = hatchery_cells::plugins();
        let hatchery_plugin::Build::Cell(build) = &provider.find(Kind::Cell, "gru").unwrap().build else { panic!() };
        let (cell, _) = build(json!({ "hidden": 3 })).unwrap();
        let captured = capture_step(&*cell, 4, 2, DType::F64).unwrap();
        let declared = cell.declare(4).unwrap();
        let (arguments, results) = (declared.arguments(4, 2), declared.results(2));
        (Graph::try_from(captured).unwrap().write().unwrap(), arguments, results)
    })
}

fn take(bytes: &[u8]) -> bool {
    let (_, arguments, results) = step();
    let _ = read_manifest(bytes, "fuzzed");
    let _ = wire::read::<InstanceInfo>(bytes);
    let _ = wire::read::<Declaration>(bytes).is_ok_and(|declared| declared.check().is_ok());
    let _ = wire::read::<DocumentList>(bytes);
    let captured = Graph::read(bytes).ok().and_then(|graph| RecordedGraph::try_from(graph).ok());
    captured.is_some_and(|captured| Program::new(&captured, arguments, results, DType::F64).is_ok())
}

#[test]
fn the_bytes_as_they_are_give_a_program() {
    assert!(take(&step().0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!take(&bytes));
    }

    #[test]
    fn a_changed_graph_is_refused_or_runs(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut in 0..3usize) {
        let mut bytes = step().0.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - cut / 2 * 7);
        take(&bytes);
    }
}
