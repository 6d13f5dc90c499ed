//! A new author's way: from `hatchery new` to a run that is compared, resumed, and still sampled after the next build.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{hatchery, new, root};

const EXPERIMENT: &str = "name = \"NAME\"\n[dataset]\ntype = \"lines\"\ncorpus = \"names.txt\"\n[cell]\ntype = \"CELL\"\n\
     hidden = 8\n[optimizer]\ntype = \"adam\"\nlearning-rate = 0.01\n[train]\nsteps = STEPS\nbatch = 3\ncheckpoint-every = 5\n";

fn experiment(folder: &Path, name: &str, cell: &str) {
    let text = EXPERIMENT.replace("NAME", name).replace("CELL", cell).replace("STEPS", "20");
    fs::write(folder.join(format!("{name}.toml")), text).unwrap();
}

#[track_caller]
fn runs(folder: &Path, arguments: &[&str]) -> (String, String) {
    let (status, shown, errors) = hatchery(folder, arguments);
    assert_eq!(status, 0, "{arguments:?}: {shown}{errors}");
    (shown, errors)
}

/// A new crate with a cell of that source, built; its library.
fn build(source: &str) -> PathBuf {
    new::make("cell", "walk", Some(source))
}

/// Would catch: a run that can be neither sampled, evaluated, resumed nor reproduced once its library was built anew.
#[test]
fn from_a_new_cell_to_a_run_that_outlives_its_library() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("names.txt"), "ada\nbob\ncleo\ndana\nemil\nfay\n".repeat(8)).unwrap();
    experiment(folder, "walk", "walk");
    experiment(folder, "plain", "vanilla");
    let made = new::make("cell", "walk", None);
    let library = folder.join("libwalk.so");
    fs::copy(&made, &library).unwrap();
    let plugin = ["--plugin", "libwalk.so"];
    let (shown, _) = runs(folder, &["plugins", "check", "libwalk.so"]);
    assert!(shown.contains("1 of 1 plugins of walk 0.1.0 conform"), "{shown}");

    let (shown, _) = runs(folder, &["plugins", "check", "libwalk.so", "--set", "hidden=16"]);
    assert!(shown.contains("from {\"hidden\":16}"), "{shown}");
    let (shown, _) = runs(folder, &["plugins", "check", "libwalk.so", "--experiment", "walk.toml"]);
    assert!(shown.contains("shapes kept at the batch of the experiment") && shown.contains("batch size 3"), "{shown}");
    for (arguments, words) in [
        (["--experiment", "plain.toml"], "the experiment names no plugin of the library"),
        (["--set", "hidden"], "`hidden` does not set a key"),
    ] {
        let check = [&["plugins", "check", "libwalk.so"][..], &arguments].concat();
        let (status, _, errors) = hatchery(folder, &check);
        assert!(status == 2 && errors.contains(words), "{errors}");
    }
    let bench = ["bench", "walk.toml", "plain.toml", "--steps", "1", "--repeats", "1", "--characters", "1"];
    let (shown, _) = runs(folder, &[&bench[..], &plugin].concat());
    assert!(shown.contains("walk, ") && shown.contains("plain, ") && shown.contains("times"), "{shown}");

    // What the same words compute, linked in and loaded, is the same.
    runs(folder, &[&["train", "walk.toml", "--quiet"][..], &plugin].concat());
    runs(folder, &["train", "plain.toml", "--quiet"]);
    let (shown, _) = runs(folder, &["runs", "compare", "walk/1", "plain/1"]);
    assert!(shown.contains("walk") && shown.contains("plain"), "{shown}");
    let sample = ["sample", "walk/1", "--count", "5", "--seed", "3"];
    let (first, _) = runs(folder, &[&sample[..], &plugin].concat());
    let (measured, _) = runs(folder, &[&["eval", "walk/1"][..], &plugin].concat());

    // Without its library: from what the checkpoint recorded.
    let (again, _) = runs(folder, &sample);
    assert_eq!(again, first);
    assert_eq!(runs(folder, &["eval", "walk/1"]).0, measured);
    runs(folder, &["gradients", "walk/1"]);

    // After the next build of another cell under that name.
    let source = fs::read_to_string(root().join("framework/cli/templates/cell.rs")).unwrap();
    let source = source.replace("@name@", "walk").replace("@Type@", "Walk").replace(".tanh()", ".sin()");
    let source = format!("//! Another.\n\nuse hatchery_plugin::prelude::*;\n\n{source}\nlibrary![Walk];\n");
    fs::copy(build(&source), &library).unwrap();
    let (again, errors) = runs(folder, &[&sample[..], &plugin].concat());
    assert_eq!(again, first);
    assert!(errors.contains("the cell `walk` is the one that is recorded in the checkpoint"), "{errors}");
    let (other, _) = runs(folder, &[&sample[..], &plugin, &["--allow-plugin-drift"]].concat());
    assert_ne!(other, first, "the library at hand was asked for");

    // It goes on as it was, to the bit of a run that was never interrupted, and is reproduced.
    runs(folder, &["train", "--resume", "walk/1", "--set", "train.steps=30", "--quiet"]);
    let (shown, _) = runs(folder, &["runs", "reproduce", "walk/1"]);
    assert!(shown.contains("is reproduced: 30 updates"), "{shown}");
}
