//! The page in a browser: headless Chromium, where there is one.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::lab;
use crate::{
    lab::Lab,
    plugins::{c_library, elman},
};

/// The page after its scripts ran, as HTML; none, with a line that says so, where there is no Chromium.
fn shown(page: &Path, fragment: &str) -> Option<String> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let is_there =
        |name: &&&str| Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    let Some(browser) = names.iter().find(is_there) else {
        println!("skipped: the page is not opened: there is none of {}", names.join(", "));
        return None;
    };
    let profile = Lab::new();
    let done = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path("profile").display()))
        .arg(format!("file://{}#{fragment}", page.display()))
        .output()
        .unwrap();
    let html = String::from_utf8(done.stdout).unwrap();
    if !html.contains("<html") {
        println!("skipped: the page is not opened: {}", String::from_utf8_lossy(&done.stderr));
        return None;
    }
    Some(html)
}

/// The content of the first element with that id.
fn content<'a>(html: &'a str, id: &str) -> &'a str {
    let (_, rest) = html.split_once(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("there is no {id}"));
    rest.split_once('>').unwrap().1
}

/// Would catch: a page whose scripts its own policy stops, or that fails where there is a document.
#[test]
fn a_browser_completes_the_text_of_the_program() {
    let lab = lab("[cell]\ntype = \"gru\"\nhidden = 16\n");
    lab.ok("train page.toml --quiet");
    lab.ok("export html page -o page.html");
    let sampled = lab.ok("sample page --temperature 0 --length 300 -n 1 --json --prefix to");
    let sampled: Value = serde_json::from_str(sampled.trim()).unwrap();
    let Some(html) = shown(&lab.path("page.html"), "text=to&temperature=0&length=300&run=samples") else { return };
    assert!(html.contains("data-done=\"true\""), "{html}");
    let first = content(&html, "list").split_once("<li>").unwrap().1.split_once("</li>").unwrap().0;
    assert_eq!(first, sampled["text"].as_str().unwrap());
    for id in ["bars", "characters", "vector"] {
        assert!(!content(&html, id).starts_with("</"), "{id} is empty");
    }
    assert!(content(&html, "about").starts_with("gru, "));
}

/// Would catch: a text or a name that ends its script, is read as HTML, or reorders what stands beside it.
#[test]
fn hostile_names_and_texts_do_nothing() {
    let hostile = "</script><script>document.title='hit'</script><img src=x onerror=\"document.title='hit'\">'\"&amp;\u{2028}\u{202e}\u{0}";
    let text = format!("{hostile}\n").repeat(30);
    let lab = Lab::new().with("text.txt", &text).with(
        "page.toml",
        "name = \"page\"\ndataset = { type = \"stream\", steps = 40, corpus = \"text.txt\" }\n\
         cell = { type = \"gru\", hidden = 64 }\noptimizer = { type = \"adam\", learning-rate = 0.02 }\n\
         train = { steps = 400, batch = 4, report-every = 400 }\n",
    );
    let trained = lab.run("train page.toml --quiet");
    assert_eq!(trained.code, Some(0), "{trained:?}");
    lab.ok("export html -o page.html");
    let html = lab.text("page.html");
    assert_eq!(html.matches("</script>").count(), 3);
    assert!(!html.contains(['\u{2028}', '\u{202e}', '\0']));
    let Some(shown) =
        shown(&lab.path("page.html"), "length=400&temperature=0&run=samples&text=%3C%2Fscript%3E%3Cscript%3E")
    else {
        return;
    };
    assert!(shown.contains("data-done=\"true\"") && !shown.contains("<title>hit"), "{shown}");
    let list = content(&shown, "list").split_once("</ol>").unwrap().0;
    assert!(list.contains("&lt;") && !list.contains("<img") && !list.contains("<script"), "{list}");
    assert!(!list.contains(['\u{2028}', '\u{202e}']), "{list}");
}

/// Would catch: a name that a library gives, and that is read as HTML.
#[test]
fn names_of_a_library_are_text() {
    let library = c_library("elman-in-html", &elman().replace("\\\"h\\\"", "\\\"<i>h</i>\\\""));
    let lab = lab("[cell]\ntype = \"elman-c\"\nhidden = 12\n");
    let plugin = format!("--plugin {}", library.display());
    lab.ok(&format!("train page.toml --quiet {plugin}"));
    lab.ok(&format!("export html page -o page.html {plugin}"));
    let Some(shown) = shown(&lab.path("page.html"), "text=to") else { return };
    assert!(content(&shown, "vector").contains("state &lt;i&gt;h&lt;/i&gt; of the elman-c"), "{shown}");
}
