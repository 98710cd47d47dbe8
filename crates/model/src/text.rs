//! Text as it stood in its JSON document: still escaped, so that moving it to another document copies bytes only.
//!
//! Every dialect is JSON and JSON escapes mean the same in all of them. Decoding a 50 KB message and escaping it again
//! is what makes gateways slow; here it happens only where a dialect needs the characters themselves.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// The inside of a JSON string token (without its quotes), escapes kept.
///
/// The only ways in are a JSON reader and [`Text::plain`], so the contents are always a valid string body.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// Escapes ordinary characters.
    pub fn plain(characters: &str) -> Text<'static> {
        let mut out = String::with_capacity(characters.len() + 8);
        escape_into(characters, &mut out);
        Text(Cow::Owned(out))
    }

    /// Takes a JSON string token with its quotes, as a JSON reader has checked it. `None` if it is not quoted.
    pub fn from_token(token: &'a str) -> Option<Text<'a>> {
        let inner = token.strip_prefix('"')?.strip_suffix('"')?;
        Some(Text(Cow::Borrowed(inner)))
    }

    /// The escaped characters between the quotes; write them between quotes elsewhere.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The characters meant. A lone surrogate becomes U+FFFD, since it has no character.
    pub fn decode(&self) -> Cow<'_, str> {
        if memchr::memchr(b'\\', self.0.as_bytes()).is_none() {
            return Cow::Borrowed(&self.0);
        }
        Cow::Owned(unescape(&self.0))
    }

    /// No characters at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Characters up to white space only.
    pub fn is_blank(&self) -> bool {
        // Most texts begin with a letter; only those that do not are worth decoding.
        let ordinary = |b: &u8| b.is_ascii_graphic() && *b != b'\\';
        !self.0.as_bytes().first().is_some_and(ordinary) && self.decode().trim().is_empty()
    }

    /// Appends another text.
    pub fn push(&mut self, other: &Text<'_>) {
        self.0.to_mut().push_str(other.raw());
    }

    /// The part between two byte offsets. `None` where the text has escapes or an offset falls inside a character.
    pub fn part(&self, range: std::ops::Range<usize>) -> Option<Text<'a>> {
        if memchr::memchr(b'\\', self.0.as_bytes()).is_some() {
            return None;
        }
        match &self.0 {
            Cow::Borrowed(raw) => raw.get(range).map(|part| Text(Cow::Borrowed(part))),
            Cow::Owned(raw) => raw.get(range).map(|part| Text(Cow::Owned(part.to_owned()))),
        }
    }

    /// Frees the text from the bytes it was read from.
    pub fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }

    /// The same text, borrowed from this one.
    pub fn borrowed(&self) -> Text<'_> {
        Text(Cow::Borrowed(&self.0))
    }
}

/// Appends `characters` to `out` as the inside of a JSON string.
fn escape_into(characters: &str, out: &mut String) {
    let mut start = 0;
    for (i, b) in characters.bytes().enumerate() {
        let short = match b {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&characters[start..i]);
        start = i + 1;
        if short.is_empty() {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.push_str("\\u00");
            out.push(char::from(HEX[usize::from(b >> 4)]));
            out.push(char::from(HEX[usize::from(b & 15)]));
        } else {
            out.push_str(short);
        }
    }
    out.push_str(&characters[start..]);
}

fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let Some(kind) = tail.chars().next() else { return out };
        rest = &tail[kind.len_utf8()..];
        match kind {
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'u' => {
                let (character, left) = unicode(rest);
                out.push(character);
                rest = left;
            }
            other => out.push(other),
        }
    }
    out.push_str(rest);
    out
}

/// Reads the four digits after `\u`, and the second half of a pair if there is one.
fn unicode(rest: &str) -> (char, &str) {
    let unit = |s: &str| s.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let Some(first) = unit(rest) else { return ('\u{fffd}', rest) };
    let left = &rest[4..];
    if (0xd800..0xdc00).contains(&first)
        && let Some(second) = left.strip_prefix("\\u").and_then(unit)
        && (0xdc00..0xe000).contains(&second)
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(code).unwrap_or('\u{fffd}'), &left[6..]);
    }
    (char::from_u32(first).unwrap_or('\u{fffd}'), left)
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.decode().serialize(s)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    /// From JSON only: the token is borrowed as it stands.
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Text<'a>, D::Error> {
        let raw: &'de serde_json::value::RawValue = Deserialize::deserialize(d)?;
        Text::from_token(raw.get()).ok_or_else(|| serde::de::Error::custom("expected a string"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_and_pairs_decode_as_json_means_them() {
        let token = r#""a\n\"\\\/é😀\ud800z""#;
        let text: Text<'_> = serde_json::from_str(token).unwrap();
        assert_eq!(text.decode(), "a\n\"\\/é😀\u{fffd}z");
        assert_eq!(text.raw(), &token[1..token.len() - 1]);
    }

    #[test]
    fn a_part_is_taken_only_where_no_escape_or_character_is_split() {
        let text: Text<'_> = serde_json::from_str(r#""data:é,xyz""#).unwrap();
        assert_eq!(text.part(8..11).unwrap().raw(), "xyz");
        assert!(text.part(6..11).is_none() && text.part(8..99).is_none());
        let escaped: Text<'_> = serde_json::from_str(r#""a\/b""#).unwrap();
        assert!(escaped.part(0..1).is_none());
    }

    proptest! {
        #[test]
        fn plain_text_survives_and_agrees_with_a_json_library(s in "\\PC*|[\\x00-\\x7f]*") {
            let text = Text::plain(&s);
            prop_assert_eq!(text.decode().into_owned(), s.clone());
            let back: String = serde_json::from_str(&format!("\"{}\"", text.raw())).unwrap();
            prop_assert_eq!(back, s);
        }
    }
}
