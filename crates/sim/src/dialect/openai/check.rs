//! What OpenAI accepts. Every refusal has the vendor's message, `param` and `code`.
//!
//! [`read`] checks parameters and messages; tools and response formats are in [`super::tools`].

use super::super::{Call, Refused, type_name};
use super::{counted, invalid, tools};
use crate::ask::{Ask, Thinking, ToolResult};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The top-level fields of the vendor's own SDK.
const FIELDS: &[&str] = &[
    "messages",
    "model",
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

pub(super) fn read(call: &Call<'_>) -> Result<Ask, Refused> {
    let body = call.body;
    let model = match body.get("model") {
        Some(Value::String(model)) if !model.is_empty() => model.clone(),
        Some(Value::String(_)) | Some(Value::Null) | None => {
            return Err(invalid(None, None, "you must provide a model parameter"));
        }
        Some(other) => return Err(wrong_type("model", "a string", other)),
    };
    let reasons = call.strict() && reasons(&model);
    if call.strict() {
        known_fields(body, reasons)?;
        if reasons {
            refuse_sampling(body)?;
        }
    }
    ranges(body)?;
    let stream = boolean(body, "stream")?.unwrap_or(false);
    let options = body.get("stream_options").filter(|o| !o.is_null());
    if options.is_some() && !stream {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(invalid(Some("stream_options"), None, message));
    }
    let tools = tools::read(call)?;
    let talk = messages(call)?;
    let format = tools::format(body, talk.mentions_json)?;
    let max_tokens = integer(body, "max_completion_tokens")?.or(integer(body, "max_tokens")?);
    let effort = match body.get("reasoning_effort").and_then(Value::as_str) {
        Some("none") => 0,
        Some("minimal") => 8,
        Some("low") => 16,
        Some("high") => 64,
        Some("xhigh" | "max") => 128,
        _ => 32,
    };
    Ok(Ask {
        model,
        stream,
        stream_usage: options.is_some_and(|o| o["include_usage"] == true),
        last_user: talk.last_user,
        results: talk.results,
        choice: tools::choice(body, &tools)?,
        parallel: boolean(body, "parallel_tool_calls")?.unwrap_or(true),
        preface: false,
        format,
        stop: stops(body)?,
        max_tokens,
        thinking: if reasons && effort > 0 { Thinking::Hidden(effort) } else { Thinking::None },
        prefix: talk.prefix,
        n: integer(body, "n")?.unwrap_or(1) as usize,
        prompt_chars: talk.chars + body.get("tools").map_or(0, counted),
        images: talk.images,
        cache_mark: None,
        bare_arguments: !call.strict(),
        tools,
    })
}

/// Whether a model of this name reasons, and refuses what goes with sampling.
fn reasons(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let family =
        |start: &str| name.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    (name.starts_with("gpt-5") && !name.contains("chat")) || ["o1", "o3", "o4"].into_iter().any(family)
}

fn known_fields(body: &Map<String, Value>, reasons: bool) -> Result<(), Refused> {
    let unknown: Vec<_> = body
        .iter()
        .filter(|(name, value)| {
            !FIELDS.contains(&name.as_str()) || (*name == "reasoning_effort" && !reasons && !value.is_null())
        })
        .map(|(name, _)| name.as_str())
        .collect();
    match unknown.as_slice() {
        [] => Ok(()),
        [one] => Err(invalid(None, None, format!("Unrecognized request argument supplied: {one}"))),
        many => {
            Err(invalid(None, None, format!("Unrecognized request arguments supplied: {}", many.join(", "))))
        }
    }
}

/// What reasoning models do not take.
fn refuse_sampling(body: &Map<String, Value>) -> Result<(), Refused> {
    let unsupported = |name: &str, hint: &str| {
        let message = format!("Unsupported parameter: '{name}' is not supported with this model.{hint}");
        Err(invalid(Some(name), Some("unsupported_parameter"), message))
    };
    let given = |name: &str| body.get(name).filter(|v| !v.is_null());
    if given("max_tokens").is_some() {
        return unsupported("max_tokens", " Use 'max_completion_tokens' instead.");
    }
    for name in ["stop", "logprobs", "top_logprobs", "logit_bias"] {
        if given(name).is_some_and(|v| *v != Value::Bool(false)) {
            return unsupported(name, "");
        }
    }
    if body.get("reasoning_effort").is_some_and(|e| e == "none") {
        return Ok(());
    }
    for (name, only) in
        [("temperature", 1.0), ("top_p", 1.0), ("presence_penalty", 0.0), ("frequency_penalty", 0.0)]
    {
        if let Some(value) = given(name).filter(|v| v.as_f64().is_some_and(|n| n != only)) {
            let message = format!(
                "Unsupported value: '{name}' does not support {value} with this model. Only the default ({only}) \
                 value is supported."
            );
            return Err(invalid(Some(name), Some("unsupported_value"), message));
        }
    }
    Ok(())
}

fn ranges(body: &Map<String, Value>) -> Result<(), Refused> {
    for (name, low, high) in [
        ("temperature", 0.0, 2.0),
        ("top_p", 0.0, 1.0),
        ("presence_penalty", -2.0, 2.0),
        ("frequency_penalty", -2.0, 2.0),
    ] {
        let Some(value) = body.get(name).filter(|v| !v.is_null()) else { continue };
        let Some(number) = value.as_f64() else { return Err(wrong_type(name, "a decimal", value)) };
        let bound = |side: &str, sign: &str, limit: f64, code: &str| {
            let message = format!(
                "Invalid '{name}': decimal {side} value. Expected a value {sign} {limit}, but got {value} instead."
            );
            Err(invalid(Some(name), Some(code), message))
        };
        if number > high {
            return bound("above maximum", "<=", high, "decimal_above_max_value");
        }
        if number < low {
            return bound("below minimum", ">=", low, "decimal_below_min_value");
        }
    }
    for name in ["max_tokens", "max_completion_tokens", "n"] {
        if integer(body, name)? == Some(0) {
            let message = format!(
                "Invalid '{name}': integer below minimum value. Expected a value >= 1, but got 0 instead."
            );
            return Err(invalid(Some(name), Some("integer_below_min_value"), message));
        }
    }
    if integer(body, "n")?.is_some_and(|n| n > 128) {
        let message = "Invalid 'n': integer above maximum value. Expected a value <= 128.";
        return Err(invalid(Some("n"), Some("integer_above_max_value"), message));
    }
    let both =
        ["max_tokens", "max_completion_tokens"].iter().all(|f| body.get(*f).is_some_and(|v| !v.is_null()));
    if both {
        let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(invalid(Some("max_tokens"), Some("invalid_parameter_combination"), message));
    }
    Ok(())
}

fn stops(body: &Map<String, Value>) -> Result<Vec<String>, Refused> {
    match body.get("stop") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(many)) if many.len() > 4 => {
            let message = format!(
                "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with \
                 length {} instead.",
                many.len()
            );
            Err(invalid(Some("stop"), Some("array_above_max_length"), message))
        }
        Some(Value::Array(many)) => Ok(many.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        Some(other) => Err(wrong_type("stop", "one of a string or array of strings", other)),
    }
}

/// What the messages say, once they hold.
#[derive(Default)]
struct Talk {
    last_user: String,
    results: Vec<ToolResult>,
    prefix: Option<String>,
    mentions_json: bool,
    chars: usize,
    images: usize,
}

fn messages(call: &Call<'_>) -> Result<Talk, Refused> {
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

pub(super) fn missing(param: &str) -> Refused {
    let message = format!("Missing required parameter: '{param}'.");
    invalid(Some(param), Some("missing_required_parameter"), message)
}

pub(super) fn wrong_type(param: &str, expected: &str, got: &Value) -> Refused {
    let kind = type_name(got);
    let article = if kind.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
    let got = if got.is_null() { "null".to_owned() } else { format!("{article} {kind}") };
    let message = format!("Invalid type for '{param}': expected {expected}, but got {got} instead.");
    invalid(Some(param), Some("invalid_type"), message)
}

fn integer(body: &Map<String, Value>, name: &str) -> Result<Option<u64>, Refused> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(n)) if n.is_u64() => Ok(n.as_u64()),
        Some(Value::Number(n)) if n.is_i64() => {
            let message = format!(
                "Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {n} instead."
            );
            Err(invalid(Some(name), Some("integer_below_min_value"), message))
        }
        Some(other) => Err(wrong_type(name, "an integer", other)),
    }
}

fn boolean(body: &Map<String, Value>, name: &str) -> Result<Option<bool>, Refused> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(b)) => Ok(Some(*b)),
        Some(other) => Err(wrong_type(name, "a boolean", other)),
    }
}
