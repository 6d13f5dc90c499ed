//! A cell between two passes: one graph for a time step, and one that runs before the time loop.

use std::fmt::{Display, Formatter};

use super::{
    graph::{Graph, Role},
    op::{Leaf, Op},
    verify::verify,
};

/// The graphs of a cell. `hoisted` is empty until the pass `hoist`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Module {
    /// Values that do not depend on the state, computed for all time steps at once: outputs [`Role::Hoisted`].
    pub(crate) hoisted: Graph,
    /// One time step, which reads hoisted values as [`Leaf::Hoisted`].
    pub(crate) step: Graph,
}

impl Module {
    /// Checks both graphs, and that every hoisted value that the time step reads is computed before the loop.
    ///
    /// # Errors
    /// A description of the first fault.
    pub(crate) fn verify(&self) -> Result<(), String> {
        verify(&self.hoisted).map_err(|fault| format!("hoisted: {fault}"))?;
        verify(&self.step).map_err(|fault| format!("step: {fault}"))?;
        for id in self.step.ids() {
            let Op::Leaf(Leaf::Hoisted(index)) = self.step[id].op else { continue };
            let given = self.hoisted.output(Role::Hoisted(index)).map(|id| self.hoisted.shape(id));
            if given != Some(self.step.shape(id)) {
                return Err(format!("step: {id} reads hoisted {index}, which is not computed before the loop"));
            }
        }
        Ok(())
    }
}

impl Display for Module {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        if self.hoisted.len() > 0 {
            write!(f, "before the time loop:\n{}", self.hoisted)?;
        }
        write!(f, "time step:\n{}", self.step)
    }
}
