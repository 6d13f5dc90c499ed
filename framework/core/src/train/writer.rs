//! Checkpoints are brought to the disk while training goes on: waiting for the disk takes far longer than everything
//! else about them. At most one is under way, so that they stand on the disk in their order.

use std::thread::{self, JoinHandle};

use crate::error::{Error, Result};

/// The checkpoint under way, if there is one. Dropping it waits for the end of the writing.
#[derive(Default)]
pub(super) struct Writer {
    pending: Option<JoinHandle<Result<()>>>,
}

impl Writer {
    /// Starts to write, after what is under way is done.
    ///
    /// # Errors
    /// When what was under way failed, or no thread can be had.
    pub(super) fn start(&mut self, write: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
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
        self.pending.take().map_or(Ok(()), |thread| {
            thread.join().unwrap_or_else(|_| Err(Error::Internal { message: message(), cause: None }))
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Whoever wanted to know how it went has waited.
        let _ = self.wait();
    }
}
