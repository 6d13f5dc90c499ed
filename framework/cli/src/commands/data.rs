//! `hatchery data`: lists, fetches and describes texts.

use std::{collections::BTreeMap, io::IsTerminal, path::Path};

use hatchery::{
    data::corpus::{
        catalogue::{self, State, TextFolders},
        fetch, open,
    },
    error::{Problem, Result},
    experiment::Corpus,
    plot::{Histogram, bars, histogram_svg},
};

use crate::arguments::Libraries;

/// The indent of paths in the list of texts.
const INDENT: &str = "                                      ";

/// Prints all texts with a name, and their paths.
pub(crate) fn list() {
    let places = TextFolders::from_environment();
    for listed in catalogue::list(&places) {
        let state = match listed.state {
            State::Embedded => "embedded".to_owned(),
            State::Fetched(path) => path.display().to_string(),
            State::Absent => format!("not here: hatchery data fetch {}", listed.name),
        };
        out!("{:<18} {:>9} bytes  {}\n{INDENT}{state}", listed.name, listed.bytes, listed.description);
    }
    out!("\nAn experiment may also name a file: corpus = \"path/to/text.txt\".");
}

/// Downloads texts to the cache folder, except those in the folder of `HATCHERY_DATA`.
pub(crate) fn fetch(names: &[String], from: Option<&str>) -> Result<()> {
    let places = TextFolders::from_environment();
    let mut entries = Vec::new();
    for name in names {
        let Some(entry) = catalogue::find(name) else {
            let known: Vec<_> = catalogue::all().iter().map(|entry| entry.name).collect();
            return Err(Problem::new(format!("there is no text named `{name}`"))
                .note(format!("known names: {}", known.join(", ")))
                .into());
        };
        entries.push(entry);
    }
    for entry in entries {
        if let (None, State::Fetched(path)) = (from, entry.state(&places))
            && !path.starts_with(&places.cache)
        {
            out!("{}", path.display());
            continue;
        }
        let address = from.map(|folder| format!("{}{}", folder, entry.file));
        let terminal = std::io::stderr().is_terminal();
        let mut progress = |done: u64, all: u64| {
            if terminal {
                eprint!("\r{}: {done} of {all} bytes", entry.name);
            }
        };
        let path = fetch::fetch(entry, address.as_deref(), &places.cache, &mut progress);
        if terminal {
            say!("");
        }
        out!("{}", path?.display());
    }
    Ok(())
}

/// Prints the size, symbols and line lengths of a text, or the sequences of an experiment.
pub(crate) fn show(corpus: Option<&str>, experiment: Option<&Path>, picture: Option<&Path>) -> Result<()> {
    let (lengths, title, unit) = match (corpus, experiment) {
        (Some(corpus), _) => (show_text(corpus)?, corpus.to_owned(), "characters of a line"),
        (None, Some(experiment)) => {
            let (lengths, name) = show_experiment(experiment)?;
            (lengths, name, "symbols of a sequence, start and end included")
        }
        (None, None) => return Err(Problem::new("name a text, or an experiment by --experiment").into()),
    };
    out!("\nlengths, {unit}:\n{}", bars(&Histogram::of(lengths.iter().copied(), 24), 50));
    if let Some(path) = picture {
        let picture = histogram_svg(&Histogram::of(lengths, 25), &title, unit);
        super::picture::write(path, &picture)?;
        out!("{}", path.display());
    }
    Ok(())
}

/// Prints the splits of an experiment, and returns the lengths of its sequences and its name.
fn show_experiment(path: &Path) -> Result<(Vec<f64>, String)> {
    let session = super::open_file(path, &Libraries::default(), Vec::new())?;
    let data = session.data()?;
    out!("symbols      {}", data.vocabulary.len());
    out!("             {}", shown(data.vocabulary.symbols().iter()));
    let mut lengths = Vec::new();
    for (name, split) in
        [("training", Some(&data.train)), ("validation", data.valid.as_ref()), ("test", data.test.as_ref())]
    {
        let Some(split) = split else { continue };
        let facts = split.facts();
        out!(
            "{name:<12} {} sequences, {} characters, the longest of {} symbols",
            split.count(),
            facts.characters,
            facts.longest
        );
        lengths.extend(facts.lengths.iter().flat_map(|(&length, &count)| std::iter::repeat_n(length as f64, count)));
    }
    data.notes.iter().for_each(|note| out!("note: {note}"));
    Ok((lengths, session.experiment.name))
}

fn shown<'a>(symbols: impl Iterator<Item = &'a char>) -> String {
    symbols.map(|symbol| hatchery::visible::symbol(*symbol)).collect::<Vec<_>>().join(" ")
}

fn show_text(corpus: &str) -> Result<Vec<f64>> {
    let text = open(&Corpus::Name(corpus.to_owned()), Path::new("."))?;
    let text = text.as_str();
    let mut symbols = BTreeMap::<char, u64>::new();
    text.chars().for_each(|symbol| *symbols.entry(symbol).or_default() += 1);
    let lengths: Vec<_> = text.lines().map(|line| line.trim().chars().count() as f64).filter(|&n| n > 0.0).collect();

    out!("bytes        {}", text.len());
    out!("characters   {}", symbols.values().sum::<u64>());
    let empty = text.lines().count() - lengths.len();
    out!(
        "lines        {}{}",
        lengths.len(),
        if empty > 0 { format!(", and {empty} empty ones") } else { String::new() }
    );
    out!("symbols      {}", symbols.len());
    out!("             {}", shown(symbols.keys()));
    Ok(lengths)
}
