//! Hints of texts, splits, vocabularies, layers and wrappers.

use super::{Case, case, follow};
use crate::lab::{Lab, TINY};

/// Cases in a lab of [`lab`].
pub(super) const MORE: &[Case] = &[
    // Texts.
    case(
        "check tiny.toml --set dataset.corpus={glob=\"folder/*.txt\",separator=\"\\n\"}",
        "set a `separator` that is in none, for example \"\\u001E\", and [dataset] type = \"documents\" with it as `delimiter`",
        "check tiny.toml --set dataset={type=\"documents\",corpus={glob=\"folder/*.txt\",separator=\"\\u001E\"},delimiter=\"\\u001E\"}",
    ),
    case(
        "check tiny.toml --set dataset.corpus={glob=\"folder/*.txt\",column=\"name\"}",
        "rename the file, or leave `column` out",
        "check tiny.toml --set dataset.corpus={glob=\"folder/*.txt\"}",
    ),
    case(
        "check tiny.toml --set dataset={type=\"documents\",corpus=\"paragraphs.txt\",delimiter=\"\"}",
        "leave it out for blank lines",
        "check tiny.toml --set dataset={type=\"documents\",corpus=\"paragraphs.txt\"}",
    ),
    // Splits.
    case(
        "check tiny.toml --set split.valid=\"0.1\"",
        "a share is written without quotes: 0.1",
        "check tiny.toml --set split.valid=0.1",
    ),
    case(
        "check stream.toml --set split.duplicates=drop",
        "leave it out, or read the text by [dataset] type = \"lines\" or \"documents\"",
        "check tiny.toml --set split.duplicates=drop",
    ),
    case(
        "check tiny.toml --set dataset.corpus=returns.txt",
        "set vocabulary.newlines = \"fold\"",
        "check tiny.toml --set dataset.corpus=returns.txt --set vocabulary.newlines=fold",
    ),
    case(
        "check tiny.toml --set dataset.corpus=one.txt",
        "running text is read by [dataset] type = \"stream\" or \"windows\"",
        "check tiny.toml --set dataset={type=\"stream\",corpus=\"one.txt\",steps=5}",
    ),
    case(
        "check tiny.toml --set dataset.corpus=few.txt --set split.valid=0.01 --set split.test=0.25",
        "set split.valid to 0.051 or more, or take a larger corpus",
        "check tiny.toml --set dataset.corpus=few.txt --set split.valid=0.06 --set split.test=0.25",
    ),
    case(
        "check tiny.toml --set dataset.corpus=few.txt --set split.valid=0.5 --set split.test=0.49",
        "make split.valid and split.test smaller, or take a larger corpus",
        "check tiny.toml --set dataset.corpus=few.txt --set split.valid=0.3",
    ),
    // Symbols.
    case(
        "check tiny.toml --set vocabulary.unit=byte --set dataset.start=→",
        "set other symbols in [dataset] and [vocabulary]",
        "check tiny.toml --set vocabulary.unit=byte --set dataset.start=^",
    ),
    case(
        "check tiny.toml --set vocabulary.min-count=2",
        "set `unknown = \"skip\"` to leave them out, or `unknown = \"token\"` to read them as unknown",
        "check tiny.toml --set vocabulary.min-count=2 --set vocabulary.unknown=skip",
    ),
    case(
        "check tiny.toml --set vocabulary.symbols=abca",
        "list every symbol once: its place is its token",
        "check tiny.toml --set vocabulary.symbols=abcdefghijklmnopqrstuvwxyz",
    ),
    case(
        "sample tiny --forbid abcdefghijklmnopqrstuvwxyz --min-length 5",
        "forbid fewer characters: --forbid",
        "sample tiny --forbid abc --min-length 5",
    ),
    // Keys of cells and datasets that do not fit each other.
    case(
        "check tiny.toml --set cell={type=\"mlstm\",hidden=9,heads=2}",
        "take a multiple: `hidden = 10`",
        "check tiny.toml --set cell={type=\"mlstm\",hidden=10,heads=2}",
    ),
    case(
        "check tiny.toml --set cell={type=\"ret-net\",hidden=6,heads=2,rotary=true}",
        "take other heads, or `rotary = false`",
        "check tiny.toml --set cell={type=\"ret-net\",hidden=6,heads=2,rotary=false}",
    ),
    case(
        "check tiny.toml --set cell={type=\"lru\",hidden=8,r-min=0.9,r-max=0.5}",
        "make `r-min` smaller",
        "check tiny.toml --set cell={type=\"lru\",hidden=8,r-min=0.4,r-max=0.5}",
    ),
    case(
        "check tiny.toml --set cell={type=\"lstm\",hidden=8,coupled=true,without=\"input-gate\"}",
        "leave one of the two keys out",
        "check tiny.toml --set cell={type=\"lstm\",hidden=8,coupled=true}",
    ),
    case(
        "check tiny.toml --set dataset={type=\"recall\",corpus=\"none\",letters=4,digits=2,length=9,documents=100}",
        "`letters = 9`, or a smaller `length`",
        "check tiny.toml --set dataset={type=\"recall\",corpus=\"none\",letters=9,digits=2,length=9,documents=100}",
    ),
    // Layers and wrappers.
    case(
        "check tiny.toml --set cell.type=residual",
        "`residual` stands around a cell: name one here, and it in `wrap = [\"residual\"]`",
        "check tiny.toml --set cell.wrap=[\"residual\"] --set model.embedding=8",
    ),
    case(
        "check tiny.toml --set model.head=tied",
        "set `embedding` in [model] to the width of the last layer's output, or `head = \"linear\"`",
        "check tiny.toml --set model.head=tied --set model.embedding=8",
    ),
    case(
        "check tiny.toml --set model.head=tied --set model.embedding=9",
        "make them equal, or put `{ type = \"projection\", width = 9 }` last in the `wrap` of the last layer",
        "check tiny.toml --set model.head=tied --set model.embedding=9 --set cell.wrap=[{type=\"projection\",width=9}]",
    ),
    case(
        "check both.toml",
        "keep [cell] for layers that are alike, or one [[layer]] for each of different ones",
        "check listed.toml",
    ),
    case(
        "check listed.toml --set model.layers=2",
        "leave `layers` out: the list says how many there are",
        "check listed.toml",
    ),
    case(
        "check tiny.toml --set cell.wrap=[{type=\"projection\",width=4},\"multiplicative\"]",
        "wrap a cell that puts out its state, such as `lstm`, `gru` or `vanilla`",
        "check tiny.toml --set cell.wrap=[\"multiplicative\"]",
    ),
    case(
        "check tiny.toml --set cell.wrap=[\"residual\"] --set model.embedding=9",
        "make both equal, or put `{ type = \"projection\", width = 9 }` before this in `wrap`",
        "check tiny.toml --set cell.wrap=[{type=\"projection\",width=9},\"residual\"] --set model.embedding=9",
    ),
    case(
        "check tiny.toml --set cell.wrap=[\"residual\"] --set model.embedding=9",
        "make both equal",
        "check tiny.toml --set cell.wrap=[\"residual\"] --set model.embedding=8",
    ),
    case(
        "check tiny.toml --set cell.wrap=[{type=\"weight-drop\",share=0.5,params=[\"w\"]}]",
        "its parameters: wx, wh",
        "check tiny.toml --set cell.wrap=[{type=\"weight-drop\",share=0.5,params=[\"wh\"]}]",
    ),
];

fn lab() -> Lab {
    let cell = "[cell]\ntype = \"gru\"\nhidden = 8\n";
    let layer = "[[layer]]\ntype = \"gru\"\nhidden = 8\n";
    let stream = TINY
        .replace("type = \"lines\"\ncorpus = \"dinosaurs\"", "type = \"stream\"\nsteps = 10\ncorpus = \"running.txt\"");
    let lab = Lab::new()
        .with("folder/a.txt", "anna\nbob\ncarla\n".repeat(9))
        .with("folder/b.txt", "dora\nemil\n".repeat(9))
        .with("paragraphs.txt", "anna\nbob\n\ncarla\n\n".repeat(9))
        .with("returns.txt", "anna\rbob\rcarla\r".repeat(9))
        .with("running.txt", "to be or not to be\n".repeat(40))
        .with("one.txt", "to be or not to be ".repeat(40) + "\n")
        .with("few.txt", "anna\nbob\ncarla\ndora\nemil\n".repeat(2))
        .with("stream.toml", stream)
        .with("both.toml", format!("{TINY}\n{layer}"))
        .with("listed.toml", TINY.replace(cell, layer));
    lab.ok("train tiny.toml --quiet");
    lab
}

/// Would catch: a hint that leads to the same or to another refusal.
#[test]
fn hints_of_texts_and_models_lead_on() {
    follow(&lab(), MORE);
}
