//! Every hint of the sources is followed by a test: one that is new, and that no test follows, is found here.

use std::collections::BTreeSet;

use regex::Regex;

use super::{COMMANDS, more::MORE, sweeps::SWEEPS};
use crate::lab::{files, root};

/// Hints that tests elsewhere follow: the beginning of the hint, and the test.
const FOLLOWED: &[(&str, &str)] = &[
    ("hatchery data fetch {}", "a_fetched_text_can_be_trained_on"),
    ("give each a name of its own", "tables_are_refused_with_their_place"),
    ("score a part of it, or keep it in a file", "what_never_ends_is_refused"),
    ("keep it in a file and name that", "what_never_ends_is_refused"),
    (
        "delete it and write it anew with `hatchery sweep plan FILE`",
        "a_damaged_plan_is_refused_and_can_be_written_anew",
    ),
    ("`hatchery sweep run FILE` makes it", "hints_of_a_begun_sweep_lead_on"),
    ("undo the change, or give the sweep another", "hints_of_a_begun_sweep_lead_on"),
    ("delete it: the trial is then measured again", "hints_of_a_begun_sweep_lead_on"),
    ("restore the text, or give the sweep another", "hints_of_a_begun_sweep_lead_on"),
    ("parameters = {found}", "hints_of_a_begun_sweep_lead_on"),
    ("hatchery sweep work", "hints_of_a_begun_sweep_lead_on"),
    ("set split.test in the experiment of another sweep", "hints_of_a_begun_sweep_lead_on"),
    ("take --form parallel, or boxes", "hints_of_a_begun_sweep_lead_on"),
    ("hatchery sweep table {}", "hints_of_the_test_split_and_of_proposals_lead_on"),
    ("write [search] type = \\\"ask\\\"", "hints_of_the_test_split_and_of_proposals_lead_on"),
    ("give sbatch what it asks for", "a_refusal_of_slurm_is_reported"),
    ("run this where Slurm's commands are", "a_refusal_of_slurm_is_reported"),
    ("wait until it ends, or stop it", "a_second_program_is_refused"),
    ("take it out of the folder, or see what repairs it", "a_broken_library_is_reported_and_breaks_nothing_else"),
    ("its best is there: name {}", "a_run_without_a_checkpoint_says_so"),
    ("train on: hatchery train --resume {}", "a_run_without_a_checkpoint_says_so"),
    ("the one before is used", "a_damaged_checkpoint_is_skipped_and_the_run_is_the_same"),
    ("set cell.{key}", "every_form_predicts_as_keras_does"),
    ("set model.embedding", "a_small_model_of_keras_is_imported"),
    ("set model.layers", "a_small_model_of_keras_is_imported"),
    ("set model.head", "a_dense_layer_is_no_other_head"),
    ("give cell, embedding and vocabulary the sizes", "a_small_model_of_keras_is_imported"),
    ("add: [parameters.", "a_state_dict_becomes_the_network_it_came_from"),
    ("name every block once", "a_state_dict_becomes_the_network_it_came_from"),
    ("if you know where it comes from", "a_stranger_s_run_loads_nothing"),
    ("hatchery plugins trust --list", "what_the_user_names_is_trusted"),
    ("is it in a library? name that with --plugin", "what_lies_there_no_longer_can_be_named"),
    ("cd into the checkout, or name it", "in_tree_is_only_where_one_is"),
    ("leave out --key", "a_state_dict_becomes_the_network_it_came_from"),
    ("name the dictionary that holds the tensors", "a_file_of_torch_has_the_loss_that_pytorch_has"),
    ("hold out the same text in each", "the_split_has_a_seed_of_its_own"),
    ("keep one of them", "a_mapping_stacks_cuts_and_fills"),
    ("name the first that is taken and the first that is not", "a_mapping_stacks_cuts_and_fills"),
    ("; train.order = \\\"by-length\\\" makes it", "padding_is_mentioned_and_saved"),
    ("hatchery plugins check {library}", "the_kit_says_what_is_wrong_and_where"),
    ("leave out --experiment", "from_a_new_cell_to_a_run_that_outlives_its_library"),
    ("write it as --set KEY=VALUE", "from_a_new_cell_to_a_run_that_outlives_its_library"),
    (
        "use the plugin of then, or accept this one: --allow-plugin-drift",
        "a_run_of_loaded_parts_is_recorded_and_guarded",
    ),
];

/// Hints whose way leads out of the program, so that no test can go it: the beginning of the hint, and where it leads.
const OUTSIDE: &[(&str, &str)] = &[
    ("give that of the cell another name", AUTHOR),
    ("write it with other operations", AUTHOR),
    ("declare what it needs in `noise`", AUTHOR),
    ("no update was made yet, so the learning rate is not the cause", AUTHOR),
    ("a bias is a row, [1, outputs]", AUTHOR),
    ("`{name}` is [{rows}, 1]; a bias is a row", AUTHOR),
    ("a cell keeps nothing between calls", AUTHOR),
    ("a constant takes the type of an argument", AUTHOR),
    ("did you mean `linear_no_bias(", AUTHOR),
    ("it is recorded once, for all values", AUTHOR),
    ("declare it: `zeros(", AUTHOR),
    ("the vectors have the names that `state` declares", AUTHOR),
    ("name its library: --plugin PATH", "a library that is gone"),
    ("each FAILED line above", AUTHOR),
    ("give one of them another name", AUTHOR),
    ("see what differs: hatchery plugins doctor FILE", AUTHOR),
    ("set the key of [dataset] to a larger number", AUTHOR),
    ("name it: --hatchery PATH", "a program that lies outside of its checkout"),
    ("set HATCHERY_PLUGINS to folders", SYSTEM),
    ("change the permissions of the list's folder", SYSTEM),
    ("name it with --plugin each time", SYSTEM),
    ("set XDG_STATE_HOME to a folder", SYSTEM),
    ("run the sweep from a folder with another name", SYSTEM),
    ("it begins with https://", NETWORK),
    ("name the file in it that ends in", CALLER),
    ("use letters, digits, `.`, `_` and `-`", CALLER),
    ("set train.order = \\\"random\\\"", "a text of more windows than can be put in order"),
    ("a Rust plugin has them by", AUTHOR),
    ("add the plugin there by hand", AUTHOR),
    ("its own message is above", "what is printed above"),
    ("give more steps", "the speed of the machine"),
    ("it was made by an earlier version", EARLIER),
    ("convert it: iconv", ANOTHER),
    ("if it is Latin-1, convert it", ANOTHER),
    ("save it as UTF-8, or convert it", ANOTHER),
    ("save the file with the encoding UTF-8", ANOTHER),
    ("change the file's permissions", SYSTEM),
    ("change its permissions", SYSTEM),
    ("give another folder in $HATCHERY_CACHE", SYSTEM),
    ("remove it by hand when it is in the way", SYSTEM),
    ("install one, for example DejaVu", SYSTEM),
    ("name a file that ends in .svg", "the feature `pictures`"),
    ("look at its driver", CARD),
    ("install its driver", CARD),
    ("hatchery devices lists them", CARD),
    ("cargo run --release --features", CARD),
    ("set dtype = \\\"f32\\\", or device", CARD),
    ("wait until it is done", NETWORK),
    ("something between here and the server", NETWORK),
    ("if it has moved, fetch it by hand", NETWORK),
    ("a proxy or a limit on requests", NETWORK),
    ("save it as 32- or 64-bit", OTHER_FRAMEWORK),
    ("save the whole model", OTHER_FRAMEWORK),
    ("records of earlier versions of Burn", OTHER_FRAMEWORK),
    ("Keras saves such files when", OTHER_FRAMEWORK),
    ("pipe a text to the command", "a terminal, which no test has"),
    ("set vocabulary.grow = false and vocabulary.unknown", "a plugin's cell that joins symbols and state in a matrix"),
    ("take a checkpoint that this experiment wrote", AUTHOR),
    ("copy it again, or save it again", OTHER_FRAMEWORK),
    ("copy the file again, or save it again", OTHER_FRAMEWORK),
    ("save `tensor.contiguous()`", OTHER_FRAMEWORK),
    ("if there is a copy of it", COPY),
    ("take it from a copy", COPY),
    ("no other checkpoint is left", COPY),
    ("delete it: nothing but lists", COPY),
    ("delete it, and work in the folder", COPY),
    ("delete the line, or take the log from a copy", COPY),
    ("restore the text, or train anew", COPY),
    ("a run is resumed with the plugin", COPY),
    ("name a checkpoint that `hatchery train` wrote, or read it on a larger machine", "a larger machine"),
    ("`hatchery sample --interactive` completes", "a model of more than 50,000,000 parameters"),
    ("its training has diverged: take an earlier checkpoint", COPY),
];

const AUTHOR: &str = "the source of a plugin";
const CALLER: &str = "a program that calls the library: the commands refuse it earlier";
const EARLIER: &str = "a run of an earlier version";
const ANOTHER: &str = "another program, which converts the file";
const SYSTEM: &str = "the system";
const CARD: &str = "a graphics card or another build";
const NETWORK: &str = "the network";
const OTHER_FRAMEWORK: &str = "the framework that wrote the model";
const COPY: &str = "a copy of a file that is damaged or gone";

/// A hint in the sources: the file, and the first text in it, or what gives it.
fn hints() -> Vec<(String, String)> {
    let sources = files("framework", "rs").into_iter().chain(files("plugins", "rs"));
    let is_read = |path: &String| !path.contains("/templates/") && !path.contains("/target/");
    let sources = sources.filter(is_read);
    let mut found = Vec::new();
    for path in sources {
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = lines.collect::<Vec<_>>().join(" ");
        for start in [".hint(", "hint = Some(", "let hint = "] {
            for (at, _) in code.match_indices(start) {
                found.extend(literals(&code[at + start.len()..]).into_iter().map(|hint| (path.clone(), hint)));
            }
        }
    }
    found
}

/// The texts in an expression: up to the parenthesis that closes it, or the semicolon that ends it.
fn literals(code: &str) -> Vec<String> {
    let (mut depth, mut inside, mut found) = (0, None::<String>, Vec::new());
    let mut symbols = code.chars();
    while let Some(symbol) = symbols.next() {
        if let Some(text) = &mut inside {
            match symbol {
                '\\' => {
                    text.push(symbol);
                    text.extend(symbols.next());
                }
                '"' => found.extend(inside.take()),
                other => text.push(other),
            }
            continue;
        }
        match symbol {
            '"' => inside = Some(String::new()),
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' | ';' if depth == 0 => break,
            ')' | '}' | ']' => depth -= 1,
            _ => {}
        }
    }
    // Parts of a sentence and names are no hints.
    let is_hint = |text: &String| text.split_whitespace().count() > 2 && !text.starts_with("cannot");
    found
        .into_iter()
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ").replace("\\ ", ""))
        .filter(is_hint)
        .collect()
}

/// Whether a case follows a hint of the sources: it shows a part of it that is long enough to be this hint's.
fn is_followed(hint: &str) -> bool {
    let written = hint.replace("\\\"", "\"").replace("\\\\", "\\").replace("{{", "\u{1}").replace("}}", "\u{2}");
    let values = Regex::new(r"\{[^}]*\}").unwrap();
    let parts: Vec<_> = values.split(&written).map(|part| part.replace('\u{1}', "{").replace('\u{2}', "}")).collect();
    let longest = parts.iter().max_by_key(|part| part.len()).unwrap();
    let sweeps = SWEEPS.iter().map(|(_, case)| case);
    COMMANDS
        .iter()
        .chain(MORE)
        .chain(sweeps)
        .any(|case| longest.contains(case.hint) || case.hint.contains(longest.as_str()))
}

/// Would catch: a hint that no one has ever followed.
#[test]
fn every_hint_is_followed() {
    let hints = hints();
    assert!(hints.len() > 120, "{}", hints.len());
    let listed = |hint: &str| FOLLOWED.iter().chain(OUTSIDE).any(|(start, _)| hint.starts_with(start));
    let missing: BTreeSet<_> = hints
        .iter()
        .filter(|(_, hint)| !is_followed(hint) && !listed(hint))
        .map(|(path, hint)| format!("{path}: {hint}"))
        .collect();
    let missing: Vec<_> = missing.into_iter().collect();
    assert!(missing.is_empty(), "no test follows these; add a case to tests/hints/more.rs:\n{}", missing.join("\n"));
    let gone: Vec<_> = FOLLOWED
        .iter()
        .chain(OUTSIDE)
        .filter(|(start, _)| !hints.iter().any(|(_, hint)| hint.starts_with(start)))
        .collect();
    assert!(gone.is_empty(), "listed, but no hint any more: {gone:?}");
}

/// Would catch: a test that is named as a follower and does not exist.
#[test]
fn the_tests_that_follow_exist() {
    let all: String =
        files("tests", "rs").iter().map(|path| std::fs::read_to_string(root().join(path)).unwrap()).collect();
    for (hint, test) in FOLLOWED {
        assert!(all.contains(&format!("fn {test}()")), "{hint}: {test}");
    }
}

/// Would catch: an extraction that finds nothing in a file of another style.
#[test]
fn a_hint_is_found_wherever_it_stands() {
    let code = "hint(format!(\"take the {} of {name}\", it(1))).into()); other(\"not this one here\")";
    assert_eq!(literals(&code["hint(".len()..]), ["take the {} of {name}"]);
    let code = "match it { A => \"take the first one\", B => (\"x\", \"take the second one\") }; f(\"no hint at all\")";
    assert_eq!(literals(code), ["take the first one", "take the second one"]);
    assert!(!is_followed("take the moon down"));
}
