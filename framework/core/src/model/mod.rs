//! The model: embedding, stacked cells, head. It knows shapes and names; an executor holds the numbers.
//!
//! ```text
//! token → embedding (or one-hot) → cell → dropout → cell → … → head → logits
//! ```

pub(crate) mod head;

use hatchery_plugin::{Declaration, Initializer, Matrices, ParamSpec, host::HostCell};

use crate::{
    device::{bytes, of_machine},
    error::{Problem, Result},
    experiment::{CellPart, Embedding, Experiment, Head, Rng, checking::layers::tied_widths},
    plugins::Registry,
    random::{Stream, numpy::RandomState},
};

/// What is computed for one sequence, without the numbers.
pub struct Model {
    /// The number of symbols.
    pub vocabulary: usize,
    /// Width of a learned embedding; without one, inputs are one-hot.
    pub embedding: Option<usize>,
    /// The stacked cells, the first is fed by the embedding.
    pub layers: Vec<Layer>,
    /// What makes logits of the last layer's output.
    pub head: Head,
    initializer: Option<Initializer>,
}

/// One cell of the stack.
pub struct Layer {
    /// The equations.
    pub cell: Box<dyn HostCell>,
    /// What it declares for inputs of that width, all under its own names.
    pub declared: Declaration,
    /// Width of its input.
    pub inputs: usize,
    /// What its parameters' names begin with: `layers.0.`.
    pub prefix: String,
    /// Share of its outputs that training sets to zero.
    pub dropout: f64,
    /// The vectors of its state that are added to what training minimizes, each with its weight.
    pub penalties: Vec<(String, f64)>,
}

/// The name of the learned embedding, `[vocabulary, width]`.
pub const EMBEDDING: &str = "embedding";
/// What the names of the head's parameters begin with.
pub const HEAD_PREFIX: &str = "head.";
/// The name of the head's weights, `[vocabulary, outputs]`. A tied head has none.
pub const HEAD_WEIGHTS: &str = "head.wya";
/// The name of the head's bias, `[1, vocabulary]`.
pub const HEAD_BIAS: &str = "head.by";

impl Model {
    /// The model of an experiment over that many symbols.
    ///
    /// # Errors
    /// When the cell refuses its keys, or comes from a library that fails.
    pub fn new(experiment: &Experiment, registry: &Registry, vocabulary: usize) -> Result<Self> {
        let embedding = match experiment.model.embedding {
            Embedding::OneHot => None,
            Embedding::Learned(width) => Some(width),
        };
        let mut inputs = embedding.unwrap_or(vocabulary);
        let mut layers = Vec::new();
        let parts = experiment.layers();
        for (index, part) in parts.iter().enumerate() {
            let (cell, ..) = registry.wrapped(&part.part, &part.wrap)?;
            judge_width(&cell.widths(inputs)?, vocabulary)?;
            let dtype = experiment.backend.dtype.into();
            let declared = cell.declare(inputs).and_then(|declared| declared.check().map(|()| declared));
            let declared = declared.map_err(|error| error.within(format!("layer {index}, `{}`", part.part.name)))?;
            penalized(part, &declared)?;
            cell.prepare(inputs, experiment.train.batch, dtype)?;
            let outputs = declared.outputs;
            let drops = experiment.model.dropout_last || index + 1 < parts.len();
            let dropout = if drops { experiment.model.dropout } else { 0.0 };
            layers.push(Layer {
                cell,
                declared,
                inputs,
                prefix: format!("layers.{index}."),
                dropout: part.dropout.unwrap_or(dropout),
                penalties: part.penalties.iter().map(|(name, weight)| (name.clone(), *weight)).collect(),
            });
            inputs = outputs;
        }
        if let Some(problem) = tied_widths(experiment, inputs) {
            return Err(problem.into());
        }
        let experiment = &experiment.model;
        Ok(Self { vocabulary, embedding, layers, head: experiment.head, initializer: experiment.initializer.clone() })
    }

    /// Every parameter with its full name, in the order of initialization: embedding, layers, head.
    // ANCHOR: params
    pub fn params(&self) -> Vec<ParamSpec> {
        let mut params = Vec::new();
        if let Some(width) = self.embedding {
            // Logits of a tied head begin as small as those of one with weights of its own.
            let is_tied = self.head == Head::Tied;
            let initializer = if is_tied { Initializer::XavierUniform } else { Initializer::Normal { std: 1.0 } };
            params.push(ParamSpec::new(EMBEDDING, [self.vocabulary, width], initializer));
        }
        for layer in &self.layers {
            for spec in &layer.declared.params {
                let name = format!("{}{}", layer.prefix, spec.name).into();
                params.push(ParamSpec { name, ..spec.clone() });
            }
        }
        params.extend(head::params(self.head, self.vocabulary, self.outputs()));
        for spec in &mut params {
            if let Some(initializer) = self.initializer.as_ref().filter(|_| !spec.initializer.is_fixed()) {
                spec.initializer = initializer.clone();
            }
        }
        params
    }
    // ANCHOR_END: params

    /// The parameter count.
    pub fn size(&self) -> usize {
        self.params().iter().map(|spec| spec.shape[0] * spec.shape[1]).sum()
    }

    /// Width of what the head sees.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.declared.outputs)
    }

    // ANCHOR: initial-values
    /// Initial values of every parameter, in the order of [`Model::params`].
    ///
    /// Each is drawn from a stream of its own, so that adding a parameter changes no other; with `NumPy`'s generator
    /// they are drawn one after the other from one seed, as the notebooks do.
    pub fn initial_values(&self, seed: u64, rng: Rng) -> Vec<Vec<f64>> {
        let mut numpy = RandomState::new(seed as u32);
        self.params()
            .iter()
            .map(|spec| match rng {
                Rng::Numpy => fill(spec, &mut numpy),
                Rng::Hatchery => fill(spec, &mut Stream::new(seed, &format!("initialise {}", spec.name), 0)),
            })
            .collect()
    }
    // ANCHOR_END: initial-values
}

/// The matrices whose names begin with `prefix`, without it.
pub(crate) fn within(matrices: &Matrices, prefix: &str) -> Matrices {
    matrices.iter().filter_map(|(name, matrix)| Some((name.strip_prefix(prefix)?.to_owned(), matrix.clone()))).collect()
}

/// Makes sure that the vectors to which an experiment gives weights are penalties of the cell.
///
/// # Errors
/// When one is not.
fn penalized(part: &CellPart, declared: &Declaration) -> Result<()> {
    let is_known = |name: &&String| declared.penalties.iter().any(|known| known == *name);
    match part.penalties.keys().find(|name| !is_known(name)) {
        Some(name) => Err(Problem::new(format!("`{name}` is no penalty of the cell `{}`", part.part.name))
            .note(format!("its penalties: {}", declared.penalties.join(", ")))
            .into()),
        None => Ok(()),
    }
}

/// Makes sure that this machine could hold a model of so wide a cell. A cell may list initial values of its parameters:
/// to ask for those of one that is far too wide ends the program.
///
/// # Errors
/// When it could not.
fn judge_width(widths: &Declaration, vocabulary: usize) -> Result<()> {
    let memory = of_machine().map_or(ADDRESSABLE, |memory| memory as f64);
    let outputs = widths.outputs as f64;
    let states: f64 = widths.state.iter().map(|state| state.width as f64).sum();
    // A number of 64 bits for its initial value, and as much again for parameter and gradient.
    let least = 16.0 * (outputs * vocabulary as f64 + states);
    if least <= memory {
        return Ok(());
    }
    Err(Problem::new("the model does not fit the memory of this machine")
        .note(format!("outputs that are {outputs:.0} wide take at least {}; there are {}", bytes(least), bytes(memory)))
        .hint("make the widths in [cell] and [model] smaller")
        .into())
}

/// Bytes that no machine has more of: what a program can address.
const ADDRESSABLE: f64 = (1_u64 << 47) as f64;

/// The values of a parameter, gate by gate.
fn fill(spec: &ParamSpec, rng: &mut dyn hatchery_plugin::Rng) -> Vec<f64> {
    let [rows, columns] = spec.shape;
    (0..spec.gates).flat_map(|_| spec.initializer.fill([rows / spec.gates, columns], rng)).collect()
}
