//! Any bytes as the recorded step of a cell: refused, or a program that runs and gives what it says.
#![no_main]

use std::sync::LazyLock;

use hatchery::{plugins::Part, replay::Program};
use hatchery_plugin::{
    Name,
    burn::{
        Tensor,
        tensor::{DType, Device},
    },
    serde_json::{Map, json},
    wire::{Graph, read},
};

type Shapes = Vec<(Name, [usize; 2])>;

/// What a step of two rows of a GRU takes and gives.
static SHAPES: LazyLock<(Shapes, Shapes)> = LazyLock::new(|| {
    let registry = hatchery_cli::registry().expect("names are unique");
    let keys = Map::from_iter([("hidden".to_owned(), json!(3))]);
    let (cell, _) = registry.cell(&Part { name: "gru".to_owned(), keys }).expect("there is a GRU");
    let declared = cell.declare(4).expect("it is sound");
    (declared.arguments(4, 2), declared.results(2))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (takes, gives) = &*SHAPES;
    let Ok(captured) = read::<Graph>(bytes).map(Graph::captured) else { return };
    let Ok(Ok(program)) = captured.map(|captured| Program::new(&captured, takes, gives, DType::F64)) else { return };
    let argument = |(_, shape): &(Name, [usize; 2])| Tensor::<2>::full(*shape, 0.25, (&Device::default(), DType::F64));
    let results = program.run(takes.iter().map(argument).collect());
    assert!(results.iter().map(Tensor::dims).eq(gives.iter().map(|(_, shape)| *shape)));
});
