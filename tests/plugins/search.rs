//! The search folders: their libraries are found without being named, and a broken one does not affect the others.

use std::{env::consts::DLL_SUFFIX, fs, path::Path};

use tempfile::TempDir;

use super::{c_library, elman, hatchery_with};

const EXPERIMENT: &str = "name = \"found\"\n[dataset]\ntype = \"lines\"\ncorpus = \"dinosaurs\"\n\
    [cell]\ntype = \"elman-c\"\nhidden = 4\n[optimizer]\ntype = \"sgd\"\nlearning-rate = 0.1\n[train]\nsteps = 3\n";

/// A folder with an experiment, and in `hatchery/plugins` below it the example in C.
fn home(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("experiment.toml"), EXPERIMENT).unwrap();
    let plugins = folder.path().join("hatchery/plugins");
    fs::create_dir_all(&plugins).unwrap();
    let library = plugins.join(format!("elman{DLL_SUFFIX}"));
    fs::copy(c_library(name, &elman()), &library).unwrap();
    trust(folder.path(), &library);
    folder
}

fn trust(folder: &Path, library: &Path) {
    let (status, _, errors) = searching(folder, &["plugins", "trust", &library.display().to_string()]);
    assert_eq!((status, errors.as_str()), (0, ""));
}

/// The command with `hatchery/plugins` as its search folder.
fn searching(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    hatchery_with(folder, arguments, |command| command.env("HATCHERY_PLUGINS", folder.join("hatchery/plugins")))
}

/// Would catch: a search folder that is documented but not searched, by one of the commands or by all.
#[test]
fn what_lies_there_need_not_be_named() {
    let home = home("found");
    let (status, run, errors) = searching(home.path(), &["train", "experiment.toml", "--quiet"]);
    assert_eq!((status, errors.as_str()), (0, ""));
    for command in [&["sample", run.trim()][..], &["runs", "compare", run.trim(), run.trim()], &["gradients"]] {
        let (status, _, errors) = searching(home.path(), command);
        assert_eq!((status, errors.as_str()), (0, ""), "{command:?}");
    }
    let nowhere =
        hatchery_with(home.path(), &["train", "experiment.toml"], |command| command.env("HATCHERY_PLUGINS", ""));
    assert_eq!(nowhere.0, 2, "{}", nowhere.2);
}

/// Would catch: a command without an option for the path of a library, a run that cannot be used without its library.
#[test]
fn what_lies_there_no_longer_can_be_named() {
    let home = home("named");
    let (status, _, errors) = searching(home.path(), &["train", "experiment.toml", "--quiet"]);
    assert_eq!(status, 0, "{errors}");
    let library = format!("moved{DLL_SUFFIX}");
    let folder = home.path().join("hatchery/plugins");
    fs::rename(folder.join(format!("elman{DLL_SUFFIX}")), home.path().join(&library)).unwrap();
    let (status, _, errors) = searching(home.path(), &["train", "experiment.toml", "--quiet"]);
    assert!(status == 2 && errors.contains("elman-c"), "{errors}");
    // What is trained has the recorded graph of its cell.
    for command in [&["train", "experiment.toml", "--quiet"][..], &["sample"], &["eval"], &["gradients"]] {
        let named = [command, &["--plugin", &library]].concat();
        let (status, _, errors) = searching(home.path(), &named);
        assert_eq!((status, errors.as_str()), (0, ""), "{named:?}");
        if command[0] != "train" {
            let (status, _, errors) = searching(home.path(), command);
            assert_eq!(status, 0, "{command:?}: {errors}");
        }
    }
}

/// Would catch: another folder than the documented one where `HATCHERY_PLUGINS` is not set.
#[test]
fn by_default_it_is_in_the_data_folder_of_the_user() {
    if !cfg!(unix) {
        println!("skipped: the data folder follows XDG_DATA_HOME on Unix only");
        return;
    }
    let home = home("default");
    let in_data_folder = |arguments: &[&str]| {
        hatchery_with(home.path(), arguments, |command| {
            command.env_remove("HATCHERY_PLUGINS").env("XDG_DATA_HOME", home.path())
        })
    };
    let (status, shown, errors) = in_data_folder(&["plugins", "list"]);
    assert_eq!((status, errors.as_str()), (0, ""));
    assert!(shown.contains("\n  elman-c "), "{shown}");
    let (_, help, _) = in_data_folder(&["plugins", "--help"]);
    assert!(help.contains("hatchery/plugins") && help.contains("HATCHERY_PLUGINS"), "{help}");
}

/// Would catch: one bad file in the folder that stops every command, or that is skipped without a warning.
#[test]
fn a_broken_library_is_reported_and_breaks_nothing_else() {
    let home = home("beside-broken");
    let broken = home.path().join("hatchery/plugins").join(format!("broken{DLL_SUFFIX}"));
    fs::write(&broken, "not a library").unwrap();
    trust(home.path(), &broken);
    let words = ["warning: ", "is not a library that can be loaded", "left out: ", "hatchery plugins doctor"];
    for command in [
        &["check", "experiment.toml"][..],
        &["plugins", "list"],
        &["plugins", "show", "cell", "elman-c"],
        &["train", "experiment.toml", "--quiet"],
        &["train", "--resume", "runs/found/001", "--quiet", "--set", "train.steps=4"],
        &["sample", "runs/found/001"],
        &["eval", "runs/found/001"],
    ] {
        let (status, _, errors) = searching(home.path(), command);
        assert_eq!(status, 0, "{command:?}: {errors}");
        for word in words {
            assert_eq!(errors.matches(word).count(), 1, "{command:?}, `{word}`: {errors}");
        }
    }
    // A library that is named must load: an error, not a warning.
    let named = broken.display().to_string();
    let (status, _, errors) = searching(home.path(), &["check", "experiment.toml", "--plugin", &named]);
    assert!(status == 2 && errors.contains("error: ") && !errors.contains("warning"), "{errors}");
}

/// Would catch: a library that cannot be replaced by a newer one, because an older one is in the folder; and some of a
/// refused library's plugins among the others.
#[test]
fn a_named_library_comes_before_one_that_lies_about() {
    let home = home("first");
    let newer = c_library("newer", &elman().replacen("0.1.0", "0.2.0", 1)).display().to_string();
    let (status, shown, errors) = searching(home.path(), &["plugins", "show", "cell", "elman-c", "--plugin", &newer]);
    assert_eq!(status, 0, "{errors}");
    assert!(shown.contains("from elman-c 0.2.0"), "{shown}");
    assert!(errors.contains("warning: there are two cells named `elman-c`"), "{errors}");
    // The same file, named and found, is loaded once.
    let same = home.path().join("hatchery/plugins").join(format!("elman{DLL_SUFFIX}")).display().to_string();
    let (status, _, errors) = searching(home.path(), &["check", "experiment.toml", "--plugin", &same]);
    assert_eq!((status, errors.as_str()), (0, ""));
}
