//! Runs that differ only in their seed are one row.

use crate::lab::Lab;

fn lab(split: &str) -> Lab {
    let lab = Lab::new();
    for cell in ["gru", "lstm"] {
        for seed in 1..=3 {
            lab.ok(&format!("train tiny.toml --quiet --set cell.type={cell} --set seed={seed} {split}"));
        }
    }
    lab
}

const ALL: &str = "runs compare tiny/1 tiny/2 tiny/3 tiny/4 tiny/5 tiny/6";

/// Would catch: seeds as rows of their own, a mean over other runs, a difference that is not paired, a band that is missing.
#[test]
fn runs_that_differ_in_their_seed_are_one_row() {
    let lab = lab("--set split.seed=1");
    let printed = lab.ok(ALL);
    let rows: Vec<&str> = printed.lines().take_while(|line| !line.contains('−')).collect();
    assert_eq!(rows.len(), 3, "heads and two rows:\n{printed}");
    assert!(rows[0].contains("deviation") && rows[0].contains("95 % interval"), "{printed}");
    assert!(rows[1].contains("tiny, 3 seeds") && rows[2].contains("tiny, 3 seeds"), "{printed}");
    let nats = |run: usize| -> f64 {
        let shown: serde_json::Value = serde_json::from_str(&lab.ok(&format!("runs show tiny/{run} --json"))).unwrap();
        shown["validation"]["nats"].as_f64().unwrap()
    };
    let mean = |runs: [usize; 3]| runs.map(nats).iter().sum::<f64>() / 3.0;
    let (gru, lstm) = (mean([1, 2, 3]), mean([4, 5, 6]));
    assert!(rows[1].contains(&format!("{gru:.4}")) && rows[2].contains(&format!("{lstm:.4}")), "{printed}");
    let difference = printed.lines().find_map(|line| line.strip_prefix("B − A: ")).expect(&printed);
    assert!(difference.starts_with(&format!("{:+.4} nats over 3 shared seeds", lstm - gru)), "{printed}");
    let picture = lab.text("runs/compare.svg");
    assert_eq!(picture.matches("<polygon").count(), 2, "{picture}");
    let json = lab.ok(&format!("{ALL} --json"));
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&first["seeds"], json.lines().count()), (&serde_json::json!([1, 2, 3]), 2), "{json}");
    assert!((first["validation"]["mean"].as_f64().unwrap() - gru).abs() < 1e-12, "{json}");
}

/// Would catch: differences of runs with other batches as if a seed meant the same in both, and a seed that counts twice.
#[test]
fn differences_are_paired_only_where_the_order_is() {
    let lab = lab("--set split.seed=1");
    for seed in 1..=3 {
        lab.ok(&format!("train tiny.toml --quiet --set train.batch=5 --set seed={seed} --set split.seed=1"));
    }
    let printed = lab.ok("runs compare tiny/1 tiny/2 tiny/7 tiny/8");
    assert!(printed.contains("tiny, 2 seeds") && !printed.contains("B − A"), "{printed}");
    lab.ok("train tiny.toml --quiet --set seed=1 --set split.seed=1");
    let printed = lab.ok("runs compare tiny/1 tiny/2 tiny/10");
    assert!(printed.contains("tiny/010"), "the same seed again is no further one:\n{printed}");
}
