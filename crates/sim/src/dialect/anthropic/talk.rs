//! The conversation as Anthropic accepts it: roles, blocks, tool results next to their calls, signed thinking.

use super::super::{Call, Refused};
use super::invalid;
use crate::ask::{Thinking, ToolResult};
use crate::json::text;
use crate::seed::{hash, is_base64, signed};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// What the conversation says, once it holds.
#[derive(Default)]
pub(super) struct Talk {
    pub(super) last_user: String,
    pub(super) results: Vec<ToolResult>,
    pub(super) prefix: Option<String>,
    pub(super) chars: usize,
    pub(super) images: usize,
    /// The last cache mark: a key of all before it, and its characters.
    pub(super) marked: Option<(u64, usize)>,
}

/// The system prompt's size and its last cache mark.
pub(super) struct System {
    pub(super) chars: usize,
    pub(super) marked: Option<(u64, usize)>,
}

pub(super) fn system(call: &Call<'_>) -> Result<System, Refused> {
    let bad = |message: String| Err(invalid(call.mint, message));
    let mut system = System { chars: 0, marked: None };
    match call.body.get("system") {
        None => {}
        Some(Value::String(words)) => system.chars = words.chars().count(),
        Some(Value::Array(blocks)) => {
            let mut so_far = String::new();
            for (i, block) in blocks.iter().enumerate() {
                match block["text"].as_str() {
                    Some("") => return bad("system: text content blocks must be non-empty".to_owned()),
                    Some(words) if block["type"] == "text" => so_far.push_str(words),
                    _ => return bad(format!("system.{i}.type: Input should be 'text'")),
                }
                if marks(block) {
                    system.marked = Some((hash(so_far.as_bytes()), so_far.chars().count()));
                }
            }
            system.chars = so_far.chars().count();
        }
        Some(_) => return bad("system: Input should be a valid string".to_owned()),
    }
    Ok(system)
}

fn marks(block: &Value) -> bool {
    block.get("cache_control").is_some_and(|c| !c.is_null())
}

/// One block with the place where it stood, after turns of the same role were merged.
struct Block<'a> {
    at: String,
    value: &'a Value,
}

struct Turn<'a> {
    assistant: bool,
    /// Index of its first message.
    first: usize,
    blocks: Vec<Block<'a>>,
}

pub(super) fn read(
    call: &Call<'_>,
    thinking: Thinking,
    system_turns: bool,
    prefill: bool,
) -> Result<Talk, Refused> {
    check(call.body, thinking, system_turns, prefill).map_err(|message| invalid(call.mint, message))
}

fn check(
    body: &Map<String, Value>,
    thinking: Thinking,
    system_turns: bool,
    prefill: bool,
) -> Result<Talk, String> {
    let messages = match body.get("messages") {
        None => return Err("messages: Field required".to_owned()),
        Some(Value::Array(list)) if list.is_empty() => {
            return Err("messages: at least one message is required".to_owned());
        }
        Some(Value::Array(list)) => list,
        Some(_) => return Err("messages: Input should be a valid array".to_owned()),
    };
    let mut talk = Talk::default();
    let turns = turns(messages, system_turns, &mut talk)?;
    if turns.first().is_none_or(|t| t.assistant) {
        return Err("messages: first message must use the \"user\" role".to_owned());
    }
    let marks = count_marks(body);
    if marks > 4 {
        return Err(format!("A maximum of 4 blocks with cache_control may be provided. Found {marks}."));
    }
    tool_order(&turns)?;
    thought_first(&turns, thinking)?;
    if let Some(last) = turns.last().filter(|t| t.assistant) {
        if !prefill {
            return Err(
                "This model does not support assistant message prefill. The conversation must end with a \
                        user message."
                    .to_owned(),
            );
        }
        let words = joined(last);
        if words.ends_with(char::is_whitespace) {
            return Err("messages: final assistant content cannot end with trailing whitespace".to_owned());
        }
        talk.prefix = Some(words);
    }
    gather(&turns, &mut talk);
    Ok(talk)
}

/// Checks every message by itself and merges neighbours of one role.
fn turns<'a>(messages: &'a [Value], system_turns: bool, talk: &mut Talk) -> Result<Vec<Turn<'a>>, String> {
    let mut turns: Vec<Turn<'a>> = Vec::new();
    let mut so_far = String::new();
    for (i, message) in messages.iter().enumerate() {
        let Some(fields) = message.as_object() else {
            return Err(format!(
                "messages.{i}: Input should be a valid dictionary or object to extract fields from"
            ));
        };
        if let Some(extra) = fields.keys().find(|k| *k != "role" && *k != "content") {
            return Err(format!("messages.{i}.{extra}: Extra inputs are not permitted"));
        }
        let assistant = match fields.get("role").and_then(Value::as_str) {
            Some("user") => false,
            Some("assistant") => true,
            Some("system") if system_turns => {
                let after_user = i > 0 && messages[i - 1]["role"] == "user";
                let before_assistant = messages.get(i + 1).is_none_or(|m| m["role"] == "assistant");
                if !after_user {
                    return Err(format!("messages.{i}: role 'system' must follow a 'user' message"));
                }
                if !before_assistant {
                    return Err(format!(
                        "messages.{i}: role 'system' must precede an 'assistant' message or end the array"
                    ));
                }
                talk.chars += text(&fields["content"]).chars().count();
                continue;
            }
            Some("system") => {
                return Err(
                    "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` \
                            parameter, not \"system\" as an input message role."
                        .to_owned(),
                );
            }
            Some(_) => return Err(format!("messages.{i}.role: Input should be 'user' or 'assistant'")),
            None => return Err(format!("messages.{i}.role: Field required")),
        };
        let last = i + 1 == messages.len();
        let blocks = blocks(i, fields, assistant, last, talk, &mut so_far)?;
        match turns.last_mut().filter(|t| t.assistant == assistant) {
            Some(turn) => turn.blocks.extend(blocks),
            None => turns.push(Turn { assistant, first: i, blocks }),
        }
    }
    talk.chars += so_far.chars().count();
    Ok(turns)
}

fn blocks<'a>(
    i: usize,
    message: &'a Map<String, Value>,
    assistant: bool,
    last: bool,
    talk: &mut Talk,
    so_far: &mut String,
) -> Result<Vec<Block<'a>>, String> {
    let empty = || {
        format!(
            "messages.{i}: all messages must have non-empty content except for the optional final assistant message"
        )
    };
    match message.get("content") {
        None => Err(format!("messages.{i}.content: Field required")),
        Some(Value::String(words)) if words.is_empty() && !(assistant && last) => Err(empty()),
        Some(value @ Value::String(words)) => {
            so_far.push_str(words);
            Ok(vec![Block { at: format!("messages.{i}.content"), value }])
        }
        Some(Value::Array(list)) if list.is_empty() && !(assistant && last) => Err(empty()),
        Some(Value::Array(list)) => list
            .iter()
            .enumerate()
            .map(|(j, value)| {
                let at = format!("messages.{i}.content.{j}");
                block(&at, value, assistant, talk)?;
                so_far.push_str(&spoken(value));
                if marks(value) {
                    talk.marked = Some((hash(so_far.as_bytes()), so_far.chars().count()));
                }
                Ok(Block { at, value })
            })
            .collect(),
        Some(_) => Err(format!("messages.{i}.content: Input should be a valid list")),
    }
}

/// Checks one block by itself.
fn block(at: &str, value: &Value, assistant: bool, talk: &mut Talk) -> Result<(), String> {
    let Some(kind) = value["type"].as_str() else {
        return Err(format!("{at}: Unable to extract tag using discriminator 'type'"));
    };
    let known: &[&str] = match kind {
        "text" => &["type", "text", "cache_control", "citations"],
        "image" => &["type", "source", "cache_control"],
        "document" => &["type", "source", "cache_control", "citations", "context", "title"],
        "thinking" => &["type", "thinking", "signature"],
        "redacted_thinking" => &["type", "data"],
        "tool_use" => &["type", "id", "name", "input", "cache_control", "caller"],
        "tool_result" => &["type", "tool_use_id", "content", "is_error", "cache_control"],
        "search_result" | "server_tool_use" | "web_search_tool_result" | "mid_conv_system" => return Ok(()),
        other => {
            return Err(format!(
                "{at}: Input tag '{other}' found using 'type' does not match any of the expected tags: 'document', \
                 'image', 'redacted_thinking', 'search_result', 'text', 'thinking', 'tool_result', 'tool_use'"
            ));
        }
    };
    let fields = value.as_object().into_iter().flat_map(Map::keys);
    if let Some(extra) = fields.into_iter().find(|k| !known.contains(&k.as_str())) {
        return Err(format!("{at}.{kind}.{extra}: Extra inputs are not permitted"));
    }
    let field =
        |name: &str| value[name].as_str().ok_or_else(|| format!("{at}.{kind}.{name}: Field required"));
    let only = |role: bool| match role == assistant {
        true => Ok(()),
        false => {
            let role = if role { "assistant" } else { "user" };
            Err(format!("{at}: `{kind}` blocks can only be in `{role}` messages"))
        }
    };
    match kind {
        "text" if field("text")?.is_empty() => {
            Err("messages: text content blocks must be non-empty".to_owned())
        }
        "image" | "document" => {
            talk.images += 1;
            source(at, kind, &value["source"])
        }
        "thinking" => {
            only(true)?;
            if signed("thinking", field("thinking")?, field("signature")?) {
                return Ok(());
            }
            Err(format!("{at}: Invalid `signature` in `thinking` block"))
        }
        "redacted_thinking" => {
            only(true)?;
            let whole =
                field("data")?.split_once('.').is_some_and(|(body, mac)| signed("redacted", body, mac));
            if whole { Ok(()) } else { Err(format!("{at}: Invalid `data` in `redacted_thinking` block")) }
        }
        "tool_use" => {
            only(true)?;
            let id = field("id")?;
            field("name")?;
            if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
                return Err(format!("{at}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"));
            }
            match value.get("input") {
                Some(Value::Object(_)) => Ok(()),
                Some(_) => Err(format!("{at}.tool_use.input: Input should be a valid dictionary")),
                None => Err(format!("{at}.tool_use.input: Field required")),
            }
        }
        "tool_result" => {
            only(false)?;
            field("tool_use_id").map(|_| ())
        }
        _ => Ok(()),
    }
}

fn source(at: &str, kind: &str, source: &Value) -> Result<(), String> {
    let media: &[&str] = match kind {
        "image" => &["image/jpeg", "image/png", "image/gif", "image/webp"],
        _ => &["application/pdf"],
    };
    match source["type"].as_str() {
        Some("base64") => {
            let given = source["media_type"].as_str().unwrap_or_default();
            if !media.contains(&given) {
                let listed: Vec<_> = media.iter().map(|m| format!("'{m}'")).collect();
                let listed = listed.join(", ").replace(", 'image/webp'", " or 'image/webp'");
                return Err(format!("{at}.{kind}.source.base64.media_type: Input should be {listed}"));
            }
            if !is_base64(source["data"].as_str().unwrap_or_default()) {
                return Err(format!("{at}.{kind}.source.base64.data: Invalid base64 data"));
            }
            Ok(())
        }
        Some("url") if source["url"].as_str().is_some_and(|u| u.starts_with("http")) => Ok(()),
        Some("url") => Err(format!("{at}.{kind}.source.url.url: Only HTTPS URLs are supported.")),
        Some("file" | "text" | "content") => Ok(()),
        _ => Err(format!("{at}.{kind}.source: Field required")),
    }
}

/// Every call is answered in the next turn, results first, and every result answers a call of the turn before.
fn tool_order(turns: &[Turn<'_>]) -> Result<(), String> {
    let mut seen = HashSet::new();
    for (n, turn) in turns.iter().enumerate() {
        let ids = |turn: &Turn<'_>, kind: &str, field: &str| -> Vec<String> {
            let blocks = turn.blocks.iter().filter(|b| b.value["type"] == kind);
            blocks.filter_map(|b| b.value[field].as_str()).map(str::to_owned).collect()
        };
        if turn.assistant {
            let calls = ids(turn, "tool_use", "id");
            if calls.iter().any(|id| !seen.insert(id.clone())) {
                return Err("messages: `tool_use` ids must be unique".to_owned());
            }
            let results = turns.get(n + 1).map(leading_results).unwrap_or_default();
            let open: Vec<_> = calls.iter().filter(|id| !results.contains(id)).map(String::as_str).collect();
            if !open.is_empty() {
                return Err(format!(
                    "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each \
                     `tool_use` block must have a corresponding `tool_result` block in the next message.",
                    turn.first,
                    open.join(", ")
                ));
            }
            continue;
        }
        let calls = n.checked_sub(1).map(|before| ids(&turns[before], "tool_use", "id")).unwrap_or_default();
        let mut answered = HashSet::new();
        for block in turn.blocks.iter().filter(|b| b.value["type"] == "tool_result") {
            let id = block.value["tool_use_id"].as_str().unwrap_or_default();
            if !calls.iter().any(|c| c == id) {
                return Err(format!(
                    "{}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must \
                     have a corresponding `tool_use` block in the previous message.",
                    block.at
                ));
            }
            if !answered.insert(id) {
                return Err(format!(
                    "{}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {id}",
                    block.at
                ));
            }
        }
    }
    Ok(())
}

/// Results that stand before anything else in a turn; those after other blocks come too late.
fn leading_results(turn: &Turn<'_>) -> Vec<String> {
    let leading = turn.blocks.iter().take_while(|b| b.value["type"] == "tool_result");
    leading.filter_map(|b| b.value["tool_use_id"].as_str()).map(str::to_owned).collect()
}

/// While thinking, a turn that waits for tool results must open with the thoughts that led to the call.
fn thought_first(turns: &[Turn<'_>], thinking: Thinking) -> Result<(), String> {
    let [.., before, last] = turns else { return Ok(()) };
    let answering = !last.assistant && last.blocks.iter().any(|b| b.value["type"] == "tool_result");
    let thoughtful = |t: &Value| t["type"] == "thinking" || t["type"] == "redacted_thinking";
    match before.blocks.first() {
        Some(block) if thinking != Thinking::None && answering && !thoughtful(block.value) => Err(format!(
            "{}.type: Expected `thinking` or `redacted_thinking`, but found `{}`. When `thinking` is enabled, a final \
             `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and \
             `tool_result` blocks). We recommend you include thinking blocks from previous turns. To avoid this \
             requirement, disable `thinking`.",
            block.at,
            block.value["type"].as_str().unwrap_or("text")
        )),
        _ => Ok(()),
    }
}

fn gather(turns: &[Turn<'_>], talk: &mut Talk) {
    let names = |id: &str| {
        let calls = turns.iter().rev().flat_map(|t| &t.blocks).map(|b| b.value);
        calls.filter(|b| b["type"] == "tool_use" && b["id"] == id).find_map(|b| b["name"].as_str())
    };
    if let Some(last) = turns.last().filter(|t| !t.assistant) {
        let results = last.blocks.iter().map(|b| b.value).filter(|b| b["type"] == "tool_result");
        talk.results = results
            .map(|b| ToolResult {
                tool: names(b["tool_use_id"].as_str().unwrap_or_default()).unwrap_or("tool").to_owned(),
                text: spoken(b),
            })
            .collect();
    }
    let spoke = turns.iter().rev().filter(|t| !t.assistant).map(joined).find(|t| !t.is_empty());
    talk.last_user = spoke.unwrap_or_default();
}

/// The text blocks of a turn, joined.
fn joined(turn: &Turn<'_>) -> String {
    let texts = turn.blocks.iter().map(|b| b.value);
    texts.filter_map(|v| v.as_str().or(v["text"].as_str())).collect()
}

/// All that a block says: text, arguments, results.
fn spoken(block: &Value) -> String {
    match block["type"].as_str() {
        Some("text") => block["text"].as_str().unwrap_or_default().to_owned(),
        Some("thinking") => block["thinking"].as_str().unwrap_or_default().to_owned(),
        Some("tool_use") => format!("{}{}", block["name"].as_str().unwrap_or_default(), block["input"]),
        Some("tool_result") => match &block["content"] {
            Value::String(words) => words.clone(),
            Value::Array(parts) => parts.iter().map(spoken).collect(),
            _ => String::new(),
        },
        _ => String::new(),
    }
}

fn count_marks(body: &Map<String, Value>) -> usize {
    let list = |name: &str| body.get(name).and_then(Value::as_array).into_iter().flatten();
    let blocks = list("messages").filter_map(|m| m["content"].as_array()).flatten();
    list("tools").chain(list("system")).chain(blocks).filter(|b| marks(b)).count()
}
