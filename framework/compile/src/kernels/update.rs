//! The optimisers' updates, with the formulas of burn-optim 0.22.1.
//!
//! They are written here and not captured: the learning rate and Adam's bias correction change from step to step and
//! would be baked into a captured graph. Burn keeps coefficients in 32 bits whatever the parameters are, and so do these.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use super::simd::{Lanes, Number};

/// One step of an optimiser, its scalars worked out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    /// `p − rate g`.
    Sgd { rate: f64 },
    /// `v = g + momentum v`, `p − rate v`.
    Momentum { rate: f64, momentum: f64 },
    /// `s = s + g²`, `p − rate g / (√s + epsilon)`.
    Adagrad { rate: f64, epsilon: f64 },
    /// `s = decay s + rest g²`, `p − rate g / (√s + epsilon)`.
    Rmsprop { rate: f64, decay: f64, rest: f64, epsilon: f64 },
    /// `m = decay[0] m + rest[0] g`, `s = decay[1] s + rest[1] g²`, `p − rate factor m / (√s + epsilon)`.
    Adam { rate: f64, decay: [f64; 2], rest: [f64; 2], factor: f64, epsilon: f64 },
    /// m and s as before, `kept p − rate (m / correction[0]) / (√(s / correction[1]) + epsilon)`.
    Adamw { rate: f64, kept: f64, decay: [f64; 2], rest: [f64; 2], correction: [f64; 2], epsilon: f64 },
}

/// A parameter, its gradient and its optimiser's state: each of `count` numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots<T> {
    pub(crate) count: usize,
    pub(crate) parameter: *mut T,
    pub(crate) gradient: *const T,
    /// As many as the rule has; the others are not looked at.
    pub(crate) state: [*mut T; 2],
}

/// Updates a parameter.
///
/// # Safety
/// The instruction set is enabled and the slots are valid.
#[inline(always)]
pub(crate) unsafe fn update<V: Lanes>(rule: &Rule, slots: &Slots<V::Number>) {
    // SAFETY: the caller's.
    unsafe {
        let number = |value: f64| V::splat(V::Number::from_f64(value));
        match *rule {
            Rule::Sgd { rate } => {
                // Rounded twice, as burn-optim and NumPy do: the dinosaur notebook's sixth decimal depends on it.
                let rate = number(rate);
                each::<V>(
                    slots,
                    0,
                    #[inline(always)]
                    |p, g, state| (p.sub(rate.mul(g)), state),
                );
            }
            Rule::Momentum { rate, momentum } => {
                let (rate, momentum) = (number(rate), number(momentum));
                each::<V>(
                    slots,
                    1,
                    #[inline(always)]
                    |p, g, [v, other]| {
                        let v = momentum.mul_add(v, g);
                        (rate.neg_mul_add(v, p), [v, other])
                    },
                );
            }
            Rule::Adagrad { rate, epsilon } => {
                let (rate, epsilon) = (number(rate), number(epsilon));
                each::<V>(
                    slots,
                    1,
                    #[inline(always)]
                    |p, g, [s, other]| {
                        let s = g.mul_add(g, s);
                        (rate.neg_mul_add(g.div(s.sqrt().add(epsilon)), p), [s, other])
                    },
                );
            }
            Rule::Rmsprop { rate, decay, rest, epsilon } => {
                let (rate, decay, rest, epsilon) = (number(rate), number(decay), number(rest), number(epsilon));
                each::<V>(
                    slots,
                    1,
                    #[inline(always)]
                    |p, g, [s, other]| {
                        let s = decay.mul_add(s, rest.mul(g.mul(g)));
                        (rate.neg_mul_add(g.div(s.sqrt().add(epsilon)), p), [s, other])
                    },
                );
            }
            Rule::Adam { rate, decay, rest, factor, epsilon } => {
                let (rate, factor, epsilon) = (number(rate), number(factor), number(epsilon));
                let (decay, rest) = (decay.map(number), rest.map(number));
                each::<V>(
                    slots,
                    2,
                    #[inline(always)]
                    |p, g, [m, s]| {
                        let m = decay[0].mul_add(m, rest[0].mul(g));
                        let s = decay[1].mul_add(s, rest[1].mul(g.mul(g)));
                        (rate.neg_mul_add(factor.mul(m).div(s.sqrt().add(epsilon)), p), [m, s])
                    },
                );
            }
            Rule::Adamw { rate, kept, decay, rest, correction, epsilon } => {
                let (rate, kept, epsilon) = (number(rate), number(kept), number(epsilon));
                let (decay, rest, correction) = (decay.map(number), rest.map(number), correction.map(number));
                each::<V>(
                    slots,
                    2,
                    #[inline(always)]
                    |p, g, [m, s]| {
                        let m = decay[0].mul_add(m, rest[0].mul(g));
                        let s = decay[1].mul_add(s, rest[1].mul(g.mul(g)));
                        let step = m.div(correction[0]).div(s.div(correction[1]).sqrt().add(epsilon));
                        (rate.neg_mul_add(step, kept.mul(p)), [m, s])
                    },
                );
            }
        }
    }
}

/// Goes over all numbers, with as many states as there are.
#[inline(always)]
unsafe fn each<V: Lanes>(slots: &Slots<V::Number>, states: usize, step: impl Fn(V, V, [V; 2]) -> (V, [V; 2])) {
    // SAFETY: the caller's.
    unsafe {
        let zero = V::splat(V::Number::default());
        let mut index = 0;
        // Whole registers: a part of one is stored more slowly.
        while index + V::COUNT <= slots.count {
            let mut state = [zero; 2];
            for (number, state) in state.iter_mut().enumerate().take(states) {
                *state = V::load(slots.state[number].add(index));
            }
            let p = V::load(slots.parameter.add(index).cast_const());
            let (p, state) = step(p, V::load(slots.gradient.add(index)), state);
            p.store(slots.parameter.add(index));
            for (number, state) in state.iter().enumerate().take(states) {
                state.store(slots.state[number].add(index));
            }
            index += V::COUNT;
        }
        let count = slots.count - index;
        if count > 0 {
            let mut state = [zero; 2];
            for (number, state) in state.iter_mut().enumerate().take(states) {
                *state = V::load_part(slots.state[number].add(index), count);
            }
            let p = V::load_part(slots.parameter.add(index).cast_const(), count);
            let (p, state) = step(p, V::load_part(slots.gradient.add(index), count), state);
            p.store_part(slots.parameter.add(index), count);
            for (number, state) in state.iter().enumerate().take(states) {
                state.store_part(slots.state[number].add(index), count);
            }
        }
    }
}
