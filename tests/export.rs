//! Models as pages: what a page computes is what the program computes, and it does nothing else.

mod browser;
mod javascript;

use hatchery::{
    export,
    inspect::generate::{Limits, Request, generate, likely},
    network::{Network, samplers},
    run::checkpoint::{self, Checkpoint},
};
use hatchery_plugin::Kind;
use serde_json::{Value, json};

pub(crate) use self::javascript::{Graph, agree};
use crate::{
    lab::{Lab, TINY},
    plugins::{c_library, elman},
};

/// Lines of which no two are equal.
fn text() -> String {
    let words = ["to be", "or not", "that is", "the question", "whether", "nobler in", "the mind", "to suffer"];
    (0..240).map(|line| format!("{}, {} {}\n", words[line % 8], words[line * 5 % 7], words[line * 3 % 5])).collect()
}

/// A lab with an experiment on a running text.
fn lab(tables: &str) -> Lab {
    let experiment = format!(
        "name = \"page\"\ndataset = {{ type = \"stream\", steps = 12, corpus = \"text.txt\" }}\n\
         optimizer = {{ type = \"adam\", learning-rate = 0.01 }}\ntrain = {{ steps = 150, batch = 4, report-every = 150 }}\n\
         {tables}"
    );
    Lab::new().with("text.txt", text()).with("page.toml", experiment)
}

/// The newest run's checkpoint, its network, and the model of its page.
fn opened(lab: &Lab, name: &str) -> (Network, Value) {
    let checkpoint = checkpoint::read(&lab.path(&format!("runs/{name}/001/checkpoint.safetensors"))).unwrap();
    opened_from(&checkpoint)
}

fn opened_from(checkpoint: &Checkpoint) -> (Network, Value) {
    let registry = hatchery_cli::registry().unwrap();
    let (mut network, _) = Network::restore(checkpoint, &[], &registry).unwrap();
    let mut greedy = network.experiment.clone();
    greedy.sampler = vec![serde_json::from_value(json!({ "type": "greedy" })).unwrap()];
    network.samplers = samplers(&greedy, &registry).unwrap();
    let model = export::model(&network.experiment, checkpoint, &registry).unwrap();
    (network, model)
}

/// The most likely text of the program.
fn greedy(network: &mut Network, prefix: &str, length: usize) -> String {
    let request = Request {
        prefix: prefix.to_owned(),
        count: 1,
        length,
        seed: 0,
        occasion: "page".to_owned(),
        capitalize: false,
        limits: Limits::default(),
    };
    generate(network, &request, &mut |_, _| ()).unwrap().remove(0).text
}

/// Compares a page's model with its network: the most likely texts, and the probabilities of every next symbol.
fn compare(label: &str, network: &mut Network, model: &Value, prefixes: &[&str]) {
    let asked = prefixes.iter().flat_map(|prefix| {
        [json!({ "ask": "greedy", "prefix": prefix, "length": 1000 }), json!({ "ask": "next", "prefix": prefix })]
    });
    let Some(answers) = javascript::answers(Some(model), asked.collect()) else { return };
    for (prefix, answers) in prefixes.iter().zip(answers.chunks(2)) {
        assert_eq!(answers[0].as_str().unwrap(), greedy(network, prefix, 1000), "{label}, after {prefix:?}");
        for (symbol, probability) in likely(network, prefix).unwrap() {
            let token = network.vocabulary.token(symbol).unwrap() as usize;
            let on_page = answers[1][token].as_f64().unwrap();
            assert!((on_page - probability).abs() < 1e-5, "{label}, {prefix:?}, {symbol:?}: {on_page}, {probability}");
        }
    }
}

#[track_caller]
fn trained(label: &str, tables: &str) {
    let lab = lab(tables);
    lab.ok("train page.toml --quiet");
    let (mut network, model) = opened(&lab, "page");
    compare(label, &mut network, &model, &["", "to be"]);
}

/// Would catch: an operation, a derived parameter, a starting state or noise that the page computes otherwise than the
/// program, in any cell or wrapper that comes with it, with the keys of its documentation.
#[test]
fn every_cell_gives_the_text_of_the_program() {
    let registry = hatchery_cli::registry().unwrap();
    let mut seen = 0;
    for entry in registry.of(Kind::Cell) {
        let example = entry.variant.doc.split_once("```toml\n").and_then(|(_, rest)| rest.split("```").next());
        // As wide as they are there, they would take long on a machine that is busy.
        let tables = example.unwrap().replace("128", "24").replace("256", "32");
        trained(entry.variant.name, &tables);
        seen += 1;
    }
    assert!(seen > 12, "{seen}");
}

/// Would catch: equations that a key chooses, several layers of different cells, 64 bits.
#[test]
fn other_equations_give_the_text_of_the_program() {
    let lstm = "[cell]\ntype = \"lstm\"\nhidden = 12\n";
    trained("peepholes", &format!("{lstm}peepholes = true\n"));
    trained("hard sigmoid", &format!("{lstm}gate-activation = \"hard-sigmoid\"\n"));
    trained("reset before", "[cell]\ntype = \"gru\"\nhidden = 12\nreset = \"before\"\n");
    trained(
        "relu",
        "[cell]\ntype = \"vanilla\"\nhidden = 12\nactivation = \"relu\"\n[[clipper]]\ntype = \"norm\"\nlimit = 1.0\n",
    );
    trained("64 bits", &format!("{lstm}[backend]\ndtype = \"f64\"\n"));
    let layers =
        "[model]\nembedding = 10\n[[layer]]\ntype = \"gru\"\nhidden = 14\n[[layer]]\ntype = \"lstm\"\nhidden = 9\n";
    trained("layers", layers);
}

/// Would catch: first inputs, window and end symbol of a dataset that the page takes for another's.
#[test]
fn every_dataset_gives_the_text_of_the_program() {
    for dataset in [
        "type = \"lines\"\ncorpus = \"dinosaurs\"",
        "type = \"windows\"\nlength = 10\npredict = \"all\"\ncorpus = \"dinosaurs\"",
        "type = \"windows\"\nlength = 10\nstride = 3\npredict = \"last\"\ncorpus = \"dinosaurs\"",
        "type = \"stream\"\nsteps = 10\ncorpus = \"dinosaurs\"",
    ] {
        let own = TINY.replace("type = \"lines\"\ncorpus = \"dinosaurs\"", dataset);
        let lab = Lab::new().with("own.toml", own.replace("name = \"tiny\"", "name = \"own\""));
        lab.ok("train own.toml --quiet --set train.steps=60");
        let (mut network, model) = opened(&lab, "own");
        compare(dataset, &mut network, &model, &["", "a", "tri"]);
    }
}

/// Would catch: a text that the page reads as other symbols: lower case, normal forms, bytes, unknown characters.
#[test]
fn texts_are_read_as_the_experiment_says() {
    for (vocabulary, prefixes) in [
        ("lowercase = true\nnewlines = \"fold\"", ["Été\r\n", "ÉTÉ"]),
        ("normalize = \"nfd\"", ["été", "e\u{301}"]),
        ("unit = \"byte\"", ["été", "ü"]),
        ("unknown = \"token\"\nmin-count = 2", ["été Z", "Zé"]),
        ("unknown = \"skip\"\nremove = \"t\"", ["étéQ", "t"]),
    ] {
        let lab = Lab::new().with("text.txt", "été ü été\nâge ü\n".repeat(40)).with(
            "read.toml",
            format!(
                "name = \"read\"\ndataset = {{ type = \"stream\", steps = 9, corpus = \"text.txt\" }}\n\
                 cell = {{ type = \"gru\", hidden = 8 }}\noptimizer = {{ type = \"adam\", learning-rate = 0.01 }}\n\
                 train = {{ steps = 40, batch = 2 }}\n[vocabulary]\n{vocabulary}\n"
            ),
        );
        lab.ok("train read.toml --quiet");
        let (mut network, model) = opened(&lab, "read");
        compare(vocabulary, &mut network, &model, &prefixes);
    }
}

/// Would catch: a cell of a library that only the program can run.
#[test]
fn a_cell_of_a_library_gives_the_text_of_the_program() {
    let library = c_library("elman-on-a-page", &elman());
    let lab = lab("[cell]\ntype = \"elman-c\"\nhidden = 12\n");
    let plugin = format!("--plugin {}", library.display());
    lab.ok(&format!("train page.toml --quiet {plugin}"));
    lab.ok(&format!("export html page -o page.html {plugin}"));
    let expected = lab.ok(&format!("sample page --temperature 0 --length 1000 -n 1 --json {plugin}"));
    let expected: Value = serde_json::from_str(expected.trim()).unwrap();
    let model = javascript::model(&lab.text("page.html"));
    let asked = vec![json!({ "ask": "greedy", "prefix": "", "length": 1000 })];
    let Some(answers) = javascript::answers(Some(&model), asked) else { return };
    assert_eq!(answers[0], expected["text"]);
}

/// Would catch: samplers of the page that are not those of the program.
#[test]
fn a_temperature_and_top_p_are_those_of_the_samplers() {
    let logits = [0.3, -1.0, 2.5, 2.5, 0.0, -7.0];
    let registry = hatchery_cli::registry().unwrap();
    let base = hatchery::experiment::reading::from_text(TINY, "tiny.toml", &[], &registry).unwrap();
    let cases = [(1.0, 1.0), (0.5, 0.9), (1.7, 0.6), (0.8, 0.05)];
    let ask = |(temperature, p): (f64, f64)| json!({ "ask": "nucleus", "logits": logits, "temperature": temperature, "p": p });
    let Some(answers) = javascript::answers(None, cases.map(ask).to_vec()) else { return };
    for ((temperature, p), answer) in cases.into_iter().zip(answers) {
        let chain = json!([{ "type": "temperature", "temperature": temperature }, { "type": "top-p", "p": p }]);
        let mut experiment = base.clone();
        experiment.sampler = serde_json::from_value(chain).unwrap();
        let mut own = logits.to_vec();
        for sampler in samplers(&experiment, &registry).unwrap() {
            sampler.process(&mut own, &[]).unwrap();
        }
        for (token, expected) in hatchery::random::softmax(&own).into_iter().enumerate() {
            let on_page = answer[token].as_f64().unwrap();
            assert!((on_page - expected).abs() < 1e-12, "{temperature}, {p}: {answer}, {expected}");
        }
    }
}

/// Would catch: a page that changes from one export to the next, a file that is replaced though the user did not name it, and a key
/// without effect that is taken.
#[test]
fn the_command_writes_one_file() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    assert_eq!(lab.ok("export html"), "tiny.html\n");
    let first = lab.text("tiny.html");
    assert!(lab.refused("export html tiny").contains("`tiny.html` is there already"));
    assert_eq!(lab.ok("export html tiny -o tiny.html"), "tiny.html\n");
    assert_eq!(lab.text("tiny.html"), first);
    lab.ok("export html runs/tiny/001/checkpoint.safetensors -o from-file.html");
    assert_eq!(lab.text("from-file.html"), first);
    assert!(lab.refused("export html tiny --device cpu -o x.html").contains("has no effect on a page"));
    let (before, rest) = first.split_once("<script type=\"application/json\"").unwrap();
    let code = format!("{before}{}", rest.split_once("</script>").unwrap().1);
    for fetched in
        ["http:", "https:", "\"//", "src=", "href=", "url(", "@import", "fetch(", "XMLHttpRequest", "import("]
    {
        let mut lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        assert!(!lines.any(|line| line.contains(fetched)), "{fetched}");
    }
}
