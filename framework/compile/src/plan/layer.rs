//! A compiled cell: the schedules of its phases, and where its states, tables and gradients lie.

use crate::{
    id::{BufferId, ParamId},
    plan::{
        assign_buffers::CellBuffers,
        emit::Emitted,
        noise::NoiseMemory,
        parameters::Location,
        reductions::Reduction,
        schedule::{Schedule, View},
    },
};

/// One graph's schedules, and the sums over the batch that its gradients are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phase {
    pub(crate) forward: Schedule,
    pub(crate) backward: Schedule,
    pub(crate) reductions: Vec<Reduction>,
}

/// A product with a one-hot input is a gather: `table = weightᵀ + bias` has a row for each token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OneHotTable {
    pub(crate) weight: Location,
    pub(crate) bias: Option<Location>,
    /// Where their gradients go, and whether they are added to what is there.
    pub(crate) weight_gradient: (Location, bool),
    pub(crate) bias_gradient: Option<(Location, bool)>,
    pub(crate) table: View,
    pub(crate) table_gradient: View,
}

/// A gather of rows of a table: each sequence's token selects one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gather {
    pub(crate) table: View,
    /// Where the selected rows of a time step go; nowhere if products begin with the table's own.
    pub(crate) to: Option<View>,
    pub(crate) gradient: Option<GatherGradient>,
    pub(crate) width: usize,
}

/// The gradient of a gather: a scatter-add.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GatherGradient {
    /// The gradient of the selected rows.
    pub(crate) from: View,
    /// The gradient of the table.
    pub(crate) to: View,
    /// The offset of a shard's own sum among its block accumulators, if it has one.
    pub(crate) accumulator: Option<usize>,
}

/// A state vector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateBuffers {
    pub(crate) value: BufferId,
    /// The gradient that is passed from a time step to the one before.
    pub(crate) gradient: BufferId,
    pub(crate) width: usize,
    pub(crate) start: InitialState,
    /// What is minimized has the sum of its elements times this.
    pub(crate) penalty: f64,
}

/// The value of a state vector before the first time step.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InitialState {
    /// The same for every element.
    Constant(f64),
    /// A row that is learned. Each shard sums its gradient in an accumulator of time steps.
    Param { param: ParamId, at: Location, accumulator: usize },
}

/// A compiled cell.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// The prefix of the names of its parameters and states.
    pub(crate) prefix: String,
    pub(crate) state_names: Vec<String>,
    /// Before the time loop: over the rows of all time steps, or over all tokens.
    pub(crate) hoisted: Phase,
    /// One time step.
    pub(crate) step: Phase,
    pub(crate) tables: Vec<OneHotTable>,
    pub(crate) gathers: Vec<Gather>,
    pub(crate) states: Vec<StateBuffers>,
    pub(crate) noise: Vec<NoiseMemory>,
    pub(crate) output: View,
    pub(crate) output_width: usize,
    pub(crate) output_gradient: BufferId,
    /// Whether each shard sums gradients time block by time block, while their operands are in the cache.
    pub(crate) accumulates_by_block: bool,
}

impl Layer {
    pub(crate) fn new(prefix: &str, state_names: Vec<String>, buffers: CellBuffers, emitted: Emitted) -> Self {
        let CellBuffers { states, noise, output, output_width, output_gradient, accumulates_by_block, .. } = buffers;
        let Emitted { hoisted, step, tables, gathers } = emitted;
        Self {
            prefix: prefix.to_owned(),
            state_names,
            hoisted,
            step,
            tables,
            gathers,
            states,
            noise,
            output,
            output_width,
            output_gradient,
            accumulates_by_block,
        }
    }

    /// All schedules, in the order in which an update runs them.
    pub(crate) fn schedules(&self) -> [&Schedule; 4] {
        [&self.hoisted.forward, &self.step.forward, &self.step.backward, &self.hoisted.backward]
    }

    /// All sums over the batch.
    pub(crate) fn reductions(&self) -> impl Iterator<Item = &Reduction> {
        self.step.reductions.iter().chain(&self.hoisted.reductions)
    }
}

/// The input of a layer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input {
    /// Tokens, one-hot: the buffer of the identity, in case the cell uses its input for more than a product.
    OneHot(View),
    /// Tokens, through an embedding.
    Embedding { table: View, gradient: View },
    /// The output of the layer below.
    Below { view: View, gradient: View },
}

impl Input {
    pub(crate) fn view(self) -> View {
        match self {
            Self::OneHot(view) | Self::Embedding { table: view, .. } | Self::Below { view, .. } => view,
        }
    }

    pub(crate) fn gradient(self) -> Option<View> {
        match self {
            Self::OneHot(_) => None,
            Self::Embedding { gradient, .. } | Self::Below { gradient, .. } => Some(gradient),
        }
    }

    pub(crate) fn is_tokens(self) -> bool {
        !matches!(self, Self::Below { .. })
    }
}
