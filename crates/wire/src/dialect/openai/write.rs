//! Requests, written from the neutral form.

use super::turns;
use crate::dialect::Target;
use crate::fields;
use crate::json::Out;
use crate::providers::{OpenAiFacts, ReasoningField};
use crate::send::Uncarried;
use model::{Dialect, Effort, Form, Operation, Prompt, Reasoning, Tool, ToolChoice};

/// Longest name of a tool that the vendors take.
const LONGEST_NAME: usize = 64;

pub(super) fn write(prompt: &Prompt<'_>, target: Target<'_>) -> Result<Vec<u8>, Uncarried> {
    if target.operation == Operation::CountTokens {
        return Err(Uncarried::new("the request", "the target's dialect has no counting of tokens"));
    }
    let facts = &target.row.openai;
    let mut out = Out::with_capacity(1024);
    out.object().key("model").plain(target.model);
    out.key("messages");
    turns::write(prompt, facts, &mut out)?;
    tools(prompt, &mut out)?;
    form(&prompt.form, facts, &mut out)?;
    sampling(prompt, target, &mut out)?;
    if let Some(reasoning) = prompt.reasoning {
        thinking(reasoning, facts, &mut out)?;
    }
    if prompt.stream {
        out.key("stream").bool(true);
        if facts.stream_options {
            // Always asked for: the ledger needs it whether the client does or not.
            out.key("stream_options").object().key("include_usage").bool(true).end_object();
        }
    }
    if let (Some(user), true) = (&prompt.user, facts.user) {
        out.key("user").text(user);
    }
    extras(prompt, &mut out)?;
    out.end_object();
    Ok(out.finish())
}

fn tools(prompt: &Prompt<'_>, out: &mut Out) -> Result<(), Uncarried> {
    if !prompt.tools.is_empty() {
        out.key("tools").array();
        for tool in &prompt.tools {
            write_tool(tool, out)?;
        }
        out.end_array();
    }
    if let Some(choice) = &prompt.tool_choice {
        out.key("tool_choice");
        match choice {
            ToolChoice::Auto => out.plain("auto"),
            ToolChoice::Never => out.plain("none"),
            ToolChoice::Any => out.plain("required"),
            ToolChoice::Named(name) => {
                out.object().key("type").plain("function").key("function").object();
                out.key("name").text(name).end_object().end_object()
            }
        };
    }
    if let (Some(parallel), false) = (prompt.parallel_tools, prompt.tools.is_empty()) {
        out.key("parallel_tool_calls").bool(parallel);
    }
    Ok(())
}

fn write_tool(tool: &Tool<'_>, out: &mut Out) -> Result<(), Uncarried> {
    if tool.name.raw().len() > LONGEST_NAME {
        let part = format!("the tool `{}`", tool.name.decode());
        return Err(Uncarried::new(part, "the target takes names of at most 64 characters"));
    }
    out.object().key("type").plain("function").key("function").object().key("name").text(&tool.name);
    if let Some(description) = &tool.description {
        out.key("description").text(description);
    }
    if let Some(schema) = &tool.schema {
        out.key("parameters").json(schema);
    }
    if let Some(strict) = tool.strict {
        out.key("strict").bool(strict);
    }
    out.end_object().end_object();
    Ok(())
}

fn form(form: &Form<'_>, facts: &OpenAiFacts, out: &mut Out) -> Result<(), Uncarried> {
    match form {
        Form::Text => {}
        Form::Json => {
            out.key("response_format").object().key("type").plain("json_object").end_object();
        }
        Form::Schema { .. } if !facts.json_schema => {
            return Err(Uncarried::new("the response schema", "the target takes none"));
        }
        Form::Schema { name, description, schema, strict } => {
            out.key("response_format").object().key("type").plain("json_schema").key("json_schema").object();
            out.key("name");
            match name {
                Some(name) => out.text(name),
                None => out.plain("answer"),
            };
            if let Some(description) = description {
                out.key("description").text(description);
            }
            out.key("schema").json(schema);
            if let Some(strict) = strict {
                out.key("strict").bool(*strict);
            }
            out.end_object().end_object();
        }
    }
    Ok(())
}

fn sampling(prompt: &Prompt<'_>, target: Target<'_>, out: &mut Out) -> Result<(), Uncarried> {
    let (sampling, facts) = (&prompt.sampling, &target.row.openai);
    if let Some(limit) = sampling.max_output {
        out.key(facts.limit_field).count(limit);
    }
    let plain = !refuses_sampling(target.model);
    for (key, value, taken) in [
        ("temperature", &sampling.temperature, plain),
        ("top_p", &sampling.top_p, plain),
        ("top_k", &sampling.top_k, facts.top_k),
        ("seed", &sampling.seed, true),
        ("frequency_penalty", &sampling.frequency_penalty, plain),
        ("presence_penalty", &sampling.presence_penalty, plain),
    ] {
        let Some(value) = value else { continue };
        if taken {
            out.key(key).json(value);
        } else if !fields::soft(key) && !fields::neutral(key, value) {
            return Err(Uncarried::new(key, "the target's model refuses it"));
        }
    }
    if sampling.stop.len() > facts.stops {
        let why = format!("the target takes {} at most", facts.stops);
        return Err(Uncarried::new(format!("{} stop sequences", sampling.stop.len()), why));
    }
    if !sampling.stop.is_empty() {
        out.key("stop").array();
        for stop in &sampling.stop {
            out.text(stop);
        }
        out.end_array();
    }
    Ok(())
}

/// OpenAI's reasoning models answer 400 to temperatures, `top_p` and penalties.
fn refuses_sampling(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let reasons = ["o1", "o3", "o4", "gpt-5"].iter().any(|family| name.starts_with(family));
    reasons && !name.contains("-chat")
}

fn thinking(reasoning: Reasoning, facts: &OpenAiFacts, out: &mut Out) -> Result<(), Uncarried> {
    let level = match reasoning {
        // The plain default of every model that can go without.
        Reasoning::Off => return Ok(()),
        Reasoning::Adaptive => Effort::Medium,
        Reasoning::Effort(effort) => effort,
        Reasoning::Budget(0..=2_048) => Effort::Low,
        Reasoning::Budget(2_049..=8_192) => Effort::Medium,
        Reasoning::Budget(_) => Effort::High,
    };
    let name = match level {
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Max => "xhigh",
    };
    match (facts.reasoning, reasoning) {
        (ReasoningField::Effort, _) => {
            out.key("reasoning_effort").plain(name);
        }
        (ReasoningField::Object, Reasoning::Budget(tokens)) => {
            out.key("reasoning").object().key("max_tokens").count(tokens).end_object();
        }
        (ReasoningField::Object, _) => {
            out.key("reasoning").object().key("effort").plain(name).end_object();
        }
        (ReasoningField::None, _) => {
            return Err(Uncarried::new("the reasoning level", "the target has no field for it"));
        }
    }
    Ok(())
}

/// Fields without a neutral form: verbatim to their own dialect; to another one only by the table.
fn extras(prompt: &Prompt<'_>, out: &mut Out) -> Result<(), Uncarried> {
    for (key, value) in &prompt.extras {
        if prompt.said_in == Some(Dialect::OpenAi) {
            out.any_key(key).json(value);
        } else if !fields::harmless(key) && !fields::neutral(key, value) {
            return Err(Uncarried::field(key));
        }
    }
    Ok(())
}
