//! Texts and vocabularies: where a corpus is found, how large files are held, which symbols they have.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use hatchery::{
    data::{
        Vocabulary,
        corpus::{
            Text,
            catalogue::{self, State, TextFolders},
            open, open_from,
        },
    },
    error::Error,
    experiment::{Corpus, Unknown, Vocabulary as Settings},
};

/// The folder of the notebooks' data; `None`, with a message, if there is none.
pub(crate) fn data_folder(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("HATCHERY_DATA").map(PathBuf::from).filter(|folder| folder.is_dir());
    if folder.is_none() {
        println!("skipped: {test} needs the files that $HATCHERY_DATA names");
    }
    folder
}

/// The text of a catalogue entry from `$HATCHERY_DATA`.
pub(crate) fn corpus(name: &str) -> Option<Text> {
    let data = data_folder(name)?;
    let places = TextFolders { data: Some(data), cache: PathBuf::from("/nonexistent") };
    Some(open_from(&Corpus::Name(name.to_owned()), Path::new(""), &places).unwrap())
}

fn named(name: &str) -> Corpus {
    Corpus::Name(name.to_owned())
}

fn message(result: Result<Text, Error>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    error.to_string()
}

#[track_caller]
fn has(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in:\n{message}");
    }
}

/// Would catch: a list that is not embedded, is empty or has blank lines.
#[test]
fn embedded_lists_open_without_files() {
    for name in ["dinosaurs", "given-names"] {
        let text = open(&named(name), Path::new("/nonexistent")).unwrap();
        assert_eq!(text.name(), name);
        assert!(text.as_str().lines().count() > 1000, "{name}");
        assert!(text.as_str().lines().all(|line| !line.trim().is_empty()), "{name}");
    }
}

/// Would catch: an unknown name reported as a missing file only, or without the nearest name.
#[test]
fn an_unknown_corpus_names_the_known_ones() {
    let text = message(open(&named("dinosaur"), Path::new("experiments")));
    has(
        &text,
        &[
            "no corpus and no file `dinosaur`",
            "tinyshakespeare",
            "given-names",
            "experiments",
            "did you mean `dinosaurs`?",
        ],
    );
    let text = message(open(&named("qqqqq"), Path::new("")));
    assert!(!text.contains("did you mean"), "{text}");
}

/// Would catch: a catalogue name that is not looked up in both folders, in order, or a file of another size that is used.
#[test]
fn a_fetched_corpus_is_found_in_the_data_folder_then_in_the_cache() {
    let [data, cache] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let places = TextFolders { data: Some(data.path().to_owned()), cache: cache.path().to_owned() };
    let dinos = catalogue::find("dinos").unwrap();
    assert_eq!(dinos.state(&places), State::Absent);
    has(
        &message(open_from(&named("dinos"), Path::new(""), &places)),
        &["`dinos` has not been fetched yet", "hint: hatchery data fetch dinos", &data.path().display().to_string()],
    );

    fs::write(data.path().join("dinos.txt"), "rex").unwrap();
    has(&message(open_from(&named("dinos"), Path::new(""), &places)), &["has 3 bytes, not 19909"]);

    let in_cache = cache.path().join("dinos.txt");
    fs::write(&in_cache, "x".repeat(19909)).unwrap();
    assert_eq!(dinos.state(&places), State::Fetched(in_cache));
    assert_eq!(open_from(&named("dinos"), Path::new(""), &places).unwrap().as_str().len(), 19909);
}

/// Would catch: a model offered as a text to train on.
#[test]
fn a_model_file_is_not_a_corpus() {
    let places = TextFolders { data: None, cache: PathBuf::from("/nonexistent") };
    has(&message(open_from(&named("sonnets-keras"), Path::new(""), &places)), &["is a model, not a text"]);
    assert!(catalogue::names().all(|name| name != "sonnets-keras"));
}

/// Would catch: a wrong size in the catalogue, an entry that does not appear in the list.
#[test]
fn the_catalogue_fits_the_files() {
    let Some(data) = data_folder("the_catalogue_fits_the_files") else { return };
    let places = TextFolders { data: Some(data), cache: PathBuf::from("/nonexistent") };
    for entry in catalogue::all() {
        assert!(matches!(entry.state(&places), State::Fetched(_)), "{}", entry.name);
        assert_eq!(entry.sha256.len(), 64);
    }
    let listed = catalogue::list(&places);
    assert_eq!(listed.len(), 9);
    assert_eq!(listed[0].state, State::Embedded);
    assert!(listed[2..].iter().all(|listed| matches!(listed.state, State::Fetched(_))));
}

/// Would catch: a path taken relative to the wrong folder.
#[test]
fn a_path_is_relative_to_the_experiment_first() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Cargo.toml"), "beside the experiment").unwrap();
    assert_eq!(open(&named("Cargo.toml"), folder.path()).unwrap().as_str(), "beside the experiment");
    // Tests run in a package's folder, which has a manifest.
    assert!(open(&named("Cargo.toml"), Path::new("/nonexistent")).unwrap().as_str().contains("[package]"));
}

/// Would catch: a fault in a file that is reported without its place, or as a panic.
#[test]
fn files_that_are_not_text_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("latin.txt"), b"one\ntwo\ncaf\xE9\n").unwrap();
    fs::write(folder.path().join("cut.txt"), b"abc\xE2\x82").unwrap();
    fs::write(folder.path().join("empty.txt"), "").unwrap();
    fs::create_dir(folder.path().join("texts")).unwrap();
    let at = |name: &str| message(open(&named(name), folder.path()));
    has(&at("latin.txt"), &["`latin.txt` is not UTF-8: byte 0xE9 at offset 11, in line 3", "iconv"]);
    // Would catch: a UTF-16 text, as Windows writes it, for which a conversion from Latin-1 is suggested.
    for (name, bytes) in [("little.txt", b"\xFF\xFEa\0\n\0"), ("big.txt", b"\xFE\xFF\0a\0\n")] {
        fs::write(folder.path().join(name), bytes).unwrap();
        for said in [at(name), message(Text::map(name, &folder.path().join(name)))] {
            has(&said, &[&format!("`{name}` is UTF-16, not UTF-8"), &format!("iconv -f utf-16 -t utf-8 {name} > ")]);
            assert!(!said.contains("Latin"), "{said}");
        }
    }
    has(&at("cut.txt"), &["byte 0xE2 at offset 3, in line 1"]);
    has(&at("empty.txt"), &["`empty.txt` is empty"]);
    has(&at("texts"), &["`texts` is a folder", "texts/*.txt"]);
    let mapped = |name: &str| message(Text::map(name, &folder.path().join(name)));
    has(&mapped("latin.txt"), &["byte 0xE9 at offset 11, in line 3"]);
    has(&mapped("cut.txt"), &["byte 0xE2 at offset 3, in line 1"]);
    has(&mapped("empty.txt"), &["is empty"]);
    has(&mapped("texts"), &["is a folder"]);
}

/// Would catch: a byte order mark that becomes a symbol of its own.
#[test]
fn a_byte_order_mark_is_not_part_of_the_text() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "\u{feff}anna").unwrap();
    assert_eq!(open(&named("a.txt"), folder.path()).unwrap().as_str(), "anna");
}

/// Would catch: files in the order of the directory, two files joined without a line break, a folder read as a file.
#[test]
fn a_pattern_joins_files_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("[odd]");
    fs::create_dir_all(inner.join("c.txt")).unwrap();
    fs::write(inner.join("b.txt"), "bert\n").unwrap();
    fs::write(inner.join("a.txt"), "anna").unwrap();
    fs::write(inner.join("d.md"), "no").unwrap();
    let glob = |pattern: &str| open(&Corpus::Glob { glob: pattern.to_owned(), column: None, separator: None }, &inner);
    assert_eq!(glob("*.txt").unwrap().as_str(), "anna\nbert\n");
    has(&message(glob("*.rs")), &["no file matches `*.rs`", "[odd]"]);
    has(&message(glob("a[")), &["`a[` is not a pattern"]);
    fs::write(inner.join("e.txt"), b"\xFF").unwrap();
    has(&message(glob("*.txt")), &["`e.txt` is not UTF-8"]);
}

/// Would catch: a character across two chunks reported as invalid, an invalid byte after the first chunk missed.
#[test]
fn a_mapped_file_reads_like_a_file_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.txt");
    // 3 does not divide the 4 MiB of a chunk: a character lies across the border.
    let text = "語".repeat(3_000_000);
    fs::write(&path, &text).unwrap();
    assert_eq!(Text::map("long", &path).unwrap().as_str(), text);

    let mut bytes = text.into_bytes();
    bytes[8_000_001] = b'x';
    fs::write(&path, &bytes).unwrap();
    let expected = std::str::from_utf8(&bytes).unwrap_err().valid_up_to();
    has(&message(Text::map("long", &path)), &[&format!("at offset {expected},")]);
}

/// Would catch: a mapped file that stays in memory once it was checked.
#[cfg(target_os = "linux")]
#[test]
fn a_mapped_file_does_not_stay_in_memory() {
    let resident = || -> usize {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let kilobytes = |key: &str| -> usize {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        (kilobytes("RssFile:") + kilobytes("RssShmem:")) << 10
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.txt");
    // A sparse file of zeros, which is valid text.
    fs::File::create(&path).unwrap().set_len(128 << 20).unwrap();
    let before = resident();
    let text = Text::file("large", &path).unwrap();
    let growth = resident().saturating_sub(before);
    assert!(growth < 64 << 20, "{growth} bytes stay in memory");
    assert_eq!(text.as_str().len(), 128 << 20);
}

fn settings(lowercase: bool, unknown: Unknown) -> Settings {
    Settings { lowercase, unknown, ..Settings::default() }
}

/// Would catch: tokens that are not in the order of code points, lost framing symbols, decoding that does not invert
/// encoding.
#[test]
fn tokens_are_sorted_code_points() {
    let vocabulary = Vocabulary::new("banana é\n".chars(), &Settings::default()).unwrap();
    assert_eq!(vocabulary.symbols(), ['\n', ' ', 'a', 'b', 'n', 'é']);
    assert_eq!((vocabulary.len(), vocabulary.none()), (6, 6));
    assert_eq!(vocabulary.encode("bané", 0).unwrap(), [3, 2, 4, 5]);
    assert_eq!(vocabulary.decode(&[3, 2, 4, 5, 6, 99]), "bané");
    assert_eq!([vocabulary.token('é'), vocabulary.token('E'), vocabulary.token('\u{10FFFF}')], [Some(5), None, None]);
    assert_eq!((vocabulary.symbol(3), vocabulary.symbol(6)), ('b', '\u{FFFD}'));
}

/// Would catch: an unknown character that crashes, silently becomes token 0, or is reported at the wrong place.
#[test]
fn unknown_characters_follow_the_policy() {
    let of = |unknown| Vocabulary::new("ab\n".chars(), &settings(false, unknown)).unwrap();
    let error = of(Unknown::Error).encode("a\nbé", 100).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    has(&error.to_string(), &["no `é` (U+00E9), at offset 103, line 2", r"its symbols: \nab", "unknown = \"skip\""]);
    assert_eq!(of(Unknown::Skip).encode("aéb\u{1F996}", 0).unwrap(), [1, 2]);
    let with_substitute = of(Unknown::Token);
    assert_eq!(with_substitute.symbols(), ['\n', 'a', 'b', '\u{FFFD}']);
    assert_eq!(with_substitute.encode("aé\u{1F996}", 0).unwrap(), [1, 3, 3]);
}

/// Would catch: lower-casing of a whole text, in which a final sigma or a dotted capital I depends on its surroundings.
#[test]
fn lower_case_maps_single_characters() {
    let vocabulary = Vocabulary::new("ai\u{307}σς".chars(), &settings(true, Unknown::Error)).unwrap();
    let decoded = |text| vocabulary.decode(&vocabulary.encode(text, 0).unwrap());
    assert_eq!(decoded("AİΣ"), "ai\u{307}σ");
    assert_eq!(decoded("ς"), "ς");
}

/// Would catch: a vocabulary of fewer than two symbols, a limit on its size.
#[test]
fn a_vocabulary_has_from_two_symbols_to_thousands() {
    for (symbols, found) in [("", "there is none"), ("aaa", "there is only `a` (U+0061)")] {
        let error = Vocabulary::new(symbols.chars(), &Settings::default()).unwrap_err();
        has(&error.to_string(), &["at least two symbols", found]);
    }
    let many: String = ('\u{4E00}'..'\u{6000}').collect();
    let vocabulary = Vocabulary::new(many.chars(), &Settings::default()).unwrap();
    assert_eq!(vocabulary.len(), 0x1200);
    assert_eq!(vocabulary.decode(&vocabulary.encode(&many, 0).unwrap()), many);
}

/// Would catch: a vocabulary that is read from a checkpoint in another order or with other settings.
#[test]
fn a_vocabulary_survives_as_text() {
    for settings in [settings(false, Unknown::Error), settings(true, Unknown::Token)] {
        let vocabulary = Vocabulary::new("\0\"\n🦕z".chars(), &settings).unwrap();
        assert_eq!(Vocabulary::from_text(&vocabulary.to_text(), &settings).unwrap(), vocabulary);
    }
    // The order is that of the text: a given alphabet, or one that has grown, need not be sorted.
    let given = Vocabulary::from_text("ba", &Settings::default()).unwrap();
    assert_eq!(given.encode("ab", 0).unwrap(), [1, 0]);
    for damaged in ["", "a", "aab"] {
        let error = Vocabulary::from_text(damaged, &Settings::default()).unwrap_err();
        has(&error.to_string(), &["damaged"]);
    }
}
