//! The traits through which the framework calls cells, clippers and samplers: those of plugin authors, every function
//! fallible.
//!
//! A plugin that is linked in cannot fail where its trait returns no `Result`. One from a library can at every call: it may
//! panic on its side of the boundary, or answer something that cannot be read. Linked-in plugins have these traits by the
//! implementations at the end of this file; the framework implements them for the plugins of its loaded libraries.
//! Datasets need no such trait: theirs is fallible.

use burn::{Tensor, tensor::DType};
use serde_json::Value;

pub use crate::wrapped::WrappedCell;
use crate::{
    Cell, CellInfo, Clipper, Declaration, Gradients, Inner, Name, Params, PluginError, Sampler, State, Token, Wrapper,
    capture::with_derived,
};

/// What a later run needs of libraries, by the plugin's name.
pub type Recordings = Vec<(Name, Option<Value>)>;

/// A [`Cell`] that may come from a library.
pub trait HostCell: Send + Sync {
    /// All that the cell declares for inputs of that width.
    ///
    /// # Errors
    /// When what it declares cannot be, or the library fails.
    fn declare(&self, inputs: usize) -> Result<Declaration, PluginError>;

    /// The widths alone, without parameters: their first values may take more memory than there is.
    ///
    /// # Errors
    /// When the library fails.
    fn widths(&self, inputs: usize) -> Result<Declaration, PluginError>;

    /// [`Cell::derive`], for inputs of that width.
    ///
    /// # Errors
    /// When the library fails.
    fn derive(&self, inputs: usize, params: Params) -> Result<Params, PluginError>;

    /// [`Cell::step`].
    ///
    /// # Errors
    /// When the library fails.
    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> Result<(Tensor<2>, State), PluginError>;

    /// Prepares steps of that input width, number of rows and element type, before training begins.
    ///
    /// # Errors
    /// When the cell cannot be run there.
    fn prepare(&self, inputs: usize, batch: usize, dtype: DType) -> Result<(), PluginError> {
        let _ = (inputs, batch, dtype);
        Ok(())
    }

    /// What a later run needs of the library of the cell and of each wrapper, by the plugin's name: nothing of one that is
    /// linked in, and none where that cannot be kept.
    ///
    /// # Errors
    /// When the library fails.
    fn recordings(&self, inputs: usize) -> Result<Recordings, PluginError> {
        let _ = inputs;
        Ok(Vec::new())
    }
}

/// A [`Wrapper`] that may come from a library.
pub trait HostWrapper: Send + Sync {
    /// [`Wrapper::cell_inputs`].
    ///
    /// # Errors
    /// When the library fails.
    fn cell_inputs(&self, inputs: usize) -> Result<usize, PluginError>;

    /// [`Wrapper::declare`].
    ///
    /// # Errors
    /// When it does not fit the cell, or the library fails.
    fn declare(&self, inputs: usize, cell: &CellInfo) -> Result<Declaration, PluginError>;

    /// [`Wrapper::derive`], around a cell of which that is known.
    ///
    /// # Errors
    /// When the library fails.
    fn derive(
        &self,
        inputs: usize,
        info: &CellInfo,
        params: Params,
        cell: Params,
    ) -> Result<(Params, Params), PluginError>;

    /// [`Wrapper::step`].
    ///
    /// # Errors
    /// When the library fails.
    fn step(
        &self,
        cell: &mut Inner<'_>,
        params: &Params,
        x: Tensor<2>,
        state: State,
    ) -> Result<(Tensor<2>, State), PluginError>;

    /// Prepares steps around that cell, of that input width, number of rows and element type, before training begins.
    ///
    /// # Errors
    /// When the wrapper cannot be run there.
    fn prepare(&self, inputs: usize, cell: &CellInfo, batch: usize, dtype: DType) -> Result<(), PluginError> {
        let _ = (inputs, cell, batch, dtype);
        Ok(())
    }

    /// [`HostCell::recordings`], of the wrapper alone.
    ///
    /// # Errors
    /// When the library fails.
    fn recordings(&self, inputs: usize, cell: &CellInfo) -> Result<Recordings, PluginError> {
        let _ = (inputs, cell);
        Ok(Vec::new())
    }

    /// [`Wrapper::keeps_identity`].
    fn keeps_identity(&self) -> bool {
        false
    }
}

/// A [`Clipper`] that may come from a library.
pub trait HostClipper: Send + Sync {
    /// [`Clipper::clip`].
    ///
    /// # Errors
    /// When the library fails.
    fn clip(&self, gradients: Gradients) -> Result<Gradients, PluginError>;

    /// Prepares gradients of these names and shapes and of that element type, before training begins.
    ///
    /// # Errors
    /// When the clipper cannot be run there.
    fn prepare(&self, shapes: &[(Name, [usize; 2])], dtype: DType) -> Result<(), PluginError> {
        let _ = (shapes, dtype);
        Ok(())
    }

    /// What a later run needs of the clipper's library: [`HostCell::recordings`].
    ///
    /// # Errors
    /// When the library fails.
    fn recordings(&self, shapes: &[(Name, [usize; 2])]) -> Result<Recordings, PluginError> {
        let _ = shapes;
        Ok(Vec::new())
    }
}

/// A [`Sampler`] that may come from a library.
pub trait HostSampler: Send + Sync {
    /// [`Sampler::process`].
    ///
    /// # Errors
    /// When the library fails.
    fn process(&self, logits: &mut [f64], history: &[Token]) -> Result<(), PluginError>;
}

impl<C: Cell> HostCell for C {
    fn declare(&self, inputs: usize) -> Result<Declaration, PluginError> {
        let widths = self.widths(inputs)?;
        let declared = Declaration {
            params: self.params(inputs),
            noise: self.noise(inputs),
            penalties: self.penalties(inputs),
            ..widths
        };
        with_derived(self, inputs, declared)
    }

    fn widths(&self, inputs: usize) -> Result<Declaration, PluginError> {
        Ok(Declaration { outputs: self.outputs(inputs), state: self.state(inputs), ..Declaration::default() })
    }

    fn derive(&self, _inputs: usize, params: Params) -> Result<Params, PluginError> {
        Ok(Cell::derive(self, params))
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> Result<(Tensor<2>, State), PluginError> {
        Ok(Cell::step(self, params, x, state))
    }
}

impl<W: Wrapper> HostWrapper for W {
    fn cell_inputs(&self, inputs: usize) -> Result<usize, PluginError> {
        Ok(Wrapper::cell_inputs(self, inputs))
    }

    fn declare(&self, inputs: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
        Wrapper::declare(self, inputs, cell)
    }

    fn derive(&self, _: usize, _: &CellInfo, params: Params, cell: Params) -> Result<(Params, Params), PluginError> {
        Ok(Wrapper::derive(self, params, cell))
    }

    fn step(
        &self,
        cell: &mut Inner<'_>,
        params: &Params,
        x: Tensor<2>,
        state: State,
    ) -> Result<(Tensor<2>, State), PluginError> {
        Ok(Wrapper::step(self, cell, params, x, state))
    }

    fn keeps_identity(&self) -> bool {
        Wrapper::keeps_identity(self)
    }
}

impl<C: Clipper> HostClipper for C {
    fn clip(&self, gradients: Gradients) -> Result<Gradients, PluginError> {
        Ok(Clipper::clip(self, gradients))
    }
}

impl<S: Sampler> HostSampler for S {
    fn process(&self, logits: &mut [f64], history: &[Token]) -> Result<(), PluginError> {
        Sampler::process(self, logits, history);
        Ok(())
    }
}
