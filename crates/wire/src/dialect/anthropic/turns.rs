//! The conversation, written. Equal roles merge, results of tools stand first and in the order of their calls, the
//! first turn is the user's, thinking opens its turn, and nothing blank is sent: the vendor refuses all else.

use crate::json::Out;
use crate::seal;
use crate::send::Uncarried;
use model::{Dialect, Media, Part, Prompt, Role, Text};

/// Most cache marks the vendor takes.
const MARKS: usize = 4;

/// One merged turn: the parts of neighbours with one role.
struct Merged<'p, 'a> {
    user: bool,
    parts: Vec<&'p Part<'a>>,
}

fn merged<'p, 'a>(prompt: &'p Prompt<'a>) -> Vec<Merged<'p, 'a>> {
    let mut turns: Vec<Merged<'p, 'a>> = Vec::new();
    for turn in &prompt.turns {
        let user = match turn.role {
            Role::System | Role::Developer => continue,
            Role::User => true,
            Role::Assistant => false,
        };
        match turns.last_mut() {
            Some(last) if last.user == user => last.parts.extend(&turn.parts),
            _ => turns.push(Merged { user, parts: turn.parts.iter().collect() }),
        }
    }
    for turn in &mut turns {
        turn.parts.retain(|part| sent(part));
    }
    turns.retain(|turn| turn.parts.iter().any(|part| !matches!(part, Part::CacheMark(_))));
    turns
}

/// Whether a part goes out: blank words are refused, and thinking goes only to the vendor that sealed it.
fn sent(part: &Part<'_>) -> bool {
    match part {
        Part::Text(text) | Part::Refusal(text) => !text.is_blank(),
        Part::Reasoning { signature, .. } => matches!(signature, Some((Dialect::Anthropic, _))),
        Part::Redacted(dialect, _) => *dialect == Dialect::Anthropic,
        _ => true,
    }
}

/// Whether a model that thinks within a budget may think here: a turn of calls that is being answered must begin
/// with thinking of its own.
pub(super) fn may_think(prompt: &Prompt<'_>) -> bool {
    let turns = merged(prompt);
    let [.., calls, answers] = turns.as_slice() else { return true };
    let answered = answers.parts.iter().any(|part| matches!(part, Part::ToolResult { .. }));
    let sealed = calls.parts.iter().any(|part| matches!(part, Part::Reasoning { .. } | Part::Redacted(..)));
    !answered || sealed
}

pub(super) fn write(prompt: &Prompt<'_>, out: &mut Out) -> Result<(), Uncarried> {
    let verbatim = prompt.said_in == Some(Dialect::Anthropic);
    let mut turns = merged(prompt);
    let marks = turns.iter().flat_map(|t| &t.parts).filter(|p| matches!(p, Part::CacheMark(_))).count();
    let mut spare = if verbatim { 0 } else { marks.saturating_sub(MARKS) };
    out.array();
    if turns.first().is_some_and(|turn| !turn.user) {
        // The first turn must be the user's; one that says nothing is the least that can stand there.
        out.object().key("role").plain("user").key("content").plain(".").end_object();
    }
    let last = turns.len().saturating_sub(1);
    for index in 0..turns.len() {
        let (before, rest) = turns.split_at_mut(index);
        let turn = &mut rest[0];
        order(turn, before.last());
        // An unfinished turn of the assistant must not end in white space.
        let trim = !turn.user && index == last;
        write_turn(turn, trim, verbatim, &mut spare, out)?;
    }
    out.end_array();
    Ok(())
}

/// Puts results before words, in the order of the calls they answer, and thinking before everything.
fn order(turn: &mut Merged<'_, '_>, before: Option<&Merged<'_, '_>>) {
    if !turn.user {
        let own = |part: &&Part<'_>| matches!(part, Part::Reasoning { .. } | Part::Redacted(..));
        if !turn.parts.first().is_some_and(own) && turn.parts.iter().any(own) {
            turn.parts.sort_by_key(|part| !own(part));
        }
        return;
    }
    let calls: Vec<&str> = before
        .map(|turn| turn.parts.iter())
        .into_iter()
        .flatten()
        .filter_map(|part| if let Part::ToolCall { id, .. } = part { Some(id.raw()) } else { None })
        .collect();
    // A mark belongs to the part before it and moves with it.
    let mut place = 0;
    let mut keyed: Vec<(usize, &Part<'_>)> = Vec::with_capacity(turn.parts.len());
    for part in &turn.parts {
        if !matches!(part, Part::CacheMark(_)) {
            place = match part {
                Part::ToolResult { id, .. } => {
                    calls.iter().position(|call| *call == id.raw()).unwrap_or(calls.len())
                }
                _ => calls.len() + 1,
            };
        }
        keyed.push((place, part));
    }
    keyed.sort_by_key(|(place, _)| *place);
    turn.parts = keyed.into_iter().map(|(_, part)| part).collect();
}

fn write_turn(
    turn: &Merged<'_, '_>,
    trim: bool,
    verbatim: bool,
    spare: &mut usize,
    out: &mut Out,
) -> Result<(), Uncarried> {
    out.object().key("role").plain(if turn.user { "user" } else { "assistant" }).key("content");
    let [.., end] = turn.parts.as_slice() else { return Ok(()) };
    if let [Part::Text(text)] = turn.parts.as_slice() {
        write_text(text, trim, out);
        out.end_object();
        return Ok(());
    }
    out.array();
    for (at, part) in turn.parts.iter().enumerate() {
        let mark = match turn.parts.get(at + 1) {
            Some(Part::CacheMark(ttl)) => Some(ttl),
            _ => None,
        };
        let mark = match mark {
            Some(_) if *spare > 0 => {
                *spare -= 1;
                None
            }
            mark => mark,
        };
        write_part(part, trim && std::ptr::eq(*part, *end), verbatim, mark, out)?;
    }
    out.end_array().end_object();
    Ok(())
}

fn write_text(text: &Text<'_>, trim: bool, out: &mut Out) {
    if trim {
        out.plain(text.decode().trim_end());
    } else {
        out.text(text);
    }
}

/// `"cache_control":{"type":"ephemeral"}`, with a lifetime the vendor knows.
pub(super) fn cache_mark(ttl: &Option<Text<'_>>, out: &mut Out) {
    out.key("cache_control").object().key("type").plain("ephemeral");
    if let Some(ttl) = ttl.as_ref().filter(|ttl| matches!(ttl.raw(), "5m" | "1h")) {
        out.key("ttl").text(ttl);
    }
    out.end_object();
}

fn write_part(
    part: &Part<'_>,
    trim: bool,
    verbatim: bool,
    mark: Option<&Option<Text<'_>>>,
    out: &mut Out,
) -> Result<(), Uncarried> {
    let foreign = |kind: &str, why: &str| Err(Uncarried::new(format!("a part of type `{kind}`"), why));
    match part {
        Part::CacheMark(_) => return Ok(()),
        Part::Opaque { json, .. } if verbatim => {
            out.json(json);
            return Ok(());
        }
        Part::Opaque { kind, .. } => return foreign(kind, "only the dialect it is written in can carry it"),
        Part::Audio(_) => return foreign("audio", "the target does not hear"),
        _ => {}
    }
    out.object().key("type");
    match part {
        Part::Text(text) | Part::Refusal(text) => {
            out.plain("text").key("text");
            write_text(text, trim, out);
        }
        Part::Image { source, .. } => {
            out.plain("image").key("source").object();
            write_source(source, verbatim, "image", out)?;
            out.end_object();
        }
        Part::Document { source, name } => {
            let pdf = |mime: &Text<'_>| mime.raw() == "application/pdf";
            if matches!(source, Media::Inline { mime, .. } if !pdf(mime)) {
                return foreign("document", "the target takes PDF and plain text only");
            }
            out.plain("document").key("source").object();
            write_source(source, verbatim, "document", out)?;
            out.end_object();
            if let Some(name) = name {
                out.key("title").text(name);
            }
        }
        Part::Reasoning { text, signature } => {
            out.plain("thinking").key("thinking").text(text);
            if let Some((dialect, seal)) = signature {
                out.key("signature").joined(&[&seal::tag(Dialect::Anthropic, *dialect), seal.raw()]);
            }
        }
        Part::Redacted(_, data) => {
            out.plain("redacted_thinking").key("data").text(data);
        }
        Part::ToolCall { id, name, arguments } => {
            out.plain("tool_use").key("id");
            write_id(id, out);
            out.key("name").text(name).key("input").json(arguments);
        }
        Part::ToolResult { id, content, error, .. } => {
            out.plain("tool_result").key("tool_use_id");
            write_id(id, out);
            let content: Vec<&Part<'_>> = content.iter().filter(|part| sent(part)).collect();
            match content.as_slice() {
                [] => {}
                [Part::Text(text)] => {
                    out.key("content").text(text);
                }
                many => {
                    out.key("content").array();
                    for part in many {
                        write_part(part, false, verbatim, None, out)?;
                    }
                    out.end_array();
                }
            }
            if *error {
                out.key("is_error").bool(true);
            }
        }
        Part::CacheMark(_) | Part::Opaque { .. } | Part::Audio(_) => {}
    }
    if let Some(ttl) = mark {
        cache_mark(ttl, out);
    }
    out.end_object();
    Ok(())
}

fn write_source(source: &Media<'_>, verbatim: bool, what: &str, out: &mut Out) -> Result<(), Uncarried> {
    match source {
        Media::Url(url) => {
            out.key("type").plain("url").key("url").text(url);
        }
        Media::Inline { mime, data } => {
            out.key("type").plain("base64").key("media_type").text(mime).key("data").text(data);
        }
        Media::Words(text) => {
            out.key("type").plain("text").key("media_type").plain("text/plain").key("data").text(text);
        }
        Media::File(id) if verbatim => {
            out.key("type").plain("file").key("file_id").text(id);
        }
        Media::File(_) => {
            let part = format!("a part of type `{what}`");
            return Err(Uncarried::new(part, "a file id belongs to one vendor"));
        }
    }
    Ok(())
}

/// A call's id as the vendor takes them: letters, digits, `_` and `-`. Other bytes are spelled out, so that two ids
/// never become one.
fn write_id(id: &Text<'_>, out: &mut Out) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if id.raw().bytes().all(plain) {
        out.text(id);
        return;
    }
    let mut spelled = String::with_capacity(id.raw().len() + 8);
    for b in id.decode().bytes() {
        if plain(b) {
            spelled.push(char::from(b));
        } else {
            spelled.push_str(&format!("_x{b:02x}"));
        }
    }
    out.plain(&spelled);
}
