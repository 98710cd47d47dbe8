//! A conversation written in a dialect and read back is the same conversation, alone and through both dialects.

#![allow(clippy::unwrap_used)]

mod support;

use model::{
    Dialect, Form, Json, Media, Operation, Part, Prompt, Role, Sampling, Text, Tool, ToolChoice, Turn,
};
use proptest::prelude::*;
use support::BOTH;
use wire::dialect::Target;

/// Words that are not blank and do not end in white space, so that no dialect has a reason to touch them.
fn words() -> impl Strategy<Value = Text<'static>> {
    "[a-z\"\\\\\n\u{e9}\u{1f600}\u{2028}]{0,12}[a-z]".prop_map(|s| Text::plain(&s))
}

fn name() -> impl Strategy<Value = Text<'static>> {
    "[a-zA-Z0-9_-]{1,20}".prop_map(|s| Text::plain(&s))
}

fn object() -> impl Strategy<Value = Json<'static>> {
    prop::collection::btree_map("[a-z]{1,5}", ".{0,8}", 0..3)
        .prop_map(|map| Json::checked(serde_json::to_string(&map).unwrap()))
}

/// A schema that every vendor's structured outputs take; what they lack is moved into words, which is no round trip.
fn schema() -> impl Strategy<Value = Json<'static>> {
    prop::collection::btree_map("[a-zA-Z\"]{1,9}", ".{0,8}", 0..3).prop_map(|fields| {
        let fields: serde_json::Map<_, _> = fields
            .into_iter()
            .map(|(name, described)| (name, serde_json::json!({"type": "string", "description": described})))
            .collect();
        let fields = serde_json::to_string(&fields).unwrap();
        Json::checked(format!(
            r#"{{"type":"object","properties":{fields},"required":[],"additionalProperties":false}}"#
        ))
    })
}

fn said() -> impl Strategy<Value = Part<'static>> {
    let image = "[A-Za-z0-9+/]{4,12}".prop_map(|data| Part::Image {
        source: Media::Inline { mime: Text::plain("image/png"), data: Text::plain(&data) },
        detail: None,
    });
    let url = "[a-z]{1,8}".prop_map(|path| Part::Image {
        source: Media::Url(Text::plain(&format!("https://x.example/{path}"))),
        detail: None,
    });
    prop_oneof![3 => words().prop_map(Part::Text), 1 => image, 1 => url]
}

/// What the person says, what the model answers, which tools it calls and what they return.
type Exchange = (Vec<Part<'static>>, Text<'static>, Vec<(Text<'static>, Json<'static>, Text<'static>)>);

fn exchange() -> impl Strategy<Value = Exchange> {
    let call = (name(), object(), words());
    (prop::collection::vec(said(), 1..4), words(), prop::collection::vec(call, 0..3))
}

fn turn(role: Role, parts: Vec<Part<'static>>) -> Turn<'static> {
    Turn { role, name: None, parts }
}

fn conversation(
    system: Option<Text<'static>>,
    exchanges: Vec<Exchange>,
    last: Text<'static>,
) -> Vec<Turn<'static>> {
    let mut turns: Vec<Turn<'static>> =
        system.into_iter().map(|text| turn(Role::System, vec![Part::Text(text)])).collect();
    let mut number = 0;
    for (asked, answer, calls) in exchanges {
        turns.push(turn(Role::User, asked));
        let (mut spoken, mut results) = (vec![Part::Text(answer)], Vec::new());
        for (name, arguments, result) in calls {
            number += 1;
            let id = Text::plain(&format!("call_{number}"));
            spoken.push(Part::ToolCall { id: id.clone(), name, arguments });
            results.push(Part::ToolResult {
                id,
                name: None,
                content: vec![Part::Text(result)],
                error: false,
            });
        }
        turns.push(turn(Role::Assistant, spoken));
        if !results.is_empty() {
            turns.push(turn(Role::User, results));
        }
    }
    turns.push(turn(Role::User, vec![Part::Text(last)]));
    turns
}

prop_compose! {
    fn prompt()(
        system in prop::option::of(words()),
        exchanges in prop::collection::vec(exchange(), 0..4),
        last in words(),
        tools in prop::collection::vec((name(), prop::option::of(words()), object()), 0..3),
        choice in prop::option::of(0..4u8),
        parallel in prop::option::of(any::<bool>()),
        schema in prop::option::of(schema()),
        limit in 1..100_000u64,
        temperature in prop::option::of(0..10u8),
        stop in prop::collection::vec(words(), 0..4),
        stream: bool,
        user in prop::option::of(words()),
    ) -> Prompt<'static> {
        let tools: Vec<Tool<'static>> = tools
            .into_iter()
            .map(|(name, description, schema)| Tool { name, description, schema: Some(schema), strict: None, cache_mark: false })
            .collect();
        let choice = choice.filter(|_| !tools.is_empty()).map(|n| match n {
            0 => ToolChoice::Auto,
            1 => ToolChoice::Never,
            2 => ToolChoice::Any,
            _ => ToolChoice::Named(tools[0].name.clone()),
        });
        Prompt {
            turns: conversation(system, exchanges, last),
            // The other dialect says the number of calls beside the choice; alone it stands for the default choice.
            parallel_tools: parallel.filter(|_| choice.as_ref().is_some_and(|c| *c != ToolChoice::Never)),
            tool_choice: choice,
            tools,
            form: schema.map_or(Form::Text, |schema| {
                Form::Schema { name: Some(Text::plain("answer")), description: None, schema, strict: Some(true) }
            }),
            sampling: Sampling {
                max_output: Some(limit),
                temperature: temperature.map(|t| Json::checked(format!("0.{t}"))),
                stop,
                ..Sampling::default()
            },
            stream,
            user,
            ..Prompt::default()
        }
    }
}

/// The same conversation in one spelling: equal roles merged, nothing that only says where it was read.
fn plain(mut prompt: Prompt<'_>) -> Prompt<'_> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for turn in prompt.turns.drain(..) {
        match turns.last_mut() {
            Some(last) if last.role == turn.role => last.parts.extend(turn.parts),
            _ => turns.push(turn),
        }
    }
    if let Form::Schema { name, .. } = &mut prompt.form {
        *name = Some(Text::plain("answer"));
    }
    Prompt { turns, said_in: None, stream_usage: false, model: "m".into(), ..prompt }
}

fn written(dialect: Dialect, prompt: &Prompt<'_>) -> Vec<u8> {
    let row = if dialect == Dialect::OpenAi { wire::row("openai") } else { wire::row("anthropic") };
    let target = Target { row: row.unwrap(), model: "m", operation: Operation::Chat };
    wire::write(dialect, prompt, target).unwrap()
}

proptest! {
    #[test]
    fn what_is_written_in_a_dialect_reads_back_the_same(prompt in prompt()) {
        for dialect in BOTH {
            let bytes = written(dialect, &prompt);
            let back = wire::read(dialect, &bytes).unwrap();
            prop_assert_eq!(plain(back), plain(prompt.clone()), "{}", dialect);
        }
    }

    #[test]
    fn what_goes_through_both_dialects_reads_back_the_same(prompt in prompt()) {
        for (first, second) in [(BOTH[0], BOTH[1]), (BOTH[1], BOTH[0])] {
            let bytes = written(first, &prompt);
            let bytes = written(second, &wire::read(first, &bytes).unwrap());
            let back = wire::read(second, &bytes).unwrap();
            prop_assert_eq!(plain(back), plain(prompt.clone()), "{} then {}", first, second);
        }
    }

    #[test]
    fn what_is_written_passes_the_glance_of_its_dialect(prompt in prompt()) {
        for dialect in BOTH {
            let bytes = written(dialect, &prompt);
            let glance = wire::glance(dialect, Operation::Chat, &bytes).unwrap();
            prop_assert_eq!(glance.model.as_ref(), "m");
            prop_assert_eq!(glance.stream, prompt.stream);
            prop_assert_eq!(glance.max_output, prompt.sampling.max_output);
        }
    }
}
