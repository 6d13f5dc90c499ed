//! Which sequences a step trains on.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

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
    /// How the sequences are put in order by their lengths, if they are.
    by_length: Option<ByLength>,
    /// The shuffled order that was used last. It only saves time: any other can be made again from its number.
    shuffled: Mutex<Option<(u64, Arc<Shuffled>)>>,
}

/// An order of the sequences of an epoch.
#[derive(Debug)]
struct Shuffled {
    sequences: Vec<u32>,
    /// Where its batches begin, if they are not of one size.
    begins: Vec<usize>,
}

/// Batches of sequences of similar length.
#[derive(Clone, Debug)]
struct ByLength {
    /// Of every sequence.
    lengths: Arc<[u32]>,
    /// Sequences of each batch, from the shortest on.
    sizes: Arc<[usize]>,
}

impl SequenceOrder {
    /// `lengths` are those of the sequences, or none where all are equal.
    pub(super) fn new(count: usize, batch: usize, experiment: &Experiment, lengths: &[u32]) -> Result<Self> {
        let order = experiment.train.order;
        if matches!(order, Order::Shuffled | Order::ShuffledOnce | Order::ByLength) && u32::try_from(count).is_err() {
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
            by_length: (order == Order::ByLength).then(|| ByLength::new(count, lengths, batch)),
            shuffled: Mutex::new(None),
        })
    }

    /// The same sequences in another order.
    pub(super) fn with(&self, order: Order, lengths: &[u32]) -> Self {
        let by_length = (order == Order::ByLength).then(|| ByLength::new(self.count, lengths, self.batch));
        Self { order, by_length, shuffled: Mutex::new(None), ..*self }
    }

    pub(super) fn steps_per_epoch(&self) -> u64 {
        match &self.by_length {
            Some(by_length) => by_length.sizes.len() as u64,
            None => self.count.div_ceil(self.batch) as u64,
        }
    }

    /// The sequences of a step: fewer than `batch` at the end of an epoch, when there are fewer in all, and where those of
    /// similar length are.
    pub(super) fn indices(&self, step: u64) -> Vec<usize> {
        let epoch = step / self.steps_per_epoch();
        let of = |shuffled: &Shuffled| -> Vec<usize> {
            shuffled.sequences[self.places(step)].iter().map(|index| *index as usize).collect()
        };
        match self.order {
            Order::Sequential => self.places(step).collect(),
            Order::Shuffled | Order::ByLength => of(&self.shuffled(epoch)),
            Order::ShuffledOnce => of(&self.shuffled(0)),
            Order::Random => self.drawn(step),
        }
    }

    /// Where the sequences of a step are in the order of its epoch.
    fn places(&self, step: u64) -> Range<usize> {
        let number = (step % self.steps_per_epoch()) as usize;
        if self.by_length.is_some() {
            let shuffled = self.shuffled(step / self.steps_per_epoch());
            let end = shuffled.begins.get(number + 1).copied().unwrap_or(self.count);
            return shuffled.begins[number]..end;
        }
        let start = number * self.batch;
        start..self.count.min(start + self.batch)
    }

    /// Whether the state is carried into a step: where the experiment asks for it and the step before had as many rows.
    pub(super) fn continues(&self, step: u64) -> bool {
        self.carry_state && step > 0 && self.rows(step - 1) == self.rows(step)
    }

    fn rows(&self, step: u64) -> usize {
        match self.order {
            Order::Random => self.batch.min(self.count),
            _ => self.places(step).len(),
        }
    }

    fn shuffled(&self, epoch: u64) -> Arc<Shuffled> {
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
        let order = Arc::new(match &self.by_length {
            Some(by_length) => by_length.batches(order, Stream::new(self.seed, "batches", epoch)),
            None => Shuffled { sequences: order, begins: Vec::new() },
        });
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

impl ByLength {
    /// Batches of at most `batch` sequences, none of which is much more than twice as long as another: a few long ones
    /// are batches of their own.
    fn new(count: usize, lengths: &[u32], batch: usize) -> Self {
        const SIMILAR: u32 = 8;
        let lengths: Arc<[u32]> = if lengths.is_empty() { vec![0; count].into() } else { lengths.into() };
        let mut sorted = lengths.to_vec();
        sorted.sort_unstable();
        let mut sizes = Vec::new();
        let mut first = 0;
        for (place, length) in sorted.iter().enumerate() {
            if place - first == batch || *length > sorted[first].saturating_mul(2).saturating_add(SIMILAR) {
                sizes.push(place - first);
                first = place;
            }
        }
        sizes.push(count - first);
        Self { lengths, sizes: sizes.into() }
    }

    /// The sequences of a shuffled order by their lengths, equal ones in that order, and their batches shuffled.
    fn batches(&self, mut order: Vec<u32>, mut stream: Stream) -> Shuffled {
        order.sort_by_key(|sequence| self.lengths[*sequence as usize]);
        let mut rest = &order[..];
        let mut batches = Vec::with_capacity(self.sizes.len());
        for size in &*self.sizes {
            let (batch, after) = rest.split_at(*size);
            batches.push(batch);
            rest = after;
        }
        stream.shuffle(&mut batches);
        let mut shuffled = Shuffled { sequences: Vec::with_capacity(order.len()), begins: Vec::new() };
        for batch in batches {
            shuffled.begins.push(shuffled.sequences.len());
            shuffled.sequences.extend(batch);
        }
        shuffled
    }
}
