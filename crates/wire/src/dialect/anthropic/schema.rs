//! JSON Schemas as the vendor's structured outputs take them.
//!
//! The vendor compiles a schema into a grammar, and refuses a request whose schema says more than the grammar can:
//! bounds, lengths, patterns, objects of free keys. Its own SDKs move such a keyword from the schema into the
//! description, where the model reads it; the same is done here. What would change the shape of the answer, a map of
//! keys that nobody named, is refused. Sources: the vendor's page on structured outputs, its SDKs' `transform_schema`.

use crate::json::{Fault, Kind, Out, Reader};
use crate::send::Uncarried;
use model::{Json, Text};

/// Keywords whose value is written as it stands.
const PLAIN: &[&str] = &["type", "title", "enum", "const", "default", "required"];
/// Keywords whose value is an object of schemas.
const NAMED: &[&str] = &["properties", "$defs", "definitions"];
/// Those of them that a reference may stand beside.
const DEFINED: &[&str] = &["$defs", "definitions"];
/// Keywords whose value is a list of schemas. Of `oneOf` the grammar knows only the weaker `anyOf`.
const LISTED: &[&str] = &["anyOf", "oneOf", "allOf"];
/// Keywords that say nothing about the answer.
const SILENT: &[&str] = &["$schema", "$id", "$comment"];
/// The formats of strings that the grammar knows.
const FORMATS: &[&str] =
    &["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Writes a schema as the next value.
pub(super) fn write(schema: &Json<'_>, out: &mut Out) -> Result<(), Uncarried> {
    one(&mut Reader::new(schema.raw()), out).map_err(|trouble| match trouble {
        Trouble::Map => Uncarried::new(
            "a schema with an object of free keys (`additionalProperties`)",
            "the target's structured outputs take objects of named properties only",
        ),
        Trouble::Broken => Uncarried::new("the schema", "it is not JSON"),
    })
}

enum Trouble {
    Map,
    Broken,
}

impl From<Fault> for Trouble {
    fn from(_: Fault) -> Trouble {
        Trouble::Broken
    }
}

/// What must be known of a schema before it is written.
#[derive(Default)]
struct Outline<'a> {
    description: Option<Text<'a>>,
    reference: Option<Text<'a>>,
    /// Whether it describes objects.
    object: bool,
    /// Whether it says anything about keys that nobody named.
    closed: bool,
    /// What the grammar does not know, as words.
    beyond: String,
}

fn one(r: &mut Reader<'_>, out: &mut Out) -> Result<(), Trouble> {
    if r.kind()? != Kind::Object {
        // `true` and `false` are schemas too.
        out.raw(r.value()?);
        return Ok(());
    }
    let outline = outline(&mut r.clone())?;
    out.object();
    r.object(|key, r| {
        match key {
            // Beside a reference only definitions are read.
            _ if outline.reference.is_some() && !DEFINED.contains(&key) => {}
            _ if NAMED.contains(&key) && r.kind()? == Kind::Object => {
                out.key(key).object();
                r.object(|name, r| one(r, out.any_key(name)))?;
                out.end_object();
            }
            _ if PLAIN.contains(&key) => {
                out.key(key).raw(r.value()?);
            }
            _ if LISTED.contains(&key) && r.kind()? == Kind::Array => {
                out.key(if key == "oneOf" { "anyOf" } else { key }).array();
                r.array(|_, r| one(r, out))?;
                out.end_array();
            }
            "items" if r.kind()? == Kind::Object => one(r, out.key(key))?,
            "format" | "minItems" if within(key, r.clone().value()?) => {
                out.key(key).raw(r.value()?);
            }
            "description" if outline.description.is_some() => outline.describe(out),
            "additionalProperties" if outline.object => {
                out.key(key).bool(false);
            }
            _ => {}
        }
        Ok::<_, Trouble>(())
    })?;
    match &outline.reference {
        Some(reference) => {
            out.key("$ref").text(reference);
        }
        None => outline.complete(out),
    }
    out.end_object();
    Ok(())
}

impl Outline<'_> {
    /// Writes what the schema itself had no keyword for.
    fn complete(&self, out: &mut Out) {
        if self.description.is_none() && !self.beyond.is_empty() {
            self.describe(out);
        }
        if self.object && !self.closed {
            out.key("additionalProperties").bool(false);
        }
    }

    fn describe(&self, out: &mut Out) {
        let beyond = Text::plain(&self.beyond);
        let mut pieces: Vec<&str> = self.description.iter().map(Text::raw).collect();
        if !self.beyond.is_empty() {
            let open = if pieces.is_empty() { "{" } else { "\\n\\n{" };
            pieces.extend([open, beyond.raw(), "}"]);
        }
        out.key("description").joined(&pieces);
    }
}

fn outline<'a>(r: &mut Reader<'a>) -> Result<Outline<'a>, Trouble> {
    let mut outline = Outline::default();
    r.object(|key, r| {
        match (key, r.kind()?) {
            ("description", Kind::String) => outline.description = Some(r.text()?),
            ("$ref", Kind::String) => outline.reference = Some(r.text()?),
            ("type", _) => outline.object |= r.value()?.contains("\"object\""),
            ("properties", Kind::Object) => outline.object = true,
            ("additionalProperties", Kind::Object) => return Err(Trouble::Map),
            ("additionalProperties", _) => outline.closed = true,
            ("items", Kind::Object) => {}
            (_, Kind::Object) if NAMED.contains(&key) => {}
            (_, Kind::Array) if LISTED.contains(&key) => {}
            _ if PLAIN.contains(&key) || SILENT.contains(&key) => {}
            _ => {
                let value = r.value()?;
                if !within(key, value) {
                    let comma = if outline.beyond.is_empty() { "" } else { ", " };
                    outline.beyond.push_str(&format!("{comma}{key}: {value}"));
                }
            }
        }
        Ok(())
    })?;
    Ok(outline)
}

/// Whether the grammar knows this value of a keyword of which it knows some.
fn within(key: &str, value: &str) -> bool {
    match key {
        "format" => FORMATS.contains(&value.trim_matches('"')),
        "minItems" => matches!(value, "0" | "1"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(schema: &str) -> String {
        let mut out = Out::default();
        write(&Json::checked(schema), &mut out).unwrap();
        String::from_utf8(out.finish()).unwrap()
    }

    #[test]
    fn what_the_grammar_knows_stays_as_it_is() {
        let known = r##"{"type":"object","properties":{"a":{"type":["string","null"],"format":"uuid"},"b":{"type":"array","items":{"$ref":"#/$defs/B"},"minItems":1}},"additionalProperties":false,"required":["a","b"],"$defs":{"B":{"description":"A \"b\"","enum":[1,2]}}}"##;
        assert_eq!(written(known), known);
    }

    #[test]
    fn a_bound_becomes_words_that_the_model_reads() {
        assert_eq!(
            written(r#"{"type":"integer","minimum":1,"description":"An \"id\"","maximum":10}"#),
            r#"{"type":"integer","description":"An \"id\"\n\n{minimum: 1, maximum: 10}"}"#
        );
        assert_eq!(
            written(r#"{"type":"string","format":"color","pattern":"^\"\\d+$"}"#),
            r#"{"type":"string","description":"{format: \"color\", pattern: \"^\\\"\\\\d+$\"}"}"#
        );
        assert_eq!(
            written(r#"{"type":"array","minItems":3}"#),
            r#"{"type":"array","description":"{minItems: 3}"}"#
        );
    }

    #[test]
    fn bounds_are_found_however_deep_they_stand() {
        let deep =
            r#"{"anyOf":[{"items":{"type":"number","multipleOf":2}}],"$defs":{"minimum":{"minLength":1}}}"#;
        assert_eq!(
            written(deep),
            r#"{"anyOf":[{"items":{"type":"number","description":"{multipleOf: 2}"}}],"$defs":{"minimum":{"description":"{minLength: 1}"}}}"#
        );
    }

    #[test]
    fn a_property_may_have_the_name_of_a_keyword() {
        let named = r#"{"type":"object","properties":{"minimum":{"type":"integer"},"say \"x\"":{"type":"string"}},"additionalProperties":false}"#;
        assert_eq!(written(named), named);
    }

    #[test]
    fn every_object_is_closed_and_says_so_once() {
        assert_eq!(
            written(
                r#"{"additionalProperties":true,"$schema":"x","properties":{"a":{"type":["object","null"]}}}"#
            ),
            r#"{"additionalProperties":false,"properties":{"a":{"type":["object","null"],"additionalProperties":false}}}"#
        );
    }

    #[test]
    fn one_of_becomes_any_of_and_a_reference_stands_alone_beside_its_definitions() {
        assert_eq!(written(r#"{"oneOf":[true,{"type":"null"}]}"#), r#"{"anyOf":[true,{"type":"null"}]}"#);
        assert_eq!(
            written(r##"{"$ref":"#/$defs/A","description":"x","$defs":{"A":{"type":"null"}}}"##),
            r##"{"$defs":{"A":{"type":"null"}},"$ref":"#/$defs/A"}"##
        );
    }

    #[test]
    fn a_map_of_free_keys_is_refused_and_not_closed_in_silence() {
        let map = Json::checked(
            r#"{"type":"object","properties":{"m":{"additionalProperties":{"type":"string"}}}}"#,
        );
        let refused = write(&map, &mut Out::default()).unwrap_err();
        assert!(refused.part.contains("free keys"), "{refused}");
    }
}
