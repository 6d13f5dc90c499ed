//! Every cell against its paper: `golden/families/*.json`, made by the scripts beside them, which were written from the papers
//! without sight of the cells.

use hatchery::plugins::Part;
use hatchery_plugin::{burn::tensor::DType, host::HostCell};
use serde_json::{Value, json};

use super::{
    golden_cells::{Case, Table, check_cell},
    lab::root,
    plugins::{examples::examples, loaded},
};

/// A cell with keys that choose its equations, and what a reference computes of it.
pub(crate) struct Variant {
    /// For messages.
    pub(crate) name: String,
    pub(crate) cell: String,
    pub(crate) keys: Table,
    values: Value,
}

/// All that the references compute.
pub(crate) fn variants() -> Vec<Variant> {
    let files = ["linear", "matrix", "gated", "composite", "clocked", "dynamics", "orthogonal"];
    let cases = files.iter().flat_map(|file| {
        let path = root().join(format!("tests/golden/families/{file}.json"));
        let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        golden["cases"].as_array().unwrap().clone()
    });
    let variant = |values: Value| Variant {
        name: values["name"].as_str().unwrap().to_owned(),
        cell: values["cell"].as_str().unwrap().to_owned(),
        keys: values["keys"].as_object().unwrap().clone(),
        values,
    };
    cases.map(variant).collect()
}

impl Variant {
    /// The cell, with another width if there is one; none where no cell of the program is meant.
    pub(crate) fn build(&self, hidden: Option<usize>) -> Option<Box<dyn HostCell>> {
        let mut registry = hatchery_cli::registry().unwrap();
        if self.cell == "mgu" {
            // The example of a library.
            let library = &examples()[0];
            registry.add_loaded(loaded(library).unwrap(), library).unwrap();
        }
        let part = |name: &str| {
            let mut part = Part { name: name.to_owned(), keys: self.keys.clone() };
            if let Some(hidden) = hidden {
                part.keys.insert("hidden".to_owned(), hidden.into());
            }
            part
        };
        let wrap = [Part { name: "multiplicative".to_owned(), keys: Table::new() }];
        Some(match self.cell.as_str() {
            // A wrapper, whose vector is as wide as the state.
            "multiplicative-rnn" | "multiplicative-lstm" if self.keys.len() > 1 => return None,
            // References without a cell.
            "goru" | "u-rnn" => return None,
            "multiplicative-rnn" => registry.wrapped(&part("vanilla"), &wrap).unwrap().0,
            "multiplicative-lstm" => registry.wrapped(&part("lstm"), &wrap).unwrap().0,
            name => registry.cell(&part(name)).unwrap_or_else(|error| panic!("{}: {error}", self.name)).0,
        })
    }

    /// What the reference computes, under the names of the cell's parameters.
    fn case(&self) -> Case {
        let mut values = self.values.clone();
        let names: &[(&str, &str)] = match self.cell.as_str() {
            "multiplicative-rnn" => {
                &[("wx", "wax"), ("wm", "waa"), ("mx", "multiplicative.wx"), ("mh", "multiplicative.wh")]
            }
            "multiplicative-lstm" => &[("wm", "wh"), ("mx", "multiplicative.wx"), ("mh", "multiplicative.wh")],
            _ => &[],
        };
        for place in ["/params/0", "/gradients/params/0"] {
            let params = values.pointer_mut(place).and_then(Value::as_object_mut).unwrap();
            for (theirs, ours) in names {
                let matrix = params.remove(*theirs).unwrap();
                params.insert((*ours).to_owned(), matrix);
            }
            if self.cell == "mgu" {
                // One matrix a gate.
                let data = params.remove("wh").unwrap()["data"].as_array().unwrap().clone();
                let (gate, candidate) = data.split_at(data.len() / 2);
                params.insert("uf".to_owned(), json!({ "shape": [4, 4], "data": gate }));
                params.insert("un".to_owned(), json!({ "shape": [4, 4], "data": candidate }));
            }
        }
        serde_json::from_value(values).unwrap()
    }

    /// Whether the cell declares what the reference has: shapes of parameters, widths of states and of the output.
    fn is_declared(&self, cell: &dyn HostCell, case: &Case) {
        let declared = cell.declare(self.values["sizes"]["inputs"].as_u64().unwrap() as usize).unwrap();
        let mut ours: Vec<_> =
            declared.params.iter().map(|spec| (spec.name.to_string(), spec.shape.to_vec())).collect();
        let mut theirs = case.shapes();
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs, "{}: parameters", self.name);
        let mut ours: Vec<_> = declared.state.iter().map(|spec| (spec.name.to_string(), spec.width as u64)).collect();
        let states = self.values["states"].as_array().unwrap().iter();
        let mut theirs: Vec<_> = states
            .map(|state| (state["name"].as_str().unwrap().to_owned(), state["width"].as_u64().unwrap()))
            .collect();
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs, "{}: states", self.name);
        assert_eq!(declared.outputs as u64, self.values["output-width"].as_u64().unwrap(), "{}: output", self.name);
    }
}

/// A gate in another place of the rows, a matrix from the other side, a state that is not carried, a constant that is another: each
/// is an error in some number.
#[test]
fn every_cell_equals_its_paper() {
    let mut without: Vec<&str> = Vec::new();
    let registry = hatchery_cli::registry().unwrap();
    let variants = variants();
    let mut wrong = Vec::new();
    for variant in &variants {
        let Some(cell) = variant.build(None) else { continue };
        // Keys of RWKV-7 are divided by their lengths twice.
        let single = if variant.cell == "rwkv7" { 5e-5 } else { 1e-5 };
        for (dtype, tolerance) in [(DType::F64, 1e-9), (DType::F32, single)] {
            let compared = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let case = variant.case();
                cell.prepare(3, 2, dtype).unwrap();
                variant.is_declared(&*cell, &case);
                check_cell(&case, &*cell, dtype, tolerance);
            }));
            wrong.extend(compared.err().map(|_| format!("{} in {dtype:?}", variant.name)));
        }
    }
    for entry in registry.of(hatchery_plugin::Kind::Cell) {
        let is_cell = matches!(entry.variant.build, hatchery_plugin::Build::Cell(_));
        if is_cell && !variants.iter().any(|variant| variant.cell == entry.variant.name) {
            without.push(entry.variant.name);
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    // Those that PyTorch has are in `golden_cells.rs`.
    assert_eq!(without, ["vanilla", "gru"], "a cell without a reference");
}
