//! Burn's optimisers behind one interface, whichever the experiment names.
//!
//! `burn-optim` updates tensor by tensor with a generic state; here the state of every parameter is kept in a list and
//! flattened into named matrices for checkpoints. Its coefficients (the betas, epsilon) are 32-bit numbers even in a
//! 64-bit run, so updates agree with a pure 64-bit implementation to about seven digits.

use burn::{
    Tensor,
    optim::{
        AdaGradConfig, AdamConfig, AdamWConfig, Optimizer as Rule, RecordState, RmsPropConfig, SgdConfig, StateSink,
        StateSource, momentum::MomentumConfig,
    },
    tensor::Device,
};

use crate::{
    experiment::Optimizer,
    run::checkpoint::{Named, Values},
};

use super::burn::{data, named};

/// An optimiser with the state of every parameter.
pub(super) trait Update {
    /// The parameter of that index after one step.
    fn step(&mut self, index: usize, learning_rate: f64, parameter: Tensor<2>, gradient: Tensor<2>) -> Tensor<2>;
    /// The state of the parameter of that index, as matrices named by `prefix`.
    fn save(&self, index: usize, prefix: &str) -> Vec<Named>;
    /// Takes the state up again; what is not there stays as it is.
    fn load(&mut self, index: usize, prefix: &str, saved: &[Named], device: &Device);
}

/// The optimiser of an experiment, for that many parameters.
pub(super) fn optimizer(experiment: &Optimizer, parameters: usize) -> Box<dyn Update> {
    fn with_states<R: Rule>(rule: R, parameters: usize) -> Box<dyn Update> {
        Box::new(States { rule, states: vec![None; parameters] })
    }
    match *experiment {
        Optimizer::Sgd { momentum, .. } => {
            let momentum = (momentum > 0.0).then(|| MomentumConfig::new().with_momentum(momentum).with_dampening(0.0));
            with_states(SgdConfig::new().with_momentum(momentum).build(), parameters)
        }
        Optimizer::Adagrad { epsilon, .. } => {
            with_states(AdaGradConfig::new().with_epsilon(epsilon as f32).build(), parameters)
        }
        Optimizer::Rmsprop { decay, epsilon, .. } => {
            let config = RmsPropConfig::new().with_alpha(decay as f32).with_epsilon(epsilon as f32);
            with_states(config.with_momentum(0.0).build(), parameters)
        }
        Optimizer::Adam { beta1, beta2, epsilon, .. } => {
            let config = AdamConfig::new().with_beta_1(beta1 as f32).with_beta_2(beta2 as f32);
            with_states(config.with_epsilon(epsilon as f32).build(), parameters)
        }
        Optimizer::Adamw { beta1, beta2, epsilon, weight_decay, .. } => {
            let config = AdamWConfig::new().with_beta_1(beta1 as f32).with_beta_2(beta2 as f32);
            let config = config.with_epsilon(epsilon as f32).with_weight_decay(weight_decay as f32);
            with_states(config.build(), parameters)
        }
    }
}

struct States<R: Rule> {
    rule: R,
    states: Vec<Option<R::State<2>>>,
}

impl<R: Rule> Update for States<R> {
    fn step(&mut self, index: usize, learning_rate: f64, parameter: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
        let (updated, state) = self.rule.step(learning_rate, parameter, gradient, self.states[index].take());
        self.states[index] = state;
        updated
    }

    fn save(&self, index: usize, prefix: &str) -> Vec<Named> {
        let Some(state) = &self.states[index] else { return Vec::new() };
        let mut sink = StateSink::default();
        state.state_flatten(prefix, &mut sink);
        let scalars = sink.scalars.into_iter().map(|(name, value)| Named {
            name,
            shape: [1, 1],
            values: Values::F64(vec![number(value)]),
        });
        sink.tensors.into_iter().map(|(name, data)| named(name, data)).chain(scalars).collect()
    }

    fn load(&mut self, index: usize, prefix: &str, saved: &[Named], device: &Device) {
        let within = format!("{prefix}.");
        let mut scalars = std::collections::BTreeMap::new();
        let mut tensors = Vec::new();
        for named in saved.iter().filter(|named| named.name.starts_with(&within)) {
            match &named.values {
                // Burn's states hold counters besides their moments, and nothing else that is no matrix.
                Values::F64(values) if named.name.ends_with(".time") => {
                    scalars.insert(named.name.clone(), (values[0] as u64).into());
                }
                values => tensors.push((named.name.clone(), data(named.shape, values))),
            }
        }
        let mut source = StateSource::new(scalars);
        for (name, data) in tensors {
            source.insert_tensor(name, data);
        }
        if let Some(state) = R::State::<2>::state_unflatten(prefix, &mut source, device) {
            self.states[index] = Some(state);
        }
    }
}

/// A scalar of Burn's record format, which is a count in every optimiser used here.
fn number<S: Copy>(scalar: S) -> f64
where
    u64: TryFrom<S>,
    f64: TryFrom<S>,
{
    u64::try_from(scalar).map_or_else(|_| f64::try_from(scalar).unwrap_or(f64::NAN), |count| count as f64)
}
