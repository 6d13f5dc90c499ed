//! The pages that a program writes: keys of experiments and plugins from their schemas, the command line from its help.

use std::process::Command;

use hatchery::experiment::checking::{Key, keys, schema, table_keys};
use hatchery_plugin::Kind;
use serde_json::Value;

use super::root;

/// Every generated page: its path under `generated/`, and what belongs there.
pub(super) fn pages() -> Vec<(String, String)> {
    let registry = hatchery_cli::registry().unwrap();
    let mut pages = vec![
        ("experiment.md".to_owned(), experiment()),
        ("command-line.md".to_owned(), command_line()),
        ("plugins.md".to_owned(), plugins()),
        ("sweep.md".to_owned(), sweep()),
        ("conformance.md".to_owned(), conformance()),
        ("operations.md".to_owned(), crate::operations::page()),
    ];
    for kind in Kind::ALL {
        for entry in registry.of(kind) {
            let variant = &entry.variant;
            let place = Place { root: &variant.schema, table: &variant.schema };
            let page = format!("{}\n\n{}", variant.doc, table(&keys(&variant.schema), place));
            pages.push((format!("plugins/{kind}-{}.md", variant.name), page));
        }
    }
    pages
}

/// The tables of an experiment file, in the order of the file.
const TABLES: [(&str, &str); 20] = [
    ("", "Outside of all tables"),
    ("numpy", "`[numpy]`"),
    ("backend", "`[backend]`"),
    ("vocabulary", "`[vocabulary]`"),
    ("split", "`[split]`"),
    ("model", "`[model]`"),
    ("optimizer.sgd", "`[optimizer]` of type sgd"),
    ("optimizer.adagrad", "`[optimizer]` of type adagrad"),
    ("optimizer.rmsprop", "`[optimizer]` of type rmsprop"),
    ("optimizer.adam", "`[optimizer]` of type adam"),
    ("optimizer.adamw", "`[optimizer]` of type adamw"),
    ("schedule.constant", "`[schedule]` of type constant"),
    ("schedule.decay", "`[schedule]` of type decay"),
    ("schedule.cosine", "`[schedule]` of type cosine"),
    ("schedule.linear", "`[schedule]` of type linear"),
    ("train", "`[train]`"),
    ("train.smoothing", "`train.smoothing`"),
    ("sample", "`[sample]`"),
    ("model.initializer.normal", "`model.initializer` of type normal"),
    ("model.initializer.uniform", "`model.initializer` of type uniform"),
];

/// The tables of a sweep file.
fn sweep() -> String {
    let schema = hatchery::sweep::Sweep::schema();
    let mut page =
        format!("### Outside of all tables\n\n{}\n", table(&keys(&schema), Place { root: &schema, table: &schema }));
    for (name, title) in [
        ("Size", "`[size]`"),
        ("Repeat", "`[repeat]`"),
        ("Search", "`[search]`, by its type"),
        ("Budget", "`[budget]`"),
        ("Objective", "`[objective]`"),
    ] {
        let forms =
            schema["$defs"][name]["oneOf"].as_array().cloned().unwrap_or_else(|| vec![schema["$defs"][name].clone()]);
        page.push_str(&format!("### {title}\n\n"));
        for mut form in forms {
            let kind = form["properties"]["type"]["const"].as_str().map(str::to_owned);
            form["$defs"] = schema["$defs"].clone();
            let doc = form["description"].as_str().unwrap_or_default().replace('\n', " ");
            if let Some(kind) = kind {
                page.push_str(&format!("**{kind}**: {doc}\n\n"));
            }
            let known: Vec<_> = keys(&form).into_iter().filter(|key| key.name != "type").collect();
            if !known.is_empty() {
                page.push_str(&format!("{}\n", table(&known, Place { root: &form, table: &form })));
            }
        }
    }
    page
}

fn experiment() -> String {
    let known: Vec<_> = TABLES.iter().map(|(name, _)| name.split('.').next().unwrap_or_default()).collect();
    let tables = ["dataset", "cell", "layer", "clipper", "sampler"];
    for Key { name, kind, .. } in table_keys("") {
        let covered = known.contains(&name.as_str()) || tables.contains(&name.as_str());
        assert!(
            covered || !kind.contains("table"),
            "tests/book/generated.rs does not know the table `{name}` ({kind})"
        );
    }
    let root = schema(&hatchery_cli::registry().unwrap());
    let section = |(name, title): &(&str, &str)| {
        let place = Place { root: &root, table: &root }.inner(name);
        // A table that has several forms says in its documentation what this one does.
        let form = name.contains('.').then(|| description(place.table)).flatten();
        let form = form.map(|text| format!("{text}\n\n")).unwrap_or_default();
        format!("## {title}\n\n{form}{}\n", table(&table_keys(name), place))
    };
    TABLES.iter().map(section).collect()
}

/// A table's schema, and the schema in which its references are looked up.
#[derive(Clone, Copy)]
struct Place<'s> {
    root: &'s Value,
    table: &'s Value,
}

impl<'s> Place<'s> {
    /// The table of this name, `train.smoothing`, or a form of one that has several, `optimizer.adam`.
    fn inner(self, name: &str) -> Self {
        let mut table = self.table;
        for name in name.split('.').filter(|name| !name.is_empty()) {
            let form = || forms(table).find(|form| form["properties"]["type"]["const"] == name);
            let found = table["properties"].get(name).or_else(form);
            table = self.resolve(found.unwrap_or_else(|| panic!("the schema has no `{name}`")));
        }
        Self { table, ..self }
    }

    /// What each word means that a key may have as its value, where that is said word by word.
    fn words(self, key: &str) -> Vec<(&'s str, &'s str)> {
        let Some(property) = self.table["properties"].get(key) else { return Vec::new() };
        forms(self.resolve(property)).filter_map(|form| Some((form["const"].as_str()?, description(form)?))).collect()
    }

    /// Follows references; an optional value is a reference or null.
    fn resolve(self, schema: &'s Value) -> &'s Value {
        let inner = forms(schema).find(|form| form.get("$ref").is_some()).unwrap_or(schema);
        let Some(target) = inner["$ref"].as_str() else { return schema };
        self.root.pointer(target.trim_start_matches('#')).unwrap_or_else(|| panic!("the schema has no {target}"))
    }
}

/// The forms that a value may take.
fn forms(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf"].into_iter().filter_map(|word| schema[word].as_array()).flatten()
}

fn description(schema: &Value) -> Option<&str> {
    schema["description"].as_str()
}

/// Keys as a table; `place` is where their schemas are.
fn table(keys: &[Key], place: Place<'_>) -> String {
    if keys.is_empty() {
        return "It has no keys.\n".to_owned();
    }
    let cell = |text: &str| text.replace('\n', " ").replace('|', "\\|");
    let rows: String = keys
        .iter()
        .map(|key| {
            let default = match (&key.default, key.required) {
                (Some(default), _) => format!("`{default}`"),
                (None, true) => "required".to_owned(),
                (None, false) => "none".to_owned(),
            };
            let words = place.words(&key.name);
            let words: String = words.iter().map(|(word, doc)| format!("<br>`{word}`: {}", cell(doc))).collect();
            format!("| `{}` | {} | {} | {}{words} |\n", key.name, cell(&key.kind), cell(&default), cell(&key.doc))
        })
        .collect();
    format!("| key | value | default | meaning |\n| --- | --- | --- | --- |\n{rows}")
}

/// A list of all plugins with links to their pages.
fn plugins() -> String {
    let registry = hatchery_cli::registry().unwrap();
    let mut page = String::new();
    for kind in Kind::ALL {
        page.push_str(&format!("## {kind}s\n\n| name | what it is |\n| --- | --- |\n"));
        for entry in registry.of(kind) {
            let name = entry.variant.name;
            let first =
                entry.variant.doc.split("\n\n").next().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
            page.push_str(&format!("| [`{name}`](../plugins/{kind}s/{name}.md) | {first} |\n"));
        }
        page.push('\n');
    }
    page
}

/// What the conformance kit looks for: the tables that open its files.
fn conformance() -> String {
    let files = [
        ("Every plugin", "keys.rs"),
        ("A cell", "cell/mod.rs"),
        ("A wrapper", "wrapper.rs"),
        ("A clipper", "clipper.rs"),
        ("A sampler", "sampler.rs"),
        ("A dataset", "dataset.rs"),
    ];
    let section = |(title, file): (&str, &str)| {
        let source = std::fs::read_to_string(root().join("framework/plugin/src/conformance").join(file)).unwrap();
        let table: String =
            source.lines().filter_map(|line| line.strip_prefix("//! |")).map(|row| format!("|{row}\n")).collect();
        assert!(!table.is_empty(), "{file} opens with no table");
        format!("### {title}\n\n{table}\n")
    };
    files.into_iter().map(section).collect()
}

/// The help of every command.
fn command_line() -> String {
    let mut page = String::new();
    write_help(&[], &mut page);
    page
}

fn write_help(command: &[String], page: &mut String) {
    let help = help(command);
    let title = std::iter::once("hatchery").chain(command.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    page.push_str(&format!("## {title}\n\n```text\n{help}```\n\n"));
    let inside = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    for line in inside {
        let name =
            line.strip_prefix("  ").filter(|line| !line.starts_with(' ')).and_then(|line| line.split(' ').next());
        if let Some(name) = name.filter(|name| *name != "help") {
            let mut longer = command.to_vec();
            longer.push(name.to_owned());
            write_help(&longer, page);
        }
    }
}

fn help(command: &[String]) -> String {
    let output = Command::new(snapbox::cmd::cargo_bin!("hatchery")).args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command:?} has no help");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
