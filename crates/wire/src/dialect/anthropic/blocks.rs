//! Content blocks, read; requests and answers share them.

use crate::json::{Kind, Reader};
use crate::seal;
use crate::unread::{Unread, invalid};
use model::{Dialect, Json, Media, Part, Text};
use std::borrow::Cow;

/// Content: a string or a list of blocks.
pub(super) fn content<'a>(r: &mut Reader<'a>) -> Result<Vec<Part<'a>>, Unread> {
    let mut parts = Vec::new();
    if r.kind()? == Kind::String {
        parts.push(Part::Text(r.text()?));
        return Ok(parts);
    }
    r.array(|_, r| block(r, &mut parts))?;
    Ok(parts)
}

/// Everything a block may hold, before its type says what of it counts.
#[derive(Default)]
struct Block<'a> {
    kind: &'a str,
    text: Option<Text<'a>>,
    source: Option<Source<'a>>,
    title: Option<Text<'a>>,
    seal: Option<Text<'a>>,
    id: Option<Text<'a>>,
    name: Option<Text<'a>>,
    input: Option<Json<'a>>,
    content: Vec<Part<'a>>,
    error: bool,
    mark: Option<Option<Text<'a>>>,
    cites: bool,
}

enum Source<'a> {
    Media(Media<'a>),
    /// Blocks of text that only this vendor takes as a document.
    Other,
}

/// One block, with the cache mark behind it.
pub(super) fn block<'a>(r: &mut Reader<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Unread> {
    r.space();
    let start = r.at();
    let mut b = Block::default();
    r.object(|key, r| field(key, r, &mut b))?;
    let opaque = |r: &Reader<'a>| Part::Opaque {
        kind: Cow::Owned(b.kind.to_owned()),
        json: Json::checked(r.slice(start, r.at())),
    };
    let part = match (b.kind, b.source) {
        ("text", _) => Part::Text(b.text.unwrap_or_default()),
        ("image", Some(Source::Media(source))) => Part::Image { source, detail: None },
        // Citations come back as words of the answer's own; only this vendor can give them.
        ("document", Some(Source::Media(source))) if !b.cites => Part::Document { source, name: b.title },
        ("thinking", _) => {
            let signature = b.seal.and_then(|token| seal::inward(Dialect::Anthropic, token));
            Part::Reasoning { text: b.text.unwrap_or_default(), signature }
        }
        ("redacted_thinking", _) => match b.seal.and_then(|token| seal::inward(Dialect::Anthropic, token)) {
            Some((dialect, data)) => Part::Redacted(dialect, data),
            None => return Ok(()),
        },
        ("tool_use", _) => Part::ToolCall {
            id: b.id.unwrap_or_default(),
            name: b.name.unwrap_or_default(),
            arguments: b.input.unwrap_or_else(|| Json::checked("{}")),
        },
        ("tool_result", _) => Part::ToolResult {
            id: b.id.unwrap_or_default(),
            name: None,
            content: std::mem::take(&mut b.content),
            error: b.error,
        },
        _ => opaque(r),
    };
    parts.push(part);
    parts.extend(b.mark.map(Part::CacheMark));
    Ok(())
}

fn field<'a>(key: &str, r: &mut Reader<'a>, b: &mut Block<'a>) -> Result<(), Unread> {
    match (key, r.kind()?) {
        (_, Kind::Null) => {}
        ("type", Kind::String) => b.kind = r.string()?,
        ("text" | "thinking", Kind::String) => b.text = Some(r.text()?),
        ("signature" | "data", Kind::String) => b.seal = Some(r.text()?),
        ("id" | "tool_use_id", Kind::String) => b.id = Some(r.text()?),
        ("name", Kind::String) => b.name = Some(r.text()?),
        ("title", Kind::String) => b.title = Some(r.text()?),
        ("input", Kind::Object) => b.input = Some(r.json()?),
        ("input", _) => return Err(invalid("input", "The input of a tool call must be an object.")),
        ("source", Kind::Object) => b.source = Some(source(r)?),
        // Results of tools hold strings or blocks; other kinds of block have content of their own form.
        ("content", Kind::String) => b.content = vec![Part::Text(r.text()?)],
        ("content", Kind::Array) => {
            let mut looked = r.clone();
            if let Ok(parts) = content(&mut looked) {
                b.content = parts;
            }
        }
        ("is_error", Kind::Bool) => b.error = r.value()? == "true",
        ("cache_control", Kind::Object) => {
            let mut ttl = None;
            r.object(|key, r| {
                if key == "ttl" {
                    ttl = r.text_or_null()?;
                }
                Ok::<_, Unread>(())
            })?;
            b.mark = Some(ttl);
        }
        ("citations", Kind::Object) => r.object(|key, r| {
            if key == "enabled" {
                b.cites = r.bool_or_null()? == Some(true);
            }
            Ok::<_, Unread>(())
        })?,
        _ => {}
    }
    Ok(())
}

fn source<'a>(r: &mut Reader<'a>) -> Result<Source<'a>, Unread> {
    let (mut kind, mut mime, mut data, mut at) = ("", Text::default(), Text::default(), Text::default());
    r.object(|key, r| {
        match (key, r.kind()?) {
            ("type", Kind::String) => kind = r.string()?,
            ("media_type", Kind::String) => mime = r.text()?,
            ("data", Kind::String) => data = r.text()?,
            ("url" | "file_id", Kind::String) => at = r.text()?,
            _ => {}
        }
        Ok::<_, Unread>(())
    })?;
    Ok(match kind {
        "base64" => Source::Media(Media::Inline { mime, data }),
        "url" => Source::Media(Media::Url(at)),
        "file" => Source::Media(Media::File(at)),
        "text" => Source::Media(Media::Words(data)),
        _ => Source::Other,
    })
}
