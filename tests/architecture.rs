//! What the shape of the repository promises, absences included.

mod layers;
mod sizes;

use std::{collections::BTreeSet, fs};

use hatchery::experiment::{Experiment, reading};
use hatchery_plugin::Kind;

use crate::lab::{self, files, root};

/// Crates of plugins, by folder.
const PLUGINS: [&str; 4] = ["cells", "clippers", "datasets", "samplers"];

/// The only files with code that the compiler cannot check; each block says why it is sound.
const UNSAFE: [&str; 25] = [
    "framework/compile/src/kernels/batched.rs",
    "framework/compile/src/kernels/elementwise.rs",
    "framework/compile/src/kernels/functions.rs",
    "framework/compile/src/kernels/interpreter.rs",
    "framework/compile/src/kernels/loss.rs",
    "framework/compile/src/kernels/math.rs",
    "framework/compile/src/kernels/matmul.rs",
    "framework/compile/src/kernels/matrix.rs",
    "framework/compile/src/kernels/mod.rs",
    "framework/compile/src/kernels/outer.rs",
    "framework/compile/src/kernels/simd.rs",
    "framework/compile/src/kernels/transpose.rs",
    "framework/compile/src/kernels/update.rs",
    "framework/compile/src/kernels/x86.rs",
    "framework/compile/src/runtime/buffers.rs",
    "framework/compile/src/runtime/executable.rs",
    "framework/compile/src/runtime/gradients.rs",
    "framework/compile/src/runtime/parameter_program.rs",
    "framework/compile/src/runtime/prepare.rs",
    "framework/compile/src/runtime/sequence.rs",
    "framework/compile/src/runtime/shard.rs",
    "framework/core/src/device/wgpu.rs",
    "framework/core/src/plugins/library.rs",
    "framework/core/src/data/corpus/mapped.rs",
    "framework/plugin/src/boundary/export.rs",
];

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn sources() -> Vec<String> {
    // A template is text until `hatchery new` fills it in.
    let sources = ["framework", "plugins", "tests"].iter().flat_map(|folder| files(folder, "rs"));
    sources.filter(|path| !path.starts_with("framework/cli/templates/")).collect()
}

/// The framework must work with plugins that it has never heard of.
#[test]
fn the_framework_names_its_plugins_in_one_place() {
    let allowed = ["framework/cli/src/lib.rs", "framework/cli/Cargo.toml"];
    let mut named = BTreeSet::new();
    for path in files("framework", "rs").into_iter().chain(files("framework", "toml")) {
        let text = text(&path);
        for plugin in PLUGINS {
            if text.contains(&format!("hatchery_{plugin}")) || text.contains(&format!("hatchery-{plugin}")) {
                named.insert(path.clone());
            }
        }
    }
    assert_eq!(named, allowed.map(str::to_owned).into());
}

/// A plugin depends on the contract alone: only so can the same source be linked in and loaded.
#[test]
fn plugins_depend_on_nothing_but_the_contract() {
    for plugin in PLUGINS {
        let manifest: toml::Table = text(&format!("plugins/{plugin}/Cargo.toml")).parse().unwrap();
        let dependencies = manifest["dependencies"].as_table().unwrap().keys();
        assert_eq!(dependencies.collect::<Vec<_>>(), ["hatchery-plugin"], "{plugin}");
    }
}

#[test]
fn unsafe_code_is_in_listed_files() {
    let mut found = BTreeSet::new();
    for path in sources() {
        let text = text(&path);
        let lines: Vec<_> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if code.trim_start().starts_with("type ") {
                continue;
            }
            let opens = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"];
            if !opens.iter().any(|word| code.contains(word) && !code.contains(&format!("\"{word}"))) {
                continue;
            }
            found.insert(path.clone());
            // A function says in its documentation what its callers must see to; a block, why that is so.
            if code.contains("unsafe fn") || code.contains("unsafe extern \"C\" fn") {
                continue;
            }
            let before = &lines[number.saturating_sub(6)..number];
            assert!(before.iter().any(|line| line.contains("// SAFETY:")), "{path}:{}: why is it sound?", number + 1);
        }
    }
    assert_eq!(found, UNSAFE.map(str::to_owned).into(), "list a file here only if there is no other way");
}

#[test]
fn every_file_says_what_it_is() {
    for path in sources() {
        assert!(text(&path).starts_with("//! "), "{path} opens without `//!`");
    }
}

/// Files without a plugin: what several cells share.
const SHARED: [&str; 2] = ["plugins/cells/src/complex.rs", "plugins/cells/src/heads.rs"];

/// Would catch: a file of a plugin that is not registered, and a plugin that no experiment uses.
#[test]
fn every_variant_is_registered_and_used() {
    let registry = hatchery_cli::registry().unwrap();
    let experiments = experiments();
    let declared = regex::Regex::new("#\\[plugin\\((?:dataset|cell|wrapper|clipper|sampler) = \"([^\"]+)\"").unwrap();
    let sweep = text("experiments/sweeps/all-cells.toml");
    for kind in Kind::ALL {
        let mut written = BTreeSet::new();
        for path in files(&format!("plugins/{kind}s/src"), "rs") {
            let text = text(&path);
            let names: Vec<_> = declared.captures_iter(&text).map(|found| found[1].to_owned()).collect();
            let is_shared = path.ends_with("/lib.rs") || SHARED.contains(&path.as_str());
            assert_eq!(names.is_empty(), is_shared, "{path} has the plugins {names:?}");
            written.extend(names);
        }
        let registered: BTreeSet<_> = registry.of(kind).map(|entry| entry.variant.name.to_owned()).collect();
        assert_eq!(written, registered, "every {kind} is registered");
        let mut used: BTreeSet<_> = experiments.iter().flat_map(|(_, experiment)| names(experiment, kind)).collect();
        if kind == Kind::Cell {
            used.extend(registered.iter().filter(|name| sweep.contains(&format!("\"{name}\""))).cloned());
        }
        assert_eq!(
            registered.difference(&used).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "{kind}s without experiment"
        );
    }
}

fn names(experiment: &Experiment, kind: Kind) -> Vec<String> {
    let parts = match kind {
        Kind::Dataset => vec![experiment.dataset.part.clone()],
        Kind::Cell => {
            experiment.layers().into_iter().flat_map(|layer| [vec![layer.part], layer.wrap].concat()).collect()
        }
        Kind::Clipper => experiment.clipper.clone(),
        Kind::Sampler => experiment.sampler.clone(),
    };
    parts.into_iter().map(|part| part.name).collect()
}

/// Would catch: another version of the first experiment in README than in its file, and a device that the table lacks.
#[test]
fn readme_shows_the_first_experiment_and_the_devices() {
    let readme = text("README.md");
    let block = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(block, text("experiments/dinosaurs.toml"));
    for device in hatchery::device::DEVICES {
        let row = format!("| `{}` | {}", device.name, device.doc);
        assert!(readme.contains(&row), "the table of devices lacks: {row}");
    }
}

/// Every shipped experiment, by its path.
fn experiments() -> Vec<(String, Experiment)> {
    let registry = hatchery_cli::registry().unwrap();
    let experiments = lab::experiments().into_iter().map(|path| {
        let read = reading::read(&root().join(&path), &[], &registry);
        (path, read.unwrap_or_else(|error| panic!("{error}")))
    });
    let experiments: Vec<_> = experiments.collect();
    assert!(experiments.len() > 1);
    experiments
}
