//! Devices: those of this build, those of this machine, and hints for those that are missing.

#[cfg(feature = "cuda")]
mod cuda;
#[cfg(feature = "wgpu")]
mod wgpu;

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    dtype::Dtype,
    error::{Problem, Result},
};

/// The device and the dtype of all tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Backend {
    /// The device: `hatchery devices` lists them.
    pub device: String,
    /// The dtype of every tensor.
    pub dtype: Dtype,
}

impl Default for Backend {
    fn default() -> Self {
        Self { device: "cpu".to_owned(), dtype: Dtype::default() }
    }
}

/// A device that an experiment may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceKind {
    /// Its name in `[backend] device`.
    pub name: &'static str,
    /// Its description.
    pub doc: &'static str,
    /// The cargo feature that enables it.
    pub feature: &'static str,
    /// Whether this build has it.
    pub built: bool,
    /// Whether there may be several, one of which is chosen by an index or a name after a colon: `wgpu:1`.
    pub several: bool,
}

/// Every device that an experiment may name.
pub const DEVICES: [DeviceKind; 5] = [
    DeviceKind {
        name: "cpu",
        doc: "all cores of this machine, the model compiled",
        feature: "flex",
        built: cfg!(feature = "flex"),
        several: false,
    },
    DeviceKind {
        name: "flex",
        doc: "all cores of this machine, by Burn; four times as fast in a build with `--profile full`",
        feature: "flex",
        built: cfg!(feature = "flex"),
        several: false,
    },
    DeviceKind {
        name: "ndarray",
        doc: "Burn's older backend for processors",
        feature: "ndarray",
        built: cfg!(feature = "ndarray"),
        several: false,
    },
    DeviceKind {
        name: "wgpu",
        doc: "graphics cards, by Vulkan, Metal or DirectX",
        feature: "wgpu",
        built: cfg!(feature = "wgpu"),
        several: true,
    },
    DeviceKind {
        name: "cuda",
        doc: "NVIDIA graphics cards",
        feature: "cuda",
        built: cfg!(feature = "cuda"),
        several: true,
    },
];

/// A device of this machine, of one of the kinds in [`DEVICES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The value of `[backend] device` that selects it: `wgpu:0`.
    pub selector: String,
    /// The device as it names itself.
    pub name: String,
    /// Its kind, interface and driver.
    pub about: String,
    /// Its own memory, in bytes, if the driver reports it.
    pub memory: Option<u64>,
}

impl DeviceKind {
    /// The devices of this kind that this machine has, in the order of their indices; none if this build lacks the kind.
    pub fn found(&self) -> Vec<DeviceInfo> {
        match self.name {
            #[cfg(feature = "wgpu")]
            "wgpu" => wgpu::ADAPTERS.iter().map(|adapter| adapter.found.clone()).collect(),
            #[cfg(feature = "cuda")]
            "cuda" => cuda::cards(),
            "cpu" | "flex" | "ndarray" if self.built => vec![processors(self.name)],
            _ => Vec::new(),
        }
    }
}

/// The processors of this machine as a device.
fn processors(name: &str) -> DeviceInfo {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    DeviceInfo {
        selector: name.to_owned(),
        name: format!("{cores} {} cores", std::env::consts::ARCH),
        about: "processor".to_owned(),
        memory: of_machine(),
    }
}

/// Burn's device for a `[backend]` table.
///
/// # Errors
/// When the device is unknown, not in this build or not on this machine, or does not support the dtype.
pub fn open(backend: &Backend) -> Result<Device> {
    let (known, which) = parse(&backend.device)?;
    let name = known.name;
    if backend.dtype == Dtype::F64 && name == "wgpu" {
        return Err(Problem::new(format!("the device `{name}` has no 64-bit numbers"))
            .hint("set dtype = \"f32\", or device = \"cpu\"")
            .into());
    }
    match name {
        #[cfg(feature = "flex")]
        "cpu" | "flex" => Ok(Device::flex()),
        #[cfg(feature = "ndarray")]
        #[expect(deprecated, reason = "Burn deprecates it, Hatchery still offers it for comparison")]
        "ndarray" => Ok(Device::ndarray()),
        #[cfg(feature = "wgpu")]
        "wgpu" => wgpu::open(which),
        #[cfg(feature = "cuda")]
        "cuda" => cuda::open(which),
        _ => unreachable!("{which:?}: a device that is known and built is opened above"),
    }
}

/// The memory of the chosen device in bytes, if known.
///
/// # Errors
/// As [`open`].
pub fn capacity(backend: &Backend) -> Result<Option<u64>> {
    let (known, which) = parse(&backend.device)?;
    match known.name {
        "wgpu" | "cuda" => Ok(choose(known, which, known.found())?.memory),
        _ => Ok(of_machine()),
    }
}

/// The name of the graphics card that `[backend] device` chooses, if it chooses one.
pub fn card(device: &str) -> Option<String> {
    let (known, which) = parse(device).ok()?;
    known.several.then(|| choose(known, which, known.found()).ok()).flatten().map(|found| found.name)
}

/// Whether the device computes asynchronously.
pub(crate) fn lags(backend: &Backend) -> bool {
    parse(&backend.device).is_ok_and(|(known, _)| known.several)
}

/// The kind of device, which this build has, and what follows the colon.
fn parse(device: &str) -> Result<(&'static DeviceKind, Option<&str>)> {
    let (name, which) = device.split_once(':').map_or((device, None), |(name, which)| (name, Some(which.trim())));
    match DEVICES.iter().find(|known| known.name == name) {
        Some(known) if known.built => Ok((known, which)),
        Some(DeviceKind { doc, feature, .. }) => Err(Problem::new(format!("this build has no device `{name}`"))
            .note(format!("`{name}` ({doc}) needs the cargo feature `{feature}`"))
            .hint(format!("cargo run --release --features {feature} -- …, or device = \"cpu\""))
            .into()),
        None => {
            let words: Vec<_> = DEVICES.iter().map(|known| known.name).collect();
            Err(Problem::new(format!("there is no device `{name}`"))
                .note(format!("known devices: {}", words.join(", ")))
                .into())
        }
    }
}

/// The found device that an index or a part of its name selects; the first if neither is given.
fn choose(known: &DeviceKind, which: Option<&str>, mut found: Vec<DeviceInfo>) -> Result<DeviceInfo> {
    let name = known.name;
    let index = match which {
        None => 0,
        Some(which) => match which.parse::<usize>() {
            Ok(index) => index,
            Err(_) => {
                let wanted = which.to_lowercase();
                found.iter().position(|found| found.name.to_lowercase().contains(&wanted)).unwrap_or(usize::MAX)
            }
        },
    };
    if index < found.len() {
        return Ok(found.swap_remove(index));
    }
    let problem = match which {
        _ if found.is_empty() => {
            let instead = if name == "wgpu" { " (without a card, Mesa's lavapipe: mesa-vulkan-drivers)" } else { "" };
            Problem::new(format!("this machine has no device for `{name}` ({})", known.doc))
                .hint(format!("install its driver{instead}, or set device = \"cpu\""))
        }
        Some(which) => Problem::new(format!("this machine has no device `{name}:{which}`"))
            .hint(format!("hatchery devices lists them; device = \"{name}\" takes the first")),
        None => Problem::new(format!("this machine has no device `{name}`")),
    };
    let list = |problem: Problem, found: &DeviceInfo| problem.note(format!("{}: {}", found.selector, found.name));
    Err(found.iter().fold(problem, list).into())
}

/// The memory of this machine in bytes, if the operating system reports it.
pub fn of_machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// A number of bytes as text with a unit.
pub fn bytes(count: f64) -> String {
    let (mut value, mut unit) = (count, "bytes");
    for larger in ["kB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if unit == "bytes" { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}
