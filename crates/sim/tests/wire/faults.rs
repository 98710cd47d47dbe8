//! Every fault on the wire, streamed and whole, in both dialects.

use crate::client::{End, Got, anthropic, asks, last_ended, openai, says, start};
use serde_json::{Value, json};
use sim::{Ended, Fault, KINDS, Line, LineCall, Match, Rule, Script, SimHandle};

/// One fault, four ways: OpenAI streamed and whole, Anthropic streamed and whole.
async fn four(sim: &SimHandle, fault: &str) -> [Got; 4] {
    let header = [("x-sim-fault", fault)];
    // At the same time, because some of them end only when nothing more comes.
    let (a, b, c, d) = tokio::join!(
        openai(sim, &header, asks(json!({"stream": true}))),
        openai(sim, &header, asks(json!({}))),
        anthropic(sim, &header, says(json!({"stream": true}))),
        anthropic(sim, &header, says(json!({}))),
    );
    [a, b, c, d]
}

fn terminated(got: &Got) -> bool {
    got.body.contains("[DONE]") || got.body.contains("message_stop")
}

#[tokio::test]
async fn errors_have_the_vendors_status_and_code() {
    let sim = start().await;
    let cases = [
        ("quota", (429, "insufficient_quota"), (400, "invalid_request_error", "credit balance is too low")),
        ("overloaded", (503, "null"), (529, "overloaded_error", "Overloaded")),
        ("server_error:code=502", (502, "null"), (502, "api_error", "Internal server error")),
        ("auth", (401, "invalid_api_key"), (401, "authentication_error", "invalid x-api-key")),
        ("model_gone", (404, "model_not_found"), (404, "not_found_error", "model: claude-sonnet-4-5")),
        (
            "context_exceeded",
            (400, "context_length_exceeded"),
            (400, "invalid_request_error", "prompt is too long"),
        ),
        ("rate_limit", (429, "rate_limit_exceeded"), (429, "rate_limit_error", "rate limit")),
    ];
    for (fault, (status, code), (other_status, kind, words)) in cases {
        let [a, b, c, d] = four(&sim, fault).await;
        for got in [a, b] {
            let found = got.json()["error"]["code"].as_str().unwrap_or("null").to_owned();
            assert_eq!((got.status, found.as_str()), (status, code), "{fault}");
        }
        for got in [c, d] {
            let error = got.json()["error"].clone();
            assert_eq!((got.status, error["type"].as_str()), (other_status, Some(kind)), "{fault}");
            assert!(error["message"].as_str().unwrap().contains(words), "{fault}");
        }
    }
}

#[tokio::test]
async fn a_rate_limit_tells_when_it_ends_only_if_asked_to() {
    let sim = start().await;
    let [a, _, c, _] = four(&sim, "rate_limit:retry_after=1.5").await;
    assert_eq!((a.header("retry-after"), a.header("retry-after-ms")), (Some("2"), Some("1500")));
    assert_eq!(
        (a.header("x-ratelimit-remaining-requests"), a.header("x-ratelimit-reset-requests")),
        (Some("0"), Some("1s"))
    );
    assert_eq!((c.header("retry-after"), c.header("retry-after-ms")), (Some("2"), None));
    assert_eq!(c.header("anthropic-ratelimit-tokens-remaining"), Some("0"));
    for got in four(&sim, "rate_limit").await {
        assert!(!got.head.contains("retry-after") && !got.head.contains("ratelimit"), "{}", got.head);
    }
}

#[tokio::test]
async fn any_status_can_be_scripted_with_body_and_headers() {
    let sim = start().await;
    let headers = [("Retry-After".to_owned(), "9".to_owned())].into();
    sim.script(Script::always(Fault::Status { code: 418, body: Some(json!({"tea": true})), headers }));
    let got = openai(&sim, &[], asks(json!({}))).await;
    assert_eq!((got.status, got.json(), got.header("retry-after")), (418, json!({"tea": true}), Some("9")));
    sim.script(Script::always(Fault::Status { code: 403, body: None, headers: Default::default() }));
    let got = anthropic(&sim, &[], says(json!({}))).await;
    assert_eq!((got.status, got.json()["error"]["type"].as_str()), (403, Some("permission_error")));
}

#[tokio::test]
async fn echo_key_repeats_the_credential() {
    let sim = start().await;
    for got in four(&sim, "echo_key").await {
        assert_eq!(got.status, 401);
        assert!(got.json()["error"]["message"].as_str().unwrap().contains("sk-test-1234567890"));
    }
    let [masked, ..] = four(&sim, "auth").await;
    assert!(!masked.body.contains("sk-test-1234567890"));
}

#[tokio::test]
async fn reset_comes_before_any_header() {
    let sim = start().await;
    for got in four(&sim, "reset").await {
        assert_eq!((got.status, got.body.as_str(), got.end), (0, "", End::Reset));
    }
    let entry = last_ended(&sim).await;
    assert_eq!((entry.status, entry.ended, entry.usage), (None, Ended::Reset, None));
}

#[tokio::test]
async fn silence_keeps_the_connection_open_without_a_byte() {
    let sim = start().await;
    for got in four(&sim, "silence").await {
        assert_eq!((got.status, got.body.as_str(), got.end), (0, "", End::Quiet));
    }
    let entry = last_ended(&sim).await;
    assert_eq!((entry.status, entry.ended), (None, Ended::ClientLeft));
}

#[tokio::test]
async fn a_cut_closes_after_so_many_tokens_without_a_terminator() {
    let sim = start().await;
    let [a, b, c, d] = four(&sim, "cut:after_tokens=3").await;
    assert_eq!(a.openai_text(), "About \"Where is");
    assert_eq!(c.anthropic_text(), "About \"Where is");
    for got in [&a, &c] {
        assert_eq!((got.status, got.whole, terminated(got), got.end), (200, false, false, End::Closed));
    }
    for got in [&b, &d] {
        assert_eq!((got.status, got.whole, got.end), (200, false, End::Closed));
        assert!(!got.body.is_empty() && got.body.starts_with('{'));
    }
    let [opening, ..] = four(&sim, "cut").await;
    assert_eq!(opening.events().len(), 1, "the role chunk only");
    let [all, ..] = four(&sim, "cut:after_tokens=1000").await;
    assert!(!all.body.contains("finish_reason\":\"stop"), "no finish even after the last word");
    let entry = last_ended(&sim).await;
    assert_eq!(entry.ended, Ended::Cut);
}

#[tokio::test]
async fn a_broken_stream_is_billed_up_to_the_break() {
    let sim = start().await;
    let header = [("x-sim-fault", "cut:after_tokens=3")];
    let got = openai(&sim, &header, asks(json!({"stream": true}))).await;
    let entry = last_ended(&sim).await;
    let usage = entry.usage.expect("billed");
    assert_eq!((usage.input, usage.output), (5, sim::tokens(got.openai_text().chars().count())));
}

#[tokio::test]
async fn reset_mid_resets_after_so_many_tokens() {
    let sim = start().await;
    let [a, b, c, d] = four(&sim, "reset_mid:after_tokens=2").await;
    assert_eq!((a.openai_text().as_str(), c.anthropic_text().as_str()), ("About \"Where", "About \"Where"));
    for got in [a, b, c, d] {
        assert_eq!((got.status, got.whole, got.end), (200, false, End::Reset));
    }
    assert_eq!(last_ended(&sim).await.ended, Ended::Reset);
}

#[tokio::test]
async fn a_stall_leaves_the_connection_open() {
    let sim = start().await;
    let [a, b, c, d] = four(&sim, "stall:after_tokens=2").await;
    assert_eq!((a.openai_text().as_str(), c.anthropic_text().as_str()), ("About \"Where", "About \"Where"));
    for got in [a, b, c, d] {
        assert_eq!((got.status, got.whole, got.end), (200, false, End::Quiet));
    }
}

#[tokio::test]
async fn slow_answers_hold_back_headers_or_only_the_first_token() {
    let sim = start().await;
    let [a, b, ..] = four(&sim, "slow_headers:ms=60000").await;
    assert_eq!((a.status, b.status), (0, 0), "not even headers yet");
    let [a, b, c, _] = four(&sim, "slow_first_token:ms=60000").await;
    assert_eq!((a.status, a.openai_text().as_str(), a.events().len(), a.end), (200, "", 1, End::Quiet));
    assert_eq!((c.status, c.anthropic_text().as_str(), c.events().len()), (200, "", 3));
    assert_eq!(b.status, 0);
    let [a, ..] = four(&sim, "slow_headers:ms=1").await;
    assert!(terminated(&a));
}

#[tokio::test]
async fn malformed_chunks_stand_between_words_and_lose_none() {
    let sim = start().await;
    let [plain, ..] = four(&sim, "comments").await;
    let [a, b, c, d] = four(&sim, "malformed_chunk:at=1,count=4").await;
    for got in [&a, &c] {
        let broken = got
            .data()
            .iter()
            .filter(|d| serde_json::from_str::<Value>(d).is_err() && **d != "[DONE]")
            .count();
        assert_eq!((broken, terminated(got)), (4, true));
    }
    assert_eq!((a.openai_text(), c.anthropic_text()), (plain.openai_text(), plain.openai_text()));
    for got in [b, d] {
        assert!(got.status == 200 && got.whole && serde_json::from_str::<Value>(&got.body).is_err());
    }
}

#[tokio::test]
async fn an_error_inside_a_stream_ends_it_without_its_terminator() {
    let sim = start().await;
    let [a, b, c, d] = four(&sim, "in_stream_error:after_tokens=2").await;
    assert_eq!(a.events().last().unwrap()["error"]["type"], "server_error");
    assert_eq!(c.events().last().unwrap()["error"]["type"], "overloaded_error");
    assert!(c.body.contains("event: error\n"));
    for got in [&a, &c] {
        assert_eq!((got.status, got.whole, terminated(got)), (200, true, false));
    }
    assert_eq!((b.status, d.status), (500, 500));
}

#[tokio::test]
async fn a_good_status_can_hide_an_error_a_page_or_nothing() {
    let sim = start().await;
    for got in four(&sim, "error_in_200").await {
        assert_eq!((got.status, got.header("content-type")), (200, Some("application/json")));
        assert!(got.json()["error"]["message"].is_string());
    }
    for got in four(&sim, "html_200").await {
        assert!(got.status == 200 && got.body.starts_with("<!DOCTYPE html>"));
    }
    for got in four(&sim, "empty_body").await {
        assert_eq!((got.status, got.body.as_str(), got.whole), (200, "", true));
    }
    let [a, b, c, d] = four(&sim, "empty").await;
    assert_eq!((a.openai_text().as_str(), c.anthropic_text().as_str()), ("", ""));
    assert!(terminated(&a) && terminated(&c));
    assert_eq!(
        (b.json()["choices"][0]["message"]["content"].as_str(), d.json()["content"].clone()),
        (Some(""), json!([]))
    );
    assert_eq!(b.json()["usage"]["completion_tokens"], 0);
}

#[tokio::test]
async fn refusals_and_filters_have_the_vendors_form() {
    let sim = start().await;
    let [a, b, c, d] = four(&sim, "refusal").await;
    let words: String =
        a.events().iter().filter_map(|e| e["choices"][0]["delta"]["refusal"].as_str()).collect();
    let message = b.json()["choices"][0]["message"].clone();
    assert_eq!((message["content"].clone(), message["refusal"].as_str()), (Value::Null, Some(&*words)));
    assert!(!words.is_empty());
    let delta = c.events().into_iter().find(|e| e["type"] == "message_delta").unwrap();
    assert_eq!(
        (delta["delta"]["stop_reason"].as_str(), d.json()["stop_reason"].as_str()),
        (Some("refusal"), Some("refusal"))
    );
    assert_eq!(d.json()["stop_details"]["type"], "refusal");

    let [a, b, c, d] = four(&sim, "content_filter").await;
    assert!(a.body.contains("\"finish_reason\":\"content_filter\"") && terminated(&a));
    assert_eq!(b.json()["choices"][0]["finish_reason"], "content_filter");
    assert!(!c.anthropic_text().is_empty() && !terminated(&c));
    assert_eq!(c.events().last().unwrap()["error"]["message"], "Output blocked by content filtering policy");
    assert_eq!(d.status, 400);

    let [a, b, c, d] = four(&sim, "truncate").await;
    assert!(
        a.body.contains("\"finish_reason\":\"length\"") && c.body.contains("\"stop_reason\":\"max_tokens\"")
    );
    assert_eq!(
        (b.json()["choices"][0]["finish_reason"].as_str(), d.json()["stop_reason"].as_str()),
        (Some("length"), Some("max_tokens"))
    );
}

#[tokio::test]
async fn structured_output_can_be_broken_wrong_or_fenced() {
    let sim = start().await;
    let format = json!({"type": "json_schema", "json_schema": {"name": "r", "schema":
        {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}}});
    let content = async |fault: &str| {
        let got = openai(&sim, &[("x-sim-fault", fault)], asks(json!({"response_format": format}))).await;
        got.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    };
    assert!(serde_json::from_str::<Value>(&content("bad_json").await).is_err());
    let wrong: Value = serde_json::from_str(&content("bad_json:violates=true").await).unwrap();
    assert!(wrong["n"].is_null());
    let fenced = content("fenced_json").await;
    let inside = fenced.split("```json\n").nth(1).and_then(|t| t.split("\n```").next()).unwrap();
    assert!(serde_json::from_str::<Value>(inside).unwrap()["n"].is_i64());
}

#[tokio::test]
async fn usage_can_be_missing_and_a_finish_doubled() {
    let sim = start().await;
    let [a, b, c, d] = four(&sim, "no_usage").await;
    assert!([&a, &b, &c, &d].iter().all(|got| !got.body.contains("\"usage\"")));
    let [a, _, c, _] = four(&sim, "double_finish").await;
    assert_eq!(a.body.matches("\"finish_reason\":\"stop\"").count(), 2);
    assert_eq!(c.body.matches("event: message_delta").count(), 2);
    assert!(terminated(&a) && terminated(&c));
}

#[tokio::test]
async fn framing_can_be_odd_and_still_carries_every_word() {
    let sim = start().await;
    let whole = openai(&sim, &[], asks(json!({}))).await.json();
    let text = whole["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    for fault in ["crlf_frames", "comments", "split_frames", "no_final_newline"] {
        let [a, b, c, d] = four(&sim, fault).await;
        assert_eq!((a.openai_text(), c.anthropic_text()), (text.clone(), text.clone()), "{fault}");
        assert!(terminated(&a) && terminated(&c) && a.whole && c.whole, "{fault}");
        assert!(b.json()["choices"].is_array() && d.json()["content"].is_array(), "{fault}");
        match fault {
            "crlf_frames" => assert_eq!(a.body.matches('\n').count(), a.body.matches("\r\n").count()),
            "comments" => assert!(a.body.starts_with(": keep-alive\n\n")),
            "no_final_newline" => assert!(a.body.ends_with("[DONE]") && c.body.ends_with('}')),
            _ => {}
        }
    }
}

#[tokio::test]
async fn split_frames_put_one_byte_into_each_chunk() {
    let sim = start().await;
    let body = asks(json!({"stream": true})).to_string();
    let request = crate::client::request("/v1/chat/completions", &[("x-sim-fault", "split_frames")], &body);
    let mut stream = crate::client::connect(&sim, &request).await;
    let mut bytes = Vec::new();
    crate::client::read(&mut stream, &mut bytes).await;
    let text = String::from_utf8(bytes).unwrap();
    let chunks = text.split_once("\r\n\r\n").unwrap().1;
    assert!(chunks.starts_with("1\r\nd\r\n1\r\na\r\n1\r\nt\r\n"), "{}", &chunks[..40]);
}

#[tokio::test]
async fn a_model_name_asks_for_a_fault_and_a_wrong_kind_is_explained() {
    let sim = start().await;
    let got = openai(&sim, &[], asks(json!({"model": "fault-cut:after_tokens=1", "stream": true}))).await;
    assert_eq!((got.openai_text().as_str(), got.end), ("About", End::Closed));
    let got = openai(&sim, &[("x-sim-fault", "boom")], asks(json!({}))).await;
    assert_eq!(got.status, 400);
    assert!(got.json()["error"]["message"].as_str().unwrap().contains("no fault kind `boom`"));
}

#[tokio::test]
async fn scripted_answers_replace_generated_ones() {
    let sim = start().await;
    let line = Line {
        text: Some("Forty-two.".to_owned()),
        reasoning: Some("Think hard.".to_owned()),
        cached_tokens: Some(3),
        tool_calls: vec![LineCall { name: "f".to_owned(), arguments: json!({"a": 1}) }],
        ..Line::default()
    };
    sim.script(Script { rules: vec![Rule { answer: Some(line), ..Rule::default() }], append: false });
    let message = openai(&sim, &[], asks(json!({}))).await.json();
    let choice = &message["choices"][0];
    assert_eq!(
        (choice["message"]["content"].as_str(), choice["message"]["reasoning_content"].as_str()),
        (Some("Forty-two."), Some("Think hard."))
    );
    assert_eq!(choice["message"]["tool_calls"][0]["function"]["arguments"], "{\"a\":1}");
    assert_eq!(
        (&choice["finish_reason"], &message["usage"]["prompt_tokens_details"]["cached_tokens"]),
        (&json!("tool_calls"), &json!(3))
    );
    let blocks = anthropic(&sim, &[], says(json!({}))).await.json()["content"].clone();
    let kinds: Vec<_> = blocks.as_array().unwrap().iter().map(|b| b["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use"]);
    assert_eq!(blocks[2]["input"], json!({"a": 1}));
}

#[tokio::test]
async fn rules_are_loaded_and_cleared_over_http() {
    let sim = start().await;
    let post = |body: &str| crate::client::request("/_sim/script", &[], body);
    let rules = r#"{"rules":[{"match":{"provider":"anthropic"},"times":1,"fault":{"kind":"overloaded"}}]}"#;
    assert_eq!(crate::client::send(&sim, &post(rules)).await.status, 200);
    assert_eq!(openai(&sim, &[], asks(json!({}))).await.status, 200, "another dialect");
    assert_eq!(anthropic(&sim, &[], says(json!({}))).await.status, 529);
    assert_eq!(anthropic(&sim, &[], says(json!({}))).await.status, 200, "spent");
    let append = r#"{"append":true,"rules":[{"fault":{"kind":"auth"}}]}"#;
    let shown = crate::client::send(&sim, &post(append)).await.json();
    assert_eq!(
        (shown["rules"][0]["decided"].clone(), shown["rules"].as_array().unwrap().len()),
        (json!(1), 2)
    );
    assert_eq!(openai(&sim, &[], asks(json!({}))).await.status, 401);
    let delete = post("").replace("POST", "DELETE");
    assert_eq!(crate::client::send(&sim, &delete).await.json(), json!({"rules": []}));
    assert_eq!(openai(&sim, &[], asks(json!({}))).await.status, 200);
    let wrong = crate::client::send(&sim, &post(r#"{"rules":[{"fault":{"kind":"boom"}}]}"#)).await;
    assert!(wrong.status == 400 && wrong.body.contains("boom"));
}

#[tokio::test]
async fn no_fault_ever_panics_or_hangs_the_simulator() {
    let sim = start().await;
    for kind in KINDS {
        let fault = match *kind {
            "status" => Fault::parse("status:code=599"),
            "slow_headers" | "slow_first_token" => Fault::parse(&format!("{kind}:ms=1")),
            kind => Fault::parse(kind),
        };
        let rule = Rule { matches: Match::default(), ..Rule::of(fault.unwrap()) };
        sim.script(Script { rules: vec![rule.times(4)], append: false });
        for stream in [true, false] {
            openai(&sim, &[], asks(json!({"stream": stream}))).await;
            anthropic(&sim, &[], says(json!({"stream": stream}))).await;
        }
        assert_eq!(openai(&sim, &[], asks(json!({}))).await.status, 200, "after {kind}");
    }
}
