//! Every plugin that the program is linked with passes the kit.

use hatchery_plugin::{
    Build, Kind, Variant, conformance,
    conformance::check,
    serde_json::{self, Value},
};

/// The keys are those of the example in the plugin's own documentation, so that the example is tested as well.
#[test]
fn every_plugin_passes_with_the_keys_of_its_example() {
    let registry = hatchery_cli::registry().expect("names are unique");
    let variants = Kind::ALL.into_iter().flat_map(|kind| registry.of(kind)).map(|entry| &entry.variant);
    let reports: Vec<_> = variants.map(|variant| check(variant, example(variant))).collect();
    let failed: Vec<_> = reports.iter().filter(|report| !report.passed()).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The keys that choose other equations.
#[test]
fn cells_pass_with_other_equations() {
    conformance!(hatchery_cells::plugins(), cell "vanilla", { "hidden": 5, "activation": "relu" });
    conformance!(hatchery_cells::plugins(), cell "lstm", { "hidden": 5, "peepholes": true });
    conformance!(hatchery_cells::plugins(), cell "lstm", { "hidden": 5, "gate-activation": "hard-sigmoid" });
    conformance!(hatchery_cells::plugins(), cell "gru", { "hidden": 5, "reset": "before" });
    conformance!(hatchery_cells::plugins(), cell "gru", { "hidden": 1, "reset": "after" });
}

/// Forms in which a check cannot see what it looks for.
const BEYOND_THE_KIT: [(&str, &str); 2] = [
    ("clockwork", "its slowest module of four changes every eight time steps, and the kit makes four"),
    ("mlstm with an exponential forget gate", "slopes over a distance of 1e-5 are off by 1.2e-6 where a norm is small"),
];

/// All cells, with all keys for which there is a reference.
#[test]
fn every_cell_passes_with_each_of_its_equations() {
    let registry = hatchery_cli::registry().expect("names are unique");
    let mut failed = Vec::new();
    for variant in crate::golden_families::variants() {
        let Some(entry) = registry.find(Kind::Cell, &variant.cell) else { continue };
        let is_exponential = variant.cell == "mlstm" && variant.keys.contains_key("forget-gate");
        let name = if is_exponential { "mlstm with an exponential forget gate" } else { &variant.name };
        if BEYOND_THE_KIT.iter().any(|(beyond, _)| *beyond == name) {
            continue;
        }
        let report = check(&entry.variant, Value::Object(variant.keys));
        failed.extend((!report.passed()).then(|| format!("{}\n{report}", variant.name)));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The keys of the documentation's example: its table for this plugin without `type`, and for datasets `corpus`.
pub(crate) fn example(variant: &Variant) -> Value {
    let (kind, name) = (variant.kind(), variant.name);
    let toml = variant.doc.split_once("```toml\n").and_then(|(_, rest)| rest.split("```").next());
    let mut page: toml::Table =
        toml.unwrap_or_default().parse().unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
    let mut table = match page.remove(kind.word()) {
        Some(toml::Value::Table(mut cell)) if matches!(variant.build, Build::Wrapper(_)) => {
            let Some(toml::Value::Array(wrap)) = cell.remove("wrap") else {
                panic!("the example of {name} has no wrap")
            };
            let is_own = |table: &toml::Value| table.get("type").and_then(toml::Value::as_str) == Some(name);
            wrap.into_iter().find(is_own).and_then(|table| table.try_into().ok()).unwrap_or_default()
        }
        Some(toml::Value::Table(table)) => table,
        Some(toml::Value::Array(tables)) => {
            let is_own = |table: &toml::Value| table.get("type").and_then(toml::Value::as_str) == Some(name);
            tables.into_iter().find(is_own).and_then(|table| table.try_into().ok()).unwrap_or_default()
        }
        _ => panic!("the example in the documentation of {kind} {name} has no table for the {kind}"),
    };
    table.remove("type");
    table.remove("corpus");
    serde_json::to_value(table).expect("TOML has no values that JSON lacks but dates")
}
