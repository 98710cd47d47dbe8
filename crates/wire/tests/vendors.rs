//! Every row of the table of vendors against its fixture, `fixtures/vendors/NAME.json`: where and how a request goes
//! out, what an answer of the vendor's own shape is counted as, what its errors mean and how long they ask to wait.
//!
//! A fixture is written from the vendor's documented shapes, shortened; `source` names the reference to hold it against.
//! A row without one fails.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use model::{Dialect, Operation, Timestamp, Usage};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wire::Row;

const KEY: &str = "key-of-the-tests";
/// What a row may differ in: the output limit, stop sequences, `top_k`, the user, the usage of a stream.
const OF_ANTHROPIC: &str = r#"{"model":"w","max_tokens":300,"stream":true,"top_k":40,"stop_sequences":["END"],
    "metadata":{"user_id":"u-1"},"system":"Be brief.","messages":[{"role":"user","content":"Hello"}]}"#;
const OF_OPENAI: &str = r#"{"model":"w","max_completion_tokens":300,"stream":true,"stop":"END","user":"u-1",
    "messages":[{"role":"developer","content":"Be brief."},{"role":"user","content":"Hello"}]}"#;

fn directory() -> String {
    format!("{}/fixtures/vendors", env!("CARGO_MANIFEST_DIR"))
}

fn fixture(row: &Row) -> Value {
    let path = format!("{}/{}.json", directory(), row.preset.name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| {
        panic!("{path}: {e}. Write down what the vendor's reference says, as the others do")
    });
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// 2026-11-22T16:30:00Z.
fn now() -> Timestamp {
    Timestamp::from_civil(2026, 11, 22, 16, 30, 0)
}

#[test]
fn every_row_has_a_fixture_and_every_fixture_a_row() {
    let rows: BTreeSet<String> = wire::rows().iter().map(|row| format!("{}.json", row.preset.name)).collect();
    let files: BTreeSet<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, rows);
}

#[test]
fn a_request_of_the_other_dialect_goes_out_as_each_vendor_takes_it() {
    for row in wire::rows() {
        let (name, fixture) = (row.preset.name, fixture(row));
        let dialect = row.preset.dialects[0];
        let (client, asked) = match dialect {
            Dialect::Anthropic => (Dialect::OpenAi, OF_OPENAI),
            _ => (Dialect::Anthropic, OF_ANTHROPIC),
        };
        let expected = &fixture["request"];
        let key = expected["key"].is_string().then_some(KEY);
        let body = Bytes::from_static(asked.as_bytes());
        let glance = wire::glance(client, Operation::Chat, &body).unwrap();
        let model = fixture["answer"]["body"]["model"].as_str().unwrap();
        let out = wire::outgoing(
            client,
            Operation::Chat,
            row,
            dialect,
            model,
            key,
            &body,
            &glance,
            &HeaderMap::new(),
        )
        .unwrap_or_else(|why| panic!("{name}: {why}"));
        // Where only the owner knows the address, the fixture names one as its vendor documents it.
        let base = row.preset.base_url.unwrap_or_else(|| fixture["base_url"].as_str().unwrap());
        let address = format!("{}{}", row.base(dialect, base), out.path_and_query);
        assert_eq!(expected["address"], address, "{name}");
        let secret = out.headers.iter().find(|(_, value)| value.is_sensitive());
        let sent = secret.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let key = expected["key"].as_str().map(|form| form.replace("KEY", KEY));
        assert_eq!(sent, key, "{name}");
        let body: Value = serde_json::from_slice(&out.body.concat()).unwrap();
        let mut whole = expected["body"].clone();
        whole["model"] = model.into();
        assert_eq!(body, whole, "{name}");
    }
}

#[test]
fn an_answer_of_each_vendor_is_served_and_counted() {
    for row in wire::rows() {
        let (name, fixture) = (row.preset.name, fixture(row));
        let dialect = row.preset.dialects[0];
        let body = Bytes::from(fixture["answer"]["body"].to_string());
        for client in [Dialect::OpenAi, Dialect::Anthropic] {
            let relayed = wire::answer(client, dialect, row, body.clone(), now()).unwrap();
            let Usage { input, output, cache_read, cache_write, reasoning } = relayed.usage;
            let mut counted = json!({"input": input, "output": output, "cache_read": cache_read,
                "cache_write": cache_write, "reasoning": reasoning});
            counted.as_object_mut().unwrap().retain(|_, tokens| !tokens.is_null());
            assert_eq!(counted, fixture["answer"]["usage"], "{name} for {client}");
            let words = String::from_utf8(relayed.body.to_vec()).unwrap();
            assert!(words.contains("Hello!"), "{name} for {client}: {words}");
        }
    }
}

#[test]
fn the_errors_of_each_vendor_have_their_class_and_their_wait() {
    for row in wire::rows() {
        let (name, fixture) = (row.preset.name, fixture(row));
        let errors = fixture["errors"].as_array().unwrap();
        assert!(!errors.is_empty(), "{name}: an error body and its class are missing");
        for error in errors {
            let mut headers = HeaderMap::new();
            for (header, value) in error["headers"].as_object().into_iter().flatten() {
                let header = HeaderName::try_from(header).unwrap();
                headers.insert(header, value.as_str().unwrap().parse().unwrap());
            }
            let status = u16::try_from(error["status"].as_u64().unwrap()).unwrap();
            let body = error["body"].to_string();
            let dialect = row.preset.dialects[0];
            let failure = wire::classify(dialect, row, status, &headers, body.as_bytes(), now(), Some(KEY));
            assert_eq!(error["class"], failure.kind.name(), "{name}: {body}");
            let wait = failure.retry_after.map(|wait| wait.as_secs_f64());
            assert_eq!(error["wait_seconds"].as_f64(), wait, "{name}: {body}");
        }
    }
}
