//! Whole answers, both ways.

use super::{blocks, peek, reasons, usage};
use crate::answer::{malformed, read_whole};
use crate::json::{Kind, Out, Reader};
use crate::seal;
use crate::unread::Unread;
use model::{Answer, Dialect, Failure, Part, Stop, Text, Usage};

pub(super) fn read(body: &str) -> Result<Answer<'_>, Failure> {
    let answer = read_whole(body, walk)?;
    if let Some(Part::Opaque { kind, .. }) = answer.parts.iter().find(|p| matches!(p, Part::Opaque { .. })) {
        // Such parts come of tools that run at the vendor, which no other dialect can have asked for.
        let what = format!("holds a part of type `{kind}` that the client's dialect cannot carry");
        return Err(malformed(body.as_bytes(), &what));
    }
    Ok(answer)
}

fn walk<'a>(r: &mut Reader<'a>, answer: &mut Answer<'a>) -> Result<(), Unread> {
    let mut explanation = None;
    r.object(|key, r| {
        match (key, r.kind()?) {
            ("id", Kind::String) => answer.id = r.text()?,
            ("model", Kind::String) => answer.model = r.text()?,
            ("content", Kind::Array) => r.array(|_, r| blocks::block(r, &mut answer.parts))?,
            ("stop_reason", Kind::String) => answer.stop = reasons::read(r.string()?),
            ("stop_sequence", Kind::String) => answer.stop_sequence = Some(r.text()?),
            ("stop_details", Kind::Object) => explanation = peek::explanation(r)?,
            ("usage", Kind::Object) => answer.usage = usage::read(r)?.unwrap_or(Usage::UNKNOWN),
            _ => {}
        }
        Ok::<_, Unread>(())
    })?;
    answer.parts.extend(explanation.map(Part::Refusal));
    Ok(())
}

pub(super) fn write(answer: &Answer<'_>) -> Vec<u8> {
    let mut out = Out::with_capacity(1024);
    out.object().key("id").text(&answer.id).key("type").plain("message").key("role").plain("assistant");
    out.key("model").text(&answer.model).key("content").array();
    for part in &answer.parts {
        block(part, &mut out);
    }
    out.end_array();
    stop(answer.stop, answer.stop_sequence.as_ref(), &mut out);
    let refusal =
        answer.parts.iter().find_map(|p| if let Part::Refusal(text) = p { Some(text) } else { None });
    if let Some(text) = refusal {
        out.key("stop_details").object().key("type").plain("refusal");
        out.key("category").null().key("explanation").text(text).end_object();
    }
    out.key("usage");
    usage::write(&answer.usage, None, &mut out);
    out.end_object();
    out.finish()
}

/// `stop_reason` and `stop_sequence`.
pub(super) fn stop(stop: Stop, sequence: Option<&Text<'_>>, out: &mut Out) {
    out.key("stop_reason").plain(reasons::write(stop)).key("stop_sequence");
    match sequence {
        Some(sequence) => out.text(sequence),
        None => out.null(),
    };
}

/// The signature of thinking that has none: tagged, so that it is known and left out when it comes back.
const UNSEALED: &str = "unsealed";

/// A signature as a client of this dialect holds it.
pub(super) fn outward(signature: Option<(Dialect, &Text<'_>)>) -> String {
    match signature {
        Some((dialect, seal)) => format!("{}{}", seal::tag(Dialect::Anthropic, dialect), seal.raw()),
        None => format!("{}{UNSEALED}", seal::tag(Dialect::Anthropic, Dialect::OpenAi)),
    }
}

fn block(part: &Part<'_>, out: &mut Out) {
    match part {
        Part::Text(text) | Part::Refusal(text) => {
            out.object()
                .key("type")
                .plain("text")
                .key("text")
                .text(text)
                .key("citations")
                .null()
                .end_object();
        }
        Part::Reasoning { text, signature } => {
            let signature = signature.as_ref().map(|(dialect, seal)| (*dialect, seal));
            out.object().key("type").plain("thinking").key("thinking").text(text);
            out.key("signature").escaped(&outward(signature)).end_object();
        }
        Part::Redacted(dialect, data) => {
            out.object().key("type").plain("redacted_thinking");
            out.key("data").escaped(&outward(Some((*dialect, data)))).end_object();
        }
        Part::ToolCall { id, name, arguments } => {
            out.object().key("type").plain("tool_use").key("id").text(id).key("name").text(name);
            out.key("input").json(arguments).end_object();
        }
        _ => {}
    }
}
