//! Names that other frameworks use for our keys, tables and plugins, for "did you mean" where edit distance finds nothing.
//!
//! All names are in the form that [`suggest`](super::suggest) compares: lower case, with `-` for `_`.

use crate::suggest::plain;

/// A table and a key of it; the table is empty for keys outside of all tables.
type Key = (&'static str, &'static str);

/// Names of keys, and our keys for them.
const KEYS: &[(&[&str], &[Key])] = &[
    (
        &["lr", "eta", "rate", "step-size", "init-lr", "initial-lr", "base-lr", "max-lr", "lrate"],
        &[("optimizer", "learning-rate")],
    ),
    (&["wd", "l2"], &[("optimizer", "weight-decay")]),
    (&["eps"], &[("optimizer", "epsilon")]),
    (&["rho", "smoothing-constant"], &[("optimizer", "decay")]),
    (
        &["batch-size", "batchsize", "bs", "minibatch", "mini-batch", "minibatch-size", "mini-batch-size"],
        &[("train", "batch")],
    ),
    (&["num-epochs", "n-epochs", "nb-epoch", "max-epochs", "passes"], &[("train", "epochs")]),
    (
        &["max-steps", "total-steps", "iterations", "num-iterations", "iters", "max-iters", "n-iter", "updates"],
        &[("train", "steps")],
    ),
    (&["num-steps", "n-steps"], &[("train", "steps"), ("dataset", "steps")]),
    (&["early-stopping"], &[("train", "patience")]),
    (&["log-interval"], &[("train", "log-every")]),
    (&["eval-interval", "eval-every", "sample-every", "valid-every"], &[("train", "report-every")]),
    (&["save-every", "save-interval", "checkpoint-interval"], &[("train", "checkpoint-every")]),
    (
        &[
            "unit",
            "units",
            "num-units",
            "n-units",
            "hidden-size",
            "hidden-dim",
            "hidden-units",
            "n-hidden",
            "nhid",
            "rnn-size",
            "state-size",
            "d-model",
            "width",
        ],
        &[("cell", "hidden")],
    ),
    (&["num-layers", "n-layers", "n-layer", "nlayers", "nb-layers", "depth"], &[("model", "layers")]),
    (
        &["embedding-size", "embedding-dim", "embed-dim", "emb-size", "emb-dim", "n-embd", "embed", "nemb"],
        &[("model", "embedding")],
    ),
    (&["tie-weights", "tie-word-embeddings", "tied", "weight-tying", "n-experts"], &[("model", "head")]),
    (&["dropout-rate", "drop-rate", "dropout-prob", "p-drop", "drop"], &[("model", "dropout")]),
    (
        &["seq-length", "seq-len", "seqlen", "sequence-length", "block-size", "context-length", "timesteps", "bptt"],
        &[("dataset", "steps"), ("dataset", "length")],
    ),
    (&["max-length", "max-len", "maxlen"], &[("dataset", "length"), ("sample", "length")]),
    (&["max-new-tokens", "num-chars", "n-chars"], &[("sample", "length")]),
    (&["num-samples", "n-samples"], &[("sample", "count")]),
    (&["prompt", "prime", "start-text", "start-string"], &[("sample", "prefix")]),
    (&["temp"], &[("sampler", "temperature")]),
    (&["text", "file", "path", "input", "input-file", "data", "filename"], &[("dataset", "corpus")]),
    (&["val-split", "validation-split", "validation", "val", "val-fraction"], &[("split", "valid")]),
    (&["test-split", "test-size", "test-fraction"], &[("split", "test")]),
    (&["clip", "grad-clip", "gradient-clip", "clip-norm", "clipnorm", "max-grad-norm"], &[("clipper", "limit")]),
    (&["random-seed", "manual-seed", "random-state"], &[("", "seed")]),
];

/// Names of tables.
const TABLES: &[(&[&str], &str)] = &[
    (&["optim", "optimiser", "opt"], "optimizer"),
    (&["data", "corpus", "input"], "dataset"),
    (&["training", "trainer", "fit"], "train"),
    (&["rnn", "lstm", "gru", "vanilla", "layer"], "cell"),
    (&["network", "net"], "model"),
    (&["scheduler", "lr-scheduler", "lr-schedule"], "schedule"),
    (&["clip", "clipping", "gradient-clipping"], "clipper"),
    (&["sampling", "generate", "generation"], "sample"),
    (&["vocab", "tokenizer", "tokens"], "vocabulary"),
];

/// Our keys for a name, each with its table.
pub(crate) fn of_key(name: &str) -> impl Iterator<Item = Key> {
    let name = plain(name);
    KEYS.iter().filter(move |(names, _)| names.contains(&&*name)).flat_map(|(_, keys)| keys.iter().copied())
}

/// Our table for a name.
pub(crate) fn of_table(name: &str) -> Option<&'static str> {
    let name = plain(name);
    TABLES.iter().find(|(names, _)| names.contains(&&*name)).map(|(_, table)| *table)
}
