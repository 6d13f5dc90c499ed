//! Burn's optimizers behind one interface.
//!
//! `burn-optim` updates tensor by tensor with a generic state; here the state of every parameter is kept in a list and
//! flattened into named matrices for checkpoints. Its coefficients (the betas, epsilon) are 32-bit numbers even in a
//! 64-bit run, so updates agree with a pure 64-bit implementation to about seven digits.

use burn::{
    Tensor,
    optim::{
        AdaGradConfig, AdaGradState, AdamConfig, AdamState, AdamWConfig, AdamWState, AdaptiveMomentumState,
        CenteredState, LrDecayState, Optimizer as Rule, RecordState, RmsPropConfig, RmsPropState, SgdConfig, SgdState,
        SquareAvgState, StateSink,
        momentum::{MomentumConfig, MomentumState},
    },
    tensor::{DType, Device},
};

use crate::{
    error::Result,
    experiment::Optimizer,
    tensors::{NamedTensor, Values, data, named},
};

/// An optimizer with the state of every parameter.
pub(super) trait Update {
    /// The parameter of that index after one step.
    fn step(&mut self, index: usize, learning_rate: f64, parameter: Tensor<2>, gradient: Tensor<2>) -> Tensor<2>;
    /// Keeps the current states for [`Update::undo`].
    fn snapshot(&mut self);
    /// Undoes the steps since [`Update::snapshot`].
    fn undo(&mut self);
    /// The state of the parameter of that index, as matrices whose names begin with `prefix`.
    ///
    /// # Errors
    /// When the device fails.
    fn save(&self, index: usize, prefix: &str) -> Result<Vec<NamedTensor>>;
    /// Restores the state; without a saved one, the parameter's is that before the first update.
    fn load(&mut self, index: usize, saved: &Saved<'_>);
}

/// The optimizer of an experiment.
pub(super) fn optimizer(experiment: &Optimizer, parameters: usize) -> Box<dyn Update> {
    match *experiment {
        Optimizer::Sgd { momentum, .. } => {
            let momentum = (momentum > 0.0).then(|| MomentumConfig::new().with_momentum(momentum).with_dampening(0.0));
            States::of(SgdConfig::new().with_momentum(momentum).build(), parameters, |saved| {
                Some(SgdState::new(Some(MomentumState::new(saved.matrix("momentum.velocity")?))))
            })
        }
        Optimizer::Adagrad { epsilon, .. } => {
            States::of(AdaGradConfig::new().with_epsilon(epsilon as f32).build(), parameters, |saved| {
                Some(AdaGradState::new(LrDecayState::new(saved.count("lr_decay.time")?, saved.matrix("lr_decay.sum")?)))
            })
        }
        Optimizer::Rmsprop { decay, epsilon, .. } => {
            let config = RmsPropConfig::new().with_alpha(decay as f32).with_epsilon(epsilon as f32);
            States::of(config.with_momentum(0.0).build(), parameters, |saved| {
                let mean = SquareAvgState::new(saved.matrix("square_avg.square_avg")?);
                Some(RmsPropState::new(mean, CenteredState::new(None, saved.matrix("centered.avg")?), None))
            })
        }
        Optimizer::Adam { beta1, beta2, epsilon, .. } => {
            let config = AdamConfig::new().with_beta_1(beta1 as f32).with_beta_2(beta2 as f32);
            let rule = config.with_epsilon(epsilon as f32).build();
            States::of(rule, parameters, |saved| Some(AdamState::new(moments(saved)?)))
        }
        Optimizer::Adamw { beta1, beta2, epsilon, weight_decay, .. } => {
            let config = AdamWConfig::new().with_beta_1(beta1 as f32).with_beta_2(beta2 as f32);
            let rule = config.with_epsilon(epsilon as f32).with_weight_decay(weight_decay as f32).build();
            States::of(rule, parameters, |saved| Some(AdamWState::new(moments(saved)?)))
        }
    }
}

fn moments(saved: &Saved<'_>) -> Option<AdaptiveMomentumState<2>> {
    let (first, second) = (saved.matrix("momentum.moment_1")?, saved.matrix("momentum.moment_2")?);
    Some(AdaptiveMomentumState::new(saved.count("momentum.time")?, first, second))
}

/// One parameter's state in a checkpoint. Burn's own restoring gives every tensor the device's default dtype, which would
/// truncate 64-bit moments.
pub(super) struct Saved<'a> {
    /// The whole checkpoint.
    pub(super) tensors: &'a [NamedTensor],
    /// The prefix of the names of this parameter's state.
    pub(super) prefix: String,
    /// The device and dtype of the state.
    pub(super) place: (&'a Device, DType),
}

impl Saved<'_> {
    fn find(&self, leaf: &str) -> Option<&NamedTensor> {
        self.tensors.iter().find(|named| {
            let rest = named.name.strip_prefix(self.prefix.as_str());
            rest.and_then(|rest| rest.strip_prefix('.')) == Some(leaf)
        })
    }

    fn matrix(&self, leaf: &str) -> Option<Tensor<2>> {
        let found = self.find(leaf)?;
        Some(Tensor::from_data(data(found.shape, &found.values), self.place))
    }

    fn count(&self, leaf: &str) -> Option<usize> {
        match &self.find(leaf)?.values {
            Values::F64(values) => values.first().map(|&count| count as usize),
            Values::F32(values) => values.first().map(|&count| count as usize),
        }
    }
}

/// One of Burn's optimizers with the state of every parameter.
struct States<R: Rule> {
    rule: R,
    current: Vec<Option<R::State<2>>>,
    before: Vec<Option<R::State<2>>>,
    restore: fn(&Saved<'_>) -> Option<R::State<2>>,
}

impl<R: Rule> States<R> {
    fn of(rule: R, parameters: usize, restore: fn(&Saved<'_>) -> Option<R::State<2>>) -> Box<dyn Update> {
        Box::new(Self { rule, current: vec![None; parameters], before: Vec::new(), restore })
    }
}

impl<R: Rule> Update for States<R> {
    fn step(&mut self, index: usize, learning_rate: f64, parameter: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
        let (updated, state) = self.rule.step(learning_rate, parameter, gradient, self.current[index].take());
        self.current[index] = state;
        updated
    }

    fn snapshot(&mut self) {
        self.before.clone_from(&self.current);
    }

    fn undo(&mut self) {
        self.current = std::mem::take(&mut self.before);
    }

    fn save(&self, index: usize, prefix: &str) -> Result<Vec<NamedTensor>> {
        let Some(state) = &self.current[index] else { return Ok(Vec::new()) };
        let mut sink = StateSink::default();
        state.state_flatten(prefix, &mut sink);
        let scalar = |(name, value)| Ok(NamedTensor { name, shape: [1, 1], values: Values::F64(vec![number(value)]) });
        let scalars = sink.scalars.into_iter().map(scalar);
        sink.tensors.into_iter().map(|(name, data)| named(name, &data)).chain(scalars).collect()
    }

    fn load(&mut self, index: usize, saved: &Saved<'_>) {
        self.current[index] = (self.restore)(saved);
    }
}

/// A scalar of Burn's record format, which is a count in every optimizer used here.
fn number<S: Copy>(scalar: S) -> f64
where
    u64: TryFrom<S>,
    f64: TryFrom<S>,
{
    u64::try_from(scalar).map_or_else(|_| f64::try_from(scalar).unwrap_or(f64::NAN), |count| count as f64)
}
