//! `hatchery score`: how surprising each line and each character of a text is to a trained model.

use std::{f64::consts::LN_2, io::Read};

use hatchery::{
    error::{Problem, Result},
    inspect::score::{ScoredLine, score},
    plot::surprise_svg,
    visible,
};
use serde_json::json;

use super::{SKIP_UNKNOWN, picture};
use crate::{
    arguments::Score,
    show::{self, Column},
};

pub(crate) fn run(arguments: &Score) -> Result<()> {
    let skip: Vec<_> = arguments.skip_unknown.then(|| SKIP_UNKNOWN.to_owned()).into_iter().collect();
    let (session, checkpoint) = super::open_model(Some(&arguments.run), &arguments.place, &skip)?;
    let (mut network, progress) = super::restore(&session)?;
    if let Some(remark) = checkpoint.remark(progress.updates) {
        say!("{remark}");
    }
    let text = text(arguments)?;
    let lines = score(&mut network, &text).map_err(super::offering_to_skip)?;
    let unknown: usize = lines.iter().map(|line| line.unknown).sum();
    if unknown > 0 {
        say!("note: the vocabulary lacks {unknown} characters of the text, which are not scored as themselves");
    }
    if let Some(path) = &arguments.picture {
        let symbols: Vec<Vec<_>> =
            lines.iter().map(|line| line.symbols.iter().map(|it| (it.symbol, it.nats)).collect()).collect();
        picture::write(path, &surprise_svg(&symbols, &network.experiment.name))?;
    }
    let mut numbered: Vec<_> = lines.iter().enumerate().map(|(index, line)| (index + 1, line)).collect();
    if arguments.rank {
        numbered.sort_by(|(_, one), (_, other)| other.mean().total_cmp(&one.mean()));
    }
    match arguments {
        Score { json: true, .. } => numbered.iter().for_each(|(number, line)| out!("{}", row(*number, line))),
        Score { characters: true, .. } => print_characters(&numbered),
        _ => print_lines(&numbered),
    }
    Ok(())
}

/// Bytes of the longest text that is read from standard input: what writes it may never end.
const LONGEST: u64 = 64 << 20;

/// The text of the command line or of standard input.
fn text(arguments: &Score) -> Result<String> {
    let mut text = arguments.text.clone();
    if text == "-" {
        text.clear();
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().take(LONGEST + 1).read_to_end(&mut bytes);
        read.map_err(|error| Problem::new(format!("cannot read standard input: {error}")))?;
        if bytes.len() as u64 > LONGEST {
            return Err(Problem::new("the text on standard input has more than 64 MiB")
                .hint("score a part of it, or keep it in a file: hatchery eval RUN --text FILE")
                .into());
        }
        text = String::from_utf8(bytes).map_err(|_| {
            Problem::new("the text on standard input is not UTF-8").hint("convert it: iconv -f latin1 -t utf-8")
        })?;
    }
    if text.is_empty() {
        return Err(Problem::new("the text is empty").hint("give a text, or `-` and a text on standard input").into());
    }
    Ok(text)
}

fn row(number: usize, line: &ScoredLine) -> serde_json::Value {
    let bits = |nats: f64| nats / LN_2;
    let symbol = |it: &hatchery::inspect::score::ScoredSymbol| json!({ "symbol": it.symbol, "nats": it.nats, "bits": it.nats.map(bits) });
    json!({
        "line": number,
        "text": content(line),
        "nats": line.nats(),
        "bits": bits(line.nats()),
        "characters": line.predicted(),
        "nats_per_character": line.mean(),
        "bits_per_character": bits(line.mean()),
        "perplexity": line.mean().exp(),
        "unknown_characters": line.unknown,
        "symbols": line.symbols.iter().map(symbol).collect::<Vec<_>>(),
    })
}

/// A line without the symbol that ends it.
fn content(line: &ScoredLine) -> String {
    let text: String = line.symbols.iter().map(|it| it.symbol).collect();
    text.trim_end_matches('\n').to_owned()
}

/// One row a line, and one for all of them.
fn print_lines(lines: &[(usize, &ScoredLine)]) {
    let nats: f64 = lines.iter().map(|(_, line)| line.nats()).sum();
    let predicted: usize = lines.iter().map(|(_, line)| line.predicted()).sum();
    let values = |nats: f64, predicted: usize| {
        let mean = nats / predicted as f64;
        [
            format!("{nats:.4}"),
            format!("{:.4}", nats / LN_2),
            format!("{:.4}", mean / LN_2),
            format!("{:.4}", mean.exp()),
        ]
    };
    let mut rows: Vec<_> = lines
        .iter()
        .map(|(number, line)| (number.to_string(), values(line.nats(), line.predicted()), content(line)))
        .collect();
    if lines.len() > 1 {
        rows.push(("all".to_owned(), values(nats, predicted), format!("{predicted} characters")));
    }
    let column = |head, at: usize| Column::right(head, rows.iter().map(|(_, values, _)| values[at].clone()).collect());
    let columns = [
        Column::right("line", rows.iter().map(|(number, ..)| number.clone()).collect()),
        column("nats", 0),
        column("bits", 1),
        column("bits per character", 2),
        column("perplexity", 3),
        Column::left("text", rows.iter().map(|(.., text)| text.clone()).collect()),
    ];
    show::table(&columns).iter().for_each(|line| out!("{line}"));
}

fn print_characters(lines: &[(usize, &ScoredLine)]) {
    let all = || lines.iter().flat_map(|(number, line)| line.symbols.iter().map(move |it| (number, it)));
    let shown = |nats: Option<f64>| nats.map_or("–".to_owned(), |nats| format!("{nats:.4}"));
    let columns = [
        Column::right("line", all().map(|(number, _)| number.to_string()).collect()),
        Column::left("character", all().map(|(_, it)| visible::symbol(it.symbol)).collect()),
        Column::right("nats", all().map(|(_, it)| shown(it.nats)).collect()),
        Column::right("bits", all().map(|(_, it)| shown(it.nats.map(|nats| nats / LN_2))).collect()),
    ];
    show::table(&columns).iter().for_each(|line| out!("{line}"));
}
