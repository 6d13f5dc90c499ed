//! The noise of cells: drawn for an update, its expectation for evaluation and generation.

use hatchery_plugin::{Distribution, Rng};

use super::{executable::CompiledModel, shard::Shard};
use crate::{
    kernels::Float,
    model::Streams,
    plan::noise::{NoiseMemory, NoisePlace},
};

/// Values of one distribution, or its expectation.
struct Source {
    distribution: Distribution,
    stream: Option<Box<dyn Rng>>,
}

impl Source {
    fn new(prefix: &str, noise: &NoiseMemory, streams: Option<&dyn Streams>) -> Self {
        let stream = streams.map(|streams| streams.noise(&format!("{prefix}{}", noise.name)));
        Self { distribution: noise.distribution, stream }
    }

    fn fill<T: Float>(&mut self, values: &mut [T]) {
        match &mut self.stream {
            Some(stream) => {
                values.iter_mut().for_each(|value| *value = T::from_f64(self.distribution.draw(&mut **stream)));
            }
            None => values.fill(T::from_f64(self.distribution.expectation())),
        }
    }
}

impl<T: Float> CompiledModel<T> {
    /// Sets the noise that is the same for a whole update, before what depends on it is computed.
    pub(super) fn set_update_noise(&mut self, streams: Option<&dyn Streams>) {
        if streams.is_none() && !self.has_drawn_noise {
            return;
        }
        self.has_drawn_noise = streams.is_some();
        for layer in &self.plan.layers {
            for noise in &layer.noise {
                let NoisePlace::Update(at) = noise.place else { continue };
                let values = &mut self.buffers.parameters[at.offset..at.offset + at.len()];
                Source::new(&layer.prefix, noise, streams).fill(values);
                self.buffers.is_packed = false;
            }
        }
    }

    /// Sets the noise that has a row for each sequence.
    pub(super) fn set_noise_of_rows(&mut self, shards: &[Shard], streams: Option<&dyn Streams>) {
        for layer in &self.plan.layers {
            for noise in &layer.noise {
                let NoisePlace::Rows { buffer, is_each_step } = noise.place else { continue };
                let (base, width) = (self.buffers.base(buffer), self.plan.buffers[buffer.index()].width);
                let mut source = Source::new(&layer.prefix, noise, streams);
                for step in 0..shards[0].steps {
                    for shard in shards {
                        let start = base + shard.first_row * shard.steps * width;
                        let count = shard.rows * width;
                        if step == 0 || is_each_step {
                            source.fill(&mut self.buffers.work[start + step * count..][..count]);
                        } else {
                            self.buffers.work.copy_within(start..start + count, start + step * count);
                        }
                    }
                }
            }
        }
    }
}
