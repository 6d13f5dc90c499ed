//! Models of papers, each as one experiment file: the AWD-LSTM, a stack in the form of Griffin, one of the xLSTM, and zoneout
//! around a cell from a library. Both executors compute the same, and a training that was killed continues exactly.

use std::{path::PathBuf, sync::OnceLock};

use hatchery::plugins::Registry;

use crate::{
    compile::recurrences,
    lab::{Lab, root},
    layers::agrees,
    plugins::{c_library, elman, examples::recurrences as recurrences_library, loaded},
};

/// Two gated linear recurrences to one local attention, each in a residual block (De et al. 2024), and a head of several
/// softmaxes.
const GRIFFIN: &str = r#"name = "griffin"

[dataset]
type = "lines"
corpus = "dinosaurs"

[split]
valid = 0.1
shuffle = true

[model]
embedding = 32
head = { mixture = 3 }

[[layer]]
type = "min-gru"
hidden = 48
wrap = ["block"]

[[layer]]
type = "min-gru"
hidden = 48
wrap = ["block"]

[[layer]]
type = "vanilla"
hidden = 32
wrap = [{ type = "attention", length = 8 }, "block"]

[[clipper]]
type = "norm"
limit = 1.0

[optimizer]
type = "adam"
learning-rate = 0.003

[train]
steps = 1000
batch = 16
report-every = 250
"#;

/// A layer with matrix memory and one with scalar memory, each in a residual block (Beck et al. 2024).
const XLSTM: &str = r#"name = "xlstm"

[dataset]
type = "lines"
corpus = "dinosaurs"

[split]
valid = 0.1
shuffle = true

[model]
embedding = 32

[[layer]]
type = "mlstm"
hidden = 32
heads = 4
wrap = ["block"]

[[layer]]
type = "slstm"
hidden = 32
heads = 4
wrap = ["block"]

[[clipper]]
type = "norm"
limit = 1.0

[optimizer]
type = "adam"
learning-rate = 0.003

[train]
steps = 1000
batch = 16
report-every = 250
"#;

/// Zoneout around the cell in C.
const ZONEOUT: &str = r#"
name = "zoneout"
dataset = { type = "lines", corpus = "dinosaurs" }
model = { embedding = 16, layers = 2 }
cell = { type = "elman-c", hidden = 24, wrap = [{ type = "zoneout", keep = 0.9 }] }
optimizer = { type = "adam", learning-rate = 0.003 }
train = { steps = 1000, batch = 16 }
"#;

/// The cell in C, built once.
fn library() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| c_library("recipes", &elman())).clone()
}

/// The program's plugins, the example recurrences, and the cell in C.
fn registry() -> Registry {
    let (mut registry, library) = (hatchery_cli::registry().unwrap(), library());
    registry.add(recurrences::plugins()).unwrap();
    registry.add_loaded(loaded(&library).unwrap(), &library).unwrap();
    registry
}

/// A folder with all of them.
fn lab() -> (Lab, [PathBuf; 4]) {
    let lab = Lab::new().with("griffin.toml", GRIFFIN).with("xlstm.toml", XLSTM).with("zoneout.toml", ZONEOUT);
    let here = ["griffin.toml", "xlstm.toml", "zoneout.toml"].map(|file| lab.path(file));
    let [griffin, xlstm, zoneout] = here;
    (lab, [root().join("experiments/awd-lstm.toml"), griffin, xlstm, zoneout])
}

/// Would catch: a wrapper, a cell or a head whose losses differ from one executor to the other.
#[test]
fn recipes_agree_on_both_executors() {
    let (_lab, files) = lab();
    for file in files {
        agrees(&file, &registry(), "f64", 1e-12);
        agrees(&file, &registry(), "f32", 1e-4);
    }
}

/// Would catch: noise, a state or a parameter of one of them that is not in the checkpoint.
#[test]
fn recipes_continue_exactly_after_a_kill() {
    let (lab, files) = lab();
    let libraries = [library(), recurrences_library()].map(|library| format!("--plugin {}", library.display()));
    for file in files {
        for device in ["cpu", "flex"] {
            let set = format!("--set train.batch=4 --set backend.device={device} {}", libraries.join(" "));
            let said = lab.ok(&format!("resume-test {} --steps 10 {set}", file.display()));
            assert!(said.contains("every bit is the same"), "{}: {said}", file.display());
        }
    }
}
