//! The traps of translation that the field notes list, one test each, as far as they concern these two dialects.

#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use http::HeaderMap;
use model::{Dialect, FailureKind, Operation, Stop, Timestamp, Usage};
use serde_json::{Value, json};
use support::{BOTH, fixture, frames, run};
use wire::Uncarried;

const OPENAI: Dialect = Dialect::OpenAi;
const ANTHROPIC: Dialect = Dialect::Anthropic;

fn translate(client: Dialect, vendor: &str, model: &str, body: &Value) -> Result<Value, Uncarried> {
    let row = wire::row(vendor).unwrap();
    let body = Bytes::from(body.to_string());
    let glance = wire::glance(client, Operation::Chat, &body).unwrap();
    let dialect = row.preset.dialects[0];
    let none = HeaderMap::new();
    let out = wire::outgoing(client, Operation::Chat, row, dialect, model, None, &body, &glance, &none)?;
    Ok(serde_json::from_slice(&out.body.concat()).unwrap())
}

fn to_anthropic(body: &Value) -> Result<Value, Uncarried> {
    translate(OPENAI, "anthropic", "claude-sonnet-4-5", body)
}

fn to_openai(body: &Value) -> Result<Value, Uncarried> {
    translate(ANTHROPIC, "openai", "gpt-4.1", body)
}

fn chat(messages: Value) -> Value {
    json!({"model": "m", "messages": messages})
}

fn messages(messages: Value) -> Value {
    json!({"model": "m", "max_tokens": 4000, "messages": messages})
}

fn sse(datas: &[&str]) -> Vec<u8> {
    datas.iter().flat_map(|d| format!("data: {d}\n\n").into_bytes()).collect()
}

fn delta(delta: &str) -> String {
    format!(r#"{{"id":"c","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#)
}

fn finish(reason: &str) -> String {
    format!(r#"{{"id":"c","model":"m","choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}"#)
}

fn openai_stream(deltas: &[&str], reason: &str) -> Vec<u8> {
    let mut datas: Vec<String> = deltas.iter().map(|d| delta(d)).collect();
    datas.extend([finish(reason), "[DONE]".into()]);
    sse(&datas.iter().map(String::as_str).collect::<Vec<_>>())
}

fn anthropic_stream(deltas: &[&str], stop: &str) -> Vec<u8> {
    let mut out = String::from(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg\",\"model\":\"m\",\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n",
    );
    for data in deltas {
        out.push_str(&format!("event: x\ndata: {data}\n\n"));
    }
    out.push_str(&format!("event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{stop}\"}},\"usage\":{{\"output_tokens\":3}}}}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"));
    out.into_bytes()
}

#[test]
fn a_streamed_call_without_arguments_has_an_empty_object_of_them_at_its_end() {
    let call = r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"now","arguments":""}}]}"#;
    let got = run(ANTHROPIC, OPENAI, true, &[&openai_stream(&[call], "tool_calls")]);
    let inputs: Vec<Value> = frames(&got.text)
        .into_iter()
        .filter(|f| f["delta"]["type"] == "input_json_delta")
        .map(|f| f["delta"]["partial_json"].clone())
        .collect();
    assert_eq!(inputs, [json!("{}")]);

    let block = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"now","input":{}}}"#;
    let stop = r#"{"type":"content_block_stop","index":0}"#;
    let got = run(OPENAI, ANTHROPIC, true, &[&anthropic_stream(&[block, stop], "tool_use")]);
    let arguments: String = frames(&got.text)
        .iter()
        .filter_map(|f| f["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str())
        .collect();
    assert_eq!(arguments, "{}");
}

#[test]
fn parallel_calls_that_a_server_all_numbers_zero_stay_apart() {
    let call = |id: &str, arguments: &str| {
        let arguments = Value::from(arguments).to_string();
        format!(
            r#"{{"tool_calls":[{{"index":0,"id":"{id}","function":{{"name":"f","arguments":{arguments}}}}}]}}"#
        )
    };
    let (a, b) = (call("a", r#"{"n":1}"#), call("b", r#"{"n":2}"#));
    let got = run(ANTHROPIC, OPENAI, true, &[&openai_stream(&[&a, &b], "tool_calls")]);
    let frames = frames(&got.text);
    let starts: Vec<&Value> = frames.iter().filter(|f| f["type"] == "content_block_start").collect();
    assert_eq!(starts.len(), 2);
    assert_eq!((&starts[0]["index"], &starts[1]["index"]), (&json!(0), &json!(1)));
    assert_eq!(
        (&starts[0]["content_block"]["id"], &starts[1]["content_block"]["id"]),
        (&json!("a"), &json!("b"))
    );
}

#[test]
fn results_of_tools_merge_into_one_turn_in_the_order_of_their_calls() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let out = to_anthropic(&chat(json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": null, "tool_calls": [call("a"), call("b")]},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "user", "content": "and?"},
    ])))
    .unwrap();
    let turn = &out["messages"][2];
    assert_eq!(turn["role"], "user");
    let ids: Vec<&Value> = turn["content"].as_array().unwrap().iter().map(|p| &p["tool_use_id"]).collect();
    assert_eq!(ids, [&json!("a"), &json!("b"), &Value::Null]);
    assert_eq!(out["messages"].as_array().unwrap().len(), 3);
}

#[test]
fn ids_of_calls_that_the_target_would_refuse_are_spelled_out_alike_in_call_and_result() {
    let out = to_anthropic(&chat(json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "tool_calls": [{"id": "functions.f:0", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "functions.f:0", "content": "1"},
    ])))
    .unwrap();
    let id = &out["messages"][1]["content"][0]["id"];
    assert_eq!(id, "functions_x2ef_x3a0");
    assert_eq!(&out["messages"][2]["content"][0]["tool_use_id"], id);
}

#[test]
fn a_signature_comes_back_byte_for_byte_through_a_client_of_another_dialect() {
    let answer = wire::answer(
        OPENAI,
        ANTHROPIC,
        wire::plain(ANTHROPIC),
        fixture("anthropic/answer-tools.json"),
        Timestamp(0),
    )
    .unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let message = answer["choices"][0]["message"].clone();
    let history = json!([
        {"role": "user", "content": "go"}, message,
        {"role": "tool", "tool_call_id": "toolu_1", "content": "1"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": "2"},
    ]);
    let out = to_anthropic(&chat(history.clone())).unwrap();
    let original: Value = serde_json::from_slice(&fixture("anthropic/answer-tools.json")).unwrap();
    assert_eq!(out["messages"][1]["content"], original["content"]);

    // To its own dialect's vendor the seals do not go, and nothing else changes.
    let own = translate(OPENAI, "openai", "gpt-4.1", &chat(history.clone())).unwrap();
    let mut expected = history;
    expected[1]["reasoning_details"] = json!([]);
    assert_eq!(own["messages"], expected);
}

#[test]
fn a_signature_streamed_in_pieces_comes_back_whole() {
    let got = run(OPENAI, ANTHROPIC, true, &[&fixture("anthropic/stream-tools.sse")]);
    let details: Vec<Value> = frames(&got.text)
        .iter()
        .filter_map(|f| f["choices"][0]["delta"]["reasoning_details"].as_array().cloned())
        .flatten()
        .collect();
    let out = to_anthropic(&chat(json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "hm", "reasoning_details": details},
        {"role": "user", "content": "on"},
    ])))
    .unwrap();
    assert_eq!(
        out["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": "Look it up.", "signature": "EqQBCkYIARgCKkA="},
            {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3p"},
            {"type": "text", "text": "hm"},
        ])
    );
}

#[test]
fn signatures_that_are_empty_forged_or_of_another_vendor_are_dropped_and_never_sent() {
    for signature in
        ["", "pm1.openai.unsealed", "pm1.gemini.abc", "pm1.nobody.abc", "not base64!", "pm1.anthropic."]
    {
        let out = to_anthropic(&chat(json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "hm", "reasoning_details": [
                {"type": "reasoning.text", "text": "t", "signature": signature, "index": 0}]},
            {"role": "user", "content": "on"},
        ])))
        .unwrap();
        assert_eq!(out["messages"][1]["content"], "hm", "{signature}");
    }
    // The same for a client of the vendor's own dialect that was served by another.
    let body = messages(json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "t", "signature": "pm1.openai.unsealed"},
            {"type": "text", "text": "hm", "x": [1]}]},
        {"role": "user", "content": "on"},
    ]));
    let out = translate(ANTHROPIC, "anthropic", "claude-sonnet-4-5", &body).unwrap();
    assert_eq!(out["messages"][1]["content"], json!([{"type": "text", "text": "hm", "x": [1]}]));
}

#[test]
fn no_stop_that_is_not_normal_reads_as_a_normal_one() {
    let normal = ["stop", "tool_calls", "end_turn", "stop_sequence", "tool_use"];
    // (reason, what it means, what the other dialect's client reads)
    let openai = [
        ("stop", Stop::EndTurn, "end_turn"),
        ("length", Stop::Length, "max_tokens"),
        ("tool_calls", Stop::ToolUse, "tool_use"),
        ("function_call", Stop::ToolUse, "tool_use"),
        ("content_filter", Stop::ContentFilter, "refusal"),
        ("model_length", Stop::ContextExceeded, "model_context_window_exceeded"),
        ("malformed_function_call", Stop::MalformedToolCall, "max_tokens"),
        ("something_new", Stop::Other, "max_tokens"),
    ];
    let anthropic = [
        ("end_turn", Stop::EndTurn, "stop"),
        ("max_tokens", Stop::Length, "length"),
        ("stop_sequence", Stop::StopSequence, "stop"),
        ("tool_use", Stop::ToolUse, "tool_calls"),
        ("pause_turn", Stop::Pause, "length"),
        ("refusal", Stop::Refusal, "content_filter"),
        ("model_context_window_exceeded", Stop::ContextExceeded, "length"),
        ("something_new", Stop::Other, "length"),
    ];
    for (reason, stop, read) in openai {
        let body = format!(
            r#"{{"id":"c","model":"m","choices":[{{"index":0,"message":{{"content":"x"}},"finish_reason":"{reason}"}}]}}"#
        );
        let whole =
            wire::answer(ANTHROPIC, OPENAI, wire::plain(OPENAI), body.clone().into(), Timestamp(0)).unwrap();
        assert_eq!(whole.stop, stop);
        assert_eq!(serde_json::from_slice::<Value>(&whole.body).unwrap()["stop_reason"], read);
        let same = wire::answer(OPENAI, OPENAI, wire::plain(OPENAI), body.into(), Timestamp(0)).unwrap();
        assert_eq!(same.stop, stop);
        let stream = openai_stream(&[r#"{"content":"x"}"#], reason);
        let got = run(ANTHROPIC, OPENAI, true, &[&stream]);
        assert_eq!((got.stop, run(OPENAI, OPENAI, true, &[&stream]).stop), (Some(stop), Some(stop)));
        assert!(frames(&got.text).iter().any(|f| f["delta"]["stop_reason"] == read), "{reason}");
        assert_eq!(normal.contains(&reason) || reason == "function_call", normal.contains(&read), "{reason}");
    }
    for (reason, stop, read) in anthropic {
        let body = format!(
            r#"{{"type":"message","id":"m","model":"m","content":[{{"type":"text","text":"x"}}],"stop_reason":"{reason}"}}"#
        );
        let whole =
            wire::answer(OPENAI, ANTHROPIC, wire::plain(ANTHROPIC), body.clone().into(), Timestamp(0))
                .unwrap();
        assert_eq!(whole.stop, stop);
        assert_eq!(
            serde_json::from_slice::<Value>(&whole.body).unwrap()["choices"][0]["finish_reason"],
            read
        );
        let text = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"x"}}"#;
        let stream = anthropic_stream(&[text], reason);
        let got = run(OPENAI, ANTHROPIC, true, &[&stream]);
        assert_eq!((got.stop, run(ANTHROPIC, ANTHROPIC, true, &[&stream]).stop), (Some(stop), Some(stop)));
        assert!(frames(&got.text).iter().any(|f| f["choices"][0]["finish_reason"] == read), "{reason}");
        assert_eq!(normal.contains(&reason), normal.contains(&read), "{reason}");
    }
}

#[test]
fn reasons_that_report_an_error_make_the_answer_a_failure() {
    for reason in ["error", "insufficient_system_resource", "abort"] {
        for client in BOTH {
            let got = run(client, OPENAI, true, &[&openai_stream(&[r#"{"content":"x"}"#], reason)]);
            assert!(got.end.is_err() && !got.text.contains("[DONE]"), "{reason}");
        }
    }
}

#[test]
fn a_call_or_a_refusal_that_ends_with_stop_is_told_as_what_it_is() {
    let call = r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#;
    for client in BOTH {
        assert_eq!(run(client, OPENAI, true, &[&openai_stream(&[call], "stop")]).stop, Some(Stop::ToolUse));
        let refusal = openai_stream(&[r#"{"refusal":"no"}"#], "stop");
        assert_eq!(run(client, OPENAI, true, &[&refusal]).stop, Some(Stop::Refusal));
    }
}

#[test]
fn cached_tokens_are_counted_once_in_every_dialect() {
    let expected = Usage {
        input: Some(130),
        output: Some(30),
        cache_read: Some(64),
        cache_write: Some(10),
        reasoning: Some(8),
    };
    for client in BOTH {
        let answer = wire::answer(
            client,
            ANTHROPIC,
            wire::plain(ANTHROPIC),
            fixture("anthropic/answer-tools.json"),
            Timestamp(0),
        );
        assert_eq!(answer.unwrap().usage, expected);
        // The last report of a stream repeats only some of the counts.
        let got = run(client, ANTHROPIC, true, &[&fixture("anthropic/stream-text.sse")]);
        assert_eq!((got.usage.input, got.usage.output), (Some(130), Some(5)));
    }
    let body = r#"{"id":"c","model":"grok","choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":20,"completion_tokens_details":{"reasoning_tokens":8}}}"#;
    let answer = wire::answer(OPENAI, OPENAI, wire::plain(OPENAI), body.into(), Timestamp(0)).unwrap();
    assert_eq!(answer.usage.output, Some(10), "thinking left out of the output is counted in");
}

#[test]
fn unknown_usage_is_unknown_and_not_zero() {
    let stream = openai_stream(&[r#"{"content":"x"}"#], "stop");
    for client in BOTH {
        assert_eq!(run(client, OPENAI, true, &[&stream]).usage, Usage::UNKNOWN);
    }
}

#[test]
fn usage_after_the_finish_null_or_in_the_finish_itself_is_read() {
    let usage = r#"{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}"#;
    let in_finish =
        format!(r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}],"usage":{usage}}}"#);
    let behind = format!(r#"{{"choices":[],"usage":{usage}}}"#);
    let text = r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}],"usage":null}"#;
    let (done, stop) = ("[DONE]", finish("stop"));
    for stream in [sse(&[text, &in_finish, done]), sse(&[text, &stop, &behind, done])] {
        for client in BOTH {
            let got = run(client, OPENAI, true, &[&stream]);
            assert_eq!((got.usage.input, got.usage.output), (Some(7), Some(3)));
            assert!(got.text.contains(r#""x-pointsman-cost-usd":"0.00123""#), "{}", got.text);
        }
    }
}

#[test]
fn usage_asked_for_on_our_own_account_is_kept_from_the_client() {
    let body = Bytes::from_static(br#"{"model":"m","messages":[],"stream":true}"#);
    let glance = wire::glance(OPENAI, Operation::Chat, &body).unwrap();
    assert!(!glance.asks_usage);
    let row = wire::row("openai").unwrap();
    let none = HeaderMap::new();
    let out =
        wire::outgoing(OPENAI, Operation::Chat, row, OPENAI, "gpt", None, &body, &glance, &none).unwrap();
    assert_eq!(
        out.body.concat(),
        br#"{"model":"gpt","stream_options":{"include_usage":true},"messages":[],"stream":true}"#
    );
    let mistral = wire::row("mistral").unwrap();
    let out =
        wire::outgoing(OPENAI, Operation::Chat, mistral, OPENAI, "x", None, &body, &glance, &none).unwrap();
    assert!(!String::from_utf8(out.body.concat()).unwrap().contains("stream_options"));

    let got = run(OPENAI, OPENAI, false, &[&fixture("openai/stream-text.sse")]);
    assert!(!got.text.contains("prompt_tokens") && got.text.ends_with("data: [DONE]\n\n"));
    assert_eq!(got.usage.input, Some(120));
}

#[test]
fn crlf_comments_empty_frames_joined_lines_double_finishes_and_a_missing_last_line_change_nothing() {
    let plain = openai_stream(&[r#"{"content":"ab"}"#], "stop");
    let text = String::from_utf8(plain.clone()).unwrap();
    let variants = [
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
        format!("\u{feff}{text}"),
        format!(": hello\n\n\n\n{text}"),
        text.replace("data: ", "data:"),
        text.replace(",\"choices\"", ",\ndata: \"choices\""),
        text.replace("data: [DONE]", &format!("data: {}\n\ndata: [DONE]", finish("stop"))),
        text.trim_end().to_owned(),
        text.replace("data: [DONE]", "id: 7\nretry: 10\ndata: [DONE]"),
    ];
    let expected = run(ANTHROPIC, OPENAI, true, &[&plain]);
    assert_eq!(expected.end, Ok(()));
    for variant in variants {
        assert_eq!(run(ANTHROPIC, OPENAI, true, &[variant.as_bytes()]), expected, "{variant:?}");
        let same = run(OPENAI, OPENAI, true, &[variant.as_bytes()]);
        assert_eq!((same.end, same.stop, same.malformed), (Ok(()), Some(Stop::EndTurn), 0), "{variant:?}");
        let ends = ["\n\n", "\r\n\r\n", "\r\r"].iter().any(|end| same.text.ends_with(end));
        assert!(ends, "{variant:?}");
    }
}

#[test]
fn broken_frames_are_skipped_up_to_three_and_then_the_stream_is_cut() {
    for (client, provider) in [(OPENAI, OPENAI), (ANTHROPIC, OPENAI)] {
        for broken in 0..=4usize {
            let mut stream = sse(&[&delta(r#"{"content":"a"}"#)]);
            for _ in 0..broken {
                stream.extend_from_slice(b"data: {\"choices\":[{\"delta\n\n");
            }
            stream.extend(openai_stream(&[r#"{"content":"b"}"#], "stop"));
            let got = run(client, provider, true, &[&stream]);
            assert!(!got.text.contains("\"delta\n"), "a broken frame must not reach the client");
            if broken <= 3 {
                assert_eq!((got.end, got.malformed), (Ok(()), broken as u32));
            } else {
                assert_eq!(got.end.unwrap_err().kind, FailureKind::Cut);
                assert!(!got.text.contains("[DONE]") && !got.text.contains("message_stop"));
            }
        }
    }
}

#[test]
fn errors_in_a_stream_are_failures_of_their_class_and_nothing_follows_them() {
    let cases = [
        (OPENAI, r#"{"error":{"message":"boom","type":"server_error"}}"#, FailureKind::InBandError),
        (
            OPENAI,
            r#"{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}"#,
            FailureKind::RateLimited,
        ),
        (OPENAI, r#"{"object":"error","message":"out of memory","code":500}"#, FailureKind::InBandError),
        (
            OPENAI,
            r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","error":{"code":502,"message":"upstream gone"}}]}"#,
            FailureKind::InBandError,
        ),
        (
            ANTHROPIC,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            FailureKind::Overloaded,
        ),
        (
            ANTHROPIC,
            r#"{"type":"error","error":{"type":"api_error","message":"boom"}}"#,
            FailureKind::InBandError,
        ),
    ];
    for (provider, error, kind) in cases {
        for client in BOTH {
            for content in [true, false] {
                let mut stream = match (provider, content) {
                    (OPENAI, true) => sse(&[&delta(r#"{"content":"a"}"#)]),
                    (_, true) => anthropic_stream(&[r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}}"#], "end_turn")[..300].to_vec(),
                    (_, false) => Vec::new(),
                };
                if content && provider == ANTHROPIC {
                    let end = stream.windows(2).rposition(|w| w == b"\n\n").unwrap() + 2;
                    stream.truncate(end);
                }
                stream.extend(format!("event: error\ndata: {error}\n\n").bytes());
                stream.extend(sse(&["[DONE]"]));
                let got = run(client, provider, true, &[&stream]);
                assert_eq!(got.end.unwrap_err().kind, kind, "{error}");
                assert_eq!(got.content, content);
                assert!(!got.text.contains("[DONE]") && !got.text.contains("message_stop"));
                assert!(!got.text.contains("boom"), "a provider's words are not the client's");
            }
        }
    }
}

#[test]
fn answers_that_are_no_answers_are_failures() {
    let judge = |provider, body: &'static str| {
        wire::answer(
            OPENAI,
            provider,
            wire::plain(provider),
            Bytes::from_static(body.as_bytes()),
            Timestamp(0),
        )
        .map(|a| a.stop)
        .map_err(|f| f.kind)
    };
    assert_eq!(judge(OPENAI, "<html>nope</html>"), Err(FailureKind::Malformed));
    assert_eq!(judge(OPENAI, ""), Err(FailureKind::Malformed));
    assert_eq!(judge(OPENAI, r#"{"choices":[{"message":{"content":"a"}"#), Err(FailureKind::Malformed));
    assert_eq!(judge(OPENAI, r#"{"error":{"message":"x"}}"#), Err(FailureKind::InBandError));
    assert_eq!(
        judge(OPENAI, r#"{"error":{"message":"x","code":"insufficient_quota"}}"#),
        Err(FailureKind::Quota)
    );
    assert_eq!(judge(OPENAI, r#"{"choices":[]}"#), Err(FailureKind::Empty));
    let silent = r#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}]}"#;
    assert_eq!(judge(OPENAI, silent), Err(FailureKind::Empty));
    let thought = r#"{"choices":[{"message":{"content":null},"finish_reason":"length"}]}"#;
    assert_eq!(judge(OPENAI, thought), Ok(Stop::Length));
    let filtered = r#"{"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]}"#;
    assert_eq!(judge(OPENAI, filtered), Ok(Stop::ContentFilter));
    assert_eq!(
        judge(ANTHROPIC, r#"{"type":"message","content":[],"stop_reason":"end_turn"}"#),
        Err(FailureKind::Empty)
    );
    assert_eq!(
        judge(ANTHROPIC, r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#),
        Err(FailureKind::InBandError)
    );
}

#[test]
fn a_stream_without_content_or_that_is_no_stream_is_a_failure() {
    for client in BOTH {
        let empty =
            run(client, OPENAI, true, &[&openai_stream(&[r#"{"role":"assistant","content":""}"#], "stop")]);
        assert_eq!((empty.end.unwrap_err().kind, empty.content), (FailureKind::Empty, false));
        let error =
            run(client, OPENAI, true, &[b"{\"error\":{\"message\":\"x\",\"code\":\"insufficient_quota\"}}"]);
        assert_eq!(error.end.unwrap_err().kind, FailureKind::Quota);
        let page = run(client, OPENAI, true, &[b"<html>\n\n<body>\n\n<p>\n\n</p>\n\n</html>\n\n"]);
        assert_eq!((page.end.unwrap_err().kind, page.text.as_str()), (FailureKind::Malformed, ""));
        let unfinished = run(client, OPENAI, true, &[&sse(&[&delta(r#"{"content":"a"}"#), "[DONE]"])]);
        assert_eq!(unfinished.end.unwrap_err().kind, FailureKind::Cut);
    }
}

#[test]
fn what_cannot_be_carried_is_refused_by_name() {
    let user = |part: Value| chat(json!([{"role": "user", "content": [part]}]));
    let part = |result: Result<Value, Uncarried>| result.unwrap_err().part;
    let audio = json!({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}});
    assert!(part(to_anthropic(&user(audio))).contains("audio"));
    let file = json!({"type": "file", "file": {"file_id": "file-1"}});
    assert!(part(to_anthropic(&user(file))).contains("document"));
    assert!(part(to_anthropic(&user(json!({"type": "novel", "x": 1})))).contains("novel"));
    for (field, value) in [
        ("logit_bias", json!({"1": 2})),
        ("n", json!(2)),
        ("logprobs", json!(true)),
        ("audio", json!({"voice": "a"})),
        ("functions", json!([{"name": "f"}])),
        ("web_search_options", json!({"a": 1})),
        ("frequency_penalty", json!(0.5)),
    ] {
        let mut body = chat(json!([{"role": "user", "content": "x"}]));
        body[field] = value;
        assert_eq!(part(to_anthropic(&body)), field);
    }
    for (field, value) in [
        ("n", json!(1)),
        ("logprobs", json!(false)),
        ("metadata", json!({"a": "b"})),
        ("store", json!(true)),
        ("seed", json!(7)),
        ("audio", json!(null)),
    ] {
        let mut body = chat(json!([{"role": "user", "content": "x"}]));
        body[field] = value;
        assert!(to_anthropic(&body).is_ok(), "{field}");
    }
    let hi = json!({"role": "user", "content": "x"});
    let mut body = messages(json!([hi]));
    body["mcp_servers"] = json!([{"url": "x"}]);
    assert_eq!(part(to_openai(&body)), "mcp_servers");
    assert!(
        part(to_openai(&messages(json!([hi, {"role": "assistant", "content": "{"}])))).contains("unfinished")
    );
    let search = json!({"role": "user", "content": [{"type": "search_result", "source": "a"}]});
    assert!(part(to_openai(&messages(json!([search])))).contains("search_result"));
    let mut body = messages(json!([hi]));
    body["tools"] = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    assert_eq!(part(to_openai(&body)), "tools[0]");
    body["tools"] = json!([{"name": "n".repeat(65), "input_schema": {"type": "object"}}]);
    assert!(part(to_openai(&body)).starts_with("the tool `nnn"));
}

#[test]
fn instructions_in_mid_conversation_equal_roles_and_a_first_turn_of_the_assistant_are_put_right() {
    let out = to_anthropic(&chat(json!([
        {"role": "system", "content": "one"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "developer", "content": "two"},
        {"role": "user", "content": " "},
        {"role": "assistant", "content": "so  \n"},
    ])))
    .unwrap();
    assert_eq!(out["system"], json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]));
    assert_eq!(
        out["messages"],
        json!([
            {"role": "user", "content": "."},
            {"role": "assistant", "content": "hello"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": "so"},
        ])
    );
}

#[test]
fn cache_marks_stay_on_their_parts_and_no_more_than_four_go_out() {
    let marked =
        |n: usize| json!({"type": "text", "text": format!("t{n}"), "cache_control": {"type": "ephemeral"}});
    let parts: Vec<Value> = (0..6).map(marked).collect();
    let out = to_anthropic(&chat(json!([{"role": "user", "content": parts}]))).unwrap();
    let marks: Vec<bool> = out["messages"][0]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| !p["cache_control"].is_null())
        .collect();
    assert_eq!(marks, [false, false, true, true, true, true]);
}

#[test]
fn a_thinking_budget_stays_below_the_output_limit_and_above_the_least() {
    let ask = |effort: &str, limit: u64| {
        let mut body = chat(json!([{"role": "user", "content": "x"}]));
        body["reasoning_effort"] = effort.into();
        body["max_completion_tokens"] = limit.into();
        to_anthropic(&body)
    };
    assert_eq!(ask("high", 64_000).unwrap()["thinking"], json!({"type": "enabled", "budget_tokens": 16_384}));
    assert_eq!(ask("high", 4_000).unwrap()["thinking"]["budget_tokens"], 2_000);
    assert_eq!(ask("low", 1_100).unwrap()["thinking"]["budget_tokens"], 1_024);
    assert!(ask("low", 1_000).unwrap_err().part.contains("thinking"));
    let mut body = chat(json!([{"role": "user", "content": "x"}]));
    body["reasoning_effort"] = "high".into();
    body["temperature"] = json!(0.3);
    let later = translate(OPENAI, "anthropic", "claude-opus-5", &body).unwrap();
    assert_eq!(
        (&later["thinking"], &later["output_config"]),
        (&json!({"type": "adaptive"}), &json!({"effort": "high"}))
    );
    assert!(later.get("temperature").is_none() && to_anthropic(&body).unwrap().get("temperature").is_none());
}

#[test]
fn a_model_does_not_think_in_a_turn_of_calls_that_another_vendor_began_or_before_a_forced_call() {
    let call = json!({"id": "a", "function": {"name": "f", "arguments": "{}"}});
    let mut body = chat(json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
    ]));
    body["reasoning_effort"] = "high".into();
    assert!(to_anthropic(&body).unwrap().get("thinking").is_none());
    let mut forced = chat(json!([{"role": "user", "content": "go"}]));
    forced["reasoning_effort"] = "high".into();
    forced["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    forced["tool_choice"] = "required".into();
    let out = to_anthropic(&forced).unwrap();
    assert!(out.get("thinking").is_none());
    assert_eq!(out["tool_choice"], json!({"type": "any"}));
}

#[test]
fn parameters_that_a_reasoning_model_refuses_are_left_out_for_it_alone() {
    let mut body = messages(json!([{"role": "user", "content": "x"}]));
    body["temperature"] = json!(0.3);
    assert_eq!(translate(ANTHROPIC, "openai", "gpt-4.1", &body).unwrap()["temperature"], 0.3);
    assert!(translate(ANTHROPIC, "openai", "o4-mini", &body).unwrap().get("temperature").is_none());
    assert_eq!(translate(ANTHROPIC, "groq", "llama", &body).unwrap()["max_completion_tokens"], 4000);
    assert_eq!(translate(ANTHROPIC, "together", "llama", &body).unwrap()["max_tokens"], 4000);
}

#[test]
fn a_schema_goes_only_to_targets_that_take_one() {
    let mut body = messages(json!([{"role": "user", "content": "x"}]));
    body["output_config"] = json!({"format": {"type": "json_schema", "schema": {"type": "object"}}});
    assert_eq!(
        to_openai(&body).unwrap()["response_format"]["json_schema"]["schema"],
        json!({"type": "object"})
    );
    assert!(translate(ANTHROPIC, "deepseek", "deepseek-chat", &body).unwrap_err().part.contains("schema"));
}

#[test]
fn a_name_with_quotes_or_a_slash_is_escaped_where_the_model_s_name_is_put() {
    let body = Bytes::from_static(br#"{"a": 1, "model" : "x\u002fy" , "messages":[]}"#);
    let glance = wire::glance(OPENAI, Operation::Chat, &body).unwrap();
    assert_eq!(glance.model, "x/y");
    let row = wire::row("openai").unwrap();
    let none = HeaderMap::new();
    let out =
        wire::outgoing(OPENAI, Operation::Chat, row, OPENAI, "a\"b", None, &body, &glance, &none).unwrap();
    assert_eq!(out.body.concat(), br#"{"a": 1, "model" : "a\"b" , "messages":[]}"#);
}

#[test]
fn only_headers_of_the_dialect_go_on_and_the_key_is_marked_sensitive() {
    let mut client = HeaderMap::new();
    for (name, value) in [
        ("authorization", "Bearer client"),
        ("x-api-key", "client"),
        ("cookie", "c=1"),
        ("anthropic-beta", "a"),
        ("x-pointsman-workflow", "w"),
        ("x-stainless-os", "Linux"),
        ("anthropic-version", "2024-01-01"),
    ] {
        client.insert(name, value.parse().unwrap());
    }
    client.append("anthropic-beta", "b".parse().unwrap());
    let body = Bytes::from_static(br#"{"model":"m","max_tokens":5,"messages":[]}"#);
    let glance = wire::glance(ANTHROPIC, Operation::Chat, &body).unwrap();
    let row = wire::row("anthropic").unwrap();
    let send = |from, to, row| {
        wire::outgoing(from, Operation::Chat, row, to, "m", Some("ours"), &body, &glance, &client).unwrap()
    };
    let out = send(ANTHROPIC, ANTHROPIC, row);
    assert_eq!(out.path_and_query, "/v1/messages");
    let headers: Vec<(String, String)> =
        out.headers.iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
    let expected = [
        ("content-type", "application/json"),
        ("x-api-key", "ours"),
        ("anthropic-version", "2024-01-01"),
        ("anthropic-beta", "a"),
        ("anthropic-beta", "b"),
    ];
    assert_eq!(headers, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    assert!(out.headers[1].1.is_sensitive());
    // Another dialect gets none of the client's headers.
    let out = send(ANTHROPIC, OPENAI, wire::row("openai").unwrap());
    let names: Vec<&str> = out.headers.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["content-type", "authorization"]);
    assert_eq!(out.path_and_query, "/chat/completions");
}

#[test]
fn errors_have_the_form_and_type_that_the_dialect_s_sdk_expects() {
    let problem = model::Problem::new(model::Code::RateLimited, "Every target is out of quota.");
    let read =
        |client| -> Value { serde_json::from_slice(&wire::problem_body(client, &problem, "req_1")).unwrap() };
    let (openai, anthropic) = (read(OPENAI), read(ANTHROPIC));
    assert_eq!(
        (&openai["error"]["code"], &openai["error"]["type"]),
        (&json!("rate_limited"), &json!("rate_limit_error"))
    );
    assert_eq!(openai["error"]["param"], Value::Null);
    assert_eq!(
        (&anthropic["type"], &anthropic["error"]["type"]),
        (&json!("error"), &json!("rate_limit_error"))
    );
    assert_eq!(anthropic["error"]["details"]["error_code"], "rate_limited");
    assert_eq!(anthropic["request_id"], "req_1");
    let event = wire::error_event(ANTHROPIC, &problem, "req_1");
    assert!(event.starts_with(b"event: error\ndata: {") && event.ends_with(b"}\n\n"));
    let event = wire::error_event(OPENAI, &problem, "req_1");
    assert!(event.starts_with(b"data: {\"error\":") && event.ends_with(b"}\n\n"));
}

#[test]
fn a_field_with_quotes_in_its_name_cannot_break_out_of_the_body_it_is_written_to() {
    let name = "x\":1,\"model\":\"other\",\"y\n";
    let mut body = chat(json!([{"role": "user", "content": "x"}]));
    body[name] = json!(true);
    let bytes = body.to_string();
    let prompt = wire::read(OPENAI, bytes.as_bytes()).unwrap();
    let target =
        wire::dialect::Target { row: wire::plain(OPENAI), model: "ours", operation: Operation::Chat };
    let written: Value = serde_json::from_slice(&wire::write(OPENAI, &prompt, target).unwrap()).unwrap();
    assert_eq!((&written["model"], &written[name]), (&json!("ours"), &json!(true)));
    assert_eq!(to_anthropic(&body).unwrap_err().part, name);
}

#[test]
fn what_stands_beside_the_content_of_a_message_never_becomes_a_part_of_it() {
    let write = |message: Value| {
        let body = chat(json!([message])).to_string();
        let prompt = wire::read(OPENAI, body.as_bytes()).unwrap();
        let target =
            wire::dialect::Target { row: wire::plain(OPENAI), model: "ours", operation: Operation::Chat };
        wire::write(OPENAI, &prompt, target)
            .map(|bytes| serde_json::from_slice::<Value>(&bytes).unwrap()["messages"][0].take())
    };
    let call = json!({"id": "c", "type": "custom", "custom": {"name": "sh", "input": "ls"}});
    for (message, named) in [
        (json!({"role": "developer", "audio": [{"type": "text", "text": "x"}]}), "`audio`"),
        (json!({"role": "assistant", "audio": {"id": "audio_1"}, "content": "x"}), "`audio`"),
        (json!({"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}), "`function_call`"),
        (json!({"role": "function", "name": "f", "content": "1"}), "`function message`"),
        (json!({"role": "assistant", "tool_calls": [call]}), "`tool call of type custom`"),
    ] {
        let uncarried = write(message.clone()).unwrap_err();
        assert!(uncarried.part.contains(named), "{message}: {uncarried}");
    }
    let unknown = json!({"role": "user", "content": [{"type": "novel", "novel": [1]}]});
    assert_eq!(write(unknown.clone()).unwrap(), unknown);
}

#[test]
fn an_address_whose_slashes_are_escaped_holds_the_same_bytes_of_the_same_type() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":[
        {"type":"image_url","image_url":{"url":"data:image\/png;base64,iVBO\/w0="}},
        {"type":"file","file":{"filename":"r.pdf","file_data":"data:application\/pdf;base64,JVBE"}}]}]}"#;
    let prompt = wire::read(OPENAI, body.as_bytes()).unwrap();
    let target =
        wire::dialect::Target { row: wire::plain(ANTHROPIC), model: "ours", operation: Operation::Chat };
    let written: Value = serde_json::from_slice(&wire::write(ANTHROPIC, &prompt, target).unwrap()).unwrap();
    let content = &written["messages"][0]["content"];
    let source = |mime: &str, data: &str| json!({"type": "base64", "media_type": mime, "data": data});
    assert_eq!(content[0]["source"], source("image/png", "iVBO/w0="));
    assert_eq!(content[1]["source"], source("application/pdf", "JVBE"));
}
