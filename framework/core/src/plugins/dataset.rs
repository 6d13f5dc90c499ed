//! A dataset from a library: called with the text.

use hatchery_plugin::{
    Dataset, Documents, Framing, PluginError, Source,
    wire::{self, DocumentList, InstanceInfo},
};

use super::instance::Instance;

pub(super) struct LoadedDataset {
    instance: Instance,
    framing: Framing,
}

impl LoadedDataset {
    pub(super) fn new(instance: Instance, info: InstanceInfo) -> Result<Self, PluginError> {
        let framing = info.framing.ok_or_else(|| PluginError::new("it does not say how its documents are framed"))?;
        let positive = match framing {
            Framing::Documents { length, .. } => length.is_none_or(|length| length >= 2),
            Framing::Windows { length, stride, .. } => length >= 1 && stride >= 1,
            Framing::Stream { steps } => steps >= 1,
        };
        if positive {
            Ok(Self { instance, framing })
        } else {
            Err(PluginError::new("its framing has a length of zero"))
        }
    }

    fn read(&self, source: &Source<'_>) -> Result<Documents, PluginError> {
        let (library, number) = self.instance.library()?;
        let bytes = library.documents(number, source.name, source.text)?;
        let list: DocumentList =
            wire::read(&bytes).map_err(|error| PluginError::new(format!("its documents cannot be read: {error}")))?;
        match list {
            DocumentList::Text(texts) => Ok(Documents::Text(texts)),
            DocumentList::Ranges(ranges) => {
                if let Some((from, to)) = ranges.iter().find(|(from, to)| source.text.get(*from..*to).is_none()) {
                    return Err(PluginError::new(format!("bytes {from} to {to} are no part of `{}`", source.name)));
                }
                Ok(Documents::Ranges(ranges.into_iter().map(|(from, to)| from..to).collect()))
            }
        }
    }
}

impl Dataset for LoadedDataset {
    fn documents(&self, source: &Source<'_>) -> Result<Documents, PluginError> {
        self.read(source).map_err(|error| self.instance.failed("documents", error))
    }

    fn framing(&self) -> Framing {
        self.framing.clone()
    }
}
