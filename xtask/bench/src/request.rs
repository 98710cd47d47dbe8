//! The requests of the bench: chat bodies of a given size, in the OpenAI dialect.
//!
//! The text has the line breaks and quotes of real text, so that whoever unescapes it pays for that.

use serde_json::json;

const SENTENCE: &str =
    "The parcel left the depot on Tuesday, and the note says \"leave it at the back door\".\n";

/// A chat request of about `size` bytes in turns of at most five kilobytes, for `model`.
pub fn chat(model: &str, size: usize, stream: bool) -> String {
    let mut messages = vec![json!({"role": "system", "content": "You answer questions about parcels."})];
    let mut left = size.saturating_sub(180);
    while left > 0 {
        let role = if messages.len() % 2 == 1 { "user" } else { "assistant" };
        // Quotes and line breaks take two bytes each once they are escaped.
        let text: String = SENTENCE.chars().cycle().take(left.min(5_000) * 24 / 25).collect();
        left = left.saturating_sub(5_000);
        messages.push(json!({"role": role, "content": text}));
    }
    if messages.len() % 2 == 1 {
        messages.push(json!({"role": "user", "content": "So where is it?"}));
    }
    let mut body = json!({"model": model, "messages": messages, "max_tokens": 300, "temperature": 0.2});
    if stream {
        body["stream"] = json!(true);
    }
    body.to_string()
}

/// The request as it goes on the wire, connection kept open.
pub fn wire(address: &str, key: Option<&str>, body: &str) -> Vec<u8> {
    let authorization = key.map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nuser-agent: bench\r\n{authorization}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_about_as_large_as_asked_and_ends_with_the_users_turn() {
        for size in [1_000, 50_000] {
            let body = chat("m", size, false);
            assert!(body.len().abs_diff(size) < size / 10, "{size}: {}", body.len());
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            let last = body["messages"].as_array().and_then(|messages| messages.last()).unwrap();
            assert_eq!(last["role"], "user");
        }
    }
}
