//! NVIDIA cards, found and opened by CUDA.

use burn::tensor::{Device, DeviceType};

use super::{DEVICES, DeviceInfo, choose};
use crate::error::Result;

/// The cards of this machine.
pub(super) fn cards() -> Vec<DeviceInfo> {
    let devices = Device::enumerate(DeviceType::Cuda).into_vec();
    devices.into_iter().enumerate().map(|(index, device)| found(index, &device)).collect()
}

fn found(index: usize, device: &Device) -> DeviceInfo {
    let (name, target) = device
        .identity()
        .map_or(("unknown".to_owned(), String::new()), |identity| (identity.name, identity.fingerprint));
    DeviceInfo { selector: format!("cuda:{index}"), name, about: format!("card, CUDA {target}"), memory: None }
}

/// Opens the card of that index or name, the first if none is wanted.
///
/// # Errors
/// When it is not there.
pub(super) fn open(which: Option<&str>) -> Result<Device> {
    let known = DEVICES.iter().find(|known| known.name == "cuda").expect("it is in the list of devices");
    let cards = cards();
    let chosen = choose(known, which, cards.clone())?;
    let index = cards.iter().position(|card| *card == chosen).expect("it was chosen among them");
    Ok(Device::cuda(index))
}
