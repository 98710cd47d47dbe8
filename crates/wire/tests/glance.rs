//! What one pass over a request shows, and that it agrees with a JSON library on what JSON is.

#![allow(clippy::unwrap_used)]

use model::{Capability, Code, Dialect, Operation};
use proptest::prelude::*;
use serde_json::{Value, json};

const OPENAI: Dialect = Dialect::OpenAi;

fn glance(dialect: Dialect, body: &str) -> Result<wire::Glance<'_>, model::Problem> {
    wire::glance(dialect, Operation::Chat, body.as_bytes())
}

fn refused(body: &str) -> (Code, Option<String>) {
    let problem = glance(OPENAI, body).unwrap_err();
    assert!(!problem.sentence().is_empty());
    (problem.code, problem.field.map(|field| field.into_owned()))
}

#[test]
fn the_fields_that_steer_a_request_are_read() {
    let body = json!({
        "model": "refund-triage", "stream": true, "max_tokens": 10, "max_completion_tokens": 300,
        "stream_options": {"include_usage": true}, "messages": [{"role": "user", "content": "hi"}],
    })
    .to_string();
    let got = glance(OPENAI, &body).unwrap();
    assert_eq!(
        (got.model.as_ref(), got.stream, got.asks_usage, got.max_output),
        ("refund-triage", true, true, Some(300))
    );
    assert!(got.needs.is_empty());
    let body = r#"{"model":"m","stream":null,"max_tokens":null,"messages":[]}"#;
    let got = glance(OPENAI, body).unwrap();
    assert_eq!((got.stream, got.asks_usage, got.max_output), (false, false, None));
    assert!(glance(Dialect::Anthropic, body).unwrap().asks_usage);
}

#[test]
fn needs_are_what_the_bytes_show() {
    let needs = |dialect, extra: Value, content: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": content}]});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let body = body.to_string();
        glance(dialect, &body).unwrap().needs.iter().collect::<Vec<_>>()
    };
    use Capability::{Audio, JsonSchema, Pdf, Reasoning, Tools, Vision};
    let text = || json!("type image_url \"input_audio\"");
    assert_eq!(needs(OPENAI, json!({"tools": []}), text()), []);
    assert_eq!(needs(OPENAI, json!({"tools": [{}]}), text()), [Tools]);
    assert_eq!(
        needs(OPENAI, json!({"response_format": {"json_schema": {}, "type": "json_schema"}}), text()),
        [JsonSchema]
    );
    assert_eq!(needs(OPENAI, json!({"reasoning_effort": "low"}), text()), [Reasoning]);
    assert_eq!(needs(OPENAI, json!({"reasoning_effort": "none"}), text()), []);
    assert_eq!(needs(OPENAI, json!({}), json!([{"image_url": {"url": "x"}, "type": "image_url"}])), [Vision]);
    assert_eq!(needs(OPENAI, json!({}), json!([{"type": "input_audio", "input_audio": {}}])), [Audio]);
    assert_eq!(needs(OPENAI, json!({}), json!([{"type": "file", "file": {}}])), [Pdf]);
    let anthropic = Dialect::Anthropic;
    assert_eq!(needs(anthropic, json!({"thinking": {"type": "enabled"}}), text()), [Reasoning]);
    assert_eq!(needs(anthropic, json!({"thinking": {"type": "disabled"}}), text()), []);
    assert_eq!(needs(anthropic, json!({"output_config": {"format": {}}}), text()), [JsonSchema]);
    assert_eq!(
        needs(anthropic, json!({}), json!([{"type": "document", "source": {"type": "base64"}}])),
        [Pdf]
    );
    assert_eq!(needs(anthropic, json!({}), json!([{"type": "document", "source": {"type": "text"}}])), []);
    let inside = json!([{"type": "tool_result", "content": [{"type": "image", "source": {}}]}]);
    assert_eq!(needs(anthropic, json!({}), inside), [Vision]);
}

#[test]
fn the_estimate_is_a_quarter_of_the_text_and_an_allowance_for_media() {
    let words = "q".repeat(4_000);
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{words}"}}]}}"#);
    let estimate = glance(OPENAI, &body).unwrap().estimated_tokens;
    assert_eq!(estimate, (body.len() as u64).div_ceil(4));
    let wide = body.replace('q', "語");
    assert!(glance(OPENAI, &wide).unwrap().estimated_tokens >= 4_000, "no fewer than a token a character");
    let picture = json!({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "A".repeat(1_000_000))}}]}]});
    let estimate = glance(OPENAI, &picture.to_string()).unwrap().estimated_tokens;
    assert!((2_000..2_100).contains(&estimate), "{estimate}");
}

#[test]
fn a_key_that_stands_twice_or_in_another_case_is_refused_by_name() {
    let ambiguous =
        |body: &str, key: &str| assert_eq!(refused(body), (Code::AmbiguousBody, Some(key.into())));
    ambiguous(r#"{"model":"a","messages":[],"model":"b"}"#, "model");
    ambiguous(r#"{"model":"a","messages":[],"Model":"b"}"#, "Model");
    ambiguous(r#"{"model":"a","messages":[],"mode\u006c":"b"}"#, "model");
    ambiguous(r#"{"model":"a","messages":[],"STREAM":true}"#, "STREAM");
    ambiguous("{\"model\":\"a\",\"messages\":[],\"\u{17f}tream\":true}", "\u{17f}tream");
    ambiguous(r#"{"x_mine":1,"model":"a","messages":[],"x_mine":1}"#, "x_mine");
    // Below the top level a key may stand twice: policy reads nothing there that it decides by.
    assert!(
        glance(OPENAI, r#"{"model":"a","messages":[{"role":"user","role":"user"}],"x":{"a":1,"a":2}}"#)
            .is_ok()
    );
}

#[test]
fn bodies_that_are_no_requests_are_refused_with_the_field_at_fault() {
    let field = |body: &str| {
        let (code, field) = refused(body);
        assert_eq!(code, Code::InvalidRequest, "{body}");
        field
    };
    assert_eq!(field(r#"{"messages":[]}"#).as_deref(), Some("model"));
    assert_eq!(field(r#"{"model":"","messages":[]}"#).as_deref(), Some("model"));
    assert_eq!(field(r#"{"model":" \n","messages":[]}"#).as_deref(), Some("model"));
    assert_eq!(field(r#"{"model":7,"messages":[]}"#).as_deref(), Some("model"));
    assert_eq!(field(r#"{"model":null,"messages":[]}"#).as_deref(), Some("model"));
    assert_eq!(field(r#"{"model":"m"}"#).as_deref(), Some("messages"));
    assert_eq!(field(r#"{"model":"m","messages":{}}"#).as_deref(), Some("messages"));
    assert_eq!(field(r#"{"model":"m","messages":[],"stream":"yes"}"#).as_deref(), Some("stream"));
    assert_eq!(field(r#"{"model":"m","messages":[],"max_tokens":-1}"#).as_deref(), Some("max_tokens"));
    assert_eq!(field(r#"{"model":"m","messages":[],"max_tokens":"9"}"#).as_deref(), Some("max_tokens"));
    for body in [
        "",
        " ",
        "[]",
        "null",
        "{",
        r#"{"model":"m","messages":[]"#,
        r#"{"model":"m","messages":[]}x"#,
        r#"{"model":"m","messages":[]}{}"#,
        r#"{"model":"m","messages":[],}"#,
        r#"{"model":"m","messages":[]},"#,
        r#"{"model":"m","messages":[],"x":["unterminated]}"#,
        r#"{"model":"m","messages":[],"t":NaN}"#,
        r#"{"model":"m","messages":[],"t":01}"#,
        r#"{'model':'m'}"#,
        "{\"model\":\"m\n\",\"messages\":[]}",
        r#"{"model":"m","messages":[],"t":"\x"}"#,
        r#"{"model":"m","messages":[],"t":"\u12g4"}"#,
    ] {
        assert_eq!(field(body), None, "{body}");
    }
    let bad = wire::glance(OPENAI, Operation::Chat, b"{\"model\":\"m\",\"messages\":[],\"x\":\"\xff\"}")
        .unwrap_err();
    assert!(bad.message.contains("UTF-8"));
}

#[test]
fn nesting_beyond_128_levels_is_refused_and_128_is_not() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{"model":"m","messages":[],"x":{open}{close}}}"#)
    };
    assert!(glance(OPENAI, &nested(128)).is_ok());
    assert!(glance(OPENAI, &nested(129)).unwrap_err().message.contains("128"));
    assert!(glance(OPENAI, &nested(100_000)).is_err());
}

#[test]
fn vectors_and_counts_need_no_limit_and_vectors_no_messages() {
    let body = br#"{"model":"m","input":["a"]}"#;
    assert!(wire::glance(OPENAI, Operation::Embed, body).is_ok());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(".{0,12}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_in_an_unknown_field_passes_and_the_model_is_found(value in any_json(), pretty: bool) {
        let body = json!({"zz_mine": value, "model": "m", "messages": []});
        let body = if pretty { serde_json::to_string_pretty(&body).unwrap() } else { body.to_string() };
        let got = glance(OPENAI, &body).unwrap();
        prop_assert_eq!(got.model, "m");
    }

    #[test]
    fn a_damaged_body_is_refused_exactly_when_a_json_library_refuses_it(value in any_json(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut body = json!({"zz_mine": value, "model": "m", "messages": []}).to_string().into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        let library = serde_json::from_slice::<Box<serde_json::value::RawValue>>(&body).is_ok();
        match wire::glance(OPENAI, Operation::Chat, &body) {
            // A lone surrogate is JSON by the grammar; the library checks pairs only where it decodes.
            Ok(_) => prop_assert!(library, "{}", String::from_utf8_lossy(&body)),
            Err(problem) if problem.code == Code::InvalidRequest && problem.field.is_none() => {
                let object = body.trim_ascii_start().first() == Some(&b'{');
                prop_assert!(!library || !object, "{} {}", problem.message, String::from_utf8_lossy(&body));
            }
            // A key that the damage turned into another, or a model that is none any more.
            Err(_) => {}
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = wire::glance(OPENAI, Operation::Chat, &bytes);
    }
}
