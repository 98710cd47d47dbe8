//! The conversation, written: turns become messages, tool results become messages of their own.

use super::parts;
use crate::json::Out;
use crate::providers::{OpenAiFacts, Replay};
use crate::seal;
use crate::send::Uncarried;
use model::{Dialect, Json, Media, Part, Prompt, Role, Text, Turn};

pub(super) fn write(prompt: &Prompt<'_>, facts: &OpenAiFacts, out: &mut Out) -> Result<(), Uncarried> {
    let verbatim = prompt.said_in == Some(Dialect::OpenAi);
    if let (Some(Turn { role: Role::Assistant, .. }), false) = (prompt.turns.last(), verbatim) {
        return Err(Uncarried::new(
            "an unfinished turn of the assistant at the end",
            "the target cannot go on with it",
        ));
    }
    out.array();
    for turn in &prompt.turns {
        match turn.role {
            Role::System => message("system", turn, facts, verbatim, out)?,
            Role::Developer if facts.developer_role => message("developer", turn, facts, verbatim, out)?,
            Role::Developer => message("system", turn, facts, verbatim, out)?,
            Role::Assistant => assistant(turn, facts, verbatim, out)?,
            Role::User => user(turn, facts, verbatim, out)?,
        }
    }
    out.end_array();
    Ok(())
}

/// A user's turn: the results of tools first, each as its own message, then what the person says. Pictures that a
/// tool returned follow in the person's message, because a tool's message holds text only.
fn user(turn: &Turn<'_>, facts: &OpenAiFacts, verbatim: bool, out: &mut Out) -> Result<(), Uncarried> {
    let (mut rest, mut shown): (Vec<Part<'_>>, Vec<Part<'_>>) = (Vec::new(), Vec::new());
    for part in &turn.parts {
        let Part::ToolResult { id, content, error, .. } = part else {
            rest.push(part.clone());
            continue;
        };
        out.object().key("role").plain("tool").key("tool_call_id").text(id).key("content");
        let (words, media): (Vec<&Part<'_>>, Vec<&Part<'_>>) =
            content.iter().partition(|p| matches!(p, Part::Text(_) | Part::CacheMark(_)));
        let mut texts: Vec<&Text<'_>> = Vec::with_capacity(words.len());
        for word in words {
            if let Part::Text(text) = word {
                texts.push(text);
            }
        }
        match texts.as_slice() {
            _ if *error => {
                // The dialect cannot say that a tool failed but in words.
                let mut joined = Text::plain("Error: ");
                texts.iter().for_each(|text| joined.push(text));
                out.text(&joined);
            }
            [] => {
                out.plain("");
            }
            [one] => {
                out.text(one);
            }
            many => {
                out.array();
                for text in many {
                    out.object().key("type").plain("text").key("text").text(text).end_object();
                }
                out.end_array();
            }
        }
        out.end_object();
        if !media.is_empty() {
            shown.push(Part::Text(Text::plain(&format!("Returned by tool call {}:", id.decode()))));
            shown.extend(media.into_iter().cloned());
        }
    }
    shown.append(&mut rest);
    if shown.is_empty() && !turn.parts.is_empty() {
        return Ok(());
    }
    message("user", &Turn { role: Role::User, name: turn.name.clone(), parts: shown }, facts, verbatim, out)
}

fn message(
    role: &str,
    turn: &Turn<'_>,
    facts: &OpenAiFacts,
    verbatim: bool,
    out: &mut Out,
) -> Result<(), Uncarried> {
    out.object().key("role").plain(role);
    if let Some(name) = &turn.name {
        out.key("name").text(name);
    }
    out.key("content");
    content(&turn.parts, facts, verbatim, out)?;
    out.end_object();
    Ok(())
}

fn assistant(turn: &Turn<'_>, facts: &OpenAiFacts, verbatim: bool, out: &mut Out) -> Result<(), Uncarried> {
    let (mut said, mut calls, mut thinking) = (Vec::new(), Vec::new(), Vec::new());
    for part in &turn.parts {
        match part {
            Part::ToolCall { id, name, arguments } => calls.push((id, name, arguments)),
            Part::Reasoning { signature: Some((Dialect::OpenAi, _)), .. }
            | Part::Redacted(Dialect::OpenAi, _) => {
                thinking.push(part);
            }
            // Thinking of another vendor, or without a seal, is nothing this one would take back.
            Part::Reasoning { .. } | Part::Redacted(..) => {}
            part => said.push(part.clone()),
        }
    }
    let spoken = said.iter().any(|part| !matches!(part, Part::CacheMark(_)));
    if !spoken && calls.is_empty() {
        return Ok(());
    }
    out.object().key("role").plain("assistant");
    if let Some(name) = &turn.name {
        out.key("name").text(name);
    }
    out.key("content");
    if spoken {
        content(&said, facts, verbatim, out)?;
    } else {
        out.null();
    }
    if facts.replay == Replay::Details && !thinking.is_empty() {
        out.key("reasoning_details");
        details(&thinking, out);
    }
    if !calls.is_empty() {
        out.key("tool_calls").array();
        for (id, name, arguments) in calls {
            call(id, name, arguments, out);
        }
        out.end_array();
    }
    out.end_object();
    Ok(())
}

/// A tool call, its arguments as a string.
pub(super) fn call(id: &Text<'_>, name: &Text<'_>, arguments: &Json<'_>, out: &mut Out) {
    out.object().key("id").text(id).key("type").plain("function").key("function").object();
    out.key("name").text(name).key("arguments").plain(arguments.raw()).end_object().end_object();
}

/// Thinking with its seals, tagged where another vendor issued them.
pub(super) fn details(parts: &[&Part<'_>], out: &mut Out) {
    out.array();
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Reasoning { text, signature } => {
                out.object().key("type").plain("reasoning.text").key("text").text(text);
                if let Some((dialect, seal)) = signature {
                    let tag = seal::tag(Dialect::OpenAi, *dialect);
                    out.key("signature").joined(&[&tag, seal.raw()]);
                }
                out.key("index").count(index as u64).end_object();
            }
            Part::Redacted(dialect, seal) => {
                let tag = seal::tag(Dialect::OpenAi, *dialect);
                out.object().key("type").plain("reasoning.encrypted");
                out.key("data").joined(&[&tag, seal.raw()]).key("index").count(index as u64).end_object();
            }
            _ => {}
        }
    }
    out.end_array();
}

/// Content: a string where it is one text, a list of parts otherwise.
fn content(parts: &[Part<'_>], facts: &OpenAiFacts, verbatim: bool, out: &mut Out) -> Result<(), Uncarried> {
    let marks = |part: &&Part<'_>| !matches!(part, Part::CacheMark(_));
    let mut held = parts.iter().filter(marks);
    match (held.next(), held.next()) {
        (None, _) => {
            out.plain("");
        }
        (Some(Part::Text(text)), None) => {
            out.text(text);
        }
        _ => {
            out.array();
            for one in parts.iter().filter(marks) {
                part(one, facts, verbatim, out)?;
            }
            out.end_array();
        }
    }
    Ok(())
}

fn part(part: &Part<'_>, facts: &OpenAiFacts, verbatim: bool, out: &mut Out) -> Result<(), Uncarried> {
    let foreign = |kind: &str, why: &str| Err(Uncarried::new(format!("a part of type `{kind}`"), why));
    match part {
        Part::Text(text) => {
            out.object().key("type").plain("text").key("text").text(text).end_object();
        }
        Part::Refusal(text) => {
            out.object().key("type").plain("refusal").key("refusal").text(text).end_object();
        }
        Part::Image { source, detail } => {
            out.object().key("type").plain("image_url").key("image_url").object().key("url");
            match source {
                Media::Url(_) if !facts.image_urls => {
                    return foreign("image", "the target fetches no addresses");
                }
                Media::Url(url) => out.text(url),
                Media::Inline { mime, data } => out.joined(&["data:", mime.raw(), ";base64,", data.raw()]),
                Media::File(_) | Media::Words(_) => {
                    return foreign("image", "a file id belongs to one vendor");
                }
            };
            if let Some(detail) = detail {
                out.key("detail").text(detail);
            }
            out.end_object().end_object();
        }
        Part::Audio(Media::Inline { mime, data }) => {
            let format = match mime.raw().rsplit('/').next() {
                Some("mpeg" | "mp3") => "mp3",
                Some("wav" | "x-wav" | "wave") => "wav",
                _ => return foreign("audio", "the target takes wav and mp3 only"),
            };
            out.object().key("type").plain("input_audio").key("input_audio").object();
            out.key("data").text(data).key("format").plain(format).end_object().end_object();
        }
        Part::Document { source: Media::Words(text), .. } => {
            out.object().key("type").plain("text").key("text").text(text).end_object();
        }
        Part::Document { source: Media::Inline { mime, data }, name } => {
            out.object().key("type").plain("file").key("file").object().key("filename");
            match name {
                Some(name) => out.text(name),
                None => out.plain("document.pdf"),
            };
            out.key("file_data").joined(&["data:", mime.raw(), ";base64,", data.raw()]);
            out.end_object().end_object();
        }
        Part::Document { source: Media::File(id), .. } if verbatim => {
            out.object().key("type").plain("file").key("file").object().key("file_id").text(id);
            out.end_object().end_object();
        }
        Part::Document { source: Media::File(_), .. } => {
            return foreign("document", "a file id belongs to one vendor");
        }
        Part::Document { source: Media::Url(_), .. } => {
            return foreign("document", "the target fetches no addresses of documents");
        }
        Part::Audio(_) => return foreign("audio", "the target takes sound in the request only"),
        Part::Opaque { kind, json } => {
            if !verbatim {
                return foreign(kind, "only the dialect it is written in can carry it");
            }
            if !parts::is_content(kind, json) {
                return foreign(
                    kind,
                    "it stands beside the content and goes on only in the bytes it came in",
                );
            }
            out.json(json);
        }
        // Handled where messages are made, or nothing that the words depend on.
        Part::CacheMark(_)
        | Part::Reasoning { .. }
        | Part::Redacted(..)
        | Part::ToolCall { .. }
        | Part::ToolResult { .. } => {}
    }
    Ok(())
}
