//! The walk over an experiment along its schema, which finds everything wrong with it at once.
//!
//! One walk serves the framework's tables and the plugins' alike. It knows types, limits and names; what several keys
//! mean together is in [`rules`](super::rules).

use serde_json::Value as Json;

use super::{
    schema::{Fields, Schemas, Shape, Tag, properties},
    spot::Spot,
    synonyms, values,
};
use crate::{
    error::{Place, Problem},
    experiment::{
        reading::{
            overrides::FLAG,
            spanned::{Entry, Node, Table, Value},
        },
        renamed,
    },
    suggest::{either, nearest, nearest_type, plain, question},
};

/// What was found so far.
pub(crate) struct Walk<'s> {
    schemas: Schemas<'s>,
    root: &'s Json,
    pub(crate) problems: Vec<Problem>,
    /// Paths of keys that a problem already proposes: that they are missing needs no problem of its own.
    pub(crate) proposed: Vec<String>,
    /// What is missing, under its path: one of them may yet turn out to be there under another name.
    missing: Vec<(String, Problem)>,
    /// True while a table is checked against a guessed `type`: suppresses errors about missing keys.
    guessing: bool,
}

/// A table during the walk.
struct Frame<'w, 's> {
    at: &'w Spot,
    fields: &'w Fields<'s>,
    table: &'w Table,
}

impl<'s> Walk<'s> {
    /// Walks over a whole experiment.
    pub(crate) fn over(root: &'s Json, experiment: &Node) -> Self {
        let mut walk = Self::new(root);
        if let Some(table) = experiment.as_table() {
            walk.table(&[root], &experiment.place, table, &Spot { path: String::new(), in_list: false });
        }
        let missing = std::mem::take(&mut walk.missing);
        walk.problems.extend(missing.into_iter().filter(|(path, _)| !walk.proposed.contains(path)).map(|(_, it)| it));
        walk
    }

    /// Whether nothing is wrong with this one value.
    pub(crate) fn passes(root: &'s Json, schema: &'s Json, node: &Node) -> bool {
        let mut walk = Self::new(root);
        walk.value(schema, "", node, &Spot { path: String::new(), in_list: false }, None);
        walk.problems.is_empty() && walk.missing.is_empty()
    }

    fn new(root: &'s Json) -> Self {
        Self {
            schemas: Schemas::new(root),
            root,
            problems: Vec::new(),
            proposed: Vec::new(),
            missing: Vec::new(),
            guessing: false,
        }
    }

    fn table(&mut self, forms: &[&'s Json], header: &Place, table: &Table, at: &Spot) {
        let fields = match self.schemas.fields(forms, table) {
            Ok(fields) => fields,
            Err(tag) => return self.untagged(&tag, forms, header, table, at),
        };
        let frame = Frame { at, fields: &fields, table };
        for entry in &table.entries {
            if fields.tags.iter().any(|(tag, _)| *tag == entry.key) {
                continue;
            }
            match fields.get(&entry.key).or(fields.others) {
                Some(schema) => self.value(schema, &entry.key, &entry.node, at, Some((&frame, entry))),
                None => self.unknown(&frame, entry),
            }
        }
        let is_moot = self.misspells_base() || self.guessing;
        for key in &fields.required {
            let is_proposed = is_moot || self.proposed.contains(&at.path) || self.proposed.contains(&at.inner(key));
            if table.get(key).is_none() && !is_proposed {
                self.missing(&frame, key, header);
            }
        }
    }

    /// A value under a key. `within` is the table and the entry, unless the value is an item of a list.
    fn value(&mut self, schema: &'s Json, key: &str, node: &Node, at: &Spot, within: Option<(&Frame<'_, 's>, &Entry)>) {
        let shapes = self.schemas.shapes(schema);
        let label = match within {
            Some((frame, _)) => format!("`{key}`{}", frame.label()),
            None => format!("an item of `{key}`"),
        };
        let Some(shape) = shapes.iter().filter(|shape| shape.takes(node)).min_by_key(|shape| shape.strictness()) else {
            let problem = values::wrong_type(self.schemas, schema, node, &label);
            let problem = match within.and_then(|(frame, entry)| Some((self.misnamed(frame, entry)?, entry))) {
                Some((question, entry)) => {
                    let hint = problem.hint.as_ref().map_or(question.clone(), |hint| format!("{hint}; {question}"));
                    problem.at(entry.place.clone()).hint(hint)
                }
                None => problem,
            };
            self.problems.push(problem);
            return;
        };
        match (shape, &node.value) {
            (Shape::Table(forms), Value::Table(table)) => {
                self.table(forms, &node.place, table, &Spot { path: at.inner(key), in_list: false });
            }
            (Shape::List(limits), Value::Array(items)) => {
                self.problems.extend(values::wrong_length(limits, items, node, &label));
                let Some(schema) = limits.get("items") else { return };
                for item in items {
                    match (self.schemas.shapes(schema).as_slice(), &item.value) {
                        ([Shape::Table(forms)], Value::Table(table)) => {
                            self.table(forms, &item.place, table, &Spot { path: at.inner(key), in_list: true });
                        }
                        _ => self.value(schema, key, item, at, None),
                    }
                }
            }
            _ => self.problems.extend(values::wrong_value(self.schemas, schema, shape, node, &label)),
        }
    }

    /// Whether another key was meant, one that takes such a value: `sample` is a table, `sampler` a list of tables.
    fn misnamed(&mut self, frame: &Frame<'_, 's>, entry: &Entry) -> Option<String> {
        let takes = |schema: &'s Json| self.schemas.shapes(schema).iter().any(|shape| shape.takes(&entry.node));
        let others = frame.fields.keys.iter().filter(|(key, schema)| frame.table.get(key).is_none() && takes(schema));
        let near = nearest(&entry.key, others.map(|(key, _)| *key));
        (!near.is_empty()).then(|| self.propose(frame, &near))
    }

    fn unknown(&mut self, frame: &Frame<'_, 's>, entry: &Entry) {
        let names = || frame.fields.keys.iter().map(|(key, _)| *key);
        let tabular = entry.node.is_tabular();
        let is_table = |schema: &'s Json| self.schemas.is_tabular(schema);
        let mut known: Vec<_> = frame
            .fields
            .keys
            .iter()
            .filter(|(key, _)| frame.fields.tags.iter().all(|(tag, _)| tag != key))
            // Outside of all tables there are many names: those of the same sort are enough.
            .filter(|(_, schema)| !frame.at.path.is_empty() || is_table(schema) == tabular)
            .map(|(key, _)| *key)
            .collect();
        known.sort_unstable();
        let (message, sort) = if tabular {
            (format!("unknown table {}", header(&frame.at.inner(&entry.key), &entry.node)), "tables")
        } else {
            (format!("unknown key `{}`{}", entry.key, frame.label()), "keys")
        };
        let sort = if frame.at.path.is_empty() { sort } else { "keys" };
        let mut problem = Problem::new(message).at(entry.place.clone());
        problem = problem.note(if known.is_empty() {
            "it has no keys".to_owned()
        } else {
            format!("known {sort}: {}", known.join(", "))
        });
        // A key that is there already is rarely the one that was meant.
        let mut near = nearest(&entry.key, names().filter(|key| frame.table.get(key).is_none()));
        if near.is_empty() {
            near = nearest(&entry.key, names());
        }
        let hint = self
            .renamed(frame, entry)
            .or_else(|| self.synonym(frame, entry))
            .or_else(|| (!near.is_empty()).then(|| self.propose(frame, &near)))
            .or_else(|| self.elsewhere(&entry.key, &frame.at.path));
        self.problems.push(match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
    }

    /// "Did you mean" these keys of the table, written as they are to be written.
    fn propose(&mut self, frame: &Frame<'_, 's>, keys: &[&str]) -> String {
        let written = keys.iter().map(|key| {
            let path = frame.at.inner(key);
            match frame.fields.get(key).map(|schema| self.schemas.shapes(schema)).as_deref() {
                Some([Shape::Table(_)]) => format!("[{path}]"),
                Some([Shape::List(list)]) if list.get("items").is_some_and(|items| self.schemas.is_tabular(items)) => {
                    format!("[[{path}]]")
                }
                _ => (*key).to_owned(),
            }
        });
        let question = question(&written.collect::<Vec<_>>());
        self.proposed.extend(keys.iter().map(|key| frame.at.inner(key)));
        question
    }

    /// The present name of a key that an earlier version called otherwise.
    fn renamed(&mut self, frame: &Frame<'_, 's>, entry: &Entry) -> Option<String> {
        let name = renamed::present_name(&frame.at.path, &entry.key)?;
        self.proposed.push(frame.at.inner(name));
        let file = &*entry.place.file;
        let command = if file == FLAG { String::new() } else { format!("; `hatchery check --fix {file}` rewrites it") };
        Some(format!("the key is `{name}`, in American spelling{command}"))
    }

    /// "Did you mean" what a name of another framework stands for, in this table or another.
    fn synonym(&mut self, frame: &Frame<'_, 's>, entry: &Entry) -> Option<String> {
        if frame.at.path.is_empty() && entry.node.is_tabular() {
            let table = synonyms::of_table(&entry.key).filter(|table| frame.fields.get(table).is_some())?;
            return Some(self.propose(frame, &[table]));
        }
        // What another type of this table calls so is no other framework's name.
        if !frame.at.path.is_empty() && self.is_key(&frame.at.path, &plain(&entry.key)) {
            return None;
        }
        let meant: Vec<_> = synonyms::of_key(&entry.key).filter(|(table, key)| self.is_key(table, key)).collect();
        if let Some((_, key)) =
            meant.iter().find(|(table, key)| *table == frame.at.path && frame.fields.get(key).is_some())
        {
            return Some(self.propose(frame, &[*key]));
        }
        // On the command line a key is written with its table.
        let is_set = &*entry.place.file == FLAG;
        let written: Vec<_> = meant
            .iter()
            .map(|(table, key)| match (self.is_list(table), *table) {
                (true, table) => format!("a table [[{table}]] with `{key}`"),
                (false, "") => format!("`{key}`, outside of all tables"),
                (false, table) if is_set => format!("`{table}.{key}`"),
                (false, table) => format!("`{key}` in [{table}]"),
            })
            .collect();
        self.proposed.extend(meant.iter().map(|(table, key)| format!("{table}.{key}")));
        (!written.is_empty()).then(|| format!("did you mean {}?", either(&written)))
    }

    /// Whether a table, of whatever type, has such a key.
    fn is_key(&self, table: &str, key: &str) -> bool {
        let mut known = properties(self.root);
        if table.is_empty() {
            return known.any(|(name, _)| name == key);
        }
        known.find(|(name, _)| *name == table).is_some_and(|(_, schema)| self.has(schema, key))
    }

    fn is_list(&self, table: &str) -> bool {
        let schema = properties(self.root).find(|(name, _)| *name == table).map(|(_, schema)| schema);
        schema.is_some_and(|schema| matches!(self.schemas.shapes(schema).as_slice(), [Shape::List(_)]))
    }

    /// Whether a form of a table has such a key.
    fn has(&self, schema: &'s Json, key: &str) -> bool {
        let mut forms = self.schemas.table_forms(schema).into_iter();
        forms.any(|form| properties(form).any(|(known, _)| known == key))
    }

    /// The tables of the experiment that have a key of this name; of the one at `path`, which has it not, the types that
    /// have it.
    fn elsewhere(&self, key: &str, path: &str) -> Option<String> {
        let key = &*plain(key);
        if properties(self.root).any(|(known, schema)| known == key && !self.schemas.is_tabular(schema)) {
            return Some(format!("`{key}` stands outside of all tables, before the first one"));
        }
        if let Some((_, schema)) = properties(self.root).find(|(name, _)| *name == path) {
            let forms = self.schemas.table_forms(schema);
            let names = self.schemas.tag(&forms).map(|tag| tag.names).unwrap_or_default();
            let having = names.iter().zip(forms).filter(|(_, form)| properties(form).any(|(known, _)| known == key));
            let types: Vec<_> = having.map(|(name, _)| format!("`type = \"{name}\"`")).collect();
            if !types.is_empty() {
                return Some(format!("`{key}` is a key of [{path}] with {}", either(&types)));
            }
        }
        let tables: Vec<_> = properties(self.root)
            .filter(|(_, schema)| self.has(schema, key))
            .map(|(name, _)| format!("[{name}]"))
            .collect();
        (!tables.is_empty()).then(|| format!("`{key}` is a key of {}", either(&tables)))
    }

    /// What a misspelt `base` would have brought is not missing.
    fn misspells_base(&self) -> bool {
        self.proposed.iter().any(|proposed| proposed == "base")
    }

    fn missing(&mut self, frame: &Frame<'_, 's>, key: &str, header: &Place) {
        let schema = frame.fields.get(key);
        let is_table = schema.is_some_and(|schema| self.schemas.is_tabular(schema));
        let message = if is_table {
            format!("missing table [{}]", frame.at.inner(key))
        } else {
            format!("missing key `{key}`{}", frame.label())
        };
        let mut problem = Problem::new(message).at(header.clone());
        if let Some(schema) = schema {
            let doc = schema.get("description").or(self.schemas.resolve(schema).get("description"));
            let doc = doc.and_then(Json::as_str).and_then(|doc| doc.lines().next()).unwrap_or_default();
            problem = match (is_table, doc.is_empty()) {
                (true, true) => problem,
                (true, false) => problem.note(format!("{key}: {doc}")),
                (false, true) => problem.note(format!("expected: {}", self.schemas.kind(schema))),
                (false, false) => problem.note(format!("{key}: {doc} ({})", self.schemas.kind(schema))),
            };
            let types = self.schemas.tag(&self.schemas.table_forms(schema)).filter(|_| is_table);
            if let Some(Tag { key: "type", mut names }) = types.filter(|types| !types.names.is_empty()) {
                names.sort_unstable();
                problem = problem.note(format!("known {key}s: {}", names.join(", ")));
            }
        }
        self.missing.push((frame.at.inner(key), problem));
    }

    /// A table that should choose its form by a tag, usually `type`, and does not.
    fn untagged(&mut self, tag: &Tag<'s>, forms: &[&'s Json], header: &Place, table: &Table, at: &Spot) {
        let noun = at.noun();
        let mut names = tag.names.clone();
        names.sort_unstable();
        let list = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let known = if tag.key == "type" { format!("known {noun}s: {list}") } else { format!("known values: {list}") };
        let label = format!(" in {}", at.header());
        let Some(entry) = table.entry(tag.key) else {
            // The rest of this table stands under a header that is misspelt.
            if self.proposed.contains(&at.path) || self.misspells_base() {
                return;
            }
            // Without its tag nothing is known about the table, but a key that looks like the tag surely is meant as it.
            let of_a_form = |key: &str| forms.iter().any(|form| properties(form).any(|(known, _)| known == key));
            let typo = |entry: &&Entry| !of_a_form(&entry.key) && !nearest(&entry.key, [tag.key]).is_empty();
            let problem = match table.entries.iter().find(typo) {
                Some(entry) => Problem::new(format!("unknown key `{}`{label}", entry.key))
                    .at(entry.place.clone())
                    .hint(question(&[tag.key])),
                None => Problem::new(format!("missing key `{}`{label}", tag.key)).at(header.clone()).note(known),
            };
            self.problems.push(problem);
            return;
        };
        let Some(name) = entry.node.as_str() else {
            let message = format!("wrong type for `{}`{label}: {}", tag.key, entry.node.described());
            self.problems.push(Problem::new(message).at(entry.node.place.clone()).note(known));
            return;
        };
        let message = if tag.key == "type" {
            format!("there is no {noun} named `{name}`")
        } else {
            format!("unknown value \"{name}\" for `{}`{label}", tag.key)
        };
        let problem = Problem::new(message).at(entry.node.place.clone()).note(known);
        if let Some(key) = self.schemas.list_with(forms, name) {
            let hint = format!("`{name}` stands around a cell: name one here, and it in `{key} = [\"{name}\"]`");
            return self.problems.push(problem.hint(hint));
        }
        let near = nearest_type(noun, name, tag.names.iter().copied());
        self.problems.push(if near.is_empty() { problem } else { problem.hint(question(&near)) });
        if let [only] = near.as_slice() {
            // It is clear what was meant, so the other keys can be checked as well.
            let mut meant = table.clone();
            if let Some(entry) = meant.entry_mut(tag.key) {
                entry.node.value = Value::String((*only).to_owned());
            }
            // Keys that the guessed type needs are not missing if another type was meant.
            let guessing = std::mem::replace(&mut self.guessing, true);
            self.table(forms, header, &meant, at);
            self.guessing = guessing;
        }
    }
}

impl Frame<'_, '_> {
    /// ` in [cell] (type = "gru")`; nothing outside of all tables.
    fn label(&self) -> String {
        if self.at.path.is_empty() {
            return String::new();
        }
        let tags = self.fields.tags.iter().map(|(tag, name)| format!(" ({tag} = \"{name}\")"));
        format!(" in {}{}", self.at.header(), tags.collect::<String>())
    }
}

fn header(path: &str, node: &Node) -> String {
    if matches!(node.value, Value::Array(_)) { format!("[[{path}]]") } else { format!("[{path}]") }
}
