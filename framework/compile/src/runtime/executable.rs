//! A compiled model with its values: trains, evaluates, generates.
//!
//! An update: weights are packed; the rows of the batch are cut into shards, and each shard runs the whole sequence forward
//! and backward by itself, in time blocks, after each of which it accumulates its contributions to gradients; then these
//! are summed over all shards, clipped, and parameters updated. How the rows are cut depends on the model and the batch
//! alone, so the result does not depend on the number of threads.

use std::sync::Arc;

use hatchery_plugin::burn::tensor::DType;
use rayon::prelude::*;

use super::{
    Executable,
    buffers::{BLOCK, Buffers},
    clock::Clock,
    optimizer::State as OptimizerState,
    parameter_program,
    sequence::{Mode, Pass},
    shard::{Shard, ShardRunner, Steps, Workspace, is_large},
};
use crate::{
    error::{Result, Unsupported},
    kernels::{Float, InstructionSet, Kernels, Slots},
    model::{BatchView, Description, NamedMatrix, Needs, Options, Products, Streams, Totals},
    plan::{
        cost::operations,
        layer::StateBuffers,
        listing,
        model::ExecutionPlan,
        parameters::Location,
        schedule::{Buffer, BufferKind},
    },
};

/// A compiled model.
pub(super) struct CompiledModel<T: Float> {
    pub(super) plan: ExecutionPlan,
    pub(super) kernels: &'static Kernels<T>,
    pub(super) buffers: Buffers<T>,
    /// The workers, if there is more than one.
    pub(super) pool: Option<Arc<rayon::ThreadPool>>,
    /// One for each shard, and one more.
    pub(super) workspaces: Vec<Workspace<T>>,
    pub(super) clock: Clock,
    optimizer: OptimizerState<T>,
    /// Of every update that was not asked for yet.
    losses: Vec<f64>,
    operations: u64,
    /// Of the last update.
    threads: usize,
    is_trained: bool,
    /// Whether the noise of the last update is in parameter memory, and not its expectation.
    pub(super) has_drawn_noise: bool,
    /// The states in which the last batches of training and of evaluation ended, and that of generation.
    trained: Option<Vec<Vec<T>>>,
    evaluated: Option<Vec<Vec<T>>>,
    generated: Vec<Vec<T>>,
    generated_rows: usize,
}

impl<T: Float> CompiledModel<T> {
    /// Compiles a model. Its parameters are zeros until they are set.
    pub(super) fn new(description: &Description<'_>, options: Options) -> Result<Self> {
        let available = InstructionSet::available();
        let instructions = options.instructions.unwrap_or(available[0]);
        if !available.contains(&instructions) {
            return Err(Unsupported::new(format!("this processor has no {instructions:?}")));
        }
        let kernels = T::kernels(instructions);
        let dtype = if size_of::<T>() == 4 { DType::F32 } else { DType::F64 };
        let plan = ExecutionPlan::new(description, dtype, kernels.panel, &mut |_, _| {})?;
        let threads = options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
        let pool = (threads > 1)
            .then(|| rayon::ThreadPoolBuilder::new().num_threads(threads).build())
            .transpose()
            .map_err(|error| Unsupported::new(format!("threads cannot be started: {error}")))?;
        let sizes: Vec<usize> = plan.params.iter().map(|(_, at)| at.len()).collect();
        Ok(Self {
            buffers: Buffers::new(&plan),
            optimizer: OptimizerState::new(description.optimizer, &sizes),
            plan,
            kernels,
            pool: pool.map(Arc::new),
            workspaces: Vec::new(),
            clock: Clock::default(),
            losses: Vec::new(),
            operations: 0,
            threads: 1,
            is_trained: false,
            has_drawn_noise: true,
            trained: None,
            evaluated: None,
            generated: Vec::new(),
            generated_rows: 0,
        })
    }

    /// Runs all shards, on all threads if there is more than one.
    fn run_shards(&mut self, shards: &[Shard], batch: &BatchView<'_>, mode: Mode) -> Totals {
        let memory = self.buffers.pointers();
        let (plan, kernels, bases, clock) = (&self.plan, self.kernels, &self.buffers.bases[..], &self.clock);
        let pass = Pass { batch, counted: Steps::counted(batch), mode };
        let pool = self.pool.as_deref();
        let run = |(&shard, workspaces): (&Shard, &mut [Workspace<T>])| {
            let runner = ShardRunner { plan, kernels, memory, bases, clock, pool, shard };
            // SAFETY: `prepare` reserved the buffers for the batch, and each shard has rows and accumulators of its own.
            unsafe { runner.sequence(workspaces, pass) };
        };
        let chunks = shards[0].chunks;
        let workspaces = &mut self.workspaces[..shards.len() * chunks];
        match pool {
            Some(pool) if shards.len() > 1 => {
                pool.install(|| shards.par_iter().zip(workspaces.par_chunks_mut(chunks)).with_max_len(1).for_each(run));
            }
            _ => shards.iter().zip(workspaces.chunks_mut(chunks)).for_each(run),
        }
        let mut totals = Totals::default();
        workspaces.iter().for_each(|workspace| totals += workspace.totals);
        totals
    }

    /// An update on a batch that is prepared.
    fn update(&mut self, batch: &BatchView<'_>, shards: &[Shard], rate: f64) {
        let before = self.trained.take();
        let starts = self.set_initial_state(before.as_deref(), batch, shards);
        let totals = self.run_shards(shards, batch, Mode::Train { starts });
        self.trained = Some(self.final_state(shards, before));
        self.losses.push(totals.nats);
        let counted = Steps::counted(batch);
        self.sum_gradients(shards, batch.inputs, counted);
        let uses_pool = is_large(&self.plan, batch.rows * batch.steps);
        self.threads = self.pool.as_ref().filter(|_| uses_pool).map_or(1, |pool| pool.current_num_threads());
        self.operations += operations(&self.plan, batch.rows, batch.steps, counted.len());
        let parameters = self.buffers.pointers().parameters;
        // SAFETY: the programs were planned for this memory, and the kernels were chosen for this processor.
        unsafe {
            parameter_program::run(&self.plan.epilogue, parameters, self.kernels);
            parameter_program::run(&self.plan.clip, parameters, self.kernels);
        }
        self.update_parameters(rate);
        self.buffers.is_packed = false;
        self.is_trained = true;
    }

    fn update_parameters(&mut self, rate: f64) {
        let parameters = self.buffers.pointers().parameters;
        let rule = self.optimizer.rule(rate);
        for (index, (_, at)) in self.plan.params.iter().enumerate() {
            let state = self.optimizer.slots(index);
            // SAFETY: the plan has memory of one size for a parameter and its gradient, and the optimizer for its state.
            unsafe {
                let parameter = parameters.add(at.offset);
                let gradient = parameters.add(self.plan.clipped[index].offset).cast_const();
                (self.kernels.update)(&rule, &Slots { count: at.len(), parameter, gradient, state });
            }
        }
    }

    /// A matrix of parameter memory, in 64 bits, which hold those of 32 exactly.
    fn read(&self, at: Location) -> Vec<f64> {
        self.buffers.parameters[at.offset..at.offset + at.len()].iter().map(|value| value.to_f64()).collect()
    }

    /// The states of all layers, with their names.
    fn states(&self) -> impl Iterator<Item = (String, &StateBuffers)> + Clone {
        self.plan.layers.iter().flat_map(|layer| {
            let states = layer.states.iter().zip(&layer.state_names);
            states.map(|(state, name)| (format!("{}{name}", layer.prefix), state))
        })
    }
}

impl<T: Float> Executable for CompiledModel<T> {
    fn train(&mut self, batch: &BatchView<'_>, streams: &dyn Streams, rate: f64) {
        self.set_update_noise(Some(streams));
        let shards = self.prepare(batch);
        self.draw_masks(&shards, streams);
        self.set_noise_of_rows(&shards, Some(streams));
        match self.pool.clone() {
            // From here on within the pool: leaving and entering it again would wait for threads to wake up.
            Some(pool) if shards.len() > 1 => pool.install(|| self.update(batch, &shards, rate)),
            _ => self.update(batch, &shards, rate),
        }
    }

    fn losses(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.losses)
    }

    fn products(&self) -> Products {
        Products { operations: self.operations, seconds: self.clock.seconds(), threads: self.threads }
    }

    fn time_products(&mut self, on: bool) {
        self.clock.is_on = on;
    }

    fn gradient_norms(&self) -> (f64, f64) {
        if !self.is_trained {
            return (f64::NAN, f64::NAN);
        }
        let norm = |locations: &[Location]| {
            let squares = locations.iter().flat_map(|at| self.read(*at)).map(|value| value * value);
            squares.sum::<f64>().sqrt()
        };
        (norm(&self.plan.gradients), norm(&self.plan.clipped))
    }

    fn gradients(&self) -> [Vec<Vec<f64>>; 2] {
        [&self.plan.gradients, &self.plan.clipped].map(|locations| locations.iter().map(|at| self.read(*at)).collect())
    }

    fn evaluate(&mut self, batch: &BatchView<'_>) -> Totals {
        let before = self.evaluated.take();
        self.set_update_noise(None);
        let shards = self.prepare(batch);
        self.set_noise_of_rows(&shards, None);
        self.set_initial_state(before.as_deref(), batch, &shards);
        let totals = self.run_shards(&shards, batch, Mode::Evaluate);
        self.evaluated = Some(self.final_state(&shards, before));
        totals
    }

    fn begin(&mut self, rows: usize) {
        self.generated_rows = rows;
        let states = self.states();
        self.generated = states.map(|(_, state)| self.start_row(state).repeat(rows)).collect();
    }

    fn advance(&mut self, tokens: &[u32]) -> Vec<f64> {
        assert!(tokens.len() == self.generated_rows, "{} tokens for {} sequences", tokens.len(), self.generated_rows);
        let targets = vec![0; tokens.len()];
        let counted = vec![true; tokens.len()];
        let batch = BatchView {
            rows: tokens.len(),
            steps: 1,
            inputs: tokens,
            targets: &targets,
            counted: &counted,
            continues: true,
            divisor: 1.0,
        };
        self.set_update_noise(None);
        let shards = self.prepare(&batch);
        self.set_noise_of_rows(&shards, None);
        let state = std::mem::take(&mut self.generated);
        self.set_initial_state(Some(&state), &batch, &shards);
        self.run_shards(&shards, &batch, Mode::Generate);
        self.generated = self.final_state(&shards, Some(state));
        let start = self.buffers.base(self.plan.head.logits);
        let logits = &self.buffers.work[start..start + tokens.len() * self.plan.vocabulary];
        logits.iter().map(|value| value.to_f64()).collect()
    }

    fn parameters(&self) -> Vec<NamedMatrix> {
        let matrix = |(name, at): &(String, Location)| NamedMatrix {
            name: name.clone(),
            shape: [at.rows, at.columns],
            values: self.read(*at),
        };
        self.plan.params.iter().map(matrix).collect()
    }

    fn set_parameter(&mut self, name: &str, shape: [usize; 2], values: &[f64]) -> bool {
        let Some(at) = self.plan.params.iter().find(|(known, _)| known == name).map(|(_, at)| *at) else {
            return false;
        };
        if shape != [at.rows, at.columns] || values.len() != at.len() {
            return false;
        }
        let to = &mut self.buffers.parameters[at.offset..at.offset + values.len()];
        to.iter_mut().zip(values).for_each(|(to, &value)| *to = T::from_f64(value));
        self.buffers.is_packed = false;
        true
    }

    fn optimizer_state(&self) -> Vec<NamedMatrix> {
        let params: Vec<_> = self.plan.params.iter().map(|(name, at)| (name.as_str(), [at.rows, at.columns])).collect();
        self.optimizer.save(&params)
    }

    fn reset_optimizer(&mut self) {
        self.optimizer.reset();
    }

    fn set_optimizer_state(&mut self, name: &str, values: &[f64]) -> bool {
        let names: Vec<_> = self.plan.params.iter().map(|(name, _)| name.as_str()).collect();
        self.optimizer.load(&names, name, values)
    }

    fn state(&self) -> Vec<NamedMatrix> {
        let matrix = |((name, state), values): ((String, &StateBuffers), &Vec<T>)| NamedMatrix {
            name,
            shape: [values.len() / state.width.max(1), state.width],
            values: values.iter().map(|value| value.to_f64()).collect(),
        };
        self.trained.iter().flat_map(|values| self.states().zip(values).map(matrix)).collect()
    }

    fn set_state(&mut self, saved: &[NamedMatrix]) {
        let find = |(name, _): (String, &StateBuffers)| {
            let matrix = saved.iter().find(|matrix| matrix.name == name)?;
            Some(matrix.values.iter().map(|&value| T::from_f64(value)).collect())
        };
        let found = self.states().map(find).collect::<Option<Vec<_>>>();
        self.trained = found.filter(|states| !states.is_empty());
    }

    fn listing(&self) -> String {
        listing::listing(&self.plan, self.needs(), size_of::<T>())
    }

    fn needs(&self) -> Needs {
        let accumulators = self.plan.accumulators.len();
        let mut needs = Needs { fixed: self.buffers.parameters.len(), shard: accumulators, row: 0, row_and_step: 0 };
        for &Buffer { width, kind } in &self.plan.buffers {
            match kind {
                BufferKind::Tape => needs.row_and_step += width,
                BufferKind::State => (needs.row_and_step, needs.row) = (needs.row_and_step + width, needs.row + width),
                BufferKind::Block => (needs.shard, needs.row) = (needs.shard + BLOCK * width, needs.row + width),
                BufferKind::Step => needs.row += width,
                BufferKind::Carry => needs.row += 2 * width,
                BufferKind::Table => needs.fixed += (self.plan.vocabulary + 1) * width,
            }
        }
        needs
    }

    fn bytes(&self) -> usize {
        let scratch = self.workspaces.iter().map(|workspace| workspace.scratch.len()).sum::<usize>();
        (self.buffers.len() + scratch) * size_of::<T>()
    }
}
