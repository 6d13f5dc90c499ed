//! Variants that another program proposes.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::lab::{Lab, root};

const ASKED: &str = "name = \"asked\"\nexperiment = \"tiny.toml\"\n[search]\ntype = \"ask\"\n[repeat]\nseeds = 2\n[budget]\nsteps = 30\n";

/// Runs `sweep ask` with proposals on standard input.
fn ask(lab: &Lab, proposals: &str) -> (Option<i32>, String, String) {
    let mut command = lab.command(&["sweep", "ask", "asked.toml"]);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(proposals.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Would catch: proposals that get lost between two calls, one that is trained twice, and a result of another variant.
#[test]
fn proposals_are_trained_and_their_results_printed() {
    let lab = Lab::new().with("asked.toml", ASKED);
    let (code, printed, errors) = ask(&lab, "{\"cell.hidden\": 8}\n{\"cell.hidden\": 9}\n");
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(printed.lines().count(), 2);
    assert_eq!(lab.ok("sweep tell sweeps/asked"), "", "nothing is trained");
    lab.ok("sweep work sweeps/asked");
    let first = lab.ok("sweep tell sweeps/asked");
    let (_, printed, _) = ask(&lab, "{\"cell.type\": \"lstm\", \"cell.hidden\": 8}\n\n{\"cell.hidden\": 9}\n");
    let variants: Vec<serde_json::Value> = printed.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!((&variants[0]["variant"], &variants[1]["variant"]), (&2.into(), &1.into()), "the second is known");
    lab.ok("sweep work sweeps/asked");
    let printed = lab.ok("sweep tell sweeps/asked");
    assert!(printed.starts_with(&first) && printed.lines().count() == 3, "{printed}");
    assert!(printed.lines().last().unwrap().contains("\"label\":\"cell.hidden=8 cell.type=lstm\""), "{printed}");
    assert!(lab.ok("sweep table sweeps/asked").contains("lowest mean"));
}

/// Would catch: proposals of several programs at once, of which one overwrites the other's.
#[test]
fn proposals_of_several_programs_are_all_kept() {
    let lab = Lab::new().with("asked.toml", ASKED);
    std::thread::scope(|scope| {
        for hidden in 4..10 {
            let lab = &lab;
            scope.spawn(move || assert_eq!(ask(lab, &format!("{{\"cell.hidden\": {hidden}}}\n")).0, Some(0)));
        }
    });
    assert!(lab.ok("sweep status sweeps/asked").starts_with("asked: 6 variants"));
}

/// Would catch: a wrong proposal that is dropped, and a refusal without its line.
#[test]
fn a_wrong_proposal_is_refused_at_its_line() {
    for (proposals, said) in [
        ("{\"cell.hidden\": 8}\n{\"cell.hiden\": 8}\n", "unknown key `hiden`"),
        ("{\"cell.hidden\": 8}\nhidden = 8\n", "proposals:2:1"),
        ("{\"seed\": 3}\n", "varied by the sweep itself"),
        ("{\"cell.hidden\": null}\n", "no JSON object of keys and values"),
    ] {
        let lab = Lab::new().with("asked.toml", ASKED);
        let (code, printed, errors) = ask(&lab, proposals);
        assert_eq!((code, &*printed), (Some(2), ""), "{errors}");
        assert!(errors.contains(said), "{proposals}{errors}");
    }
    let lab = Lab::new().with("asked.toml", super::SWEEP);
    let (code, _, errors) = ask(&lab, "{\"cell.hidden\": 8}\n");
    assert!(code == Some(2) && errors.contains("type = \"ask\""), "{errors}");
    let both = format!("{ASKED}[[vary]]\n\"cell.hidden\" = [8, 9]\n");
    let refused = Lab::new().with("asked.toml", both).refused("sweep plan asked.toml");
    assert!(refused.contains("[[vary]] has no effect"), "{refused}");
}

/// Would catch: an example that no longer runs with Optuna, and a search that depends on the number of its workers.
#[test]
fn optuna_searches() {
    let has = Command::new("python3").args(["-c", "import optuna"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        return println!("skipped: optuna_searches needs python3 with optuna");
    }
    let search = |workers: &str| {
        let lab = Lab::new().with("asked.toml", ASKED);
        let mut command = Command::new("python3");
        command.arg(root().join("experiments/sweeps/optuna_search.py")).current_dir(lab.path(""));
        command.args(["asked.toml", "--rounds", "3", "--batch", "3", "--workers", workers]);
        let output = command.args(["--hatchery", env!("CARGO_BIN_EXE_hatchery")]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(lab.ok("sweep status sweeps/asked").contains(" completed"));
        String::from_utf8(output.stdout).unwrap()
    };
    let found = search("1");
    assert!(found.contains("best") && found.contains("optimizer.learning-rate"), "{found}");
    assert_eq!(search("2"), found);
}
