//! Hints of sweeps: a part of the file that is replaced, by what is refused and then by what the hint says.

use std::fs;

use super::{Case, case};
use crate::lab::{Lab, TINY};

const FILE: &str = r#"name = "cells"
experiment = "tiny.toml"

[[vary]]
"cell.hidden" = [4, 5]

[repeat]
seeds = 2

[budget]
steps = 3
"#;

/// What is in the file, and what takes its place.
pub(super) const SWEEPS: &[(&str, Case)] = &[
    ("[4, 5]", case("4", "for one value: [4]", "[4]")),
    (
        "\"cell.hidden\" = [4, 5]",
        case(
            "\"optimizer.learning-rate\" = { log = [0.1, 1] }",
            "for example { log-uniform = [1e-4, 1e-2], draws = 8 }",
            "\"optimizer.learning-rate\" = { log-uniform = [1e-4, 1e-2], draws = 8 }",
        ),
    ),
    (
        "[4, 5]",
        case(
            "[4, 5]\n\"optimizer.learning-rate\" = [0.1]",
            "write a [[vary]] of its own for each, to try all pairs",
            "[4, 5]\n[[vary]]\n\"optimizer.learning-rate\" = [0.1]",
        ),
    ),
    ("[4, 5]", case("[4, 4]", "take one of the two values out", "[4]")),
    ("\"cell.hidden\" = [4, 5]", case("seed = [1, 2]", "write [repeat] seeds = N", "\"cell.hidden\" = [4]")),
    ("\"cell.hidden\" = [4, 5]", case("\"train.steps\" = [1, 2]", "write [budget] steps = N", "\"cell.hidden\" = [4]")),
    (
        "\"cell.hidden\" = [4, 5]",
        case("\"split.valid\" = [0.1, 0.2]", "write a sweep for each text", "\"cell.hidden\" = [4]"),
    ),
    ("\"cell.hidden\" = [4, 5]", case("name = [\"a\"]", "set it in the experiment", "\"cell.hidden\" = [4]")),
    ("tiny.toml", case("bare.toml", "set split.valid in the experiment, for example split.valid = 0.1", "tiny.toml")),
    (
        "[budget]",
        case(
            "[search]\ntype = \"halving\"\nfirst = 9\n[budget]",
            "lower search.first, or raise budget.steps",
            "[search]\ntype = \"halving\"\nfirst = 1\n[budget]",
        ),
    ),
    (
        "seeds = 2\n\n[budget]",
        case(
            "seeds = 2\n[search]\ntype = \"racing\"\nfirst = 5\n[budget]",
            "raise repeat.seeds, or lower search.first",
            "seeds = 6\n[search]\ntype = \"racing\"\nfirst = 5\n[budget]",
        ),
    ),
    (
        "[budget]",
        case(
            "[search]\ntype = \"random\"\nvariants = 9\n[budget]",
            "lower search.variants, or vary more",
            "[search]\ntype = \"random\"\nvariants = 2\n[budget]",
        ),
    ),
    (
        "[budget]",
        case(
            "[search]\ntype = \"ask\"\n[budget]",
            "take it out, or use another search",
            "[search]\ntype = \"grid\"\n[budget]",
        ),
    ),
    ("steps = 3", case("steps = 3\nseconds = 1.0", "for example [budget] steps = 1000", "steps = 1000")),
    (
        "steps = 3",
        case(
            "flops = 1e8\n[search]\ntype = \"halving\"\nfirst = 1",
            "give the budget in steps, or use another search",
            "steps = 3\n[search]\ntype = \"halving\"\nfirst = 1",
        ),
    ),
    (
        "experiment = \"tiny.toml\"\n\n[[vary]]\n\"cell.hidden\" = [4, 5]\n\n[repeat]\nseeds = 2\n\n[budget]\nsteps = 3",
        case(
            "experiment = \"flex.toml\"\n[[vary]]\n\"cell.hidden\" = [4]\n[budget]\nflops = 1e6",
            "give the budget in steps, characters or seconds",
            "experiment = \"flex.toml\"\n[[vary]]\n\"cell.hidden\" = [4]\n[budget]\ncharacters = 10000",
        ),
    ),
];

/// Would catch: a hint after which the plan is refused as before.
#[test]
fn hints_of_sweeps_lead_on() {
    let mut wrong = Vec::new();
    for (old, Case { refused, hint, followed }) in SWEEPS {
        let file = |new: &str| FILE.replacen(old, new, 1);
        let lab = Lab::new().with("bare.toml", TINY.replace("valid = 0.1", "valid = 0"));
        let lab = lab.with("flex.toml", format!("{TINY}\n[backend]\ndevice = \"flex\"\n"));
        let lab = lab.with("wrong.toml", file(refused)).with("right.toml", file(followed));
        let said = lab.refused("sweep plan wrong.toml");
        if !said.contains(hint) {
            wrong.push(format!("{refused}: no `{hint}` in:\n{said}"));
        }
        let outcome = lab.run("sweep plan right.toml");
        if outcome.code != Some(0) {
            wrong.push(format!("{followed}: the hint `{hint}` leads to:\n{}", outcome.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Would catch: a width that is offered and then refused, a name that does not begin a new sweep, a measurement that is lost
/// with its file, a text that cannot be put back.
#[test]
fn hints_of_a_begun_sweep_lead_on() {
    let names = "anna\nbert\ncora\ndora\nemil\n".repeat(6);
    let lab = Lab::new().with("tiny.toml", TINY.replace("dinosaurs", "names.txt")).with("names.txt", &names);
    let sized = |size: &str| {
        let file = FILE.replace("\"cell.hidden\" = [4, 5]", "\"cell.type\" = [\"gru\"]");
        file.replace("[budget]", &format!("[size]\n{size}\n[budget]"))
    };
    let lab = lab.with("cells.toml", FILE).with("size.toml", sized("parameters = 40"));
    let said = lab.refused("sweep plan size.toml");
    let offered = said.split("hint: ").nth(1).unwrap_or_else(|| panic!("{said}")).lines().next().unwrap();
    let lab = lab.with("size.toml", sized(offered));
    lab.ok("sweep plan size.toml --folder sized");

    let said = lab.refused("sweep table empty");
    assert!(said.contains("`hatchery sweep run FILE` makes it, below `sweeps`"), "{said}");
    let hinted = |command: &str, hint: &str| {
        let said = lab.refused(command);
        assert!(said.contains(hint), "{command}: no `{hint}` in:\n{said}");
    };
    lab.ok("sweep plan cells.toml");
    hinted("sweep table sweeps/cells --equal updates", "hint: hatchery sweep work");
    hinted("sweep test sweeps/cells", "hint: hatchery sweep work sweeps/cells");
    lab.ok("sweep work sweeps/cells");
    lab.ok("sweep table sweeps/cells --equal updates");
    hinted("sweep test sweeps/cells", "set split.test in the experiment of another sweep");
    hinted("sweep picture sweeps/cells --form heat", "take --form parallel, or boxes");
    lab.ok("sweep picture sweeps/cells --form boxes");
    lab.ok("sweep run cells.toml");
    let table = |lab: &Lab| lab.ok("sweep table sweeps/cells --format json");
    let before = table(&lab);

    let other = FILE.replace("steps = 3", "steps = 4");
    let lab = lab.with("cells.toml", &other);
    let said = lab.refused("sweep run cells.toml");
    assert!(said.contains("undo the change, or give the sweep another `name`"), "{said}");
    let lab = lab.with("renamed.toml", other.replace("\"cells\"", "\"renamed\"")).with("cells.toml", FILE);
    lab.ok("sweep plan renamed.toml");
    lab.ok("sweep run cells.toml");

    let trial = fs::read_dir(lab.path("sweeps/cells/trials")).unwrap().next().unwrap().unwrap().path();
    fs::write(trial.join("objective.json"), "nothing").unwrap();
    let said = lab.refused("sweep run cells.toml");
    assert!(said.contains("delete it: the trial is then measured again"), "{said}");
    fs::remove_file(trial.join("objective.json")).unwrap();
    lab.ok("sweep run cells.toml");
    assert_eq!(table(&lab), before);

    let lab = lab.with("names.txt", format!("{names}nora\n"));
    fs::remove_file(trial.join("objective.json")).unwrap();
    let said = lab.refused("sweep work sweeps/cells");
    assert!(said.contains("restore the text, or give the sweep another `name`"), "{said}");
    let lab = lab.with("names.txt", &names);
    lab.ok("sweep run cells.toml");
    assert_eq!(table(&lab), before);
}

/// Would catch: a test split that is measured twice, proposals to a sweep that takes none.
#[test]
fn hints_of_the_test_split_and_of_proposals_lead_on() {
    let tested = TINY.replace("valid = 0.1", "valid = 0.1\ntest = 0.1");
    let lab = Lab::new().with("tiny.toml", tested).with("cells.toml", FILE);
    lab.ok("sweep run cells.toml");
    lab.ok("sweep test sweeps/cells");
    let said = lab.refused("sweep test sweeps/cells");
    assert!(said.contains("hint: hatchery sweep table sweeps/cells"), "{said}");
    lab.ok("sweep table sweeps/cells");

    let said = lab.refused("sweep ask cells.toml");
    assert!(said.contains("write [search] type = \"ask\""), "{said}");
    let asked = FILE
        .replace("[[vary]]\n\"cell.hidden\" = [4, 5]\n", "")
        .replace("[budget]", "[search]\ntype = \"ask\"\n[budget]");
    let lab = lab.with("asked.toml", asked.replace("\"cells\"", "\"asked\""));
    lab.ok("sweep ask asked.toml");
}
