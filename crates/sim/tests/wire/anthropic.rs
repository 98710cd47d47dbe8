//! The Anthropic dialect: answers, streams, refusals of bad requests, signed thinking, caching.

use crate::client::{anthropic, request, says, send, start};
use serde_json::{Value, json};

fn tool(name: &str) -> Value {
    json!({"name": name, "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}})
}

fn kinds(events: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = events.iter().filter_map(|e| e["type"].as_str()).collect();
    kinds.dedup();
    kinds
}

#[tokio::test]
async fn a_whole_answer_has_the_vendors_shape_and_headers() {
    let sim = start().await;
    let got = anthropic(&sim, &[], says(json!({"system": "Be brief."}))).await;
    assert!(got.header("request-id").unwrap().starts_with("req_"));
    assert!(got.header("anthropic-ratelimit-requests-reset").unwrap().ends_with('z'));
    let body = got.json();
    assert_eq!((body["type"].as_str(), body["role"].as_str()), (Some("message"), Some("assistant")));
    assert!(body["content"][0]["text"].as_str().unwrap().contains("Where is my order?"));
    assert_eq!((body["stop_reason"].as_str(), &body["stop_sequence"]), (Some("end_turn"), &Value::Null));
    assert_eq!(body["usage"]["input_tokens"], 7, "27 characters");
}

#[tokio::test]
async fn a_stream_opens_pings_speaks_and_stops() {
    let sim = start().await;
    let got = anthropic(&sim, &[], says(json!({"stream": true}))).await;
    let events = got.events();
    assert_eq!(
        kinds(&events),
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    let named: Vec<_> = got.body.lines().filter_map(|l| l.strip_prefix("event: ")).collect();
    assert_eq!(named.len(), events.len(), "every event is named");
    let whole = anthropic(&sim, &[], says(json!({}))).await.json();
    assert_eq!(got.anthropic_text(), whole["content"][0]["text"].as_str().unwrap());
    assert_eq!(events[0]["message"]["usage"]["output_tokens"], 1);
    assert!(events[0]["message"]["stop_reason"].is_null());
    let delta = &events[events.len() - 2];
    assert_eq!(delta["usage"]["output_tokens"], whole["usage"]["output_tokens"]);
}

#[tokio::test]
async fn calls_with_and_without_arguments_stream_as_the_vendor_streams_them() {
    let sim = start().await;
    let ask = |words: &str| {
        says(json!({"stream": true, "tools": [tool("weather")],
                                        "messages": [{"role": "user", "content": words}]}))
    };
    let pieces = |events: &[Value]| -> Vec<String> {
        events.iter().filter_map(|e| e["delta"]["partial_json"].as_str()).map(str::to_owned).collect()
    };
    let full = anthropic(&sim, &[], ask("call weather")).await.events();
    let arguments: Value = serde_json::from_str(&pieces(&full).concat()).unwrap();
    assert!(arguments["city"].is_string());
    let start = full.iter().find(|e| e["content_block"]["type"] == "tool_use").unwrap();
    assert_eq!(start["content_block"]["input"], json!({}));
    assert!(start["content_block"]["id"].as_str().unwrap().starts_with("toolu_01"));
    let bare = anthropic(&sim, &[], ask("call weather with no arguments")).await.events();
    assert_eq!(pieces(&bare), [""]);
}

#[tokio::test]
async fn thinking_is_signed_and_a_changed_thought_is_refused() {
    let sim = start().await;
    let thinking = json!({"type": "enabled", "budget_tokens": 1024});
    let user = json!({"role": "user", "content": "call weather"});
    let base = json!({"thinking": thinking, "tools": [tool("weather")], "messages": [user]});
    let answer = anthropic(&sim, &[], says(base.clone())).await.json();
    let content = answer["content"].clone();
    assert_eq!(content[0]["type"], "thinking");
    assert!(answer["usage"]["output_tokens_details"]["thinking_tokens"].as_u64().unwrap() > 0);
    let id = content.as_array().unwrap().last().unwrap()["id"].clone();
    let result =
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "rain"}]});
    let follow = |content: Value| {
        let mut body = base.clone();
        body["messages"] = json!([user, {"role": "assistant", "content": content}, result]);
        says(body)
    };
    let good = anthropic(&sim, &[], follow(content.clone())).await;
    assert_eq!(good.status, 200, "{}", good.body);
    assert!(good.body.contains("weather returned: rain"));

    let mut forged = content.clone();
    forged[0]["thinking"] = json!("something else");
    let got = anthropic(&sim, &[], follow(forged)).await;
    let message = got.json()["error"]["message"].clone();
    assert_eq!(
        (got.status, message.as_str()),
        (400, Some("messages.1.content.0: Invalid `signature` in `thinking` block"))
    );

    let mut thoughtless = content;
    thoughtless.as_array_mut().unwrap().remove(0);
    let got = anthropic(&sim, &[], follow(thoughtless)).await;
    assert!(
        got.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("Expected `thinking` or `redacted_thinking`")
    );

    let streamed = anthropic(&sim, &[], says(json!({"stream": true, "thinking": thinking}))).await.events();
    let deltas: Vec<_> = streamed.iter().filter_map(|e| e["delta"]["type"].as_str()).collect();
    let last_thought = deltas.iter().rposition(|d| *d == "thinking_delta").unwrap();
    assert_eq!(deltas[last_thought + 1], "signature_delta");
}

#[tokio::test]
async fn bad_requests_get_the_vendors_errors() {
    let sim = start().await;
    let user = |content: Value| json!({"role": "user", "content": content});
    let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]});
    let result = |id: &str| json!([{"type": "tool_result", "tool_use_id": id, "content": "x"}]);
    let cases = [
        (json!({"max_tokens": 0}), "max_tokens: Input should be greater than or equal to 1"),
        (json!({"response_format": {}}), "response_format: Extra inputs are not permitted"),
        (json!({"temperature": 1.5}), "temperature: Input should be less than or equal to 1"),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 512}}),
            "thinking.enabled.budget_tokens: Input should be greater",
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 2048}}),
            "`max_tokens` must be greater than `thinking.budget_tokens`",
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 1024}, "temperature": 0.5}),
            "`temperature` may only be set to 1",
        ),
        (json!({"messages": []}), "messages: at least one message is required"),
        (
            json!({"messages": [{"role": "assistant", "content": "x"}]}),
            "messages: first message must use the \"user\" role",
        ),
        (json!({"messages": [{"role": "system", "content": "x"}]}), "messages: Unexpected role \"system\""),
        (json!({"messages": [user(json!(""))]}), "messages.0: all messages must have non-empty content"),
        (
            json!({"messages": [{"role": "user", "content": "x", "name": "n"}]}),
            "messages.0.name: Extra inputs",
        ),
        (
            json!({"messages": [user(json!("x")), call, user(json!("y"))]}),
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1",
        ),
        (
            json!({"messages": [user(json!("x")), user(result("toolu_9"))]}),
            "messages.1.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_9",
        ),
        (
            json!({"messages": [user(json!("x")), call, user(json!([{"type": "text", "text": "late"}, result("toolu_1")[0]]))]}),
            "messages.1: `tool_use` ids were found without",
        ),
        (
            json!({"messages": [user(json!("x")), {"role": "assistant", "content": "said "}]}),
            "messages: final assistant content cannot end with trailing whitespace",
        ),
        (json!({"tools": [{"name": "f"}]}), "tools.0.custom.input_schema: Field required"),
        (
            json!({"tool_choice": {"type": "any"}}),
            "tool_choice: tool_choice may only be specified while providing tools",
        ),
        (
            json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}),
            "output_config.format.schema: For 'object' type, 'additionalProperties'",
        ),
        (
            json!({"model": "claude-opus-4-8", "temperature": 0.5}),
            "`temperature` is deprecated for this model.",
        ),
        (
            json!({"model": "claude-opus-4-8", "messages": [user(json!("x")), {"role": "assistant", "content": "said"}]}),
            "This model does not support assistant message prefill.",
        ),
    ];
    for (more, start) in cases {
        let got = anthropic(&sim, &[], says(more.clone())).await;
        let body = got.json();
        let message = body["error"]["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(start), "{more}: {message}");
        assert_eq!(
            (got.status, body["type"].as_str(), body["error"]["type"].as_str()),
            (400, Some("error"), Some("invalid_request_error"))
        );
        assert_eq!(body["request_id"].as_str().map(str::to_lowercase).as_deref(), got.header("request-id"));
    }
    let without = json!({"model": "claude-sonnet-4-5", "messages": [user(json!("x"))]});
    let got = anthropic(&sim, &[], without.clone()).await.json();
    assert_eq!(got["error"]["message"], "max_tokens: Field required");
    let counted = send(&sim, &request("/v1/messages/count_tokens", &[], &without.to_string())).await;
    assert_eq!((counted.status, counted.json()), (200, json!({"input_tokens": 1})));
    let unversioned = request("/v1/messages", &[], &says(json!({})).to_string())
        .replace("anthropic-version: 2023-06-01\r\n", "");
    let got = send(&sim, &unversioned).await.json();
    assert_eq!(got["error"]["message"], "anthropic-version: header is required");
}

#[tokio::test]
async fn neighbours_of_one_role_are_merged_and_results_may_be_split_over_turns() {
    let sim = start().await;
    let calls = json!([{"type": "tool_use", "id": "a", "name": "f", "input": {}},
                       {"type": "tool_use", "id": "b", "name": "g", "input": {}}]);
    let result = |id: &str, text: &str| json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]});
    let messages = json!([{"role": "user", "content": "one"}, {"role": "user", "content": "two"},
                          {"role": "assistant", "content": calls}, result("b", "second"), result("a", "first")]);
    let got = anthropic(&sim, &[], says(json!({"messages": messages}))).await;
    assert_eq!(got.status, 200, "{}", got.body);
    let text = got.json()["content"][0]["text"].clone();
    assert_eq!(text, "Here is what I found. g returned: second; f returned: first.");
}

#[tokio::test]
async fn a_marked_prefix_is_written_to_the_cache_once_and_read_afterwards() {
    let sim = start().await;
    let system = json!([{"type": "text", "text": "x".repeat(400), "cache_control": {"type": "ephemeral"}}]);
    let usage = async || anthropic(&sim, &[], says(json!({"system": system}))).await.json()["usage"].clone();
    let first = usage().await;
    assert_eq!(
        (&first["cache_creation_input_tokens"], &first["cache_read_input_tokens"]),
        (&json!(100), &json!(0))
    );
    let second = usage().await;
    assert_eq!(
        (&second["cache_creation_input_tokens"], &second["cache_read_input_tokens"]),
        (&json!(0), &json!(100))
    );
    assert_eq!(first["input_tokens"], second["input_tokens"]);
}

#[tokio::test]
async fn system_turns_and_adaptive_thinking_belong_to_the_newest_models() {
    let sim = start().await;
    let messages = json!([{"role": "user", "content": "hi"}, {"role": "system", "content": "Be brief."}]);
    let got = anthropic(
        &sim,
        &[],
        says(json!({"model": "claude-opus-4-8", "thinking": {"type": "adaptive"},
                                               "messages": messages})),
    )
    .await;
    assert_eq!(got.status, 200, "{}", got.body);
    assert_eq!(got.json()["content"][0]["type"], "thinking");
}
