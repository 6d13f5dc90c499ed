//! Memory whose first number begins a cache line: a register's worth of numbers then lies in one line, not in two.

use std::ops::{Deref, DerefMut};

/// How many bytes a cache line has, and a register of the widest kind.
pub(crate) const LINE: usize = 64;

/// Numbers in memory.
pub(crate) struct Aligned<T> {
    numbers: Vec<T>,
    skipped: usize,
    count: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// That many zeros.
    pub(crate) fn new(count: usize) -> Self {
        let numbers = vec![T::default(); count + LINE / size_of::<T>()];
        let address = numbers.as_ptr().addr();
        let skipped = (address.next_multiple_of(LINE) - address) / size_of::<T>();
        Self { numbers, skipped, count }
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.numbers[self.skipped..self.skipped + self.count]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.numbers[self.skipped..self.skipped + self.count]
    }
}
