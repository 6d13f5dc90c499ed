//! The optimizers' updates, with the formulas of burn-optim 0.22.1.
//!
//! They are written here and not captured: the learning rate and Adam's bias correction change from step to step and
//! would be baked into a captured graph. Burn keeps coefficients in 32 bits whatever the parameters are, and so do these.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use super::simd::{Element, Lanes};

/// One update of an optimizer, with its scalars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    /// `p − rate g`.
    Sgd { rate: f64 },
    /// `v = g + momentum v`, `p − rate v`.
    Momentum { rate: f64, momentum: f64 },
    /// `s = s + g²`, `p − rate g / (√s + epsilon)`.
    Adagrad { rate: f64, epsilon: f64 },
    /// `s = decay s + one_minus_decay g²`, `p − rate g / (√s + epsilon)`.
    Rmsprop { rate: f64, decay: f64, one_minus_decay: f64, epsilon: f64 },
    /// `m = betas[0] m + one_minus_betas[0] g`, `s = betas[1] s + one_minus_betas[1] g²`,
    /// `p − rate correction m / (√s + epsilon)`.
    Adam { rate: f64, betas: [f64; 2], one_minus_betas: [f64; 2], correction: f64, epsilon: f64 },
    /// m and s as before, `decay p − rate (m / correction[0]) / (√(s / correction[1]) + epsilon)`.
    Adamw { rate: f64, decay: f64, betas: [f64; 2], one_minus_betas: [f64; 2], correction: [f64; 2], epsilon: f64 },
}

/// A parameter, its gradient and its optimizer's state, of `count` elements each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots<T> {
    pub(crate) count: usize,
    pub(crate) parameter: *mut T,
    pub(crate) gradient: *const T,
    /// As many as the rule has; the others are never read.
    pub(crate) state: [*mut T; 2],
}

/// Updates a parameter.
///
/// # Safety
/// The instruction set of `V` is enabled and the slots are valid.
#[inline(always)]
pub(crate) unsafe fn update<V: Lanes>(rule: &Rule, slots: &Slots<V::Element>) {
    // SAFETY: `update`'s caller guarantees valid slots, and enables the instruction set of V.
    unsafe {
        let constant = |value: f64| V::splat(V::Element::from_f64(value));
        match *rule {
            Rule::Sgd { rate } => {
                // Rounded twice, as burn-optim and NumPy do: the dinosaur notebook's sixth decimal depends on it.
                let rate = constant(rate);
                each::<V>(
                    slots,
                    0,
                    #[inline(always)]
                    |p, g, state| (p.sub(rate.mul(g)), state),
                );
            }
            Rule::Momentum { rate, momentum } => {
                let (rate, momentum) = (constant(rate), constant(momentum));
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
                let (rate, epsilon) = (constant(rate), constant(epsilon));
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
            Rule::Rmsprop { rate, decay, one_minus_decay, epsilon } => {
                let [rate, decay, one_minus_decay, epsilon] = [rate, decay, one_minus_decay, epsilon].map(constant);
                each::<V>(
                    slots,
                    1,
                    #[inline(always)]
                    |p, g, [s, other]| {
                        let s = decay.mul_add(s, one_minus_decay.mul(g.mul(g)));
                        (rate.neg_mul_add(g.div(s.sqrt().add(epsilon)), p), [s, other])
                    },
                );
            }
            Rule::Adam { rate, betas, one_minus_betas, correction, epsilon } => {
                let [rate, correction, epsilon] = [rate, correction, epsilon].map(constant);
                let (betas, rests) = (betas.map(constant), one_minus_betas.map(constant));
                each::<V>(
                    slots,
                    2,
                    #[inline(always)]
                    |p, g, [m, s]| {
                        let m = betas[0].mul_add(m, rests[0].mul(g));
                        let s = betas[1].mul_add(s, rests[1].mul(g.mul(g)));
                        (rate.neg_mul_add(correction.mul(m).div(s.sqrt().add(epsilon)), p), [m, s])
                    },
                );
            }
            Rule::Adamw { rate, decay, betas, one_minus_betas, correction, epsilon } => {
                let [rate, decay, epsilon] = [rate, decay, epsilon].map(constant);
                let (betas, rests) = (betas.map(constant), one_minus_betas.map(constant));
                let correction = correction.map(constant);
                each::<V>(
                    slots,
                    2,
                    #[inline(always)]
                    |p, g, [m, s]| {
                        let m = betas[0].mul_add(m, rests[0].mul(g));
                        let s = betas[1].mul_add(s, rests[1].mul(g.mul(g)));
                        let step = m.div(correction[0]).div(s.div(correction[1]).sqrt().add(epsilon));
                        (rate.neg_mul_add(step, decay.mul(p)), [m, s])
                    },
                );
            }
        }
    }
}

/// Applies a rule to all elements, with as many states as it has.
#[inline(always)]
unsafe fn each<V: Lanes>(slots: &Slots<V::Element>, states: usize, step: impl Fn(V, V, [V; 2]) -> (V, [V; 2])) {
    // SAFETY: `update`'s caller guarantees valid slots, and enables the instruction set of V.
    unsafe {
        let zero = V::splat(V::Element::default());
        let mut index = 0;
        // Whole registers: a masked store is slower.
        while index + V::COUNT <= slots.count {
            let mut state = [zero; 2];
            for (slot, state) in state.iter_mut().enumerate().take(states) {
                *state = V::load(slots.state[slot].add(index));
            }
            let p = V::load(slots.parameter.add(index).cast_const());
            let (p, state) = step(p, V::load(slots.gradient.add(index)), state);
            p.store(slots.parameter.add(index));
            for (slot, state) in state.iter().enumerate().take(states) {
                state.store(slots.state[slot].add(index));
            }
            index += V::COUNT;
        }
        let count = slots.count - index;
        if count > 0 {
            let mut state = [zero; 2];
            for (slot, state) in state.iter_mut().enumerate().take(states) {
                *state = V::load_part(slots.state[slot].add(index), count);
            }
            let p = V::load_part(slots.parameter.add(index).cast_const(), count);
            let (p, state) = step(p, V::load_part(slots.gradient.add(index), count), state);
            p.store_part(slots.parameter.add(index), count);
            for (slot, state) in state.iter().enumerate().take(states) {
                state.store_part(slots.state[slot].add(index), count);
            }
        }
    }
}
