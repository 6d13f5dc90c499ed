//! Which checkpoint of a run a command uses, and where the run's other one is.
//!
//! A run has two: the last, from which it is resumed, and the best, that with the lowest validation. They are different
//! models, so every result says which one it belongs to.

use std::path::{Path, PathBuf};

use hatchery::{
    error::{Problem, Result},
    run::{
        checkpoint::{self, Inspection},
        directory::{self, RunDirectory, RunRef},
    },
};

/// A checkpoint that was chosen.
pub(crate) struct Chosen {
    /// What a session opens.
    pub(crate) run: RunRef,
    which: Which,
}

/// How it was chosen.
enum Which {
    Last(RunDirectory),
    Best(RunDirectory),
    File(PathBuf),
}

impl Chosen {
    /// The checkpoint of a run, by default the last one of the newest run, or a checkpoint file.
    pub(crate) fn find(run: Option<&Path>, root: &Path, best: bool) -> Result<Self> {
        Ok(match directory::resolve(run, root)? {
            RunRef::Checkpoint(path) if best => {
                return Err(Problem::new(format!("`{}` is a checkpoint, of which there is no best", path.display()))
                    .hint("leave out --best, or name the run's folder")
                    .into());
            }
            RunRef::Checkpoint(path) => Self { run: RunRef::Checkpoint(path.clone()), which: Which::File(path) },
            RunRef::Run(run) if best => {
                let path = run.best();
                if !path.exists() {
                    return Err(no_best(&run).into());
                }
                Self { run: RunRef::Checkpoint(path), which: Which::Best(run) }
            }
            RunRef::Run(run) => Self { run: RunRef::Run(run.clone()), which: Which::Last(run) },
        })
    }

    /// `last`, `best` or the path of the file.
    pub(crate) fn name(&self) -> String {
        match &self.which {
            Which::Last(_) => "last".to_owned(),
            Which::Best(_) => "best".to_owned(),
            Which::File(path) => path.display().to_string(),
        }
    }

    /// Which checkpoint it is, and where the run's other one is: `last; the best is after 751 updates: --best`.
    pub(crate) fn described(&self, updates: u64) -> String {
        match (&self.which, self.other()) {
            (Which::Last(_) | Which::Best(_), Some(other)) if other == updates => "last and best".to_owned(),
            (Which::Last(_), Some(other)) => format!("last; the best is after {other} updates: --best"),
            (Which::Best(_), Some(other)) => format!("best; the last is after {other} updates: --last"),
            _ => self.name(),
        }
    }

    /// What is to be said beside a result without a place for it: the other checkpoint, if it is another model.
    pub(crate) fn remark(&self, updates: u64) -> Option<String> {
        let differs = self.other().is_some_and(|other| other != updates);
        differs.then(|| format!("checkpoint after {updates} updates: {}", self.described(updates)))
    }

    /// The updates of the run's other checkpoint, if there is one that is whole.
    pub(crate) fn other(&self) -> Option<u64> {
        let path = match &self.which {
            Which::Last(run) => run.best(),
            Which::Best(run) => run.checkpoint(),
            Which::File(_) => return None,
        };
        match checkpoint::examine(&path) {
            Ok(Inspection::Good(checkpoint)) => Some(checkpoint.meta.progress.updates),
            _ => None,
        }
    }
}

fn no_best(run: &RunDirectory) -> Problem {
    Problem::new(format!("the run `{}` has no best checkpoint", run.path().display()))
        .note("nothing is held out for validation, or no report has been reached yet")
        .hint("leave out --best for the last one; --set split.valid=0.1 in a new training holds a tenth out")
}
