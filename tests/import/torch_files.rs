//! Files of `torch.save`: `golden/state_dict*.pt`, made by the script beside them.

use std::{fs, path::PathBuf};

use hatchery::{
    data::Data,
    error::Result,
    experiment::{Experiment, reading},
    import::{ImportedModel, pytorch},
    inspect::evaluate::evaluate,
    plugins::Registry,
    tensors::NamedTensor,
};
use serde::Deserialize;
use tempfile::{TempDir, tempdir};

use super::{has, network, registry};

/// The values that the script writes beside the files.
#[derive(Deserialize)]
struct Golden {
    text: String,
    hidden: usize,
    loss: f64,
}

pub(crate) fn golden(file: &str) -> PathBuf {
    crate::lab::root().join("tests/golden").join(file)
}

fn numbers() -> Golden {
    serde_json::from_slice(&fs::read(golden("state_dict.json")).unwrap()).unwrap()
}

pub(crate) const MAPPING: &str = r#"
[parameters."layers.0.wx"]
from = ["rnn.weight_ih_l0"]

[parameters."layers.0.wh"]
from = ["rnn.weight_hh_l0"]

[parameters."layers.0.b"]
from = ["rnn.bias_ih_l0", "rnn.bias_hh_l0"]

[parameters."layers.1.wx"]
from = ["rnn.weight_ih_l1"]

[parameters."layers.1.wh"]
from = ["rnn.weight_hh_l1"]

[parameters."layers.1.b"]
from = ["rnn.bias_ih_l1", "rnn.bias_hh_l1"]

[parameters."head.wya"]
from = ["head.weight"]

[parameters."head.by"]
from = ["head.bias"]
"#;

/// A folder with the script's text and the experiment that describes its model.
pub(crate) struct Lab {
    folder: TempDir,
    pub(crate) registry: Registry,
    pub(crate) experiment: Experiment,
    pub(crate) data: Data,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let folder = tempdir().unwrap();
        let Golden { text, hidden, .. } = numbers();
        let experiment = format!(
            "name = \"torch\"\n[dataset]\ntype = \"lines\"\ncorpus = \"text.txt\"\n[model]\nlayers = 2\n\
             [cell]\ntype = \"lstm\"\nhidden = {hidden}\n[optimizer]\ntype = \"sgd\"\nlearning-rate = 0.1\n\
             [train]\nsteps = 1\n"
        );
        fs::write(folder.path().join("text.txt"), text).unwrap();
        fs::write(folder.path().join("torch.toml"), experiment).unwrap();
        let registry = registry();
        let experiment = reading::read(&folder.path().join("torch.toml"), &[], &registry).unwrap();
        let data = Data::open(&experiment, folder.path(), &registry, None).unwrap();
        Self { folder, registry, experiment, data }
    }

    fn import(&self, bytes: &[u8], key: Option<&str>, mapping: &str) -> Result<ImportedModel> {
        let file = |name: &str| self.folder.path().join(name);
        fs::write(file("model.pt"), bytes).unwrap();
        fs::write(file("mapping.toml"), mapping).unwrap();
        let vocabulary = self.data.vocabulary.as_ref().clone();
        pytorch(&file("model.pt"), key, &file("mapping.toml"), self.experiment.clone(), vocabulary, &self.registry)
    }

    /// The matrices that an import of the bytes gives; none if they are refused.
    pub(crate) fn tensors(&self, bytes: &[u8]) -> Option<Vec<NamedTensor>> {
        self.import(bytes, None, MAPPING).ok().map(|imported| imported.checkpoint.tensors)
    }

    #[track_caller]
    fn refusal(&self, bytes: &[u8], key: Option<&str>, mapping: &str) -> String {
        let error = self.import(bytes, key, mapping).err().expect("it is refused");
        assert_eq!(error.exit_code(), 2, "{error}");
        error.to_string()
    }
}

fn bytes(file: &str) -> Vec<u8> {
    fs::read(golden(file)).unwrap()
}

/// The loss is that of `PyTorch`. Would catch: ignored strides of a transposed tensor, an ignored storage offset,
/// storages that are mixed up, f64 read as f32.
#[test]
fn a_file_of_torch_has_the_loss_that_pytorch_has() {
    let lab = Lab::new();
    let expected = numbers().loss;
    let files =
        [("state_dict.pt", None, "half, repeated, steps"), ("state_dict_stream.pt", Some("model_state_dict"), "")];
    for (file, key, left) in files {
        let imported = lab.import(&bytes(file), key, MAPPING).unwrap_or_else(|error| panic!("{file}: {error}"));
        let notes: Vec<_> =
            Some(left).filter(|left| !left.is_empty()).map(|left| format!("not used: {left}")).into_iter().collect();
        assert_eq!(imported.notes, notes, "{file}");
        let found = evaluate(network(&imported.checkpoint).executor.as_mut(), &lab.data.train).unwrap();
        assert!((found.nats_per_character - expected).abs() < 1e-6, "{file}: {} {expected}", found.nats_per_character);
    }
}

/// Would catch: a refusal that does not say what the file holds instead, or where in it the state dict is.
#[test]
fn a_file_of_torch_without_a_state_dict_is_refused() {
    let lab = Lab::new();
    let module = lab.refusal(&bytes("state_dict_module.pt"), None, MAPPING);
    has(&module, &["class `torch.nn.modules.linear.Linear`", "model.pt", "torch.save(model.state_dict()"]);
    let stream = bytes("state_dict_stream.pt");
    let nested = ["it has: epoch, model_state_dict, optimizer", "--key model_state_dict", "model.pt"];
    has(&lab.refusal(&stream, None, MAPPING), &[&["no tensors"], &nested[..]].concat());
    has(&lab.refusal(&stream, Some("model"), MAPPING), &[&["has no `model`"], &nested[..]].concat());
    has(
        &lab.refusal(&stream, Some("epoch"), MAPPING),
        &[&["`epoch` in the file is no dictionary"], &nested[..]].concat(),
    );
    has(&lab.refusal(&stream, Some("optimizer"), MAPPING), &["no tensors", "it has: lr"]);
    // One tensor under many names: copies of it would be far larger than the file.
    has(
        &lab.refusal(&repeating(&stream, 1_000), Some("model_state_dict"), MAPPING),
        &["far more numbers than the file"],
    );
    // What `pickle.dump([1, 2], file)` writes.
    has(&lab.refusal(b"\x80\x02]q\x00(K\x01K\x02e.", None, MAPPING), &["none that torch.save wrote"]);
    has(&lab.refusal(b"PK\x03\x04 and so on", None, MAPPING), &["it is cut off"]);
    has(&lab.refusal(b"neither", None, MAPPING), &["neither a safetensors file nor one of torch.save"]);
    let empty = safetensors::serialize(Vec::<(String, safetensors::tensor::TensorView<'_>)>::new(), None).unwrap();
    has(&lab.refusal(&empty, Some("model"), MAPPING), &["leave out --key"]);
}

/// Would catch: integers or half precision read as f32, a missing tensor or a wrong shape whose message differs from
/// that for a safetensors file.
#[test]
fn tensors_that_do_not_fit_are_named() {
    let lab = Lab::new();
    let file = bytes("state_dict.pt");
    let refused = |from: &str, to: &str| lab.refusal(&file, None, &MAPPING.replace(from, to));
    has(&refused("\"head.bias\"", "\"steps\""), &["`steps` has numbers of the kind Long", "floating-point"]);
    has(&refused("\"head.bias\"", "\"half\""), &["`half` has numbers of the kind Half"]);
    has(&refused("\"head.bias\"", "\"repeated\""), &["`repeated` has more numbers than its storage", "contiguous()"]);
    has(&refused("\"head.bias\"", "\"head.b\""), &["no `head.b`", "head.bias, head.weight"]);
    has(&refused("\"head.weight\"", "\"rnn.weight_hh_l1\""), &["wrong shape for `head.wya`", "12 by 3"]);
}

/// The stream form with `count` more names for the first tensor of its state dict.
fn repeating(stream: &[u8], count: u32) -> Vec<u8> {
    // Before the name of the second tensor, the first one is put into the pickle's memo: the opcode `q` and its index.
    let second = b"X\x10\x00\x00\x00rnn.weight_hh_l0";
    let place = stream.windows(second.len()).position(|bytes| bytes == second).unwrap();
    let memo = stream[..place].iter().rposition(|byte| *byte == b'q').unwrap();
    let mut repeated = stream[..place].to_vec();
    for name in 0..count {
        repeated.extend(b"X\x04\x00\x00\x00");
        repeated.extend(format!("{name:04}").bytes());
        repeated.extend([b'h', stream[memo + 1]]);
    }
    repeated.extend(&stream[place..]);
    repeated
}

/// A file that is truncated or changed anywhere is read or refused; the mapping is empty, so that nothing is done beyond
/// reading. Would catch: an index out of bounds, an overflow, an allocation larger than the file.
#[test]
fn damaged_files_of_torch_are_refused() {
    let lab = Lab::new();
    for (file, key) in [("state_dict.pt", None), ("state_dict_stream.pt", Some("model_state_dict"))] {
        let whole = bytes(file);
        for length in (0..whole.len()).step_by(17) {
            let message = lab.refusal(&whole[..length], key, "[parameters]");
            assert!(!message.contains("says nothing of"), "{length} bytes of {file} are taken for all of it");
        }
        for place in (0..whole.len()).step_by(7) {
            let mut changed = whole.clone();
            changed[place] ^= [0x01, 0x80, 0xff][place % 3];
            lab.refusal(&changed, key, "[parameters]");
        }
    }
}
