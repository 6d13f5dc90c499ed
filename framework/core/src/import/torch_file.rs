//! The tensors in a file of `torch.save`: a pickle that says what they are, and their numbers beside it.
//!
//! Since 1.6 the file is a zip archive of `data.pkl` and one entry a storage; before, and still on request, it is one
//! stream of pickles with the storages after them. Nothing in it is run; see [`pickle`](super::pickle).

use std::collections::BTreeMap;

use rawzip::{CompressionMethod, ZipArchive};

use super::{
    pickle::{Id, Node, Pickle},
    state_dict::{self, StateDict, Tensor},
};
use crate::error::Problem;

/// The number that the stream form begins with, as a pickle.
const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// No tensor of torch has more.
const MOST_DIMENSIONS: usize = 64;
const SAVE: &str = "in Python: torch.save(model.state_dict(), \"model.pt\")";

/// Bytes by the keys that the pickle has for them.
type Storages<'a> = BTreeMap<String, &'a [u8]>;

/// Whether the bytes begin as such a file, or as another pickle, does.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(&[0x80])
}

/// The state dict in the file, or the one that it keeps under a key.
///
/// # Errors
/// When the file is damaged, holds something else, or holds it under another key. The message is about "the file".
pub(super) fn read(bytes: &[u8], key: Option<&str>) -> Result<StateDict, Problem> {
    let file = if bytes.starts_with(b"PK") {
        archive(bytes)
    } else if bytes.starts_with(MAGIC) {
        stream(bytes)
    } else {
        return Err(Problem::new("the file is a pickle, but none that torch.save wrote").hint(SAVE));
    };
    let (pickle, storages) = file.map_err(|why| {
        Problem::new(format!("the file cannot be read as one of torch.save: {why}"))
            .hint("copy it again, or save it again; files of other programs are not read")
    })?;
    let members = choose(&pickle, key)?;
    let mut tensors = StateDict::new();
    // Tensors may share a storage. Without a limit a small file could name a large one without end.
    let mut left = bytes.len();
    for &(name, value) in members {
        let Some(name) = pickle.text(name) else { continue };
        let Some(tensor) = tensor(&pickle, name, value, &storages) else { continue };
        let count = tensor.numbers.as_ref().map_or(0, Vec::len);
        left = left
            .checked_sub(count)
            .ok_or_else(|| Problem::new("the tensors in the file have far more numbers than the file").hint(SAVE))?;
        tensors.insert(name.to_owned(), tensor);
    }
    if tensors.is_empty() {
        return Err(nested(&pickle, members, "the file has no tensors where a state dict has them"));
    }
    Ok(tensors)
}

/// The members of the dictionary that is asked for.
fn choose<'a>(pickle: &'a Pickle, key: Option<&str>) -> Result<&'a [(Id, Id)], Problem> {
    let root = match pickle.node(pickle.root()) {
        Node::Dictionary(members) => members,
        Node::Call { function, .. } => {
            if pickle.rebuilt(pickle.root()).is_some() {
                return Err(Problem::new("the file holds a single tensor, not a state dict").hint(SAVE));
            }
            let class = pickle.global(*function).unwrap_or("unknown");
            return Err(Problem::new(format!("the file holds an object of the class `{class}`, not a state dict"))
                .note("a module that was saved as a whole can only be loaded beside its Python source")
                .hint(SAVE));
        }
        Node::Sequence(_) => return Err(Problem::new("the file holds a list, not a state dict").hint(SAVE)),
        _ => return Err(Problem::new("the file holds a single value, not a state dict").hint(SAVE)),
    };
    let Some(key) = key else { return Ok(root) };
    match root.iter().find(|(name, _)| pickle.text(*name) == Some(key)).map(|(_, value)| pickle.node(*value)) {
        Some(Node::Dictionary(members)) => Ok(members),
        Some(_) => Err(nested(pickle, root, &format!("`{key}` in the file is no dictionary"))),
        None => Err(nested(pickle, root, &format!("the file has no `{key}`"))),
    }
}

/// A refusal that names the dictionaries that could have been meant.
fn nested(pickle: &Pickle, members: &[(Id, Id)], message: &str) -> Problem {
    let names = |is_wanted: fn(&Node) -> bool| -> Vec<&str> {
        let wanted = members.iter().filter(|(_, value)| is_wanted(pickle.node(*value)));
        wanted.filter_map(|(name, _)| pickle.text(*name)).collect()
    };
    let problem = Problem::new(message).note(format!("it has: {}", names(|_| true).join(", ")));
    match names(|node| matches!(node, Node::Dictionary(_)))[..] {
        [] => problem.hint(SAVE),
        [first, ..] => problem.hint(format!("name the dictionary that holds the tensors: --key {first}")),
    }
}

/// The zip form.
fn archive(bytes: &[u8]) -> Result<(Pickle, Storages<'_>), String> {
    let archive = ZipArchive::from_slice(bytes).map_err(|_| "its directory is missing: it is cut off".to_owned())?;
    let damaged = |error: rawzip::Error| format!("its directory is damaged: {error}");
    let (mut pickle, mut storages) = (None, Storages::new());
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry().map_err(damaged)? {
        let path = String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned();
        // Every path begins with the name that the file had when it was saved.
        let name = path.split_once('/').map_or(path.as_str(), |(_, name)| name);
        if !["data.pkl", "byteorder"].contains(&name) && !name.starts_with("data/") {
            continue;
        }
        if entry.compression_method() != CompressionMethod::STORE {
            return Err(format!("`{path}` is compressed, as torch.save never does"));
        }
        let compressed = archive.get_entry(entry.wayfinder()).map_err(damaged)?;
        // The whole slice, so that it lives as long as the file.
        let (start, end) = compressed.compressed_data_range();
        let data = bytes.get(start as usize..end as usize).ok_or("its directory is damaged")?;
        // Zero where checksums are switched off (torch.serialization.set_crc32_options).
        if entry.crc32() != 0 && rawzip::crc32(data) != entry.crc32() {
            return Err(format!("`{path}` is not as it was saved: its checksum differs"));
        }
        match name {
            "data.pkl" => pickle = Some(Pickle::read(&mut { data })?),
            "byteorder" if data != b"little" => return Err("its numbers are big-endian".to_owned()),
            _ => {
                if let Some(key) = name.strip_prefix("data/") {
                    storages.insert(key.to_owned(), data);
                }
            }
        }
    }
    Ok((pickle.ok_or("it is a zip archive without `data.pkl`")?, storages))
}

/// The stream form: a magic number, a version, a description of the machine, the pickle, the keys of the storages, and
/// for each the number of its elements and their bytes.
fn stream(bytes: &[u8]) -> Result<(Pickle, Storages<'_>), String> {
    let mut rest = bytes;
    Pickle::read(&mut rest)?;
    Pickle::read(&mut rest)?;
    let machine = Pickle::read(&mut rest)?;
    if let Node::Dictionary(members) = machine.node(machine.root())
        && members.iter().any(|(name, value)| {
            machine.text(*name) == Some("little_endian") && *machine.node(*value) == Node::Boolean(false)
        })
    {
        return Err("its numbers are big-endian".to_owned());
    }
    let pickle = Pickle::read(&mut rest)?;
    let keys = Pickle::read(&mut rest)?;
    let sizes = pickle.storages();
    let mut storages = Storages::new();
    for &key in keys.sequence(keys.root()).ok_or("it does not list its storages")? {
        let key = keys.text(key).ok_or("it does not list its storages")?;
        let size = sizes.get(key).ok_or_else(|| format!("nothing is said of the storage {key}"))?;
        let cut_off = || "it is cut off".to_owned();
        let (count, after) = rest.split_first_chunk().ok_or_else(cut_off)?;
        let length = usize::try_from(i64::from_le_bytes(*count)).ok().and_then(|count| count.checked_mul(*size));
        let (data, after) = length.and_then(|length| after.split_at_checked(length)).ok_or_else(cut_off)?;
        storages.insert(key.to_owned(), data);
        rest = after;
    }
    Ok((pickle, storages))
}

/// A storage as a pickle refers to it: its class, `FloatStorage`, and its key.
struct Storage<'a> {
    class: &'a str,
    key: &'a str,
}

impl Pickle {
    fn storage(&self, id: Id) -> Option<Storage<'_>> {
        let Node::Persistent(identity) = self.node(id) else { return None };
        let [word, class, key, ..] = self.sequence(*identity)? else { return None };
        let class = self.global(*class)?;
        let class = class.rsplit_once('.').map_or(class, |(_, class)| class);
        (self.text(*word) == Some("storage")).then_some(Storage { class, key: self.text(*key)? })
    }

    /// Which of torch's functions would rebuild the value, and of what.
    fn rebuilt(&self, id: Id) -> Option<(&str, &[Id])> {
        let Node::Call { function, arguments } = self.node(id) else { return None };
        Some((self.global(*function)?.strip_prefix("torch._utils._rebuild_")?, self.sequence(*arguments)?))
    }

    /// Bytes an element, by the keys of the storages.
    fn storages(&self) -> BTreeMap<&str, usize> {
        let all = (0..self.len()).filter_map(|id| self.storage(id));
        all.filter_map(|storage| Some((storage.key, element(storage.class)?))).collect()
    }

    fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        self.sequence(id)?.iter().map(|size| self.size(*size)).collect()
    }
}

/// Bytes an element.
fn element(class: &str) -> Option<usize> {
    Some(match class {
        "BoolStorage" | "ByteStorage" | "CharStorage" | "UntypedStorage" => 1,
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
        "FloatStorage" | "IntStorage" => 4,
        "DoubleStorage" | "LongStorage" | "ComplexFloatStorage" => 8,
        "ComplexDoubleStorage" => 16,
        _ => return None,
    })
}

/// The tensor that a value stands for, if it stands for one. What is wrong with it is reported when it is used.
fn tensor(pickle: &Pickle, name: &str, value: Id, storages: &Storages<'_>) -> Option<Tensor> {
    let (function, arguments) = match pickle.rebuilt(value)? {
        ("parameter", [tensor, ..]) => pickle.rebuilt(*tensor)?,
        other => other,
    };
    let shape = arguments.get(2).and_then(|shape| pickle.sizes(*shape)).unwrap_or_default();
    let numbers = match (function, arguments) {
        ("tensor" | "tensor_v2", [storage, offset, _, strides, ..]) => {
            let layout = (pickle.size(*offset), pickle.sizes(*strides));
            match (pickle.storage(*storage), layout) {
                (Some(storage), (Some(offset), Some(strides))) if shape.len() <= MOST_DIMENSIONS => {
                    let layout = Layout { offset, shape: &shape, strides: &strides };
                    numbers(name, &storage, &layout, storages)
                }
                _ => Err(Problem::new(format!("`{name}` is not described as tensors are")).hint(SAVE)),
            }
        }
        // Sparse, quantised and the like.
        (other, _) => Err(state_dict::unsupported(name, other)),
    };
    Some(Tensor { shape, numbers })
}

fn numbers(
    name: &str,
    storage: &Storage<'_>,
    layout: &Layout<'_>,
    storages: &Storages<'_>,
) -> Result<Vec<f32>, Problem> {
    let Some(bytes) = storages.get(storage.key) else {
        return Err(Problem::new(format!("the file lacks the storage {} of `{name}`", storage.key))
            .hint("copy the file again, or save it again"));
    };
    let gathered = match storage.class {
        "FloatStorage" => layout.gather(bytes, f32::from_le_bytes),
        "DoubleStorage" => layout.gather(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        other => return Err(state_dict::unsupported(name, other.trim_end_matches("Storage"))),
    };
    gathered.ok_or_else(|| {
        Problem::new(format!("`{name}` has more numbers than its storage"))
            .note(format!("its shape: {:?}", layout.shape))
            .hint("save `tensor.contiguous()` of what was expanded; if nothing was, copy the file again")
    })
}

/// Where the entries of a tensor are in its storage, counted in elements.
struct Layout<'a> {
    offset: usize,
    shape: &'a [usize],
    strides: &'a [usize],
}

impl Layout<'_> {
    /// The entries, row by row, whatever the order in which they lie; nothing if there are not as many.
    fn gather<const N: usize>(&self, bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Option<Vec<f32>> {
        let elements = bytes.as_chunks().0;
        let count = self.shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size))?;
        let last = self.shape.iter().zip(self.strides).try_fold(self.offset, |last, (size, stride)| {
            last.checked_add(size.saturating_sub(1).checked_mul(*stride)?)
        })?;
        // A stride of 0 repeats numbers without end: no more than the storage has are taken.
        let fits = self.shape.len() == self.strides.len() && (count == 0 || last < elements.len());
        if !fits || count > elements.len() {
            return None;
        }
        let place = |mut index: usize| {
            let sizes = self.shape.iter().zip(self.strides).rev();
            self.offset
                + sizes.fold(0, |place, (size, stride)| {
                    let along = index % size;
                    index /= size;
                    place + along * stride
                })
        };
        Some((0..count).map(|index| number(elements[place(index)])).collect())
    }
}
