//! What Anthropic accepts beside the conversation itself: fields, ranges, thinking, tools, output format.
//!
//! Messages of refusals are the vendor's (it validates with pydantic, hence `a.b: Field required`). The conversation
//! is checked in [`super::talk`].

use super::super::{Call, Refused, header};
use super::{invalid, talk};
use crate::ask::{Ask, Choice, Format, Thinking, Tool};
use crate::json::text;
use crate::seed::hash;
use serde_json::{Map, Value};

const FIELDS: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "cache_control",
    "container",
    "inference_geo",
    "metadata",
    "output_config",
    "service_tier",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// Fields that the vendor takes once an `anthropic-beta` header is there.
const BETA_FIELDS: &[&str] =
    &["context_management", "mcp_servers", "output_format", "speed", "betas", "fallbacks"];

/// The largest output that any model of the vendor has.
const MOST_OUTPUT: u64 = 128_000;

/// What the model's generation changed.
struct Generation {
    /// From 4.6 on a conversation must end with the user.
    prefill: bool,
    /// From 4.7 on sampling parameters and thinking budgets are gone.
    sampling: bool,
    /// From 4.8 on system messages may stand in mid-conversation.
    system_turns: bool,
}

impl Generation {
    fn of(model: &str) -> Self {
        // `claude-sonnet-4-5-20250929`, `claude-opus-4-8`, `claude-fable-5`: the first number, and the second if short.
        let numbers = model.split(['-', '.']).map(|p| p.parse::<u32>().ok().filter(|_| p.len() <= 2));
        let mut numbers = numbers.skip_while(Option::is_none);
        let major = numbers.next().flatten().unwrap_or(0);
        let version = (major, numbers.next().flatten().unwrap_or(0));
        Self { prefill: version < (4, 6), sampling: version < (4, 7), system_turns: version >= (4, 8) }
    }
}

/// Checks a request for an answer, or for a count of tokens (which needs no `max_tokens`).
pub(super) fn read(call: &Call<'_>, answer: bool) -> Result<Ask, Refused> {
    let body = call.body;
    let bad = |message: &str| Err(invalid(call.mint, message));
    if header(call.headers, "anthropic-version").is_none() {
        return bad("anthropic-version: header is required");
    }
    let beta = call.headers.contains_key("anthropic-beta");
    let unknown = body
        .keys()
        .find(|name| !(FIELDS.contains(&name.as_str()) || beta && BETA_FIELDS.contains(&name.as_str())));
    if let Some(name) = unknown {
        return bad(&format!("{name}: Extra inputs are not permitted"));
    }
    let model = match body.get("model") {
        None => return bad("model: Field required"),
        Some(Value::String(model)) if model.is_empty() => {
            return bad("model: String should have at least 1 character");
        }
        Some(Value::String(model)) => model.clone(),
        Some(_) => return bad("model: Input should be a valid string"),
    };
    let max_tokens = match body.get("max_tokens") {
        None if answer => return bad("max_tokens: Field required"),
        None => None,
        Some(value) => match value.as_u64() {
            Some(0) => return bad("max_tokens: Input should be greater than or equal to 1"),
            Some(n) if n > MOST_OUTPUT => {
                return bad(&format!(
                    "max_tokens: {n} > {MOST_OUTPUT}, which is the maximum allowed number of output tokens for {model}"
                ));
            }
            Some(n) => Some(n),
            None => return bad("max_tokens: Input should be a valid integer"),
        },
    };
    let generation = Generation::of(&model);
    let tools = tools(call)?;
    let choice = choice(call, &tools)?;
    let thinking = thinking(call, &generation, max_tokens, &choice)?;
    sampling(call, &generation, thinking)?;
    let stop = stops(call)?;
    let system = talk::system(call)?;
    let talk = talk::read(call, thinking, generation.system_turns, generation.prefill)?;
    let tool_chars = body.get("tools").map_or(0, |t| text(t).chars().count());
    let chars = system.chars + talk.chars + tool_chars;
    // Tools and system come before the conversation in the cached prefix.
    let whole = |field: &str| body.get(field).map_or(0, |v| hash(text(v).as_bytes()));
    let marked_tools = tools_marked(body).then(|| (whole("tools"), tool_chars));
    let marked_system = system.marked.map(|(key, upto)| (key ^ whole("tools"), tool_chars + upto));
    let marked_talk = talk
        .marked
        .map(|(key, upto)| (key ^ whole("tools") ^ whole("system"), tool_chars + system.chars + upto));
    let cache_mark = marked_talk.or(marked_system).or(marked_tools);
    let single = body.get("tool_choice").is_some_and(|c| c["disable_parallel_tool_use"] == true);
    Ok(Ask {
        model,
        stream: body.get("stream").is_some_and(|s| *s == Value::Bool(true)),
        stream_usage: true,
        last_user: talk.last_user,
        results: talk.results,
        choice,
        parallel: !single,
        preface: true,
        format: format(call)?,
        stop,
        max_tokens,
        thinking,
        prefix: talk.prefix,
        n: 1,
        prompt_chars: chars,
        images: talk.images,
        cache_mark,
        bare_arguments: false,
        tools,
    })
}

fn thinking(
    call: &Call<'_>,
    generation: &Generation,
    max: Option<u64>,
    choice: &Choice,
) -> Result<Thinking, Refused> {
    let Some(config) = call.body.get("thinking") else { return Ok(Thinking::None) };
    let bad = |message: &str| Err(invalid(call.mint, message));
    let docs = "Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking";
    let budget = match config["type"].as_str() {
        Some("disabled") => return Ok(Thinking::None),
        Some("adaptive") => max.unwrap_or(MOST_OUTPUT).saturating_sub(1),
        Some("enabled") if !generation.sampling => {
            return bad(
                "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" and \
                 \"output_config.effort\" to control thinking behavior.",
            );
        }
        Some("enabled") => match config.get("budget_tokens").map(Value::as_u64) {
            None => return bad("thinking.enabled.budget_tokens: Field required"),
            Some(None) => return bad("thinking.enabled.budget_tokens: Input should be a valid integer"),
            Some(Some(n)) if n < 1024 => {
                return bad("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024");
            }
            Some(Some(n)) if max.is_some_and(|max| n >= max) => {
                return bad(&format!("`max_tokens` must be greater than `thinking.budget_tokens`. {docs}"));
            }
            Some(Some(n)) => n,
        },
        Some(other) => {
            return bad(&format!(
                "thinking: Input tag '{other}' found using 'type' does not match any of the expected tags: \
                 'adaptive', 'disabled', 'enabled'"
            ));
        }
        None => return bad("thinking: Unable to extract tag using discriminator 'type'"),
    };
    if matches!(choice, Choice::Required | Choice::Named(_)) {
        return bad("Thinking may not be enabled when tool_choice forces tool use.");
    }
    Ok(if config["display"] == "omitted" { Thinking::Omitted(budget) } else { Thinking::Shown(budget) })
}

fn sampling(call: &Call<'_>, generation: &Generation, thinking: Thinking) -> Result<(), Refused> {
    let docs = "Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking";
    for (name, high) in [("temperature", 1.0), ("top_p", 1.0), ("top_k", f64::MAX)] {
        let Some(value) = call.body.get(name) else { continue };
        let fault = match value.as_f64() {
            None => Some(format!("{name}: Input should be a valid number")),
            Some(n) if n < 0.0 => Some(format!("{name}: Input should be greater than or equal to 0")),
            Some(n) if n > high => Some(format!("{name}: Input should be less than or equal to 1")),
            Some(n) if !generation.sampling && n != 1.0 => {
                Some(format!("`{name}` is deprecated for this model."))
            }
            Some(_) if thinking == Thinking::None => None,
            Some(n) if name == "temperature" && n != 1.0 => {
                Some(format!("`temperature` may only be set to 1 when thinking is enabled. {docs}"))
            }
            Some(n) if name == "top_p" && n < 0.95 => Some(
                "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.".to_owned(),
            ),
            Some(_) if name == "top_k" => {
                Some(format!("`top_k` must be unset when thinking is enabled. {docs}"))
            }
            Some(_) => None,
        };
        if let Some(message) = fault {
            return Err(invalid(call.mint, message));
        }
    }
    Ok(())
}

fn stops(call: &Call<'_>) -> Result<Vec<String>, Refused> {
    let Some(list) = call.body.get("stop_sequences") else { return Ok(Vec::new()) };
    let Some(list) = list.as_array() else {
        return Err(invalid(call.mint, "stop_sequences: Input should be a valid array"));
    };
    list.iter()
        .enumerate()
        .map(|(i, one)| match one.as_str() {
            Some(s) if s.trim().is_empty() => {
                Err("stop_sequences: each stop sequence must contain non-whitespace".into())
            }
            Some(s) => Ok(s.to_owned()),
            None => Err(format!("stop_sequences.{i}: Input should be a valid string")),
        })
        .collect::<Result<_, String>>()
        .map_err(|message| invalid(call.mint, message))
}

fn tools(call: &Call<'_>) -> Result<Vec<Tool>, Refused> {
    let Some(list) = call.body.get("tools") else { return Ok(Vec::new()) };
    let bad = |message: String| Err(invalid(call.mint, message));
    let Some(list) = list.as_array() else { return bad("tools: Input should be a valid array".to_owned()) };
    let mut tools: Vec<Tool> = Vec::new();
    for (i, tool) in list.iter().enumerate() {
        // The vendor's own tools carry a versioned type, such as `web_search_20250305`; nothing here calls them.
        if tool["type"].as_str().is_some_and(|t| t != "custom") {
            continue;
        }
        let at = format!("tools.{i}.custom");
        let Some(name) = tool["name"].as_str() else { return bad(format!("{at}.name: Field required")) };
        let lettered = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if name.is_empty() || name.len() > 128 || !lettered {
            return bad(format!("{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"));
        }
        const KNOWN: &[&str] = &[
            "type",
            "name",
            "description",
            "input_schema",
            "cache_control",
            "strict",
            "defer_loading",
            "eager_input_streaming",
            "input_examples",
            "allowed_callers",
        ];
        if let Some(extra) =
            tool.as_object().into_iter().flat_map(Map::keys).find(|k| !KNOWN.contains(&k.as_str()))
        {
            return bad(format!("{at}.{extra}: Extra inputs are not permitted"));
        }
        match tool.get("input_schema") {
            None => return bad(format!("{at}.input_schema: Field required")),
            Some(schema) if schema.get("type").is_none() => {
                return bad(format!("{at}.input_schema.type: Field required"));
            }
            Some(schema) if schema["type"] != "object" => {
                return bad(format!("{at}.input_schema.type: Input should be 'object'"));
            }
            Some(_) => {}
        }
        if tools.iter().any(|t| t.name == name) {
            return bad("tools: Tool names must be unique.".to_owned());
        }
        tools.push(Tool { name: name.to_owned(), schema: tool["input_schema"].clone() });
    }
    Ok(tools)
}

fn choice(call: &Call<'_>, tools: &[Tool]) -> Result<Choice, Refused> {
    let Some(choice) = call.body.get("tool_choice") else { return Ok(Choice::Auto) };
    let bad = |message: String| Err(invalid(call.mint, message));
    let declared = call.body.get("tools").and_then(Value::as_array).is_some_and(|t| !t.is_empty());
    match choice["type"].as_str() {
        Some("none") => Ok(Choice::Never),
        Some("auto" | "any" | "tool") if !declared => {
            bad("tool_choice: tool_choice may only be specified while providing tools".to_owned())
        }
        Some("auto") => Ok(Choice::Auto),
        Some("any") => Ok(Choice::Required),
        Some("tool") => match choice["name"].as_str() {
            None => bad("tool_choice.tool.name: Field required".to_owned()),
            Some(name) if tools.iter().any(|t| t.name == name) => Ok(Choice::Named(name.to_owned())),
            Some(name) => bad(format!("Tool '{name}' not found in provided tools")),
        },
        Some(other) => bad(format!(
            "tool_choice: Input tag '{other}' found using 'type' does not match any of the expected tags: 'any', \
             'auto', 'none', 'tool'"
        )),
        None => bad("tool_choice: Unable to extract tag using discriminator 'type'".to_owned()),
    }
}

fn tools_marked(body: &Map<String, Value>) -> bool {
    let tools = body.get("tools").and_then(Value::as_array);
    tools.into_iter().flatten().any(|t| t.get("cache_control").is_some_and(|c| !c.is_null()))
}

fn format(call: &Call<'_>) -> Result<Format, Refused> {
    let (at, format) = match (
        call.body.get("output_config").and_then(|c| c.get("format")),
        call.body.get("output_format"),
    ) {
        (Some(format), _) => ("output_config.format", format),
        (None, Some(format)) => ("output_format", format),
        (None, None) => return Ok(Format::Text),
    };
    if format.is_null() {
        return Ok(Format::Text);
    }
    if format["type"] != "json_schema" {
        return Err(invalid(call.mint, format!("{at}.type: Input should be 'json_schema'")));
    }
    match format.get("schema").filter(|s| s.is_object()) {
        None => Err(invalid(call.mint, format!("{at}.schema: Field required"))),
        Some(schema) => match unsupported(schema) {
            Some(message) => Err(invalid(call.mint, format!("{at}.schema: {message}"))),
            None => Ok(Format::Schema(schema.clone())),
        },
    }
}

/// The first thing in a schema that the vendor's structured outputs do not take.
fn unsupported(schema: &Value) -> Option<String> {
    let object = schema.as_object()?;
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
    if kind == "object" && object.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Some("For 'object' type, 'additionalProperties' must be explicitly set to false".to_owned());
    }
    let refused: &[&str] = match kind {
        "integer" | "number" => &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
        "string" => &["minLength", "maxLength"],
        "array" => &["maxItems", "uniqueItems"],
        _ => &[],
    };
    let named: Vec<_> = refused.iter().filter(|w| object.contains_key(**w)).copied().collect();
    if !named.is_empty() {
        return Some(format!("For '{kind}' type, properties {} are not supported", named.join(", ")));
    }
    let groups =
        ["properties", "$defs", "definitions"].into_iter().filter_map(|g| object.get(g)?.as_object());
    let lists = ["anyOf", "allOf"].into_iter().filter_map(|l| object.get(l)?.as_array());
    groups.flat_map(Map::values).chain(lists.flatten()).chain(object.get("items")).find_map(unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generation_is_read_from_the_model_name() {
        let of = |model| {
            let g = Generation::of(model);
            (g.prefill, g.sampling, g.system_turns)
        };
        assert_eq!(of("claude-sonnet-4-5-20250929"), (true, true, false));
        assert_eq!(of("claude-opus-4-20250514"), (true, true, false));
        assert_eq!(of("claude-opus-4-6"), (false, true, false));
        assert_eq!(of("claude-opus-4-8"), (false, false, true));
        assert_eq!(of("claude-fable-5"), (false, false, true));
        assert_eq!(of("claude-3-5-haiku-latest"), (true, true, false));
        assert_eq!(of("anything"), (true, true, false));
    }
}
