//! Requests, read into the neutral form.

use super::parts;
use crate::json::{Kind, Reader};
use crate::unread::{Unread, invalid};
use model::{
    Dialect, Effort, Form, Json, Part, Problem, Prompt, Reasoning, Role, Text, Tool, ToolChoice, Turn,
};
use std::borrow::Cow;

pub(super) fn read(body: &str) -> Result<Prompt<'_>, Problem> {
    let mut prompt = Prompt { said_in: Some(Dialect::OpenAi), ..Prompt::default() };
    let mut reader = Reader::new(body);
    walk(&mut reader, &mut prompt)?;
    Ok(prompt)
}

fn walk<'a>(r: &mut Reader<'a>, prompt: &mut Prompt<'a>) -> Result<(), Unread> {
    r.object(|key, r| {
        // Null is the same as absent for every field of the dialect.
        if r.kind()? == Kind::Null { Ok(()) } else { field(key, r, prompt) }
    })?;
    Ok(r.end()?)
}

fn field<'a>(key: &str, r: &mut Reader<'a>, prompt: &mut Prompt<'a>) -> Result<(), Unread> {
    let sampling = &mut prompt.sampling;
    match key {
        "model" => prompt.model = Cow::Owned(r.text()?.decode().into_owned()),
        "messages" => r.array(|index, r| message(index, r, &mut prompt.turns))?,
        "tools" => r.array(|index, r| {
            prompt.tools.push(tool(index, r)?);
            Ok::<_, Unread>(())
        })?,
        "tool_choice" => prompt.tool_choice = Some(tool_choice(r)?),
        "parallel_tool_calls" => prompt.parallel_tools = r.bool_or_null()?,
        "response_format" => prompt.form = form(r)?,
        "max_tokens" | "max_completion_tokens" => {
            sampling.max_output = sampling.max_output.max(r.count_or_null()?)
        }
        "temperature" => sampling.temperature = Some(r.json()?),
        "top_p" => sampling.top_p = Some(r.json()?),
        "top_k" => sampling.top_k = Some(r.json()?),
        "seed" => sampling.seed = Some(r.json()?),
        "frequency_penalty" => sampling.frequency_penalty = Some(r.json()?),
        "presence_penalty" => sampling.presence_penalty = Some(r.json()?),
        "stop" => match r.kind()? {
            Kind::String => sampling.stop.push(r.text()?),
            _ => r.array(|_, r| {
                sampling.stop.push(r.text()?);
                Ok::<_, Unread>(())
            })?,
        },
        "reasoning_effort" => prompt.reasoning = Some(effort(&r.text()?)?),
        "reasoning" if r.kind()? == Kind::Object => prompt.reasoning = reasoning(r)?.or(prompt.reasoning),
        "stream" => prompt.stream = r.bool_or_null()? == Some(true),
        "stream_options" => r.object(|key, r| {
            if key == "include_usage" {
                prompt.stream_usage = r.bool_or_null()? == Some(true);
            }
            Ok::<_, Unread>(())
        })?,
        "user" => prompt.user = Some(r.text()?),
        _ => prompt.extras.push((Cow::Owned(key.to_owned()), r.json()?)),
    }
    Ok(())
}

/// One message as it stands, before its role says what it is.
#[derive(Default)]
struct Message<'a> {
    role: &'a str,
    name: Option<Text<'a>>,
    content: Vec<Part<'a>>,
    refusal: Option<Text<'a>>,
    thinking: Vec<Part<'a>>,
    plain_thinking: Option<Text<'a>>,
    calls: Vec<Part<'a>>,
    answers: Option<Text<'a>>,
}

fn message<'a>(index: usize, r: &mut Reader<'a>, turns: &mut Vec<Turn<'a>>) -> Result<(), Unread> {
    let mut m = Message::default();
    r.object(|key, r| {
        if r.kind()? == Kind::Null {
            return Ok::<_, Unread>(());
        }
        match key {
            "role" => m.role = r.string()?,
            "name" => m.name = Some(r.text()?),
            "content" if r.kind()? == Kind::String => m.content.push(Part::Text(r.text()?)),
            "content" => r.array(|_, r| parts::content(r, &mut m.content))?,
            "refusal" => m.refusal = Some(r.text()?),
            "reasoning_content" | "reasoning" if r.kind()? == Kind::String => {
                m.plain_thinking = Some(r.text()?)
            }
            "reasoning_details" if r.kind()? == Kind::Array => m.thinking = parts::reasoning_details(r)?,
            "tool_calls" => r.array(|call, r| {
                let place = || format!("messages[{index}].tool_calls[{call}].function.arguments");
                m.calls.push(parts::call(r, &place)?);
                Ok::<_, Unread>(())
            })?,
            "tool_call_id" => m.answers = Some(r.text()?),
            "function_call" | "audio" => {
                m.content.push(Part::Opaque { kind: Cow::Owned(key.to_owned()), json: r.json()? });
            }
            _ => {}
        }
        Ok(())
    })?;
    let role = match m.role {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => return tool_result(index, m, turns),
        "function" => Role::User,
        role => {
            let what = format!("`{role}` is not a role; use developer, system, user, assistant or tool.");
            return Err(invalid(format!("messages[{index}].role"), what));
        }
    };
    let mut said = m.thinking;
    if let (true, Some(text)) = (said.is_empty(), m.plain_thinking) {
        said.push(Part::Reasoning { text, signature: None });
    }
    if m.role == "function" {
        // The result form of the calls before tools; only this dialect ever had it.
        let json = Json::checked("{}");
        said.push(Part::Opaque { kind: Cow::Borrowed("function message"), json });
    }
    said.append(&mut m.content);
    said.extend(m.refusal.map(Part::Refusal));
    said.append(&mut m.calls);
    turns.push(Turn { role, name: m.name, parts: said });
    Ok(())
}

/// The answer of a tool: a part of a user's turn, together with the answers beside it.
fn tool_result<'a>(index: usize, m: Message<'a>, turns: &mut Vec<Turn<'a>>) -> Result<(), Unread> {
    let Some(id) = m.answers else {
        let field = format!("messages[{index}].tool_call_id");
        return Err(invalid(field, "A tool message must name the call it answers."));
    };
    let result = Part::ToolResult { id, name: m.name, content: m.content, error: false };
    let beside = turns
        .last_mut()
        .filter(|turn| turn.role == Role::User && matches!(turn.parts.last(), Some(Part::ToolResult { .. })));
    match beside {
        Some(turn) => turn.parts.push(result),
        None => turns.push(Turn { role: Role::User, name: None, parts: vec![result] }),
    }
    Ok(())
}

fn tool<'a>(index: usize, r: &mut Reader<'a>) -> Result<Tool<'a>, Unread> {
    let mut tool =
        Tool { name: Text::default(), description: None, schema: None, strict: None, cache_mark: false };
    let mut kind = "function";
    r.object(|key, r| {
        match key {
            "type" => kind = r.string()?,
            "cache_control" => tool.cache_mark = r.kind()? != Kind::Null,
            "function" => r.object(|key, r| {
                match key {
                    "name" => tool.name = r.text()?,
                    "description" => tool.description = r.text_or_null()?,
                    "parameters" if r.kind()? == Kind::Object => tool.schema = Some(r.json()?),
                    "strict" => tool.strict = r.bool_or_null()?,
                    _ => {}
                }
                Ok::<_, Unread>(())
            })?,
            _ => {}
        }
        Ok::<_, Unread>(())
    })?;
    if kind != "function" {
        let what = format!("A tool of type `{kind}` cannot be carried to another dialect.");
        return Err(invalid(format!("tools[{index}]"), what));
    }
    if tool.name.is_empty() {
        return Err(invalid(format!("tools[{index}].function.name"), "A tool must have a name."));
    }
    Ok(tool)
}

fn tool_choice<'a>(r: &mut Reader<'a>) -> Result<ToolChoice<'a>, Unread> {
    let bad = |what: &str| invalid("tool_choice", format!("`tool_choice` {what} cannot be carried."));
    if r.kind()? == Kind::String {
        return match r.string()? {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::Never),
            "required" | "any" => Ok(ToolChoice::Any),
            other => Err(bad(other)),
        };
    }
    let (mut kind, mut name) = ("", None);
    r.object(|key, r| {
        match key {
            "type" => kind = r.string()?,
            "function" => r.object(|key, r| {
                if key == "name" {
                    name = Some(r.text()?);
                }
                Ok::<_, Unread>(())
            })?,
            _ => {}
        }
        Ok::<_, Unread>(())
    })?;
    match (kind, name) {
        ("function", Some(name)) => Ok(ToolChoice::Named(name)),
        _ => Err(bad(&format!("of type `{kind}`"))),
    }
}

fn form<'a>(r: &mut Reader<'a>) -> Result<Form<'a>, Unread> {
    let (mut kind, mut name, mut description, mut schema, mut strict) = ("text", None, None, None, None);
    r.object(|key, r| {
        match key {
            "type" => kind = r.string()?,
            "json_schema" => r.object(|key, r| {
                match key {
                    "name" => name = r.text_or_null()?,
                    "description" => description = r.text_or_null()?,
                    "schema" if r.kind()? == Kind::Object => schema = Some(r.json()?),
                    "strict" => strict = r.bool_or_null()?,
                    _ => {}
                }
                Ok::<_, Unread>(())
            })?,
            _ => {}
        }
        Ok::<_, Unread>(())
    })?;
    match (kind, schema) {
        ("text", _) => Ok(Form::Text),
        ("json_object", _) => Ok(Form::Json),
        ("json_schema", Some(schema)) => Ok(Form::Schema { name, description, schema, strict }),
        ("json_schema", None) => Err(invalid("response_format.json_schema.schema", "The schema is missing.")),
        _ => Err(invalid("response_format.type", format!("`{kind}` is not a response format."))),
    }
}

/// A level of thinking by its name.
fn effort(name: &Text<'_>) -> Result<Reasoning, Unread> {
    Ok(match name.raw() {
        "none" => Reasoning::Off,
        "minimal" => Reasoning::Effort(Effort::Minimal),
        "low" => Reasoning::Effort(Effort::Low),
        "medium" => Reasoning::Effort(Effort::Medium),
        "high" => Reasoning::Effort(Effort::High),
        "xhigh" | "max" => Reasoning::Effort(Effort::Max),
        other => {
            let what = format!("`{other}` is not a reasoning effort; use minimal, low, medium, high or max.");
            return Err(invalid("reasoning_effort", what));
        }
    })
}

/// OpenRouter's `reasoning` object.
fn reasoning(r: &mut Reader<'_>) -> Result<Option<Reasoning>, Unread> {
    let mut found = None;
    r.object(|key, r| {
        match key {
            "effort" if r.kind()? == Kind::String => found = Some(effort(&r.text()?)?),
            "max_tokens" => found = r.count_or_null()?.map(Reasoning::Budget).or(found),
            "enabled" => match r.bool_or_null()? {
                Some(false) => found = Some(Reasoning::Off),
                Some(true) => found = found.or(Some(Reasoning::Adaptive)),
                None => {}
            },
            _ => {}
        }
        Ok::<_, Unread>(())
    })?;
    Ok(found)
}
