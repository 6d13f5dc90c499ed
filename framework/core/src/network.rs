//! A network: an experiment's model with its numbers and its symbols. It is all that generation needs, and with data
//! beside it all that training needs.

use std::sync::Arc;

use hatchery_plugin::{
    Build, Framing, Kind, Name,
    host::{HostClipper, HostSampler},
};
use serde_json::Value;

use crate::{
    data::{Vocabulary, encode_prefix},
    device,
    error::{Problem, Result},
    executor::{AveragedExecutor, BurnExecutor, CompiledExecutor, Executor, memory},
    experiment::{Experiment, reading},
    model::Model,
    plugins::{Entry, Part, Registry},
    provenance::{Provenance, Recorded, Recording},
    run::checkpoint::{Checkpoint, Meta, Progress},
};

/// An experiment's model, ready to run.
pub struct Network {
    /// The experiment, every default filled in.
    pub experiment: Experiment,
    /// The symbols.
    pub vocabulary: Arc<Vocabulary>,
    /// How the dataset frames its documents: where sequences begin and end.
    pub framing: Framing,
    /// What happens to logits before a token is drawn.
    pub samplers: Vec<Box<dyn HostSampler>>,
    /// Runs the model.
    pub executor: Box<dyn Executor>,
    /// Why the model runs on Burn although the device is `cpu`, if it does.
    pub remark: Option<String>,
    /// The parameter count.
    pub size: usize,
    /// Which plugin provided each part.
    pub plugins: Vec<Provenance>,
}

impl Network {
    /// The network of an experiment with its initial values.
    ///
    /// # Errors
    /// When a plugin refuses its keys, the device is not there, or the samples are to begin with an unknown character.
    pub fn new(experiment: Experiment, vocabulary: Arc<Vocabulary>, registry: &Registry) -> Result<Self> {
        let device = device::open(&experiment.backend)?;
        // The samples of the first report would find it out too late: there is a run directory by then.
        encode_prefix(&vocabulary, &experiment.sample.prefix)?;
        let model = Model::new(&experiment, registry, vocabulary.len())?;
        memory::fits(&model, &experiment)?;
        let size = model.size();
        let values = model.initial_values(experiment.seed, experiment.rng);
        let clippers = clippers(&experiment, registry, &model)?;
        let plugins = provenance(&experiment, registry, &recordings(&model, &clippers)?);
        let mut remark = None;
        let compiled = (experiment.backend.device == "cpu")
            .then(|| CompiledExecutor::new(&model, &values, &clippers, &experiment))
            .and_then(|compiled| compiled.map_err(|refusal| remark = Some(uncompiled(&experiment, &refusal))).ok());
        let executor: Box<dyn Executor> = match compiled {
            Some(compiled) => Box::new(compiled),
            None => Box::new(BurnExecutor::new(model, values, clippers, &experiment, &device)),
        };
        let (dataset, _) = registry.dataset(&experiment.dataset.part)?;
        Ok(Self {
            framing: dataset.framing(),
            samplers: samplers(&experiment, registry)?,
            plugins,
            experiment,
            vocabulary,
            executor,
            remark,
            size,
        })
    }

    /// The network of a checkpoint, and how far its training had come. `device` replaces the recorded device.
    ///
    /// # Errors
    /// When the recorded experiment needs what this build lacks, or the checkpoint does not fit it.
    pub fn restore(checkpoint: &Checkpoint, overrides: &[String], registry: &Registry) -> Result<(Self, Progress)> {
        let text = &checkpoint.meta.experiment;
        let experiment = reading::from_text(text, "the experiment in the checkpoint", overrides, registry)?;
        Self::with_checkpoint(experiment, checkpoint, registry)
    }

    /// The network of an experiment with the parameters and states of a checkpoint, and how far its training was.
    ///
    /// # Errors
    /// Those of [`Network::new`], and when the checkpoint does not fit the experiment.
    pub fn with_checkpoint(
        experiment: Experiment,
        checkpoint: &Checkpoint,
        registry: &Registry,
    ) -> Result<(Self, Progress)> {
        let meta = &checkpoint.meta;
        let vocabulary = Vocabulary::from_text(&meta.vocabulary, &experiment.vocabulary)?;
        let mut network = Self::new(experiment, Arc::new(vocabulary), registry)?;
        network.executor.load(&checkpoint.tensors)?;
        Ok((network, meta.progress.clone()))
    }

    /// This network with the logits of others averaged into its own. It then only generates.
    ///
    /// # Errors
    /// When one of them has other symbols, or was trained on sequences of another form.
    pub fn average(mut self, others: Vec<Self>) -> Result<Self> {
        for other in &others {
            let what = match other {
                _ if other.vocabulary.symbols() != self.vocabulary.symbols() => "other symbols",
                _ if other.framing != self.framing => "sequences of another form",
                _ => continue,
            };
            let [one, two] = [&self, other].map(|network| network.experiment.name.as_str());
            return Err(Problem::new(format!("`{one}` and `{two}` cannot be averaged: they were trained with {what}"))
                .hint("average models of one corpus and one [dataset] table; cells and sizes may differ")
                .into());
        }
        let models = std::iter::once(self.executor).chain(others.into_iter().map(|other| other.executor));
        self.executor = Box::new(AveragedExecutor(models.collect()));
        Ok(self)
    }

    /// The seed of samples for which none was given. The notebooks count theirs from 0.
    pub fn sample_seed(&self) -> u64 {
        let reseeded = self.experiment.numpy.as_ref().is_some_and(|numpy| numpy.reseed_each_character);
        if reseeded { 0 } else { self.experiment.seed }
    }

    /// Everything that a later run needs to continue exactly.
    ///
    /// # Errors
    /// When the device fails.
    pub fn checkpoint(&self, progress: &Progress) -> Result<Checkpoint> {
        Ok(Checkpoint {
            tensors: self.executor.save()?,
            meta: Meta {
                experiment: self.experiment.to_toml(),
                vocabulary: self.vocabulary.to_text(),
                progress: progress.clone(),
                plugins: self.plugins.clone(),
                data: None,
                logs: None,
            },
        })
    }
}

/// Why an experiment's model is not compiled.
fn uncompiled(experiment: &Experiment, refusal: &hatchery_compile::Unsupported) -> String {
    format!(
        "{} runs on Burn and not compiled: {refusal} (`cargo build --profile full` makes Burn faster)",
        match &experiment.cell {
            Some(cell) => format!("the cell `{}`", cell.part.name),
            None => experiment.stack(),
        }
    )
}

fn clippers(experiment: &Experiment, registry: &Registry, model: &Model) -> Result<Vec<Box<dyn HostClipper>>> {
    let shapes: Vec<_> = model.params().into_iter().map(|spec| (spec.name, spec.shape)).collect();
    let clipper = |part| {
        let (clipper, _) = registry.clipper(part)?;
        clipper.prepare(&shapes, experiment.backend.dtype.into())?;
        Ok(clipper)
    };
    experiment.clipper.iter().map(clipper).collect()
}

/// The sampler chain of an experiment.
///
/// # Errors
/// When a sampler refuses its keys.
pub fn samplers(experiment: &Experiment, registry: &Registry) -> Result<Vec<Box<dyn HostSampler>>> {
    experiment.sampler.iter().map(|part| Ok(registry.sampler(part)?.0)).collect()
}

/// What is kept of libraries, by the plugin's name: an entry for each place in which it stands, none for one that cannot be
/// kept.
type Recordings = Vec<(Kind, Name, Option<Value>)>;

fn recordings(model: &Model, clippers: &[Box<dyn HostClipper>]) -> Result<Recordings> {
    let shapes: Vec<_> = model.params().into_iter().map(|spec| (spec.name, spec.shape)).collect();
    let mut found = Vec::new();
    for layer in &model.layers {
        let of_layer = layer.cell.recordings(layer.inputs)?;
        found.extend(of_layer.into_iter().map(|(name, recording)| (Kind::Cell, name, recording)));
    }
    for clipper in clippers {
        let of_clipper = clipper.recordings(&shapes)?;
        found.extend(of_clipper.into_iter().map(|(name, recording)| (Kind::Clipper, name, recording)));
    }
    Ok(found)
}

/// What was kept of one plugin.
fn recorded(kind: Kind, entry: &Entry, recordings: &Recordings) -> Option<Recorded> {
    let own = recordings.iter().filter(|(of, name, _)| *of == kind && *name == entry.variant.name);
    // All or nothing: a plugin that lacks one layer could not be run.
    let mut instances: Vec<Recording> = Vec::new();
    for (_, _, recording) in own {
        let recording: Recording = serde_json::from_value(recording.clone()?).ok()?;
        if !instances.iter_mut().any(|known| known.join(&recording)) {
            instances.push(recording);
        }
    }
    if instances.is_empty() {
        return None;
    }
    let is_wrapper = matches!(entry.variant.build, Build::Wrapper(_));
    Some(Recorded { is_wrapper, schema: entry.variant.schema.clone(), instances })
}

fn provenance(experiment: &Experiment, registry: &Registry, recordings: &Recordings) -> Vec<Provenance> {
    parts(experiment)
        .into_iter()
        .filter_map(|(kind, part)| {
            let entry = registry.find(kind, &part.name)?;
            let origin = &entry.origin;
            Some(Provenance {
                kind: kind.word().to_owned(),
                name: part.name.clone(),
                package: origin.package.clone(),
                version: origin.version.clone(),
                library: origin.library.clone(),
                recorded: recorded(kind, entry, recordings),
                conformance: entry.verdict.get().map(|verdict| verdict.summary.clone()),
            })
        })
        .collect()
}

/// The plugins that an experiment names, each cell and wrapper once.
pub fn parts(experiment: &Experiment) -> Vec<(Kind, Part)> {
    let dataset = std::iter::once((Kind::Dataset, experiment.dataset.part.clone()));
    let mut cells: Vec<Part> = Vec::new();
    for layer in experiment.layers() {
        for part in std::iter::once(layer.part).chain(layer.wrap) {
            if !cells.iter().any(|known| known.name == part.name) {
                cells.push(part);
            }
        }
    }
    dataset
        .chain(cells.into_iter().map(|part| (Kind::Cell, part)))
        .chain(experiment.clipper.iter().map(|part| (Kind::Clipper, part.clone())))
        .chain(experiment.sampler.iter().map(|part| (Kind::Sampler, part.clone())))
        .collect()
}
