//! Pictures of sweeps: what is in them.

use super::{SWEEP, lab};
use crate::lab::Lab;

/// Would catch: a form that draws nothing, a variant that is left out, a band where there is one seed.
#[test]
fn every_form_shows_every_variant() {
    let lab = lab("");
    lab.ok("sweep run cells.toml");
    let draw = |form: &str| {
        assert!(lab.ok(&format!("sweep picture sweeps/cells --form {form}")).ends_with(&format!("{form}.svg\n")));
        lab.text(&format!("sweeps/cells/{form}.svg"))
    };
    let curves = draw("curves");
    assert_eq!(curves.matches("<polygon").count(), 4, "a band for each variant:\n{curves}");
    assert_eq!(curves.matches("cell.type=gru").count(), 2, "{curves}");
    let boxes = draw("boxes");
    assert_eq!(boxes.matches("<circle").count(), 8, "a dot for each trial:\n{boxes}");
    let heat = draw("heat");
    let rows = lab.ok("sweep table sweeps/cells --format json");
    for row in rows.lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let mean = format!("\n{:.4}\n", row["mean"].as_f64().unwrap());
        assert!(heat.contains(&mean), "{mean}:\n{heat}");
    }
    for word in ["gru", "lstm", "0.01", "0.001", "cell.type", "optimizer.learning-rate"] {
        assert!(heat.contains(&format!("\n{word}\n")), "{word}:\n{heat}");
    }
    let parallel = draw("parallel");
    // A line for each variant, and three axes.
    assert_eq!(parallel.matches("<polyline").count(), 4 + 3, "{parallel}");
    assert!(parallel.contains("\nnats\n"), "{parallel}");
}

/// Would catch: a heat map of keys that are not there, and a panic where nothing is trained.
#[test]
fn a_picture_that_cannot_be_drawn_names_another() {
    let lab = lab("");
    lab.ok("sweep plan cells.toml");
    for form in ["curves", "boxes", "heat", "parallel"] {
        lab.ok(&format!("sweep picture sweeps/cells --form {form}"));
    }
    let one = SWEEP.replace("[[vary]]\n\"optimizer.learning-rate\" = [0.01, 0.001]\n", "");
    let lab = Lab::new().with("cells.toml", one.replace("seeds = 2", "seeds = 1"));
    lab.ok("sweep run cells.toml");
    let refused = lab.refused("sweep picture sweeps/cells --form heat");
    assert!(refused.contains("this sweep varies 1") && refused.contains("--form parallel"), "{refused}");
    lab.ok("sweep picture sweeps/cells");
    assert!(!lab.text("sweeps/cells/curves.svg").contains("<polygon"));
}
