//! What is said of cells that each make one mistake: `tests/conformance/wrong_cells` has them, each below the words that
//! `hatchery plugins check` and `hatchery train` must say of it.

use std::{collections::BTreeMap, fs, ops::RangeInclusive, path::PathBuf, sync::OnceLock};

use super::{hatchery, new, root};

/// A cell and what must be said of it.
#[derive(Debug)]
struct Wrong {
    name: String,
    /// Its file and lines.
    file: String,
    lines: RangeInclusive<usize>,
    /// The check that fails first, and words of its line.
    check: Vec<String>,
    /// Whether no other check fails.
    alone: bool,
    /// Whether the author's line is named.
    has_line: bool,
    /// Words of a training.
    train: Option<String>,
}

fn sources() -> PathBuf {
    root().join("tests/conformance/wrong_cells")
}

/// All cells, as the comments above them say.
fn wrong_cells() -> Vec<Wrong> {
    let mut found = Vec::new();
    let mut files: Vec<_> = fs::read_dir(sources()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| !file.ends_with("lib.rs")) {
        let text = fs::read_to_string(file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let starts = lines.iter().enumerate().filter(|(_, line)| line.starts_with("wrong!("));
        for (at, line) in starts {
            let above = |word: &str| {
                let comments = lines[..at].iter().rev().take_while(|line| line.starts_with("// "));
                comments.filter_map(|line| line.strip_prefix("// ")).find(|line| line.starts_with(word))
            };
            let (says, words) = above("check").expect("it says what check must say").split_once(": ").unwrap();
            let end = at + lines[at..].iter().position(|line| *line == "});").expect("the cell ends");
            found.push(Wrong {
                name: line.split('"').nth(1).unwrap().to_owned(),
                file: file.file_name().unwrap().to_string_lossy().into_owned(),
                lines: at + 1..=end + 1,
                check: words.split('|').map(str::to_owned).collect(),
                alone: !says.contains("among others"),
                has_line: says.contains("with its line"),
                train: above("train").map(|line| line["train: ".len()..].to_owned()),
            });
        }
    }
    assert!(found.len() >= 40, "{}", found.len());
    found
}

fn library() -> &'static str {
    static BUILT: OnceLock<String> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = new::fresh("wrong-cells");
        let (checkout, path) = (root().display().to_string(), folder.display().to_string());
        let arguments = ["new", "cell", "wrong-cells", "--hatchery", &checkout, "--path", &path];
        let (status, _, errors) = hatchery(root(), &arguments);
        assert_eq!(status, 0, "{errors}");
        for entry in fs::read_dir(sources()).unwrap() {
            let file = entry.unwrap().path();
            fs::copy(&file, folder.join("src").join(file.file_name().unwrap())).unwrap();
        }
        new::build(&folder, "wrong-cells").display().to_string()
    })
}

/// Whether a text names a line of the cell: `(src/shapes.rs:12:34)`.
fn names_a_line(text: &str, cell: &Wrong) -> bool {
    let after = |(at, _): (usize, &str)| text[at..].split(':').nth(1)?.parse::<usize>().ok();
    text.match_indices(&format!("src/{}:", cell.file)).filter_map(after).any(|line| cell.lines.contains(&line))
}

/// Would catch: a mistake that the kit does not find, for which it accuses something else, or whose line it does not know.
#[test]
fn the_kit_says_what_is_wrong_and_where() {
    let (status, shown, _) = hatchery(root(), &["plugins", "check", library()]);
    assert_eq!(status, 2, "{shown}");
    // By cell, the lines of the checks that failed. A report on an option stands under the cell, too.
    let mut failed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut cell = "";
    for line in shown.lines() {
        if let Some(rest) = line.strip_prefix("cell \"") {
            cell = rest.split('"').next().unwrap();
        } else if let Some(rest) = line.strip_prefix("  FAILED") {
            failed.entry(cell).or_default().push(rest.trim());
        }
    }
    let mut faults = Vec::new();
    for cell in wrong_cells() {
        let lines = failed.remove(&*cell.name).unwrap_or_default();
        let mut fault =
            |what: String| faults.push(format!("{} ({}:{}): {what}", cell.name, cell.file, cell.lines.start()));
        let Some(first) = lines.first() else {
            if cell.check != ["ok"] {
                fault("nothing is found".to_owned());
            }
            continue;
        };
        if let Some(words) = cell.check.iter().find(|words| !first.contains(&***words)) {
            fault(format!("`{words}` is missing in: {first}"));
        }
        if cell.alone && lines.len() > 1 {
            fault(format!("something else is accused, too: {}", lines[1..].join("\n    ")));
        }
        if cell.has_line && !names_a_line(first, &cell) {
            fault(format!("its line is not named in: {first}"));
        }
    }
    assert!(faults.is_empty(), "{}\n\n{shown}", faults.join("\n"));
}

/// Would catch: a training that goes on without a word, or that hints at something that cannot help.
#[test]
fn a_training_says_it_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("names.txt"), "ada\nbob\ncleo\ndana\n".repeat(8)).unwrap();
    let mut faults = Vec::new();
    for cell in wrong_cells() {
        let Some(words) = &cell.train else { continue };
        let of_cell = fs::read_to_string(sources().join(&cell.file)).unwrap();
        let of_cell = of_cell.lines().nth(cell.lines.start() - 1).unwrap().to_owned();
        let heads = if of_cell.contains("heads = 3") { "heads = 3\n" } else { "" };
        let experiment = format!(
            "name = \"wrong\"\n[dataset]\ntype = \"lines\"\ncorpus = \"names.txt\"\n[cell]\ntype = \"{}\"\nhidden = 8\n{heads}\
             [optimizer]\ntype = \"adam\"\nlearning-rate = 0.01\n[train]\nsteps = 2\nbatch = 3\n",
            cell.name
        );
        fs::write(folder.path().join("experiment.toml"), experiment).unwrap();
        let (_, _, errors) = hatchery(folder.path(), &["train", "experiment.toml", "--quiet", "--plugin", library()]);
        if !errors.contains(&**words) {
            faults.push(format!("{}: `{words}` is missing in: {errors}", cell.name));
        }
        let is_error = errors.contains("error: ");
        if cell.has_line && is_error && !names_a_line(&errors, &cell) {
            faults.push(format!("{}: its line is not named in: {errors}", cell.name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Would catch: a print in `step` that takes the cell off the compiled path, or that stands where the folder of the run is
/// promised.
#[test]
fn a_print_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("names.txt"), "ada\nbob\ncleo\ndana\n".repeat(8)).unwrap();
    let experiment = "name = \"prints\"\n[dataset]\ntype = \"lines\"\ncorpus = \"names.txt\"\n[cell]\ntype = \"prints\"\n\
         hidden = 8\n[optimizer]\ntype = \"adam\"\nlearning-rate = 0.01\n[train]\nsteps = 2\nbatch = 3\n";
    fs::write(folder.path().join("experiment.toml"), experiment).unwrap();
    let arguments = ["train", "experiment.toml", "--quiet", "--plugin", library()];
    let (status, shown, errors) = hatchery(folder.path(), &arguments);
    assert_eq!((status, shown.trim()), (0, "runs/prints/001"), "{errors}");
    assert!(errors.contains("h = Tensor") && !errors.contains("not compiled"), "{errors}");
}
