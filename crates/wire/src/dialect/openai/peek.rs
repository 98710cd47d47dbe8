//! A look at answers that only pass through: stop, usage, whether there is content, whether it is an error.

use super::{reasons, usage};
use crate::dialect::{Frame, Peek};
use crate::json::{Fault, Kind, Reader};
use model::Stop;

/// Looks at a whole answer.
pub(super) fn answer(body: &str) -> Result<Peek<'_>, Fault> {
    let mut reader = Reader::new(body);
    let peek = document(&mut reader)?;
    reader.end()?;
    Ok(peek)
}

/// Looks at one frame.
pub(super) fn frame(frame: Frame<'_>) -> Result<Peek<'_>, Fault> {
    if frame.data.trim_ascii() == "[DONE]" {
        return Ok(Peek { end: true, ..Peek::default() });
    }
    let mut reader = Reader::new(frame.data);
    let mut peek = document(&mut reader)?;
    reader.end()?;
    peek.failed |= frame.event == "error";
    Ok(peek)
}

fn document<'a>(r: &mut Reader<'a>) -> Result<Peek<'a>, Fault> {
    let mut peek = Peek::default();
    let (mut choices, mut any) = (false, false);
    r.object(|key, r| {
        match key {
            "choices" if r.kind()? == Kind::Array => {
                choices = true;
                r.array(|_, r| {
                    any = true;
                    choice(r, &mut peek)
                })?;
            }
            "usage" => {
                r.space();
                let at = r.at();
                if let Some(read) = usage::read(r)? {
                    (peek.usage, peek.usage_at) = (Some(read), Some(at));
                }
            }
            "model" if r.kind()? == Kind::String => peek.model = Some(r.text()?),
            "error" => peek.failed |= is_error(r)?,
            "object" if r.kind()? == Kind::String => match r.string()? {
                "error" => peek.failed = true,
                "list" => peek.other = true,
                _ => {}
            },
            // A vendor whose stream reports usage in a field of its own.
            "x_groq" if r.kind()? == Kind::Object => r.object(|key, r| {
                if key == "usage" && peek.usage.is_none() {
                    peek.usage = usage::read(r)?;
                }
                Ok::<_, Fault>(())
            })?,
            _ => {}
        }
        Ok::<_, Fault>(())
    })?;
    peek.usage_only = choices && !any && peek.usage.is_some();
    Ok(peek)
}

/// `"error": null` and `"error": ""` stand in answers that are none.
fn is_error(r: &mut Reader<'_>) -> Result<bool, Fault> {
    Ok(match r.kind()? {
        Kind::Null => false,
        Kind::String => !r.string()?.is_empty(),
        Kind::Bool => r.value()? == "true",
        _ => true,
    })
}

fn choice<'a>(r: &mut Reader<'a>, peek: &mut Peek<'a>) -> Result<(), Fault> {
    r.object(|key, r| {
        match key {
            "message" | "delta" if r.kind()? == Kind::Object => r.object(|key, r| {
                match key {
                    "content" | "reasoning_content" | "reasoning" => peek.content |= holds(r)?,
                    "refusal" => {
                        if let Kind::String = r.kind()? {
                            let text = r.text()?;
                            if !text.is_empty() {
                                (peek.refusal, peek.content) = (true, true);
                                peek.detail = Some(text);
                            }
                        }
                    }
                    "tool_calls" | "reasoning_details" | "function_call" | "audio" => {
                        let held = holds(r)?;
                        peek.call |= held && key == "tool_calls";
                        peek.content |= held;
                    }
                    _ => {}
                }
                Ok::<_, Fault>(())
            })?,
            // The old completions.
            "text" => peek.content |= holds(r)?,
            "finish_reason" if r.kind()? == Kind::String => {
                let reason = r.text()?;
                match reasons::read(reason.raw()) {
                    _ if reason.is_empty() => {}
                    Some(stop) => {
                        peek.stop = peek.stop.or(Some(stop));
                        if stop == Stop::Other {
                            peek.detail = Some(reason);
                        }
                    }
                    None => peek.failed = true,
                }
            }
            "error" => peek.failed |= is_error(r)?,
            _ => {}
        }
        Ok(())
    })
}

/// Whether a value holds anything: a string, array or object that is not empty.
fn holds(r: &mut Reader<'_>) -> Result<bool, Fault> {
    Ok(match r.kind()? {
        Kind::String => !r.string()?.is_empty(),
        Kind::Array => {
            let mut any = false;
            r.array(|_, _| {
                any = true;
                Ok::<_, Fault>(())
            })?;
            any
        }
        Kind::Object => true,
        _ => false,
    })
}
