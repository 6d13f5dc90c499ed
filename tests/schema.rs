//! The JSON Schema of experiment files: every experiment passes, every mistake that it can see does not.

use serde_json::{Value, json};

use crate::lab::{Lab, TINY, experiments, root};

/// The keywords that the schema uses and [`fits`] judges; annotations are harmless.
const KEYWORDS: [&str; 24] = [
    "$ref",
    "type",
    "const",
    "enum",
    "oneOf",
    "anyOf",
    "allOf",
    "if",
    "then",
    "else",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "not",
];
const ANNOTATIONS: [&str; 9] =
    ["$schema", "$defs", "title", "description", "default", "format", "examples", "$id", "family"];

fn schema() -> Value {
    serde_json::from_str(&Lab::new().ok("schema")).unwrap()
}

/// Whether a value fits a schema, by the rules of JSON Schema 2020-12 for the keywords above.
fn fits(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(rules) = schema.as_object() else { return schema != &json!(false) };
    rules.iter().all(|(keyword, rule)| judge(root, rules, (keyword, rule), value))
}

fn judge(root: &Value, rules: &serde_json::Map<String, Value>, (keyword, rule): (&str, &Value), value: &Value) -> bool {
    let each = || rule.as_array().unwrap().iter();
    let number =
        |keyword: &dyn Fn(f64, f64) -> bool| value.as_f64().is_none_or(|value| keyword(value, rule.as_f64().unwrap()));
    let length = |text: &Value| text.as_str().map(|text| text.chars().count() as u64);
    match keyword {
        "$ref" => fits(root, root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap(), value),
        "type" => rule.as_array().map_or_else(|| is_a(value, rule), |types| types.iter().any(|one| is_a(value, one))),
        "const" => value == rule,
        "enum" => each().any(|one| one == value),
        "oneOf" => each().filter(|one| fits(root, one, value)).count() == 1,
        "anyOf" => each().any(|one| fits(root, one, value)),
        "allOf" => each().all(|one| fits(root, one, value)),
        "not" => !fits(root, rule, value),
        "if" => {
            let next = if fits(root, rule, value) { "then" } else { "else" };
            rules.get(next).is_none_or(|next| fits(root, next, value))
        }
        "properties" => value.as_object().is_none_or(|table| {
            rule.as_object()
                .unwrap()
                .iter()
                .all(|(key, rule)| table.get(key).is_none_or(|value| fits(root, rule, value)))
        }),
        "required" => value.as_object().is_none_or(|table| each().all(|key| table.contains_key(key.as_str().unwrap()))),
        "additionalProperties" => value.as_object().is_none_or(|table| {
            let known = |key: &String| rules.get("properties").is_some_and(|known| known.get(key).is_some());
            table.iter().filter(|(key, _)| !known(key)).all(|(_, value)| fits(root, rule, value))
        }),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| fits(root, rule, item))),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
        "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= rule.as_u64().unwrap()),
        "minLength" => length(value).is_none_or(|length| length >= rule.as_u64().unwrap()),
        "maxLength" => length(value).is_none_or(|length| length <= rule.as_u64().unwrap()),
        "pattern" => {
            value.as_str().is_none_or(|text| regex::Regex::new(rule.as_str().unwrap()).unwrap().is_match(text))
        }
        "minimum" => number(&|value, rule| value >= rule),
        "maximum" => number(&|value, rule| value <= rule),
        "exclusiveMinimum" => number(&|value, rule| value > rule),
        "exclusiveMaximum" => number(&|value, rule| value < rule),
        _ => true,
    }
}

fn is_a(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|value| value.fract() == 0.0),
        "number" => value.is_number(),
        other => panic!("{other} is no type of JSON"),
    }
}

fn parsed(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

/// Would catch: a keyword that the check below does not know, and so judges nothing.
#[test]
fn the_schema_has_no_other_keywords() {
    fn look(schema: &Value, found: &mut Vec<String>) {
        match schema {
            Value::Array(all) => all.iter().for_each(|one| look(one, found)),
            Value::Object(rules) => {
                for (keyword, rule) in rules {
                    match keyword.as_str() {
                        "properties" | "$defs" => rule.as_object().unwrap().values().for_each(|one| look(one, found)),
                        "const" | "enum" | "default" | "required" | "examples" => {}
                        known if KEYWORDS.contains(&known) => look(rule, found),
                        known if ANNOTATIONS.contains(&known) => {}
                        other => found.push(other.to_owned()),
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    look(&schema(), &mut found);
    assert_eq!(found, Vec::<String>::new());
}

/// Would catch: a schema by which an editor marks an experiment as wrong that trains.
#[test]
fn every_experiment_fits_the_schema() {
    let schema = schema();
    let experiments = experiments();
    assert!(experiments.len() > 20);
    for path in experiments {
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        assert!(fits(&schema, &schema, &parsed(&text)), "{path}");
        // With every default filled in.
        let whole = Lab::new().ok(&format!("check {} --no-data", root().join(&path).display()));
        assert!(fits(&schema, &schema, &parsed(&whole)), "{path}, resolved");
    }
}

/// Would catch: a schema that lets everything pass.
#[test]
fn mistakes_do_not_fit_the_schema() {
    let schema = schema();
    assert!(fits(&schema, &schema, &parsed(TINY)));
    for (right, wrong) in [
        ("hidden = 8", "hiden = 8"),
        ("hidden = 8", "hidden = 0"),
        ("hidden = 8", "hidden = \"8\""),
        ("type = \"gru\"", "type = \"gruu\""),
        ("type = \"adam\"", "type = \"adma\""),
        ("learning-rate = 0.01", "learning-rate = -1.0"),
        ("steps = 6", "stesp = 6"),
        ("name = \"tiny\"", "title = \"tiny\""),
        ("valid = 0.1", "valid = 1.5"),
        ("[sample]", "[samples]"),
    ] {
        assert!(!fits(&schema, &schema, &parsed(&TINY.replacen(right, wrong, 1))), "{wrong}");
    }
}

/// Would catch: keys without their documentation, and plugins that are not offered.
#[test]
fn keys_and_plugins_are_documented() {
    let schema = schema();
    assert!(schema["properties"]["seed"]["description"].as_str().unwrap().contains("random"));
    let cells = schema["properties"]["cell"]["then"]["oneOf"].as_array().unwrap();
    let gru = cells.iter().find(|cell| cell["properties"]["type"]["const"] == "gru").unwrap();
    assert!(gru["properties"]["hidden"]["description"].as_str().is_some_and(|doc| !doc.is_empty()), "{gru}");
    assert!(gru["description"].as_str().is_some_and(|doc| !doc.is_empty()));
    let samplers: Vec<_> = schema["properties"]["sampler"]["items"]["oneOf"].as_array().unwrap().iter().collect();
    assert_eq!(samplers.len(), hatchery_samplers::plugins().variants.len());
}

/// Would catch: a line in a file that the program wrote which names a schema that is not there.
#[test]
fn files_of_runs_name_their_schema() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let text = lab.text("runs/tiny/001/experiment.toml");
    let named = text.lines().next().unwrap().strip_prefix("#:schema ").expect(&text);
    let written: Value = serde_json::from_str(&lab.text(&format!("runs/tiny/001/{named}"))).unwrap();
    assert_eq!(written, schema());
    assert!(fits(&written, &written, &parsed(&text)));
}

/// Would catch: what another implementation of JSON Schema makes of it.
#[test]
fn another_validator_agrees() {
    let name = "another_validator_agrees";
    let script = "import json, sys, tomllib, jsonschema\n\
        schema = json.load(open(sys.argv[1]))\n\
        jsonschema.Draft202012Validator.check_schema(schema)\n\
        check = jsonschema.Draft202012Validator(schema)\n\
        for path in sys.argv[2:]:\n    check.validate(tomllib.load(open(path, 'rb')))\n\
        wrong = tomllib.load(open(sys.argv[2], 'rb'))\n\
        wrong['unheard-of'] = 1\n\
        assert not check.is_valid(wrong)\n";
    let has = std::process::Command::new("python3").args(["-c", "import jsonschema, tomllib"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        return println!("skipped: {name} needs python3 with jsonschema");
    }
    let lab = Lab::new().with("schema.json", Lab::new().ok("schema"));
    let experiments = experiments().into_iter().map(|path| root().join(path));
    let output = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(lab.path("schema.json"))
        .args(experiments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Taplo is what editors complete and check TOML by. Would catch: a keyword that it does not know, a `#:schema` line that it
/// does not follow.
#[test]
fn taplo_follows_it() {
    let taplo = |lab: &Lab, arguments: &[&str]| {
        let output = std::process::Command::new("taplo").args(arguments).current_dir(lab.path("")).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    if std::process::Command::new("taplo").arg("--version").output().is_err() {
        return println!("skipped: taplo_follows_it needs Taplo: pip install taplo");
    }
    let lab = Lab::new().with("schema.json", Lab::new().ok("schema"));
    let schema = format!("file://{}", lab.path("schema.json").display());
    let experiments: Vec<_> =
        experiments().into_iter().map(|path| root().join(path).to_str().unwrap().to_owned()).collect();
    let all: Vec<_> = ["lint", "--schema", &schema].into_iter().chain(experiments.iter().map(String::as_str)).collect();
    let (fits, said) = taplo(&lab, &all);
    assert!(fits && said.contains(&format!("total={}", experiments.len())), "{said}");

    lab.ok("train tiny.toml --quiet");
    let recorded = lab.text("runs/tiny/001/experiment.toml");
    assert!(taplo(&lab, &["lint", "runs/tiny/001/experiment.toml"]).0);
    for (right, wrong, at) in [
        ("hidden = 8", "hiden = 8", "[cell]"),
        ("steps = 6", "steps = \"many\"", "many"),
        ("learning-rate = 0.01", "learning-rate = -1.0", "-1.0"),
        ("[sample]", "[samples]", "samples"),
    ] {
        assert!(recorded.contains(right), "{right}: {recorded}");
        std::fs::write(lab.path("runs/tiny/001/experiment.toml"), recorded.replacen(right, wrong, 1)).unwrap();
        let (fits, said) = taplo(&lab, &["lint", "runs/tiny/001/experiment.toml"]);
        assert!(!fits && said.contains(at), "{wrong}: {said}");
    }
}
