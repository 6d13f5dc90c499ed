//! How a plugin crate says what it offers: one list, from which the framework builds by name.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Dataset, PluginError,
    host::{HostCell, HostClipper, HostSampler},
};

/// The four kinds of plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// How a source becomes sequences.
    Dataset,
    /// What one time step computes.
    Cell,
    /// What happens to gradients.
    Clipper,
    /// What happens to logits.
    Sampler,
}

impl Kind {
    /// All kinds, in the order in which a run uses them.
    pub const ALL: [Self; 4] = [Self::Dataset, Self::Cell, Self::Clipper, Self::Sampler];

    /// The word used in experiment files, messages and paths.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Cell => "cell",
            Self::Clipper => "clipper",
            Self::Sampler => "sampler",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// What one crate offers.
#[derive(Debug)]
pub struct Provider {
    /// The crate's name.
    pub package: &'static str,
    /// The crate's version.
    pub version: &'static str,
    /// Its plugins.
    pub variants: Vec<Variant>,
}

impl Provider {
    /// The plugin of that kind and name.
    pub fn find(&self, kind: Kind, name: &str) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.kind() == kind && variant.name == name)
    }
}

/// One plugin: a kind, a name, its documentation, its keys, and how to build it from them.
#[derive(Debug)]
pub struct Variant {
    /// The name used in experiment files: `type = "name"`.
    pub name: &'static str,
    /// What it is, from the documentation of its type.
    pub doc: String,
    /// JSON schema of its keys.
    pub schema: Value,
    /// Builds it.
    pub build: Build,
}

impl Variant {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.build.kind()
    }
}

/// From a table of keys to the plugin and to the table with every default filled in.
pub type Builder<T> = Arc<dyn Fn(Value) -> Result<(Box<T>, Value), PluginError> + Send + Sync>;

/// Builds a plugin of one kind.
#[derive(Clone)]
pub enum Build {
    /// Builds a dataset.
    Dataset(Builder<dyn Dataset>),
    /// Builds a cell.
    Cell(Builder<dyn HostCell>),
    /// Builds a clipper.
    Clipper(Builder<dyn HostClipper>),
    /// Builds a sampler.
    Sampler(Builder<dyn HostSampler>),
}

impl Build {
    /// The kind of what is built.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Dataset(_) => Kind::Dataset,
            Self::Cell(_) => Kind::Cell,
            Self::Clipper(_) => Kind::Clipper,
            Self::Sampler(_) => Kind::Sampler,
        }
    }
}

impl std::fmt::Debug for Build {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Build({})", self.kind())
    }
}

/// A variant from its configuring type; [`export!`] calls it.
#[doc(hidden)]
pub fn variant<T: JsonSchema>(name: &'static str, build: Build) -> Variant {
    let schema = schemars::schema_for!(T).to_value();
    let doc = schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    Variant { name, doc, schema, build }
}

/// Reads a plugin's keys and fills in its defaults; [`export!`] calls it.
#[doc(hidden)]
pub fn configure<T: DeserializeOwned + Serialize>(keys: Value) -> Result<(T, Value), PluginError> {
    let plugin: T = serde_json::from_value(keys).map_err(|error| PluginError::new(error.to_string()))?;
    let resolved = serde_json::to_value(&plugin).map_err(|error| PluginError::new(error.to_string()))?;
    Ok((plugin, resolved))
}

/// Lists the plugins of a crate: `export! { cell "gru" => Gru, … }` at its root.
///
/// It writes `pub fn plugins() -> Provider`, which whoever links the crate passes to the registry. Each type is its
/// own configuration: it derives `Serialize`, `Deserialize` and `JsonSchema`, with
/// `#[serde(deny_unknown_fields, rename_all = "kebab-case")]`.
///
/// With the crate's own feature `library` it also writes the C entry points by which the crate is loaded at run time
/// (`include/hatchery_plugin.h`). They have fixed names, so a crate that is linked into a program is built without.
#[macro_export]
macro_rules! export {
    ($($kind:ident $name:literal => $type:ty),+ $(,)?) => {
        /// The plugins of this crate.
        pub fn plugins() -> $crate::Provider {
            $crate::Provider {
                package: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                variants: vec![$($crate::export!(@variant $kind $name $type)),+],
            }
        }

        $crate::export!(@entry plugins);
    };
    (@variant dataset $name:literal $type:ty) => { $crate::export!(@build Dataset $name $type) };
    (@variant cell $name:literal $type:ty) => { $crate::export!(@build Cell $name $type) };
    (@variant clipper $name:literal $type:ty) => { $crate::export!(@build Clipper $name $type) };
    (@variant sampler $name:literal $type:ty) => { $crate::export!(@build Sampler $name $type) };
    (@build $kind:ident $name:literal $type:ty) => {
        $crate::__private::variant::<$type>(
            $name,
            $crate::Build::$kind(::std::sync::Arc::new(|keys| {
                let (plugin, resolved) = $crate::__private::configure::<$type>(keys)?;
                Ok((Box::new(plugin), resolved))
            })),
        )
    };
    (@entry $plugins:ident) => {
        /// The C entry points: see `include/hatchery_plugin.h` of `hatchery-plugin`.
        #[cfg(feature = "library")]
        #[doc(hidden)]
        mod hatchery_entry_points {
            use $crate::__private::entry::{self, Answer, Bytes};

            /// # Safety
            /// `out` points to a `Bytes` that may be overwritten.
            unsafe fn put(out: *mut Bytes, (status, bytes): Answer) -> i32 {
                // SAFETY: the caller says so.
                unsafe { out.write(Bytes::give(bytes)) };
                status
            }

            /// # Safety
            /// `data` points to `length` values that stay as they are during the call, or `length` is 0.
            unsafe fn slice<'a, T>(data: *const T, length: usize) -> &'a [T] {
                if length == 0 {
                    return &[];
                }
                // SAFETY: the caller says so.
                unsafe { ::std::slice::from_raw_parts(data, length) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn hatchery_plugin_manifest(out: *mut Bytes) -> i32 {
                // SAFETY: the header demands a valid `out`.
                unsafe { put(out, entry::manifest(super::$plugins)) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn hatchery_plugin_open(
                request: *const u8,
                length: usize,
                instance: *mut u64,
                out: *mut Bytes,
            ) -> i32 {
                let mut number = 0;
                // SAFETY: the header demands `length` valid bytes, and valid `instance` and `out`.
                unsafe {
                    let answer = entry::open(super::$plugins, slice(request, length), &mut number);
                    instance.write(number);
                    put(out, answer)
                }
            }

            #[unsafe(no_mangle)]
            extern "C" fn hatchery_plugin_close(instance: u64) {
                entry::close(instance);
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn hatchery_plugin_params(instance: u64, inputs: usize, out: *mut Bytes) -> i32 {
                // SAFETY: the header demands a valid `out`.
                unsafe { put(out, entry::declare(instance, inputs)) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn hatchery_plugin_capture(
                instance: u64,
                request: *const u8,
                length: usize,
                out: *mut Bytes,
            ) -> i32 {
                // SAFETY: the header demands `length` valid bytes and a valid `out`.
                unsafe { put(out, entry::capture(instance, slice(request, length))) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn hatchery_plugin_process(
                instance: u64,
                logits: *mut f64,
                vocabulary: usize,
                history: *const u32,
                length: usize,
                out: *mut Bytes,
            ) -> i32 {
                // SAFETY: the header demands `vocabulary` numbers that nobody else looks at, `length` tokens and a
                // valid `out`.
                unsafe {
                    let logits =
                        if vocabulary == 0 { &mut [] } else { ::std::slice::from_raw_parts_mut(logits, vocabulary) };
                    put(out, entry::process(instance, logits, slice(history, length)))
                }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn hatchery_plugin_documents(
                instance: u64,
                name: *const u8,
                name_length: usize,
                text: *const u8,
                text_length: usize,
                out: *mut Bytes,
            ) -> i32 {
                // SAFETY: the header demands that many valid bytes and a valid `out`.
                unsafe { put(out, entry::documents(instance, slice(name, name_length), slice(text, text_length))) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn hatchery_plugin_free(bytes: Bytes) {
                if !bytes.data.is_null() {
                    // SAFETY: the header demands bytes that this library gave: `Bytes::give` made them of a box.
                    drop(unsafe {
                        ::std::boxed::Box::from_raw(::std::ptr::slice_from_raw_parts_mut(bytes.data, bytes.length))
                    });
                }
            }
        }
    };
}
