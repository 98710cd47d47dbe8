//! Any error body has a class, and the key never stands in its detail.
#![no_main]
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use model::Timestamp;

const KEY: &str = "local-secret-0123456789";

fuzz_target!(|input: (u16, &[u8], &[u8])| {
    let (status, header, body) = input;
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(header) {
        for name in
            ["retry-after", "retry-after-ms", "x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-reset"]
        {
            headers.insert(name, value.clone());
        }
        for name in ["x-ratelimit-remaining-tokens", "anthropic-ratelimit-tokens-remaining"] {
            headers.insert(name, HeaderValue::from_static("0"));
        }
    }
    let echoed = [body, KEY.as_bytes()].concat();
    for dialect in pointsman_fuzz::BOTH {
        for body in [body, &echoed] {
            let failure = wire::classify(
                dialect,
                wire::plain(dialect),
                status,
                &headers,
                body,
                Timestamp(0),
                Some(KEY),
            );
            assert!(!failure.detail.contains(KEY) && failure.detail.len() < 520);
        }
    }
});
