//! An instance for a JSON Schema: what a model with structured output would answer.
//!
//! Covers what the vendors' strict modes and real tools use: types and lists of types, `enum`, `const`, objects,
//! arrays, `$ref` inside the document, `allOf`, `anyOf`, `oneOf`, bounds, lengths and the common formats. `pattern`
//! is not followed. Recursion ends by leaving out what is optional.

use crate::prose::phrase;
use crate::seed::Dice;
use serde_json::{Map, Value, json};

/// Beyond this depth optional properties are left out and arrays stay as short as they may.
const SHALLOW: usize = 5;
/// Beyond this depth anything is `null`: a schema that requires itself has no finite instance.
const DEEPEST: usize = 24;

/// An instance of `schema`, always the same for the same dice.
pub(crate) fn instance(schema: &Value, dice: &mut Dice) -> Value {
    Maker { root: schema, dice }.make(schema, "value", 0)
}

struct Maker<'a> {
    root: &'a Value,
    dice: &'a mut Dice,
}

impl Maker<'_> {
    fn make(&mut self, schema: &Value, name: &str, depth: usize) -> Value {
        let Some(schema) = schema.as_object() else {
            return json!(phrase(self.dice));
        };
        if depth > DEEPEST {
            return Value::Null;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let target = target.strip_prefix('#').and_then(|p| self.root.pointer(p)).cloned();
            return self.make(&target.unwrap_or(Value::Null), name, depth + 1);
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array).filter(|v| !v.is_empty()) {
            return values[self.dice.below(values.len())].clone();
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            let merged = self.merge(schema, parts);
            return self.make(&merged, name, depth + 1);
        }
        for word in ["anyOf", "oneOf"] {
            if let Some(options) = schema.get(word).and_then(Value::as_array).filter(|o| !o.is_empty()) {
                let null = options.iter().find(|o| o["type"] == "null");
                let chosen = null.filter(|_| depth > SHALLOW).unwrap_or(&options[0]);
                return self.make(&chosen.clone(), name, depth + 1);
            }
        }
        match self.kind(schema, depth).as_str() {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, name, depth),
            "integer" => json!(self.number(schema).round() as i64),
            "number" => json!((self.number(schema) * 100.0).round() / 100.0),
            "boolean" => json!(self.dice.below(2) == 1),
            "null" => Value::Null,
            _ => json!(self.string(schema, name)),
        }
    }

    fn kind(&self, schema: &Map<String, Value>, depth: usize) -> String {
        let listed = match schema.get("type") {
            Some(Value::String(kind)) => return kind.clone(),
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if depth > SHALLOW && listed.contains(&"null") {
            return "null".to_owned();
        }
        let guess = if schema.contains_key("properties") {
            "object"
        } else if schema.contains_key("items") || schema.contains_key("prefixItems") {
            "array"
        } else {
            "string"
        };
        listed.into_iter().find(|k| *k != "null").unwrap_or(guess).to_owned()
    }

    fn object(&mut self, schema: &Map<String, Value>, depth: usize) -> Value {
        let required: Vec<_> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut made = Map::new();
        for (name, part) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if depth < SHALLOW || required.contains(&name.as_str()) {
                let value = self.make(part, name, depth + 1);
                made.insert(name.clone(), value);
            }
        }
        Value::Object(made)
    }

    fn array(&mut self, schema: &Map<String, Value>, name: &str, depth: usize) -> Value {
        if let Some(parts) = schema.get("prefixItems").and_then(Value::as_array) {
            return parts.iter().map(|p| self.make(p, name, depth + 1)).collect();
        }
        let bound = |word: &str| schema.get(word).and_then(Value::as_u64).map(|n| n.min(64) as usize);
        let least = bound("minItems").unwrap_or(0);
        let most = bound("maxItems").unwrap_or(usize::MAX);
        let wanted = if depth > SHALLOW { 0 } else { 2 };
        let items = schema.get("items").cloned().unwrap_or(Value::Null);
        (0..wanted.max(least).min(most)).map(|_| self.make(&items, name, depth + 1)).collect()
    }

    fn number(&mut self, schema: &Map<String, Value>) -> f64 {
        let bound = |word: &str| schema.get(word).and_then(Value::as_f64);
        let low = bound("minimum").or(bound("exclusiveMinimum").map(|b| b + 1.0));
        let high = bound("maximum").or(bound("exclusiveMaximum").map(|b| b - 1.0));
        let (low, high) = match (low, high) {
            (Some(l), Some(h)) => (l, h.max(l)),
            (Some(l), None) => (l, l + 100.0),
            (None, Some(h)) => (h - 100.0, h),
            (None, None) => (1.0, 100.0),
        };
        let value = low + self.dice.unit() * (high - low);
        match bound("multipleOf").filter(|step| *step > 0.0) {
            Some(step) => (value / step).ceil() * step,
            None => value.round().clamp(low, high),
        }
    }

    fn string(&mut self, schema: &Map<String, Value>, name: &str) -> String {
        let n = 1 + self.dice.below(28);
        match schema.get("format").and_then(Value::as_str) {
            Some("date") => return format!("2026-02-{n:02}"),
            Some("date-time") => return format!("2026-02-{n:02}T09:30:00Z"),
            Some("time") => return format!("09:{n:02}:00Z"),
            Some("email") => return format!("customer{n}@example.com"),
            Some("uri" | "url") => return format!("https://example.com/{n}"),
            Some("uuid") => return format!("00000000-0000-4000-8000-{n:012}"),
            Some("ipv4") => return format!("192.0.2.{n}"),
            Some("hostname") => return format!("host{n}.example.com"),
            _ => {}
        }
        let bound = |word: &str| schema.get(word).and_then(Value::as_u64).map(|n| n.min(4096) as usize);
        let mut text = format!("{name}: {}", phrase(self.dice));
        while text.chars().count() < bound("minLength").unwrap_or(0) {
            text.push('.');
        }
        text.chars().take(bound("maxLength").unwrap_or(usize::MAX)).collect()
    }

    /// One schema that asks for what all parts ask for: properties and requirements added up, the rest overlaid.
    fn merge(&self, schema: &Map<String, Value>, parts: &[Value]) -> Value {
        let mut merged = schema.clone();
        merged.remove("allOf");
        for part in parts {
            let part = match part.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#')) {
                Some(pointer) => self.root.pointer(pointer).cloned().unwrap_or(Value::Null),
                None => part.clone(),
            };
            let Value::Object(part) = part else { continue };
            for (word, value) in part {
                match (merged.get_mut(&word), value) {
                    (Some(Value::Object(into)), Value::Object(more)) => into.extend(more),
                    (Some(Value::Array(into)), Value::Array(more)) if word == "required" => into.extend(more),
                    (_, value) => {
                        merged.insert(word, value);
                    }
                }
            }
        }
        Value::Object(merged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(schema: Value) -> Value {
        instance(&schema, &mut Dice::new(7))
    }

    #[test]
    fn objects_hold_their_properties_within_bounds() {
        let value = made(json!({"type": "object", "required": ["n", "kind"], "properties": {
            "n": {"type": "integer", "minimum": 3, "maximum": 5},
            "kind": {"enum": ["a", "b"]},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 4}, "minItems": 3},
            "when": {"type": "string", "format": "date"},
            "ok": {"type": ["boolean", "null"]},
            "fixed": {"const": {"x": 1}}
        }}));
        assert!((3..=5).contains(&value["n"].as_i64().unwrap()));
        assert!(["a", "b"].contains(&value["kind"].as_str().unwrap()));
        assert_eq!(value["tags"].as_array().unwrap().len(), 3);
        assert!(value["tags"][0].as_str().unwrap().chars().count() <= 4);
        assert!(value["ok"].is_boolean());
        assert_eq!(value["fixed"], json!({"x": 1}));
        assert_eq!(value["when"].as_str().unwrap().len(), 10);
    }

    #[test]
    fn references_and_combinations_are_followed() {
        let value = made(json!({
            "$defs": {"Id": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}},
            "allOf": [{"$ref": "#/$defs/Id"}, {"properties": {"b": {"anyOf": [{"type": "number"}, {"type": "null"}]}}}]
        }));
        assert!(value["id"].is_i64() && value["b"].is_number(), "{value}");
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let tree = json!({"type": "object", "properties": {"next": {"$ref": "#"}, "v": {"type": "string"}},
                          "required": ["v"]});
        assert!(made(tree)["next"]["v"].is_string());
        let forced = json!({"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]});
        assert!(made(forced).is_object(), "even where no finite instance exists");
    }
}
