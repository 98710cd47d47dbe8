//! OpenAI Chat Completions: answers, stream chunks, errors and headers as the vendor words them.
//!
//! Shapes follow the types of openai-python (August 2026) and error bodies that users quoted from the live service.
//! What is accepted is decided in [`check`], [`talk`] and [`tools`]; embeddings are in [`embed`].

mod check;
mod embed;
mod talk;
mod tools;

use super::{Call, Dialect, Endpoint, Limits, Refused, Trouble, bearer, header};
use crate::answer::{Answer, Stop, Thought};
use crate::ask::Ask;
use crate::clock::openai_duration;
use crate::json::{Json, object, text};
use crate::play::{Frame, Role};
use crate::prose::{pieces, words};
use crate::seed::Mint;
use http::HeaderMap;

pub(super) struct OpenAi;

const FINGERPRINT: &str = "fp_51e1070cf2";

impl Dialect for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn credential<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        // `api-key` is Azure's.
        bearer(headers).or_else(|| header(headers, "api-key"))
    }

    fn read(&self, call: &Call<'_>) -> Result<Ask, Refused> {
        check::read(call)
    }

    fn whole(&self, ask: &Ask, answer: &Answer, mint: &Mint) -> Refused {
        let calls: Vec<_> = (0..answer.calls.len()).map(|i| tool_call(answer, i, mint)).collect();
        let silent = answer.text.is_empty() && (!calls.is_empty() || answer.refusal.is_some());
        let message = object! {
            "role": "assistant",
            "content": (!silent).then_some(&answer.text),
            if reasoning(answer).is_some() => "reasoning_content": reasoning(answer),
            if !calls.is_empty() => "tool_calls": calls,
            "refusal": answer.refusal,
            "annotations": [(); 0]
        };
        let choices: Vec<_> = (0..ask.n)
            .map(|index| {
                object! { "index": index, "message": message, "logprobs": (), "finish_reason": finish(answer) }
            })
            .collect();
        let body = object! {
            "id": mint.id("chatcmpl-", 0, 29),
            "object": "chat.completion",
            "created": mint.now,
            "model": ask.model,
            "choices": choices,
            if answer.show_usage => "usage": usage(answer),
            "service_tier": "default",
            "system_fingerprint": FINGERPRINT
        };
        Refused { status: 200, body }
    }

    fn frames(&self, ask: &Ask, answer: &Answer, mint: &Mint) -> Vec<Frame> {
        let chunk = Chunk { ask, answer, mint };
        let mut frames = Vec::new();
        for index in 0..ask.n {
            chunk.choice(index, &mut frames);
        }
        for index in 0..ask.n {
            let choice = object! {
                "index": index, "delta": object! {}, "logprobs": (), "finish_reason": finish(answer)
            };
            frames.push(chunk.frame(vec![choice], Role::Finish, 0));
        }
        if ask.stream_usage && answer.show_usage {
            let data = chunk.text(Vec::new(), Some(usage(answer)));
            frames.push(Frame { event: None, data, role: Role::After, chars: 0 });
        }
        frames.push(Frame { event: None, data: "[DONE]".to_owned(), role: Role::After, chars: 0 });
        frames
    }

    fn side(&self, endpoint: &Endpoint, call: &Call<'_>) -> Result<Json, Refused> {
        let model = |id: &str| object! { "id": id, "object": "model", "created": 1_744_316_542, "owned_by": "system" };
        match endpoint {
            Endpoint::Embeddings => embed::embed(call),
            Endpoint::Model(id) if call.config.models.iter().any(|m| m == id) => Ok(model(id)),
            Endpoint::Model(id) => Err(self.trouble(&Trouble::ModelGone(id.clone()), call.mint)),
            _ => {
                let data: Vec<_> = call.config.models.iter().map(|m| model(m)).collect();
                Ok(object! { "object": "list", "data": data })
            }
        }
    }

    fn trouble(&self, trouble: &Trouble, _mint: &Mint) -> Refused {
        let invalid = "invalid_request_error";
        let server = "The server had an error while processing your request. Sorry about that!";
        match trouble {
            Trouble::MissingKey => refused(
                401,
                "You didn't provide an API key. You need to provide your API key in an Authorization header using \
                 Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) \
                 if you're accessing the API from your browser and are prompted for a username and password. You \
                 can obtain an API key from https://platform.openai.com/account/api-keys.",
                invalid,
                None,
                None,
            ),
            Trouble::BadKey(key) => {
                refused(401, &wrong_key(&masked(key)), invalid, None, Some("invalid_api_key"))
            }
            Trouble::EchoKey(key) => refused(401, &wrong_key(key), invalid, None, Some("invalid_api_key")),
            Trouble::RateLimit => refused(
                429,
                "Rate limit reached for this model in organization org-simulated on requests per min (RPM): Limit \
                 10000, Used 10000, Requested 1. Visit https://platform.openai.com/account/rate-limits to learn more.",
                "requests",
                None,
                Some("rate_limit_exceeded"),
            ),
            Trouble::Quota => refused(
                429,
                "You exceeded your current quota, please check your plan and billing details. For more information \
                 on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
                "insufficient_quota",
                None,
                Some("insufficient_quota"),
            ),
            Trouble::Overloaded => refused(
                503,
                "The engine is currently overloaded, please try again later",
                "service_unavailable_error",
                None,
                None,
            ),
            Trouble::Server(code) => refused(*code, server, "server_error", None, None),
            Trouble::ModelGone(model) => refused(
                404,
                &format!("The model `{model}` does not exist or you do not have access to it."),
                invalid,
                None,
                Some("model_not_found"),
            ),
            Trouble::ContextExceeded(tokens) => refused(
                400,
                &format!(
                    "This model's maximum context length is {} tokens. However, your messages resulted in {tokens} \
                     tokens. Please reduce the length of the messages.",
                    tokens / 2
                ),
                invalid,
                Some("messages"),
                Some("context_length_exceeded"),
            ),
            Trouble::Status(code) if *code < 500 => {
                refused(*code, &format!("The request was refused with status {code}."), invalid, None, None)
            }
            Trouble::Status(code) => refused(*code, server, "server_error", None, None),
            Trouble::NotJson(_) => refused(
                400,
                "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your \
                 HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid \
                 JSON. If you have trouble figuring out how to fix this, please contact us through our help center \
                 at help.openai.com.)",
                invalid,
                None,
                None,
            ),
            Trouble::TooLarge => refused(413, "Request body is too large.", invalid, None, None),
            Trouble::NoRoute(method, path) => {
                refused(404, &format!("Invalid URL ({method} {path})"), invalid, None, None)
            }
        }
    }

    fn error_frame(&self, mint: &Mint) -> Frame {
        let data = self.trouble(&Trouble::Server(500), mint).body.text();
        Frame { event: None, data, role: Role::Finish, chars: 0 }
    }

    fn headers(&self, mint: &Mint, limits: &Limits) -> Vec<(&'static str, String)> {
        vec![
            ("x-request-id", mint.hex("req_", 32)),
            ("openai-organization", "org-simulated".to_owned()),
            ("openai-processing-ms", limits.took.as_millis().to_string()),
            ("openai-version", "2020-10-01".to_owned()),
            ("x-ratelimit-limit-requests", Limits::REQUESTS.to_string()),
            ("x-ratelimit-limit-tokens", Limits::TOKENS.to_string()),
            ("x-ratelimit-remaining-requests", limits.requests_left.to_string()),
            ("x-ratelimit-remaining-tokens", limits.tokens_left.to_string()),
            ("x-ratelimit-reset-requests", openai_duration(limits.resets_in)),
            ("x-ratelimit-reset-tokens", openai_duration(limits.resets_in)),
        ]
    }
}

/// Writes the chunks of one answer.
struct Chunk<'a> {
    ask: &'a Ask,
    answer: &'a Answer,
    mint: &'a Mint,
}

impl Chunk<'_> {
    /// Everything of one choice but its finish.
    fn choice(&self, index: usize, frames: &mut Vec<Frame>) {
        let Answer { text, calls, refusal, .. } = self.answer;
        let spoken = refusal.is_none() && (calls.is_empty() || !text.is_empty());
        let content = spoken.then_some("");
        let opening = object! { "role": "assistant", "content": content, "refusal": () };
        frames.push(self.delta(index, opening, Role::Lifecycle, 0));
        let mut say = |field: fn(&str) -> Json, text: &str| {
            for word in words(text) {
                frames.push(self.delta(index, field(word), Role::Token, word.chars().count()));
            }
        };
        say(|w| object! { "reasoning_content": w }, reasoning(self.answer).unwrap_or_default());
        say(|w| object! { "content": w }, text);
        say(|w| object! { "refusal": w }, refusal.as_deref().unwrap_or_default());
        for (i, call) in calls.iter().enumerate() {
            let id = self.mint.id("call_", i as u64, 24);
            let function = object! { "name": call.name, "arguments": "" };
            let head = object! { "index": i, "id": id, "type": "function", "function": function };
            let head = object! { "tool_calls": [head] };
            frames.push(self.delta(index, head, Role::Token, call.name.chars().count()));
            for piece in pieces(&call.arguments, 6) {
                let more = object! { "index": i, "function": object! { "arguments": piece } };
                let more = object! { "tool_calls": [more] };
                frames.push(self.delta(index, more, Role::Token, piece.chars().count()));
            }
        }
    }

    fn delta(&self, index: usize, delta: Json, role: Role, chars: usize) -> Frame {
        let choice = object! { "index": index, "delta": delta, "logprobs": (), "finish_reason": () };
        self.frame(vec![choice], role, chars)
    }

    fn frame(&self, choices: Vec<Json>, role: Role, chars: usize) -> Frame {
        Frame { event: None, data: self.text(choices, None), role, chars }
    }

    fn text(&self, choices: Vec<Json>, usage: Option<Json>) -> String {
        let chunk = object! {
            "id": self.mint.id("chatcmpl-", 0, 29),
            "object": "chat.completion.chunk",
            "created": self.mint.now,
            "model": self.ask.model,
            "service_tier": "default",
            "system_fingerprint": FINGERPRINT,
            "choices": choices,
            if self.ask.stream_usage && self.answer.show_usage => "usage": usage
        };
        chunk.text()
    }
}

fn tool_call(answer: &Answer, i: usize, mint: &Mint) -> Json {
    let call = &answer.calls[i];
    let function = object! { "name": call.name, "arguments": call.arguments };
    object! { "id": mint.id("call_", i as u64, 24), "type": "function", "function": function }
}

/// Reasoning in the clear is a habit of compatible vendors; only a script asks for it.
fn reasoning(answer: &Answer) -> Option<&str> {
    match &answer.thinking {
        Some(Thought::Shown(text)) => Some(text),
        _ => None,
    }
}

fn finish(answer: &Answer) -> &'static str {
    match answer.stop {
        Stop::End | Stop::Sequence(_) | Stop::Refusal => "stop",
        Stop::Length => "length",
        Stop::Tools => "tool_calls",
        Stop::Filter => "content_filter",
    }
}

fn usage(answer: &Answer) -> Json {
    let usage = answer.usage;
    let prompt = usage.input + usage.cache_read + usage.cache_write;
    object! {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": prompt + usage.output,
        "prompt_tokens_details": object! { "cached_tokens": usage.cache_read, "audio_tokens": 0 },
        "completion_tokens_details": object! {
            "reasoning_tokens": usage.reasoning, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0
        }
    }
}

fn wrong_key(key: &str) -> String {
    format!(
        "Incorrect API key provided: {key}. You can find your API key at \
         https://platform.openai.com/account/api-keys."
    )
}

/// A key as the vendor shows it: its ends, and stars between.
fn masked(key: &str) -> String {
    let chars: Vec<char> = key.chars().collect();
    if chars.len() < 12 {
        return "*".repeat(chars.len());
    }
    let (head, tail): (String, String) =
        (chars[..8].iter().collect(), chars[chars.len() - 4..].iter().collect());
    format!("{head}{}{tail}", "*".repeat(chars.len() - 12))
}

fn refused(status: u16, message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Refused {
    let error = object! { "message": message, "type": kind, "param": param, "code": code };
    Refused { status, body: object! { "error": error } }
}

/// A 400 about one parameter.
fn invalid(param: Option<&str>, code: Option<&str>, message: impl AsRef<str>) -> Refused {
    refused(400, message.as_ref(), "invalid_request_error", param, code)
}

/// JSON text of any value, for counting what the model reads.
fn counted(value: &serde_json::Value) -> usize {
    text(value).chars().count()
}
