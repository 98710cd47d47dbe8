//! Tools, tool choice and response formats as OpenAI accepts them, strict schemas included.

use super::super::{Call, Refused};
use super::check::{missing, wrong_type};
use super::invalid;
use crate::ask::{Choice, Format, Tool};
use serde_json::{Map, Value};

pub(super) fn read(call: &Call<'_>) -> Result<Vec<Tool>, Refused> {
    let list = match call.body.get("tools") {
        None | Some(Value::Null) => return without_tools(call.body).map(|()| Vec::new()),
        Some(Value::Array(list)) if list.is_empty() && call.strict() => {
            let message = "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty \
                           array instead.";
            return Err(invalid(Some("tools"), Some("empty_array"), message));
        }
        Some(Value::Array(list)) => list,
        Some(other) => return Err(wrong_type("tools", "an array of objects", other)),
    };
    list.iter().enumerate().map(|(i, tool)| one(i, tool, call.strict())).collect()
}

fn without_tools(body: &Map<String, Value>) -> Result<(), Refused> {
    for name in ["tool_choice", "parallel_tool_calls"] {
        // `tool_choice: none` is harmless and taken.
        if body.get(name).is_some_and(|v| !v.is_null() && v != "none") {
            let message =
                format!("Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.");
            return Err(invalid(Some(name), None, message));
        }
    }
    Ok(())
}

fn one(i: usize, tool: &Value, strict_vendor: bool) -> Result<Tool, Refused> {
    let at = format!("tools[{i}]");
    match tool["type"].as_str() {
        Some("function") => {}
        None => return Err(missing(&format!("{at}.type"))),
        Some(other) => {
            let message = format!("Invalid value: '{other}'. Supported values are: 'function' and 'custom'.");
            return Err(invalid(Some(&format!("{at}.type")), Some("invalid_value"), message));
        }
    }
    let function = &tool["function"];
    let Some(name) = function["name"].as_str() else { return Err(missing(&format!("{at}.function.name"))) };
    let param = format!("{at}.function.name");
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        let message = format!(
            "Invalid '{param}': string does not match pattern. Expected a string that matches the pattern \
             '^[a-zA-Z0-9_-]+$'."
        );
        return Err(invalid(Some(&param), Some("invalid_value"), message));
    }
    if name.len() > 64 {
        let message = format!(
            "Invalid '{param}': string too long. Expected a string with maximum length 64, but got a string with \
             length {} instead.",
            name.len()
        );
        return Err(invalid(Some(&param), Some("string_above_max_length"), message));
    }
    let schema = function.get("parameters").filter(|p| !p.is_null()).cloned();
    if let Some(schema) = schema.as_ref().filter(|_| strict_vendor) {
        let fault = if schema["type"] != "object" {
            let kind = schema["type"].as_str().map_or("None".to_owned(), |t| format!("\"{t}\""));
            Some(format!("schema must be a JSON Schema of 'type: \"object\"', got 'type: {kind}'."))
        } else if schema.get("properties").is_none() {
            Some("In context=(), object schema missing properties.".to_owned())
        } else if function["strict"] == true {
            strict_fault(schema, &mut Vec::new())
        } else {
            None
        };
        if let Some(fault) = fault {
            let message = format!("Invalid schema for function '{name}': {fault}");
            let param = format!("{at}.function.parameters");
            return Err(invalid(Some(&param), Some("invalid_function_parameters"), message));
        }
    }
    Ok(Tool {
        name: name.to_owned(),
        schema: schema.unwrap_or_else(|| serde_json::json!({"type": "object"})),
    })
}

pub(super) fn choice(body: &Map<String, Value>, tools: &[Tool]) -> Result<Choice, Refused> {
    let value = match body.get("tool_choice") {
        None | Some(Value::Null) => return Ok(Choice::Auto),
        Some(value) => value,
    };
    match value.as_str() {
        Some("auto") => return Ok(Choice::Auto),
        Some("none") => return Ok(Choice::Never),
        // `any` is Mistral's word.
        Some("required" | "any") => return Ok(Choice::Required),
        Some(other) => {
            let message =
                format!("Invalid value: '{other}'. Supported values are: 'none', 'auto', and 'required'.");
            return Err(invalid(Some("tool_choice"), Some("invalid_value"), message));
        }
        None => {}
    }
    let Some(name) = value["function"]["name"].as_str() else { return Err(missing("tool_choice.function")) };
    if tools.iter().any(|t| t.name == name) {
        return Ok(Choice::Named(name.to_owned()));
    }
    let message = format!("Tool choice '{name}' not found in 'tools' parameter.");
    Err(invalid(Some("tool_choice"), None, message))
}

pub(super) fn format(body: &Map<String, Value>, mentions_json: bool) -> Result<Format, Refused> {
    let format = match body.get("response_format") {
        None | Some(Value::Null) => return Ok(Format::Text),
        Some(format) => format,
    };
    match format["type"].as_str() {
        Some("text") => Ok(Format::Text),
        Some("json_object") if mentions_json => Ok(Format::AnyJson),
        Some("json_object") => Err(invalid(
            Some("messages"),
            None,
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
        )),
        Some("json_schema") => {
            let wanted = &format["json_schema"];
            let Some(name) = wanted["name"].as_str() else {
                return Err(missing("response_format.json_schema.name"));
            };
            let schema =
                wanted.get("schema").cloned().unwrap_or_else(|| serde_json::json!({"type": "object"}));
            let fault = match (wanted["strict"] == true, schema["type"] == "object") {
                (true, false) => Some("schema must be a JSON Schema of 'type: \"object\"'.".to_owned()),
                (true, true) => strict_fault(&schema, &mut Vec::new()),
                (false, _) => None,
            };
            match fault {
                Some(fault) => {
                    let message = format!("Invalid schema for response_format '{name}': {fault}");
                    Err(invalid(Some("response_format"), None, message))
                }
                None => Ok(Format::Schema(schema)),
            }
        }
        Some(other) => {
            let message = format!(
                "Invalid value: '{other}'. Supported values are: 'json_object', 'json_schema', and 'text'."
            );
            Err(invalid(Some("response_format.type"), Some("invalid_value"), message))
        }
        None => Err(missing("response_format.type")),
    }
}

/// What strict mode refuses in a schema, in the vendor's words: every object closed, every property required.
fn strict_fault(schema: &Value, context: &mut Vec<String>) -> Option<String> {
    let object = schema.as_object()?;
    let place = || match context.len() {
        0 => "()".to_owned(),
        1 => format!("('{}',)", context[0]),
        _ => format!("('{}')", context.join("', '")),
    };
    if object.get("type").is_some_and(|t| t == "object") {
        if object.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Some(format!(
                "In context={}, 'additionalProperties' is required to be supplied and to be false.",
                place()
            ));
        }
        let required: Vec<_> =
            object.get("required").and_then(Value::as_array).into_iter().flatten().collect();
        let properties = object.get("properties").and_then(Value::as_object);
        let forgotten = properties.into_iter().flatten().map(|(name, _)| name);
        if let Some(name) = forgotten.into_iter().find(|n| !required.iter().any(|r| *r == n.as_str())) {
            return Some(format!(
                "In context={}, 'required' is required to be supplied and to be an array including every key in \
                 properties. Missing '{name}'.",
                place()
            ));
        }
    }
    if object.contains_key("allOf") || object.contains_key("oneOf") {
        let word = if object.contains_key("allOf") { "allOf" } else { "oneOf" };
        return Some(format!("In context={}, '{word}' is not permitted.", place()));
    }
    for group in ["properties", "$defs", "definitions"] {
        for (name, part) in object.get(group).and_then(Value::as_object).into_iter().flatten() {
            if let Some(fault) = within(part, context, &[group, name]) {
                return Some(fault);
            }
        }
    }
    if let Some(fault) = object.get("items").and_then(|items| within(items, context, &["items"])) {
        return Some(fault);
    }
    let options = object.get("anyOf").and_then(Value::as_array).into_iter().flatten().enumerate();
    options.into_iter().find_map(|(i, part)| within(part, context, &["anyOf", &i.to_string()]))
}

fn within(part: &Value, context: &mut Vec<String>, steps: &[&str]) -> Option<String> {
    let depth = context.len();
    context.extend(steps.iter().map(|s| (*s).to_owned()));
    let fault = strict_fault(part, context);
    context.truncate(depth);
    fault
}
