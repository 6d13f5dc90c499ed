//! Files with a changed byte, cut off, or with something after their end: refused, reported, or the same result as before;
//! never another result in silence. `HATCHERY_FLIPS` is the number of changes of each file.
//!
//! Formats of other programs without a checksum are not here: no one can know that a weight in them was another.

use std::fs;

use hatchery::{data::Vocabulary, import::keras_from_bytes, random::Stream};

use crate::lab::{Lab, root};

/// Changes of each file in a normal test run.
const FEW: usize = 9;

fn changes() -> usize {
    std::env::var("HATCHERY_FLIPS").ok().and_then(|number| number.parse().ok()).unwrap_or(FEW)
}

/// The bytes with one change, and what it is: flips of a bit, cuts and extensions in turn, two thirds of them flips.
fn changed(bytes: &[u8], name: &str, number: usize) -> (Vec<u8>, String) {
    let mut stream = Stream::new(number as u64, &format!("flip {name}"), 0);
    let (mut bytes, at) = (bytes.to_vec(), stream.below(bytes.len()));
    let bit = stream.below(8);
    let what = match number % 6 {
        4 => {
            bytes.truncate(at);
            format!("{name} cut at {at}")
        }
        5 => {
            let tail = bytes[at..].to_vec();
            bytes.extend(tail);
            format!("{name} with its bytes from {at} on once more")
        }
        _ => {
            bytes[at] ^= 1 << bit;
            format!("{name} with bit {bit} of byte {at} flipped")
        }
    };
    (bytes, what)
}

/// Every file of a run, and what a resumed training makes of it. Would catch: a log, an experiment or an origin that is
/// taken as it is, whatever is in it.
#[test]
fn of_a_run() {
    const RESUME: &str = "train --quiet --resume runs/tiny/001 --set train.steps=6";
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet --set train.steps=3");
    let run = |lab: &Lab| {
        let files = ["checkpoint.safetensors", "best.safetensors", "metrics.jsonl", "samples.jsonl"];
        files.map(|name| lab.bytes(&format!("runs/tiny/001/{name}")))
    };
    let before: Vec<_> = fs::read_dir(lab.path("runs/tiny/001"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    let restore = |lab: &Lab| {
        fs::remove_dir_all(lab.path("runs")).unwrap();
        fs::create_dir_all(lab.path("runs/tiny/001")).unwrap();
        for (name, bytes) in &before {
            fs::write(lab.path("runs/tiny/001").join(name), bytes).unwrap();
        }
    };
    lab.ok(RESUME);
    let expected = run(&lab);
    let (mut refused, mut reported, mut same) = (0, 0, 0);
    for (name, bytes) in before.iter().filter(|(name, bytes)| !name.contains(".svg") && !bytes.is_empty()) {
        for number in 0..changes() {
            restore(&lab);
            let (bytes, what) = changed(bytes, name, number);
            fs::write(lab.path("runs/tiny/001").join(name), bytes).unwrap();
            let outcome = lab.run(RESUME);
            assert!(matches!(outcome.code, Some(0 | 2)), "{what}: {outcome:?}");
            if outcome.code == Some(2) {
                refused += 1;
            } else if outcome.stderr.contains("warning: ") {
                reported += 1;
            } else {
                let found = run(&lab);
                assert!(found == expected, "{what}: another result, in silence");
                same += 1;
            }
        }
    }
    println!("{refused} refused, {reported} reported, {same} with the same result");
    assert!(refused > 0 && reported > 0 && same > 0);
}

/// Would catch: a weight of an archive of torch.save that is another one, although the archive has checksums.
#[test]
fn of_an_archive_of_torch_save() {
    use crate::import::torch_files::{Lab as Import, golden};
    let (lab, bytes) = (Import::new(), fs::read(golden("state_dict.pt")).unwrap());
    let expected = lab.tensors(&bytes).expect("the file as it is");
    let (mut refused, mut same) = (0, 0);
    for number in 0..changes() * 30 {
        let (bytes, what) = changed(&bytes, "state_dict.pt", number);
        match lab.tensors(&bytes) {
            None => refused += 1,
            Some(found) => {
                assert!(found == expected, "{what}: other weights, in silence");
                same += 1;
            }
        }
    }
    println!("{refused} refused, {same} with the same weights");
    assert!(refused > 0);
}

/// Would catch: a weight or a moment of an archive of Keras that is another one, although the archive has checksums.
#[test]
fn of_an_archive_of_keras() {
    let bytes = fs::read(root().join("tests/golden/keras_forms/continue_adamw.keras")).unwrap();
    let keys = ["cell.hidden=3", "backend.device=flex", "optimizer={type=\"adamw\",learning-rate=0.02}"];
    let experiment = crate::experiments::experiment("dinosaurs.toml", &keys);
    let vocabulary = Vocabulary::new("\nabcd".chars(), &experiment.vocabulary).unwrap();
    let registry = crate::experiments::registry();
    let read = |bytes: Vec<u8>| {
        let imported = keras_from_bytes(bytes, "changed", experiment.clone(), vocabulary.clone(), &registry);
        imported.map(|imported| (imported.checkpoint.tensors, imported.notes))
    };
    let expected = read(bytes.clone()).unwrap_or_else(|error| panic!("{error}"));
    let (mut refused, mut same) = (0, 0);
    for number in 0..changes() * 30 {
        let (bytes, what) = changed(&bytes, "continue_adamw.keras", number);
        match read(bytes) {
            Err(_) => refused += 1,
            Ok(found) => {
                assert!(found == expected, "{what}: another model, in silence");
                same += 1;
            }
        }
    }
    println!("{refused} refused, {same} with the same model");
    assert!(refused > 0);
}

/// Would catch: a checkpoint that is read although a byte of it is another one.
#[test]
fn of_a_checkpoint() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let bytes = lab.bytes("runs/tiny/001/checkpoint.safetensors");
    for number in 0..changes() * 30 {
        let (bytes, what) = changed(&bytes, "checkpoint", number);
        assert!(hatchery::run::checkpoint::from_bytes(&bytes, "changed").is_err(), "{what} is read");
    }
}

/// Would catch: a text that is another one than the model was trained on, and a run that is continued with it.
#[test]
fn of_a_text() {
    let text = fs::read_to_string(root().join("plugins/datasets/src/lines.rs")).unwrap();
    let lab = Lab::new().with("text.txt", &text);
    lab.ok("train tiny.toml --quiet --set train.steps=3 --set dataset.corpus=text.txt");
    for number in 0..changes() {
        let (bytes, what) = changed(text.as_bytes(), "text.txt", number);
        fs::write(lab.path("text.txt"), bytes).unwrap();
        let outcome = lab.run("train --quiet --resume runs/tiny/001 --set train.steps=6");
        assert_eq!(outcome.code, Some(2), "{what}: {outcome:?}");
    }
}
