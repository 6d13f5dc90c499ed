//! The examples, as strangers would write them: built, checked and used.

use std::{path::PathBuf, sync::OnceLock};

use super::{built, c_library, cargo, elman, hatchery, library, root};

/// The libraries of the examples: a cell, a clipper, a sampler.
pub(crate) fn examples() -> &'static [PathBuf] {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(|| {
        cargo(&["build"], &root().join("plugins/examples/Cargo.toml"), &built());
        ["mgu", "adaptive_clipping", "eta"].map(|name| library(&built(), &format!("hatchery_{name}"))).to_vec()
    })
}

/// Would catch: an example that has outgrown what the book says of it, which is that a cell is about as long as its equations.
#[test]
fn the_minimal_gated_unit_is_short() {
    let source = std::fs::read_to_string(root().join("plugins/examples/mgu/src/lib.rs")).unwrap();
    let code = source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
    assert!(code <= 25, "{code} lines of code");
}

/// Would catch: a crate that an author has to depend on for what the framework's macros write.
#[test]
fn they_have_one_dependency() {
    for name in ["mgu", "adaptive-clipping", "eta"] {
        let manifest = std::fs::read_to_string(root().join(format!("plugins/examples/{name}/Cargo.toml"))).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let dependencies = manifest["dependencies"].as_table().unwrap().keys();
        assert_eq!(dependencies.collect::<Vec<_>>(), ["hatchery-plugin"], "{name}");
    }
}

#[test]
fn they_conform() {
    for library in examples().iter().chain([&c_library("elman", &elman())]) {
        let (status, shown, errors) = hatchery(root(), &["plugins", "check", &library.display().to_string()]);
        assert_eq!(status, 0, "{shown}{errors}");
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
         [[clipper]]\ntype = \"adaptive\"\nfactor = 2.0\n[[sampler]]\ntype = \"eta\"\nepsilon = 0.002\n\
         [optimizer]\ntype = \"adam\"\nlearning-rate = 0.01\n[train]\nsteps = 20\nbatch = 3\n";
    std::fs::write(folder.path().join("experiment.toml"), experiment).unwrap();
    let (status, run, errors) = hatchery(folder.path(), &["train", "experiment.toml", "--quiet"]);
    assert_eq!(status, 0, "{errors}");
    let (status, first, errors) = hatchery(folder.path(), &["sample", run.trim(), "--count", "3"]);
    assert_eq!((status, first.lines().count()), (0, 3), "{errors}");

    // The same cell, another file: what was recorded of it is used, and the file is not.
    change(&folder.path().join("cell.so"));
    let sample = ["sample", run.trim(), "--count", "3"];
    let (status, again, errors) = hatchery(folder.path(), &sample);
    assert_eq!((status, &again), (0, &first), "{errors}");
    assert!(errors.contains("the cell `mgu` is the one that is recorded in the checkpoint"), "{errors}");
    let drifting = [&sample[..], &["--allow-plugin-drift"]].concat();
    let (status, _, errors) = hatchery(folder.path(), &drifting);
    assert!(status == 2 && errors.contains("`cell.so` is not trusted"), "{errors}");
    assert_eq!(hatchery(folder.path(), &["plugins", "trust", "cell.so"]).0, 0);
    assert_eq!(hatchery(folder.path(), &drifting).1, first);

    // A sampler is called and not recorded. Its bytes are trusted no more than a stranger's; trusted, it is another one.
    change(&folder.path().join("sampler.so"));
    let (status, _, errors) = hatchery(folder.path(), &sample);
    assert!(status == 2 && errors.contains("`sampler.so` is not trusted"), "{errors}");
    assert_eq!(hatchery(folder.path(), &["plugins", "trust", "sampler.so"]).0, 0);
    for command in [&sample[..], &["runs", "reproduce", run.trim()]] {
        let (status, _, errors) = hatchery(folder.path(), command);
        assert_eq!(status, 2, "{errors}");
        assert!(errors.contains("the sampler `eta` is not the one that the checkpoint was made with"), "{errors}");
    }
    assert_eq!(hatchery(folder.path(), &drifting).1, first);
}

/// Makes a file another one that loads as before.
fn change(library: &std::path::Path) {
    let mut bytes = std::fs::read(library).unwrap();
    bytes.extend(library.display().to_string().into_bytes());
    std::fs::write(library, bytes).unwrap();
}

/// A library that an experiment file names and that is not there is reported at its place in the file.
#[test]
fn an_absent_library_is_reported_where_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("experiment.toml"), "name = \"x\"\nplugins = [\"nowhere.so\"]\n").unwrap();
    let (status, _, errors) = hatchery(folder.path(), &["check", "experiment.toml"]);
    assert_eq!(status, 2);
    assert!(
        errors.contains("there is no plugin library `nowhere.so`") && errors.contains("experiment.toml:2:12"),
        "{errors}"
    );
}

/// Set `HATCHERY_BENCHMARK` on a quiet machine: cells without kernels of their own, a stranger's minimal gated unit and an LSTM
/// with peepholes, reaches 85 % of the rate of operations of the plain LSTM. They run in turns, and the best of each
/// counts.
#[test]
fn unusual_cells_run_at_nearly_the_rate_of_an_lstm() {
    if std::env::var_os("HATCHERY_BENCHMARK").is_none() {
        return println!("skipped: HATCHERY_BENCHMARK is not set");
    }
    let folder = tempfile::tempdir().unwrap();
    let text: String =
        (0..60_000_u32).map(|at| char::from(b'0' + (at.wrapping_mul(2_654_435_761) >> 16) as u8 % 65)).collect();
    std::fs::write(folder.path().join("symbols.txt"), text).unwrap();
    let experiment = "name = \"rates\"\n[dataset]\ntype = \"stream\"\ncorpus = \"symbols.txt\"\nsteps = 100\n\
         [cell]\ntype = \"lstm\"\nhidden = 128\n[optimizer]\ntype = \"sgd\"\nlearning-rate = 0.01\n\
         [train]\nsteps = 1\nbatch = 50\n";
    std::fs::write(folder.path().join("lstm.toml"), experiment).unwrap();
    std::fs::write(folder.path().join("peepholes.toml"), experiment.replace("= 128", "= 128\npeepholes = true"))
        .unwrap();
    let plugin = format!("plugins = [{:?}]\n[dataset]", examples()[0].display().to_string());
    std::fs::write(
        folder.path().join("mgu.toml"),
        experiment.replace("[dataset]", &plugin).replace("type = \"lstm\"", "type = \"mgu\""),
    )
    .unwrap();
    let files = ["lstm.toml", "peepholes.toml", "mgu.toml"];
    let mut best = [0.0_f64; 3];
    for _ in 0..5 {
        for (file, best) in files.iter().zip(&mut best) {
            let arguments = ["bench", file, "--steps", "20", "--repeats", "10", "--characters", "1", "--json"];
            let (status, shown, errors) = hatchery(folder.path(), &arguments);
            assert_eq!(status, 0, "{errors}");
            let row: hatchery_plugin::serde_json::Value = hatchery_plugin::serde_json::from_str(&shown).unwrap();
            *best = best.max(row["gigaflops_per_second"].as_f64().unwrap());
        }
    }
    let [lstm, rest @ ..] = best;
    println!("GFLOP/s: lstm {lstm:.0}, with peepholes {:.0}, mgu {:.0}", rest[0], rest[1]);
    assert!(rest.iter().all(|rate| *rate >= 0.85 * lstm), "{best:?}");
}
