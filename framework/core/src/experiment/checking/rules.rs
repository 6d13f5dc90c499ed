//! What keys mean together: combinations that each table alone cannot refuse.

use crate::{
    device::DEVICES,
    error::{Place, Problem},
    experiment::reading::spanned::{Entry, Node, Value},
    suggest::{nearest, question},
};

/// Everything wrong with the combination of values. `proposed` are the keys that are missing only because they are
/// misspelt, `reported` what is wrong with single values, of which nothing more is said.
pub(crate) fn check(experiment: &Node, proposed: &[String], reported: &[Problem]) -> Vec<Problem> {
    let rules = Rules { experiment, proposed, reported };
    [rules.length(), rules.numpy(), rules.numpy_seed(), rules.split(), rules.device(), rules.dtype()]
        .into_iter()
        .chain([rules.dropout(), rules.initializer(), rules.patience(), rules.min_count(), rules.symbols()])
        .chain([rules.layers(), rules.layer_count(), rules.tied_head()])
        .flatten()
        .collect()
}

struct Rules<'a> {
    experiment: &'a Node,
    proposed: &'a [String],
    reported: &'a [Problem],
}

impl Rules<'_> {
    /// Training is as long as `steps` or `epochs` say.
    fn length(&self) -> Option<Problem> {
        let train = self.entry(&["train"])?;
        train.node.as_table()?;
        match (self.entry(&["train", "steps"]), self.entry(&["train", "epochs"])) {
            (Some(steps), Some(epochs)) => {
                let second = if later(&steps.place, &epochs.place) { steps } else { epochs };
                Some(
                    Problem::new("both `steps` and `epochs` in [train]")
                        .at(second.place.clone())
                        .hint("keep the one that says how long to train"),
                )
            }
            (None, None) if !["train", "train.steps", "train.epochs"].iter().any(|path| self.is_proposed(path)) => {
                Some(
                    Problem::new("neither `steps` nor `epochs` in [train]")
                        .at(train.node.place.clone())
                        .hint("say how long to train: `steps = 1000`, or `epochs = 10`"),
                )
            }
            _ => None,
        }
    }

    /// A table that nothing would read must not pass.
    fn numpy(&self) -> Option<Problem> {
        let numpy = self.entry(&["numpy"])?;
        if self.uses_numpy() || self.is_proposed("rng") || !self.is_word("rng") {
            return None;
        }
        Some(
            Problem::new("[numpy] without `rng = \"numpy\"`")
                .at(numpy.node.place.clone())
                .hint("set `rng = \"numpy\"`, or leave [numpy] out"),
        )
    }

    /// `NumPy`'s legacy generator takes seeds of 32 bits.
    fn numpy_seed(&self) -> Option<Problem> {
        let seed = self.entry(&["seed"])?;
        match seed.node.value {
            Value::Integer(number)
                if self.uses_numpy() && !self.is_reported(&seed.node) && number > i128::from(u32::MAX) =>
            {
                Some(
                    Problem::new(format!("`seed` is too large for NumPy's generator: {number}"))
                        .at(seed.node.place.clone())
                        .note(format!("expected: integer, at least 0, at most {}", u32::MAX)),
                )
            }
            _ => None,
        }
    }

    /// Something must be left to train on.
    fn split(&self) -> Option<Problem> {
        let (valid, test) = (self.entry(&["split", "valid"]), self.entry(&["split", "test"]));
        let share = |entry: Option<&Entry>| entry.map_or(Some(0.0), |entry| self.number(&entry.node));
        let held_out = share(valid)? + share(test)?;
        if held_out < 1.0 {
            return None;
        }
        let last = match (valid, test) {
            (Some(valid), Some(test)) if later(&valid.place, &test.place) => valid,
            (valid, test) => test.or(valid)?,
        };
        Some(
            Problem::new("nothing is left to train on: `valid` and `test` in [split] together are 1 or more")
                .at(last.node.place.clone())
                .hint("make them smaller: 0.1 each is usual"),
        )
    }

    fn device(&self) -> Option<Problem> {
        let device = self.entry(&["backend", "device"])?;
        let text = device.node.as_str()?;
        let (word, which) = match text.split_once(':') {
            Some((word, which)) => (word, Some(which)),
            None => (text, None),
        };
        let words = || DEVICES.iter().map(|known| known.name);
        let problem = match (DEVICES.iter().find(|known| known.name == word).map(|known| known.several), which) {
            (None, _) => {
                let known = words().collect::<Vec<_>>().join(", ");
                let problem =
                    Problem::new(format!("unknown device \"{text}\"")).note(format!("known devices: {known}"));
                let near = nearest(word, words());
                if near.is_empty() { problem } else { problem.hint(question(&near)) }
            }
            (Some(true), Some(which)) if which.trim().is_empty() => {
                Problem::new(format!("no index or name after the colon in device \"{text}\""))
                    .hint(format!("write \"{word}\", or \"{word}:0\""))
            }
            (Some(false), Some(_)) => {
                Problem::new(format!("device \"{word}\" takes no index")).hint(format!("write \"{word}\""))
            }
            _ => return None,
        };
        Some(problem.at(device.node.place.clone()))
    }

    fn dtype(&self) -> Option<Problem> {
        let dtype = self.entry(&["backend", "dtype"])?;
        let device = self.entry(&["backend", "device"])?.node.as_str()?;
        if dtype.node.as_str() != Some("f64") || device.split(':').next() != Some("wgpu") {
            return None;
        }
        Some(
            Problem::new("device \"wgpu\" has no 64-bit numbers")
                .at(dtype.node.place.clone())
                .hint("set `dtype = \"f32\"`, or `device = \"cpu\"`"),
        )
    }

    /// Dropout that stands nowhere would be believed to be at work.
    fn dropout(&self) -> Option<Problem> {
        let dropout = self.entry(&["model", "dropout"])?;
        let listed = match self.entry(&["layer"]).map(|layer| &layer.node.value) {
            Some(Value::Array(items)) => items.len() as f64,
            _ => 1.0,
        };
        let layers = self.entry(&["model", "layers"]).map_or(Some(listed), |layers| self.number(&layers.node))?;
        let last = self.entry(&["model", "dropout-last"]);
        let is_last = last.is_some_and(|last| !matches!(last.node.value, Value::Boolean(false)));
        let wanted = self.number(&dropout.node)? > 0.0 && !self.is_proposed("model.dropout-last");
        if !wanted || layers > 1.0 || is_last || self.is_proposed("model.layers") {
            return None;
        }
        Some(
            Problem::new("`dropout` in [model] has no effect: it stands between layers, and there is one")
                .at(dropout.node.place.clone())
                .hint("set `dropout-last = true`, `layers = 2`, or `dropout = 0.0`"),
        )
    }

    /// A layer has one cell.
    fn layers(&self) -> Option<Problem> {
        let (cell, layer) = (self.entry(&["cell"])?, self.entry(&["layer"])?);
        let second = if later(&cell.place, &layer.place) { cell } else { layer };
        Some(
            Problem::new("both [cell] and [[layer]]")
                .at(second.place.clone())
                .hint("keep [cell] for layers that are alike, or one [[layer]] for each of different ones"),
        )
    }

    /// A list of layers has a length of its own.
    fn layer_count(&self) -> Option<Problem> {
        let (count, layer) = (self.entry(&["model", "layers"])?, self.entry(&["layer"])?);
        let Value::Array(items) = &layer.node.value else { return None };
        let wanted = self.number(&count.node)?;
        ((wanted - items.len() as f64).abs() > 0.0).then(|| {
            Problem::new(format!("`layers` in [model] is {wanted}, and there are {} [[layer]]", items.len()))
                .at(count.node.place.clone())
                .hint("leave `layers` out: the list says how many there are")
        })
    }

    /// A tied head has the matrix of an embedding.
    fn tied_head(&self) -> Option<Problem> {
        let head = self.entry(&["model", "head"])?;
        let embedding = self.entry(&["model", "embedding"]);
        let is_one_hot = embedding.is_none_or(|embedding| embedding.node.as_str() == Some("one-hot"));
        if head.node.as_str() != Some("tied") || !is_one_hot || self.is_proposed("model.embedding") {
            return None;
        }
        Some(
            Problem::new("`head = \"tied\"` in [model] without an embedding, whose matrix it would have")
                .at(head.node.place.clone())
                .hint("set `embedding` in [model] to the width of the last layer's output, or `head = \"linear\"`"),
        )
    }

    /// One list of values cannot fill matrices of several shapes.
    fn initializer(&self) -> Option<Problem> {
        let kind = self.entry(&["model", "initializer", "type"])?;
        (kind.node.as_str() == Some("values")).then(|| {
            Problem::new("[model.initializer] is for every weight matrix, `values` fits only one")
                .at(kind.node.place.clone())
                .hint("use an initializer that fills matrices of any shape, for example `xavier-uniform`")
        })
    }

    /// Patience is with the validation, so there must be one.
    fn patience(&self) -> Option<Problem> {
        let patience = self.entry(&["train", "patience"])?;
        let valid = self.entry(&["split", "valid"]).map_or(Some(0.0), |valid| self.number(&valid.node))?;
        if valid > 0.0 || self.is_proposed("split.valid") || self.is_proposed("split") {
            return None;
        }
        Some(
            Problem::new("`patience` in [train] has no effect: nothing is held out for validation")
                .at(patience.place.clone())
                .hint("hold something out: `valid = 0.1` in [split]"),
        )
    }

    /// A character that is too rare to be a symbol is in the text all the same.
    fn min_count(&self) -> Option<Problem> {
        let count = self.entry(&["vocabulary", "min-count"])?;
        let unknown = self.entry(&["vocabulary", "unknown"]);
        let is_error = unknown.is_none_or(|unknown| unknown.node.as_str() == Some("error"));
        if self.number(&count.node)? <= 1.0 || !is_error || self.is_proposed("vocabulary.unknown") {
            return None;
        }
        Some(
            Problem::new("`min-count` in [vocabulary] leaves characters without a symbol, and `unknown` refuses them")
                .at(count.place.clone())
                .hint("set `unknown = \"skip\"` to leave them out, or `unknown = \"token\"` to read them as unknown"),
        )
    }

    /// A symbol has one token.
    fn symbols(&self) -> Option<Problem> {
        let symbols = self.entry(&["vocabulary", "symbols"])?;
        let text = symbols.node.as_str()?;
        let twice = text.char_indices().find(|(at, symbol)| text[..*at].contains(*symbol))?.1;
        Some(
            Problem::new(format!("`symbols` in [vocabulary] lists `{}` twice", twice.escape_debug()))
                .at(symbols.node.place.clone())
                .hint("list every symbol once: its place is its token"),
        )
    }

    fn entry(&self, path: &[&str]) -> Option<&Entry> {
        self.experiment.find(path)
    }

    fn uses_numpy(&self) -> bool {
        self.entry(&["rng"]).is_some_and(|rng| rng.node.as_str() == Some("numpy"))
    }

    /// Whether a key is absent or one of its known words, so that no other problem is about it.
    fn is_word(&self, key: &str) -> bool {
        self.entry(&[key]).is_none_or(|entry| matches!(entry.node.as_str(), Some("numpy" | "hatchery")))
    }

    /// A number that is none of the problems so far.
    fn number(&self, node: &Node) -> Option<f64> {
        match node.value {
            _ if self.is_reported(node) => None,
            Value::Integer(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        }
    }

    /// Whether something is wrong with this value by itself.
    fn is_reported(&self, node: &Node) -> bool {
        self.reported.iter().any(|problem| problem.place.as_ref() == Some(&node.place))
    }

    fn is_proposed(&self, path: &str) -> bool {
        self.proposed.iter().any(|proposed| proposed == path)
    }
}

/// Whether one place is behind the other in one text. Of two texts the one laid over the other is not known here.
fn later(one: &Place, other: &Place) -> bool {
    one.file == other.file && one.span.start > other.span.start
}
