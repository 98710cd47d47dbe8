//! The conversation as OpenAI accepts it: roles, content parts, tool messages that answer the calls before them.

use super::super::{Call, Refused};
use super::check::{missing, wrong_type};
use super::{counted, invalid};
use crate::ask::ToolResult;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What the messages say, once they hold.
#[derive(Default)]
pub(super) struct Talk {
    pub(super) last_user: String,
    pub(super) results: Vec<ToolResult>,
    pub(super) prefix: Option<String>,
    pub(super) mentions_json: bool,
    pub(super) chars: usize,
    pub(super) images: usize,
}

pub(super) fn read(call: &Call<'_>) -> Result<Talk, Refused> {
    let messages = match call.body.get("messages") {
        None | Some(Value::Null) => {
            let message = "Missing required parameter: 'messages'.";
            return Err(invalid(Some("messages"), Some("missing_required_parameter"), message));
        }
        Some(Value::Array(list)) if list.is_empty() => {
            let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an \
                           empty array instead.";
            return Err(invalid(Some("messages"), Some("empty_array"), message));
        }
        Some(Value::Array(list)) => list,
        Some(other) => return Err(wrong_type("messages", "an array of objects", other)),
    };
    let mut talk = Talk::default();
    // The calls of the last assistant turn that still wait for a result: id to tool.
    let mut waiting: BTreeMap<String, String> = BTreeMap::new();
    let mut answerable: BTreeMap<String, String> = BTreeMap::new();
    for (i, message) in messages.iter().enumerate() {
        let Some(message) = message.as_object() else {
            return Err(wrong_type(&format!("messages[{i}]"), "an object", message));
        };
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        if role != "tool" {
            answered(&waiting, i)?;
            answerable.clear();
        }
        let (text, images) = content(message, i, role, call.strict())?;
        talk.chars += text.chars().count();
        talk.images += images;
        talk.mentions_json |= text.to_lowercase().contains("json");
        match role {
            "system" | "developer" => {}
            "user" => {
                talk.last_user = text;
                talk.results.clear();
            }
            "function" => {
                let tool = message.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                talk.results.push(ToolResult { tool, text });
            }
            "assistant" => {
                waiting = tool_calls(message, i)?;
                answerable.clone_from(&waiting);
                talk.results.clear();
                talk.chars += message.get("tool_calls").map_or(0, counted);
                let last = i + 1 == messages.len();
                // OpenAI answers anew; compatible servers continue the unfinished turn.
                talk.prefix = (last && !call.strict() && waiting.is_empty()).then_some(text);
            }
            "tool" => {
                let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
                let Some(tool) = answerable.get(id) else {
                    let message = "Invalid parameter: messages with role 'tool' must be a response to a preceeding \
                                   message with 'tool_calls'.";
                    return Err(invalid(Some(&format!("messages.[{i}].role")), None, message));
                };
                waiting.remove(id);
                talk.results.push(ToolResult { tool: tool.clone(), text });
            }
            other => {
                let message = format!(
                    "Invalid value: '{other}'. Supported values are: 'system', 'assistant', 'user', 'function', \
                     'tool', and 'developer'."
                );
                return Err(invalid(Some(&format!("messages[{i}].role")), Some("invalid_value"), message));
            }
        }
    }
    answered(&waiting, messages.len())?;
    Ok(talk)
}

fn answered(waiting: &BTreeMap<String, String>, at: usize) -> Result<(), Refused> {
    if waiting.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = waiting.keys().map(String::as_str).collect();
    let message = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
         'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        ids.join(", ")
    );
    Err(invalid(Some(&format!("messages.[{at}].role")), None, message))
}

fn tool_calls(message: &Map<String, Value>, i: usize) -> Result<BTreeMap<String, String>, Refused> {
    let mut calls = BTreeMap::new();
    let list = message.get("tool_calls").and_then(Value::as_array);
    for (j, one) in list.into_iter().flatten().enumerate() {
        let at = format!("messages[{i}].tool_calls[{j}]");
        let Some(id) = one["id"].as_str() else { return Err(missing(&format!("{at}.id"))) };
        let Some(name) = one["function"]["name"].as_str().or(one["custom"]["name"].as_str()) else {
            return Err(missing(&format!("{at}.function")));
        };
        if let Some(arguments) = one["function"].get("arguments").filter(|a| !a.is_string()) {
            return Err(wrong_type(&format!("{at}.function.arguments"), "a string", arguments));
        }
        calls.insert(id.to_owned(), name.to_owned());
    }
    if list.is_some_and(Vec::is_empty) {
        let message = format!(
            "Invalid 'messages[{i}].tool_calls': empty array. Expected an array with minimum length 1, but got an \
             empty array instead."
        );
        return Err(invalid(Some(&format!("messages[{i}].tool_calls")), Some("empty_array"), message));
    }
    Ok(calls)
}

/// A message's text and how many images it holds.
fn content(
    message: &Map<String, Value>,
    i: usize,
    role: &str,
    strict: bool,
) -> Result<(String, usize), Refused> {
    let speechless = role == "assistant"
        && ["tool_calls", "function_call", "refusal", "audio"].iter().any(|f| message.contains_key(*f));
    let parts = match message.get("content") {
        Some(Value::String(text)) => return Ok((text.clone(), 0)),
        Some(Value::Array(parts)) => parts,
        None | Some(Value::Null) if speechless => return Ok((String::new(), 0)),
        None | Some(Value::Null) => {
            let message = "Invalid value for 'content': expected a string, got null.";
            return Err(invalid(Some(&format!("messages.[{i}].content")), None, message));
        }
        Some(other) => {
            return Err(wrong_type(
                &format!("messages[{i}].content"),
                "one of a string or array of objects",
                other,
            ));
        }
    };
    let mut text = String::new();
    let mut images = 0;
    for (j, part) in parts.iter().enumerate() {
        let at = format!("messages[{i}].content[{j}]");
        match (part["type"].as_str().unwrap_or_default(), role) {
            ("text", _) => match part["text"].as_str() {
                Some(words) => text.push_str(words),
                None => return Err(missing(&format!("{at}.text"))),
            },
            ("refusal", "assistant") => text.push_str(part["refusal"].as_str().unwrap_or_default()),
            ("image_url", "user") => {
                image(&part["image_url"], &at)?;
                images += 1;
            }
            ("input_audio" | "file", "user") => images += 1,
            // Mistral and others send reasoning back as a part of its own.
            ("thinking", "assistant") if !strict => {}
            (kind, _) => {
                let allowed = match role {
                    "user" => "'text', 'image_url', 'input_audio', 'refusal', 'audio', and 'file'",
                    "assistant" => "'text' and 'refusal'",
                    _ => "'text'",
                };
                let message = format!("Invalid value: '{kind}'. Supported values are: {allowed}.");
                return Err(invalid(Some(&format!("{at}.type")), Some("invalid_value"), message));
            }
        }
    }
    Ok((text, images))
}

fn image(image: &Value, at: &str) -> Result<(), Refused> {
    let Some(url) = image["url"].as_str() else {
        return Err(match image {
            Value::Object(_) => missing(&format!("{at}.image_url.url")),
            other => wrong_type(&format!("{at}.image_url"), "an object", other),
        });
    };
    let inline = url.strip_prefix("data:").map(|rest| {
        rest.split_once(";base64,").is_some_and(|(kind, data)| {
            ["image/png", "image/jpeg", "image/gif", "image/webp"].contains(&kind)
                && crate::seed::is_base64(data)
        })
    });
    match inline {
        Some(true) => Ok(()),
        Some(false) => Err(invalid(
            None,
            Some("invalid_image_format"),
            "You uploaded an unsupported image. Please make sure your image has of one the following formats: \
             ['png', 'jpeg', 'gif', 'webp'].",
        )),
        None if url.starts_with("http://") || url.starts_with("https://") => Ok(()),
        None => {
            let message =
                format!("Invalid '{at}.image_url.url'. Expected a valid URL, but got an invalid value.");
            Err(invalid(Some(&format!("{at}.image_url.url")), Some("invalid_value"), message))
        }
    }
}
