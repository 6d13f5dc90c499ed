//! Training from a checkpoint on another text: its vocabulary grows, or is kept, and both are said.

use hatchery::{run::checkpoint, tensors::NamedTensor};

use super::{has, lines, on, said};
use crate::lab::{Lab, TINY};

/// A lab with a run on lines of small letters, and a second text with `é` and `!` besides.
fn trained(set: &str) -> Lab {
    let other = TINY.replace("name = \"tiny\"", "name = \"other\"").replace("\"dinosaurs\"", "\"other.txt\"");
    let lab = on(lines(52)).with("other.txt", format!("{}é!\nab!\n", lines(52))).with("other.toml", other);
    lab.ok(&format!("train tiny.toml --quiet {set}"));
    lab
}

fn tensors(lab: &Lab, run: &str) -> Vec<NamedTensor> {
    checkpoint::read(&lab.path(&format!("runs/{run}/checkpoint.safetensors"))).unwrap().tensors
}

/// Would catch: a hint that leads to the next error; learned rows that are lost or moved; new ones that are not there.
#[test]
fn the_vocabulary_of_a_checkpoint_grows() {
    for (cell, embedding) in [("gru", "8"), ("lstm", "\"one-hot\""), ("vanilla", "\"one-hot\"")] {
        let model = format!("--set cell.type={cell} --set model.embedding={embedding}");
        let lab = trained(&model);
        let from = format!("train other.toml --from runs/tiny/001 {model}");
        let refused = lab.refused(&from);
        has(&refused, &["the vocabulary has no `é`", "that of the checkpoint", "set vocabulary.grow = true"]);
        assert!(!refused.contains("\"token\""), "the checkpoint has no unknown symbol: {refused}");

        // Without an update the parameters are those of the checkpoint, with rows or columns behind them.
        let grown = said(
            &lab,
            &format!("{from} --set vocabulary.grow=true --set train.steps=1 --set optimizer.learning-rate=1e-300"),
        );
        has(&grown, &["the vocabulary of the checkpoint grows by 2 symbols"]);
        let (before, after) = (tensors(&lab, "tiny/001"), tensors(&lab, "other/001"));
        let mut wider = 0;
        for then in before.iter().filter(|tensor| tensor.name.starts_with("parameters.")) {
            let now = after.iter().find(|now| now.name == then.name).unwrap();
            let [rows, columns] = then.shape;
            let [wide_rows, wide_columns] = now.shape;
            wider += usize::from(then.shape != now.shape);
            for row in 0..rows {
                for column in 0..columns {
                    let (one, other) =
                        (then.values.get(row * columns + column), now.values.get(row * wide_columns + column));
                    assert_eq!(
                        one.map(f64::to_bits),
                        other.map(f64::to_bits),
                        "{cell} {} [{row}, {column}]",
                        then.name
                    );
                }
            }
            if wide_rows > rows && now.name == "parameters.head.wya" {
                let new: Vec<_> =
                    (rows * wide_columns..wide_rows * wide_columns).filter_map(|at| now.values.get(at)).collect();
                assert!(new.iter().any(|value| *value != 0.0), "new rows have initial values");
            }
        }
        assert_eq!(wider, 3, "{cell}: embedding or input weights, head, bias");
        // The grown run is a run as any other.
        lab.ok("eval other/001");
        lab.ok("train --resume other/001 --quiet --set train.steps=3");
        lab.ok("runs reproduce other/001");
        assert_eq!(lab.run_with(&["sample", "other/001", "--prefix", "é!"]).code, Some(0));
    }
}

/// Would catch: characters that disappear when the vocabulary is kept; damage reported where there is none.
#[test]
fn the_vocabulary_of_a_checkpoint_is_kept() {
    let lab = trained("");
    let kept = said(&lab, "train other.toml --from runs/tiny/001 --set vocabulary.unknown=skip");
    has(&kept, &["characters for validation", "are not in the vocabulary and are left out: `!` 2 times, `é` 1 times"]);
    let token = lab.refused("train other.toml --from runs/tiny/001 --set vocabulary.unknown=token");
    has(&token, &["trained without a symbol for unknown characters", "vocabulary.grow = true adds the symbol"]);
    assert!(!token.contains("damaged"), "{token}");
    let added =
        said(&lab, "train other.toml --from runs/tiny/001 --set vocabulary.unknown=token --set vocabulary.grow=true");
    has(&added, &["grows by 1 symbol:", "are read as unknown"]);
}

/// Would catch: a checkpoint of another model refused by shapes alone, or half of it loaded.
#[test]
fn a_checkpoint_of_another_model_says_which() {
    let lab = trained("--set model.layers=2");
    let refused = |set: &str| lab.refused(&format!("train tiny.toml --from runs/tiny/001 {set}"));
    let depth = refused("");
    has(
        &depth,
        &["is of another model than the experiment's", "model.layers: 2 in the checkpoint, 1 in the experiment"],
    );
    let cell = refused("--set model.layers=2 --set cell.type=lstm");
    has(&cell, &["cell.type: \"gru\" in the checkpoint, \"lstm\" in the experiment"]);
    let width = refused("--set model.layers=2 --set cell.hidden=9");
    has(
        &width,
        &["cell.hidden: 8 in the checkpoint, 9 in the experiment", "set these keys as the checkpoint has them"],
    );
    lab.ok("train tiny.toml --from runs/tiny/001 --quiet --set model.layers=2");
}
