//! The program as people and scripts meet it: what it prints where, and what it says when it cannot.

mod check;
mod outputs;
mod passes;
mod refusals;
mod sampling;

use std::{io::Read, process::Stdio, thread};

use serde_json::Value;

use crate::{
    lab::{Lab, TINY},
    text::data_folder,
};

/// The last line of standard output is the contract with scripts: `cd $(hatchery train x.toml)`.
#[test]
fn train_prints_the_folder_of_the_run_and_what_to_type_next() {
    let lab = Lab::new();
    let outcome = lab.run("train tiny.toml");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "runs/tiny/001\n"), "{}", outcome.stderr);
    for part in [
        "tiny: 1078 sequences, 120 held out, the longest of 24 symbols; 27 different symbols; 1 × gru, 1131 parameters, on cpu\n",
        "\nstep 3  loss ",
        " nats per character, validation ",
        "Next:\n  hatchery sample runs/tiny/001 --count 10\n  hatchery eval runs/tiny/001\n",
    ] {
        assert!(outcome.stderr.contains(part), "`{part}` is missing:\n{}", outcome.stderr);
    }
    for file in ["experiment.toml", "metrics.jsonl", "samples.jsonl", "checkpoint.safetensors", "loss.svg"] {
        assert!(lab.path("runs/tiny/001").join(file).is_file(), "{file}");
    }
    assert_eq!(lab.ok("train tiny.toml --runs elsewhere"), "elsewhere/tiny/001\n");
}

/// Would catch: the first commands of the documentation failing outside the clone, a file on disk that is passed over, and
/// a base that is looked for on disk only.
#[test]
fn experiments_are_found_from_any_folder() {
    let lab = Lab::new();
    lab.ok("train experiments/dinosaurs.toml --set train.steps=1");
    assert!(lab.ok("check experiments/unclipped.toml").contains("corpus = \"dinosaurs\""));
    for name in ["dinosaurs", "dinosaur.toml"] {
        let refused = lab.run(&format!("train {name}"));
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains("did you mean `experiments/dinosaurs.toml`?"), "{}", refused.stderr);
    }
    let lab = lab.with("experiments/dinosaurs.toml", TINY);
    assert!(lab.ok("check experiments/dinosaurs.toml").contains("name = \"tiny\""));
}

/// Would catch: a batch that is silently smaller than the one that was asked for, and is reported on as that.
#[test]
fn a_batch_that_is_larger_than_the_text_is_reported() {
    let lab = Lab::new();
    let printed = lab.run("train tiny.toml --set train.batch=100000 --set train.steps=1").stderr;
    let note = "note: each step trains on 1078 sequences, as there are no more: train.batch is 100000\n";
    assert!(printed.contains(note), "{printed}");
    assert!(!lab.run("train tiny.toml --set train.batch=1078 --set train.steps=1").stderr.contains("note: "));
}

/// Scripts read `metrics.jsonl` and `samples.jsonl` by these keys.
#[test]
fn logs_carry_steps_losses_and_texts() {
    let lab = Lab::new();
    lab.ok("train tiny.toml");
    for row in lab.rows("runs/tiny/001/metrics.jsonl") {
        assert!(row["step"].is_u64() && row["smoothed_loss"].is_f64(), "{row}");
    }
    let samples = lab.rows("runs/tiny/001/samples.jsonl");
    assert_eq!(samples.len(), 3 * 2, "two samples at steps 0, 3 and 5");
    assert!(samples.iter().all(|row| row["step"].is_u64() && row["text"].is_string()), "{samples:?}");
}

#[test]
fn progress_is_silent_or_for_machines_on_request() {
    let lab = Lab::new();
    let quiet = lab.run("train tiny.toml --quiet");
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("runs/tiny/001\n", ""));

    let machine = lab.run("train tiny.toml --progress json");
    assert_eq!(machine.stdout, "runs/tiny/002\n");
    let lines: Vec<Value> = machine.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().filter(|line| line["smoothed_loss"].is_f64()).count(), 3, "{}", machine.stderr);
    assert_eq!(lines.iter().filter(|line| line["text"].is_string()).count(), 6, "{}", machine.stderr);
}

/// Without an argument the newest run is meant, by its making and not by its name.
#[test]
fn sample_and_eval_take_the_newest_run_a_folder_or_a_file() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --set name=zebra --quiet");
    lab.ok("train tiny.toml --set name=ant --set seed=9 --quiet");
    let newest = lab.ok("sample");
    assert_eq!(newest, lab.ok("sample runs/ant/001"));
    assert_eq!(newest, lab.ok("sample ant"));
    assert_eq!(newest, lab.ok("sample runs/ant/001/checkpoint.safetensors"));
    assert_ne!(newest, lab.ok("sample runs/zebra/001"));
    assert_eq!(lab.ok("eval"), lab.ok("eval ant/1"));
    assert_eq!(lab.ok("eval ant/001/best.safetensors"), lab.ok("eval runs/ant/001/best.safetensors"));
    assert_ne!(lab.ok("eval"), lab.ok("eval zebra"));
}

#[test]
fn sample_follows_its_options() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let texts = |line: &str| -> Vec<String> {
        let rows = lab.ok(line);
        let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| row["text"].as_str().unwrap().to_owned()).collect()
    };
    let five = texts("sample --json --count 5 --prefix tri --length 4 --seed 3");
    assert_eq!(five.len(), 5);
    assert!(five.iter().all(|text| text.starts_with("tri") && text.chars().count() <= 7), "{five:?}");
    assert_eq!(five, texts("sample --json --count 5 --prefix tri --length 4 --seed 3"), "the same seed");
    assert_ne!(five, texts("sample --json --count 5 --prefix tri --length 4 --seed 4"), "another seed");
    assert_eq!(five[..2], texts("sample --json --count 2 --prefix tri --length 4 --seed 3"), "samples are independent");
    let cold = texts("sample --json --count 3 --temperature 0,0.000001");
    assert!(cold.iter().all(|text| *text == cold[0]), "a temperature near 0 is greedy: {cold:?}");
}

/// A model must not be trained anew to be sampled in another way; and of two samplers both count, in their order.
#[test]
fn any_sampler_can_be_tried_on_a_trained_model() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let greedy = lab.ok("sample --count 3 --sampler greedy");
    assert_eq!(lab.ok("sample --count 3 --temperature 0"), format!("temperature 0:\n{greedy}"));
    for chain in ["--sampler top-k:k=1", "--sampler top-k:k=1 --sampler temperature:temperature=9"] {
        assert_eq!(lab.ok(&format!("sample --count 3 {chain}")), greedy, "{chain}");
    }
    let free = lab.ok("sample --count 3 --sampler top-p:p=1.0");
    assert_eq!(lab.ok("sample --count 3 --temperature 1"), format!("temperature 1:\n{free}"));
    assert_ne!(free, greedy);
}

#[test]
fn eval_measures_a_split() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let row: Value = serde_json::from_str(&lab.ok("eval --json")).unwrap();
    assert_eq!((row["split"].as_str(), row["updates"].as_u64()), (Some("valid"), Some(6)), "{row}");
    let nats = row["nats_per_character"].as_f64().unwrap();
    let bits = row["bits_per_character"].as_f64().unwrap();
    assert!((bits - nats / std::f64::consts::LN_2).abs() < 1e-12 && nats > 1.0 && nats < 27f64.ln() + 0.1, "{row}");
    assert!((row["perplexity"].as_f64().unwrap() - nats.exp()).abs() < 1e-9, "{row}");
    let logged = lab.rows("runs/tiny/001/metrics.jsonl").pop().unwrap();
    let difference = (logged["valid"]["nats_per_character"].as_f64().unwrap() - nats).abs();
    assert!(difference < 1e-12, "what training logged last is what the checkpoint gives");
    assert!(lab.ok("eval --split train").starts_with("split                train, "));
    let warned = |line: &str| lab.run(line).stderr.contains("the held-out part was trained on");
    assert!(warned("eval --seed 5") && !warned("eval --seed 1") && !warned("eval"), "1 is the file's own seed");
}

/// The experiment names its text relative to itself; a checkpoint is used without that file, from where the run was begun.
#[test]
fn a_text_beside_its_experiment_is_found_again() {
    let lab = Lab::new().with("deep/names.txt", "anna\nbob\ncarl\ndora\n");
    let own = crate::lab::TINY.replace("corpus = \"dinosaurs\"", "corpus = \"names.txt\"").replace("valid = 0.1", "");
    let lab = lab.with("deep/own.toml", own);
    lab.ok("train deep/own.toml --quiet");
    assert!(lab.ok("eval").contains("train, "));
    let recorded = lab.text("runs/tiny/001/experiment.toml");
    assert!(recorded.contains("corpus = \"deep/names.txt\""), "{recorded}");
    assert_eq!(lab.ok(&format!("train {} --quiet", lab.path("deep/own.toml").display())), "runs/tiny/002\n");
    assert!(!lab.text("runs/tiny/002/experiment.toml").contains(lab.path("").to_str().unwrap()), "no absolute paths");
}

#[test]
fn runs_are_listed_and_shown() {
    let lab = Lab::new();
    assert_eq!(lab.ok("runs list"), "there are no runs in runs yet: hatchery train EXPERIMENT.toml\n");
    lab.ok("train tiny.toml --quiet");
    let list = lab.ok("runs list");
    assert!(list.starts_with("run  ") && list.contains("tiny/001  ") && list.contains("  finished\n"), "{list}");
    let shown = lab.ok("runs show");
    for part in ["runs/tiny/001\n", "type = \"gru\"", "nats per character, training", "samples after step 5:\n"] {
        assert!(shown.contains(part), "`{part}` is missing:\n{shown}");
    }
}

#[test]
fn plugins_are_listed_and_shown() {
    let lab = Lab::new();
    let list = lab.ok("plugins list");
    for part in ["datasets\n  lines ", "\n simple\n  vanilla ", "clippers\n  none ", "samplers\n  greedy "] {
        assert!(list.contains(part), "`{part}` is missing:\n{list}");
    }
    let shown = lab.ok("plugins show cell lstm");
    for part in [
        "cell lstm  (from hatchery-cells 0.1.0)\n",
        "[cell]\ntype = \"lstm\"\n",
        "  hidden: integer, at least 1, required\n      Width of the hidden state and of the cell state.\n",
        "  gate-activation: \"sigmoid\" or \"hard-sigmoid\", default \"sigmoid\"\n",
    ] {
        assert!(shown.contains(part), "`{part}` is missing:\n{shown}");
    }
}

/// What `check` prints is an experiment again, with every default filled in.
#[test]
fn check_prints_the_whole_experiment() {
    let lab = Lab::new();
    let whole = lab.ok("check tiny.toml --set cell.hidden=64");
    assert!(whole.contains("hidden = 64\n") && whole.contains("reset = \"after\"\n"), "{whole}");
    let lab = lab.with("whole.toml", &whole);
    assert_eq!(lab.ok("check whole.toml"), whole);
    assert!(lab.has_no_run());
}

#[test]
fn texts_are_listed_with_their_places() {
    let list = Lab::new().ok("data list");
    assert!(list.starts_with("dinosaurs ") && list.contains("embedded\n"), "{list}");
    assert!(list.contains("\ntinyshakespeare ") && list.contains("corpus = \"path/to/text.txt\""), "{list}");
    let shown = Lab::new().ok("data show dinosaurs");
    assert!(shown.contains("symbols      27\n") && shown.contains("characters of a line"), "{shown}");
}

/// A text that is there already, asked of a network that is not.
#[test]
fn what_the_user_has_is_not_fetched() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("own")).unwrap();
    let text = lab.path("own/dinos.txt");
    std::fs::write(&text, &"a b\n\nc\n".repeat(2845).as_bytes()[..19_909]).unwrap();
    let output = lab.command(&["data", "fetch", "dinos"]).env("HATCHERY_DATA", lab.path("own")).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{}\n", text.display()));
    let shown = lab.ok("data show own/dinos.txt");
    assert!(shown.contains("lines        5689, and 2844 empty ones\n") && shown.contains("\\n ␣ a b c\n"), "{shown}");
}

/// `flex` by its own name, since `cpu` may come to mean another executor.
#[test]
fn a_device_may_be_named() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet --device flex");
    assert!(lab.text("runs/tiny/001/experiment.toml").contains("device = \"flex\""));
    assert_eq!(lab.ok("sample --device flex"), lab.ok("sample --device flex"));
    lab.ok("eval --device flex");
}

#[test]
fn shells_complete_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Lab::new().ok(&format!("completions {shell}"));
        assert!(script.contains("hatchery") && script.contains("temperature"), "{shell}");
    }
}

#[test]
fn help_shows_where_to_begin() {
    let lab = Lab::new();
    let help = lab.ok("--help");
    assert!(help.contains("First commands:\n  hatchery train experiments/dinosaurs.toml\n"), "{help}");
    for command in ["train", "sample", "eval", "check", "bench"] {
        let help = lab.ok(&format!("{command} --help"));
        assert!(help.contains("Example") && help.contains(&format!("hatchery {command}")), "{command}:\n{help}");
    }
}

/// `hatchery plugins list | head -1` must not end in a panic.
#[test]
fn a_closed_pipe_is_not_an_error() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    for line in ["plugins list", "completions bash", "sample --count 2000 --json", "data list", "runs show"] {
        let arguments: Vec<_> = line.split(' ').collect();
        let mut child = lab.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{line}");
        assert_eq!(said, "", "{line}");
    }
}

/// The numbers vary; that they are numbers, one line a device, does not.
#[test]
fn bench_measures_each_device() {
    let lab = Lab::new();
    let rows = lab.ok("bench tiny.toml --device cpu,flex --steps 2 --repeats 2 --characters 20 --json");
    let rows: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.iter().map(|row| row["device"].as_str().unwrap()).collect::<Vec<_>>(), ["cpu", "flex"]);
    for key in ["milliseconds_per_step", "characters_per_second", "generated_characters_per_second"] {
        assert!(rows.iter().all(|row| row[key].as_f64().is_some_and(|number| number > 0.0)), "{key}: {rows:?}");
    }
    assert!(lab.has_no_run(), "measuring leaves nothing behind");
}

/// The whole way: from an address into the cache, from there into training.
#[test]
fn a_fetched_text_can_be_trained_on() {
    let Some(folder) = data_folder("a_fetched_text_can_be_trained_on") else { return };
    let content = std::fs::read(folder.join("dinos.txt")).unwrap();
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", server.server_addr());
    let serving = thread::spawn(move || {
        let request = server.recv().unwrap();
        let url = request.url().to_owned();
        request.respond(tiny_http::Response::from_data(content)).unwrap();
        url
    });
    let lab = Lab::new();
    let run = |arguments: &[&str]| {
        let output = lab.command(arguments).env_remove("HATCHERY_DATA").output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let train =
        ["train", "tiny.toml", "--quiet", "--set", "dataset.corpus=dinos", "--set", "vocabulary.lowercase=true"];
    let (code, _, said) = run(&train);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("hatchery data fetch dinos"), "{said}");

    let (code, fetched, said) = run(&["data", "fetch", "dinos", "--from", &address]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(serving.join().unwrap(), "/dinos.txt");
    assert_eq!(fetched.trim_end(), lab.path("cache/dinos.txt").to_str().unwrap());
    let (code, printed, said) = run(&train);
    assert_eq!((code, printed.as_str()), (Some(0), "runs/tiny/001\n"), "{said}");
}
