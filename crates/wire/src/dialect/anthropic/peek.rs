//! A look at answers that only pass through: stop, usage, whether there is content, whether it is an error.

use super::{reasons, usage};
use crate::dialect::{Frame, Peek};
use crate::json::{Fault, Kind, Reader};
use model::Text;

/// Looks at a whole answer.
pub(super) fn answer(body: &str) -> Result<Peek<'_>, Fault> {
    let mut reader = Reader::new(body);
    let mut peek = Peek::default();
    let (mut message, mut counted) = (false, false);
    reader.object(|key, r| {
        match key {
            "type" if r.kind()? == Kind::String => peek.failed |= r.string()? == "error",
            "error" => peek.failed |= r.kind()? != Kind::Null,
            "content" if r.kind()? == Kind::Array => {
                message = true;
                r.array(|_, r| {
                    peek.content |= block(r)?;
                    Ok::<_, Fault>(())
                })?;
            }
            "input_tokens" => counted = true,
            _ => common(key, r, &mut peek)?,
        }
        Ok::<_, Fault>(())
    })?;
    reader.end()?;
    peek.other = counted && !message;
    Ok(peek)
}

/// Fields that stand in a message and in the delta of a stream alike.
fn common<'a>(key: &str, r: &mut Reader<'a>, peek: &mut Peek<'a>) -> Result<(), Fault> {
    match key {
        "model" if r.kind()? == Kind::String => peek.model = Some(r.text()?),
        "stop_reason" if r.kind()? == Kind::String => {
            let reason = r.text()?;
            let stop = reasons::read(reason.raw());
            peek.stop = Some(stop);
            if stop == model::Stop::Other {
                peek.detail = Some(reason);
            }
        }
        "stop_details" => peek.detail = explanation(r)?.or(peek.detail.take()),
        "usage" => {
            r.space();
            let at = r.at();
            if let Some(read) = usage::read(r)? {
                (peek.usage, peek.usage_at) = (Some(read), Some(at));
            }
        }
        _ => {}
    }
    Ok(())
}

/// The words of a refusal's details.
pub(super) fn explanation<'a>(r: &mut Reader<'a>) -> Result<Option<Text<'a>>, Fault> {
    let mut words = None;
    if r.kind()? == Kind::Object {
        r.object(|key, r| {
            if key == "explanation" && r.kind()? == Kind::String {
                words = Some(r.text()?).filter(|text| !text.is_empty());
            }
            Ok::<_, Fault>(())
        })?;
    }
    Ok(words)
}

/// Whether a block is content: every kind but empty text and empty thinking.
fn block(r: &mut Reader<'_>) -> Result<bool, Fault> {
    if r.kind()? != Kind::Object {
        return Ok(false);
    }
    let (mut kind, mut words) = ("", false);
    r.object(|key, r| {
        match key {
            "type" if r.kind()? == Kind::String => kind = r.string()?,
            "text" | "thinking" | "data" if r.kind()? == Kind::String => words |= !r.string()?.is_empty(),
            _ => {}
        }
        Ok::<_, Fault>(())
    })?;
    Ok(words || !matches!(kind, "text" | "thinking" | "redacted_thinking"))
}

/// Looks at one frame.
pub(super) fn frame(frame: Frame<'_>) -> Result<Peek<'_>, Fault> {
    let mut reader = Reader::new(frame.data);
    let mut peek = Peek { failed: frame.event == "error", ..Peek::default() };
    reader.object(|key, r| {
        match key {
            "type" if r.kind()? == Kind::String => match r.string()? {
                "error" => peek.failed = true,
                "message_stop" => peek.end = true,
                _ => {}
            },
            "error" => peek.failed |= r.kind()? != Kind::Null,
            "message" if r.kind()? == Kind::Object => r.object(|key, r| common(key, r, &mut peek))?,
            "content_block" => peek.content |= block(r)?,
            "delta" if r.kind()? == Kind::Object => r.object(|key, r| {
                match key {
                    "text" | "thinking" | "partial_json" | "signature" if r.kind()? == Kind::String => {
                        peek.content |= !r.string()?.is_empty();
                    }
                    "citation" => peek.content = true,
                    _ => common(key, r, &mut peek)?,
                }
                Ok::<_, Fault>(())
            })?,
            "usage" => common(key, r, &mut peek)?,
            _ => {}
        }
        Ok::<_, Fault>(())
    })?;
    reader.end()?;
    Ok(peek)
}
