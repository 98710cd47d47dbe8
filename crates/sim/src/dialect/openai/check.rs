//! What OpenAI accepts. Every refusal has the vendor's message, `param` and `code`.
//!
//! [`read`] checks parameters; messages are checked in [`super::talk`], tools and response formats in
//! [`super::tools`].

use super::super::{Call, Refused, type_name};
use super::{counted, invalid, talk, tools};
use crate::ask::{Ask, Thinking};
use serde_json::{Map, Value};

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
    let talk = talk::read(call)?;
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
