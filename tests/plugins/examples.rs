//! The examples, as strangers would write them: built, checked and used.

use std::{path::PathBuf, sync::OnceLock};

use super::{built, c_library, cargo, elman, hatchery, library, root};

fn examples() -> &'static [PathBuf] {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(|| {
        cargo(&["build"], &root().join("plugins/examples/Cargo.toml"), &built());
        ["mgu", "adaptive_clipping", "typical"].map(|name| library(&built(), &format!("hatchery_{name}"))).to_vec()
    })
}

#[test]
fn they_conform() {
    for library in examples().iter().chain([&c_library("elman", &elman())]) {
        let (status, shown, told) = hatchery(root(), &["plugins", "check", &library.display().to_string()]);
        assert_eq!(status, 0, "{shown}{told}");
    }
}

/// A run whose cell, clipper and sampler are all loaded: by the file's own key, found again from its checkpoint, and
/// refused when the library is another one.
#[test]
fn a_run_of_loaded_parts_is_recorded_and_guarded() {
    let folder = tempfile::tempdir().unwrap();
    for (library, name) in examples().iter().zip(["cell.so", "clipper.so", "sampler.so"]) {
        std::fs::copy(library, folder.path().join(name)).unwrap();
    }
    let experiment = "name = \"loaded\"\nplugins = [\"cell.so\", \"clipper.so\", \"sampler.so\"]\n\
         [dataset]\ntype = \"lines\"\ncorpus = \"dinosaurs\"\n[cell]\ntype = \"mgu\"\nhidden = 8\n\
         [[clipper]]\ntype = \"adaptive\"\nfactor = 2.0\n[[sampler]]\ntype = \"typical\"\nmass = 0.9\n\
         [optimizer]\ntype = \"adam\"\nlearning-rate = 0.01\n[train]\nsteps = 20\nbatch = 3\n";
    std::fs::write(folder.path().join("experiment.toml"), experiment).unwrap();
    let (status, run, told) = hatchery(folder.path(), &["train", "experiment.toml", "--quiet"]);
    assert_eq!(status, 0, "{told}");
    let (status, first, told) = hatchery(folder.path(), &["sample", run.trim(), "--count", "3"]);
    assert_eq!((status, first.lines().count()), (0, 3), "{told}");

    // The same plugin, another file.
    let mut bytes = std::fs::read(folder.path().join("cell.so")).unwrap();
    bytes.extend(b"\n");
    std::fs::write(folder.path().join("cell.so"), bytes).unwrap();
    let (status, _, told) = hatchery(folder.path(), &["sample", run.trim()]);
    assert_eq!(status, 2, "{told}");
    assert!(told.contains("the cell `mgu` is not the one that the checkpoint was made with"), "{told}");
    assert!(told.contains("--allow-plugin-drift"), "{told}");
    let allowed = ["sample", run.trim(), "--count", "3", "--allow-plugin-drift"];
    assert_eq!(hatchery(folder.path(), &allowed).1, first);
}

/// A library that an experiment file names and that is not there is told at its place in the file.
#[test]
fn an_absent_library_is_told_where_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("experiment.toml"), "name = \"x\"\nplugins = [\"nowhere.so\"]\n").unwrap();
    let (status, _, told) = hatchery(folder.path(), &["check", "experiment.toml"]);
    assert_eq!(status, 2);
    assert!(
        told.contains("there is no plugin library `nowhere.so`") && told.contains("experiment.toml:2:12"),
        "{told}"
    );
}
