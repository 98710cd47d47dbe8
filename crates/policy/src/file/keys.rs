//! Tables of keys: one row a key, holding its name, its doc, its shape and its reader.
//!
//! Everything that must agree about a key comes from its row: what is read, which hint an unknown key gets, and the
//! JSON Schema. A section is one type and one table.

use super::finding::nearest;
use super::load::Cx;
use super::tree::{Kind, Node, Place};
use serde_json::{Map, Value, json};

/// The part of a row that needs no reader.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) shape: Shape,
    /// What the key waits for, while it is checked and not enforced.
    pub(crate) later: Option<&'static str>,
}

/// A row of a section's table.
pub(crate) struct Key<T: 'static> {
    pub(crate) field: Field,
    pub(crate) read: fn(&mut T, &Node, &mut Cx<'_>),
}

/// A row that is in force.
pub(crate) const fn key<T>(
    name: &'static str,
    doc: &'static str,
    shape: Shape,
    read: fn(&mut T, &Node, &mut Cx<'_>),
) -> Key<T> {
    Key { field: Field { name, doc, shape, later: None }, read }
}

impl<T> Key<T> {
    /// The row is checked now and enforced with what is named.
    pub(crate) const fn later(self, with: &'static str) -> Key<T> {
        let Field { name, doc, shape, .. } = self.field;
        Key { field: Field { name, doc, shape, later: Some(with) }, read: self.read }
    }
}

/// What a value looks like, for the JSON Schema.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Text,
    Path,
    Address,
    Url,
    Duration,
    Size,
    Dollars,
    Share,
    Count,
    Date,
    Name,
    Flag,
    Words(&'static [&'static str]),
    List(&'static Shape),
    OneOf(&'static [Shape]),
    /// A mapping with a table.
    Section(fn() -> Value),
    /// A mapping from names to values of one shape.
    Named(fn() -> Value),
}

impl Shape {
    pub(crate) fn schema(self) -> Value {
        match self {
            Shape::Text => json!({"type": "string"}),
            Shape::Path => json!({"type": "string", "minLength": 1}),
            Shape::Address => {
                json!({"type": "string", "description": "address:port", "examples": ["127.0.0.1:8080"]})
            }
            Shape::Url => json!({"type": "string", "pattern": "^https?://"}),
            Shape::Duration => {
                json!({"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w))+$", "examples": ["250ms", "3s", "14d"]})
            }
            Shape::Size => {
                json!({"type": ["string", "integer"], "pattern": "^[0-9]+ ?([kKMG]i?B|B)?$", "minimum": 0, "examples": ["32MiB"]})
            }
            Shape::Dollars => {
                json!({"type": ["number", "string"], "minimum": 0, "pattern": "^[0-9]+(\\.[0-9]+)?$", "description": "US dollars"})
            }
            Shape::Share => json!({"type": "number", "minimum": 0, "maximum": 1}),
            Shape::Count => json!({"type": "integer", "minimum": 0}),
            Shape::Date => {
                json!({"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})
            }
            Shape::Name => json!({"type": "string", "pattern": NAME_PATTERN}),
            Shape::Flag => json!({"type": "boolean"}),
            Shape::Words(words) => json!({"enum": words}),
            Shape::List(item) => json!({"type": "array", "items": item.schema()}),
            Shape::OneOf(shapes) => {
                json!({"anyOf": shapes.iter().map(|s| s.schema()).collect::<Vec<_>>()})
            }
            Shape::Section(schema) => schema(),
            Shape::Named(schema) => json!({"type": "object", "additionalProperties": schema()}),
        }
    }
}

/// The schema of a section.
pub(crate) fn object<'f>(fields: impl Iterator<Item = &'f Field>) -> Value {
    let mut properties = Map::new();
    for field in fields {
        let mut schema = field.shape.schema();
        if let Some(object) = schema.as_object_mut() {
            let doc = match field.later {
                Some(with) => format!("{} Not enforced yet: arrives with {with}.", field.doc),
                None => field.doc.to_owned(),
            };
            object.insert("description".to_owned(), Value::from(doc));
        }
        properties.insert(field.name.to_owned(), schema);
    }
    json!({"type": ["object", "null"], "properties": properties, "additionalProperties": false})
}

/// The schema of a table.
pub(crate) fn table<T>(keys: &'static [Key<T>]) -> Value {
    object(keys.iter().map(|k| &k.field))
}

const NAME_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$";

/// Whether a word can name a provider, workflow, team or data class.
pub(crate) fn is_name(word: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    word.len() <= 64
        && word.bytes().all(allowed)
        && word.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

/// Several names as a sentence has them.
pub(crate) fn one_of(words: &[&str]) -> String {
    format!("one of {}", words.join(", "))
}

impl Cx<'_> {
    /// Reads every key of a mapping by its row; an unknown key is an error with the nearest known one as hint.
    pub(crate) fn section<T>(&mut self, node: &Node, keys: &'static [Key<T>], into: &mut T) {
        if !self.is_mapping(node) {
            return;
        }
        for entry in node.entries() {
            match keys.iter().find(|k| k.field.name == entry.key) {
                Some(key) => {
                    self.not_yet(&key.field, entry.key_at);
                    (key.read)(into, &entry.value, self);
                }
                None => self.unknown_key(&entry.key, entry.key_at, keys.iter().map(|k| &k.field)),
            }
        }
    }

    pub(crate) fn unknown_key<'f>(&mut self, key: &str, at: Place, fields: impl Iterator<Item = &'f Field>) {
        let names: Vec<&str> = fields.map(|f| f.name).collect();
        let hint = match nearest(key, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", names.join(", ")),
        };
        self.report.error(at, format!("unknown key `{key}`"), Some(hint));
    }

    pub(crate) fn not_yet(&mut self, field: &Field, at: Place) {
        if let Some(with) = field.later {
            self.note_not_enforced(at, field.name, with);
        }
    }

    /// Says that something is understood and has no effect yet.
    pub(crate) fn note_not_enforced(&mut self, at: Place, what: &str, with: &str) {
        let hint = Some(format!("it arrives with {with}"));
        self.report.note(at, format!("`{what}` is checked and not enforced yet"), hint);
    }

    /// Whether a node is a mapping or nothing at all; reports it if not.
    pub(crate) fn is_mapping(&mut self, node: &Node) -> bool {
        if matches!(node.kind, Kind::Map(_)) || node.is_null() {
            return true;
        }
        let hint = Some("write `key: value` pairs, or {key: value}".to_owned());
        self.report.error(node.at, format!("a mapping is expected here, not {}", node.kind_name()), hint);
        false
    }

    /// The text of a single value.
    pub(crate) fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        match &node.kind {
            Kind::Scalar { text, .. } if !node.is_null() => Some(text),
            _ => {
                self.report.error(
                    node.at,
                    format!("a single value is expected here, not {}", node.kind_name()),
                    Some("write one word or number, or leave the key out".to_owned()),
                );
                None
            }
        }
    }

    /// A single value, read by a function that says what is wrong with it.
    pub(crate) fn parse<V>(&mut self, node: &Node, read: impl Fn(&str) -> Result<V, String>) -> Option<V> {
        let text = self.text(node)?;
        match read(text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.report.error(node.at, format!("`{}` is not understood here", shorten(text)), Some(why));
                None
            }
        }
    }

    /// One of some words.
    pub(crate) fn word<V>(
        &mut self,
        node: &Node,
        words: &[&str],
        read: impl Fn(&str) -> Option<V>,
    ) -> Option<V> {
        let text = self.text(node)?;
        let value = read(text);
        if value.is_none() {
            let hint = match nearest(text, words.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write {}", one_of(words)),
            };
            self.report.error(node.at, format!("`{}` is not {}", shorten(text), one_of(words)), Some(hint));
        }
        value
    }

    /// A list, item by item; a single value counts as a list of one.
    pub(crate) fn list<V>(
        &mut self,
        node: &Node,
        mut read: impl FnMut(&mut Self, &Node) -> Option<V>,
    ) -> Vec<V> {
        match &node.kind {
            Kind::List(items) => items.iter().filter_map(|item| read(self, item)).collect(),
            Kind::Scalar { .. } if !node.is_null() => read(self, node).into_iter().collect(),
            _ => {
                self.report.error(
                    node.at,
                    format!("a list is expected here, not {}", node.kind_name()),
                    Some("write [one, another]".to_owned()),
                );
                Vec::new()
            }
        }
    }

    /// Checks that a key can be a name.
    pub(crate) fn name(&mut self, name: &str, at: Place, of: &str) -> bool {
        let good = is_name(name);
        if !good {
            let hint =
                "use letters, digits, `-`, `_` and `.`, at most 64, a letter or digit first".to_owned();
            self.report.error(at, format!("`{}` cannot name a {of}", shorten(name)), Some(hint));
        }
        good
    }
}

/// A text short enough for a sentence.
pub(crate) fn shorten(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}
