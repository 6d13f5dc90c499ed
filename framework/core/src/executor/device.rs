//! Devices: which this build has, and what to do about those that it has not.

use burn::tensor::{DType, Device};

use crate::{
    error::{Problem, Result},
    experiment::{Backend, Dtype},
};

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
}

/// Every device that an experiment may name.
pub const KNOWN: [Known; 5] = [
    Known { word: "cpu", doc: "all cores of this machine", feature: "flex", built: cfg!(feature = "flex") },
    Known { word: "flex", doc: "Burn's own CPU backend", feature: "flex", built: cfg!(feature = "flex") },
    Known { word: "ndarray", doc: "Burn's older CPU backend", feature: "ndarray", built: cfg!(feature = "ndarray") },
    Known {
        word: "wgpu",
        doc: "graphics cards, by Vulkan, Metal or DirectX",
        feature: "wgpu",
        built: cfg!(feature = "wgpu"),
    },
    Known { word: "cuda", doc: "NVIDIA graphics cards", feature: "cuda", built: cfg!(feature = "cuda") },
];

/// Burn's device for a `[backend]` table.
///
/// # Errors
/// When the device is unknown, not in this build, or cannot hold numbers of that width.
pub fn open(backend: &Backend) -> Result<Device> {
    let word = backend.device.as_str();
    let Some(known) = KNOWN.iter().find(|known| known.word == word) else {
        let words: Vec<_> = KNOWN.iter().map(|known| known.word).collect();
        return Err(Problem::new(format!("there is no device `{word}`"))
            .note(format!("known devices: {}", words.join(", ")))
            .into());
    };
    if !known.built {
        let feature = known.feature;
        return Err(Problem::new(format!("this build has no device `{word}`"))
            .note(format!("`{word}` ({}) is brought by the cargo feature `{feature}`", known.doc))
            .hint(format!("cargo run --release --features {feature} -- …, or device = \"cpu\""))
            .into());
    }
    let device = match word {
        #[cfg(feature = "flex")]
        "cpu" | "flex" => Device::flex(),
        #[cfg(feature = "ndarray")]
        #[expect(deprecated, reason = "Burn deprecates it, Hatchery still offers it for comparison")]
        "ndarray" => Device::ndarray(),
        #[cfg(feature = "wgpu")]
        "wgpu" => Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
        #[cfg(feature = "cuda")]
        "cuda" => Device::cuda(burn::tensor::DeviceIndex::Default),
        _ => unreachable!("a device that is known and built is opened above"),
    };
    if backend.dtype == Dtype::F64 && matches!(word, "wgpu") {
        return Err(Problem::new(format!("the device `{word}` has no 64-bit numbers"))
            .hint("set dtype = \"f32\", or device = \"cpu\"")
            .into());
    }
    Ok(device)
}

/// Burn's name of a width.
pub fn dtype(dtype: Dtype) -> DType {
    match dtype {
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
    }
}
