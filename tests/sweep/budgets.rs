//! Budgets, comparisons at equal expense, importance of keys, and the test split.

use super::{SWEEP, lab, table};
use crate::lab::Lab;

fn with_budget(budget: &str) -> Lab {
    Lab::new().with("cells.toml", SWEEP.replace("steps = 60", budget))
}

/// The updates of the trials of each variant.
fn updates(lab: &Lab) -> Vec<u64> {
    let plan: serde_json::Value = serde_json::from_str(&lab.text("sweeps/cells/plan.json")).unwrap();
    plan["variants"].as_array().unwrap().iter().map(|variant| variant["updates"].as_u64().unwrap()).collect()
}

/// Would catch: characters that are counted with padding, or only once for all variants although their batches differ.
#[test]
fn a_budget_in_characters_is_spent() {
    let sweep = SWEEP
        .replace("steps = 60", "characters = 6000")
        .replace("\"optimizer.learning-rate\" = [0.01, 0.001]", "\"train.batch\" = [2, 8]");
    let lab = Lab::new().with("cells.toml", sweep);
    lab.ok("sweep run cells.toml");
    let updates = updates(&lab);
    // A name and its end are 11 to 12 characters.
    assert!((200..320).contains(&updates[0]), "{updates:?}");
    assert_eq!(updates[0], updates[2], "the cell does not matter");
    let ratio = updates[0] as f64 / updates[1] as f64;
    assert!((3.6..4.4).contains(&ratio), "{updates:?}");
    let rows = lab.ok("sweep status sweeps/cells");
    assert!(rows.contains("8 completed") && rows.contains(" updates"), "{rows}");
    assert!(lab.ok("sweep table sweeps/cells").contains("lowest mean"));
}

/// Would catch: operations that do not depend on the cell, and trials that end elsewhere than planned.
#[test]
fn a_budget_in_operations_gives_larger_cells_fewer_updates() {
    let sweep = SWEEP.replace("steps = 60", "flops = 2e8");
    let sweep = sweep.replace("\"optimizer.learning-rate\" = [0.01, 0.001]", "\"cell.hidden\" = [8, 64]");
    let lab = Lab::new().with("cells.toml", sweep);
    lab.ok("sweep run cells.toml -j 2");
    let updates = updates(&lab);
    assert!(updates[0] > 3 * updates[1] && updates[2] > 3 * updates[3], "{updates:?}");
    assert!(updates[1] > updates[3], "an LSTM has more matrices than a GRU: {updates:?}");
    assert!(lab.ok("sweep status sweeps/cells").contains("8 completed"));
}

/// Would catch: a time that is measured again when the sweep is extended, so that nothing fits any more.
#[test]
fn a_budget_in_seconds_is_fixed_by_the_plan() {
    let lab = with_budget("seconds = 0.02");
    lab.ok("sweep run cells.toml");
    let (planned, printed) = (updates(&lab), table(&lab));
    lab.ok("sweep plan cells.toml");
    assert_eq!(updates(&lab), planned);
    let lab = lab.with("cells.toml", SWEEP.replace("steps = 60", "seconds = 0.02").replace("seeds = 2", "seeds = 3"));
    lab.ok("sweep plan cells.toml");
    assert_eq!(updates(&lab), planned);
    assert_eq!(table(&lab), printed, "two of three seeds are done, and they are those of before");
}

/// Would catch: two budgets of which one counts, none at all, and rungs that compare after unequal updates.
#[test]
fn a_wrong_budget_is_refused() {
    for (budget, said) in [
        ("steps = 60\ncharacters = 100", "[budget] has 2 units, not one"),
        ("", "[budget] has 0 units, not one"),
        ("seconds = 0", "`seconds`"),
        ("minutes = 3", "unknown key `minutes`"),
    ] {
        let refused = with_budget(budget).refused("sweep run cells.toml");
        assert!(refused.contains(said), "{budget}:\n{refused}");
    }
    let flops = SWEEP.replace("steps = 60", "flops = 1e8") + "\n[search]\ntype = \"halving\"\nfirst = 2\n";
    let refused = Lab::new().with("cells.toml", flops).refused("sweep plan cells.toml");
    assert!(refused.contains("a rung compares after equal ones") && refused.contains("budget in steps"), "{refused}");
    let both = SWEEP.replace("\"optimizer.learning-rate\" = [0.01, 0.001]", "\"cell.hidden\" = [8, 9]");
    let refused =
        Lab::new().with("cells.toml", both + "\n[size]\nparameters = 60_000\n").refused("sweep plan cells.toml");
    assert!(refused.contains("`cell.hidden` is solved for by [size]"), "{refused}");
}

/// Would catch: a test split that is measured while there is still a choice to make, or again until it pleases.
#[test]
fn the_test_split_is_measured_once_at_the_end() {
    let tiny = crate::lab::TINY.replace("valid = 0.1", "valid = 0.1\ntest = 0.1");
    let lab = lab("").with("tiny.toml", &tiny);
    lab.ok("sweep plan cells.toml");
    assert!(lab.refused("sweep test sweeps/cells").contains("the sweep is not done"));
    lab.ok("sweep work sweeps/cells");
    assert!(
        !lab.ok("sweep table sweeps/cells --format csv")
            .starts_with("variant,parameters,updates,seeds,nats,deviation,95 % interval,wins,p,test")
    );
    let printed = lab.ok("sweep test sweeps/cells");
    let rows = lab.ok("sweep table sweeps/cells --format json");
    let rows: Vec<serde_json::Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert!(rows[0]["test"].is_f64(), "{rows:#?}");
    for row in &rows {
        let is_chosen = printed.contains(row["variant"].as_str().unwrap());
        assert_eq!(row["test"].is_f64(), is_chosen, "{printed}{row}");
    }
    // The mean of what `eval` gives for the runs of the first.
    let states = lab.ok("sweep status sweeps/cells --json");
    let states = states.lines().map(|row| serde_json::from_str::<serde_json::Value>(row).unwrap());
    let scores: Vec<f64> = states
        .filter(|row| row["variant"] == rows[0]["variant"])
        .map(|row| {
            let run = format!("sweeps/cells/trials/{}", row["trial"].as_str().unwrap());
            let evaluated = lab.ok(&format!("eval {run} --split test --json"));
            serde_json::from_str::<serde_json::Value>(&evaluated).unwrap()["nats_per_character"].as_f64().unwrap()
        })
        .collect();
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    assert!((rows[0]["test"].as_f64().unwrap() - mean).abs() < 1e-12, "{scores:?}");
    assert!(lab.refused("sweep test sweeps/cells").contains("it is measured once"));
    let lab = lab.with("cells.toml", SWEEP.replace("seeds = 2", "seeds = 3"));
    let refused = lab.refused("sweep run cells.toml");
    assert!(refused.contains("the test split has been measured"), "{refused}");
}

/// Would catch: a comparison at equal updates that reads the last report of each, and one that lacks the runs' times.
#[test]
fn variants_are_compared_at_equal_expense() {
    let sweep = SWEEP.replace("steps = 60", "flops = 1e8");
    let lab = Lab::new()
        .with("cells.toml", sweep.replace("\"optimizer.learning-rate\" = [0.01, 0.001]", "\"cell.hidden\" = [8, 64]"));
    lab.ok("sweep run cells.toml");
    let least = updates(&lab).into_iter().min().unwrap();
    let compared = lab.run("sweep table sweeps/cells --equal updates --format json");
    assert!(compared.stderr.contains(&format!("after {least} updates")), "{}", compared.stderr);
    for row in compared.stdout.lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        assert!(row["updates"].as_u64().unwrap() <= least && row["seeds"] == 2, "{row}");
    }
    let timed = lab.run("sweep table sweeps/cells --equal time");
    assert!(timed.stderr.contains(" seconds") && timed.stdout.lines().count() == 5, "{timed:?}");
}

/// Would catch: a key without effect that counts as important, and one with effect that does not.
#[test]
fn the_key_that_matters_is_the_important_one() {
    let lab = lab("");
    lab.ok("sweep plan cells.toml");
    let plan: serde_json::Value = serde_json::from_str(&lab.text("sweeps/cells/plan.json")).unwrap();
    for trial in plan["trials"].as_array().unwrap() {
        // The rate costs 1 nat, the cell a hundredth.
        let nats = 2.0 + [0.0, 1.0, 0.01, 1.01][trial["variant"].as_u64().unwrap() as usize];
        let folder = lab.path("sweeps/cells/trials").join(trial["id"].as_str().unwrap());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("objective.json"), format!("{{\"measured\":{{\"60\":{nats}}}}}")).unwrap();
    }
    let printed = lab.ok("sweep table sweeps/cells --importance --format csv");
    assert_eq!(printed, "key,importance\noptimizer.learning-rate,1.000\ncell.type,0.000\n");
    let latex = lab.ok("sweep table sweeps/cells --format latex");
    assert!(latex.starts_with("\\begin{tabular}{lrrr") && latex.contains("95 \\% interval"), "{latex}");
}
