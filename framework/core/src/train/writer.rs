//! Checkpoints are written by a thread of their own while training continues: waiting for the disk takes far longer than everything
//! else about them. At most one is under way, so that they stand on the disk in their order.

use std::thread::{self, JoinHandle};

use crate::error::{Error, Problem, Result};

/// The checkpoint under way, if there is one. Dropping it waits for the end of the writing.
#[derive(Default)]
pub(super) struct Writer {
    pending: Option<JoinHandle<Result<Vec<Problem>>>>,
    warnings: Vec<Problem>,
}

impl Writer {
    /// Starts to write, after what is under way is done.
    ///
    /// # Errors
    /// When what was under way failed, or no thread can be had.
    pub(super) fn start(&mut self, write: impl FnOnce() -> Result<Vec<Problem>> + Send + 'static) -> Result<()> {
        self.wait()?;
        let thread = thread::Builder::new().name("checkpoint".to_owned()).spawn(write);
        self.pending = Some(thread.map_err(|error| Error::internal("cannot write a checkpoint", error))?);
        Ok(())
    }

    /// Waits until nothing is under way.
    ///
    /// # Errors
    /// When what was under way failed.
    pub(super) fn wait(&mut self) -> Result<()> {
        let message = || "the writing of a checkpoint ended in a panic".to_owned();
        let Some(thread) = self.pending.take() else { return Ok(()) };
        let written = thread.join().unwrap_or_else(|_| Err(Error::Internal { message: message(), cause: None }));
        self.warnings.extend(written?);
        Ok(())
    }

    /// The warnings of what is written, each once.
    pub(super) fn warnings(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.warnings)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Whoever wanted to know how it went has waited.
        let _ = self.wait();
    }
}
