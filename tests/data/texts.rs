//! Texts as they come: their line ends, their normal forms, what is in them by accident, and the symbols that are made
//! of them.

use super::{has, lines, on, said};
use crate::lab::{Lab, TINY};

/// Would catch: a text of one line, because its line ends are not known, with the blame on the split.
#[test]
fn carriage_returns_alone_are_recognized() {
    let lab = on(lines(40).replace('\n', "\r"));
    let refused = lab.refused("train tiny.toml");
    has(
        &refused,
        &[
            "nothing is left for",
            "end with carriage returns, and it is read as one",
            "set vocabulary.newlines = \"fold\"",
        ],
    );
    has(&said(&lab, "train tiny.toml --set vocabulary.newlines=fold"), &["tiny: 36 sequences, 4 held out"]);
    // Without a split nothing fails; then it is mentioned.
    let whole = said(&lab, "train tiny.toml --set split.valid=0");
    has(&whole, &["the lines of `text.txt` end with carriage returns alone (40)", "vocabulary.newlines"]);
}

/// Would catch: symbols that come from a mixture of editors, and are not mentioned.
#[test]
fn line_ends_of_several_kinds_are_counted() {
    let text = format!("{}{}", lines(20).replace('\n', "\r\n"), lines(10));
    let lab = on(format!("{text}abn\rban\r"));
    let trained = said(&lab, "train tiny.toml");
    has(&trained, &["10 with a newline, 20 with a carriage return and a newline, 2 with a carriage return"]);
    let folded = said(&lab, "train tiny.toml --set vocabulary.newlines=fold");
    assert!(!folded.contains("several ways"), "{folded}");
    has(&folded, &["28 sequences, 4 held out"]);
    // What is typed is read as the text was.
    let stream = ["--set", "dataset.type=stream", "--set", "dataset.steps=4", "--set", "vocabulary.newlines=fold"];
    let arguments = [&["train", "tiny.toml", "--quiet"][..], &stream].concat();
    assert_eq!(lab.run_with(&arguments).code, Some(0));
    assert_eq!(lab.run_with(&["sample", "--prefix", "an\r\nba", "--length", "2"]).code, Some(0));
}

/// Would catch: invisible characters that become symbols, unmentioned, or a key for them that does not work.
#[test]
fn invisible_characters_are_counted() {
    let lab = on(format!("{}\u{feff}abn\nb\0an\n\u{feff}bnn\n", lines(30)));
    let trained = said(&lab, "train tiny.toml");
    has(&trained, &["has 2 of U+FEFF (byte order marks)", "has 1 of U+0000 (NUL characters)"]);
    let removed = ["train", "tiny.toml", "--set", "vocabulary.remove=\"\\u0000\\uFEFF\""];
    let removed = lab.run_with(&removed).stderr;
    has(&removed, &["3 characters are left out of the text (vocabulary.remove)", "27 different symbols"]);
    assert!(!removed.contains("U+FEFF"), "{removed}");
}

/// Would catch: characters that are symbols and cannot be seen, or that say that the text was damaged, unmentioned.
#[test]
fn other_characters_that_cannot_be_seen_are_counted() {
    let lab = on(format!("{}a\u{ad}b\u{200b}\nc\u{2028}d\u{202e}\n\u{fffd}\u{fffd}\n", lines(30)));
    let trained = said(&lab, "train tiny.toml");
    has(
        &trained,
        &["1 of U+00AD (soft hyphens)", "1 of U+200B", "1 of U+2028", "1 of U+202E", "2 of U+FFFD (replacement"],
    );
    let removed = ["train", "tiny.toml", "--set", "vocabulary.remove=\"\\u00AD\\u200B\\u2028\\u202E\\uFFFD\""];
    let removed = lab.run_with(&removed).stderr;
    has(&removed, &["6 characters are left out of the text (vocabulary.remove)"]);
    assert!(!removed.contains("U+"), "{removed}");
}

/// Would catch: one letter as two symbols, a composed é and an e with a mark, unmentioned.
#[test]
fn two_normal_forms_are_mentioned_and_folded() {
    let lab = on(format!("{}caf\u{e9}\ncafe\u{301}\n", lines(30)));
    let trained = said(&lab, "train tiny.toml");
    has(&trained, &["has `é` both as one character and as letter and mark", "vocabulary.normalize = \"nfc\""]);
    has(&trained, &["29 different symbols"]);
    let folded = said(&lab, "train tiny.toml --set vocabulary.normalize=nfc");
    has(&folded, &["28 different symbols"]);
    assert!(!folded.contains("both as one"), "{folded}");
    assert_eq!(lab.run_with(&["sample", "--prefix", "cafe\u{301}"]).code, Some(0), "a prefix is read as the text was");
    // One form alone is no reason for a remark.
    assert!(!said(&on(format!("{}cafe\u{301}\n", lines(30))), "train tiny.toml").contains("both as one"));
}

/// Would catch: characters that are skipped, read as unknown or cut off, and a number that does not say so.
#[test]
fn what_is_left_out_is_counted_beside_the_number() {
    // The umlauts are in the tenth that is held out.
    let lab = on(format!("{}käse\nzürich\n", lines(18)));
    let skipped = said(&lab, "train tiny.toml --set vocabulary.unknown=skip");
    has(&skipped, &["characters for validation", "are not in the vocabulary and are left out", "`ä` 1 times"]);
    has(&said(&lab, "eval tiny/001"), &["are not in the vocabulary and are left out"]);
    let read = said(&lab, "train tiny.toml --set vocabulary.unknown=token");
    has(&read, &["of 10 characters for validation", "are read as unknown"]);
    let cut = said(&lab, "train tiny.toml --set dataset.length=3");
    has(&cut, &["18 of 18 documents for training are longer than `length` of [dataset]"]);
    has(&cut, &["2 of 2 documents for validation are longer"]);
    let exact = said(&lab, "train tiny.toml --set dataset.length=7");
    assert!(!exact.contains("longer than `length`"), "{exact}");
    // Without an end symbol, an empty line predicts nothing.
    let blank = on(format!("{}\n\n", lines(30)));
    let set = [
        "train",
        "tiny.toml",
        "--set",
        "dataset.skip-empty=false",
        "--set",
        "dataset.end=\"\"",
        "--set",
        "dataset.padding=\"_\"",
    ];
    has(&blank.run_with(&set).stderr, &["2 documents for validation predict nothing and are left out"]);
}

/// Would catch: most of a text never trained on, unmentioned.
#[test]
fn what_no_batch_has_is_counted() {
    let lab = on(lines(50));
    let stream = said(&lab, "train tiny.toml --set dataset.type=stream --set dataset.steps=30 --set split.valid=0");
    has(&stream, &["76 of 200 characters for training (38.0 %) are in no batch"]);
    let windows =
        "train tiny.toml --set dataset.type=windows --set dataset.length=4 --set dataset.stride=50 --set split.valid=0";
    has(&said(&lab, windows), &["180 of 200 characters for training (90.0 %) are in no batch"]);
    let all = windows.replace("stride=50", "stride=2");
    assert!(!said(&lab, &all).contains("in no batch"));
}

/// Would catch: a long line that pads its whole batch, unmentioned; batches by length that lose or repeat a line.
#[test]
fn padding_is_mentioned_and_saved() {
    let lab = on(format!("{}{}\n", lines(159), "ab".repeat(400)));
    let trained = said(&lab, "train tiny.toml --set split.valid=0 --set train.batch=16");
    has(
        &trained,
        &[
            "of what training computes is padding: the longest sequence has 801 symbols",
            "train.order = \"by-length\" makes it",
        ],
    );
    let shorter = said(&lab, "train tiny.toml --set split.valid=0 --set train.batch=16 --set train.order=by-length");
    assert!(!shorter.contains("makes it"), "{shorter}");
    assert!(!said(&Lab::new(), "train tiny.toml").contains("padding"), "names are not worth a remark");
}

/// Would catch: bytes that are not those of the text, samples that show half a character, a count of characters.
#[test]
fn symbols_may_be_bytes() {
    let lab = on("zürich\nköln\n東京\n".repeat(30));
    let trained = said(&lab, "train tiny.toml --set vocabulary.unit=byte --set train.steps=300 --set cell.hidden=32");
    // Eight letters, c3 and bc for ü, c3 and b6 for ö, e6 9d b1 and e4 ba ac, the newline.
    has(&trained, &["18 different symbols", "nats per byte"]);
    has(&lab.ok("eval"), &["nats per byte", " bytes"]);
    for sample in lab.ok("sample --count 20 --temperature 0.2").lines() {
        assert!(!sample.contains('Ã'), "{sample}");
    }
    has(&lab.ok("sample --prefix zü --temperature 0 --count 1"), &["zürich"]);
    let start = ["train", "tiny.toml", "--set", "vocabulary.unit=byte", "--set", "dataset.start=\"→\""];
    let refused = lab.run_with(&start);
    assert_eq!(refused.code, Some(2));
    has(&refused.stderr, &["`→` (U+2192) is not a byte"]);
}

/// Would catch: an alphabet in another order than was given, symbols that slip in, rare ones that stay.
#[test]
fn the_alphabet_may_be_given() {
    let lab = on(format!("{}@\n", lines(52)));
    let refused = lab.refused("train tiny.toml --set vocabulary.symbols=zyxwvutsrqponmlkjihgfedcba");
    has(&refused, &["the vocabulary has no `@` (U+0040)", "add it to vocabulary.symbols"]);
    let given = "train tiny.toml --set vocabulary.symbols=zyxwvutsrqponmlkjihgfedcba --set vocabulary.unknown=skip";
    has(&said(&lab, given), &["27 different symbols", "`@` 1 times"]);
    let shown = lab.ok("sample --next 27 --prefix a --json");
    let mut letters: Vec<_> = shown.lines().collect();
    letters.sort_unstable();
    assert_eq!(letters.len(), 27);
    has(&lab.refused("check tiny.toml --set vocabulary.symbols=abca"), &["lists `a` twice"]);

    let rare = lab.refused("train tiny.toml --set vocabulary.min-count=2");
    has(&rare, &["`min-count` in [vocabulary] leaves characters without a symbol", "unknown = \"skip\""]);
    let skipped =
        said(&lab, "train tiny.toml --set split.valid=0 --set vocabulary.min-count=2 --set vocabulary.unknown=skip");
    has(&skipped, &["27 different symbols", "1 of 157 characters for training (0.6 %) is not in the vocabulary"]);
}

/// Would catch: an experiment that cannot be fed by a pipe, or one that waits for a person.
#[test]
fn a_text_may_come_from_standard_input() {
    let lab = Lab::new().with("text.txt", lines(40)).with("pipe.toml", TINY.replace("\"dinosaurs\"", "\"-\""));
    let mut command = lab.command(&["train", "pipe.toml"]);
    command.stdin(std::fs::File::open(lab.path("text.txt")).unwrap());
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    has(&stderr, &["36 sequences, 4 held out"]);
    has(&lab.refused("eval tiny/001"), &["`-` is empty"]);
    let mut again = lab.command(&["eval", "tiny/001"]);
    again.stdin(std::fs::File::open(lab.path("text.txt")).unwrap());
    assert_eq!(again.output().unwrap().status.code(), Some(0));
}

/// Would catch: documents cut at every newline, values of a table read as lines, rows that disappear.
#[test]
fn documents_have_several_lines() {
    let poems: String =
        (0..30).map(|number| format!("{}  and\nfell\n\n", lines(30).lines().nth(number).unwrap())).collect();
    let documents = TINY.replace("type = \"lines\"", "type = \"documents\"").replace("\"dinosaurs\"", "\"text.txt\"");
    let lab = on(poems).with("tiny.toml", &documents);
    has(&said(&lab, "train tiny.toml"), &["27 sequences, 3 held out, the longest of 14 symbols"]);
    has(&lab.ok("sample --count 2"), &[""]);

    // A table: quotes, commas and newlines within a value.
    let csv = "id,text\n1,\"a, b\nc\"\n2,\"he said \"\"no\"\"\"\n3,abn\n".to_owned() + &"4,ban\n".repeat(20);
    let jsonl = "{\"text\": \"a, b\\nc\"}\n{\"text\": \"he said \\\"no\\\"\"}\n{\"text\": \"abn\"}\n".to_owned()
        + &"{\"text\":\"ban\"}\n".repeat(20);
    let lab = lab
        .with("t.csv", &csv)
        .with(
            "t.tsv",
            csv.replacen("id,text", "id\ttext", 1)
                .replace("1,", "1\t")
                .replace("2,", "2\t")
                .replace("3,", "3\t")
                .replace("4,", "4\t"),
        )
        .with("t.jsonl", jsonl);
    let mut shown = Vec::new();
    for file in ["t.csv", "t.tsv", "t.jsonl"] {
        let corpus = format!("{{ glob = \"{file}\", column = \"text\", separator = \"\\u001E\" }}");
        let table = documents.replace("\"text.txt\"", &corpus).replace("steps = 6", "steps = 1");
        let table = table.replace("type = \"documents\"", "type = \"documents\"\ndelimiter = \"\\u001E\"");
        let lab = Lab::new().with(file, lab.bytes(file)).with("table.toml", &table);
        has(&said(&lab, "train table.toml"), &["20 sequences, 3 held out, the longest of 13 symbols"]);
        shown.push(lab.ok("data show --experiment table.toml"));
    }
    assert!(shown.windows(2).all(|pair| pair[0] == pair[1]), "{shown:?}");
}

/// Would catch: a column that is not there, a value that would be cut in two, a row without text, each as a panic or silence.
#[test]
fn tables_are_refused_with_their_place() {
    let lab = Lab::new()
        .with("t.csv", "id,name\n1,anna\n2,\"be\nrt\"\n")
        .with("t.jsonl", "{\"name\": \"a\"}\n\n{\"nom\": \"b\"}\n{\"name\": 3}\n");
    let lab = lab.with("t.txt", "name\nanna\n").with("two.csv", "name,name\nanna,bert\n");
    let lab = lab.with("own.csv", "name,other\nanna,bert\n");
    let refused = |corpus: &str| {
        let set = format!("dataset.corpus={corpus}");
        let outcome = lab.run_with(&["train", "tiny.toml", "--set", &set]);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        outcome.stderr
    };
    has(
        &refused("{ glob = \"t.csv\", column = \"nam\" }"),
        &["has no column `nam`", "id, name", "did you mean `name`?"],
    );
    has(
        &refused("{ glob = \"t.csv\", column = \"name\" }"),
        &["a text of `t.csv` contains what separates it from the next", "separator"],
    );
    has(&refused("{ glob = \"t.jsonl\", column = \"name\" }"), &["line 3 of `t.jsonl` has no `name`", "it has: nom"]);
    has(&refused("{ glob = \"t.txt\", column = \"name\" }"), &["not known to be a table", ".csv"]);
    has(
        &refused("{ glob = \"two.csv\", column = \"name\" }"),
        &["several columns `name`", "give each a name of its own"],
    );
    let own = ["check", "tiny.toml", "--set", "split.valid=0", "--set"];
    let own = [&own[..], &["dataset.corpus={ glob = \"own.csv\", column = \"name\" }"]].concat();
    assert_eq!(lab.run_with(&own).code, Some(0));
    // The hint, followed.
    let whole = "{ glob = \"t.csv\", column = \"name\", separator = \"\\u001E\" }";
    let set = [
        "--set",
        &format!("dataset.corpus={whole}"),
        "--set",
        "dataset.type=documents",
        "--set",
        "dataset.delimiter=\"\\u001E\"",
        "--set",
        "split.valid=0",
    ];
    let outcome = lab.run_with(&[&["train", "tiny.toml"][..], &set].concat());
    has(&outcome.stderr, &["tiny: 2 sequences,"]);
}

/// Would catch: files of a folder run together, or cut where one of them has the separator.
#[test]
fn the_files_of_a_folder_are_documents() {
    let mut lab = Lab::new();
    for number in 0..20 {
        lab = lab.with(&format!("poems/{number:02}.txt"), format!("poem\n\n{number}\n"));
    }
    let folder = TINY
        .replace("type = \"lines\"", "type = \"documents\"\ndelimiter = \"\\u001E\"")
        .replace("\"dinosaurs\"", "{ glob = \"poems/*.txt\", separator = \"\\u001E\" }");
    let lab = lab.with("folder.toml", folder);
    has(&said(&lab, "train folder.toml"), &["18 sequences, 2 held out, the longest of 9 symbols"]);
    let lab = lab.with("poems/20.txt", "a\u{1E}b");
    has(&lab.refused("train folder.toml"), &["`poems/20.txt` contains what separates it from the next, in its line 1"]);
}

/// Would catch: a sample that goes on behind its end, ends too early, or has what was forbidden.
#[test]
fn samples_end_and_avoid_as_asked() {
    let lab = on(lines(52));
    lab.ok("train tiny.toml --quiet --set train.steps=60");
    let sample = |line: &str| lab.ok(&format!("sample --count 30 --seed 3 --length 12 {line}"));
    for text in sample("--min-length 6").lines() {
        assert!(text.chars().count() >= 6, "{text}");
    }
    let stopped = sample("--stop n --stop b");
    for text in stopped.lines().filter(|text| text.contains(['n', 'b'])) {
        assert_eq!(text.find(['n', 'b']), Some(text.len() - 1), "{text}");
    }
    assert!(stopped.lines().any(|text| text.ends_with('n')));
    assert!(sample("").contains('n') && !sample("--forbid nxyz").contains(['n', 'x', 'y', 'z']));
    // The prefix is no part of it.
    assert!(lab.ok("sample --prefix nn --stop nn --count 5").lines().any(|text| text.len() > 2));
    let all = lab.run_with(&["sample", "--forbid", "abcdefghijklmnopqrstuvwxyz", "--min-length", "2"]);
    assert_eq!(all.code, Some(2));
    has(&all.stderr, &["every symbol is forbidden"]);
    has(&lab.refused("sample --stop 7"), &["the vocabulary has no `7`"]);
}
