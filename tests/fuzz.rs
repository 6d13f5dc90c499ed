//! Random and changed inputs for everything that reads bytes: our own files, those of other programs, and what plugin
//! libraries answer. No panic, no memory taken for a length that is only claimed, no input that takes long, never an
//! internal error, always a message with something to do.
//!
//! Two thousand inputs for each reader run with the other tests; `HATCHERY_FUZZ=1000000` asks for more. The same
//! readers are targets for cargo-fuzz in `tests/fuzz/`. Figures of long runs are in `tests/README.md`.

mod foreign;
mod own;
mod plugins;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use hatchery::{
    error::Error,
    experiment::reading,
    plugins::Registry,
    random::Stream,
    run::{
        checkpoint::{self, Checkpoint},
        log::{self, Event, Metric, SampleRow},
    },
};

/// No input may take longer, on however busy a machine.
const LONG: Duration = Duration::from_mins(1);

/// What a reader made of its inputs.
#[derive(Default)]
struct Tally {
    read: u64,
    refused: u64,
}

/// Gives a reader as many inputs as are asked for: seeds changed at a few places, and every eighth made up from nothing.
fn fuzz(name: &str, seeds: &[Vec<u8>], words: &[&str], reader: &mut dyn FnMut(Vec<u8>) -> Result<(), Error>) -> Tally {
    let make = |number: u64, stream: &mut Stream| {
        let mut bytes = if number % 8 == 7 { made_up(stream) } else { seeds[stream.below(seeds.len())].clone() };
        (0..=stream.below(4)).for_each(|_| change(&mut bytes, words, stream));
        bytes
    };
    fuzz_with(name, &make, reader)
}

/// Gives a reader as many inputs as are asked for, which `make` makes by their numbers.
fn fuzz_with(
    name: &str,
    make: &dyn Fn(u64, &mut Stream) -> Vec<u8>,
    reader: &mut dyn FnMut(Vec<u8>) -> Result<(), Error>,
) -> Tally {
    let count = std::env::var("HATCHERY_FUZZ").ok().and_then(|count| count.parse().ok()).unwrap_or(2000_u64);
    let (start, mut longest) = (Instant::now(), Duration::ZERO);
    let mut tally = Tally::default();
    for number in 0..count {
        let bytes = make(number, &mut Stream::new(1, name, number));
        let (input, begin) = (bytes.clone(), Instant::now());
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reader(bytes))) {
            Ok(Ok(())) => tally.read += 1,
            Ok(Err(error)) => {
                assert_eq!(error.exit_code(), 2, "input {number}: {error}\n{}", String::from_utf8_lossy(&input));
                tally.refused += 1;
            }
            Err(panic) => {
                println!("input {number} of {name} made it panic:\n{}", String::from_utf8_lossy(&input));
                std::panic::resume_unwind(panic);
            }
        }
        longest = longest.max(begin.elapsed());
        assert!(longest < LONG, "input {number} of {name} took {longest:.0?}:\n{}", String::from_utf8_lossy(&input));
        let done = number + 1;
        if done == count || done % 100_000 == 0 {
            let (Tally { read, refused }, time) = (&tally, start.elapsed());
            println!("{name}: {done} inputs in {time:.0?}, {read} read, {refused} refused, the longest {longest:.1?}");
        }
    }
    tally
}

fn made_up(stream: &mut Stream) -> Vec<u8> {
    (0..stream.below(300)).map(|_| stream.below(256) as u8).collect()
}

/// One change as a disk, an editor or a foe would make it.
fn change(bytes: &mut Vec<u8>, words: &[&str], stream: &mut Stream) {
    let at = stream.below(bytes.len() + 1);
    let end = (at + stream.below(40)).min(bytes.len());
    match stream.below(8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << stream.below(8),
        1 if at < bytes.len() => bytes[at] = stream.below(256) as u8,
        2 => bytes.truncate(at),
        3 => {
            bytes.drain(at..end);
        }
        4 => {
            let piece = bytes[at..end].to_vec();
            let to = stream.below(bytes.len() + 1);
            bytes.splice(to..to, piece);
        }
        5 => {
            bytes.splice(at..end, words[stream.below(words.len())].bytes());
        }
        6 => {
            bytes.splice(at..at, words[stream.below(words.len())].bytes());
        }
        // A digit for a digit, a letter for a letter: what often still parses.
        _ => {
            if let Some(byte) = bytes[at..].iter_mut().find(|byte| byte.is_ascii_alphanumeric()) {
                *byte = b"0123456789aefnstx-._"[stream.below(20)];
            }
        }
    }
}

/// Would catch: a panic on a damaged checkpoint, and a changed one that is read as if it were whole.
#[test]
fn checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seed.safetensors");
    checkpoint::write(&path, &seed()).unwrap();
    let whole = fs::read(&path).unwrap();
    let words =
        ["\"", "{", "}", "[]", "18446744073709551615", "-1", "1e999", "null", "F64", "\"shape\":[0,0]", "\u{0}"];
    let tally = fuzz("checkpoints", std::slice::from_ref(&whole), &words, &mut |bytes| {
        let read = checkpoint::from_bytes(&bytes, "fuzzed")?;
        assert!(bytes == whole && read == seed(), "a changed file was read");
        Ok(())
    });
    assert!(tally.refused > 1000);
}

fn seed() -> Checkpoint {
    let (root, experiment) = (tempfile::tempdir().unwrap(), super::resume::experiment(&[]));
    let (run, _) = super::resume::begin(root.path(), &experiment, super::resume::Watch::default());
    checkpoint::read(&run.checkpoint()).unwrap()
}

/// Would catch: a panic on a user's text, spans beyond the end of the text among them, and problems without text.
#[test]
fn experiments() {
    let registry: Registry = hatchery_cli::registry().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
    let seeds: Vec<_> =
        ["dinosaurs.toml", "notebooks/coursera-dinos.toml"].map(|name| fs::read(folder.join(name)).unwrap()).into();
    let words =
        ["[", "[[", "]", "\"", "'''", "=", ".", "{", "}", "\n", "nan", "-inf", "9223372036854775808", "é", "\u{feff}"];
    let words =
        [&words[..], &["type = ", "steps = 1", "corpus = { glob = \"\" }", "\r", "# ", "[train]", "1979-05-27"]];
    let tally = fuzz("experiments", &seeds, &words.concat(), &mut |bytes| {
        let text = String::from_utf8_lossy(&bytes);
        let experiment = reading::from_text(&text, "fuzzed", &[], &registry).inspect_err(|error| {
            assert!(error.to_string().starts_with("error: "), "{error}");
        })?;
        let again =
            reading::from_text(&experiment.to_toml(), "written", &[], &registry).expect("what was written is read");
        assert_eq!(experiment, again);
        Ok(())
    });
    assert!(tally.read > 0 && tally.refused > 0);
}

/// Would catch: a panic on a log that an editor or a full disk spoilt, and numbers that do not survive.
#[test]
fn logs() {
    let (root, experiment) = (tempfile::tempdir().unwrap(), super::resume::experiment(&["train.on-nonfinite=skip"]));
    let (run, _) = super::resume::begin(root.path(), &experiment, super::resume::Watch::default());
    let event = br#"{"step":3,"action":"rewind","loss":null,"gradient_norm":1.5,"back_to":2,"rate_factor":0.5}"#;
    let seeds = [fs::read(run.metrics()).unwrap(), fs::read(run.samples()).unwrap(), [&event[..], b"\n"].concat()];
    let words = ["\n", "{", "}", "null", "1e400", "-0.0", "\"step\":", "18446744073709551616", "\\ud800", "[[[[[[[["];
    let path = Path::new("fuzzed.jsonl");
    let tally = fuzz("logs", &seeds, &words, &mut |bytes| {
        let samples = log::from_bytes::<SampleRow>(bytes.clone(), path);
        let events = log::from_bytes::<Event>(bytes.clone(), path);
        let metrics = log::from_bytes::<Metric>(bytes, path);
        metrics.map(drop).or_else(|_| events.map(drop)).or_else(|_| samples.map(drop))
    });
    assert!(tally.read > 0 && tally.refused > 0);
}
