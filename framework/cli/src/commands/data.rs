//! `hatchery data`: the texts that experiments may name.

use std::{collections::BTreeMap, io::IsTerminal, path::Path};

use hatchery::{
    error::{Problem, Result},
    experiment::Corpus,
    run::picture::{Histogram, bars},
    text::{
        catalogue::{self, Places, State},
        fetch, open,
    },
};

/// Under the descriptions in the list of texts.
const INDENT: &str = "                                      ";

/// Every text that is known by name, and where it is.
pub(crate) fn list() {
    let places = Places::from_environment();
    for listed in catalogue::list(&places) {
        let state = match listed.state {
            State::Embedded => "embedded".to_owned(),
            State::Fetched(path) => path.display().to_string(),
            State::Absent => format!("not here: hatchery data fetch {}", listed.name),
        };
        println!("{:<18} {:>9} bytes  {}\n{INDENT}{state}", listed.name, listed.bytes, listed.description);
    }
    println!("\nAn experiment may also name a file: corpus = \"path/to/text.txt\".");
}

/// Fetches texts into the cache folder.
pub(crate) fn fetch(names: &[String], from: Option<&str>) -> Result<()> {
    let places = Places::from_environment();
    let mut entries = Vec::new();
    for name in names {
        let Some(entry) = catalogue::find(name) else {
            let known: Vec<_> = catalogue::all().iter().map(|entry| entry.name).collect();
            return Err(Problem::new(format!("there is nothing to fetch under the name `{name}`"))
                .note(format!("known names: {}", known.join(", ")))
                .into());
        };
        entries.push(entry);
    }
    for entry in entries {
        let address = from.map(|folder| format!("{}{}", folder, entry.file));
        let terminal = std::io::stderr().is_terminal();
        let mut progress = |done: u64, all: u64| {
            if terminal {
                eprint!("\r{}: {done} of {all} bytes", entry.name);
            }
        };
        let path = fetch::fetch(entry, address.as_deref(), &places.cache, &mut progress);
        if terminal {
            eprintln!();
        }
        println!("{}", path?.display());
    }
    Ok(())
}

/// Size, symbols and the lengths of the lines of a text.
pub(crate) fn show(corpus: &str) -> Result<()> {
    let text = open(&Corpus::Name(corpus.to_owned()), Path::new("."))?;
    let text = text.as_str();
    let mut symbols = BTreeMap::<char, u64>::new();
    text.chars().for_each(|symbol| *symbols.entry(symbol).or_default() += 1);
    let lengths: Vec<_> = text.lines().map(|line| line.trim().chars().count() as f64).filter(|&n| n > 0.0).collect();

    println!("bytes        {}", text.len());
    println!("characters   {}", symbols.values().sum::<u64>());
    println!("lines        {}", lengths.len());
    println!("symbols      {}", symbols.len());
    let shown: String = symbols.keys().map(|symbol| symbol.escape_debug().to_string()).collect::<Vec<_>>().join(" ");
    println!("             {shown}");
    println!("\nlengths of the lines, in characters:\n{}", bars(&Histogram::of(lengths, 24), 50));
    Ok(())
}
