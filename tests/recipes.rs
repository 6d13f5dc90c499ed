//! Models of papers, each as one experiment file: the AWD-LSTM, a stack in the form of Griffin, one of the xLSTM, and zoneout
//! around a cell from a library. Both executors compute the same, and a training that was killed continues exactly.

use std::{path::PathBuf, sync::OnceLock};

use hatchery::plugins::Registry;

use crate::{
    lab::{Lab, root},
    layers::agrees,
    plugins::{c_library, elman, loaded},
};

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

/// The program's plugins, and the cell in C.
fn registry() -> Registry {
    let (mut registry, library) = (hatchery_cli::registry().unwrap(), library());
    registry.add_loaded(loaded(&library).unwrap(), &library).unwrap();
    registry
}

/// A folder with the last of them, and all files.
fn lab() -> (Lab, [PathBuf; 4]) {
    let lab = Lab::new().with("zoneout.toml", ZONEOUT);
    let [awd_lstm, griffin, xlstm] =
        ["awd-lstm", "griffin", "xlstm"].map(|name| root().join(format!("experiments/{name}.toml")));
    let zoneout = lab.path("zoneout.toml");
    (lab, [awd_lstm, griffin, xlstm, zoneout])
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
    let plugin = format!("--plugin {}", library().display());
    for file in files {
        for device in ["cpu", "flex"] {
            let set = format!("--set train.batch=4 --set backend.device={device} {plugin}");
            let said = lab.ok(&format!("resume-test {} --steps 10 {set}", file.display()));
            assert!(said.contains("every bit is the same"), "{}: {said}", file.display());
        }
    }
}
