//! What libraries answer: manifests, graphs, and every other call, through a library whose answers are files.

use std::{fs, path::Path};

use hatchery::{
    error::Error,
    plugins::{Part, Registry, read_manifest},
    random::Stream,
    replay::Program,
};
use hatchery_plugin::{
    Build, Documents, Framing, Kind, Name, PluginError, Predict, Provider, Source,
    burn::{
        Tensor,
        tensor::{DType, Device},
    },
    capture::{RecordedGraph, capture_clipper, capture_step},
    entry,
    host::{HostCell, HostClipper},
    serde_json::{self, Map, Value, json},
    wire::{self, DocumentList, ERROR, Graph, InstanceInfo, OK},
};

use super::{fuzz, fuzz_with};
use crate::plugins::c_library;

type Shapes = Vec<(Name, [usize; 2])>;

/// What changed answers are made with: words of the boundary, and bytes that begin values of `MessagePack`.
const WORDS: [&str; 24] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    "null",
    "-1",
    "1e999",
    "18446744073709551615",
    "4294967296",
    "Matmul",
    "Expand",
    "RepeatDim",
    "Slice",
    "Gather",
    "F32",
    "Bool",
    "ReadWrite",
    "\u{0}",
    "\u{1}",
    "\u{7f}",
    "dims",
    "shape",
    "value",
];

fn cell(name: &str, keys: Value) -> Box<dyn HostCell> {
    let provider = hatchery_cells::plugins();
    let Build::Cell(build) = &provider.find(Kind::Cell, name).unwrap().build else { panic!("it is a cell") };
    build(keys).unwrap().0
}

fn clipper(name: &str, keys: Value) -> Box<dyn HostClipper> {
    let provider = hatchery_clippers::plugins();
    let Build::Clipper(build) = &provider.find(Kind::Clipper, name).unwrap().build else { panic!("it is a clipper") };
    build(keys).unwrap().0
}

/// A recorded function as bytes in both encodings, with the shapes of what it takes and gives.
struct Recorded {
    encodings: [Vec<u8>; 2],
    takes: Shapes,
    gives: Shapes,
}

fn recorded(graph: Graph, takes: Shapes, gives: Shapes) -> Recorded {
    let encodings = [wire::write_binary(&graph).unwrap(), wire::write_json(&graph).unwrap()];
    Recorded { encodings, takes, gives }
}

/// A step of two rows, of four inputs.
fn step(cell: &dyn HostCell) -> Recorded {
    let captured = capture_step(cell, 4, 2, DType::F64).unwrap();
    let declared = cell.declare(4).unwrap();
    recorded(Graph::try_from(captured).unwrap(), declared.arguments(4, 2), declared.results(2))
}

fn refused(error: PluginError) -> Error {
    error.into()
}

/// Would catch: a panic on a manifest that is damaged or made up, or one that is taken although it is not as it should be.
#[test]
fn manifests() {
    fn cells() -> Provider {
        hatchery_cells::plugins()
    }
    let (status, cells) = entry::manifest(cells);
    assert_eq!(status, OK);
    let short = br#"{"interface":2,"burn-ir":"0.22.1","package":"p","version":"1","plugins":[
        {"kind":"cell","name":"a","doc":"","schema":{}},{"kind":"sampler","name":"b-2","doc":"","schema":{}}]}"#;
    let more = ["\"interface\":", "\"burn-ir\":\"0.22.1\"", "\"kind\":\"clipper\"", "\\u0000", "[[[[[[[["];
    let tally = fuzz("manifests", &[cells, short.to_vec()], &[&WORDS[..], &more].concat(), &mut |bytes| {
        let manifest = read_manifest(&bytes, "fuzzed")?;
        let whole = |name: &str| !name.is_empty() && name.is_ascii();
        assert!(manifest.plugins.iter().all(|listed| whole(&listed.name) && listed.schema.is_object()));
        Ok(())
    });
    assert!(tally.read > 0 && tally.refused > 0);
}

/// Would catch: a changed graph that passes the check and panics when it is run, with its gradients or without, or one
/// that gives another shape than it should.
#[test]
fn graphs() {
    let gradients: Shapes = vec![("a".into(), [3, 4]), ("b".into(), [1, 4])];
    let norm = clipper("norm", json!({ "limit": 1.0 }));
    let clipped = Graph::try_from(capture_clipper(&*norm, &gradients, DType::F64).unwrap()).unwrap();
    let all = [
        step(&*cell("vanilla", json!({ "hidden": 3 }))),
        step(&*cell("gru", json!({ "hidden": 3 }))),
        step(&*cell("lstm", json!({ "hidden": 3, "peepholes": true, "gate-activation": "hard-sigmoid" }))),
        recorded(clipped, gradients.clone(), gradients),
    ];
    let seeds: Vec<_> = all.iter().flat_map(|it| it.encodings.clone()).collect();
    let device = Device::default();
    let mut reader = |bytes: Vec<u8>| {
        let graph = Graph::read(&bytes).map_err(|error| refused(PluginError::new(error)))?;
        let captured = RecordedGraph::try_from(graph).map_err(refused)?;
        let programs = all.iter().map(|it| (it, Program::new(&captured, &it.takes, &it.gives, DType::F64)));
        let mut refusals = Vec::new();
        for (recorded, program) in programs {
            match program {
                Ok(program) => {
                    run(&program, recorded, &device);
                    return Ok(());
                }
                Err(fault) => refusals.push(fault),
            }
        }
        Err(refused(refusals.swap_remove(0)))
    };
    let tally = fuzz("graphs", &seeds, &WORDS, &mut reader);
    assert!(tally.read > 0 && tally.refused > 0);
    // Changed where they are parsed already, they come further than bytes do.
    let parsed: Vec<Value> = all.iter().map(|it| serde_json::from_slice(&it.encodings[1]).unwrap()).collect();
    let make = |_: u64, stream: &mut Stream| {
        let mut graph = parsed[stream.below(parsed.len())].clone();
        (0..=stream.below(3)).for_each(|_| graft(&mut graph, stream));
        serde_json::to_vec(&graph).unwrap()
    };
    let tally = fuzz_with("parsed graphs", &make, &mut reader);
    assert!(tally.read > 20 && tally.refused > 0);
}

/// Names of operations, each of which takes the place of others in [`graft`].
const OPERATIONS: [&str; 48] = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Rem",
    "Powi",
    "Powf",
    "Greater",
    "Lower",
    "Equal",
    "Matmul",
    "AddScalar",
    "MulScalar",
    "RemScalar",
    "PowiScalar",
    "PowfScalar",
    "ClampMin",
    "Exp",
    "Log",
    "Tanh",
    "Sin",
    "Sqrt",
    "Recip",
    "Round",
    "Erf",
    "Abs",
    "Neg",
    "Sum",
    "Mean",
    "Prod",
    "Max",
    "SumDim",
    "MeanDim",
    "ProdDim",
    "MaxDim",
    "CumSum",
    "CumMax",
    "ArgMax",
    "Sort",
    "Sigmoid",
    "Relu",
    "Softmax",
    "LogSoftmax",
    "Reshape",
    "Expand",
    "Cast",
    "IntoInt",
    "IsNan",
];

/// Changes a value at one place: another number, another operation, an entry more or less. What is around it stays.
fn graft(value: &mut Value, stream: &mut Stream) {
    const NUMBERS: [i64; 14] = [0, 1, 2, 3, 4, 5, 6, 7, 12, 100, -1, 65_537, 1 << 31, i64::MAX];
    match value {
        Value::Array(items) if !items.is_empty() => {
            let (at, other) = (stream.below(items.len()), stream.below(items.len()));
            match stream.below(12) {
                0 => drop(items.remove(at)),
                1 => items.insert(other, items[at].clone()),
                2 => items.swap(at, other),
                _ => graft(&mut items[at], stream),
            }
        }
        Value::Object(entries) => {
            let at = stream.below(entries.len().max(1));
            let Some(key) = entries.keys().nth(at).cloned() else { return };
            if key.starts_with(char::is_uppercase) && stream.below(4) == 0 {
                if let Some(inner) = entries.remove(&key) {
                    entries.insert(OPERATIONS[stream.below(OPERATIONS.len())].to_owned(), inner);
                }
            } else if let Some(inner) = entries.get_mut(&key) {
                graft(inner, stream);
            }
        }
        Value::String(word) => WORDS[stream.below(WORDS.len())].clone_into(word),
        Value::Bool(value) => *value = !*value,
        _ => *value = NUMBERS[stream.below(NUMBERS.len())].into(),
    }
}

/// Runs a program that was found good, and takes the gradients of what it gives, as a training would.
fn run(program: &Program, recorded: &Recorded, device: &Device) {
    let argument = |(_, shape): &(Name, [usize; 2])| Tensor::<2>::full(*shape, 0.25, (device, DType::F64));
    let arguments: Vec<_> = recorded.takes.iter().map(|it| argument(it).autodiff().require_grad()).collect();
    let results = program.run(arguments.clone());
    assert!(results.iter().map(Tensor::dims).eq(recorded.gives.iter().map(|(_, shape)| *shape)));
    let sum = results.into_iter().map(burn::Tensor::sum).reduce(|sum, next| sum + next).unwrap();
    let mut gradients = sum.backward();
    for argument in arguments {
        if let Some(gradient) = argument.grad_remove(&mut gradients) {
            assert_eq!(gradient.dims(), argument.dims());
        }
    }
}

/// A folder of answers, and the plugins of the library that gives them.
struct Answers {
    folder: std::path::PathBuf,
    registry: Registry,
}

impl Answers {
    /// A library whose every answer is good, as of a GRU and a dataset of lines.
    fn new() -> Self {
        // In memory where there is such a place: a million answers are a million files.
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = tempfile::tempdir_in(root).unwrap().keep();
        let source = format!("#define ANSWERS \"{}\"\n{}", folder.display(), include_str!("answers.c"));
        let mut answers = Self { folder, registry: Registry::default() };
        let variant = |kind: Kind| json!({ "kind": kind, "name": "fuzzed", "doc": "", "schema": { "type": "object" } });
        let manifest = json!({
            "interface": wire::INTERFACE, "burn-ir": wire::BURN_IR, "package": "answers", "version": "1",
            "plugins": Kind::ALL.map(variant),
        });
        let gru = cell("gru", json!({ "hidden": 3 }));
        let opened = InstanceInfo {
            keys: Map::new(),
            keeps_identity: false,
            framing: Some(Framing::Windows { length: 4, stride: 1, predict: Predict::All }),
        };
        answers.give("manifest", OK, &serde_json::to_vec(&manifest).unwrap());
        answers.give("open", OK, &wire::write_json(&opened).unwrap());
        answers.give("declare", OK, &wire::write_json(&gru.declare(4).unwrap()).unwrap());
        answers.give("capture", OK, &step(&*gru).encodings[0]);
        answers.give("process", OK, &[]);
        answers.give("documents", OK, &wire::write_binary(&DocumentList::Ranges(vec![(0, 3), (4, 6)])).unwrap());
        let library = c_library("answers", &source);
        let loaded = crate::plugins::loaded(&library).unwrap_or_else(|error| panic!("{error}"));
        answers.registry.add_loaded(loaded, &library).unwrap();
        answers
    }

    fn give(&self, call: &str, status: i32, bytes: &[u8]) {
        fs::write(self.folder.join(call), [&[status as u8][..], bytes].concat()).unwrap();
    }

    fn answer(&self, call: &str) -> Vec<u8> {
        fs::read(self.folder.join(call)).unwrap()[1..].to_vec()
    }

    /// Everything that the framework asks a cell and a dataset before it trains.
    fn ask(&self) -> Result<(), Error> {
        let part = Part { name: "fuzzed".to_owned(), keys: Map::new() };
        let (cell, _) = self.registry.cell(&part)?;
        let declared = cell.declare(4)?;
        assert!(declared.arguments(4, 1).iter().all(|(_, shape)| shape.iter().all(|size| *size > 0)));
        cell.prepare(4, 2, DType::F64)?;
        let (dataset, _) = self.registry.dataset(&part)?;
        let text = "aé\nb\n";
        match dataset.documents(&Source { name: "text", text })? {
            Documents::Ranges(ranges) => assert!(ranges.into_iter().all(|range| text.get(range).is_some())),
            Documents::Text(_) => {}
        }
        let (sampler, _) = self.registry.sampler(&part)?;
        Ok(sampler.process(&mut [0.0; 3], &[1])?)
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Would catch: an answer that is believed: a width of nothing, a range beyond the text, a shape that overflows.
#[test]
fn answers() {
    let answers = Answers::new();
    answers.ask().unwrap_or_else(|error| panic!("{error}"));
    let text = wire::write_json(&DocumentList::Text(vec!["one".to_owned()])).unwrap();
    let refusal = wire::write_json(&PluginError { message: "no".to_owned(), hint: Some("do".to_owned()) }).unwrap();
    for (call, status, others) in [
        ("open", OK, vec![]),
        ("declare", OK, vec![]),
        ("capture", OK, vec![]),
        ("documents", OK, vec![text]),
        ("process", ERROR, vec![refusal.clone()]),
        ("open", ERROR, vec![refusal]),
    ] {
        let good = answers.answer(call);
        let seeds: Vec<_> = if status == OK { [vec![good.clone()], others].concat() } else { others };
        let name = format!("answers to `{call}`{}", if status == OK { "" } else { " that refuse it" });
        let tally = fuzz(&name, &seeds, &WORDS, &mut |bytes| {
            answers.give(call, status, &bytes);
            answers.ask()
        });
        if let Ok(parsed) = serde_json::from_slice::<Value>(&seeds[0]) {
            let make = |_: u64, stream: &mut Stream| {
                let mut answer = parsed.clone();
                (0..=stream.below(3)).for_each(|_| graft(&mut answer, stream));
                serde_json::to_vec(&answer).unwrap()
            };
            fuzz_with(&format!("parsed {name}"), &make, &mut |bytes| {
                answers.give(call, status, &bytes);
                answers.ask()
            });
        }
        answers.give(call, OK, &good);
        assert!(tally.refused > 0 && (tally.read > 0 || status == ERROR), "{name}");
    }
}
