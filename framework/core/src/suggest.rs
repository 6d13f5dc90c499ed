//! "Did you mean": the known names nearest to an unknown one.

/// Names of what a table of a sort may be, with the table.
const TYPES: &[(&str, &[&str], &str)] = &[
    (
        "cell",
        &["rnn", "simple-rnn", "simplernn", "basic-rnn", "basicrnncell", "elman", "rnncell", "rnn-tanh", "plain"],
        "vanilla",
    ),
    (
        "cell",
        &[
            "lstmcell",
            "lstm-cell",
            "basic-lstm",
            "basiclstmcell",
            "lstmblockcell",
            "layernormbasiclstmcell",
            "coupledinputforgetgatelstmcell",
        ],
        "lstm",
    ),
    ("cell", &["grucell", "gru-cell", "grublockcell", "grublockcellv2"], "gru"),
    ("cell", &["nascell"], "nas"),
    ("cell", &["ugrnncell"], "ugrnn"),
    ("cell", &["intersectionrnncell"], "intersection-rnn"),
    ("cell", &["phasedlstmcell"], "phased-lstm"),
    ("cell", &["srucell"], "sru"),
    ("cell", &["indrnncell"], "ind-rnn"),
    ("cell", &["indylstmcell"], "indy-lstm"),
    ("cell", &["indygrucell"], "indy-gru"),
    ("optimizer", &["gd", "gradient-descent", "momentum", "nesterov"], "sgd"),
    ("schedule", &["none", "fixed"], "constant"),
    ("schedule", &["step", "steplr", "exponential"], "decay"),
    ("schedule", &["cosine-annealing"], "cosine"),
    ("clipper", &["clip", "clamp", "clip-by-value", "clip-value", "elementwise"], "value"),
    ("clipper", &["global-norm", "clip-by-global-norm", "clip-norm", "clip-grad-norm", "l2"], "norm"),
    ("clipper", &["clip-by-norm"], "tensor-norm"),
    ("sampler", &["argmax", "max"], "greedy"),
    ("sampler", &["nucleus", "nucleus-sampling"], "top-p"),
    ("sampler", &["softmax", "multinomial"], "temperature"),
    ("dataset", &["text", "char", "chars", "characters", "continuous", "tbptt"], "stream"),
    ("dataset", &["names", "words"], "lines"),
];

/// The nearest of the known names, all of them when several are equally near, none when all are far.
///
/// The distance counts letters left out, added, changed or swapped with the next, so a name with one letter
/// dropped is at distance 1 of the right one. Case and `_` for `-` count nothing.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = plain(name);
    let mut best = usize::MAX;
    let mut found = Vec::new();
    for candidate in known {
        let distance = strsim::osa_distance(&name, &plain(candidate));
        let longest = name.chars().count().max(candidate.chars().count());
        if distance > (longest / 3).max(1) || distance >= longest || distance > best {
            continue;
        }
        if distance < best {
            best = distance;
            found.clear();
        }
        if !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    found
}

/// The known names that may be meant by an unknown `type` of a table, `cell` for example: what other frameworks call by
/// it, else the nearest.
pub fn nearest_type<'a>(table: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let known: Vec<_> = known.into_iter().collect();
    match of_type(table, name).and_then(|meant| known.iter().find(|known| **known == meant)) {
        Some(meant) => vec![*meant],
        None => nearest(name, known),
    }
}

/// `did you mean A?`, `did you mean A or B?`: the names as they are to be written.
pub fn question<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    format!("did you mean {}?", either(&names))
}

/// `A`, `A or B`, `A, B or C`.
pub(crate) fn either<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

pub(crate) fn plain(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}

/// What a name may mean as the `type` of a table.
fn of_type(table: &str, name: &str) -> Option<&'static str> {
    let name = plain(name);
    TYPES.iter().find(|(of, names, _)| *of == table && names.contains(&&*name)).map(|(_, _, meant)| *meant)
}
