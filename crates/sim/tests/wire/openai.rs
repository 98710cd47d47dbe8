//! The OpenAI dialect: answers, streams, refusals of bad requests.

use crate::client::{End, Got, asks, openai, request, send, start};
use serde_json::{Value, json};

fn error(got: &Got) -> (u16, String, Value, Value) {
    let error = &got.json()["error"];
    (
        got.status,
        error["message"].as_str().unwrap_or_default().to_owned(),
        error["param"].clone(),
        error["code"].clone(),
    )
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters":
        {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}})
}

#[tokio::test]
async fn a_whole_answer_has_the_vendors_shape_and_headers() {
    let sim = start().await;
    let got = openai(&sim, &[], asks(json!({}))).await;
    assert_eq!((got.status, got.whole, got.end), (200, true, End::Closed));
    for name in
        ["x-request-id", "openai-processing-ms", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-requests"]
    {
        assert!(got.header(name).is_some(), "{name}");
    }
    let body = got.json();
    assert_eq!(body["object"], "chat.completion");
    assert!(body["id"].as_str().unwrap().starts_with("chatcmpl-"));
    let choice = &body["choices"][0];
    assert!(choice["message"]["content"].as_str().unwrap().contains("Where is my order?"));
    assert_eq!(choice["finish_reason"], "stop");
    let usage = &body["usage"];
    assert_eq!(usage["prompt_tokens"], 5);
    assert_eq!(usage["total_tokens"].as_u64(), Some(5 + usage["completion_tokens"].as_u64().unwrap()));
    let again = openai(&sim, &[], asks(json!({}))).await.json();
    assert_eq!(again["choices"], body["choices"], "the same request, the same words");
    assert_ne!(again["id"], body["id"]);
}

#[tokio::test]
async fn a_stream_is_a_role_chunk_words_a_finish_usage_on_demand_and_done() {
    let sim = start().await;
    let got =
        openai(&sim, &[], asks(json!({"stream": true, "stream_options": {"include_usage": true}}))).await;
    assert!(got.header("content-type").unwrap().starts_with("text/event-stream"));
    assert!(got.body.ends_with("data: [DONE]\n\n") && got.whole);
    let events = got.events();
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert!(events[0]["usage"].is_null());
    let finish = &events[events.len() - 2];
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
    let last = &events[events.len() - 1];
    assert_eq!(last["choices"], json!([]));
    let whole = openai(&sim, &[], asks(json!({}))).await.json();
    assert_eq!(last["usage"], whole["usage"]);
    assert_eq!(got.openai_text(), whole["choices"][0]["message"]["content"].as_str().unwrap());
    let bare = openai(&sim, &[], asks(json!({"stream": true}))).await;
    assert!(bare.events().iter().all(|e| e.get("usage").is_none()));
}

#[tokio::test]
async fn parallel_tool_calls_stream_with_indices_and_match_the_whole_answer() {
    let sim = start().await;
    let body = |stream: bool| {
        asks(json!({"stream": stream, "tools": [tool("weather"), tool("time")],
                    "messages": [{"role": "user", "content": "call weather and time"}]}))
    };
    let got = openai(&sim, &[], body(true)).await;
    let mut calls = [(String::new(), String::new()), (String::new(), String::new())];
    for event in got.events() {
        let Some(part) = event["choices"][0]["delta"]["tool_calls"].get(0).cloned() else { continue };
        let call = &mut calls[part["index"].as_u64().unwrap() as usize];
        call.0.push_str(part["function"]["name"].as_str().unwrap_or_default());
        call.1.push_str(part["function"]["arguments"].as_str().unwrap_or_default());
    }
    let whole = openai(&sim, &[], body(false)).await.json();
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    assert!(whole["choices"][0]["message"]["content"].is_null());
    for (i, (name, arguments)) in calls.iter().enumerate() {
        let function = &whole["choices"][0]["message"]["tool_calls"][i]["function"];
        assert_eq!(
            (function["name"].as_str(), function["arguments"].as_str()),
            (Some(&**name), Some(&**arguments))
        );
        assert!(serde_json::from_str::<Value>(arguments).unwrap()["city"].is_string());
    }
}

#[tokio::test]
async fn tool_results_must_answer_the_calls_before_them_and_are_quoted() {
    let sim = start().await;
    let call = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]});
    let user = json!({"role": "user", "content": "call weather"});
    let result = json!({"role": "tool", "tool_call_id": "call_1", "content": "rain"});
    let ask =
        |messages: Value| openai(&sim, &[], asks(json!({"tools": [tool("weather")], "messages": messages})));

    let good = ask(json!([user, call, result])).await.json();
    let text = good["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.contains("weather returned: rain"), "{text}");

    let (status, message, param, _) = error(&ask(json!([user, call])).await);
    assert_eq!((status, param), (400, json!("messages.[2].role")));
    assert!(message.ends_with("did not have response messages: call_1"), "{message}");

    let (status, message, param, code) = error(&ask(json!([user, result])).await);
    assert_eq!((status, param, code), (400, json!("messages.[1].role"), Value::Null));
    assert!(message.contains("must be a response to a preceeding message with 'tool_calls'"), "{message}");
}

#[tokio::test]
async fn bad_requests_get_the_vendors_errors() {
    let sim = start().await;
    let cases = [
        (json!({"top_k": 1}), "Unrecognized request argument supplied: top_k", Value::Null, Value::Null),
        (
            json!({"reasoning_effort": "low"}),
            "Unrecognized request argument supplied: reasoning_effort",
            Value::Null,
            Value::Null,
        ),
        (
            json!({"temperature": 3}),
            "Invalid 'temperature': decimal above maximum",
            json!("temperature"),
            json!("decimal_above_max_value"),
        ),
        (
            json!({"temperature": "hot"}),
            "Invalid type for 'temperature': expected a decimal, but got a string",
            json!("temperature"),
            json!("invalid_type"),
        ),
        (
            json!({"max_tokens": 0}),
            "Invalid 'max_tokens': integer below minimum",
            json!("max_tokens"),
            json!("integer_below_min_value"),
        ),
        (json!({"messages": []}), "Invalid 'messages': empty array", json!("messages"), json!("empty_array")),
        (
            json!({"messages": [{"role": "robot", "content": "x"}]}),
            "Invalid value: 'robot'",
            json!("messages[0].role"),
            json!("invalid_value"),
        ),
        (
            json!({"tool_choice": "auto"}),
            "Invalid value for 'tool_choice'",
            json!("tool_choice"),
            Value::Null,
        ),
        (
            json!({"stream_options": {"include_usage": true}}),
            "The 'stream_options' parameter is only allowed",
            json!("stream_options"),
            Value::Null,
        ),
        (
            json!({"response_format": {"type": "json_object"}}),
            "'messages' must contain the word 'json'",
            json!("messages"),
            Value::Null,
        ),
        (
            json!({"stop": ["a", "b", "c", "d", "e"]}),
            "Invalid 'stop': array too long",
            json!("stop"),
            json!("array_above_max_length"),
        ),
        (
            json!({"model": "o3-mini", "max_tokens": 5}),
            "Unsupported parameter: 'max_tokens'",
            json!("max_tokens"),
            json!("unsupported_parameter"),
        ),
        (
            json!({"model": "gpt-5-mini", "temperature": 0.2}),
            "Unsupported value: 'temperature' does not support 0.2",
            json!("temperature"),
            json!("unsupported_value"),
        ),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "r", "strict": true,
            "schema": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}}}}),
            "Invalid schema for response_format 'r': In context=(), 'additionalProperties'",
            json!("response_format"),
            Value::Null,
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "a b"}}]}),
            "Invalid 'tools[0].function.name'",
            json!("tools[0].function.name"),
            json!("invalid_value"),
        ),
    ];
    for (more, start, param, code) in cases {
        let got = openai(&sim, &[], asks(more.clone())).await;
        let (status, message, got_param, got_code) = error(&got);
        assert!(message.starts_with(start), "{more}: {message}");
        assert_eq!((status, got_param, got_code), (400, param, code), "{more}");
        assert_eq!(got.json()["error"]["type"], "invalid_request_error");
    }
    let broken = send(&sim, &request("/v1/chat/completions", &[], "{\"model\":")).await;
    assert!(error(&broken).1.starts_with("We could not parse the JSON body"));
    let nowhere =
        send(&sim, &request("/v1/nowhere", &[], "{}").replace("anthropic-version: 2023-06-01\r\n", "")).await;
    assert_eq!((nowhere.status, error(&nowhere).1.as_str()), (404, "Invalid URL (POST /v1/nowhere)"));
}

#[tokio::test]
async fn a_request_without_a_credential_is_refused() {
    let sim = start().await;
    let bare = request("/v1/chat/completions", &[], &asks(json!({})).to_string())
        .replace("authorization: Bearer sk-test-1234567890\r\n", "");
    let got = send(&sim, &bare).await;
    assert_eq!(got.status, 401);
    assert!(error(&got).1.starts_with("You didn't provide an API key."));
}

#[tokio::test]
async fn structured_output_follows_the_schema() {
    let sim = start().await;
    let format = json!({"type": "json_schema", "json_schema": {"name": "r", "strict": true, "schema":
        {"type": "object", "additionalProperties": false, "required": ["ok"], "properties": {"ok": {"type": "boolean"}}}}});
    let got = openai(&sim, &[], asks(json!({"response_format": format}))).await.json();
    let content: Value =
        serde_json::from_str(got["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert!(content["ok"].is_boolean());
}

#[tokio::test]
async fn a_reasoning_model_reports_reasoning_tokens() {
    let sim = start().await;
    let got =
        openai(&sim, &[], asks(json!({"model": "gpt-5-mini", "reasoning_effort": "high"}))).await.json();
    assert_eq!(got["usage"]["completion_tokens_details"]["reasoning_tokens"], 64);
}

#[tokio::test]
async fn several_choices_keep_their_indices() {
    let sim = start().await;
    let got = openai(&sim, &[], asks(json!({"n": 2, "stream": true}))).await;
    let finishes: Vec<_> = got
        .events()
        .iter()
        .flat_map(|e| e["choices"].as_array().cloned().unwrap_or_default())
        .filter(|c| c["finish_reason"] == "stop")
        .map(|c| c["index"].clone())
        .collect();
    assert_eq!(finishes, [json!(0), json!(1)]);
}

#[tokio::test]
async fn models_and_embeddings_answer() {
    let sim = start().await;
    let list = "GET /v1/models HTTP/1.1\r\nhost: sim\r\nconnection: close\r\nauthorization: Bearer k\r\n\r\n";
    let models = send(&sim, list).await.json();
    assert_eq!(models["object"], "list");
    assert!(models["data"].as_array().unwrap().iter().any(|m| m["id"] == "gpt-4.1"));
    let one = send(&sim, &list.replace("/models", "/models/none-such")).await;
    assert_eq!((one.status, one.json()["error"]["code"].as_str()), (404, Some("model_not_found")));
    let body = json!({"model": "text-embedding-3-small", "input": ["a b", "c"], "dimensions": 8});
    let got = send(&sim, &request("/v1/embeddings", &[], &body.to_string())).await.json();
    assert_eq!(got["data"][1]["index"], 1);
    assert_eq!(got["data"][0]["embedding"].as_array().unwrap().len(), 8);
    let packed = json!({"model": "text-embedding-3-small", "input": "a b", "dimensions": 8, "encoding_format": "base64"});
    let got = send(&sim, &request("/v1/embeddings", &[], &packed.to_string())).await.json();
    assert_eq!(got["data"][0]["embedding"].as_str().unwrap().len(), 44, "eight floats of four bytes");
}
