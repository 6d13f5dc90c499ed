//! Which sequences a step trains on.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    error::{Problem, Result},
    experiment::{Experiment, Order, Rng},
    random::{Stream, numpy::RandomState},
};

/// The order of `count` sequences, in batches of `batch`.
#[derive(Debug)]
pub(super) struct SequenceOrder {
    count: usize,
    batch: usize,
    order: Order,
    carry_state: bool,
    seed: u64,
    /// The seed of `NumPy`'s generator, if that one shuffles.
    numpy: Option<u32>,
    /// The shuffled order that was used last. It only saves time: any other can be made again from its number.
    shuffled: Mutex<Option<(u64, Arc<[u32]>)>>,
}

impl SequenceOrder {
    pub(super) fn new(count: usize, batch: usize, experiment: &Experiment) -> Result<Self> {
        let order = experiment.train.order;
        if matches!(order, Order::Shuffled | Order::ShuffledOnce) && u32::try_from(count).is_err() {
            return Err(Problem::new(format!("{count} sequences are too many to be shuffled"))
                .note("at most 4,294,967,295 can be")
                .hint("set train.order = \"random\", or a larger stride")
                .into());
        }
        let numpy =
            (experiment.rng == Rng::Numpy).then(|| experiment.numpy.as_ref().map_or(0, |numpy| numpy.shuffle_seed));
        Ok(Self {
            count,
            batch,
            order,
            carry_state: experiment.train.carry_state,
            seed: experiment.seed,
            numpy,
            shuffled: Mutex::new(None),
        })
    }

    pub(super) fn steps_per_epoch(&self) -> u64 {
        self.count.div_ceil(self.batch) as u64
    }

    /// The sequences of a step: fewer than `batch` at the end of an epoch, or when there are fewer in all.
    pub(super) fn indices(&self, step: u64) -> Vec<usize> {
        let epoch = step / self.steps_per_epoch();
        let start = (step % self.steps_per_epoch()) as usize * self.batch;
        let places = start..self.count.min(start + self.batch);
        match self.order {
            Order::Sequential => places.collect(),
            Order::Shuffled => self.shuffled(epoch)[places].iter().map(|index| *index as usize).collect(),
            Order::ShuffledOnce => self.shuffled(0)[places].iter().map(|index| *index as usize).collect(),
            Order::Random => self.drawn(step),
        }
    }

    /// Whether the state is carried into a step: where the experiment asks for it and the step before had as many rows.
    pub(super) fn continues(&self, step: u64) -> bool {
        self.carry_state && step > 0 && self.rows(step - 1) == self.rows(step)
    }

    fn rows(&self, step: u64) -> usize {
        let start = (step % self.steps_per_epoch()) as usize * self.batch;
        match self.order {
            Order::Random => self.batch.min(self.count),
            _ => self.batch.min(self.count - start),
        }
    }

    fn shuffled(&self, epoch: u64) -> Arc<[u32]> {
        let mut last = self.shuffled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, order)) = &*last
            && *known == epoch
        {
            return Arc::clone(order);
        }
        let mut order: Vec<u32> = (0..self.count as u32).collect();
        match (self.numpy, self.order) {
            (Some(seed), Order::ShuffledOnce) => RandomState::new(seed).shuffle(&mut order),
            _ => Stream::new(self.seed, "order", epoch).shuffle(&mut order),
        }
        let order: Arc<[u32]> = order.into();
        *last = Some((epoch, Arc::clone(&order)));
        order
    }

    /// Distinct sequences, drawn from all: Floyd's method (Bentley and Floyd 1987).
    fn drawn(&self, step: u64) -> Vec<usize> {
        let mut stream = Stream::new(self.seed, "batch", step);
        let rows = self.rows(step);
        let mut drawn: Vec<usize> = Vec::with_capacity(rows);
        for last in self.count - rows..self.count {
            let index = stream.below(last + 1);
            drawn.push(if drawn.contains(&index) { last } else { index });
        }
        drawn
    }
}
