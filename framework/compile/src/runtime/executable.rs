//! A compiled model with its numbers: trains, evaluates, generates.
//!
//! A training step: weights are packed; the rows of the batch are cut into chunks, and each chunk runs the whole
//! sequence forward and backward by itself, in blocks of some time steps, after each of which it adds to its own sums what
//! they contribute to gradients; then these are summed over all chunks, clipped, and parameters updated.
//! How the rows are cut depends on the model and the batch alone, so the result does not depend on the number of threads.

use std::sync::Arc;

use hatchery_plugin::burn::tensor::DType;

use super::{
    buffers::Aligned,
    clock::Clock,
    optimizer::State as OptimizerState,
    parameter_program,
    prepare::BLOCK,
    shard::{Chunk, Purpose, Space, span},
};
use crate::{
    error::{Refusal, Result},
    kernels::{Float, InstructionSet, Kernels, Slots},
    model::{Description, Matrix, Needs, Options, Products, Sequences, Totals},
    plan::{
        cost::operations,
        listing,
        model::ExecutionPlan,
        parameters::Location,
        schedule::{Buffer, BufferKind},
    },
};

/// A compiled model.
pub struct Executable<T: Float> {
    pub(super) program: ExecutionPlan,
    pub(super) kernels: &'static Kernels<T>,
    pub(super) pool: Option<Arc<rayon::ThreadPool>>,
    /// Parameters, gradients, packed weights: what does not depend on the batch.
    pub(super) memory: Aligned<T>,
    /// What depends on the batch, and where each buffer begins in it.
    pub(super) work: Aligned<T>,
    pub(super) bases: Vec<usize>,
    /// What each chunk sums up for itself, and behind it what is summed up over tokens.
    pub(super) sums: Aligned<T>,
    /// The steps and rows that the memory suffices for.
    pub(super) room: (usize, usize),
    pub(super) spaces: Vec<Space<T>>,
    /// Whether packed weights and tables are those of the parameters.
    pub(super) is_packed: bool,
    pub(super) optimizer: OptimizerState<T>,
    pub(super) losses: Vec<f64>,
    pub(super) operations: u64,
    pub(super) threads: usize,
    pub(super) clock: Clock,
    pub(super) trained: bool,
    pub(super) carried: Option<Vec<Vec<T>>>,
    pub(super) evaluated: Option<Vec<Vec<T>>>,
    pub(super) generated: Vec<Vec<T>>,
    pub(super) generated_rows: usize,
}

impl<T: Float> Executable<T> {
    /// Compiles a model. Its parameters are zeros until they are set.
    ///
    /// # Errors
    /// When a cell or a clipper cannot be recorded or uses an operation that is not known here.
    pub fn new(description: &Description<'_>, options: Options) -> Result<Self> {
        let available = InstructionSet::available();
        let instructions = options.instructions.unwrap_or(available[0]);
        if !available.contains(&instructions) {
            return Err(Refusal::new(format!("this processor has no {instructions:?}")));
        }
        let kernels = T::kernels(instructions);
        let dtype = if size_of::<T>() == 4 { DType::F32 } else { DType::F64 };
        let program = ExecutionPlan::new(description, dtype, kernels.panel, &mut |_, _| {})?;
        let threads = options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
        let pool = (threads > 1)
            .then(|| rayon::ThreadPoolBuilder::new().num_threads(threads).build())
            .transpose()
            .map_err(|error| Refusal::new(format!("threads cannot be started: {error}")))?;
        let mut memory = Aligned::<T>::new(program.memory.size);
        for (offset, values) in &program.memory.initial {
            for (to, from) in memory[*offset..].iter_mut().zip(values) {
                *to = T::from_f64(*from);
            }
        }
        let sizes: Vec<usize> = program.params.iter().map(|(_, at)| at.rows * at.columns).collect();
        Ok(Self {
            optimizer: OptimizerState::new(description.optimizer, &sizes),
            bases: Vec::new(),
            work: Aligned::new(0),
            sums: Aligned::new(0),
            room: (0, 0),
            spaces: Vec::new(),
            is_packed: false,
            losses: Vec::new(),
            operations: 0,
            threads: 1,
            clock: Clock::default(),
            trained: false,
            carried: None,
            evaluated: None,
            generated: Vec::new(),
            generated_rows: 0,
            program,
            kernels,
            pool: pool.map(Arc::new),
            memory,
        })
    }

    /// One update: forward, loss, backward, clip, optimiser. Dropout masks are drawn from `uniform`, layer by layer in
    /// the order `[step, row, unit]`.
    ///
    /// # Panics
    /// When the lists of the batch are not as long as it has entries, or hold what is no symbol.
    pub fn train(&mut self, batch: &Sequences<'_>, uniform: &mut dyn FnMut() -> f64, rate: f64) {
        let chunks = self.prepare(batch);
        self.draw_masks(&chunks, uniform);
        match self.pool.clone() {
            // From here on within the pool: going in and out of it again would wait for threads to wake up.
            Some(pool) if chunks.len() > 1 => pool.install(|| self.update_by(batch, &chunks, rate)),
            _ => self.update_by(batch, &chunks, rate),
        }
    }

    fn update_by(&mut self, batch: &Sequences<'_>, chunks: &[Chunk], rate: f64) {
        let before = self.carried.take();
        self.begin_with(before.as_deref(), batch, chunks);
        let loss = self.run_chunks(chunks, batch, Purpose::Train);
        self.carried = Some(self.end_of(chunks, before));
        self.losses.push(loss.nats);
        let span = span(batch);
        self.sum_gradients(chunks, batch.inputs, span);
        let is_large = self.is_large(batch.rows, batch.steps);
        self.threads = self.pool.as_ref().filter(|_| is_large).map_or(1, |pool| pool.current_num_threads());
        self.operations += operations(&self.program, batch.rows, batch.steps, span.1 - span.0);
        let memory = self.memory.as_mut_ptr();
        // SAFETY: the steps were planned for this memory.
        unsafe {
            parameter_program::run(&self.program.epilogue, memory, self.kernels);
            parameter_program::run(&self.program.clip, memory, self.kernels);
        }
        self.update(rate);
        self.is_packed = false;
        self.trained = true;
    }

    /// The cross-entropy, summed over the counted predictions, in nats, of every update since the last call.
    pub fn losses(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.losses)
    }

    /// What the products of all updates so far were.
    pub fn products(&self) -> Products {
        Products { operations: self.operations, seconds: self.clock.seconds(), threads: self.threads }
    }

    /// Whether every product is timed from now on. That costs two readings of the clock for each.
    pub fn time_products(&mut self, on: bool) {
        self.clock.on = on;
    }

    /// The global norm of the gradients of the last update, before and after the clippers.
    pub fn gradient_norms(&self) -> (f64, f64) {
        if !self.trained {
            return (f64::NAN, f64::NAN);
        }
        let norm = |places: &[Location]| {
            let squares = places.iter().flat_map(|at| self.read(*at)).map(|value| value.to_f64() * value.to_f64());
            squares.sum::<f64>().sqrt()
        };
        (norm(&self.program.gradients), norm(&self.program.clipped))
    }

    /// Runs over sequences without training.
    ///
    /// # Panics
    /// As [`Executable::train`].
    pub fn evaluate(&mut self, batch: &Sequences<'_>) -> Totals {
        let before = self.evaluated.take();
        let chunks = self.prepare(batch);
        self.begin_with(before.as_deref(), batch, &chunks);
        let loss = self.run_chunks(&chunks, batch, Purpose::Evaluate);
        self.evaluated = Some(self.end_of(&chunks, before));
        Totals { nats: loss.nats, correct: loss.correct, characters: loss.characters }
    }

    /// Begins to generate that many sequences at once, each from the starting state.
    pub fn begin(&mut self, rows: usize) {
        self.generated_rows = rows;
        let carried = self.program.layers.iter().flat_map(|layer| &layer.states);
        self.generated = carried.map(|state| vec![T::from_f64(state.start); rows * state.width]).collect();
    }

    /// Feeds every sequence one token and returns the logits of the next: `[rows, vocabulary]`, row by row.
    ///
    /// # Panics
    /// When a token is no symbol, or there are more or fewer than sequences.
    pub fn advance(&mut self, tokens: &[u32]) -> Vec<f64> {
        assert!(tokens.len() == self.generated_rows, "{} tokens for {} sequences", tokens.len(), self.generated_rows);
        let targets = vec![0; tokens.len()];
        let counted = vec![true; tokens.len()];
        let batch = Sequences {
            rows: tokens.len(),
            steps: 1,
            inputs: tokens,
            targets: &targets,
            counted: &counted,
            continues: true,
            divisor: 1.0,
        };
        let chunks = self.prepare(&batch);
        let mut state = std::mem::take(&mut self.generated);
        self.begin_with(Some(&state), &batch, &chunks);
        self.run_chunks(&chunks, &batch, Purpose::Generate);
        self.end_into(&chunks, &mut state);
        self.generated = state;
        let vocabulary = self.program.vocabulary;
        let start = self.bases[self.program.head.logits.index()];
        self.work[start..start + tokens.len() * vocabulary].iter().map(|value| value.to_f64()).collect()
    }

    /// All parameters, in the order of their declaration.
    pub fn parameters(&self) -> Vec<Matrix<T>> {
        let matrix = |(name, at): &(String, Location)| Matrix {
            name: name.clone(),
            shape: [at.rows, at.columns],
            values: self.read(*at),
        };
        self.program.params.iter().map(matrix).collect()
    }

    /// Gives a parameter its numbers. Whether there is one of that name and shape.
    pub fn set_parameter(&mut self, name: &str, shape: [usize; 2], values: &[T]) -> bool {
        let Some(at) = self.program.params.iter().find(|(known, _)| known == name).map(|(_, at)| *at) else {
            return false;
        };
        if shape != [at.rows, at.columns] || values.len() != at.rows * at.columns {
            return false;
        }
        self.memory[at.offset..at.offset + values.len()].copy_from_slice(values);
        self.is_packed = false;
        true
    }

    /// The gradients of the last update, before and after the clippers, for tests.
    pub fn gradients(&self) -> (Vec<Vec<T>>, Vec<Vec<T>>) {
        let read = |places: &[Location]| places.iter().map(|at| self.read(*at)).collect();
        (read(&self.program.gradients), read(&self.program.clipped))
    }

    /// The state of the optimiser, named as Burn names it: `<parameter>.momentum.moment_1`.
    pub fn optimizer_state(&self) -> Vec<Matrix<f64>> {
        let params: Vec<_> =
            self.program.params.iter().map(|(name, at)| (name.as_str(), [at.rows, at.columns])).collect();
        self.optimizer.save(&params)
    }

    /// Lets the optimiser forget everything, as before the first update.
    pub fn forget(&mut self) {
        self.optimizer.forget();
    }

    /// Takes a matrix of the optimiser's state up again. Whether it is one.
    pub fn set_optimizer_state(&mut self, name: &str, values: &[f64]) -> bool {
        let names: Vec<_> = self.program.params.iter().map(|(name, _)| name.as_str()).collect();
        self.optimizer.load(&names, name, values)
    }

    /// The carried vectors in which the last training batch ended: each `[rows, width]`; none before the first.
    pub fn carried(&self) -> Vec<Matrix<T>> {
        let names = self.program.layers.iter().flat_map(|layer| {
            let states = layer.states.iter().zip(&layer.state_names);
            states.map(|(state, name)| (format!("{}{name}", layer.prefix), state.width))
        });
        let matrix = |((name, width), values): ((String, usize), &Vec<T>)| Matrix {
            name,
            shape: [values.len() / width.max(1), width],
            values: values.clone(),
        };
        self.carried.iter().flat_map(|carried| names.clone().zip(carried).map(matrix)).collect()
    }

    /// Takes carried vectors up again; without all of them the next batch starts anew.
    pub fn set_carried(&mut self, saved: &[Matrix<T>]) {
        let names = self
            .program
            .layers
            .iter()
            .flat_map(|layer| layer.state_names.iter().map(|name| format!("{}{name}", layer.prefix)));
        let found =
            names.map(|name| saved.iter().find(|matrix| matrix.name == name).map(|matrix| matrix.values.clone()));
        self.carried = found.collect::<Option<Vec<_>>>().filter(|carried| !carried.is_empty());
    }

    /// The program and the memory that it takes, for people to read.
    pub fn listing(&self) -> String {
        let size = size_of::<T>();
        listing::listing(&self.program, self.needs(), size)
    }

    /// The memory that the program takes, in numbers.
    pub fn needs(&self) -> Needs {
        let mut needs =
            Needs { fixed: self.memory.len(), shard: self.program.accumulators.len(), row: 0, row_and_step: 0 };
        for Buffer { width, kind } in &self.program.buffers {
            match kind {
                BufferKind::Tape => needs.row_and_step += width,
                BufferKind::State => (needs.row_and_step, needs.row) = (needs.row_and_step + width, needs.row + width),
                BufferKind::Block => (needs.shard, needs.row) = (needs.shard + BLOCK * width, needs.row + width),
                BufferKind::Step => needs.row += width,
                BufferKind::Carry => needs.row += 2 * width,
                BufferKind::Table => needs.fixed += (self.program.vocabulary + 1) * width,
            }
        }
        needs
    }

    /// The memory in use, in bytes.
    pub fn bytes(&self) -> usize {
        let spaces = self.spaces.iter().map(|space| space.scratch.len()).sum::<usize>();
        (self.memory.len() + self.work.len() + self.sums.len() + spaces) * size_of::<T>()
    }

    fn read(&self, at: Location) -> Vec<T> {
        self.memory[at.offset..at.offset + at.rows * at.columns].to_vec()
    }

    fn update(&mut self, rate: f64) {
        let memory = self.memory();
        let (program, kernels) = (&self.program, self.kernels);
        let rule = self.optimizer.rule(rate);
        for (index, (_, at)) in program.params.iter().enumerate() {
            let count = at.rows * at.columns;
            let state = self.optimizer.slots(index);
            // SAFETY: parameter, gradient and state are of the same size.
            unsafe {
                let parameter = memory.fixed.add(at.offset);
                let gradient = memory.fixed.add(program.clipped[index].offset).cast_const();
                (kernels.update)(&rule, &Slots { count, parameter, gradient, state });
            }
        }
    }
}
