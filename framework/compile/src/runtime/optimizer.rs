//! The optimizer's state, under the names that burn-optim gives it, so that checkpoints move freely between the executors.

use crate::{
    kernels::{Element, Rule},
    model::{NamedMatrix, Optimizer},
};

/// The state of an optimizer for all parameters.
pub(crate) struct State<T> {
    optimizer: Optimizer,
    /// The number of updates so far.
    time: usize,
    slots: Vec<[Vec<T>; 2]>,
}

/// Burn keeps the coefficients of its optimizers in 32 bits.
fn rounded(value: f64) -> f64 {
    f64::from(value as f32)
}

impl<T: Element> State<T> {
    pub(crate) fn new(optimizer: Optimizer, sizes: &[usize]) -> Self {
        let count = match optimizer {
            Optimizer::Sgd { momentum } => usize::from(momentum > 0.0),
            Optimizer::Adagrad { .. } | Optimizer::Rmsprop { .. } => 1,
            Optimizer::Adam { .. } | Optimizer::Adamw { .. } => 2,
        };
        let slot = |size: usize, number: usize| if number < count { vec![T::default(); size] } else { Vec::new() };
        Self { optimizer, time: 0, slots: sizes.iter().map(|&size| [slot(size, 0), slot(size, 1)]).collect() }
    }

    /// The rule of the next update.
    pub(crate) fn rule(&mut self, rate: f64) -> Rule {
        self.time += 1;
        let time = i32::try_from(self.time).unwrap_or(i32::MAX);
        let one_minus = |beta: f64| f64::from(1.0 - beta as f32);
        // 1 − betaᵗ, in 32 bits as Burn computes it.
        let corrections = |betas: [f64; 2]| betas.map(|beta| 1.0 - (beta as f32).powi(time));
        match self.optimizer {
            Optimizer::Sgd { momentum } if momentum > 0.0 => Rule::Momentum { rate, momentum: rounded(momentum) },
            Optimizer::Sgd { .. } => Rule::Sgd { rate },
            Optimizer::Adagrad { epsilon } => Rule::Adagrad { rate, epsilon: rounded(epsilon) },
            Optimizer::Rmsprop { decay, epsilon } => Rule::Rmsprop {
                rate,
                decay: rounded(decay),
                one_minus_decay: one_minus(decay),
                epsilon: rounded(epsilon),
            },
            Optimizer::Adam { betas, epsilon } => {
                let [first, second] = corrections(betas);
                let root = second.sqrt();
                Rule::Adam {
                    rate,
                    betas: betas.map(rounded),
                    one_minus_betas: betas.map(one_minus),
                    correction: f64::from(root / first),
                    epsilon: f64::from(epsilon as f32 * root),
                }
            }
            Optimizer::Adamw { betas, epsilon, weight_decay } => Rule::Adamw {
                rate,
                decay: 1.0 - rate * rounded(weight_decay),
                betas: betas.map(rounded),
                one_minus_betas: betas.map(one_minus),
                correction: corrections(betas).map(f64::from),
                epsilon: rounded(epsilon),
            },
        }
    }

    /// The state of one parameter; null where the optimizer has none.
    pub(crate) fn slots(&mut self, index: usize) -> [*mut T; 2] {
        self.slots[index].each_mut().map(|slot| if slot.is_empty() { std::ptr::null_mut() } else { slot.as_mut_ptr() })
    }

    /// Names of the states, each with its slot.
    fn names(&self) -> &'static [(&'static str, usize)] {
        match self.optimizer {
            Optimizer::Sgd { momentum } if momentum > 0.0 => &[("momentum.velocity", 0)],
            Optimizer::Sgd { .. } => &[],
            Optimizer::Adagrad { .. } => &[("lr_decay.sum", 0)],
            Optimizer::Rmsprop { .. } => &[("square_avg.square_avg", 0), ("centered.avg", 0)],
            Optimizer::Adam { .. } | Optimizer::Adamw { .. } => &[("momentum.moment_1", 0), ("momentum.moment_2", 1)],
        }
    }

    /// The name of the count of updates.
    fn time_name(&self) -> Option<&'static str> {
        match self.optimizer {
            Optimizer::Adagrad { .. } => Some("lr_decay.time"),
            Optimizer::Adam { .. } | Optimizer::Adamw { .. } => Some("momentum.time"),
            _ => None,
        }
    }

    /// All states; none before the first update.
    pub(crate) fn save(&self, params: &[(&str, [usize; 2])]) -> Vec<NamedMatrix> {
        let mut saved = Vec::new();
        if self.time == 0 {
            return saved;
        }
        for (&(param, shape), slots) in params.iter().zip(&self.slots) {
            for &(name, slot) in self.names() {
                let values = slots[slot].iter().map(|value| value.to_f64()).collect();
                saved.push(NamedMatrix { name: format!("{param}.{name}"), shape, values });
            }
            if let Some(name) = self.time_name() {
                saved.push(NamedMatrix {
                    name: format!("{param}.{name}"),
                    shape: [1, 1],
                    values: vec![self.time as f64],
                });
            }
        }
        saved
    }

    /// The state before the first update.
    pub(crate) fn reset(&mut self) {
        self.time = 0;
        self.slots.iter_mut().flatten().for_each(|slot| slot.fill(T::default()));
    }

    /// Restores one state. Returns whether it is one of this optimizer's.
    pub(crate) fn load(&mut self, params: &[&str], name: &str, values: &[f64]) -> bool {
        for (index, param) in params.iter().enumerate() {
            let Some(own) = name.strip_prefix(param).and_then(|rest| rest.strip_prefix('.')) else { continue };
            if Some(own) == self.time_name() {
                self.time = values.first().map_or(0, |&time| time as usize);
                return true;
            }
            if let Some(&(_, slot)) = self.names().iter().find(|(known, _)| *known == own) {
                let to = &mut self.slots[index][slot];
                if to.len() == values.len() {
                    to.iter_mut().zip(values).for_each(|(to, &from)| *to = T::from_f64(from));
                    self.time = self.time.max(1);
                    return true;
                }
            }
        }
        false
    }
}
