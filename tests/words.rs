//! One language: words for which the field has a better one are found in code, messages, README and book. The glossary
//! in `book/src/architecture.md` has the terms that stand in their place.

use regex::Regex;

use crate::lab::{files, root};

/// A pattern of words, what to write instead, and, where that is a term, its row in the glossary. `_` counts as a
/// space and a line break as nothing, so that names and wrapped comments are found too.
const BANNED: [(&str, &str, Option<&str>); 35] = [
    // Terms.
    (r"\bway back\b", "backward pass, or rewind", Some("backward pass")),
    (r"\bturn(s|ed|ing)? (a |the |its |their )?matri(x|ces)\b", "transpose", Some("transpose")),
    (r"\bturn(s|ed|ing)? on (its|their) sides?\b", "transpose", Some("transpose")),
    (r"\bnearer\b", "prefetch", Some("prefetch")),
    (r"\bfirst caches?\b", "L1", Some("L1")),
    (r"\bsecond caches?\b", "L2", Some("L2")),
    (r"\blarge pages\b", "huge pages", Some("huge pages")),
    (r"\breshap(e|es|ed|ing) (the )?logits\b", "process", Some("process")),
    (r"\bwhole numbers?\b", "int, integer", Some("dtype")),
    (r"\btruths?\b", "bool", Some("dtype")),
    (r"\b(kind|width)s? of (a |the |its |their )?numbers?\b", "dtype", Some("dtype")),
    (r"\btrained numbers\b", "parameters, parameter count", Some("parameter")),
    (r"\boptimi[sz]ers? (remembers?|forgets?)\b", "optimizer state, reset", Some("optimizer state")),
    (r"\boptimi[sz]er's memory\b", "optimizer state", Some("optimizer state")),
    (r"\bbehind the program's back\b", "asynchronous", Some("asynchronous")),
    (r"\bcut short\b", "interrupted", Some("interrupted")),
    (r"\bgo(es|ing)? on with\b", "resume, continue", Some("resume")),
    (r"\bt(ake|akes|aken|ook) up\b", "load, restore, resume", Some("resume")),
    (r"\bmend(s|ed|ing)?\b", "fix", Some("fix")),
    (r"\btold\b", "reported, printed", Some("report an error")),
    (r"\bby heart\b", "overfit, memorize", Some("overfit")),
    // Plain English.
    (r"\b(no|some)body\b", "no one, someone; better: say what is done to what", None),
    (r"\bkin\b", "the other rows, values of the same …", None),
    (r"\bso many\b", "the number of …", None),
    (r"\bsaid aloud\b", "explicit", None),
    (r"\b(that|which|it) (is|are) no (numbers?|symbols?|cells?|files?|keys?)\b", "is not a …", None),
    (r"\b(stands?|l(ie|ies)) in\b", "is in, are in", None),
    // American spelling, as keys and identifiers have it.
    (r"optimis[eai]", "optimiz…", None),
    (r"initialis[eai]", "initializ…", None),
    (r"capitalis[eai]", "capitaliz…", None),
    (r"minimis[eai]", "minimiz…", None),
    (r"normalis[eai]", "normaliz…", None),
    (r"serialis[eai]", "serializ…", None),
    (r"colour", "color", None),
    (r"neighbour", "neighbor", None),
];

/// The name of a random stream: another one would draw other first values.
const STREAM: &str = "the name of a random stream";
/// A name that users or earlier versions write.
const OLD: &str = "a name that is replaced";

/// Lines in which a word has to stand: a file, a part of the line, and why.
const EXCEPTIONS: [(&str, &str, &str); 5] = [
    ("book/src/architecture.md", "`initialise layers.0.wx`", STREAM),
    ("framework/core/src/experiment/checking/synonyms.rs", "\"optim\", \"optimiser\"", OLD),
    ("framework/core/src/experiment/renamed.rs", "\"initialiser\", \"initializer\"", OLD),
    ("framework/core/src/experiment/renamed.rs", "`initialiser` → `initializer`", OLD),
    ("framework/core/src/model/mod.rs", "\"initialise {}\"", STREAM),
];

/// Would catch: a term of an earlier version in a new comment, message or page.
#[test]
fn the_words_are_those_of_the_field() {
    let patterns = patterns();
    let mut found = Vec::new();
    let mut used = [false; EXCEPTIONS.len()];
    for path in texts() {
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (line, message) in findings(&path, &text, &patterns) {
            let place = EXCEPTIONS.iter().position(|(file, part, _)| *file == path && lines[line].contains(part));
            match place {
                Some(place) => used[place] = true,
                None => found.push(message),
            }
        }
    }
    assert!(found.is_empty(), "{} to rewrite:\n{}", found.len(), found.join("\n"));
    assert!(used.iter().all(|used| *used), "an exception that no line needs: {EXCEPTIONS:?}, {used:?}");
}

/// Would catch: a pattern that never matches, a line number that is off, a wrapped comment or a name that is passed over.
#[test]
fn a_planted_word_is_found() {
    let patterns = patterns();
    let clean = "//! Transposes a matrix.\n\n/// Reports a number's color, and kinds of cells.\nfn initialize() {}\n";
    assert_eq!(findings("a.rs", clean, &patterns), []);
    for (text, line, word) in [
        ("fn f() {}\n/// It is brought\n/// nearer.\n", 2, "nearer"),
        ("/// The second\n/// cache.\n", 0, "second cache"),
        ("fn f() {}\nfn is_told() {}\n", 1, "told"),
        ("let message = \"turned on \\\n    its side\";\n", 0, "turned on its side"),
        ("enum Initialiser {}\n", 0, "Initialise"),
        ("The *truth*\n", 0, "truth"),
    ] {
        let found = findings("a.rs", text, &patterns);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(found[0].0, line, "{text}");
        assert!(found[0].1.starts_with(&format!("a.rs:{}: \"{word}\": write ", line + 1)), "{}", found[0].1);
    }
}

/// Would catch: an advice to write a term that is explained nowhere.
#[test]
fn the_terms_are_in_the_glossary() {
    let book = std::fs::read_to_string(root().join("book/src/architecture.md")).unwrap();
    for (_, instead, term) in BANNED {
        let Some(term) = term else { continue };
        let row = |line: &str| line.starts_with('|') && line.contains(&format!("**{term}**"));
        assert!(book.lines().any(row), "{instead}: the glossary has no `{term}`");
    }
}

/// The texts, as paths from the root, without generated pages, which repeat them, and what tests the names of earlier
/// versions.
fn texts() -> Vec<String> {
    let endings = ["rs", "md", "toml", "sh", "py", "h", "c", "cpp"];
    let folders = ["framework", "plugins", "tests", "book", "experiments"];
    let all = folders.iter().flat_map(|folder| endings.iter().flat_map(|ending| files(folder, ending)));
    let skipped = [
        "book/src/generated/",
        "book/book/",
        "tests/words.rs",
        "tests/first_spelling.rs",
        "tests/fixtures/first-spelling/",
    ];
    let read = |path: &String| !path.contains("/target/") && !skipped.iter().any(|skipped| path.starts_with(skipped));
    let mut texts: Vec<_> = all.filter(read).collect();
    texts.push("README.md".to_owned());
    assert!(texts.len() > 300, "{texts:?}");
    texts
}

fn patterns() -> Vec<Regex> {
    BANNED.iter().map(|(pattern, ..)| Regex::new(&format!("(?i){pattern}")).unwrap()).collect()
}

/// What is found in a text: the index of the line, and a message with the path and the line's number.
fn findings(path: &str, text: &str, patterns: &[Regex]) -> Vec<(usize, String)> {
    let (joined, starts) = join(text);
    let mut found = Vec::new();
    for (pattern, (_, instead, _)) in patterns.iter().zip(BANNED) {
        for word in pattern.find_iter(&joined) {
            let line = starts.partition_point(|start| *start <= word.start()) - 1;
            found.push((line, format!("{path}:{}: \"{}\": write {instead}", line + 1, word.as_str())));
        }
    }
    found.sort();
    found
}

/// A text in one line, without what begins a comment, with spaces for `_`; and where each of its lines begins. Of the
/// glossary, what earlier versions said is left out.
fn join(text: &str) -> (String, Vec<usize>) {
    let (mut joined, mut starts, mut in_glossary) = (String::new(), Vec::new(), false);
    for line in text.lines() {
        if line.starts_with("## ") {
            in_glossary = line == "## Glossary";
        }
        let mut line = line.trim().trim_end_matches('\\').trim_start_matches(['/', '!', '#', '*', '>', ' ']);
        if in_glossary && line.starts_with('|') {
            line = line.trim_end_matches('|').rsplit_once('|').map_or(line, |(before, _)| before);
        }
        starts.push(joined.len());
        joined.push_str(&line.replace('_', " "));
        if !joined.ends_with(' ') {
            joined.push(' ');
        }
    }
    (joined, starts)
}
