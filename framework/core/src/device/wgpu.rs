//! Graphics cards and software adapters, found and opened by `wgpu`.

use std::sync::{LazyLock, Mutex};

use burn::tensor::{
    Device, DeviceKind, read_sync,
    wgpu::{
        WgpuBackend,
        wgpu::{Adapter, AdapterInfo, Backend, DeviceType, Instance, InstanceDescriptor},
    },
};

use super::{DEVICES, DeviceInfo, choose};
use crate::error::{Problem, Result};

/// An adapter of this machine, with the kind and interface by which Burn opens it.
pub(super) struct Reachable {
    pub(super) found: DeviceInfo,
    kind: DeviceKind,
    interface: WgpuBackend,
}

/// Graphics interfaces, the best first. Only the first one that has an adapter is used, so that a card is not listed once
/// for each interface.
const INTERFACES: [(Backend, WgpuBackend, &str); 4] = [
    (Backend::Vulkan, WgpuBackend::Vulkan, "Vulkan"),
    (Backend::Metal, WgpuBackend::Metal, "Metal"),
    (Backend::Dx12, WgpuBackend::Dx12, "DirectX 12"),
    (Backend::Gl, WgpuBackend::Gl, "OpenGL"),
];

/// The number of operations that are submitted to the card at once: a cell has many small ones, and each submission costs
/// time.
const TASKS: usize = 128;

/// The open devices, which stay open, because Burn opens a device only once.
static OPEN: Mutex<Vec<(String, Device)>> = Mutex::new(Vec::new());

/// The adapters of this machine: discrete cards first, software last. They are enumerated once, because drivers are slow
/// and Vulkan's loader must not be called by several threads at once.
pub(super) static ADAPTERS: LazyLock<Vec<Reachable>> = LazyLock::new(adapters);

fn adapters() -> Vec<Reachable> {
    let mut found = INTERFACES.iter().map(|&(backend, interface, name)| {
        let instance = Instance::new(InstanceDescriptor {
            backends: backend.into(),
            ..InstanceDescriptor::new_without_display_handle()
        });
        reachable(&read_sync(instance.enumerate_adapters(backend.into())), interface, name)
    });
    found.find(|adapters| !adapters.is_empty()).unwrap_or_default()
}

fn reachable(adapters: &[Adapter], interface: WgpuBackend, name: &str) -> Vec<Reachable> {
    // Burn counts the adapters of each kind from 0, and opens only one software adapter.
    let mut counts = [0_usize; 4];
    let mut next = |kind: usize| {
        counts[kind] += 1;
        counts[kind] - 1
    };
    let mut all = Vec::new();
    for adapter in adapters {
        let info = adapter.get_info();
        let (rank, kind) = match info.device_type {
            DeviceType::DiscreteGpu => (0, DeviceKind::DiscreteGpu(next(0))),
            DeviceType::IntegratedGpu => (1, DeviceKind::IntegratedGpu(next(1))),
            DeviceType::VirtualGpu => (2, DeviceKind::VirtualGpu(next(2))),
            DeviceType::Cpu if next(3) == 0 => (3, DeviceKind::Cpu),
            DeviceType::Cpu | DeviceType::Other => continue,
        };
        all.push((rank, kind, about(&info, name), memory(adapter), info.name));
    }
    all.sort_by_key(|(rank, ..)| *rank);
    let numbered = all.into_iter().enumerate();
    numbered
        .map(|(index, (_, kind, about, memory, name))| {
            let found = DeviceInfo { selector: format!("wgpu:{index}"), name, about, memory };
            Reachable { found, kind, interface }
        })
        .collect()
}

fn about(info: &AdapterInfo, interface: &str) -> String {
    let kind = match info.device_type {
        DeviceType::DiscreteGpu => "card",
        DeviceType::IntegratedGpu => "part of the processor",
        DeviceType::VirtualGpu => "virtual card",
        DeviceType::Cpu => "software",
        DeviceType::Other => "other",
    };
    let driver = [info.driver.as_str(), info.driver_info.as_str()];
    let driver: Vec<_> = driver.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{kind}, {interface}, driver {}", if driver.is_empty() { "unknown".to_owned() } else { driver.join(" ") })
}

/// The card's own memory, which only Vulkan reports.
#[cfg(not(target_vendor = "apple"))]
fn memory(adapter: &Adapter) -> Option<u64> {
    use burn::tensor::wgpu::wgpu::hal::api::Vulkan;

    /// `VK_MEMORY_HEAP_DEVICE_LOCAL_BIT`.
    const OF_THE_DEVICE: u32 = 1;

    // SAFETY: the adapter is only read, and lives until the end of this function.
    let adapter = unsafe { adapter.as_hal::<Vulkan>() }?;
    let instance = adapter.shared_instance().raw_instance();
    // SAFETY: the physical device belongs to that instance; both are alive.
    let heaps = unsafe { instance.get_physical_device_memory_properties(adapter.raw_physical_device()) };
    let heaps = &heaps.memory_heaps[..heaps.memory_heap_count as usize];
    let own = heaps.iter().filter(|heap| heap.flags.as_raw() & OF_THE_DEVICE != 0).map(|heap| heap.size).max();
    own.filter(|&bytes| bytes > 0)
}

/// The card's own memory, which Metal does not distinguish from the machine's.
#[cfg(target_vendor = "apple")]
fn memory(_adapter: &Adapter) -> Option<u64> {
    None
}

/// Opens the adapter with that index or name; the first if neither is given.
///
/// # Errors
/// When it is not there, or cannot be opened.
pub(super) fn open(which: Option<&str>) -> Result<Device> {
    let known = DEVICES.iter().find(|known| known.name == "wgpu").expect("it is in the list of devices");
    let chosen = choose(known, which, ADAPTERS.iter().map(|adapter| adapter.found.clone()).collect())?;
    let mut open = OPEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, device)) = open.iter().find(|(selector, _)| *selector == chosen.selector) {
        return Ok(device.clone());
    }
    let adapter = ADAPTERS.iter().find(|adapter| adapter.found == chosen).expect("it was chosen among them");
    let options = Device::wgpu_options().graphics_api(adapter.interface).device_kind(adapter.kind.clone());
    let device = options.tasks_max(TASKS).init().map_err(|error| {
        Problem::new(format!("`{}` ({}) cannot be opened: {error}", chosen.selector, chosen.name))
            .hint("look at its driver, or set device = \"cpu\"")
    })?;
    open.push((chosen.selector, device.clone()));
    Ok(device)
}
