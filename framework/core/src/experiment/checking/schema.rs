//! What a JSON schema says about a TOML value: which keys a table may have, which values a key may take.
//!
//! Schemas come from `schemars`, those of plugins included, so only the words that it writes for types that serde can
//! read are understood here. Whatever else a schema says is left to serde, which has the last word anyhow.

use serde_json::Value as Json;

use crate::{
    experiment::reading::spanned::{Node, Table, Value},
    suggest,
};

/// The schema of a file: every `$ref` is looked up in it.
#[derive(Clone, Copy)]
pub(crate) struct Schemas<'s> {
    root: &'s Json,
}

/// One form that a value may take.
pub(crate) enum Shape<'s> {
    /// One of these strings.
    Words(Vec<&'s str>),
    /// A string, with limits.
    Text(&'s Json),
    /// An integer, with limits.
    Integer(&'s Json),
    /// A number, with limits.
    Number(&'s Json),
    /// `true` or `false`.
    Boolean,
    /// A list, with limits.
    List(&'s Json),
    /// A table of one of these forms.
    Table(Vec<&'s Json>),
    /// Whatever serde takes.
    Anything,
}

/// The keys of a table.
#[derive(Default)]
pub(crate) struct Fields<'s> {
    /// Known keys and the schemas of their values.
    pub(crate) keys: Vec<(&'s str, &'s Json)>,
    /// Keys that must be there.
    pub(crate) required: Vec<&'s str>,
    /// The schema of values under other keys, where those are allowed.
    pub(crate) others: Option<&'s Json>,
    /// Keys that chose between forms of the table, `type` above all, and what they chose.
    pub(crate) tags: Vec<(&'s str, &'s str)>,
}

impl<'s> Fields<'s> {
    /// The schema of the values under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'s Json> {
        self.keys.iter().find(|(known, _)| *known == key).map(|(_, schema)| *schema)
    }
}

impl Shape<'_> {
    /// Whether a value is of this type, its limits aside.
    pub(crate) fn takes(&self, node: &Node) -> bool {
        match self {
            Self::Words(_) | Self::Text(_) => matches!(node.value, Value::String(_)),
            Self::Integer(_) => matches!(node.value, Value::Integer(_)),
            Self::Number(_) => matches!(node.value, Value::Integer(_) | Value::Float(_)),
            Self::Boolean => matches!(node.value, Value::Boolean(_)),
            Self::List(_) => matches!(node.value, Value::Array(_)),
            Self::Table(_) => matches!(node.value, Value::Table(_)),
            Self::Anything => !matches!(node.value, Value::Datetime),
        }
    }

    /// Among the forms that take a value the one with the least of this is held against it: a list of words that
    /// stands beside free text rules nothing out.
    pub(crate) fn strictness(&self) -> u8 {
        match self {
            Self::Anything => 0,
            Self::Text(_) | Self::Number(_) => 1,
            _ => 2,
        }
    }
}

/// The key by which a table chooses its form, and the names to choose from.
pub(crate) struct Tag<'s> {
    pub(crate) key: &'s str,
    pub(crate) names: Vec<&'s str>,
}

impl<'s> Schemas<'s> {
    pub(crate) fn new(root: &'s Json) -> Self {
        Self { root }
    }

    /// Follows references, and wrappers around a single schema (an `Option` is `anyOf` it and null).
    pub(crate) fn resolve(self, schema: &'s Json) -> &'s Json {
        let mut schema = schema;
        // A schema that refers to itself alone describes nothing; the limit keeps it from hanging us.
        for _ in 0..32 {
            if schema.get("properties").is_some() {
                break;
            }
            let optional = schema.get("anyOf").and_then(|_| alternatives(schema));
            let inner = match (self.target(schema), optional.as_deref(), list(schema, "allOf")) {
                (Some(target), _, _) => target,
                (None, Some([only]), _) => *only,
                (None, None, Some([only])) => only,
                _ => break,
            };
            schema = inner;
        }
        schema
    }

    /// What a schema refers to.
    fn target(self, schema: &'s Json) -> Option<&'s Json> {
        self.root.pointer(schema.get("$ref")?.as_str()?.trim_start_matches('#'))
    }

    /// The forms that a value may take.
    pub(crate) fn shapes(self, schema: &'s Json) -> Vec<Shape<'s>> {
        let schema = self.resolve(schema);
        if schema.get("properties").is_some() {
            return vec![Shape::Table(vec![schema])];
        }
        if let Some(alternatives) = alternatives(schema) {
            return self.either(&alternatives);
        }
        if let Some(words) = words(schema) {
            return vec![Shape::Words(words)];
        }
        let types: Vec<_> = match schema.get("type") {
            Some(Json::String(one)) => vec![one.as_str()],
            Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
            _ => return vec![Shape::Anything],
        };
        let shape = |name| match name {
            "string" => Some(Shape::Text(schema)),
            "integer" => Some(Shape::Integer(schema)),
            "number" => Some(Shape::Number(schema)),
            "boolean" => Some(Shape::Boolean),
            "array" => Some(Shape::List(schema)),
            "object" => Some(Shape::Table(vec![schema])),
            _ => None, // TOML has no null
        };
        types.into_iter().filter_map(shape).collect()
    }

    /// The forms of several schemas, with at most one of words and one of tables.
    fn either(self, alternatives: &[&'s Json]) -> Vec<Shape<'s>> {
        let mut shapes = Vec::new();
        let (mut words, mut tables) = (Vec::new(), Vec::new());
        for alternative in alternatives {
            for shape in self.shapes(alternative) {
                match shape {
                    Shape::Words(more) => words.extend(more),
                    Shape::Table(more) => tables.extend(more),
                    other => shapes.push(other),
                }
            }
        }
        if !words.is_empty() {
            shapes.insert(0, Shape::Words(words));
        }
        if !tables.is_empty() || alternatives.is_empty() {
            shapes.push(Shape::Table(tables));
        }
        shapes
    }

    /// The keys of a table that may take one of these forms.
    ///
    /// # Errors
    /// The tag, when the table does not choose a form by it.
    pub(crate) fn fields(self, forms: &[&'s Json], table: &Table) -> Result<Fields<'s>, Tag<'s>> {
        let mut fields = Fields::default();
        self.choose(forms, table, &mut fields)?;
        Ok(fields)
    }

    fn choose(self, forms: &[&'s Json], table: &Table, fields: &mut Fields<'s>) -> Result<(), Tag<'s>> {
        if let Some(tag) = self.tag(forms) {
            let chosen = table.get(tag.key).and_then(Node::as_str);
            let Some(at) = tag.names.iter().position(|name| Some(*name) == chosen) else {
                return Err(tag);
            };
            fields.tags.push((tag.key, tag.names[at]));
            return self.collect(forms[at], table, fields);
        }
        // Without a tag: the form that knows the most of what is there and misses the least.
        let score = |form: &&&'s Json| {
            let known = properties(form).filter(|(key, _)| table.get(key).is_some()).count();
            let missing = required(form).filter(|key| table.get(key).is_none()).count();
            (known, usize::MAX - missing)
        };
        match forms.iter().rev().max_by_key(score) {
            Some(form) => self.collect(form, table, fields),
            None => Ok(()),
        }
    }

    fn collect(self, form: &'s Json, table: &Table, fields: &mut Fields<'s>) -> Result<(), Tag<'s>> {
        let form = self.resolve(form);
        fields.keys.extend(properties(form));
        fields.required.extend(required(form));
        // A table is closed unless it says that it is open: a key that is not read must not pass.
        fields.others =
            fields.others.or(form.get("additionalProperties").filter(|others| **others != Json::Bool(false)));
        for part in list(form, "allOf").into_iter().flatten().chain(self.target(form)) {
            self.collect(part, table, fields)?;
        }
        match alternatives(form) {
            Some(forms) => self.choose(&forms, table, fields),
            None => Ok(()),
        }
    }

    /// The key by which these forms differ: a constant in each of them.
    pub(crate) fn tag(self, forms: &[&'s Json]) -> Option<Tag<'s>> {
        let forms: Vec<_> = forms.iter().map(|form| self.resolve(form)).collect();
        let Some(first) = forms.first() else { return Some(Tag { key: "type", names: Vec::new() }) };
        properties(first).find_map(|(key, _)| {
            let constant = |form: &&'s Json| form.get("properties")?.get(key)?.get("const")?.as_str();
            let names: Vec<_> = forms.iter().filter_map(constant).collect();
            (names.len() == forms.len()).then_some(Tag { key, names })
        })
    }

    /// The key of these forms whose value is a list in which this word may stand.
    pub(crate) fn list_with(self, forms: &[&'s Json], word: &str) -> Option<&'s str> {
        let has = |schema: &'s Json| {
            let items = schema.get("items").map(|items| self.shapes(items)).unwrap_or_default();
            items.iter().any(|shape| matches!(shape, Shape::Words(words) if words.contains(&word)))
        };
        forms.iter().flat_map(|form| properties(form)).find(|(_, schema)| has(schema)).map(|(key, _)| key)
    }

    /// Whether values are tables or lists of tables.
    pub(crate) fn is_tabular(self, schema: &'s Json) -> bool {
        !self.table_forms(schema).is_empty()
    }

    /// The forms of the tables that values are or, as lists, hold; none when they may be something else as well.
    pub(crate) fn table_forms(self, schema: &'s Json) -> Vec<&'s Json> {
        match self.shapes(schema).as_slice() {
            [Shape::Table(forms)] => forms.iter().map(|form| self.resolve(form)).collect(),
            [Shape::List(list)] => list.get("items").map(|items| self.table_forms(items)).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// What a value must be, in words: `integer, at least 1`.
    pub(crate) fn kind(self, schema: &'s Json) -> String {
        let shapes: Vec<_> = self.shapes(schema).iter().map(|shape| self.kind_of(shape)).collect();
        // A kind that has commas of its own needs one before "or".
        let separator = if shapes.iter().any(|shape| shape.contains(',')) { ", or " } else { " or " };
        shapes.join(separator)
    }

    fn kind_of(self, shape: &Shape<'s>) -> String {
        match shape {
            Shape::Words(words) => suggest::either(&words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>()),
            Shape::Text(schema) => text_kind(schema),
            Shape::Integer(schema) => format!("integer{}", limits(schema)),
            Shape::Number(schema) => format!("number{}", limits(schema)),
            Shape::Boolean => "true or false".to_owned(),
            Shape::List(schema) => match schema.get("items").map(|items| self.shapes(items)).as_deref() {
                Some([Shape::Table(_)]) => "list of tables".to_owned(),
                Some([Shape::Integer(_)]) => "list of integers".to_owned(),
                Some([Shape::Number(_)]) => "list of numbers".to_owned(),
                Some([Shape::Text(_)]) => "list of strings".to_owned(),
                _ => "list".to_owned(),
            },
            Shape::Table(_) => "table".to_owned(),
            Shape::Anything => "value".to_owned(),
        }
    }
}

/// What a string must be, in words.
pub(crate) fn text_kind(schema: &Json) -> String {
    match (count(schema, "minLength"), count(schema, "maxLength")) {
        (Some(1), Some(1)) => "one character".to_owned(),
        (Some(1), None) => "string, not empty".to_owned(),
        (_, Some(most)) => format!("string of at most {most} characters"),
        _ => "string".to_owned(),
    }
}

/// The named schemas of a table's keys.
pub(crate) fn properties(schema: &Json) -> impl Iterator<Item = (&str, &Json)> {
    schema.get("properties").and_then(Json::as_object).into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// The keys that a table must have.
pub(crate) fn required(schema: &Json) -> impl Iterator<Item = &str> {
    list(schema, "required").into_iter().flatten().filter_map(Json::as_str)
}

/// A count among a schema's limits, `maxLength` for example.
pub(crate) fn count(schema: &Json, limit: &str) -> Option<u64> {
    schema.get(limit).and_then(Json::as_u64)
}

/// The schemas of `oneOf` or `anyOf`, without null.
pub(crate) fn alternatives(schema: &Json) -> Option<Vec<&Json>> {
    let all = list(schema, "oneOf").or(list(schema, "anyOf"))?;
    Some(all.iter().filter(|one| one.get("type").and_then(Json::as_str) != Some("null")).collect())
}

fn list<'s>(schema: &'s Json, key: &str) -> Option<&'s [Json]> {
    schema.get(key)?.as_array().map(Vec::as_slice)
}

/// The strings that a schema allows, if it lists them.
fn words(schema: &Json) -> Option<Vec<&str>> {
    if let Some(constant) = schema.get("const") {
        return constant.as_str().map(|word| vec![word]);
    }
    list(schema, "enum")?.iter().filter(|word| !word.is_null()).map(Json::as_str).collect()
}

fn limits(schema: &Json) -> String {
    let words =
        [("minimum", "at least"), ("exclusiveMinimum", "above"), ("maximum", "at most"), ("exclusiveMaximum", "below")];
    let limit = |(key, word): (&str, &str)| Some(format!(", {word} {}", schema.get(key)?.as_f64()?));
    words.into_iter().filter_map(limit).collect()
}
