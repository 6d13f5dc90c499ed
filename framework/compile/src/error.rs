//! Why a model is not compiled.

/// An operation, or a use of one, that is not compiled. Such a model runs on the Burn executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The operation or the rule, as a lower-case fragment.
    pub reason: String,
}

/// The result of compiling.
pub(crate) type Result<T> = std::result::Result<T, Unsupported>;

impl Unsupported {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Unsupported {}

impl From<hatchery_plugin::PluginError> for Unsupported {
    fn from(error: hatchery_plugin::PluginError) -> Self {
        Self::new(error.message)
    }
}
