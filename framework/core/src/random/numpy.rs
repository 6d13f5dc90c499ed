//! `NumPy`'s legacy generator, to the last bit, so that the notebooks' numbers come out with `rng = "numpy"`.
//!
//! `np.random.seed(n)` followed by the functions of `np.random`, or `np.random.RandomState(n)`: their algorithms are
//! frozen (NEP 19), so they are written down here once. How each uses the words of the generator is in
//! `tests/golden/numpy_random.py`, which made the numbers that the tests compare with.

use hatchery_plugin::Rng;
use serde::{Deserialize, Serialize};

use super::normal_pair;

/// Words of the Mersenne Twister's state.
const LENGTH: usize = 624;
/// How far apart the words are that the recurrence combines.
const DISTANCE: usize = 397;

/// `np.random.RandomState(seed)`: the Mersenne Twister MT19937 of Matsumoto and Nishimura (1998).
///
/// It can be saved between any two draws; what is read back continues with the same values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SavedState")]
pub struct RandomState {
    key: Vec<u32>,
    /// The next word of `key` to use; at the end the key is renewed.
    position: usize,
    /// The second of a pair of normal numbers, until it is asked for.
    kept: Option<f64>,
}

impl RandomState {
    /// What `np.random.seed(seed)` does: the seeding function `init_genrand`, without a normal number left over.
    pub fn new(seed: u32) -> Self {
        let mut key = Vec::with_capacity(LENGTH);
        let mut word = seed;
        for index in 1..=LENGTH as u32 {
            key.push(word);
            word = (word ^ (word >> 30)).wrapping_mul(1_812_433_253).wrapping_add(index);
        }
        Self { key, position: LENGTH, kept: None }
    }

    /// The next 32 bits.
    pub fn word(&mut self) -> u32 {
        if self.position == LENGTH {
            self.renew();
        }
        let mut word = self.key[self.position];
        self.position += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    fn renew(&mut self) {
        for index in 0..LENGTH {
            let joined = (self.key[index] & 0x8000_0000) | (self.key[(index + 1) % LENGTH] & 0x7fff_ffff);
            let twist = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            self.key[index] = self.key[(index + DISTANCE) % LENGTH] ^ (joined >> 1) ^ twist;
        }
        self.position = 0;
    }

    /// `random_sample()`: uniform in `[0, 1)`, 53 bits from two words.
    pub fn random_sample(&mut self) -> f64 {
        let (high, low) = (self.word() >> 5, self.word() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// `randn()`: normal with mean 0 and standard deviation 1. The second of a pair waits for the next call.
    pub fn randn(&mut self) -> f64 {
        if let Some(normal) = self.kept.take() {
            return normal;
        }
        let [normal, next] = normal_pair(|| self.random_sample());
        self.kept = Some(next);
        normal
    }

    /// `randint(0, bound)`: an integer in `0..bound`, each equally likely. The bits above the highest of
    /// `bound - 1` are masked away, and what is still too large is drawn again.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn randint(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "there is no number below 0 to draw");
        let largest = (bound - 1) as u64;
        if largest == 0 {
            return 0; // without a draw, as NumPy does
        }
        let mask = u64::MAX >> largest.leading_zeros();
        loop {
            let word = if largest > u64::from(u32::MAX) {
                (u64::from(self.word()) << 32) | u64::from(self.word())
            } else {
                u64::from(self.word())
            };
            if word & mask <= largest {
                return (word & mask) as usize;
            }
        }
    }

    // ANCHOR: shuffle
    /// `shuffle(values)`: the same order for a list and for an array of one dimension.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            values.swap(last, self.randint(last + 1));
        }
    }
    // ANCHOR_END: shuffle

    /// `choice(len(p), p=p)`: an index, each as likely as `probabilities` says.
    ///
    /// # Panics
    /// When the sum of `probabilities` is not a positive number.
    pub fn choice(&mut self, probabilities: &[f64]) -> usize {
        super::choice(probabilities, self.random_sample())
    }
}

impl Rng for RandomState {
    fn uniform(&mut self) -> f64 {
        self.random_sample()
    }

    fn normal(&mut self) -> f64 {
        self.randn()
    }
}

/// A state as it was read, not yet known to be one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedState {
    key: Vec<u32>,
    position: usize,
    kept: Option<f64>,
}

impl TryFrom<SavedState> for RandomState {
    type Error = String;

    fn try_from(SavedState { key, position, kept }: SavedState) -> Result<Self, String> {
        if key.len() != LENGTH || position > LENGTH {
            return Err(format!("{} words at position {position} are no state of MT19937", key.len()));
        }
        Ok(Self { key, position, kept })
    }
}
