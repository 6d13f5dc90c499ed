//! A sampler from a library: called with slices.

use hatchery_plugin::{PluginError, Token, host::HostSampler};

use super::instance::Instance;

pub(super) struct LoadedSampler {
    instance: Instance,
}

impl LoadedSampler {
    pub(super) fn new(instance: Instance) -> Self {
        Self { instance }
    }
}

impl HostSampler for LoadedSampler {
    fn process(&self, logits: &mut [f64], history: &[Token]) -> Result<(), PluginError> {
        let called = self.instance.library().and_then(|(library, number)| library.process(number, logits, history));
        called.map_err(|error| self.instance.failed("process", error))
    }
}
