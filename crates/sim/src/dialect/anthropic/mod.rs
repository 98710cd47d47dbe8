//! Anthropic Messages: answers, stream events, errors and headers as the vendor words them.
//!
//! Shapes follow the types and recorded streams of anthropic-sdk-python (August 2026). Parameters are checked in
//! [`check`], conversations in [`talk`].

mod check;
mod talk;

use super::{Call, Dialect, Endpoint, Limits, Refused, Trouble, bearer, header};
use crate::answer::{Answer, Stop, Thought};
use crate::ask::Ask;
use crate::clock::rfc3339;
use crate::json::{Json, object};
use crate::play::{Frame, Role};
use crate::prose::{pieces, words};
use crate::seed::{Mint, sign};
use http::HeaderMap;
use serde_json::Value;

pub(super) struct Anthropic;

const FILTERED: &str = "Output blocked by content filtering policy";

impl Dialect for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn credential<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        header(headers, "x-api-key").or_else(|| bearer(headers))
    }

    fn read(&self, call: &Call<'_>) -> Result<Ask, Refused> {
        check::read(call, true)
    }

    fn whole(&self, ask: &Ask, answer: &Answer, mint: &Mint) -> Refused {
        if answer.stop == Stop::Filter {
            return refused(400, "invalid_request_error", FILTERED, mint);
        }
        let mut content = Vec::new();
        match &answer.thinking {
            Some(Thought::Redacted(text)) => content.push(redacted(text)),
            Some(thought) => {
                let text = shown(thought);
                content.push(
                    object! { "type": "thinking", "thinking": text, "signature": sign("thinking", text) },
                );
            }
            None => {}
        }
        if !answer.text.is_empty() {
            content.push(object! { "type": "text", "text": answer.text });
        }
        for (i, call) in answer.calls.iter().enumerate() {
            // Arguments that were cut off do not parse; the vendor then shows what there is, which is an object.
            let input = serde_json::from_str(&call.arguments).ok().filter(Value::is_object);
            let input = input.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
            let id = mint.id("toolu_01", i as u64, 22);
            content.push(object! { "type": "tool_use", "id": id, "name": call.name, "input": input });
        }
        Refused { status: 200, body: message(ask, answer, mint, &content, Some(answer.usage.output)) }
    }

    fn frames(&self, ask: &Ask, answer: &Answer, mint: &Mint) -> Vec<Frame> {
        let mut events = Events::default();
        let start = object! { "type": "message_start", "message": message(ask, answer, mint, &[], None) };
        events.push("message_start", start, Role::Lifecycle, 0);
        match &answer.thinking {
            Some(Thought::Redacted(text)) => events.block(redacted(text), |_| {}),
            Some(thought) => {
                let text = shown(thought);
                let empty = object! { "type": "thinking", "thinking": "", "signature": "" };
                events.block(empty, |events| {
                    for word in words(text) {
                        events.delta(object! { "type": "thinking_delta", "thinking": word }, word);
                    }
                    let signature = sign("thinking", text);
                    events.delta(object! { "type": "signature_delta", "signature": signature }, "");
                });
            }
            None => {}
        }
        if !answer.text.is_empty() {
            events.block(object! { "type": "text", "text": "" }, |events| {
                for word in words(&answer.text) {
                    events.delta(object! { "type": "text_delta", "text": word }, word);
                }
            });
        }
        for (i, call) in answer.calls.iter().enumerate() {
            let id = mint.id("toolu_01", i as u64, 22);
            let empty = object! { "type": "tool_use", "id": id, "name": call.name, "input": object! {} };
            events.block(empty, |events| {
                // The vendor opens with an empty piece, and sends nothing more where there are no arguments.
                events.delta(object! { "type": "input_json_delta", "partial_json": "" }, "");
                for piece in pieces(&call.arguments, 6).iter().filter(|_| call.arguments != "{}") {
                    events.delta(object! { "type": "input_json_delta", "partial_json": piece }, piece);
                }
            });
        }
        if answer.stop == Stop::Filter {
            let error = refused(400, "invalid_request_error", FILTERED, mint).body;
            events.push("error", error, Role::Finish, 0);
            return events.frames;
        }
        let (reason, sequence, details) = stop(answer);
        let delta = object! {
            "stop_reason": reason, "stop_sequence": sequence, if details.is_some() => "stop_details": details
        };
        let finish = object! {
            "type": "message_delta", "delta": delta,
            if answer.show_usage => "usage": final_usage(answer)
        };
        events.push("message_delta", finish, Role::Finish, 0);
        events.push("message_stop", object! { "type": "message_stop" }, Role::After, 0);
        events.frames
    }

    fn side(&self, endpoint: &Endpoint, call: &Call<'_>) -> Result<Json, Refused> {
        let model = |id: &str| {
            object! { "type": "model", "id": id, "display_name": id, "created_at": "2025-09-29T00:00:00Z" }
        };
        match endpoint {
            Endpoint::CountTokens => {
                check::read(call, false).map(|ask| object! { "input_tokens": ask.input_tokens() })
            }
            Endpoint::Model(id) if call.config.models.iter().any(|m| m == id) => Ok(model(id)),
            Endpoint::Model(id) => Err(self.trouble(&Trouble::ModelGone(id.clone()), call.mint)),
            _ => {
                let models = &call.config.models;
                let data: Vec<_> = models.iter().map(|m| model(m)).collect();
                Ok(
                    object! { "data": data, "has_more": false, "first_id": models.first(), "last_id": models.last() },
                )
            }
        }
    }

    fn trouble(&self, trouble: &Trouble, mint: &Mint) -> Refused {
        let say = |status, kind, message: &str| refused(status, kind, message, mint);
        match trouble {
            Trouble::MissingKey => say(401, "authentication_error", "x-api-key header is required"),
            Trouble::BadKey(_) => say(401, "authentication_error", "invalid x-api-key"),
            Trouble::EchoKey(key) => say(401, "authentication_error", &format!("invalid x-api-key: {key}")),
            Trouble::RateLimit => say(
                429,
                "rate_limit_error",
                "This request would exceed your organization's rate limit of 10,000 requests per minute. For \
                 details, refer to: https://docs.claude.com/en/api/rate-limits.",
            ),
            Trouble::Quota => say(
                400,
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade \
                 or purchase credits.",
            ),
            Trouble::Overloaded => say(529, "overloaded_error", "Overloaded"),
            Trouble::Server(code) => say(*code, "api_error", "Internal server error"),
            Trouble::ModelGone(model) => say(404, "not_found_error", &format!("model: {model}")),
            Trouble::ContextExceeded(tokens) => say(
                400,
                "invalid_request_error",
                &format!("prompt is too long: {tokens} tokens > {} maximum", tokens / 2),
            ),
            Trouble::Status(code) => {
                let kind = match code {
                    401 => "authentication_error",
                    402 => "billing_error",
                    403 => "permission_error",
                    404 => "not_found_error",
                    413 => "request_too_large",
                    429 => "rate_limit_error",
                    504 => "timeout_error",
                    529 => "overloaded_error",
                    500.. => "api_error",
                    _ => "invalid_request_error",
                };
                say(*code, kind, &format!("The request was refused with status {code}."))
            }
            Trouble::NotJson(why) => {
                say(400, "invalid_request_error", &format!("The request body is not valid JSON: {why}"))
            }
            Trouble::TooLarge => {
                say(413, "request_too_large", "Request exceeds the maximum allowed number of bytes.")
            }
            Trouble::NoRoute(..) => say(404, "not_found_error", "Not found"),
        }
    }

    fn error_frame(&self, mint: &Mint) -> Frame {
        let data = self.trouble(&Trouble::Overloaded, mint).body.text();
        Frame { event: Some("error"), data, role: Role::Finish, chars: 0 }
    }

    fn headers(&self, mint: &Mint, limits: &Limits) -> Vec<(&'static str, String)> {
        let reset = rfc3339(limits.now.saturating_add(limits.resets_in), false);
        vec![
            ("request-id", request_id(mint)),
            ("anthropic-organization-id", "00000000-0000-4000-8000-000000000001".to_owned()),
            ("anthropic-ratelimit-requests-limit", Limits::REQUESTS.to_string()),
            ("anthropic-ratelimit-requests-remaining", limits.requests_left.to_string()),
            ("anthropic-ratelimit-requests-reset", reset.clone()),
            ("anthropic-ratelimit-tokens-limit", Limits::TOKENS.to_string()),
            ("anthropic-ratelimit-tokens-remaining", limits.tokens_left.to_string()),
            ("anthropic-ratelimit-tokens-reset", reset.clone()),
            ("anthropic-ratelimit-input-tokens-limit", Limits::TOKENS.to_string()),
            ("anthropic-ratelimit-input-tokens-remaining", limits.tokens_left.to_string()),
            ("anthropic-ratelimit-input-tokens-reset", reset.clone()),
            ("anthropic-ratelimit-output-tokens-limit", Limits::TOKENS.to_string()),
            ("anthropic-ratelimit-output-tokens-remaining", limits.tokens_left.to_string()),
            ("anthropic-ratelimit-output-tokens-reset", reset),
        ]
    }
}

/// Collects the events of one stream and numbers its blocks.
#[derive(Default)]
struct Events {
    frames: Vec<Frame>,
    index: usize,
}

impl Events {
    fn push(&mut self, event: &'static str, data: Json, role: Role, chars: usize) {
        self.frames.push(Frame { event: Some(event), data: data.text(), role, chars });
    }

    fn block(&mut self, empty: Json, fill: impl FnOnce(&mut Self)) {
        let start = object! { "type": "content_block_start", "index": self.index, "content_block": empty };
        self.push("content_block_start", start, Role::Lifecycle, 0);
        if self.index == 0 {
            self.push("ping", object! { "type": "ping" }, Role::Lifecycle, 0);
        }
        fill(self);
        let stop = object! { "type": "content_block_stop", "index": self.index };
        self.push("content_block_stop", stop, Role::Lifecycle, 0);
        self.index += 1;
    }

    /// A piece of the block; one that says nothing (`said` empty) is no token.
    fn delta(&mut self, delta: Json, said: &str) {
        let event = object! { "type": "content_block_delta", "index": self.index, "delta": delta };
        let role = if said.is_empty() { Role::Lifecycle } else { Role::Token };
        self.push("content_block_delta", event, role, said.chars().count());
    }
}

/// The message object: whole with the output tokens in the end, bare (`None`) at the start of a stream.
fn message(ask: &Ask, answer: &Answer, mint: &Mint, content: &[Json], output: Option<u64>) -> Json {
    let (reason, sequence, details) = stop(answer);
    let ended = output.is_some();
    object! {
        "model": ask.model,
        "id": mint.id("msg_01", 0, 22),
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": ended.then_some(reason),
        "stop_sequence": sequence.filter(|_| ended),
        if ended && details.is_some() => "stop_details": details,
        if answer.show_usage => "usage": usage(answer, output)
    }
}

fn stop(answer: &Answer) -> (&'static str, Option<&str>, Option<Json>) {
    match &answer.stop {
        Stop::End | Stop::Filter => ("end_turn", None, None),
        Stop::Length => ("max_tokens", None, None),
        Stop::Sequence(sequence) => ("stop_sequence", Some(sequence), None),
        Stop::Tools => ("tool_use", None, None),
        Stop::Refusal => {
            let details =
                object! { "type": "refusal", "category": "general_harms", "explanation": answer.refusal };
            ("refusal", None, Some(details))
        }
    }
}

/// Usage at the end of a stream.
fn final_usage(answer: &Answer) -> Json {
    let usage = answer.usage;
    object! {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
        if usage.reasoning > 0 => "output_tokens_details": object! { "thinking_tokens": usage.reasoning }
    }
}

/// Usage in a message; at the start of a stream (`None`) one output token, as the vendor counts it there.
fn usage(answer: &Answer, output: Option<u64>) -> Json {
    let usage = answer.usage;
    let written = object! {
        "ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": 0
    };
    object! {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": written,
        "output_tokens": output.unwrap_or(1),
        if output.is_some() && usage.reasoning > 0 =>
            "output_tokens_details": object! { "thinking_tokens": usage.reasoning },
        "service_tier": "standard"
    }
}

fn shown(thought: &Thought) -> &str {
    match thought {
        Thought::Shown(text) => text,
        Thought::Omitted | Thought::Redacted(_) => "",
    }
}

/// Redacted thinking: what the vendor would encrypt is only signed here, and [`talk`] checks that it comes back whole.
fn redacted(text: &str) -> Json {
    let body = crate::seed::base64(text.as_bytes());
    object! { "type": "redacted_thinking", "data": format!("{body}.{}", sign("redacted", &body)) }
}

fn request_id(mint: &Mint) -> String {
    mint.id("req_011C", 0, 20)
}

fn refused(status: u16, kind: &str, message: &str, mint: &Mint) -> Refused {
    let error = object! { "type": kind, "message": message };
    Refused { status, body: object! { "type": "error", "error": error, "request_id": request_id(mint) } }
}

/// A 400 about the request.
fn invalid(mint: &Mint, message: impl AsRef<str>) -> Refused {
    refused(400, "invalid_request_error", message.as_ref(), mint)
}
