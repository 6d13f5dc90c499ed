//! `hatchery devices`: the devices of this build on this computer, and those that another build would have.

use hatchery::device::{DEVICES, DeviceInfo, DeviceKind, bytes};
use serde_json::json;

pub(crate) fn run(as_json: bool) {
    for known in &DEVICES {
        out!("{}", if as_json { json_line(known, &known.found()) } else { lines(known, &known.found()) });
    }
}

fn lines(known: &DeviceKind, found: &[DeviceInfo]) -> String {
    let head = format!("{:<9}{}", known.name, known.doc);
    if !known.built {
        return format!(
            "{head}\n  not in this build: cargo install --locked --path framework/cli --features {}",
            known.feature
        );
    }
    if found.is_empty() {
        return format!("{head}\n  none on this computer");
    }
    let line = |found: &DeviceInfo| {
        let memory = found.memory.map_or("unknown memory".to_owned(), |memory| bytes(memory as f64));
        format!("\n  {:<9}{}, {memory}, {}", found.selector, found.name, found.about)
    };
    head + &found.iter().map(line).collect::<String>()
}

fn json_line(known: &DeviceKind, found: &[DeviceInfo]) -> String {
    let found: Vec<_> = found
        .iter()
        .map(|found| {
            json!({ "device": found.selector, "name": found.name, "about": found.about, "memory_bytes": found.memory })
        })
        .collect();
    json!({ "word": known.name, "about": known.doc, "feature": known.feature, "built": known.built, "found": found })
        .to_string()
}
