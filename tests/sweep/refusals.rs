//! Sweeps that make no sense, and what is said about them.

use super::{SWEEP, lab};
use crate::lab::Lab;

/// Would catch: a plan with a mistake that is trained, and a message without the place or the remedy.
#[test]
fn a_wrong_plan_is_refused_at_its_line() {
    for (old, new, said) in [
        ("[budget]", "[budgte]", &["unknown table [budgte]", "did you mean `[budget]`?"][..]),
        ("seeds = 2", "seed = 2", &["unknown key `seed`", "did you mean `seeds`?"]),
        ("seeds = 2", "seeds = 0", &["`seeds`", "at least 1"]),
        ("[0.01, 0.001]", "[]", &["`optimizer.learning-rate` has no values"]),
        ("[0.01, 0.001]", "0.01", &["a list of values, or a range", "for one value: [0.01]"]),
        ("[0.01, 0.001]", "[0.01, -1]", &["`learning-rate`", "cells.toml:9:36"]),
        ("[0.01, 0.001]", "{ log-uniform = [0, 1], draws = 4 }", &["has no range", "log-uniform = [1e-4, 1e-2]"]),
        ("[0.01, 0.001]", "{ log = [0.1, 1], draw = 4 }", &["unknown key `draw`", "did you mean `draws`?"]),
        ("[0.01, 0.001]", "[0.01, 0.01]", &["two variants are the same experiment", "take one of the two values out"]),
        (
            "optimizer.learning-rate",
            "optimizer.learning_rat",
            &["unknown key `learning_rat`", "did you mean `learning-rate`?"],
        ),
        (
            "\"gru\", \"lstm\"",
            "\"gru\", \"lstn\"",
            &["there is no cell named `lstn`", "did you mean `lstm`?", "cells.toml:6:"],
        ),
        ("cell.type", "seed", &["`seed` is varied by the sweep itself", "[repeat] seeds = N"]),
        ("cell.type", "split.valid", &["measured on different texts", "a sweep for each text"]),
        ("cell.type", "train.steps", &["is the same for all variants", "[budget] steps = N"]),
        ("[budget]", "[size]\nparameters = 40\n[budget]", &["no width of the cell gives 40 parameters to 1 %"]),
        ("[budget]", "[objective]\nsplit = \"test\"\n[budget]", &["\"test\"", "valid"]),
        (
            "[budget]",
            "[search]\ntype = \"halving\"\nfirst = 100\n[budget]",
            &["first rung of the search has 100 updates"],
        ),
        (
            "[budget]",
            "[search]\ntype = \"racing\"\n[budget]",
            &["the first test of the race is after 5 seeds, and there are 2"],
        ),
        (
            "[budget]",
            "[search]\ntype = \"random\"\nvariants = 9\n[budget]",
            &["9 variants are to be drawn, and there are 4"],
        ),
        ("[budget]", "[search]\ntype = \"raceing\"\n[budget]", &["did you mean `racing`?"]),
        ("tiny.toml", "tinny.toml", &["there is no experiment file `tinny.toml`", "did you mean `tiny.toml`?"]),
    ] {
        assert!(SWEEP.contains(old), "{old}");
        let lab = Lab::new().with("cells.toml", SWEEP.replacen(old, new, 1));
        let refused = lab.refused("sweep run cells.toml");
        for part in said {
            assert!(refused.contains(part), "{new}: `{part}` is missing:\n{refused}");
        }
        assert!(!lab.path("sweeps").exists(), "{new}: nothing is begun");
    }
}

/// Would catch: a sweep over an experiment that measures nothing.
#[test]
fn an_experiment_without_validation_has_no_objective() {
    let lab = lab("").with("tiny.toml", crate::lab::TINY.replace("valid = 0.1", "valid = 0"));
    let refused = lab.refused("sweep run cells.toml");
    assert!(refused.contains("holds nothing out for validation") && refused.contains("split.valid"), "{refused}");
}

/// Would catch: a text that was changed between the plan and a trial, and is trained on all the same.
#[test]
fn a_changed_text_ends_the_work() {
    let names = "anna\nbert\ncora\ndora\nemil\nfritz\ngerda\nhans\nida\njan\n".repeat(3);
    let lab =
        lab("").with("tiny.toml", crate::lab::TINY.replace("\"dinosaurs\"", "\"names.txt\"")).with("names.txt", &names);
    lab.ok("sweep plan cells.toml");
    let lab = lab.with("names.txt", format!("{names}karl\n"));
    let refused = lab.refused("sweep work sweeps/cells");
    assert!(refused.contains("the text is no longer that of the plan"), "{refused}");
}

/// Would catch: a plan from a stranger whose trials are written elsewhere, a panic, and a hint that loses what is trained.
#[test]
fn a_damaged_plan_is_refused_and_can_be_written_anew() {
    let lab = lab("");
    lab.ok("sweep run cells.toml");
    let (plan, table) = (lab.text("sweeps/cells/plan.json"), lab.ok("sweep table sweeps/cells"));
    let first = plan.split("\"id\":\"").nth(1).unwrap()[..12].to_owned();
    for damaged in [
        plan.replace(&first, "../../../tmp"),
        plan.replace("\"seeds\":2", "\"seeds\":3"),
        plan[..plan.len() / 2].to_owned(),
    ] {
        std::fs::write(lab.path("sweeps/cells/plan.json"), damaged).unwrap();
        let refused = lab.refused("sweep work sweeps/cells");
        assert!(
            refused.contains("sweeps/cells/plan.json` cannot be read") && refused.contains("what is trained is kept"),
            "{refused}"
        );
    }
    std::fs::remove_file(lab.path("sweeps/cells/plan.json")).unwrap();
    lab.ok("sweep plan cells.toml");
    assert_eq!(lab.ok("sweep table sweeps/cells"), table);
}

/// Would catch: a message about a folder that is none of a sweep which does not say how to get one.
#[test]
fn a_folder_without_a_plan_is_none_of_a_sweep() {
    for command in ["work", "status", "table", "picture"] {
        let refused = Lab::new().refused(&format!("sweep {command} nowhere"));
        assert!(
            refused.contains("`nowhere` is not the folder of a sweep") && refused.contains("sweep run FILE"),
            "{refused}"
        );
    }
}
