//! Requests, written from the neutral form.

use super::{models, schema, turns};
use crate::dialect::Target;
use crate::fields;
use crate::json::Out;
use crate::send::Uncarried;
use model::{Dialect, Effort, Form, Operation, Part, Prompt, Reasoning, Role, Text, Tool, ToolChoice};

/// Least thinking the vendor takes.
const LEAST_BUDGET: u64 = 1_024;

pub(super) fn write(prompt: &Prompt<'_>, target: Target<'_>) -> Result<Vec<u8>, Uncarried> {
    let counting = target.operation == Operation::CountTokens;
    let limit = prompt.sampling.max_output;
    let limit = limit.unwrap_or_else(|| models::default_limit(target.row.preset.name, target.model));
    let mut out = Out::with_capacity(1024);
    out.object().key("model").plain(target.model);
    if !counting {
        out.key("max_tokens").count(limit);
    }
    system(prompt, &mut out)?;
    out.key("messages");
    turns::write(prompt, &mut out)?;
    tools(prompt, &mut out)?;
    let thinks = thinking(prompt, target.model, limit, &mut out)?;
    if !counting {
        sampling(prompt, target.model, thinks, &mut out)?;
        if let Some(user) = &prompt.user {
            out.key("metadata").object().key("user_id").text(user).end_object();
        }
        if prompt.stream {
            out.key("stream").bool(true);
        }
    }
    for (key, value) in &prompt.extras {
        if prompt.said_in == Some(Dialect::Anthropic) {
            out.any_key(key).json(value);
        } else if !fields::harmless(key) && !fields::neutral(key, value) {
            return Err(Uncarried::field(key));
        }
    }
    out.end_object();
    Ok(out.finish())
}

/// All instructions, wherever they stood: the vendor's older models take them at the top only.
fn system(prompt: &Prompt<'_>, out: &mut Out) -> Result<(), Uncarried> {
    let mut texts: Vec<(&Text<'_>, Option<&Option<Text<'_>>>)> = Vec::new();
    for turn in prompt.turns.iter().filter(|t| matches!(t.role, Role::System | Role::Developer)) {
        for part in &turn.parts {
            match part {
                Part::Text(text) if !text.is_blank() => texts.push((text, None)),
                Part::Text(_) => {}
                Part::CacheMark(ttl) => {
                    if let Some(last) = texts.last_mut() {
                        last.1 = Some(ttl);
                    }
                }
                _ => {
                    return Err(Uncarried::new(
                        "instructions that are not text",
                        "the target takes text only",
                    ));
                }
            }
        }
    }
    // There is no mode without a schema here; what the mode means is said in words.
    let json = Text::plain("Answer with one JSON object and nothing else.");
    if prompt.form == Form::Json {
        texts.push((&json, None));
    }
    match texts.as_slice() {
        [] => {}
        [(text, None)] => {
            out.key("system").text(text);
        }
        many => {
            out.key("system").array();
            for (text, mark) in many {
                out.object().key("type").plain("text").key("text").text(text);
                if let Some(ttl) = mark {
                    turns::cache_mark(ttl, out);
                }
                out.end_object();
            }
            out.end_array();
        }
    }
    Ok(())
}

fn tools(prompt: &Prompt<'_>, out: &mut Out) -> Result<(), Uncarried> {
    if prompt.tools.is_empty() {
        return Ok(());
    }
    out.key("tools").array();
    prompt.tools.iter().try_for_each(|tool| write_tool(tool, out))?;
    out.end_array();
    let choice = match (&prompt.tool_choice, prompt.parallel_tools) {
        (None, None | Some(true)) => return Ok(()),
        (None, Some(false)) => &ToolChoice::Auto,
        (Some(choice), _) => choice,
    };
    out.key("tool_choice").object().key("type");
    match choice {
        ToolChoice::Auto => out.plain("auto"),
        ToolChoice::Never => out.plain("none"),
        ToolChoice::Any => out.plain("any"),
        ToolChoice::Named(name) => out.plain("tool").key("name").text(name),
    };
    if let (Some(parallel), true) = (prompt.parallel_tools, *choice != ToolChoice::Never) {
        out.key("disable_parallel_tool_use").bool(!parallel);
    }
    out.end_object();
    Ok(())
}

fn write_tool(tool: &Tool<'_>, out: &mut Out) -> Result<(), Uncarried> {
    out.object().key("name").text(&tool.name);
    if let Some(description) = &tool.description {
        out.key("description").text(description);
    }
    out.key("input_schema");
    match &tool.schema {
        Some(schema) if tool.strict == Some(true) => schema::write(schema, out)?,
        Some(schema) => {
            out.json(schema);
        }
        None => {
            out.raw(r#"{"type":"object","properties":{}}"#);
        }
    }
    if let Some(strict) = tool.strict {
        out.key("strict").bool(strict);
    }
    if tool.cache_mark {
        turns::cache_mark(&None, out);
    }
    out.end_object();
    Ok(())
}

/// Writes how to think and the form of the answer. Says whether the model will think.
fn thinking(prompt: &Prompt<'_>, model: &str, limit: u64, out: &mut Out) -> Result<bool, Uncarried> {
    let budgeted = models::thinks_by_budget(model);
    let mut level = None;
    let mut thinks = match prompt.reasoning {
        None => false,
        Some(Reasoning::Off) => {
            out.key("thinking").object().key("type").plain("disabled").end_object();
            false
        }
        Some(_) => true,
    };
    let forced = matches!(prompt.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_)));
    if forced || (budgeted && !turns::may_think(prompt)) {
        // The vendor refuses thinking before a forced call, and in a turn of calls that does not begin with its own
        // thinking (another vendor made it). The call is what was asked for; the level only says how hard to try.
        thinks = false;
    }
    if thinks {
        out.key("thinking").object().key("type");
        match prompt.reasoning {
            Some(reasoning) if budgeted => {
                let budget = budget(reasoning, limit)?;
                out.plain("enabled").key("budget_tokens").count(budget);
            }
            Some(Reasoning::Effort(effort)) => {
                level = Some(effort);
                out.plain("adaptive");
            }
            Some(Reasoning::Budget(tokens)) => {
                level = Some(match tokens {
                    0..=2_048 => Effort::Low,
                    2_049..=8_192 => Effort::Medium,
                    _ => Effort::High,
                });
                out.plain("adaptive");
            }
            _ => {
                out.plain("adaptive");
            }
        }
        out.end_object();
    }
    let schema = match &prompt.form {
        Form::Schema { schema, .. } => Some(schema),
        Form::Text | Form::Json => None,
    };
    if level.is_some() || schema.is_some() {
        out.key("output_config").object();
        if let Some(level) = level {
            out.key("effort").plain(match level {
                Effort::Minimal | Effort::Low => "low",
                Effort::Medium => "medium",
                Effort::High => "high",
                Effort::Max => "max",
            });
        }
        if let Some(schema) = schema {
            out.key("format").object().key("type").plain("json_schema");
            schema::write(schema, out.key("schema"))?;
            out.end_object();
        }
        out.end_object();
    }
    Ok(thinks)
}

/// The budget of a level: at least what the vendor takes, and below the limit of the whole answer.
fn budget(reasoning: Reasoning, limit: u64) -> Result<u64, Uncarried> {
    let wanted = match reasoning {
        Reasoning::Budget(tokens) => tokens,
        Reasoning::Effort(Effort::Minimal | Effort::Low) => 2_048,
        Reasoning::Effort(Effort::High) => 16_384,
        Reasoning::Effort(Effort::Max) => 24_576,
        _ => 8_192,
    };
    if limit <= LEAST_BUDGET {
        let why = "the target thinks with at least 1024 tokens, which must be fewer than the output limit";
        return Err(Uncarried::new("thinking within so low an output limit", why));
    }
    // Half of a tight limit is left for words.
    Ok(wanted.min((limit / 2).max(LEAST_BUDGET)).max(LEAST_BUDGET))
}

fn sampling(prompt: &Prompt<'_>, model: &str, thinks: bool, out: &mut Out) -> Result<(), Uncarried> {
    let sampling = &prompt.sampling;
    let taken = models::takes_sampling(model) && !thinks;
    if taken {
        if let Some(temperature) = &sampling.temperature {
            // The scale ends at 1 here and at 2 elsewhere; the nearest that can be asked for is asked for.
            let hot = temperature.raw().parse::<f64>().is_ok_and(|t| t > 1.0);
            out.key("temperature").raw(if hot { "1.0" } else { temperature.raw() });
        }
        let alone = sampling.temperature.is_none() || models::takes_both(model);
        if let (Some(top_p), true) = (&sampling.top_p, alone) {
            out.key("top_p").json(top_p);
        }
        if let Some(top_k) = &sampling.top_k {
            out.key("top_k").json(top_k);
        }
    }
    for (key, value) in
        [("frequency_penalty", &sampling.frequency_penalty), ("presence_penalty", &sampling.presence_penalty)]
    {
        if let Some(value) = value
            && !fields::neutral(key, value)
        {
            return Err(Uncarried::new(key, "the target's dialect has no penalties"));
        }
    }
    if sampling.stop.iter().any(Text::is_blank) {
        return Err(Uncarried::new("a stop sequence of white space", "the target refuses it"));
    }
    if !sampling.stop.is_empty() {
        out.key("stop_sequences").array();
        for stop in &sampling.stop {
            out.text(stop);
        }
        out.end_array();
    }
    Ok(())
}
