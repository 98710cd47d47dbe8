//! The parts of messages, as requests and answers share them.

use crate::json::{Fault, Kind, Reader};
use crate::seal;
use crate::unread::{Unread, invalid};
use model::{Dialect, Json, Media, Part, Text};
use std::borrow::Cow;

/// One content part, with the cache mark behind it.
pub(super) fn content<'a>(r: &mut Reader<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Unread> {
    r.space();
    let start = r.at();
    let (mut kind, mut mark) = ("", None);
    let (mut text, mut source, mut detail, mut name, mut format) = (None, None, None, None, None);
    let mut file = None;
    r.object(|key, r| {
        match key {
            "type" => kind = r.string()?,
            "text" | "refusal" => text = r.text_or_null()?,
            // Some compatible vendors take the address itself.
            "image_url" if r.kind()? == Kind::String => source = Some(r.text()?),
            "image_url" | "input_audio" | "file" => r.object(|key, r| {
                match key {
                    "url" | "data" | "file_data" => source = Some(r.text()?),
                    "detail" => detail = r.text_or_null()?,
                    "format" => format = r.text_or_null()?,
                    "filename" => name = r.text_or_null()?,
                    "file_id" => file = r.text_or_null()?,
                    _ => {}
                }
                Ok::<_, Unread>(())
            })?,
            "cache_control" | "prompt_cache_breakpoint" if r.kind()? == Kind::Object => {
                mark = Some(lifetime(r)?);
            }
            _ => {}
        }
        Ok::<_, Unread>(())
    })?;
    let json = || Json::checked(r.slice(start, r.at()));
    let part = match (kind, text, source) {
        ("text", Some(text), _) => Part::Text(text),
        ("refusal", Some(text), _) => Part::Refusal(text),
        ("image_url", _, Some(url)) => Part::Image { source: media(url), detail },
        ("input_audio", _, Some(data)) => {
            let mime = match format.as_ref().map(Text::raw) {
                Some("mp3") => Text::plain("audio/mpeg"),
                Some(format) => Text::plain(&format!("audio/{format}")),
                None => Text::plain("audio/wav"),
            };
            Part::Audio(Media::Inline { mime, data })
        }
        ("file", _, Some(data)) => Part::Document { source: media(data), name },
        ("file", _, None) if file.is_some() => {
            Part::Document { source: Media::File(file.unwrap_or_default()), name }
        }
        _ => Part::Opaque { kind: Cow::Owned(kind.to_owned()), json: json() },
    };
    parts.push(part);
    parts.extend(mark.map(Part::CacheMark));
    Ok(())
}

/// Whether a value that was kept as it stood is a part of content: an object that names its own type. What stands
/// beside the content (`audio`, `function_call`, a call of no function) would make another message of it.
pub(super) fn is_content(kind: &str, json: &Json<'_>) -> bool {
    let mut named = false;
    let walked = Reader::new(json.raw()).object(|key, r| {
        if key == "type" && r.kind()? == Kind::String {
            named = r.string()? == kind;
        }
        Ok::<_, Fault>(())
    });
    walked.is_ok() && named
}

/// The lifetime a cache mark asks for.
fn lifetime<'a>(r: &mut Reader<'a>) -> Result<Option<Text<'a>>, Unread> {
    let mut ttl = None;
    r.object(|key, r| {
        if key == "ttl" {
            ttl = r.text_or_null()?;
        }
        Ok::<_, Unread>(())
    })?;
    Ok(ttl)
}

/// A `data:` address as what it holds; any other as it is.
pub(super) fn media<'a>(url: Text<'a>) -> Media<'a> {
    inline(&url).unwrap_or(Media::Url(url))
}

/// What a `data:` address holds. Looked for in the characters meant: many JSON writers escape every slash.
fn inline<'a>(url: &Text<'a>) -> Option<Media<'a>> {
    let meant = url.decode();
    let (head, data) = meant.strip_prefix("data:")?.split_once(',')?;
    // Parameters such as a charset say nothing about base64 bytes.
    let mime = Text::plain(head.strip_suffix(";base64")?.split(';').next().unwrap_or_default());
    let data = url.part(meant.len() - data.len()..meant.len()).unwrap_or_else(|| Text::plain(data));
    Some(Media::Inline { mime, data })
}

/// One tool call. Arguments travel as a string here and must hold an object; none at all is `{}`.
pub(super) fn call<'a>(r: &mut Reader<'a>, place: &dyn Fn() -> String) -> Result<Part<'a>, Unread> {
    r.space();
    let start = r.at();
    let (mut kind, mut id, mut name, mut arguments) = ("function", Text::default(), Text::default(), None);
    r.object(|key, r| {
        match key {
            "type" if r.kind()? == Kind::String => kind = r.string()?,
            "id" => id = r.text_or_null()?.unwrap_or_default(),
            "function" => r.object(|key, r| {
                match key {
                    "name" => name = r.text_or_null()?.unwrap_or_default(),
                    "arguments" => match r.kind()? {
                        Kind::String => arguments = Some(object_in(&r.text()?)),
                        // Some servers send the object itself.
                        Kind::Object => arguments = Some(Some(r.json()?)),
                        _ => {}
                    },
                    _ => {}
                }
                Ok::<_, Unread>(())
            })?,
            _ => {}
        }
        Ok::<_, Unread>(())
    })?;
    if !matches!(kind, "function" | "") {
        let json = Json::checked(r.slice(start, r.at()));
        return Ok(Part::Opaque { kind: Cow::Owned(format!("tool call of type {kind}")), json });
    }
    match arguments {
        None => Ok(Part::ToolCall { id, name, arguments: Json::checked("{}") }),
        Some(Some(arguments)) => Ok(Part::ToolCall { id, name, arguments }),
        Some(None) => {
            Err(invalid(place(), "The arguments of a tool call must be a JSON object in a string."))
        }
    }
}

/// The JSON object that a string holds; `{}` for a blank one, `None` for anything else.
pub(super) fn object_in(text: &Text<'_>) -> Option<Json<'static>> {
    let decoded = text.decode();
    let trimmed = decoded.trim();
    if trimmed.is_empty() {
        return Some(Json::checked("{}"));
    }
    let mut reader = Reader::new(trimmed);
    let whole = reader.kind().is_ok_and(|kind| kind == Kind::Object)
        && reader.value().is_ok()
        && reader.end().is_ok();
    whole.then(|| Json::checked(trimmed.to_owned()))
}

/// Thinking as `reasoning_details`: entries of one index belong together, whether whole or in the pieces of a stream.
pub(super) fn reasoning_details<'a>(r: &mut Reader<'a>) -> Result<Vec<Part<'a>>, Unread> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    let mut last = None;
    r.array(|_, r| {
        let (mut kind, mut text, mut seal, mut index) = ("", None, None, None);
        r.object(|key, r| {
            match key {
                "type" if r.kind()? == Kind::String => kind = r.string()?,
                "text" | "summary" if r.kind()? == Kind::String => text = Some(r.text()?),
                "signature" | "data" if r.kind()? == Kind::String => seal = Some(r.text()?),
                "index" => index = r.count_or_null()?,
                _ => {}
            }
            Ok::<_, Unread>(())
        })?;
        let seal = seal.and_then(|token| seal::inward(Dialect::OpenAi, token));
        if kind == "reasoning.encrypted" {
            parts.extend(seal.map(|(dialect, data)| Part::Redacted(dialect, data)));
            last = None;
            return Ok(());
        }
        let same = index.is_some() && index == last;
        last = index;
        match parts.last_mut() {
            Some(Part::Reasoning { text: before, signature }) if same => {
                before.push(&text.unwrap_or_default());
                *signature = seal.or(signature.take());
            }
            _ => parts.push(Part::Reasoning { text: text.unwrap_or_default(), signature: seal }),
        }
        Ok::<_, Unread>(())
    })?;
    Ok(parts)
}
