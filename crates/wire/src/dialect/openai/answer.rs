//! Whole answers, both ways.

use super::{parts, reasons, turns, usage};
use crate::answer::read_whole;
use crate::dialect::Peek;
use crate::json::{Kind, Out, Reader};
use crate::unread::Unread;
use model::{Answer, Failure, Part, Stop, Text, Timestamp, Usage};

pub(super) fn read(body: &str) -> Result<Answer<'_>, Failure> {
    let mut answer = read_whole(body, walk)?;
    let calls = answer.parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let refused = answer.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    answer.stop = Peek::honest(answer.stop, calls, refused);
    Ok(answer)
}

fn walk<'a>(r: &mut Reader<'a>, answer: &mut Answer<'a>) -> Result<(), Unread> {
    r.object(|key, r| {
        if r.kind()? == Kind::Null {
            return Ok(());
        }
        match key {
            "id" if r.kind()? == Kind::String => answer.id = r.text()?,
            "model" if r.kind()? == Kind::String => answer.model = r.text()?,
            "created" if r.kind()? == Kind::Number => answer.created = r.value()?.parse().ok(),
            "usage" => answer.usage = usage::read(r)?.unwrap_or(Usage::UNKNOWN),
            // One choice is all that another dialect can ask for.
            "choices" => r.array(|index, r| if index == 0 { choice(r, answer) } else { Ok(()) })?,
            _ => {}
        }
        Ok::<_, Unread>(())
    })
}

fn choice<'a>(r: &mut Reader<'a>, answer: &mut Answer<'a>) -> Result<(), Unread> {
    r.object(|key, r| {
        match key {
            "finish_reason" if r.kind()? == Kind::String => {
                answer.stop = reasons::read(r.string()?).unwrap_or(Stop::Other);
            }
            "message" if r.kind()? == Kind::Object => message(r, answer)?,
            _ => {}
        }
        Ok(())
    })
}

fn message<'a>(r: &mut Reader<'a>, answer: &mut Answer<'a>) -> Result<(), Unread> {
    let (mut plain, mut thinking, mut said, mut calls) = (None, Vec::new(), Vec::new(), Vec::new());
    r.object(|key, r| {
        if r.kind()? == Kind::Null {
            return Ok(());
        }
        match key {
            "content" if r.kind()? == Kind::String => {
                said.extend(Some(r.text()?).filter(|text| !text.is_empty()).map(Part::Text));
            }
            "content" if r.kind()? == Kind::Array => r.array(|_, r| parts::content(r, &mut said))?,
            "refusal" if r.kind()? == Kind::String => {
                said.extend(Some(r.text()?).filter(|text| !text.is_empty()).map(Part::Refusal));
            }
            "reasoning_content" | "reasoning" if r.kind()? == Kind::String => plain = Some(r.text()?),
            "reasoning_details" if r.kind()? == Kind::Array => thinking = parts::reasoning_details(r)?,
            "tool_calls" if r.kind()? == Kind::Array => r.array(|index, r| {
                let place = || format!("tool_calls[{index}].function.arguments");
                calls.push(parts::call(r, &place)?);
                Ok::<_, Unread>(())
            })?,
            _ => {}
        }
        Ok::<_, Unread>(())
    })?;
    if thinking.is_empty() {
        let text = plain.filter(|text| !text.is_empty());
        thinking.extend(text.map(|text| Part::Reasoning { text, signature: None }));
    }
    for (index, call) in calls.iter_mut().enumerate() {
        if let Part::ToolCall { id, .. } = call
            && id.is_empty()
        {
            // Without an id its result could not be sent back.
            *id = Text::plain(&format!("call_{index}"));
        }
    }
    answer.parts.append(&mut thinking);
    answer.parts.append(&mut said);
    answer.parts.append(&mut calls);
    Ok(())
}

pub(super) fn write(answer: &Answer<'_>, at: Timestamp) -> Vec<u8> {
    let mut out = Out::with_capacity(1024);
    out.object().key("id").text(&answer.id).key("object").plain("chat.completion");
    out.key("created").signed(answer.created.unwrap_or(at.seconds()));
    out.key("model").text(&answer.model).key("choices").array().object();
    out.key("index").count(0).key("message").object().key("role").plain("assistant");
    message_body(&answer.parts, &mut out);
    out.end_object().key("logprobs").null();
    out.key("finish_reason").plain(reasons::write(answer.stop)).end_object().end_array();
    out.key("usage");
    usage::write(&answer.usage, None, &mut out);
    out.end_object();
    out.finish()
}

fn message_body(parts: &[Part<'_>], out: &mut Out) {
    let mut texts: Vec<&str> = Vec::new();
    let mut refusals: Vec<&str> = Vec::new();
    let (mut thoughts, mut thinking, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text(text) => texts.push(text.raw()),
            Part::Refusal(text) => refusals.push(text.raw()),
            Part::Reasoning { text, .. } => {
                thoughts.push(text.raw());
                thinking.push(part);
            }
            Part::Redacted(..) => thinking.push(part),
            Part::ToolCall { id, name, arguments } => calls.push((id, name, arguments)),
            _ => {}
        }
    }
    out.key("content");
    if texts.is_empty() {
        out.null()
    } else {
        out.joined(&texts)
    };
    out.key("refusal");
    if refusals.is_empty() {
        out.null()
    } else {
        out.joined(&refusals)
    };
    if thoughts.iter().any(|text| !text.is_empty()) {
        out.key("reasoning_content").joined(&thoughts);
    }
    let sealed = |part: &&Part<'_>| !matches!(part, Part::Reasoning { signature: None, .. });
    if thinking.iter().any(sealed) {
        out.key("reasoning_details");
        turns::details(&thinking, out);
    }
    if !calls.is_empty() {
        out.key("tool_calls").array();
        for (id, name, arguments) in calls {
            turns::call(id, name, arguments, out);
        }
        out.end_array();
    }
}
