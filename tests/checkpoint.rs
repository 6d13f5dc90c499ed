//! Checkpoints: what is written is read back bit for bit, nothing else is ever read, and no fault destroys the file that
//! was there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use hatchery::{
    error::Error,
    provenance::Provenance,
    run::checkpoint::{
        Best, Checkpoint, Interval, LogDigests, Meta, OPTIMIZER, PARAMETERS, Progress, STATE, read, write,
    },
    tensors::{NamedTensor, Values},
};
use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

fn checkpoint() -> Checkpoint {
    let named = |name: &str, shape, values| NamedTensor { name: name.to_owned(), shape, values };
    Checkpoint {
        tensors: vec![
            // Not in the order of the alphabet, and 32-bit numbers first, so that 64-bit ones stand off their alignment.
            named("parameters.wya", [1, 3], Values::F32(vec![0.1, -0.0, f32::MIN_POSITIVE / 2.0])),
            named("parameters.b", [2, 1], Values::F64(vec![std::f64::consts::PI, -1e-320])),
            named("optimizer.b.momentum", [1, 1], Values::F64(vec![f64::INFINITY])),
            named("state.0.h", [1, 2], Values::F32(vec![1.0, -1.0])),
        ],
        meta: Meta {
            experiment: "name = \"dinosaurs\"\n# ünïcode, \"quotes\" and \\ \n".to_owned(),
            vocabulary: "[\"\\n\",\"a\",\"é\"]".to_owned(),
            progress: Progress {
                updates: u64::MAX,
                smoothed_loss: 0.1 + 0.2,
                best: Some(Best { updates: 3, nats: 2.0 / 3.0 }),
                rate_factor: 1.0,
                stale: 1,
                skipped: 2,
                rewinds: 3,
                events: 4,
                interval: Interval { updates: 3, characters: 41, nats: 97.125, loss: 7.5 },
            },
            plugins: vec![Provenance {
                kind: "cell".to_owned(),
                name: "gru".to_owned(),
                package: "hatchery-cells".to_owned(),
                version: "0.1.0".to_owned(),
                library: None,
                recorded: None,
                conformance: None,
            }],
            data: Some("00ff".to_owned()),
            logs: Some(LogDigests { metrics: "0a".to_owned(), samples: "0b".to_owned(), events: None }),
        },
    }
}

fn written(checkpoint: &Checkpoint) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    write(&path, checkpoint).unwrap();
    (folder, path)
}

/// The message and hint of the one problem that reading these bytes gives.
fn refusal(bytes: &[u8]) -> String {
    let folder = tempdir().unwrap();
    let path = folder.path().join("some.safetensors");
    fs::write(&path, bytes).unwrap();
    problem(&path)
}

fn problem(path: &Path) -> String {
    let error = read(path).expect_err("it is no checkpoint");
    assert_eq!(error.exit_code(), 2, "a file that cannot be read is a user's error: {error}");
    let text = error.to_string();
    assert!(text.contains("hint: "), "no hint: {text}");
    text
}

fn bits(values: &Values) -> Vec<u64> {
    match values {
        Values::F32(values) => values.iter().map(|value| u64::from(value.to_bits())).collect(),
        Values::F64(values) => values.iter().map(|value| value.to_bits()).collect(),
    }
}

/// Would catch: reordered tensors, numbers that pass through decimal text, escapes lost in the metadata.
#[test]
fn what_is_written_is_read_back_bit_for_bit() {
    let before = checkpoint();
    let (_folder, path) = written(&before);
    let after = read(&path).unwrap();
    assert_eq!(before, after);
    let all_bits = |checkpoint: &Checkpoint| checkpoint.tensors.iter().map(|t| bits(&t.values)).collect::<Vec<_>>();
    assert_eq!(all_bits(&before), all_bits(&after), "-0 and subnormal numbers too");
    let group = |prefix| after.group(prefix).map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(group(PARAMETERS), ["wya", "b"]);
    assert_eq!(group(OPTIMIZER), ["b.momentum"]);
    assert_eq!(group(STATE), ["0.h"]);
}

/// Would catch: JSON's `null` for numbers that are not finite, after which a diverged run could not be read.
#[test]
fn a_diverged_run_is_read_back() {
    for strange in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324, -0.0] {
        let mut before = checkpoint();
        before.meta.progress.smoothed_loss = strange;
        before.meta.progress.best = Some(Best { updates: 0, nats: strange });
        before.tensors[1].values = Values::F64(vec![strange, 1.0]);
        let (_folder, path) = written(&before);
        let after = read(&path).unwrap();
        let progress = after.meta.progress;
        assert_eq!(progress.smoothed_loss.to_bits(), strange.to_bits());
        assert_eq!(progress.best.unwrap().nats.to_bits(), strange.to_bits());
        assert_eq!(bits(&after.tensors[1].values)[0], strange.to_bits());
    }
}

/// Would catch: metadata in the order of a hash map, which differs from one writing to the next.
#[test]
fn the_same_checkpoint_gives_the_same_bytes() {
    let (_first, first) = written(&checkpoint());
    let first = fs::read(first).unwrap();
    for _ in 0..8 {
        let (_again, again) = written(&checkpoint());
        assert_eq!(first, fs::read(again).unwrap());
    }
}

/// Would catch: a header that only we understand. The safetensors crate is the reader of the Python library too.
#[test]
fn other_programs_can_read_it() {
    let (_folder, path) = written(&checkpoint());
    let bytes = fs::read(path).unwrap();
    let (length, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(length % 8, 0, "numbers start at a multiple of 8 bytes");
    let metadata = header.metadata().clone().unwrap();
    assert_eq!(metadata["hatchery.format"], "1");
    assert!(metadata["hatchery.experiment"].contains("ünïcode, \"quotes\""));
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let b = tensors.tensor("parameters.b").unwrap();
    assert_eq!((b.dtype(), b.shape()), (safetensors::Dtype::F64, &[2, 1][..]));
    assert_eq!(b.data()[..8], std::f64::consts::PI.to_le_bytes());
}

/// Would catch: a checksum that differs from its documentation, so that other programs could not verify it.
#[test]
fn the_checksum_is_that_of_the_file_with_zeros_in_its_place() {
    use sha2::Digest;
    let (_folder, path) = written(&checkpoint());
    let mut bytes = fs::read(path).unwrap();
    let at = 8 + r#"{"__metadata__":{"hatchery.sha256":""#.len();
    let digits = String::from_utf8(bytes[at..at + 64].to_vec()).unwrap();
    bytes[at..at + 64].fill(b'0');
    let expected: String = sha2::Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digits, expected);
}

/// Would catch: a panic or an internal error for a wrong path, and a message that does not say what is wrong.
#[test]
fn wrong_files_have_different_messages() {
    let folder = tempdir().unwrap();
    assert!(problem(&folder.path().join("none.safetensors")).contains("there is no such file"));
    assert!(problem(folder.path()).contains("is a folder"));
    assert!(refusal(b"").contains("it is empty"));
    assert!(refusal(b"PK\x03\x04").contains("not a safetensors file"));
    assert!(refusal("name = \"dinosaurs\"\nseed = 1\n".as_bytes()).contains("not a safetensors file"));
    // A header longer than any memory.
    assert!(refusal(&[&u64::MAX.to_le_bytes()[..], b"{\"a\":1}"].concat()).contains("not a safetensors file"));
    assert!(refusal(&[&(1_u64 << 62).to_le_bytes()[..], b"{"].concat()).contains("not a safetensors file"));
    assert!(refusal(&[&1000_u64.to_le_bytes()[..], b"{\"a\":"].concat()).contains("cut off"));
    assert!(refusal(&[&2_u64.to_le_bytes()[..], b"{}"].concat()).contains("not of Hatchery"));
    assert!(refusal(&[&2_u64.to_le_bytes()[..], b"{]"].concat()).contains("header is broken"));

    let (_folder, path) = written(&checkpoint());
    let bytes = fs::read(path).unwrap();
    assert!(refusal(&bytes[..bytes.len() - 1]).contains("cut off"));
    assert!(refusal(&bytes[..100]).contains("cut off"));
    assert!(refusal(&[&bytes[..], b"!"].concat()).contains("1 bytes follow its end"));
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(refusal(&flipped).contains("do not match its checksum"));
    let newer = replaced(&bytes, br#""hatchery.format":"1""#, br#""hatchery.format":"2""#);
    let message = refusal(&newer);
    assert!(message.contains("it has format 2") && message.contains("or a later one"), "{message}");
}

/// Would catch: offsets whose sum overflows, with which the safetensors crate slices beyond the end.
#[test]
fn lengths_that_overflow_are_refused() {
    use std::fmt::Write;
    let mut header = String::from(r#"{"__metadata__":{"hatchery.format":"1"}"#);
    let piece = 1_u64 << 60;
    for index in 0..15 {
        let (start, end) = (index * piece, (index + 1) * piece);
        let shape = piece / 4;
        write!(header, r#","t{index}":{{"dtype":"F32","shape":[1,{shape}],"data_offsets":[{start},{end}]}}"#).unwrap();
    }
    header.push('}');
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    assert!(refusal(&bytes).contains("cut off"));
}

/// Would catch: someone else's rewriting (which keeps the metadata but not our layout) taken for damage or for intact.
#[test]
fn a_rewritten_file_is_named_as_such() {
    let (_folder, path) = written(&checkpoint());
    let bytes = fs::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let mut metadata = header.metadata().clone().unwrap();
    metadata.remove("hatchery.sha256");
    let rewritten = safetensors::serialize(tensors.tensors(), Some(metadata)).unwrap();
    assert!(refusal(&rewritten).contains("another program has rewritten it"));
}

/// Would catch: a checkpoint that destroys its predecessor when it cannot be written, and leftovers of it.
#[test]
fn a_failed_write_leaves_everything_as_it_was() {
    let (folder, path) = written(&checkpoint());
    let before = fs::read(&path).unwrap();
    let mut broken = checkpoint();
    broken.tensors[0].shape = [2, 2];
    let error = write(&path, &broken).unwrap_err();
    assert!(
        matches!(&error, Error::Internal { .. }) && error.to_string().contains("`parameters.wya` [2, 2]"),
        "{error}"
    );
    let mut twice = checkpoint();
    twice.tensors[1].name = "parameters.wya".to_owned();
    assert!(write(&path, &twice).unwrap_err().to_string().contains("the name is taken"));
    assert_eq!(fs::read(&path).unwrap(), before);

    let occupied = folder.path().join("occupied");
    fs::create_dir(&occupied).unwrap();
    let error = write(&occupied, &checkpoint()).unwrap_err();
    assert!(error.to_string().contains("it is a folder"), "{error}");
    let error = write(&folder.path().join("none/checkpoint.safetensors"), &checkpoint()).unwrap_err();
    assert!(error.to_string().contains("its folder does not exist"), "{error}");
    assert_eq!(error.exit_code(), 2);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "no temporary file stays: {left:?}");
}

/// Would catch: a full disk that costs the last good checkpoint. Needs the right to mount.
#[test]
fn a_full_disk_leaves_the_last_checkpoint() {
    let folder = tempdir().unwrap();
    let disk = Disk::mount(folder.path());
    if disk.is_none() {
        eprintln!("skipped: only who may mount a file system can fill one up");
        return;
    }
    let path = folder.path().join("checkpoint.safetensors");
    write(&path, &checkpoint()).unwrap();
    let mut large = checkpoint();
    large.tensors[0] = NamedTensor {
        name: "parameters.large".to_owned(),
        shape: [1000, 1000],
        values: Values::F32(vec![1.0; 1_000_000]),
    };
    let error = write(&path, &large).unwrap_err();
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!(error.exit_code(), 2);
    assert_eq!(read(&path).unwrap(), checkpoint());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
}

/// A file system of 256 KiB, taken down again when it is dropped.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "hatchery"]).arg(at).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).output();
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).expect("it is there");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// What may happen to a file.
#[derive(Clone, Debug)]
enum Change {
    Set {
        at: prop::sample::Index,
        byte: u8,
    },
    Flip {
        at: prop::sample::Index,
        bit: u8,
    },
    Cut {
        at: prop::sample::Index,
    },
    Insert {
        at: prop::sample::Index,
        bytes: Vec<u8>,
    },
    Remove {
        at: prop::sample::Index,
    },
    /// One digit or letter of the header for another, which often leaves it well formed.
    Letter {
        at: prop::sample::Index,
        with: prop::sample::Index,
    },
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), any::<u8>()).prop_map(|(at, byte)| Change::Set { at, byte }),
        (index(), 0..8_u8).prop_map(|(at, bit)| Change::Flip { at, bit }),
        index().prop_map(|at| Change::Cut { at }),
        (index(), prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Change::Insert { at, bytes }),
        index().prop_map(|at| Change::Remove { at }),
        (index(), index()).prop_map(|(at, with)| Change::Letter { at, with }),
    ]
}

fn apply(change: &Change, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match change {
        Change::Set { at, byte } => bytes[at.index(length)] = *byte,
        Change::Flip { at, bit } => bytes[at.index(length)] ^= 1 << bit,
        Change::Cut { at } => bytes.truncate(at.index(length)),
        Change::Insert { at, bytes: more } => {
            let at = at.index(length);
            bytes.splice(at..at, more.iter().copied());
        }
        Change::Remove { at } => {
            bytes.remove(at.index(length));
        }
        Change::Letter { at, with } => {
            let places: Vec<usize> = (0..length).filter(|index| bytes[*index].is_ascii_alphanumeric()).collect();
            if !places.is_empty() {
                bytes[places[at.index(places.len())]] = b"0123456789abcdefABCDEF"[with.index(22)];
            }
        }
    }
}

/// Written once: bringing a file to the disk takes longer than everything else here.
fn whole() -> &'static [u8] {
    static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let (_folder, path) = written(&checkpoint());
        fs::read(path).unwrap()
    });
    &WHOLE
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Would catch: any byte that the checksum does not cover, and any panic on a damaged file.
    #[test]
    fn a_changed_file_never_reads_as_another_checkpoint(changes in prop::collection::vec(change(), 1..4)) {
        let mut bytes = whole().to_vec();
        changes.iter().for_each(|change| apply(change, &mut bytes));
        let folder = tempdir().unwrap();
        let path = folder.path().join("changed.safetensors");
        fs::write(&path, &bytes).unwrap();
        match read(&path) {
            Ok(read) => {
                prop_assert_eq!(&bytes[..], whole());
                prop_assert_eq!(read, checkpoint());
            }
            Err(error) => prop_assert_eq!(error.exit_code(), 2, "{}", error),
        }
    }

    /// Would catch: a panic, or memory taken for a length that the file only claims.
    #[test]
    fn no_bytes_make_it_panic(start in any::<Option<u16>>(), rest in prop::collection::vec(any::<u8>(), 0..300)) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("random.safetensors");
        // Half of them with a believable length of the header, to get past the first gate.
        let head = start.map(|length| [&u64::from(length % 320).to_le_bytes()[..], b"{"].concat()).unwrap_or_default();
        fs::write(&path, [head, rest].concat()).unwrap();
        prop_assert_eq!(read(&path).unwrap_err().exit_code(), 2);
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, failure_persistence: None, ..ProptestConfig::default() })]

    /// Would catch: a value of the numbers that does not survive, whatever its bits.
    #[test]
    fn all_numbers_survive(singles in prop::collection::vec(any::<u32>(), 1..50), smoothed in any::<u64>()) {
        let mut before = checkpoint();
        let values: Vec<f32> = singles.iter().map(|bits| f32::from_bits(*bits)).collect();
        before.tensors[0] = NamedTensor { name: "state.x".to_owned(), shape: [values.len(), 1], values: Values::F32(values) };
        before.meta.progress.smoothed_loss = f64::from_bits(smoothed);
        let (_folder, path) = written(&before);
        let after = read(&path).unwrap();
        prop_assert_eq!(bits(&before.tensors[0].values), bits(&after.tensors[0].values));
        let (a, b) = (before.meta.progress.smoothed_loss, after.meta.progress.smoothed_loss);
        prop_assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(), "{} became {}", a, b);
    }
}
