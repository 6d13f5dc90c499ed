//! Plugins: the registry of all that are known, and those from libraries that are loaded at run time.
//!
//! A library says in its manifest what it offers; that is read and checked first. A cell or clipper of it is a recorded
//! graph that the host replays ([`replay`](crate::replay)), a sampler or dataset is called with slices. To the rest of
//! the framework they are plugins like any other: [`load`] of a library that the user trusts ([`TrustList`]) gives a [`Provider`](hatchery_plugin::Provider).
//!
//! Every call to a library can fail. A plugin from one implements [`HostCell`](hatchery_plugin::host::HostCell),
//! [`HostClipper`](hatchery_plugin::host::HostClipper), [`HostSampler`](hatchery_plugin::host::HostSampler) or
//! [`Dataset`](hatchery_plugin::Dataset), whose functions return the error; it names the library, the plugin and the
//! function.

mod cell;
mod clipper;
mod dataset;
mod doctor;
mod drift;
mod instance;
mod library;
mod load;
mod manifest;
mod part;
mod recording;
mod registry;
mod sampler;
mod truncated;
mod trust;
mod verdict;
mod wrapper;

pub(crate) use self::part::take_string;

pub use self::{
    doctor::{Finding, examine},
    drift::check_drift,
    load::{Loaded, complete, load, search_folders},
    manifest::read as read_manifest,
    part::Part,
    recording::provider as recorded_provider,
    registry::{Built, Entry, Origin, Registry},
    trust::{LibraryFile, NamedBy, NamedLibrary, TrustEntry, TrustList, TrustedLibrary, is_sha256},
    verdict::Verdict,
};
