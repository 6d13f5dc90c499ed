//! `hatchery runs note` and `hatchery runs delete`: what becomes of a run after its training.

use std::path::{Path, PathBuf};

use hatchery::{
    error::{Problem, Result},
    run::directory::RunDirectory,
};

use super::runs::folder;

/// Writes the note of a run, or removes it.
pub(crate) fn note(run: &Path, text: &str, root: &Path) -> Result<()> {
    let run = exactly(run, root)?;
    run.set_note(text.trim())?;
    out!("{}", run.path().display());
    Ok(())
}

/// Deletes runs, or prints which.
pub(crate) fn delete(deleted: &[PathBuf], yes: bool, root: &Path) -> Result<()> {
    let runs = deleted.iter().map(|run| exactly(run, root)).collect::<Result<Vec<_>>>()?;
    for run in runs {
        let path = run.path().to_owned();
        if !yes {
            out!("{}", path.display());
            continue;
        }
        let lock = run.lock()?;
        let kept = run.delete(lock)?;
        if kept.is_empty() {
            out!("{} is deleted", path.display());
        } else {
            let kept: Vec<_> = kept.iter().map(|file| file.display().to_string()).collect();
            out!("{} is deleted, but for what no run writes: {}", path.display(), kept.join(", "));
        }
    }
    if !yes {
        say!("nothing is deleted yet: --yes deletes these runs, with their checkpoints");
    }
    Ok(())
}

/// The run of an argument that names one run: not the newest of a name, which tomorrow is another.
fn exactly(argument: &Path, root: &Path) -> Result<RunDirectory> {
    let run = folder(Some(argument), root)?;
    let id = argument.file_name().and_then(|id| id.to_str()).unwrap_or_default();
    let same = id == run.id() || id.parse::<u64>().ok() == run.id().parse().ok();
    if same || argument == Path::new(".") {
        return Ok(run);
    }
    Err(Problem::new(format!("`{}` names no single run", argument.display()))
        .hint(format!("the newest of that name is `{run}`"))
        .into())
}
