//! The models in the chapters: pages that `hatchery export html` wrote, in frames.

use std::{collections::BTreeSet, fs};

use base64::{Engine, engine::general_purpose::STANDARD};
use regex::Regex;

use super::{files, normal, shown, source, tutorial::chapters};

/// Whether a page made again is the one that is kept: all of it but the parameters to the letter, and those as a long
/// training has them on another processor.
pub(super) fn agree(found: &str, kept: &str) -> bool {
    let content = Regex::new(r#""f32":"([A-Za-z0-9+/=]*)""#).unwrap();
    let rest = |page: &str| content.replace_all(page, "").into_owned();
    let parameters = |page: &str| -> Vec<f32> {
        let decoded = content.captures_iter(page).flat_map(|it| STANDARD.decode(&it[1]).unwrap());
        decoded.collect::<Vec<_>>().chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    };
    let (one, other) = (parameters(found), parameters(kept));
    let apart = one.iter().zip(&other).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
    let size = other.iter().map(|b| f64::from(*b).powi(2)).sum::<f64>();
    rest(found) == rest(kept) && one.len() == other.len() && apart <= 1e-2 * size
}

/// Would catch: a comparison that finds nothing, such as one of no parameters.
#[test]
fn a_model_that_differs_is_found() {
    let page = |values: [f32; 2], script: &str| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        format!("{{\"f32\":\"{}\"}} {script}", STANDARD.encode(bytes))
    };
    let kept = page([1.0, -2.0], "run()");
    assert!(agree(&page([1.001, -2.0], "run()"), &kept));
    assert!(!agree(&page([1.0, -1.0], "run()"), &kept));
    assert!(!agree(&page([1.0, -2.0], "stop()"), &kept));
}

/// Would catch: a chapter whose model is not there, a model that no chapter shows, one that is too large for the repository,
/// and one that the scripts of an earlier version run.
#[test]
fn chapters_show_the_models_that_are_there() {
    let link = Regex::new(r##"href="([^"#]*models/[^"#]+)[^"]*""##).unwrap();
    let mut linked = BTreeSet::new();
    for page in chapters() {
        for found in link.captures_iter(&fs::read_to_string(&page).unwrap()) {
            linked.insert(normal(&page.parent().unwrap().join(&found[1])));
        }
    }
    let kept: BTreeSet<_> = files(&source().join("models")).into_iter().collect();
    assert_eq!(linked, kept);
    assert!(kept.len() > 4, "{kept:?}");
    for page in kept {
        let html = fs::read_to_string(&page).unwrap();
        assert!(html.len() <= 150_000, "{}: {} bytes", shown(&page), html.len());
        assert!(html.contains(hatchery::export::LIBRARY), "{} is stale: book/record.sh models", shown(&page));
    }
}
