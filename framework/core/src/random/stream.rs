//! Named random streams: each purpose of a run draws from one of its own.
//!
//! Were there one generator for everything, a longer sample would change the next batch, and a run could only be resumed
//! by saving where the generator stood. A stream is found again from (seed, name, index) alone.

use std::collections::HashMap;

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use sha2::{Digest, Sha256};

use super::normal_pair;

/// What the key begins with. Another derivation needs another version, for checkpoints rely on this one.
const VERSION: &[u8] = b"hatchery random stream 1\n";

/// A random stream of its own, determined by (seed, name, index) and the same on every machine.
///
/// The bits are those of `ChaCha` with 8 rounds (Bernstein 2008) under the key
/// SHA-256(version, seed, index, name), both numbers as 8 bytes, lowest first.
///
/// ```
/// use hatchery::random::Stream;
///
/// let mut order: Vec<u32> = (0..100).collect();
/// Stream::new(1, "shuffle", 3).shuffle(&mut order); // the order of epoch 3, in every run with seed 1
/// ```
#[derive(Clone, Debug)]
pub struct Stream {
    words: ChaCha8Rng,
    /// The second of a pair of normal numbers, until it is asked for.
    kept: Option<f64>,
}

impl Stream {
    /// The stream of a purpose: `seed` is the experiment's, `name` says what for, `index` which one of that name (the
    /// epoch, the step, the number of the sample).
    pub fn new(seed: u64, name: &str, index: u64) -> Self {
        // The name comes last: all before it is of fixed length, so that no two triples give the same bytes.
        let key = Sha256::new()
            .chain_update(VERSION)
            .chain_update(seed.to_le_bytes())
            .chain_update(index.to_le_bytes())
            .chain_update(name)
            .finalize();
        Self { words: ChaCha8Rng::from_seed(key.into()), kept: None }
    }

    /// Uniform in `[0, 1)`: a multiple of 2⁻⁵³, from the upper bits of one 64-bit word.
    pub fn uniform(&mut self) -> f64 {
        (self.words.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal with mean 0 and standard deviation 1, by the polar method (Marsaglia and Bray 1964). Numbers are made in
    /// pairs and the second of a pair waits for the next call.
    pub fn normal(&mut self) -> f64 {
        if let Some(normal) = self.kept.take() {
            return normal;
        }
        let [normal, next] = normal_pair(|| self.uniform());
        self.kept = Some(next);
        normal
    }

    /// An integer in `0..bound`, each equally likely (Lemire 2019).
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "there is no number below 0 to draw");
        let bound = bound as u64;
        // 2⁶⁴ words cannot be shared out evenly: this number of them is drawn again.
        let rejected = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.words.next_u64()) * u128::from(bound);
            if product as u64 >= rejected {
                return (product >> 64) as usize;
            }
        }
    }

    /// Puts values into random order, each order equally likely (Fisher and Yates, from the end).
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            values.swap(last, self.below(last + 1));
        }
    }

    /// `count` different numbers of `0..bound` in random order, without writing down all `bound` of them.
    ///
    /// # Panics
    /// When `count` is larger than `bound`.
    pub fn choose(&mut self, bound: usize, count: usize) -> Vec<usize> {
        assert!(count <= bound, "{count} different numbers below {bound} do not exist");
        // The first `count` swaps of a shuffle from the front; `moved` holds the places that differ from their index.
        let mut moved = HashMap::with_capacity(count);
        (0..count)
            .map(|first| {
                let other = first + self.below(bound - first);
                let here = moved.get(&first).copied().unwrap_or(first);
                moved.insert(other, here).unwrap_or(other)
            })
            .collect()
    }
}

/// The streams of one update.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    seed: u64,
    step: u64,
}

impl Streams {
    /// Those of that step of an experiment with this seed.
    pub fn new(seed: u64, step: u64) -> Self {
        Self { seed, step }
    }

    /// The stream of the dropout masks between layers.
    pub fn dropout(&self) -> Stream {
        Stream::new(self.seed, "dropout", self.step)
    }

    /// The stream of a cell's noise under its full name: `layers.0.keep`.
    pub fn noise(&self, name: &str) -> Stream {
        Stream::new(self.seed, &format!("noise {name}"), self.step)
    }
}

impl hatchery_compile::Streams for Streams {
    fn dropout(&self) -> Box<dyn hatchery_plugin::Rng> {
        Box::new(Self::dropout(self))
    }

    fn noise(&self, name: &str) -> Box<dyn hatchery_plugin::Rng> {
        Box::new(Self::noise(self, name))
    }
}

impl hatchery_plugin::Rng for Stream {
    fn uniform(&mut self) -> f64 {
        Self::uniform(self)
    }

    fn normal(&mut self) -> f64 {
        Self::normal(self)
    }
}
