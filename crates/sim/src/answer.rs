//! Answers a request: text, tool calls, JSON or a refusal, and what it costs. Pure; the same request and script give
//! the same answer.
//!
//! Order of what decides: the script's own answer, a forced tool, a tool that the user's words name
//! (`call weather`, `call a and b`, with `no arguments`), the demanded JSON, the tool results to report, prose.
//! Faults that change the content rather than the delivery are applied here as well; the rest is in [`crate::play`].

use crate::ask::{Ask, Choice, Format, Thinking, Tool, tokens};
use crate::fault::Fault;
use crate::prose;
use crate::schema::instance;
use crate::script::Line;
use crate::seed::Dice;
use serde::Serialize;
use serde_json::{Value, json};

/// What the model says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// Reasoning that is sent: text and how.
    pub(crate) thinking: Option<Thought>,
    pub(crate) text: String,
    pub(crate) calls: Vec<Call>,
    pub(crate) refusal: Option<String>,
    pub(crate) stop: Stop,
    pub(crate) usage: Usage,
    /// Usage is told to the client.
    pub(crate) show_usage: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Thought {
    Shown(String),
    Omitted,
    Redacted(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// As it goes on the wire; empty for a call without arguments where that is the custom.
    pub(crate) arguments: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Stop {
    #[default]
    End,
    Length,
    Sequence(String),
    Tools,
    Refusal,
    Filter,
}

/// Tokens as a vendor would bill them. `input` leaves cached tokens out; a dialect adds them where it is its custom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Prompt tokens that came from no cache and went into none.
    pub input: u64,
    /// Answer tokens, reasoning included.
    pub output: u64,
    /// Prompt tokens read from a cache.
    pub cache_read: u64,
    /// Prompt tokens written to a cache.
    pub cache_write: u64,
    /// Part of `output` that was reasoning.
    pub reasoning: u64,
}

/// What decides an answer beside the request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Direction<'a> {
    pub(crate) line: Option<&'a Line>,
    pub(crate) fault: Option<&'a Fault>,
    pub(crate) tokens: usize,
    pub(crate) voice: u64,
    /// The marked prefix was seen before.
    pub(crate) cached: bool,
}

pub(crate) fn compose(ask: &Ask, direction: Direction<'_>) -> Answer {
    let line = direction.line.cloned().unwrap_or_default();
    let mut answer = content(ask, &line, direction);
    answer.show_usage = !matches!(direction.fault, Some(Fault::NoUsage {}));
    answer.thinking = thinking(ask, &line, direction.voice);
    spoil(ask, &mut answer, direction.fault);
    limit(ask, &mut answer, &line, direction.fault);
    answer.usage = usage(ask, &answer, &line, direction.cached);
    answer
}

fn content(ask: &Ask, line: &Line, direction: Direction<'_>) -> Answer {
    if line.text.is_some() || !line.tool_calls.is_empty() {
        return scripted(ask, line);
    }
    let mut dice = Dice::new(Dice::of(&ask.last_user).roll() ^ direction.voice);
    let calls = calls(ask, &mut dice);
    if !calls.is_empty() {
        // A forced call comes without a word; a chosen one is announced where that is the custom.
        let announced = ask.preface && ask.choice == Choice::Auto;
        let text = if announced { format!("I will call {} for that.", calls[0].name) } else { String::new() };
        return Answer { text, calls, stop: Stop::Tools, ..Answer::default() };
    }
    let text = match &ask.format {
        Format::Schema(schema) => instance(schema, &mut dice).to_string(),
        Format::AnyJson => {
            json!({"answer": prose::first_words(&ask.last_user, 8), "confident": true}).to_string()
        }
        Format::Text if !ask.results.is_empty() => prose::report(&ask.results),
        Format::Text => {
            let wanted = line.tokens.unwrap_or(direction.tokens);
            prose::answer(&ask.last_user, wanted, direction.voice)
        }
    };
    Answer { text: continued(text, ask.prefix.as_deref()), ..Answer::default() }
}

fn scripted(ask: &Ask, line: &Line) -> Answer {
    let calls: Vec<_> = line
        .tool_calls
        .iter()
        .map(|c| Call {
            name: c.name.clone(),
            arguments: match &c.arguments {
                Value::String(raw) => raw.clone(),
                Value::Null => no_arguments(ask),
                value => value.to_string(),
            },
        })
        .collect();
    let text = continued(line.text.clone().unwrap_or_default(), ask.prefix.as_deref());
    let stop = if calls.is_empty() { Stop::End } else { Stop::Tools };
    Answer { text, calls, stop, ..Answer::default() }
}

/// What is left of `text` after the words that the assistant already said. A prefix that is not the start of this
/// answer is followed by the whole of it, as by a model that lost the thread.
fn continued(text: String, prefix: Option<&str>) -> String {
    match prefix {
        Some(said) => match text.strip_prefix(said) {
            Some(rest) => rest.to_owned(),
            None => format!(" {text}"),
        },
        None => text,
    }
}

fn calls(ask: &Ask, dice: &mut Dice) -> Vec<Call> {
    let asked = if ask.results.is_empty() { named(&ask.last_user, &ask.tools) } else { Vec::new() };
    let mut chosen: Vec<&Tool> = match &ask.choice {
        Choice::Never => Vec::new(),
        Choice::Auto => asked,
        Choice::Required if asked.is_empty() => ask.tools.first().into_iter().collect(),
        Choice::Required => asked,
        Choice::Named(name) => ask.tools.iter().find(|t| t.name == *name).into_iter().collect(),
    };
    if !ask.parallel {
        chosen.truncate(1);
    }
    let bare = ask.last_user.to_lowercase().contains("no arguments");
    let call = |tool: &Tool, dice: &mut Dice| Call {
        name: tool.name.clone(),
        arguments: match instance(&tool.schema, dice) {
            Value::Object(made) if !bare && !made.is_empty() => Value::Object(made).to_string(),
            _ => no_arguments(ask),
        },
    };
    chosen.into_iter().map(|tool| call(tool, dice)).collect()
}

fn no_arguments(ask: &Ask) -> String {
    if ask.bare_arguments { String::new() } else { "{}".to_owned() }
}

/// The declared tools that `text` asks for: `call` and a name, then further names after `and` or a comma.
fn named<'a>(text: &str, tools: &'a [Tool]) -> Vec<&'a Tool> {
    let mut found = Vec::new();
    let mut listening = false;
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
        if bare.eq_ignore_ascii_case("call") {
            listening = true;
        } else if let Some(tool) = tools.iter().find(|t| listening && t.name == bare) {
            found.push(tool);
        } else if !bare.eq_ignore_ascii_case("and") {
            listening = false;
        }
    }
    found
}

fn thinking(ask: &Ask, line: &Line, voice: u64) -> Option<Thought> {
    const USUAL: u64 = 32;
    if let Some(scripted) = &line.reasoning {
        return Some(if line.redacted {
            Thought::Redacted(scripted.clone())
        } else {
            Thought::Shown(scripted.clone())
        });
    }
    match ask.thinking {
        Thinking::Shown(_) if line.redacted => {
            Some(Thought::Redacted(prose::musing(&ask.last_user, USUAL, voice)))
        }
        Thinking::Shown(most) => Some(Thought::Shown(prose::musing(&ask.last_user, USUAL.min(most), voice))),
        Thinking::Omitted(_) => Some(Thought::Omitted),
        Thinking::Hidden(_) | Thinking::None => None,
    }
}

/// Faults that a model commits in what it says.
fn spoil(ask: &Ask, answer: &mut Answer, fault: Option<&Fault>) {
    let half = |text: &str| text.chars().take(text.chars().count() / 2).collect::<String>();
    match fault {
        Some(Fault::Empty {}) => *answer = Answer { show_usage: answer.show_usage, ..Answer::default() },
        Some(Fault::Refusal {}) => {
            let words = "I'm sorry, but I can't help with that request.".to_owned();
            *answer = Answer {
                refusal: Some(words),
                stop: Stop::Refusal,
                show_usage: answer.show_usage,
                ..Answer::default()
            };
        }
        Some(Fault::ContentFilter {}) => {
            answer.text = half(&answer.text);
            answer.calls.clear();
            answer.stop = Stop::Filter;
        }
        Some(Fault::BadJson { violates }) => {
            let whole = as_json(ask, &answer.text);
            let bad = if *violates { json!({"unexpected": [whole.len()]}).to_string() } else { half(&whole) };
            match answer.calls.last_mut() {
                Some(call) if *violates => call.arguments = bad,
                // The added brace keeps half of `{}`, or of nothing, from being something that reads well.
                Some(call) => call.arguments = half(&call.arguments) + "{\"",
                None => answer.text = bad,
            }
        }
        Some(Fault::FencedJson {}) => {
            answer.text = format!("Here is the result:\n\n```json\n{}\n```\n", as_json(ask, &answer.text));
        }
        _ => {}
    }
}

/// The text if it is JSON by request, else the text wrapped into some.
fn as_json(ask: &Ask, text: &str) -> String {
    match ask.format {
        Format::Text => json!({"answer": text}).to_string(),
        Format::AnyJson | Format::Schema(_) => text.to_owned(),
    }
}

/// Stop sequences, then the length limit. Reasoning counts against the limit, as it does at the vendors.
fn limit(ask: &Ask, answer: &mut Answer, line: &Line, fault: Option<&Fault>) {
    if matches!(answer.stop, Stop::Refusal | Stop::Filter) {
        return;
    }
    let first =
        ask.stop.iter().filter_map(|s| answer.text.find(s.as_str()).map(|at| (at, s))).min_by_key(|f| f.0);
    if let Some((at, sequence)) = first {
        answer.text.truncate(at);
        answer.calls.clear();
        answer.stop = Stop::Sequence(sequence.clone());
    }
    let thought = thought_tokens(ask, answer, line);
    let mut room = ask.max_tokens.map_or(u64::MAX, |most| most.saturating_sub(thought)).saturating_mul(4);
    if matches!(fault, Some(Fault::Truncate {})) {
        let chars = answer.text.chars().count()
            + answer.calls.iter().map(|c| c.arguments.chars().count()).sum::<usize>();
        room = room.min(chars as u64 / 2);
        answer.stop = Stop::Length;
    }
    let mut room = usize::try_from(room).unwrap_or(usize::MAX);
    let mut cut = |text: &mut String| {
        let chars = text.chars().count();
        if chars > room {
            *text = text.chars().take(room).collect();
        }
        let whole = chars <= room;
        room = room.saturating_sub(chars);
        whole
    };
    let mut whole = cut(&mut answer.text);
    let mut kept = 0;
    for call in &mut answer.calls {
        if !whole {
            break;
        }
        whole = cut(&mut call.arguments);
        kept += 1;
    }
    answer.calls.truncate(kept);
    if !whole {
        answer.stop = Stop::Length;
    }
}

fn thought_tokens(ask: &Ask, answer: &Answer, line: &Line) -> u64 {
    line.reasoning_tokens.unwrap_or(match (&answer.thinking, ask.thinking) {
        (Some(Thought::Shown(text) | Thought::Redacted(text)), _) => tokens(text.chars().count()),
        (Some(Thought::Omitted), _) => 32,
        (None, Thinking::Hidden(n)) => n,
        (None, _) => 0,
    })
}

fn usage(ask: &Ask, answer: &Answer, line: &Line, cached: bool) -> Usage {
    let chars = answer.text.chars().count()
        + answer.refusal.as_ref().map_or(0, |r| r.chars().count())
        + answer.calls.iter().map(|c| c.name.chars().count() + c.arguments.chars().count()).sum::<usize>();
    let empty = chars == 0 && answer.thinking.is_none();
    let reasoning = if empty && ask.max_tokens.is_none() { 0 } else { thought_tokens(ask, answer, line) };
    let reasoning = reasoning.min(ask.max_tokens.unwrap_or(u64::MAX));
    let whole = ask.input_tokens();
    let marked = ask.cache_mark.map_or(0, |(_, chars)| tokens(chars)).min(whole);
    let (cache_read, cache_write) = match line.cached_tokens {
        Some(n) => (n.min(whole), 0),
        None if cached => (marked, 0),
        None => (0, marked),
    };
    Usage {
        input: whole - cache_read - cache_write,
        output: (tokens(chars) + reasoning) * ask.n.max(1) as u64,
        cache_read,
        cache_write,
        reasoning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::ToolResult;

    fn ask(last_user: &str, tools: &[&str]) -> Ask {
        let schema =
            json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
        Ask {
            last_user: last_user.to_owned(),
            tools: tools.iter().map(|t| Tool { name: (*t).to_owned(), schema: schema.clone() }).collect(),
            parallel: true,
            n: 1,
            prompt_chars: last_user.len(),
            ..Ask::default()
        }
    }

    fn plain(ask: &Ask) -> Answer {
        compose(ask, Direction { tokens: 40, ..Direction::default() })
    }

    fn names(answer: &Answer) -> Vec<&str> {
        answer.calls.iter().map(|c| c.name.as_str()).collect()
    }

    #[test]
    fn tools_are_called_when_the_user_names_them() {
        let tools = ["weather", "time"];
        assert!(plain(&ask("what is the weather", &tools)).calls.is_empty());
        assert_eq!(names(&plain(&ask("please call weather and time.", &tools))), ["weather", "time"]);
        assert_eq!(names(&plain(&ask("call weather, weather now", &tools))), ["weather", "weather"]);
        assert_eq!(names(&plain(&ask("call nothing", &tools))), Vec::<&str>::new());
        let one = Ask { parallel: false, ..ask("call weather and time", &tools) };
        assert_eq!(names(&plain(&one)), ["weather"]);
        assert_eq!(plain(&ask("call weather with no arguments", &tools)).calls[0].arguments, "{}");
        assert_eq!(plain(&ask("call weather", &tools)).stop, Stop::Tools);
    }

    #[test]
    fn a_forced_tool_is_called_whatever_the_words_and_none_means_none() {
        let forced = Ask { choice: Choice::Named("time".to_owned()), ..ask("hello", &["weather", "time"]) };
        assert_eq!(names(&plain(&forced)), ["time"]);
        let never = Ask { choice: Choice::Never, ..ask("call time", &["time"]) };
        assert!(plain(&never).calls.is_empty());
    }

    #[test]
    fn tool_results_are_quoted_in_their_order() {
        let results = vec![
            ToolResult { tool: "time".to_owned(), text: "noon".to_owned() },
            ToolResult { tool: "time".to_owned(), text: "midnight".to_owned() },
        ];
        let text = plain(&Ask { results, ..ask("call time and time", &["time"]) }).text;
        assert!(text.find("noon").unwrap() < text.find("midnight").unwrap(), "{text}");
    }

    #[test]
    fn limits_and_stop_sequences_end_an_answer() {
        let short = plain(&Ask { max_tokens: Some(5), ..ask("tell me more", &[]) });
        assert_eq!((short.text.chars().count(), short.stop, short.usage.output), (20, Stop::Length, 5));
        let stopped = plain(&Ask { stop: vec!["more".to_owned()], ..ask("tell me more", &[]) });
        assert_eq!(stopped.stop, Stop::Sequence("more".to_owned()));
        assert!(!stopped.text.contains("more"));
    }

    #[test]
    fn hidden_reasoning_counts_against_the_limit_and_in_usage() {
        let thinker = Ask { thinking: Thinking::Hidden(32), max_tokens: Some(16), ..ask("hello there", &[]) };
        let answer = plain(&thinker);
        assert_eq!((answer.text.as_str(), answer.stop), ("", Stop::Length));
        assert_eq!((answer.usage.output, answer.usage.reasoning), (16, 16));
    }

    #[test]
    fn an_unfinished_turn_is_continued_where_it_stopped() {
        let whole = plain(&ask("where is it", &[])).text;
        let (said, rest) = whole.split_at(30);
        let again = plain(&Ask { prefix: Some(said.to_owned()), ..ask("where is it", &[]) });
        assert_eq!(again.text, rest);
    }

    #[test]
    fn content_faults_change_what_is_said() {
        let wanted = Ask {
            format: Format::Schema(json!({"type": "object", "properties": {"a": {"type": "integer"}}})),
            ..ask("hi", &[])
        };
        let with = |fault: Fault| compose(&wanted, Direction { fault: Some(&fault), ..Direction::default() });
        assert!(serde_json::from_str::<Value>(&plain(&wanted).text).is_ok());
        assert!(serde_json::from_str::<Value>(&with(Fault::BadJson { violates: false }).text).is_err());
        assert!(
            serde_json::from_str::<Value>(&with(Fault::BadJson { violates: true }).text).unwrap()["a"]
                .is_null()
        );
        assert!(with(Fault::FencedJson {}).text.contains("```json\n{"));
        assert_eq!(with(Fault::Refusal {}).stop, Stop::Refusal);
        assert_eq!(with(Fault::Empty {}).text, "");
        assert_eq!(with(Fault::Truncate {}).stop, Stop::Length);
    }

    #[test]
    fn cached_tokens_leave_the_plain_input() {
        let marked = Ask { cache_mark: Some((1, 400)), prompt_chars: 1000, ..ask("hi", &[]) };
        let first = plain(&marked).usage;
        assert_eq!((first.input, first.cache_write, first.cache_read), (150, 100, 0));
        let again = compose(&marked, Direction { cached: true, ..Direction::default() }).usage;
        assert_eq!((again.input, again.cache_write, again.cache_read), (150, 0, 100));
    }
}
