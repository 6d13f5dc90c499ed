//! Claims about results: every sentence of README, book and experiment files that predicts what a run will show is in
//! a table here, beside the run, and the run must show it.
//!
//! Runs of a few seconds are made by every test run; `HATCHERY_SLOW_TESTS=1` makes the others too, some ten minutes on two
//! cores. Claims about texts that have not been fetched are skipped.

use std::fs;

use serde_json::Value;

use crate::lab::{Lab, root};

/// A training, and what is claimed of it.
struct Run {
    /// Arguments of `hatchery train`, of which the first is a file of `experiments/` without its ending.
    arguments: &'static str,
    /// The text that has to be fetched.
    corpus: Option<&'static str>,
    is_short: bool,
    claims: &'static [Claim],
}

/// A sentence and the value in it, which a measurement must reach to one unit of its last digit: another processor
/// rounds otherwise.
struct Claim {
    file: &'static str,
    says: &'static str,
    value: &'static str,
    measure: Measure,
}

#[derive(Clone, Copy)]
enum Measure {
    /// Nats per character of the last line of the log.
    Training,
    /// Nats per character of the last validation, and of the best.
    Validation,
    Best,
    /// The last smoothed loss.
    Smoothed,
    /// The share of characters of the validation split whose likeliest symbol is right.
    Accuracy,
    /// Perplexity of the validation split.
    Perplexity,
    /// Nats per character of the test split.
    Test,
    /// The number of 200 samples that occur in the training text.
    Copied,
    /// The parameter count.
    Parameters,
    /// The factor by which the norm of dL/ds shrinks from one step to 32 steps before the prediction: before and after
    /// training.
    VanishingBefore,
    VanishingAfter,
}

use Measure::{
    Accuracy, Best, Copied, Parameters, Perplexity, Smoothed, Test, Training, Validation, VanishingAfter,
    VanishingBefore,
};

const DINOSAURS: &str = "experiments/dinosaurs.toml";
const DROPOUT: &str = "experiments/dropout.toml";
const GRADIENTS: &str = "experiments/gradients.toml";
const START: &str = "book/src/start.md";
const MAKEMORE: &str = "experiments/makemore-names.toml";

const fn claim(file: &'static str, says: &'static str, value: &'static str, measure: Measure) -> Claim {
    Claim { file, says, value, measure }
}

const RUNS: &[Run] = &[
    Run {
        arguments: "dinosaurs",
        corpus: None,
        is_short: true,
        claims: &[
            claim(DINOSAURS, "1.73 nats per character on the tenth of the names", "1.73", Validation),
            claim(DINOSAURS, "1.60 on the others", "1.60", Training),
            claim(DINOSAURS, "1 of 200 samples is in the list", "1", Copied),
            claim(START, "it pays 1.73 on the names that were put aside", "1.73", Validation),
            claim(START, "guessed evenly among 5.65 symbols", "5.65", Perplexity),
        ],
    },
    Run {
        arguments: "dinosaurs --set train.steps=6000",
        corpus: None,
        is_short: false,
        claims: &[
            claim(DINOSAURS, "2.70 on the held-out names", "2.70", Validation),
            claim(DINOSAURS, "0.70 on the others", "0.70", Training),
        ],
    },
    Run {
        arguments: "dinosaurs --set model.dropout=0.2 --set model.dropout-last=true",
        corpus: None,
        is_short: true,
        claims: &[claim(DINOSAURS, "1.75 with 0.2", "1.75", Validation)],
    },
    Run {
        arguments: "dinosaurs --set model.dropout=0.5 --set model.dropout-last=true",
        corpus: None,
        is_short: true,
        claims: &[claim(DINOSAURS, "1.77 with 0.5", "1.77", Validation)],
    },
    Run {
        arguments: "dropout",
        corpus: None,
        is_short: false,
        claims: &[claim(DROPOUT, "1.80 nats per character", "1.80", Validation)],
    },
    Run {
        arguments: "dropout --set model.dropout=0.2",
        corpus: None,
        is_short: false,
        claims: &[claim(DROPOUT, "1.78 with", "1.78", Validation)],
    },
    Run {
        arguments: "dropout --set model.dropout=0",
        corpus: None,
        is_short: false,
        claims: &[
            claim(DROPOUT, "1.77 with", "1.77", Validation),
            claim(DROPOUT, "training ends at 1.57", "1.57", Training),
        ],
    },
    Run {
        arguments: "unclipped",
        corpus: None,
        is_short: true,
        claims: &[claim("experiments/unclipped.toml", "1.73 nats per character", "1.73", Validation)],
    },
    Run {
        arguments: "exploding",
        corpus: None,
        is_short: true,
        claims: &[claim("experiments/exploding.toml", "1.8 nats per character in training", "1.8", Training)],
    },
    Run {
        arguments: "gradients",
        corpus: None,
        is_short: true,
        claims: &[
            claim(GRADIENTS, "by 18 in the plain cell", "18", VanishingBefore),
            claim(GRADIENTS, "after training by 3", "3", VanishingAfter),
        ],
    },
    Run {
        arguments: "gradients --set cell.type=lstm",
        corpus: None,
        is_short: true,
        claims: &[
            claim(GRADIENTS, "by 8 in the LSTM", "8", VanishingBefore),
            claim(GRADIENTS, "after training by 3, 21 and", "21", VanishingAfter),
            claim("book/src/gradients.md", "in the LSTM by 8 and by 21", "8", VanishingBefore),
            claim("book/src/gradients.md", "in the LSTM by 8 and by 21", "21", VanishingAfter),
        ],
    },
    Run {
        arguments: "gradients --set cell.type=gru",
        corpus: None,
        is_short: true,
        claims: &[
            claim(GRADIENTS, "by 21,000 in the GRU", "21,000", VanishingBefore),
            claim(GRADIENTS, "21 and 9", "9", VanishingAfter),
        ],
    },
    Run {
        arguments: "awd-lstm",
        corpus: None,
        is_short: true,
        claims: &[
            claim("experiments/awd-lstm.toml", "1.83 nats per character on the held-out names", "1.83", Validation),
            claim("experiments/awd-lstm.toml", "1.86 in training", "1.86", Training),
        ],
    },
    Run {
        arguments: "griffin",
        corpus: None,
        is_short: false,
        claims: &[
            claim("experiments/griffin.toml", "1.77 nats per character on the held-out names at best", "1.77", Best),
            claim("experiments/griffin.toml", "1.83 at the end", "1.83", Validation),
            claim("experiments/griffin.toml", "1.44 in training", "1.44", Training),
        ],
    },
    Run {
        arguments: "xlstm",
        corpus: None,
        is_short: false,
        claims: &[
            claim("experiments/xlstm.toml", "1.83 nats per character on the held-out names at best", "1.83", Best),
            claim("experiments/xlstm.toml", "1.90 at the end", "1.90", Validation),
            claim("experiments/xlstm.toml", "1.38 in training", "1.38", Training),
        ],
    },
    Run {
        arguments: "wrappers",
        corpus: None,
        is_short: false,
        claims: &[
            claim("experiments/wrappers.toml", "1.79 nats per character on the held-out names", "1.79", Validation),
            claim("experiments/wrappers.toml", "1.41 in training", "1.41", Training),
        ],
    },
    Run {
        arguments: "copy",
        corpus: None,
        is_short: false,
        claims: &[
            claim("experiments/copy.toml", "0.896 nats per character on validation", "0.896", Validation),
            claim("experiments/copy.toml", "an accuracy of 0.627", "0.627", Accuracy),
        ],
    },
    Run {
        arguments: "brackets",
        corpus: None,
        is_short: false,
        claims: &[claim("experiments/brackets.toml", "1.015 nats per character on validation", "1.015", Validation)],
    },
    Run {
        arguments: "brackets --set cell.type=lstm",
        corpus: None,
        is_short: false,
        claims: &[claim("experiments/brackets.toml", "with cell.type=lstm 1.017", "1.017", Validation)],
    },
    Run {
        arguments: "brackets --set cell.type=vanilla",
        corpus: None,
        is_short: false,
        claims: &[claim("experiments/brackets.toml", "with cell.type=vanilla 1.026", "1.026", Validation)],
    },
    Run {
        arguments: "given-names",
        corpus: None,
        is_short: false,
        claims: &[claim("experiments/given-names.toml", "2.53 nats per character on the held-out names", "2.53", Best)],
    },
    Run {
        arguments: "given-names --set cell.reset=after",
        corpus: None,
        is_short: false,
        claims: &[claim("experiments/given-names.toml", "against 2.52 with", "2.52", Best)],
    },
    Run {
        arguments: "makemore-names",
        corpus: Some("makemore-names"),
        is_short: false,
        claims: &[
            claim(MAKEMORE, "1.998 nats per character on validation", "1.998", Validation),
            claim(MAKEMORE, "2.023 on test", "2.023", Test),
            claim(MAKEMORE, "1.91 on training", "1.91", Training),
            claim(MAKEMORE, "with 38,403 parameters", "38,403", Parameters),
        ],
    },
    Run {
        arguments: "magic-cards",
        corpus: Some("magic-cards"),
        is_short: false,
        claims: &[
            claim("experiments/magic-cards.toml", "1.04 nats per character on the held-out names", "1.04", Validation),
            claim("experiments/magic-cards.toml", "1.02 on the others", "1.02", Training),
        ],
    },
    Run {
        arguments: "min-char-rnn",
        corpus: Some("tinyshakespeare"),
        is_short: false,
        claims: &[claim("experiments/min-char-rnn.toml", "a smoothed loss of 54", "54", Smoothed)],
    },
    Run {
        arguments: "shakespeare",
        corpus: Some("tinyshakespeare"),
        is_short: false,
        claims: &[claim("experiments/shakespeare.toml", "1.66 nats per character", "1.66", Validation)],
    },
    Run {
        arguments: "sonnets-small",
        corpus: Some("sonnets"),
        is_short: false,
        claims: &[claim("experiments/sonnets-small.toml", "2.13 nats", "2.13", Validation)],
    },
    Run {
        arguments: "char-rnn-tinyshakespeare",
        corpus: Some("tinyshakespeare"),
        is_short: false,
        claims: &[
            claim("experiments/char-rnn-tinyshakespeare.toml", "1.59 nats per character", "1.59", Best),
            claim("experiments/char-rnn-tinyshakespeare.toml", "1.65 after all 50", "1.65", Validation),
            claim("experiments/char-rnn-tinyshakespeare.toml", "1.13 in training", "1.13", Training),
        ],
    },
    Run {
        arguments: "functions",
        corpus: None,
        is_short: false,
        claims: &[claim("experiments/functions.toml", "below 3.2 nats per character", "below 3.2", Validation)],
    },
    Run {
        arguments: "own-source",
        corpus: None,
        is_short: false,
        claims: &[claim("experiments/own-source.toml", "below 1.5 nats per character", "below 1.5", Validation)],
    },
    Run {
        arguments: "notebooks/hse-names",
        corpus: Some("names"),
        is_short: true,
        claims: &[claim("experiments/notebooks/hse-names.toml", "1.04 nats per symbol", "1.04", Training)],
    },
    Run {
        arguments: "notebooks/hse-names-masked",
        corpus: Some("names"),
        is_short: true,
        claims: &[claim("experiments/notebooks/hse-names-masked.toml", "2.18 nats per character", "2.18", Training)],
    },
    Run {
        arguments: "notebooks/hse-names-dynamic",
        corpus: Some("names"),
        is_short: true,
        claims: &[claim("experiments/notebooks/hse-names-dynamic.toml", "2.18 nats per character", "2.18", Training)],
    },
    Run {
        arguments: "notebooks/hse-names-lstm",
        corpus: Some("names"),
        is_short: true,
        claims: &[claim("experiments/notebooks/hse-names-lstm.toml", "2.16 nats per character", "2.16", Training)],
    },
    Run {
        arguments: "notebooks/hse-names-gru",
        corpus: Some("names"),
        is_short: true,
        claims: &[claim("experiments/notebooks/hse-names-gru.toml", "2.12 nats per character", "2.12", Training)],
    },
    Run {
        arguments: "notebooks/sonnets",
        corpus: Some("sonnets"),
        is_short: false,
        claims: &[claim("experiments/notebooks/sonnets.toml", "from first values 2.99 at its end", "2.99", Training)],
    },
];

/// Would catch: a comment that explains what does not happen. Without clipping the parameters are not finite after three
/// updates; with it no norm of the GRU's gradients reaches the limit.
#[test]
fn clipping_matters_where_its_experiment_says() {
    let lab = Lab::new();
    let file = |name: &str| format!("{}/experiments/{name}.toml --quiet", root().display());
    let refusal = lab.refused(&format!("train {} --set clipper=[]", file("exploding")));
    assert!(refusal.contains("the loss is NaN at step 3"), "{refusal}");
    lab.ok(&format!("train {} --set train.log-every=1", file("unclipped")));
    let rows = lab.rows("runs/unclipped/001/metrics.jsonl");
    let largest = rows.iter().map(|row| row["gradient_norm"].as_f64().unwrap()).fold(0.0, f64::max);
    assert!(largest < 1.0, "{largest}");

    // The chapter on the optimization step: with a sum as the loss the limit is exceeded by nearly every update.
    lab.ok(&format!("train {} --set train.loss=sum --set train.steps=300 --set train.log-every=1", file("dinosaurs")));
    let rows = lab.rows("runs/dinosaurs/001/metrics.jsonl");
    let clipped = rows.iter().filter(|row| row["gradient_norm"].as_f64().unwrap() > 1.0).count();
    assert!(clipped > 270, "{clipped} of {}", rows.len());
}

/// Would catch: a speed in README that the page with the measurements does not have.
#[test]
fn the_speed_table_is_that_of_the_performance_page() {
    let [readme, page] =
        ["README.md", "book/src/reference/performance.md"].map(|file| fs::read_to_string(root().join(file)).unwrap());
    for (short, long, ratio) in [
        ("vanilla, 128 units,", "vanilla V65 H128", "5.4"),
        ("GRU, the same", "GRU, same", "5.6"),
        ("LSTM, the same", "LSTM, same", "3.4"),
        ("LSTM, two layers |", "LSTM, two layers |", "2.4"),
        ("LSTM, two layers of 512", "LSTM, two layers of 512", "1.4"),
        ("vanilla, 50 units, one name", "the same; PyTorch", "57"),
        ("vanilla, 50 units, one name", "the notebook's: V27 H50", "34"),
    ] {
        for (text, row) in [(&readme, short), (&page, long)] {
            let line = text.lines().find(|line| line.starts_with(&format!("| {row}"))).unwrap_or_default();
            assert!(line.contains(&format!("| {ratio} |")), "{row}: {ratio} is not in `{line}`");
        }
    }
}

/// The reference of runs explains why validation lies below training early and with dropout, and above it when both are
/// measured in the same way. Would catch: an explanation of what does not happen.
#[test]
fn validation_lies_below_training_with_dropout() {
    let lab = Lab::new();
    lab.ok(&format!("train {}/{DROPOUT} --quiet --set train.steps=2000", root().display()));
    let shown: Value = serde_json::from_str(&lab.ok("runs show --json")).unwrap();
    let [training, valid] = ["training", "validation"].map(|split| shown[split]["nats"].as_f64().unwrap());
    assert!(valid < training, "{valid}, {training}");
    let evaluated: Value = serde_json::from_str(&lab.ok("eval --split train --json")).unwrap();
    let alike = evaluated["nats_per_character"].as_f64().unwrap();
    assert!(alike < valid, "{alike}, {valid}");
}

/// Would catch: a result in a comment or a page that the program does not give, or gives no longer.
#[test]
fn every_claim_is_what_its_run_shows() {
    let all = std::env::var_os("HATCHERY_SLOW_TESTS").is_some();
    let mut wrong = Vec::new();
    for run in RUNS {
        let name = run.arguments;
        if !run.is_short && !all {
            println!("skipped: {name} takes a while; set HATCHERY_SLOW_TESTS=1");
            continue;
        }
        if run.corpus.is_some_and(|corpus| crate::text::corpus(corpus).is_none()) {
            continue;
        }
        let lab = Lab::new();
        let (file, set) = name.split_once(' ').unwrap_or((name, ""));
        let folder = lab.ok(&format!("train {}/experiments/{file}.toml --quiet {set}", root().display()));
        for claim in run.claims {
            let found = measure(&lab, folder.trim(), claim.measure);
            if !claim.holds(found) {
                wrong.push(format!("{}: `{}`, but `hatchery train {name}` gives {found}", claim.file, claim.says));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Claim {
    /// Whether a value is the claimed one up to a unit of its last digit, or of its thousands.
    fn holds(&self, found: f64) -> bool {
        if let Some(bound) = self.value.strip_prefix("below ") {
            return found < bound.parse().unwrap();
        }
        let value: f64 = self.value.replace(',', "").parse().unwrap();
        let unit = match self.value.split_once('.') {
            Some((_, decimals)) => 0.1f64.powi(i32::try_from(decimals.len()).unwrap()),
            None if self.value.ends_with(",000") => 1000.0,
            None => 1.0,
        };
        (found - value).abs() <= 1.001 * unit
    }
}

/// Values in the comments of experiment files that no run gives: the file, the value, and what holds or computes it.
const NOT_OF_A_RUN: &[(&str, &str, &str)] = &[
    ("experiments/brackets.toml", "1.0035", "the equation beside it"),
    ("experiments/brackets.toml", "1.5028", "the_brackets_task_costs_what_its_documentation_says"),
    ("experiments/brackets.toml", "1.007", "the_brackets_task_costs_what_its_documentation_says"),
    ("experiments/char-rnn-tinyshakespeare.toml", "0.2", "a setting"),
    ("experiments/char-rnn-tinyshakespeare.toml", "0.5", "a setting"),
    ("experiments/char-rnn-tinyshakespeare.toml", "1.0", "a setting"),
    ("experiments/char-rnn-tinyshakespeare.toml", "1.2", "a setting"),
    ("experiments/copy.toml", "0.8912", "the equation beside it"),
    ("experiments/copy.toml", "1.7823", "counting_cannot_solve_the_copy_task"),
    ("experiments/copy.toml", "0.625", "the sentence beside it"),
    ("experiments/dropout.toml", "0.2", "a setting"),
    ("experiments/makemore-names.toml", "2.454", "bigrams_of_makemores_names"),
    ("experiments/makemore-names.toml", "2.4540", "tests/golden/bigram.py"),
    ("experiments/makemore-names.toml", "2.4546", "tests/golden/bigram.py"),
    ("experiments/makemore-names.toml", "2.4543", "published"),
    ("experiments/makemore-names.toml", "2.467", "tests/golden/bigram.py"),
    ("experiments/min-char-rnn.toml", "2.2", "54 for 25 characters"),
    ("experiments/notebooks/hse-names-gru.toml", "2.18", "a claim of hse-names-dynamic.toml"),
    ("experiments/notebooks/hse-names-lstm.toml", "2.18", "a claim of hse-names-dynamic.toml"),
    ("experiments/notebooks/hse-names.toml", "4.03", "the logarithm beside it"),
    ("experiments/notebooks/sonnets.toml", "2.56", "another_epoch_continues_where_keras_ended"),
    ("experiments/notebooks/sonnets.toml", "2.54", "printed by a notebook"),
    ("experiments/unclipped.toml", "1.0", "a setting"),
];

/// Would catch: a value in an experiment's comment that is in no claim, so that no run has ever shown it.
#[test]
fn every_value_in_a_comment_is_claimed() {
    let value = regex::Regex::new(r"\b\d+\.\d+\b").unwrap();
    let (mut missing, mut used) = (Vec::new(), Vec::new());
    for path in crate::lab::experiments() {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        let opening: Vec<_> = text.lines().take_while(|line| line.starts_with('#')).collect();
        for found in value.find_iter(&opening.join(" ")) {
            let is_claimed = |claim: &Claim| claim.file == path && claim.says.contains(found.as_str());
            if RUNS.iter().flat_map(|run| run.claims).any(is_claimed) {
                continue;
            }
            match NOT_OF_A_RUN.iter().find(|(file, value, _)| *file == path && *value == found.as_str()) {
                Some(entry) => used.push(entry),
                None => missing.push(format!("{path}: {}", found.as_str())),
            }
        }
    }
    assert!(missing.is_empty(), "no claim holds:\n{}", missing.join("\n"));
    let gone: Vec<_> = NOT_OF_A_RUN.iter().filter(|entry| !used.contains(entry)).collect();
    assert!(gone.is_empty(), "listed, but not written: {gone:?}");
}

/// Would catch: a name that depends on the seed, where the experiment says that it does not.
#[test]
fn the_most_likely_name_is_the_same_for_every_seed() {
    let lab = Lab::new();
    lab.ok(&format!("train {}/experiments/most-likely.toml --quiet --set train.steps=50", root().display()));
    let names: std::collections::BTreeSet<_> =
        (1..4).map(|seed| lab.ok(&format!("sample --count 1 --seed {seed}"))).collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

/// Would catch: samples of `no-repeat.toml` that hold three letters twice.
#[test]
fn no_sample_holds_three_letters_twice() {
    let lab = Lab::new();
    lab.ok(&format!("train {}/experiments/no-repeat.toml --quiet", root().display()));
    let samples = lab.rows("runs/no-repeat/001/samples.jsonl");
    assert_eq!(samples.len(), 5 * 20);
    for sample in samples {
        // The first letter is shown in upper case.
        let letters: Vec<char> = sample["text"].as_str().unwrap().to_lowercase().chars().collect();
        let mut threes: Vec<_> = letters.windows(3).collect();
        let all = threes.len();
        threes.sort_unstable();
        threes.dedup();
        assert_eq!(threes.len(), all, "{sample}");
    }
}

/// Would catch: a claim that was rewritten while its run was not.
#[test]
fn every_claim_stands_where_it_is_said_to() {
    for claim in RUNS.iter().flat_map(|run| run.claims) {
        let text = fs::read_to_string(root().join(claim.file)).unwrap();
        let lines: Vec<_> = text.lines().map(|line| line.trim_start_matches('#').trim()).collect();
        assert!(lines.join(" ").contains(claim.says), "{} does not say `{}`", claim.file, claim.says);
        assert!(claim.says.contains(claim.value), "`{}` does not name {}", claim.says, claim.value);
    }
}

fn measure(lab: &Lab, run: &str, measure: Measure) -> f64 {
    let rows = |command: &str| {
        let printed = lab.ok(&format!("{command} --json"));
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let row = |command: &str| rows(command).remove(0);
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value}"));
    match measure {
        Training => number(&row(&format!("runs show {run}"))["training"]["nats"]),
        Validation => number(&row(&format!("runs show {run}"))["validation"]["nats"]),
        Best => number(&row(&format!("runs show {run}"))["best"]["nats"]),
        Smoothed => number(&lab.rows(&format!("{run}/metrics.jsonl")).last().unwrap()["smoothed_loss"]),
        Accuracy => number(&row(&format!("eval {run}"))["accuracy"]),
        Perplexity => number(&row(&format!("eval {run}"))["perplexity"]),
        Test => number(&row(&format!("eval {run} --split test"))["nats_per_character"]),
        Copied => {
            let samples = rows(&format!("sample {run} --count 200 --novelty"));
            samples.iter().filter(|sample| sample["verbatim"] == true).count() as f64
        }
        Parameters => number(&row(&format!("runs compare {run} {run}"))["parameters"]),
        VanishingBefore => vanishing(&row(&format!("gradients {run} --untrained"))),
        VanishingAfter => vanishing(&row(&format!("gradients {run}"))),
    }
}

/// The factor by which the norm of a curve shrinks from distance 1 to distance 32.
fn vanishing(curve: &Value) -> f64 {
    let norm = |distance: usize| curve["norms"][distance - 1][1].as_f64().unwrap();
    norm(1) / norm(32)
}
