//! Parts I to III: what their pages promise. Formulas and listings agree with the program's numbers, pictures are those
//! of the recorded values, exercises have answers, quizzes have one right answer each, and every number in the text
//! is in an output.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use regex::Regex;

use super::{anchored, files, normal, root, shown, source};

/// The pages of parts I to III, but for the tables that are no chapters.
pub(super) fn chapters() -> Vec<PathBuf> {
    let single = ["start.md", "rust.md", "gradients.md", "overfitting.md"].map(|page| source().join(page));
    let folders = ["dinosaurs", "names"].into_iter().flat_map(|folder| files(&source().join(folder)));
    let mut chapters: Vec<_> =
        folders.chain(single).filter(|page| page.file_name().is_some_and(|name| name != "porting.md")).collect();
    chapters.sort();
    chapters
}

/// Whether Python has `NumPy`.
fn has_numpy() -> bool {
    let found = Command::new("python3").args(["-c", "import numpy"]).output();
    found.is_ok_and(|output| output.status.success())
}

fn python(arguments: &[&str]) -> std::process::Output {
    Command::new("python3").args(arguments).current_dir(root()).output().unwrap()
}

/// Would catch: a formula that gives other values than the cell, a `NumPy` listing that computes something else, an answer
/// to an exercise that its grader refuses, a grader that accepts anything.
#[test]
fn formulas_and_listings_agree_with_the_program() {
    if !has_numpy() {
        return println!("skipped: formulas_and_listings_agree_with_the_program, Python has no NumPy");
    }
    let checked = python(&["book/listings/check.py"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let solutions = fs::read_to_string(root().join("book/exercises/solutions.py")).unwrap();
    let function = Regex::new(r"# ANCHOR: [\w-]+\ndef (\w+)\(").unwrap();
    let wrong = tempfile::NamedTempFile::new().unwrap();
    let mut graded = 0;
    for found in function.captures_iter(&solutions) {
        let right = python(&["book/exercises/grade.py", &found[1], "book/exercises/solutions.py"]);
        assert!(right.status.success(), "{}: {}", &found[1], String::from_utf8_lossy(&right.stderr));
        fs::write(wrong.path(), format!("def {}(*inputs):\n    return (0.0, 0.0)\n", &found[1])).unwrap();
        let refused = python(&["book/exercises/grade.py", &found[1], wrong.path().to_str().unwrap()]);
        assert!(!refused.status.success(), "{}: any function is right", &found[1]);
        graded += 1;
    }
    assert!(graded >= 12, "{graded}");
}

/// Would catch: a picture that was changed by hand, or not drawn again after its values changed.
#[test]
fn pictures_are_drawn_from_the_recorded_values() {
    let folder = tempfile::tempdir().unwrap();
    let drawn = python(&["book/pictures.py", folder.path().to_str().unwrap()]);
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    let drawn = files(folder.path());
    assert!(drawn.len() > 15, "{drawn:?}");
    let pages: String = chapters().iter().map(|page| fs::read_to_string(page).unwrap()).collect();
    for picture in drawn {
        let name = picture.file_name().unwrap().to_str().unwrap();
        let kept = fs::read_to_string(source().join("pictures").join(name)).unwrap_or_default();
        assert!(fs::read_to_string(&picture).unwrap() == kept, "pictures/{name} is stale: python3 book/pictures.py");
        assert!(pages.contains(&format!("pictures/{name}}}}}")), "no page shows {name}");
    }
}

/// A page with its includes put in.
fn whole(page: &Path) -> String {
    let include = Regex::new(r"\{\{#include ([^}:]+)(?::([^}]+))?\}\}").unwrap();
    let text = fs::read_to_string(page).unwrap();
    let put = |found: &regex::Captures<'_>| {
        let included = fs::read_to_string(normal(&page.parent().unwrap().join(&found[1]))).unwrap();
        found.get(2).map_or(included.clone(), |anchor| anchored(&included, anchor.as_str()).unwrap_or_default())
    };
    include.replace_all(&text, put).into_owned()
}

/// The code blocks of a page: what follows the fence, the lines, and whether they are folded away.
fn blocks(text: &str) -> Vec<(String, Vec<String>, bool)> {
    let mut found: Vec<(String, Vec<String>, bool)> = Vec::new();
    let (mut folded, mut open) = (0, false);
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("```") {
            open = !open;
            if open {
                found.push((words.to_owned(), Vec::new(), folded > 0));
            }
        } else if open {
            found.last_mut().unwrap().1.push(line.to_owned());
        } else {
            folded += i32::from(line == "<details>") - i32::from(line == "</details>");
        }
    }
    found
}

/// Would catch: a listing that one cannot take in at a glance, and one that is cut off at the right.
#[test]
fn listings_are_short_and_narrow() {
    let mut wrong = Vec::new();
    for page in chapters() {
        for (words, lines, is_folded) in blocks(&whole(&page)) {
            let code: Vec<_> = lines.iter().filter(|line| !line.contains("ANCHOR")).collect();
            let is_program = words.starts_with("rust") || words.starts_with("python");
            if is_program && !is_folded && code.len() > 13 {
                wrong.push(format!("{}: {} lines of {words}: {}", shown(&page), code.len(), code[0]));
            }
            let wide = code.iter().filter(|line| line.chars().count() > 110 && is_program && !is_folded);
            wrong.extend(wide.map(|line| format!("{}: a wide line: {line}", shown(&page))));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Would catch: an exercise without an answer, a question with two right answers or none, a chapter without a quiz.
#[test]
fn exercises_have_answers_and_quizzes_one_right_option() {
    let question = Regex::new(r"(?m)^\d\. ").unwrap();
    for page in chapters() {
        let text = fs::read_to_string(&page).unwrap();
        let exercises = text.matches("**Exercise ").count();
        let answers = text.matches("<summary>Answer</summary>").count();
        assert_eq!(exercises, answers, "{}: exercises and answers", shown(&page));
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count(), "{}", shown(&page));
        let quiz = text.split("<div class=\"quiz\">").nth(1).unwrap_or_else(|| panic!("{} has no quiz", shown(&page)));
        let quiz = quiz.split("</div>").next().unwrap();
        let questions: Vec<_> = question.split(quiz).skip(1).collect();
        assert_eq!(questions.len(), 3, "{}: questions", shown(&page));
        for asked in questions {
            let options = asked.matches("- [x] ").count() + asked.matches("- [ ] ").count();
            assert!(asked.matches("- [x] ").count() == 1 && options > 1, "{}: {asked}", shown(&page));
            assert!(asked.contains("\n   > "), "{}: no reason is given: {asked}", shown(&page));
        }
    }
}

/// Would catch: a companion notebook whose commands or files are those of an earlier version, and a chapter that names a
/// section of one that it does not have.
#[test]
fn companion_notebooks_run() {
    let section = Regex::new(r#"\[(\w+\.ipynb)\]\([^)]*\), "([^"]+)""#).unwrap();
    for page in chapters() {
        for found in section.captures_iter(&fs::read_to_string(&page).unwrap()) {
            let notebook = fs::read_to_string(source().join("notebooks").join(&found[1])).unwrap();
            assert!(notebook.contains(&format!("## {}", &found[2])), "{}: {}", shown(&page), &found[0]);
        }
    }
    let able = python(&["-c", "import nbclient, ipykernel, matplotlib"]).status.success();
    if !able || std::env::var_os("HATCHERY_SLOW_TESTS").is_none() {
        return println!("skipped: companion_notebooks_run takes a minute, nbclient, ipykernel and matplotlib");
    }
    let mut command = Command::new("python3");
    command.args(["book/src/notebooks/run.py", "--check"]).current_dir(root());
    let output = command.env("HATCHERY", snapbox::cmd::cargo_bin!("hatchery")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Would catch: a work that is named without a place where it can be read. Three are on paper only.
#[test]
fn works_have_addresses() {
    let text = fs::read_to_string(source().join("literature.md")).unwrap();
    let works: Vec<_> = text.split("\n* ").skip(1).collect();
    let linked = works.iter().filter(|work| work.contains("*](https://")).count();
    assert!(works.len() >= 33 && linked + 3 >= works.len(), "{linked} of {}", works.len());
}

/// Each part has three exercises or more in which a function is written, and the grader knows each of them.
#[test]
fn functions_are_asked_for_and_graded() {
    let grader = fs::read_to_string(root().join("book/exercises/grade.py")).unwrap();
    let asked = Regex::new(r"grade\.py (\w+) mine\.py").unwrap();
    let (mut parts, mut all) = ([0; 3], 0);
    for page in chapters() {
        let text = fs::read_to_string(&page).unwrap();
        let name = shown(&page);
        let part = if name.contains("/names/") { 1 } else { 2 * usize::from(name.ends_with("gradients.md")) };
        for found in asked.captures_iter(&text) {
            assert!(grader.contains(&format!("\"{}\":", &found[1])), "{name}: the grader does not know {}", &found[1]);
            (parts[part], all) = (parts[part] + 1, all + 1);
        }
        // A cell is graded by the conformance kit.
        parts[part] += text.matches("`hatchery plugins check` grades it").count();
    }
    assert!(parts.iter().all(|part| *part >= 3), "{parts:?}");
    assert!(all >= 12, "{all}");
}
