//! Nanoseconds a call on the hot path. Run with
//! `cargo test -p wire --release --test speed -- --ignored --nocapture`. Prints; asserts nothing about time.

#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use http::HeaderMap;
use model::{Dialect, Operation, Timestamp};
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Instant;
use wire::{Relay, RelayOptions};

fn time(name: &str, rounds: u32, mut f: impl FnMut()) {
    for _ in 0..rounds / 10 {
        f();
    }
    // The best of several runs: the machine is shared.
    let best = (0..7)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..rounds {
                f();
            }
            start.elapsed().as_nanos() / u128::from(rounds)
        })
        .min();
    println!("{name:44} {:>8} ns", best.unwrap_or(0));
}

fn chat(bytes: usize, extra: &str) -> Bytes {
    let line = "The customer writes that the parcel \\\"A-1\\\" never arrived.\\nPlease classify it. ";
    let text = line.repeat(bytes / line.len() + 1);
    Bytes::from(format!(
        r#"{{"model":"refund-triage","messages":[{{"role":"system","content":"You triage refunds."}},{{"role":"user","content":"{}"}}],"temperature":0.2,"max_tokens":300{extra}}}"#,
        &text[..text[..bytes].rfind(' ').unwrap()]
    ))
}

#[test]
#[ignore = "prints figures; run it in release mode"]
fn nanoseconds_per_call() {
    let (openai, anthropic) = (Dialect::OpenAi, Dialect::Anthropic);
    let none = HeaderMap::new();
    let (o, a) = (wire::row("openai").unwrap(), wire::row("anthropic").unwrap());
    for size in [1_000, 50_000] {
        let rounds = if size == 1_000 { 200_000 } else { 10_000 };
        let body = chat(size, "");
        time(&format!("glance {size}"), rounds, || {
            black_box(wire::glance(openai, Operation::Chat, &body).unwrap());
        });
        let glance = wire::glance(openai, Operation::Chat, &body).unwrap();
        let send = |row, dialect, name| {
            wire::outgoing(openai, Operation::Chat, row, dialect, name, Some("sk-key"), &body, &glance, &none)
        };
        time(&format!("outgoing, same dialect {size}"), rounds, || {
            black_box(send(o, openai, "gpt-4.1").unwrap());
        });
        time(&format!("outgoing, openai to anthropic {size}"), rounds / 4, || {
            black_box(send(a, anthropic, "claude-sonnet-4-5").unwrap());
        });
        let reply = Bytes::from(format!(
            r#"{{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{{"type":"text","text":"{}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":56,"cache_creation_input_tokens":10,"cache_read_input_tokens":64,"output_tokens":30}}}}"#,
            "word ".repeat(size / 5)
        ));
        time(&format!("answer, same dialect {size}"), rounds, || {
            black_box(wire::answer(anthropic, anthropic, a, reply.clone(), Timestamp(0)).unwrap());
        });
        time(&format!("answer, anthropic to openai {size}"), rounds / 4, || {
            black_box(wire::answer(openai, anthropic, a, reply.clone(), Timestamp(0)).unwrap());
        });
    }
    let streamed = chat(1_000, r#","stream":true"#);
    let glance = wire::glance(openai, Operation::Chat, &streamed).unwrap();
    time("outgoing with usage asked for 1000", 200_000, || {
        let out = wire::outgoing(
            openai,
            Operation::Chat,
            o,
            openai,
            "gpt-4.1",
            Some("sk"),
            &streamed,
            &glance,
            &none,
        );
        black_box(out.unwrap());
    });
    for (name, client, provider, chunk) in [
        (
            "openai to openai",
            openai,
            openai,
            r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1763800000,"model":"gpt-4.1-2025-04-14","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}],"usage":null}

"#,
        ),
        (
            "anthropic to anthropic",
            anthropic,
            anthropic,
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" token\"}}\n\n",
        ),
        (
            "openai to anthropic",
            anthropic,
            openai,
            "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,\"model\":\"gpt-4.1-2025-04-14\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
        ),
        (
            "anthropic to openai",
            openai,
            anthropic,
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" token\"}}\n\n",
        ),
    ] {
        let mut relay = Relay::new(client, provider, wire::plain(provider), RelayOptions::default());
        let mut out = VecDeque::new();
        if provider == anthropic {
            relay.feed(Bytes::from_static(b"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"), &mut out).unwrap();
        }
        let chunk = Bytes::copy_from_slice(chunk.as_bytes());
        time(&format!("chunk, {name}"), 200_000, || {
            relay.feed(chunk.clone(), &mut out).unwrap();
            black_box(&out);
            out.clear();
        });
    }
}
