//! What the tests share: fixtures, and a relay driven to its end.
#![allow(dead_code, clippy::unwrap_used)]

use bytes::Bytes;
use model::{Dialect, Failure, Money, Stop, Usage};
use std::collections::VecDeque;
use wire::{Progress, Relay, RelayOptions};

pub const BOTH: [Dialect; 2] = [Dialect::OpenAi, Dialect::Anthropic];

pub fn fixture(name: &str) -> Bytes {
    let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    Bytes::from(std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}")))
}

/// Everything a stream came to.
#[derive(Debug, PartialEq)]
pub struct Run {
    pub text: String,
    pub usage: Usage,
    pub stop: Option<Stop>,
    pub content: bool,
    pub malformed: u32,
    pub end: Result<(), Failure>,
}

/// Drives a relay over pieces, then the provider's close, then the finale.
pub fn run(client: Dialect, provider: Dialect, asks_usage: bool, pieces: &[&[u8]]) -> Run {
    let options = RelayOptions { asks_usage, model: "asked", created: 1_763_800_001, id_hint: "req_hint" };
    let mut relay = Relay::new(client, provider, wire::plain(provider), options);
    let mut out = VecDeque::new();
    let mut end = Ok(());
    for piece in pieces {
        if let Err(failure) = relay.feed(Bytes::copy_from_slice(piece), &mut out) {
            end = Err(failure);
            break;
        }
    }
    if end.is_ok() {
        end = relay.eof().map(|progress| assert_eq!(progress, Progress::Whole));
    }
    if end.is_ok() {
        relay.finale(Some(Money(1_230_000)), &mut out);
    }
    let text = out.iter().flat_map(|b| b.iter().copied()).collect::<Vec<u8>>();
    Run {
        text: String::from_utf8(text).unwrap(),
        usage: relay.usage(),
        stop: relay.stop(),
        content: relay.content_seen(),
        malformed: relay.malformed(),
        end,
    }
}

/// The data of every frame, as JSON where it is.
pub fn frames(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap_or_else(|_| serde_json::Value::from(data)))
        .collect()
}
