//! Pictures of runs: not written over, with measurements marked, on an axis that shows differences, in the form that the
//! file's name says.

use crate::lab::Lab;

/// Would catch: a comparison that is written over the last one.
#[test]
fn another_comparison_is_another_picture() {
    let lab = Lab::new();
    for hidden in [4, 8, 12] {
        lab.ok(&format!("train tiny.toml --quiet --set cell.hidden={hidden}"));
    }
    assert!(lab.ok("runs compare tiny/1 tiny/2").ends_with("runs/compare.svg\n"));
    let first = lab.text("runs/compare.svg");
    assert!(lab.ok("runs compare tiny/1 tiny/3").ends_with("runs/compare-2.svg\n"));
    assert!(lab.ok("runs compare tiny/2 tiny/3").ends_with("runs/compare-3.svg\n"));
    assert_eq!(lab.text("runs/compare.svg"), first);
}

/// Would catch: a curve between few measurements as if it had been measured everywhere, and a best that is not marked.
#[test]
fn measurements_are_marked() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet --set train.steps=7 --set train.report-every=2");
    let metrics = lab.rows("runs/tiny/001/metrics.jsonl");
    let valid: Vec<_> = metrics.iter().filter_map(|row| row["valid"]["nats_per_character"].as_f64()).collect();
    let lowest = valid.iter().copied().fold(f64::INFINITY, f64::min);
    let picture = lab.text("runs/tiny/001/loss.svg");
    let circles = |radius: u32| picture.matches(&format!(" r=\"{radius}\"")).count();
    assert_eq!((circles(3), circles(7)), (valid.len(), 1), "{picture}");
    assert!(picture.contains(&format!("\nvalidation, best {lowest:.4} at step ")), "{picture}");
}

/// Would catch: an axis on which the first loss makes all that is compared one line.
#[test]
fn the_axis_of_a_comparison_shows_differences() {
    let lab = Lab::new();
    for rate in ["0.01", "0.02"] {
        let set = format!("--set train.steps=200 --set train.log-every=5 --set optimizer.learning-rate={rate}");
        lab.ok(&format!("train tiny.toml --quiet {set}"));
    }
    lab.ok("runs compare tiny/1 tiny/2");
    let picture = lab.text("runs/compare.svg");
    let label = "nats per character, cut off above ";
    let most = picture.lines().find_map(|line| line.strip_prefix(label)).expect(&picture);
    assert!(most.parse::<f64>().unwrap() < 3.1, "the first loss is 3.3: {most}");
    assert_eq!(picture.matches(" r=\"7\"").count(), 2, "the best validation of each run:\n{picture}");
}

/// Would catch: SVG in a file that is called otherwise, and a refusal that names no way.
#[test]
fn a_picture_is_what_its_name_says() {
    let lab = Lab::new();
    let starts: [(&str, &[u8]); 2] = [("lengths.png", b"\x89PNG\r\n"), ("lengths.pdf", b"%PDF-")];
    for (name, start) in starts {
        let line = format!("data show dinosaurs --picture {name}");
        if cfg!(feature = "pictures") {
            let outcome = lab.run(&line);
            if outcome.stderr.contains("no fonts") {
                return println!("skipped: a_picture_is_what_its_name_says needs a font");
            }
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
            let bytes = lab.bytes(name);
            assert!(bytes.starts_with(start) && bytes.len() > 5000, "{name}: {} bytes", bytes.len());
        } else {
            let refusal = lab.refused(&line);
            assert!(refusal.contains("`lengths.svg`") && refusal.contains("--features pictures"), "{refusal}");
        }
    }
    assert!(lab.refused("data show dinosaurs --picture lengths.gif").contains("pictures are SVG"));
}
