//! Devices: which this build has, what this machine has of them, and what to do about those that are missing.

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

/// Where tensors live and how wide their numbers are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Backend {
    /// The device: `hatchery devices` lists them.
    pub device: String,
    /// The width of a number.
    pub dtype: Dtype,
}

impl Default for Backend {
    fn default() -> Self {
        Self { device: "cpu".to_owned(), dtype: Dtype::default() }
    }
}

/// A device that an experiment may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The word in `[backend] device`.
    pub word: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// The cargo feature that brings it.
    pub feature: &'static str,
    /// Whether this build has it.
    pub built: bool,
    /// Whether there may be several, one of which is chosen by an index or a name after a colon: `wgpu:1`.
    pub several: bool,
}

/// Every device that an experiment may name.
pub const KNOWN: [Known; 5] = [
    Known {
        word: "cpu",
        doc: "all cores of this machine, the model compiled",
        feature: "flex",
        built: cfg!(feature = "flex"),
        several: false,
    },
    Known {
        word: "flex",
        doc: "all cores of this machine, by Burn",
        feature: "flex",
        built: cfg!(feature = "flex"),
        several: false,
    },
    Known {
        word: "ndarray",
        doc: "Burn's older backend for processors",
        feature: "ndarray",
        built: cfg!(feature = "ndarray"),
        several: false,
    },
    Known {
        word: "wgpu",
        doc: "graphics cards, by Vulkan, Metal or DirectX",
        feature: "wgpu",
        built: cfg!(feature = "wgpu"),
        several: true,
    },
    Known { word: "cuda", doc: "NVIDIA graphics cards", feature: "cuda", built: cfg!(feature = "cuda"), several: true },
];

/// One of the devices that a word of [`KNOWN`] stands for, on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What an experiment writes to choose it: `wgpu:0`.
    pub selector: String,
    /// The device as it names itself.
    pub name: String,
    /// What kind of device it is, and which driver and interface lead to it.
    pub about: String,
    /// Its own memory, in bytes, where the driver says.
    pub memory: Option<u64>,
}

impl Known {
    /// What this machine has of it, in the order in which an index counts; nothing when this build lacks it.
    pub fn found(&self) -> Vec<Found> {
        match self.word {
            #[cfg(feature = "wgpu")]
            "wgpu" => wgpu::ADAPTERS.iter().map(|adapter| adapter.found.clone()).collect(),
            #[cfg(feature = "cuda")]
            "cuda" => cuda::cards(),
            "cpu" | "flex" | "ndarray" if self.built => vec![processors(self.word)],
            _ => Vec::new(),
        }
    }
}

/// The processors of this machine as a device.
fn processors(word: &str) -> Found {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Found {
        selector: word.to_owned(),
        name: format!("{cores} {} cores", std::env::consts::ARCH),
        about: "processor".to_owned(),
        memory: of_machine(),
    }
}

/// Burn's device for a `[backend]` table.
///
/// # Errors
/// When the device is unknown, not in this build or not on this machine, or cannot hold numbers of that width.
pub fn open(backend: &Backend) -> Result<Device> {
    let (known, which) = parse(&backend.device)?;
    let word = known.word;
    if backend.dtype == Dtype::F64 && word == "wgpu" {
        return Err(Problem::new(format!("the device `{word}` has no 64-bit numbers"))
            .hint("set dtype = \"f32\", or device = \"cpu\"")
            .into());
    }
    match word {
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

/// Bytes that the chosen device can hold, where that is known.
///
/// # Errors
/// As [`open`].
pub fn capacity(backend: &Backend) -> Result<Option<u64>> {
    let (known, which) = parse(&backend.device)?;
    match known.word {
        "wgpu" | "cuda" => Ok(choose(known, which, known.found())?.memory),
        _ => Ok(of_machine()),
    }
}

/// The name of the graphics card that `[backend] device` chooses, if it chooses one.
pub fn card(device: &str) -> Option<String> {
    let (known, which) = parse(device).ok()?;
    known.several.then(|| choose(known, which, known.found()).ok()).flatten().map(|found| found.name)
}

/// Whether the device computes behind the program's back.
pub(crate) fn lags(backend: &Backend) -> bool {
    parse(&backend.device).is_ok_and(|(known, _)| known.several)
}

/// The word, which this build has, and what follows its colon.
fn parse(device: &str) -> Result<(&'static Known, Option<&str>)> {
    let (word, which) = device.split_once(':').map_or((device, None), |(word, which)| (word, Some(which.trim())));
    match KNOWN.iter().find(|known| known.word == word) {
        Some(known) if known.built => Ok((known, which)),
        Some(Known { doc, feature, .. }) => Err(Problem::new(format!("this build has no device `{word}`"))
            .note(format!("`{word}` ({doc}) is brought by the cargo feature `{feature}`"))
            .hint(format!("cargo run --release --features {feature} -- …, or device = \"cpu\""))
            .into()),
        None => {
            let words: Vec<_> = KNOWN.iter().map(|known| known.word).collect();
            Err(Problem::new(format!("there is no device `{word}`"))
                .note(format!("known devices: {}", words.join(", ")))
                .into())
        }
    }
}

/// The one of the devices found that an index or a part of a name chooses; the first when nothing does.
fn choose(known: &Known, which: Option<&str>, mut found: Vec<Found>) -> Result<Found> {
    let word = known.word;
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
            let instead = if word == "wgpu" { " (without a card, Mesa's lavapipe: mesa-vulkan-drivers)" } else { "" };
            Problem::new(format!("this machine has no device for `{word}` ({})", known.doc))
                .hint(format!("install its driver{instead}, or set device = \"cpu\""))
        }
        Some(which) => Problem::new(format!("this machine has no device `{word}:{which}`"))
            .hint(format!("hatchery devices lists them; device = \"{word}\" takes the first")),
        None => Problem::new(format!("this machine has no device `{word}`")),
    };
    let list = |problem: Problem, found: &Found| problem.note(format!("{}: {}", found.selector, found.name));
    Err(found.iter().fold(problem, list).into())
}

/// Bytes of this machine's memory, where the operating system says.
pub fn of_machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// A number of bytes as people read it.
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
