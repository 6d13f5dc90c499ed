//! Records of Burn: a module of `burn::nn` is saved by Burn, and what is imported predicts what the module does.

use std::fs;

use burn::{
    module::Module,
    nn::{Linear, LinearConfig, Lstm, LstmConfig},
    tensor::{Device, Tensor, activation::softmax},
};
use hatchery::{
    data::Vocabulary,
    experiment::Experiment,
    import::{pytorch, pytorch_from_bytes},
    inspect::generate::likely,
};
use tempfile::tempdir;

use super::{experiment, has, network, registry};

/// As Burn has them: a linear layer is `[inputs, outputs]`, each gate has two with a bias each.
#[derive(Module, Debug)]
struct Own {
    rnn: Lstm,
    head: Linear,
}

const SYMBOLS: &str = "\nabcd";

/// The mapping that the book shows for such a module.
pub(crate) fn mapping() -> String {
    let page = fs::read_to_string(crate::lab::root().join("book/src/names/porting.md")).unwrap();
    let from = page.split("`burn::nn::Lstm`").nth(1).expect("the page has a mapping for it");
    from.split("```toml\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

/// A record of a module, and the experiment that describes it.
pub(crate) fn record() -> (Vec<u8>, Experiment, Vocabulary, Vec<f32>) {
    let device = Device::default();
    let own = Own { rnn: LstmConfig::new(5, 3, true).init(&device), head: LinearConfig::new(3, 5).init(&device) };
    let tokens = [1, 2, 3, 4, 1, 1];
    let one_hot: Vec<f32> =
        tokens.iter().flat_map(|token| (0..5).map(move |at| f32::from(u8::from(at == *token)))).collect();
    let input = Tensor::<1>::from_floats(&one_hot[..], &device).reshape([1, 6, 5]);
    let last = own.rnn.forward(input, None).0.narrow(1, 5, 1).reshape([1, 3]);
    let predicted = softmax(own.head.forward(last), 1).into_data().try_to_vec::<f32>().unwrap();
    let folder = tempdir().unwrap();
    own.save_file(folder.path().join("model.bpk")).unwrap();
    let bytes = fs::read(folder.path().join("model.bpk")).unwrap();
    let keys =
        ["dataset.length=6", "model.layers=1", "model.dropout=0.0", "cell.hidden=3", "cell.gate-activation=sigmoid"];
    let experiment = experiment("notebooks/sonnets.toml", &[&keys[..], &["backend.device=flex"]].concat());
    let vocabulary = Vocabulary::new(SYMBOLS.chars(), &experiment.vocabulary).unwrap();
    (bytes, experiment, vocabulary, predicted)
}

/// Would catch: gates stacked along the wrong dimension, a matrix that is not transposed, one of two biases lost, a mapping in
/// the book that does not work.
#[test]
fn a_module_of_burn_predicts_the_same() {
    let (bytes, experiment, vocabulary, expected) = record();
    let text = mapping();
    let imported =
        pytorch_from_bytes((&bytes, "model.bpk"), None, (&text, "mapping"), experiment, vocabulary, &registry())
            .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(imported.notes, Vec::<String>::new());
    for (symbol, probability) in likely(&mut network(&imported.checkpoint), "abcdaa").unwrap() {
        let golden = f64::from(expected[SYMBOLS.find(symbol).unwrap()]);
        assert!((probability - golden).abs() < 1e-6, "{symbol:?}: {probability}, not {golden}");
    }
}

/// Would catch: a panic or a wrong accusation for a record that is cut off, of an earlier Burn, or of another module.
#[test]
fn other_records_are_refused() {
    let (bytes, experiment, vocabulary, _) = record();
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("mapping.toml"), mapping()).unwrap();
    let refused = |name: &str, bytes: &[u8], key: Option<&str>| {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        let into = (experiment.clone(), vocabulary.clone());
        let error = pytorch(&file, key, &folder.path().join("mapping.toml"), into.0, into.1, &registry());
        let error = error.err().expect("it is refused");
        assert_eq!(error.exit_code(), 2, "{error}");
        error.to_string()
    };
    has(
        &refused("cut.bpk", &bytes[..bytes.len() - 40], None),
        &["cannot be read as a record of Burn", "save it again"],
    );
    has(&refused("head.bpk", &bytes[..9], None), &["cannot be read as a record of Burn"]);
    has(
        &refused("old.mpk", b"\x82\xa8metadata", None),
        &["nor a record of Burn", "records of earlier versions of Burn"],
    );
    has(&refused("key.bpk", &bytes, Some("model")), &["leave out --key"]);
    let head = LinearConfig::new(3, 5).init(&Device::default());
    head.save_file(folder.path().join("other.bpk")).unwrap();
    let other = fs::read(folder.path().join("other.bpk")).unwrap();
    has(
        &refused("other.bpk", &other, None),
        &["has no `rnn.input_gate.input_transform.weight`", "it has: bias, weight"],
    );
}
