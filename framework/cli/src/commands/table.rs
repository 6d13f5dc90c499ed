//! `hatchery runs table`: the experiment files of a folder, each with the results of a run of it as it stands.
//!
//! A run belongs to a file if all values that may change a result are the same in both: the name alone says little, since
//! `--set` keeps it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hatchery::{
    error::{Problem, Result},
    experiment::{
        Corpus, Experiment, HeldOut,
        compare::{DifferingKey, varying},
    },
    run::{
        directory::{self, RunDirectory, Summary},
        failure,
    },
    session::{Session, Source},
};

use super::{
    compare::{Row, cell, session},
    runs::loss,
};
use crate::arguments::Libraries;

/// A finished run that may belong to a file.
struct Candidate {
    run: RunDirectory,
    experiment: Experiment,
}

/// Prints a Markdown table of experiment files with the results of their newest finished runs.
pub(crate) fn table(experiments: &Path, root: &Path) -> Result<()> {
    let finished = if root.is_dir() { directory::list(root)? } else { Vec::new() };
    let finished: Vec<_> = finished.into_iter().rev().filter(|run| run.finished).collect();
    out!("| experiment | question | cell | parameters | updates | seconds | training | best validation |");
    out!("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |");
    for path in files(experiments)? {
        let session = Session::open(Source::Listed(&path), &super::options(&Libraries::default(), Vec::new()))?;
        let shown = path.strip_prefix(experiments).unwrap_or(&path).display().to_string();
        let head = format!("| [{shown}]({shown}) | {} | {} |", question(&path)?, cell(&session.experiment));
        let wanted = comparable(&session);
        let candidates = candidates(&finished, &wanted.name)?;
        let Some(found) = candidates.iter().find(|candidate| differing(&wanted, candidate).is_empty()) else {
            out!("{head} | | {} | | |", not_run(&wanted, candidates.first()));
            continue;
        };
        let row = Row::of(&found.run)?;
        out!(
            "{head} {} | {} | {:.1} | {} | {} |",
            row.parameters.map_or(String::new(), |parameters| parameters.to_string()),
            row.updates,
            row.seconds,
            loss(row.train),
            row.best.map_or(String::new(), |best| loss(Some(best.nats))),
        );
    }
    Ok(())
}

/// The runs of that name, the newest first. One that cannot be read belongs to no file, and is reported.
fn candidates(finished: &[Summary], name: &str) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    for run in finished.iter().filter(|run| run.name == name) {
        let run = RunDirectory::open(&run.path)?;
        match session(&run) {
            Ok(session) => found.push(Candidate { experiment: comparable(&session), run }),
            Err(error) => say!("{} is left out:\n{}", run.path().display(), error.render(false)),
        }
    }
    Ok(found)
}

/// The experiment with the paths of its texts from the root: a run records them as seen from where it was begun.
fn comparable(session: &Session) -> Experiment {
    let mut experiment = session.experiment.clone();
    let folder = fs::canonicalize(&session.folder).unwrap_or_else(|_| session.folder.clone());
    from_root(&mut experiment.dataset.corpus, &folder);
    for part in [&mut experiment.split.valid, &mut experiment.split.test] {
        if let HeldOut::Text(corpus) = part {
            from_root(corpus, &folder);
        }
    }
    experiment
}

fn from_root(corpus: &mut Corpus, folder: &Path) {
    match corpus {
        Corpus::Name(name) => {
            if let Ok(path) = fs::canonicalize(folder.join(&*name)) {
                *name = path.display().to_string();
            }
        }
        Corpus::Glob { glob, .. } => *glob = folder.join(&*glob).display().to_string(),
    }
}

fn differing(wanted: &Experiment, candidate: &Candidate) -> Vec<DifferingKey> {
    varying(&[wanted, &candidate.experiment])
}

/// That a file has no run as it stands, and in what the newest run of its name differs.
fn not_run(wanted: &Experiment, newest: Option<&Candidate>) -> String {
    let Some(newest) = newest else { return "not run".to_owned() };
    let differing = differing(wanted, newest);
    let values = differing.iter().map(|one| {
        let [here, there] = [0, 1].map(|index| one.shown(index).unwrap_or_else(|| "–".to_owned()));
        format!("{} {there}, not {here}", one.key)
    });
    format!("not run as it stands; {} has {}", newest.run, values.collect::<Vec<_>>().join("; "))
}

/// The experiment files below a folder, those of the folder itself first. What is recorded in the folder of a run is no
/// such file.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| failure("read", folder, error);
    if !folder.is_dir() {
        return Err(Problem::new(format!("there is no folder `{}`", folder.display())).into());
    }
    if RunDirectory::open(folder).is_ok_and(|run| run.environment().exists()) {
        return Ok(Vec::new());
    }
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>())
        .map_err(failed)?;
    paths.sort();
    // A link to a folder may lead back to this one.
    let (folders, others): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir() && !path.is_symlink());
    let is_experiment = |path: &PathBuf| {
        !path.is_dir() && path.extension().is_some_and(|extension| extension == "toml") && !is_sweep(path)
    };
    let mut found: Vec<_> = others.into_iter().filter(is_experiment).collect();
    for folder in folders {
        found.extend(files(&folder)?);
    }
    Ok(found)
}

/// Whether a file names an experiment that it varies. A file that cannot be read is reported as the experiment that it is
/// not.
fn is_sweep(path: &Path) -> bool {
    // A pipe would be waited for, and a sweep is a page.
    let is_page = fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() < 1 << 20);
    let text = if is_page { fs::read_to_string(path).ok() } else { None };
    let table = text.and_then(|text| text.parse::<toml::Table>().ok());
    table.is_some_and(|table| table.contains_key("vary") && table.contains_key("experiment"))
}

/// The question in a file's first comment, up to its question mark.
fn question(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).map_err(|error| failure("read", path, error))?;
    let comment: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("#:"))
        .map_while(|line| line.strip_prefix('#'))
        .map(str::trim)
        .collect();
    let comment = comment.join(" ");
    let question = comment.strip_prefix("Question:").unwrap_or_default().trim();
    let end = question.find('?').map_or(0, |mark| mark + 1);
    Ok(question[..end].replace('|', "\\|"))
}
