//! A batch of a few long sequences, of a model in which no unit of a state sees another: what comes before and behind the
//! time loop runs over pieces of the time, the loop over pieces of the units, each on a thread of its own.
//!
//! The pieces depend on model and batch alone, and so does the result.

use rayon::prelude::*;

use super::{
    executable::CompiledModel,
    sequence::{Mode, Pass},
    shard::{Shard, ShardRunner, Steps, TimeStep, Workspace, is_large},
};
use crate::{
    kernels::Float,
    model::{BatchView, Totals},
    plan::{gradient_jobs::ranges, layer::Layer, model::ExecutionPlan, schedule::View},
};

/// Pieces of the time.
pub(super) const CHUNKS: usize = 8;
/// The fewest time steps of a piece.
const LEAST: usize = 32;

/// Off: on several threads at once, pieces sometimes give a wrong gradient.
const IS_ENABLED: bool = false;

/// Whether a batch of one shard runs in pieces.
pub(super) fn runs_in_pieces(plan: &ExecutionPlan, rows: usize, steps: usize) -> bool {
    let is_split = |layer: &Layer| !layer.pieces.is_empty() && layer.states.iter().all(|state| state.penalty == 0.0);
    IS_ENABLED && plan.layers.iter().all(is_split) && steps >= CHUNKS * LEAST && is_large(plan, rows * steps)
}

/// The shards for accumulators of a shard that runs in pieces: one for each piece of the time.
pub(super) fn chunk_shards(shard: Shard) -> Vec<Shard> {
    (0..CHUNKS).map(|index| Shard { index, ..shard }).collect()
}

impl<T: Float> CompiledModel<T> {
    /// The pieces in which a batch runs that was cut into these shards; none if each shard runs as a whole.
    pub(super) fn pieces(&self, shards: &[Shard], batch: &BatchView<'_>) -> usize {
        let is_cut = shards.len() == 1 && runs_in_pieces(&self.plan, batch.rows, batch.steps);
        if is_cut { CHUNKS } else { 0 }
    }

    /// Runs the only shard in pieces, on all threads.
    pub(super) fn run_in_pieces(&mut self, shard: Shard, pass: Pass<'_>) -> Totals {
        let (plan, memory, bases) = (&self.plan, self.buffers.pointers(), &self.buffers.bases[..]);
        let runner = ShardRunner { plan, kernels: self.kernels, memory, bases, clock: &self.clock, shard };
        let pieces = Pieces { runner, pass, is_parallel: self.pool.is_some() };
        let workspaces = &mut self.workspaces[..];
        // SAFETY: `prepare` reserved the buffers for the batch; pieces write to times, columns or accumulators of their own.
        let mut run = || unsafe { pieces.run(workspaces) };
        match &self.pool {
            Some(pool) => pool.install(run),
            None => run(),
        }
    }
}

struct Pieces<'a, T: Float> {
    runner: ShardRunner<'a, T>,
    pass: Pass<'a>,
    is_parallel: bool,
}

/// The methods share the contract of [`ShardRunner`].
impl<T: Float> Pieces<'_, T> {
    unsafe fn run(&self, workspaces: &mut [Workspace<T>]) -> Totals {
        let is_training = self.pass.mode.is_training();
        let mut totals = Totals::default();
        // SAFETY: see the contract of the type.
        unsafe {
            if is_training {
                for shard in chunk_shards(self.runner.shard) {
                    let accumulators = ShardRunner { shard, ..self.runner }.accumulators();
                    std::slice::from_raw_parts_mut(accumulators, self.runner.plan.accumulators.step).fill(T::default());
                }
            }
            for (index, layer) in self.runner.plan.layers.iter().enumerate() {
                totals += self.forward(index, layer, workspaces);
            }
            if is_training {
                for (index, layer) in self.runner.plan.layers.iter().enumerate().rev() {
                    self.backward(index, layer, workspaces);
                }
            }
            if let Mode::Train { starts: true } = self.pass.mode {
                self.runner.add_start_gradients();
            }
        }
        totals
    }

    unsafe fn forward(&self, index: usize, layer: &Layer, workspaces: &mut [Workspace<T>]) -> Totals {
        let Shard { rows, steps, .. } = self.runner.shard;
        if index > 0 {
            // SAFETY: see the contract of the type.
            self.over_time(workspaces, |runner, workspace, chunk| unsafe {
                runner.run(&layer.hoisted.forward, workspace, chunk.first, rows * chunk.len());
            });
        }
        // SAFETY: see the contract of the type.
        self.over_units(layer, workspaces, |workspace, piece| unsafe {
            self.runner.bind(&layer.pieces[piece][0], workspace);
            for step in 0..steps {
                let tokens = self.runner.tokens(self.pass.batch, step);
                self.runner.gather(layer, tokens, step, (piece, layer.pieces.len()));
                self.runner.run_step(&layer.pieces[piece][0], workspace, TimeStep { step, next: None, tokens }, rows);
            }
        });
        // SAFETY: see the contract of the type.
        self.over_time(workspaces, |runner, workspace, chunk| unsafe {
            workspace.totals = Totals::default();
            runner.drop_out(index, chunk, self.pass.mode);
            if index + 1 == runner.plan.layers.len() {
                workspace.totals = runner.head(chunk, self.pass);
            }
        });
        let mut totals = Totals::default();
        workspaces[..CHUNKS].iter().for_each(|workspace| totals += workspace.totals);
        totals
    }

    unsafe fn backward(&self, index: usize, layer: &Layer, workspaces: &mut [Workspace<T>]) {
        let Shard { rows, steps, .. } = self.runner.shard;
        // SAFETY: see the contract of the type.
        unsafe {
            if let Some(dropout) = self.runner.plan.dropouts[index] {
                let gradient = View::whole(layer.output_gradient);
                let factors = [gradient, View::whole(dropout.mask)];
                self.runner.multiply_elements(gradient, factors, Steps::new(0, steps));
            }
            for state in &layer.states {
                let gradient = self.runner.at(View::whole(state.gradient), steps);
                std::slice::from_raw_parts_mut(gradient, rows * state.width).fill(T::default());
            }
        }
        // SAFETY: see the contract of the type.
        self.over_units(layer, workspaces, |workspace, piece| unsafe {
            self.runner.bind(&layer.pieces[piece][1], workspace);
            for step in (0..steps).rev() {
                let time = TimeStep { step, next: None, tokens: &[] };
                self.runner.run_step(&layer.pieces[piece][1], workspace, time, rows);
            }
        });
        if index > 0 {
            // SAFETY: see the contract of the type.
            self.over_time(workspaces, |runner, workspace, chunk| unsafe {
                runner.run(&layer.hoisted.backward, workspace, chunk.first, rows * chunk.len());
            });
        }
    }

    /// Runs something for each piece of the time, with accumulators of its own.
    fn over_time(
        &self,
        workspaces: &mut [Workspace<T>],
        run: impl Fn(ShardRunner<'_, T>, &mut Workspace<T>, Steps) + Sync,
    ) {
        let steps = self.runner.shard.steps;
        let chunks = ranges(steps, steps.div_ceil(CHUNKS)).map(|(first, end)| Steps::new(first, end));
        let shards = chunk_shards(self.runner.shard);
        let pieces: Vec<_> = workspaces.iter_mut().zip(chunks).zip(shards).collect();
        self.each(pieces, |((workspace, chunk), shard)| run(ShardRunner { shard, ..self.runner }, workspace, chunk));
    }

    /// Runs something for each piece of a layer's units.
    fn over_units(
        &self,
        layer: &Layer,
        workspaces: &mut [Workspace<T>],
        run: impl Fn(&mut Workspace<T>, usize) + Sync,
    ) {
        let pieces: Vec<_> = workspaces.iter_mut().take(layer.pieces.len()).enumerate().collect();
        self.each(pieces, |(piece, workspace)| run(workspace, piece));
    }

    fn each<I: Send>(&self, pieces: Vec<I>, run: impl Fn(I) + Sync + Send) {
        if self.is_parallel {
            pieces.into_par_iter().with_max_len(1).for_each(run);
        } else {
            pieces.into_iter().for_each(run);
        }
    }
}
