//! One conversation through every pair of dialects, both ways, as snapshots; streams cut at every byte.

#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use http::HeaderMap;
use model::{Dialect, Operation, Timestamp};
use support::{BOTH, fixture, run};

const STREAMS: [&str; 3] = ["stream-text", "stream-tools", "stream-refusal"];

fn pretty(bytes: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

fn sent(client: Dialect, provider: Dialect, body: &Bytes) -> Bytes {
    let glance = wire::glance(client, Operation::Chat, body).unwrap();
    let (row, model) = match provider {
        Dialect::Anthropic => (wire::row("anthropic").unwrap(), "claude-sonnet-4-5"),
        _ => (wire::row("openai").unwrap(), "gpt-4.1"),
    };
    let out = wire::outgoing(
        client,
        Operation::Chat,
        row,
        provider,
        model,
        Some("key"),
        body,
        &glance,
        &HeaderMap::new(),
    )
    .unwrap();
    out.body.concat().into()
}

#[test]
fn a_request_goes_to_every_dialect() {
    for client in BOTH {
        for provider in BOTH {
            let body = fixture(&format!("{client}/request.json"));
            let out = sent(client, provider, &body);
            insta::assert_snapshot!(format!("request_{client}_to_{provider}"), pretty(&out));
        }
    }
}

#[test]
fn in_the_same_dialect_every_byte_but_the_model_s_name_stays() {
    for client in BOTH {
        let body = fixture(&format!("{client}/request.json"));
        let out = sent(client, client, &body);
        let model = if client == Dialect::OpenAi { "gpt-4.1" } else { "claude-sonnet-4-5" };
        let expected = String::from_utf8(body.to_vec()).unwrap().replacen("refund-triage", model, 1);
        assert_eq!(String::from_utf8(out.to_vec()).unwrap(), expected);
    }
}

#[test]
fn an_answer_comes_back_in_every_dialect() {
    for provider in BOTH {
        for client in BOTH {
            for name in ["answer-tools", "answer-refusal"] {
                let body = fixture(&format!("{provider}/{name}.json"));
                let at = Timestamp(1_763_800_001_000_000);
                let got = wire::answer(client, provider, wire::plain(provider), body.clone(), at).unwrap();
                if client == provider {
                    assert_eq!(got.body, body);
                }
                let summary = format!(
                    "stop {:?}, detail {:?}, model {:?}\n{:?}\n{}",
                    got.stop,
                    got.stop_detail,
                    got.model,
                    got.usage,
                    pretty(&got.body)
                );
                insta::assert_snapshot!(format!("{name}_{provider}_to_{client}"), summary);
            }
        }
    }
}

#[test]
fn a_stream_comes_back_in_every_dialect() {
    for provider in BOTH {
        for client in BOTH {
            for name in STREAMS {
                let stream = fixture(&format!("{provider}/{name}.sse"));
                let got = run(client, provider, true, &[&stream]);
                assert_eq!(got.end, Ok(()), "{name} {provider} to {client}");
                let summary = format!("stop {:?}\n{:?}\n{}", got.stop, got.usage, got.text);
                insta::assert_snapshot!(format!("{name}_{provider}_to_{client}"), summary);
            }
        }
    }
}

#[test]
fn a_stream_cut_at_any_byte_reads_the_same() {
    for provider in BOTH {
        for client in BOTH {
            for name in STREAMS {
                let stream = fixture(&format!("{provider}/{name}.sse"));
                let whole = run(client, provider, true, &[&stream]);
                for cut in 0..stream.len() {
                    let got = run(client, provider, true, &[&stream[..cut], &stream[cut..]]);
                    assert_eq!(got, whole, "{name} {provider} to {client}, cut at {cut}");
                }
                let bytes: Vec<&[u8]> = stream.chunks(1).collect();
                assert_eq!(run(client, provider, true, &bytes), whole, "{name} byte by byte");
            }
        }
    }
}

#[test]
fn a_stream_broken_off_at_any_byte_never_ends_like_a_whole_one() {
    for provider in BOTH {
        for client in BOTH {
            for name in STREAMS {
                let stream = fixture(&format!("{provider}/{name}.sse"));
                // The last line may lack its blank line; everything shorter than that is cut.
                let end =
                    stream.len() - 1 - stream.iter().rev().take_while(|b| b.is_ascii_whitespace()).count();
                for cut in 0..=end {
                    let got = run(client, provider, true, &[&stream[..cut]]);
                    assert!(got.end.is_err(), "{name} {provider} to {client}, broken off at {cut}");
                    assert!(!got.text.contains("[DONE]") && !got.text.contains("message_stop"));
                    assert!(!got.text.contains("x-pointsman-cost-usd"));
                }
            }
        }
    }
}
