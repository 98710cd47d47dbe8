//! Requests, read into the neutral form.

use super::blocks;
use crate::json::{Kind, Reader};
use crate::unread::{Unread, invalid};
use model::{Dialect, Effort, Form, Problem, Prompt, Reasoning, Role, Text, Tool, ToolChoice, Turn};
use std::borrow::Cow;

pub(super) fn read(body: &str) -> Result<Prompt<'_>, Problem> {
    let said_in = Some(Dialect::Anthropic);
    let mut prompt = Prompt { said_in, stream_usage: true, ..Prompt::default() };
    let mut late = Late::default();
    let mut reader = Reader::new(body);
    walk(&mut reader, &mut prompt, &mut late)?;
    if let Some(system) = late.system {
        prompt.turns.insert(0, system);
    }
    prompt.reasoning = match (late.thinking, late.effort) {
        // A level without a word on thinking steers it as well; an explicit switch or budget stands.
        (None | Some(Reasoning::Adaptive), Some(effort)) => Some(Reasoning::Effort(effort)),
        (thinking, _) => thinking,
    };
    Ok(prompt)
}

/// What can be placed only when the whole body has been read.
#[derive(Default)]
struct Late<'a> {
    system: Option<Turn<'a>>,
    thinking: Option<Reasoning>,
    effort: Option<Effort>,
}

fn walk<'a>(r: &mut Reader<'a>, prompt: &mut Prompt<'a>, late: &mut Late<'a>) -> Result<(), Unread> {
    r.object(|key, r| if r.kind()? == Kind::Null { Ok(()) } else { field(key, r, prompt, late) })?;
    Ok(r.end()?)
}

fn field<'a>(
    key: &str,
    r: &mut Reader<'a>,
    prompt: &mut Prompt<'a>,
    late: &mut Late<'a>,
) -> Result<(), Unread> {
    let sampling = &mut prompt.sampling;
    match key {
        "model" => prompt.model = Cow::Owned(r.text()?.decode().into_owned()),
        "system" => {
            let parts = blocks::content(r)?;
            late.system = (!parts.is_empty()).then_some(Turn { role: Role::System, name: None, parts });
        }
        "messages" => r.array(|index, r| {
            prompt.turns.push(message(index, r)?);
            Ok::<_, Unread>(())
        })?,
        "max_tokens" => sampling.max_output = r.count_or_null()?,
        "temperature" => sampling.temperature = Some(r.json()?),
        "top_p" => sampling.top_p = Some(r.json()?),
        "top_k" => sampling.top_k = Some(r.json()?),
        "stop_sequences" => r.array(|_, r| {
            sampling.stop.push(r.text()?);
            Ok::<_, Unread>(())
        })?,
        "tools" => r.array(|index, r| {
            prompt.tools.push(tool(index, r)?);
            Ok::<_, Unread>(())
        })?,
        "tool_choice" => tool_choice(r, prompt)?,
        "thinking" => late.thinking = thinking(r)?,
        "output_config" => r.object(|key, r| {
            match key {
                "effort" => late.effort = r.text_or_null()?.as_ref().and_then(effort),
                "format" if r.kind()? == Kind::Object => prompt.form = form(r)?,
                _ => {}
            }
            Ok::<_, Unread>(())
        })?,
        "output_format" if r.kind()? == Kind::Object => prompt.form = form(r)?,
        "metadata" if r.kind()? == Kind::Object => r.object(|key, r| {
            if key == "user_id" {
                prompt.user = r.text_or_null()?;
            }
            Ok::<_, Unread>(())
        })?,
        "stream" => prompt.stream = r.bool_or_null()? == Some(true),
        _ => prompt.extras.push((Cow::Owned(key.to_owned()), r.json()?)),
    }
    Ok(())
}

fn message<'a>(index: usize, r: &mut Reader<'a>) -> Result<Turn<'a>, Unread> {
    let (mut role, mut parts) = ("", Vec::new());
    r.object(|key, r| {
        match key {
            "role" => role = r.string()?,
            "content" => parts = blocks::content(r)?,
            _ => {}
        }
        Ok::<_, Unread>(())
    })?;
    let role = match role {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        other => {
            let what = format!("`{other}` is not a role; use user, assistant or system.");
            return Err(invalid(format!("messages[{index}].role"), what));
        }
    };
    Ok(Turn { role, name: None, parts })
}

fn tool<'a>(index: usize, r: &mut Reader<'a>) -> Result<Tool<'a>, Unread> {
    let mut tool =
        Tool { name: Text::default(), description: None, schema: None, strict: None, cache_mark: false };
    let mut kind = "custom";
    r.object(|key, r| {
        match key {
            "type" if r.kind()? == Kind::String => kind = r.string()?,
            "name" => tool.name = r.text()?,
            "description" => tool.description = r.text_or_null()?,
            "input_schema" if r.kind()? == Kind::Object => tool.schema = Some(r.json()?),
            "strict" => tool.strict = r.bool_or_null()?,
            "cache_control" => tool.cache_mark = r.kind()? != Kind::Null,
            _ => {}
        }
        Ok::<_, Unread>(())
    })?;
    if kind != "custom" {
        let what = format!("A tool of type `{kind}` runs at its vendor and cannot be carried to another.");
        return Err(invalid(format!("tools[{index}]"), what));
    }
    if tool.name.is_empty() {
        return Err(invalid(format!("tools[{index}].name"), "A tool must have a name."));
    }
    Ok(tool)
}

fn tool_choice<'a>(r: &mut Reader<'a>, prompt: &mut Prompt<'a>) -> Result<(), Unread> {
    let (mut kind, mut name, mut single) = ("", None, None);
    r.object(|key, r| {
        match key {
            "type" => kind = r.string()?,
            "name" => name = r.text_or_null()?,
            "disable_parallel_tool_use" => single = r.bool_or_null()?,
            _ => {}
        }
        Ok::<_, Unread>(())
    })?;
    prompt.parallel_tools = single.map(|single| !single);
    prompt.tool_choice = Some(match (kind, name) {
        ("auto", _) => ToolChoice::Auto,
        ("none", _) => ToolChoice::Never,
        ("any", _) => ToolChoice::Any,
        ("tool", Some(name)) => ToolChoice::Named(name),
        _ => {
            return Err(invalid("tool_choice", format!("`tool_choice` of type `{kind}` cannot be carried.")));
        }
    });
    Ok(())
}

fn thinking(r: &mut Reader<'_>) -> Result<Option<Reasoning>, Unread> {
    let (mut kind, mut budget) = ("", None);
    r.object(|key, r| {
        match key {
            "type" => kind = r.string()?,
            "budget_tokens" => budget = r.count_or_null()?,
            _ => {}
        }
        Ok::<_, Unread>(())
    })?;
    match (kind, budget) {
        ("enabled", Some(budget)) => Ok(Some(Reasoning::Budget(budget))),
        ("adaptive" | "between_tools", _) => Ok(Some(Reasoning::Adaptive)),
        ("disabled", _) => Ok(Some(Reasoning::Off)),
        _ => Err(invalid("thinking", format!("`thinking` of type `{kind}` cannot be carried."))),
    }
}

fn effort(name: &Text<'_>) -> Option<Effort> {
    match name.raw() {
        "low" => Some(Effort::Low),
        "medium" => Some(Effort::Medium),
        "high" => Some(Effort::High),
        "xhigh" | "max" => Some(Effort::Max),
        _ => None,
    }
}

fn form<'a>(r: &mut Reader<'a>) -> Result<Form<'a>, Unread> {
    let (mut kind, mut schema) = ("", None);
    r.object(|key, r| {
        match key {
            "type" => kind = r.string()?,
            "schema" if r.kind()? == Kind::Object => schema = Some(r.json()?),
            _ => {}
        }
        Ok::<_, Unread>(())
    })?;
    match (kind, schema) {
        ("json_schema", Some(schema)) => {
            Ok(Form::Schema { name: None, description: None, schema, strict: Some(true) })
        }
        _ => Err(invalid("output_config.format", format!("A format of type `{kind}` cannot be carried."))),
    }
}
