//! Devices that every build has: their list, the drift between two of them, and models that do not fit their memory.

use hatchery::device::{bytes, of_machine};
use serde_json::Value;

use crate::lab::Lab;

/// Would catch: a device that is listed but cannot be named, or one of this build that is left out.
#[test]
fn what_is_listed_can_be_named() {
    let lab = Lab::new();
    for line in lab.ok("devices --json").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["built"], Value::Bool(!row["found"].as_array().unwrap().is_empty()), "{row}");
        for found in row["found"].as_array().unwrap() {
            lab.ok(&format!("train tiny.toml --quiet --device {}", found["device"].as_str().unwrap()));
        }
    }
    let text = lab.ok("devices");
    assert!(text.contains("cpu      all cores"), "{text}");
    assert!(cfg!(feature = "cuda") || text.contains("--features cuda"), "{text}");
}

/// Would catch: executors that disagree. The drift of a device from itself must be zero, that of the compiled executor
/// from the Burn executor small but not zero.
#[test]
fn drift_is_nothing_from_itself_and_little_between_executors() {
    let lab = Lab::new();
    let largest = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        let points = row["points"].as_array().unwrap().clone();
        assert_eq!(points.len(), 21);
        let differences = points[20]["differences"].as_array().unwrap().iter();
        differences.map(|difference| difference.as_f64().unwrap()).fold(0.0, f64::max)
    };
    let itself = lab.ok("drift tiny.toml --devices flex,flex --steps 20 --json");
    assert_eq!(largest(&itself), 0.0);
    let executors = lab.ok("drift tiny.toml --devices flex,cpu --steps 20 --json --picture drift.svg");
    let largest = largest(&executors);
    assert!(largest > 0.0 && largest < 1e-3, "{largest:e}");
    assert!(lab.text("drift.svg").contains("cpu beside flex"));

    let table = lab.ok("drift tiny.toml --devices flex,cpu --steps 20");
    assert!(
        table.contains("head.wya") && table.contains("most likely text is the same on both after each of 20"),
        "{table}"
    );
}

/// Would catch: a process that is killed when it allocates memory, or a run directory that it leaves behind.
#[test]
fn a_model_that_fits_nowhere_is_refused_before_anything_is_written() {
    let lab = Lab::new();
    let Some(memory) = of_machine() else {
        println!("skipped: this system does not say how much memory it has");
        return;
    };
    // A layer of a GRU has six square matrices: together they take half of the memory, and four times that with their
    // gradients and Adam's moments.
    let layers = (memory as f64 * 0.5 / (6.0 * 20_000.0 * 20_000.0 * 4.0)).ceil() as u64;
    for device in ["cpu", "flex"] {
        let refusal = lab
            .refused(&format!("train tiny.toml --device {device} --set cell.hidden=20000 --set model.layers={layers}"));
        for part in ["does not fit the memory", "training on 4 sequences of", "GB; the device has", "hint: "] {
            assert!(refusal.contains(part), "{part:?} is missing:\n{refusal}");
        }
    }
    assert!(!lab.path("runs").exists());
}

/// Would catch: units that are off by a factor of a thousand.
#[test]
fn bytes_are_read_in_units() {
    let texts = [0.0, 999.0, 1000.0, 1_536_000.0, 25e9, 3e15].map(bytes);
    assert_eq!(texts, ["0 bytes", "999 bytes", "1.0 kB", "1.5 MB", "25.0 GB", "3000.0 TB"]);
}
