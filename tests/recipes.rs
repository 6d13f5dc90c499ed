//! Models of papers, each as one experiment file: the AWD-LSTM, a stack in the form of Griffin, one of the xLSTM, and zoneout
//! around a cell from a library. Both executors compute the same, and a training that was killed continues exactly.

use std::path::{Path, PathBuf};

use hatchery::plugins::Registry;

use crate::{
    lab::{Lab, root},
    layers::agrees,
    plugins::{c_library, elman, loaded},
};

const FILES: [&str; 1] = ["awd-lstm.toml"];

/// Zoneout around the cell in C.
const ZONEOUT: &str = r#"
name = "zoneout"
dataset = { type = "lines", corpus = "dinosaurs" }
model = { embedding = 16, layers = 2 }
cell = { type = "elman-c", hidden = 24, wrap = [{ type = "zoneout", keep = 0.9 }] }
optimizer = { type = "adam", learning-rate = 0.003 }
train = { steps = 1000, batch = 16 }
"#;

fn library() -> PathBuf {
    c_library("recipes", &elman())
}

/// The program's plugins and those of the library.
fn registry() -> Registry {
    let (mut registry, library) = (hatchery_cli::registry().unwrap(), library());
    registry.add_loaded(loaded(&library).unwrap(), &library).unwrap();
    registry
}

/// Would catch: a wrapper, a cell or a head whose losses differ from one executor to the other.
#[test]
fn recipes_agree_on_both_executors() {
    let lab = Lab::new().with("zoneout.toml", ZONEOUT);
    let files = FILES.map(|file| root().join("experiments").join(file));
    for file in files.iter().map(PathBuf::as_path).chain([lab.path("zoneout.toml").as_path()]) {
        agrees(file, &registry(), "f64", 1e-12);
        agrees(file, &registry(), "f32", 1e-4);
    }
}

/// Would catch: noise, a state or a parameter of one of them that is not in the checkpoint.
#[test]
fn recipes_continue_exactly_after_a_kill() {
    let lab = Lab::new().with("zoneout.toml", ZONEOUT);
    let test = |file: &Path, more: &str| {
        for device in ["cpu", "flex"] {
            let set = format!("--set train.batch=4 --set backend.device={device} {more}");
            let said = lab.ok(&format!("resume-test {} --steps 10 {set}", file.display()));
            assert!(said.contains("every bit is the same"), "{said}");
        }
    };
    for file in FILES {
        test(&root().join("experiments").join(file), "");
    }
    test(&lab.path("zoneout.toml"), &format!("--plugin {}", library().display()));
}
