//! Fetching a corpus, against servers that behave and servers that do not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
};

use hatchery::{
    data::corpus::{
        catalogue::{self, Entry},
        fetch::fetch,
    },
    error::Error,
};
use tempfile::TempDir;

/// 200,000 bytes: byte `i` is `i % 251`.
///
/// ```text
/// python -c "import hashlib; print(hashlib.sha256(bytes(i % 251 for i in range(200000))).hexdigest())"
/// ```
const MADE_UP: Entry = Entry {
    name: "made-up",
    file: "made-up.txt",
    address: "http://127.0.0.1:1/made-up.txt",
    bytes: 200_000,
    sha256: "e24bc62381f1224fbbb74688663f8f9743b9680b193edd666835e97b06e730eb",
    description: "made up",
    terms: "public domain",
    is_text: true,
};

fn content() -> Vec<u8> {
    (0..200_000u32).map(|index| (index % 251) as u8).collect()
}

/// What a server does with a request.
#[derive(Clone, Copy)]
enum Manner {
    /// Answers ranges, as the pinned addresses do.
    Whole,
    /// As `Whole`, but closes the connection after this number of bytes of the body.
    Cut(usize),
    /// Knows no ranges.
    NoRanges,
    /// Sends this status alone.
    Status(u16),
    /// Sends other bytes of the same size.
    Forged,
    /// Sends a shorter file.
    Shorter,
    /// Sends more than it should, without saying how much.
    Endless,
    /// Refuses every range, as if the file had changed.
    RangeRefused,
    /// Sends the client to this address.
    Redirect(&'static str),
    /// Sends headers without end.
    Headers,
    /// Says that the body is compressed.
    Compressed,
}

/// A server for a few requests, each treated in its own manner.
struct Server {
    address: String,
    /// The `Range` header of each request.
    ranges: Arc<Mutex<Vec<Option<String>>>>,
}

impl Server {
    fn new(content: Vec<u8>, manners: &[Manner]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/made-up.txt", listener.local_addr().unwrap());
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&ranges);
        let manners = manners.to_vec();
        thread::spawn(move || {
            for manner in manners {
                let (stream, _) = listener.accept().unwrap();
                seen.lock().unwrap().push(answer(stream, &content, manner));
            }
        });
        Self { address, ranges }
    }

    fn ranges(&self) -> Vec<Option<String>> {
        self.ranges.lock().unwrap().clone()
    }
}

/// Answers one request and closes the connection; returns the range that was asked for.
fn answer(mut stream: TcpStream, content: &[u8], manner: Manner) -> Option<String> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap().to_lowercase();
    assert!(!request.contains("gzip"), "a compressed answer cannot be resumed: {request}");
    let range = request.lines().find_map(|line| line.strip_prefix("range: ")).map(str::to_owned);
    let from = range.as_deref().map(|range| {
        range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-')).unwrap().parse::<usize>().unwrap()
    });
    let all = content.len();
    let (status, headers, body) = match (manner, from) {
        (Manner::Status(status), _) => (status, "content-length: 0\r\n".to_owned(), Vec::new()),
        (Manner::RangeRefused, Some(_)) => (416, "content-length: 0\r\n".to_owned(), Vec::new()),
        (Manner::Redirect(to), _) => (302, format!("location: {to}\r\ncontent-length: 0\r\n"), Vec::new()),
        (Manner::Compressed, _) => {
            (200, format!("content-encoding: gzip\r\ncontent-length: {all}\r\n"), content.to_vec())
        }
        (Manner::Forged, _) => (200, format!("content-length: {all}\r\n"), vec![b'x'; all]),
        (Manner::Shorter, _) => (200, "content-length: 100\r\n".to_owned(), content[..100].to_vec()),
        (Manner::Endless, _) => (200, String::new(), [content, content].concat()),
        (Manner::Whole | Manner::Cut(_), Some(from)) => {
            let headers =
                format!("content-length: {}\r\ncontent-range: bytes {from}-{}/{all}\r\n", all - from, all - 1);
            (206, headers, content[from..].to_vec())
        }
        _ => (200, format!("content-length: {all}\r\n"), content.to_vec()),
    };
    let sent = if let Manner::Cut(bytes) = manner { &body[..bytes] } else { &body[..] };
    if let Manner::Headers = manner {
        let _ = write!(stream, "HTTP/1.1 200 So\r\n");
        while stream.write_all(format!("x: {}\r\n", "y".repeat(1000)).as_bytes()).is_ok() {}
        return range;
    }
    write!(stream, "HTTP/1.1 {status} So\r\nconnection: close\r\n{headers}\r\n").unwrap();
    // A client that has seen enough may hang up.
    let _ = stream.write_all(sent);
    range
}

fn get(folder: &TempDir, server: &Server) -> Result<PathBuf, Error> {
    fetch(&MADE_UP, Some(&server.address), folder.path(), &mut |_, _| {})
}

#[track_caller]
fn has(error: &Error, code: u8, parts: &[&str]) {
    let message = error.to_string();
    assert_eq!(error.exit_code(), code, "{message}");
    for part in parts {
        assert!(message.contains(part), "no {part:?} in:\n{message}");
    }
}

fn files(folder: &TempDir) -> Vec<String> {
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// Would catch: bytes lost or added, a part file left behind, progress that does not end, a second call that fetches
/// again what is there.
#[test]
fn a_fetched_file_is_whole_and_fetched_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(content(), &[Manner::Whole]);
    let mut heard = Vec::new();
    let path = fetch(&MADE_UP, Some(&server.address), folder.path(), &mut |done, all| heard.push((done, all))).unwrap();
    assert_eq!(fs::read(&path).unwrap(), content());
    assert_eq!(files(&folder), ["made-up.txt"]);
    assert!(heard.is_sorted() && heard.iter().all(|(_, all)| *all == 200_000));
    assert_eq!((heard.first(), heard.last()), (Some(&(0, 200_000)), Some(&(200_000, 200_000))));

    assert_eq!(get(&folder, &server).unwrap(), path);
    assert_eq!(server.ranges(), [None]);
}

/// Would catch: a fetched file that was damaged later and is taken for right.
#[test]
fn a_damaged_file_is_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("made-up.txt"), "damaged").unwrap();
    let server = Server::new(content(), &[Manner::Whole]);
    assert_eq!(fs::read(get(&folder, &server).unwrap()).unwrap(), content());
}

/// Would catch: a resumed file that starts over, has a gap or an overlap, or whose hash leaves out the first part.
#[test]
fn a_cut_connection_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(content(), &[Manner::Cut(70_000), Manner::Cut(30_000), Manner::Whole]);
    has(&get(&folder, &server).unwrap_err(), 1, &["after 70000 of 200000 bytes", "the next call continues"]);
    assert_eq!(files(&folder), ["made-up.txt.part"]);
    has(&get(&folder, &server).unwrap_err(), 1, &["after 100000 of 200000 bytes"]);
    assert_eq!(fs::read(get(&folder, &server).unwrap()).unwrap(), content());
    let ranges = [None, Some("bytes=70000-".to_owned()), Some("bytes=100000-".to_owned())];
    assert_eq!(server.ranges(), ranges);
    assert_eq!(files(&folder), ["made-up.txt"]);
}

/// Would catch: a whole file appended to its own beginning.
#[test]
fn a_server_without_ranges_starts_over() {
    for manners in [[Manner::NoRanges, Manner::Whole], [Manner::RangeRefused, Manner::Whole]] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("made-up.txt.part"), &content()[..50_000]).unwrap();
        let server = Server::new(content(), &manners);
        assert_eq!(fs::read(get(&folder, &server).unwrap()).unwrap(), content());
        assert_eq!(server.ranges()[0].as_deref(), Some("bytes=50000-"));
    }
}

/// Would catch: a part file that is complete, too long or of other bytes and is in the way for ever.
#[test]
fn any_partial_file_is_replaced() {
    let complete = content();
    let long = [content(), content()].concat();
    let other = vec![0; 200_000];
    for (part, requests) in [(complete, 0), (long, 1), (other, 1)] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("made-up.txt.part"), part).unwrap();
        let server = Server::new(content(), &[Manner::Whole]);
        assert_eq!(fs::read(get(&folder, &server).unwrap()).unwrap(), content());
        assert_eq!(server.ranges().len(), requests);
    }
}

/// Would catch: a forged file that gets the name of the right one, or that the next call resumes.
#[test]
fn a_wrong_hash_names_both_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(content(), &[Manner::Forged]);
    // python -c "import hashlib; print(hashlib.sha256(b'x' * 200000).hexdigest())"
    has(
        &get(&folder, &server).unwrap_err(),
        2,
        &["another file", MADE_UP.sha256, "91e3faafd322bcdf160f3f0ce886acb092b9b9e2a1e8526b40f21a8898a8700b"],
    );
    assert!(files(&folder).is_empty());
}

/// Would catch: a file of another size that is fetched to its end, or resumed for ever.
#[test]
fn a_file_of_another_size_is_refused() {
    for (manner, found) in [(Manner::Shorter, "found: 100 bytes"), (Manner::Endless, "found: more than 200000 bytes")] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(content(), &[manner]);
        has(&get(&folder, &server).unwrap_err(), 2, &["expected: 200000 bytes", found]);
        assert!(files(&folder).is_empty());
    }
}

/// Would catch: a server that makes the program read a file of its user, wait for ever, fill its memory, or keep what it
/// sent.
#[test]
fn a_hostile_server_gets_nothing() {
    for manner in [
        Manner::Redirect("file:///etc/passwd"),
        Manner::Redirect("/made-up.txt"),
        Manner::Redirect("http://[::"),
        Manner::Headers,
        Manner::Compressed,
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(content(), &[manner; 30]);
        let began = std::time::Instant::now();
        let refused = get(&folder, &server).unwrap_err();
        assert!(began.elapsed().as_secs() < 20, "{refused}");
        let kept: u64 = files(&folder).iter().map(|name| fs::metadata(folder.path().join(name)).unwrap().len()).sum();
        assert_eq!(kept, 0, "{refused}");
    }
}

/// Would catch: an error page saved as a corpus.
#[test]
fn other_statuses_are_reported() {
    for (status, code, text) in [(404, 2, "there is no file at http"), (403, 2, "status 403"), (503, 1, "status 503")] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(content(), &[Manner::Status(status)]);
        has(&get(&folder, &server).unwrap_err(), code, &[text, &server.address]);
        assert!(!folder.path().join("made-up.txt").exists());
    }
}

/// Would catch: a panic or an unclear message when no server answers, or when the address is not one.
#[test]
fn an_address_without_a_server_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let to = |address: &str| fetch(&MADE_UP, Some(address), folder.path(), &mut |_, _| {}).unwrap_err();
    has(&to(&format!("http://{closed}/")), 1, &["cannot reach http://127.0.0.1", "because: "]);
    has(&to("made-up.txt"), 2, &["is not an address", "https://"]);
}

/// Would catch: a folder that cannot be written to reported as a fault of ours. The superuser may write everywhere, so
/// a file is in place of the folder.
#[test]
fn a_file_in_place_of_a_folder_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for place in [file.clone(), file.join("below")] {
        let error = fetch(&MADE_UP, None, &place, &mut |_, _| {}).unwrap_err();
        has(&error, 2, &["is not a folder", "$HATCHERY_CACHE"]);
    }
}

/// Would catch: two calls at once that write into one part file.
#[test]
fn two_calls_at_once_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let part = fs::File::create(folder.path().join("made-up.txt.part")).unwrap();
    part.lock().unwrap();
    let error = fetch(&MADE_UP, None, folder.path(), &mut |_, _| {}).unwrap_err();
    has(&error, 2, &["`made-up` is being fetched by another program"]);
}

/// Would catch: a wrong hash in the catalogue.
#[test]
fn every_entry_of_the_catalogue_passes_its_own_check() {
    let Some(data) = crate::text::data_folder("every_entry_of_the_catalogue_passes_its_own_check") else {
        return;
    };
    for entry in catalogue::all() {
        let folder = tempfile::tempdir().unwrap();
        let content = fs::read(data.join(entry.file)).unwrap();
        let server = Server::new(content.clone(), &[Manner::Whole]);
        let path = fetch(entry, Some(&server.address), folder.path(), &mut |_, _| {}).unwrap();
        assert_eq!(fs::read(path).unwrap(), content, "{}", entry.name);
    }
}
