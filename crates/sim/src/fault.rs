//! The ways in which a simulated provider fails, by name. The names are also the drill kinds and never change.
//!
//! A fault is plain data here; [`crate::play`] turns it into bytes, waits and broken connections. The table in this
//! crate's README says what each does to a streamed and to a whole answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One failure, with its parameters. In JSON: `{"kind": "cut", "after_tokens": 3}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Any status, with the vendor's error body unless `body` is given.
    Status {
        /// HTTP status.
        code: u16,
        /// The body: a JSON value, or a string that is sent as it stands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
        /// Further headers; they replace those of the vendor.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
    },
    /// 429. With `retry_after` (seconds) it carries `Retry-After` and exhausted limit headers, without it neither.
    RateLimit {
        /// Seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<f64>,
    },
    /// Money or quota used up: 429 `insufficient_quota` at OpenAI, 400 about the credit balance at Anthropic.
    Quota {},
    /// 529 at Anthropic, 503 at OpenAI.
    Overloaded {},
    /// 500 unless another code is given.
    ServerError {
        /// HTTP status.
        #[serde(default = "internal_error")]
        code: u16,
    },
    /// 401 about the credential.
    Auth {},
    /// 401 whose body repeats the credential that was sent.
    EchoKey {},
    /// 404: the model does not exist.
    ModelGone {},
    /// 400: the prompt is too long.
    ContextExceeded {},
    /// The connection is reset before any header.
    Reset {},
    /// The request is read and nothing is ever answered.
    Silence {},
    /// The headers wait for `ms` milliseconds.
    SlowHeaders {
        /// Milliseconds.
        ms: u64,
    },
    /// Headers and lifecycle frames at once, the first token after `ms` milliseconds.
    SlowFirstToken {
        /// Milliseconds.
        ms: u64,
    },
    /// The answer stops after so many tokens and the connection stays open.
    Stall {
        /// Tokens (words) delivered.
        #[serde(default)]
        after_tokens: usize,
    },
    /// The connection closes in the middle of the answer, without a terminator.
    Cut {
        /// Tokens (words) delivered.
        #[serde(default)]
        after_tokens: usize,
    },
    /// The connection is reset in the middle of the answer.
    ResetMid {
        /// Tokens (words) delivered.
        #[serde(default)]
        after_tokens: usize,
    },
    /// `count` frames of broken JSON stand before token `at`.
    MalformedChunk {
        /// Tokens (words) delivered before.
        #[serde(default = "two")]
        at: usize,
        /// Broken frames.
        #[serde(default = "one")]
        count: usize,
    },
    /// An error event in the middle of a stream, which then ends without its terminator.
    InStreamError {
        /// Tokens (words) delivered.
        #[serde(default)]
        after_tokens: usize,
    },
    /// The vendor's error body under status 200.
    #[serde(rename = "error_in_200")]
    ErrorIn200 {},
    /// An HTML page under status 200.
    #[serde(rename = "html_200")]
    Html200 {},
    /// A well-formed answer without any content.
    Empty {},
    /// Status 200 and not one byte of body.
    EmptyBody {},
    /// JSON that is cut off, or (`violates`) whole JSON that does not follow the schema.
    BadJson {
        /// Whole, but not what the schema asks for.
        #[serde(default)]
        violates: bool,
    },
    /// JSON inside a Markdown fence.
    FencedJson {},
    /// The vendor's own form of a refusal.
    Refusal {},
    /// The vendor's content filter.
    ContentFilter {},
    /// The answer is stopped at the length limit, halfway.
    Truncate {},
    /// The finish frame comes twice.
    DoubleFinish {},
    /// No usage anywhere.
    NoUsage {},
    /// Frames end with CR LF.
    CrlfFrames {},
    /// Comment lines between frames.
    Comments {},
    /// The body arrives one byte at a time.
    SplitFrames {},
    /// The last frame lacks its blank line.
    NoFinalNewline {},
}

fn internal_error() -> u16 {
    500
}

fn one() -> usize {
    1
}

fn two() -> usize {
    2
}

/// Every kind, in the order of the README's table.
pub const KINDS: &[&str] = &[
    "status",
    "rate_limit",
    "quota",
    "overloaded",
    "server_error",
    "auth",
    "echo_key",
    "model_gone",
    "context_exceeded",
    "reset",
    "silence",
    "slow_headers",
    "slow_first_token",
    "stall",
    "cut",
    "reset_mid",
    "malformed_chunk",
    "in_stream_error",
    "error_in_200",
    "html_200",
    "empty",
    "empty_body",
    "bad_json",
    "fenced_json",
    "refusal",
    "content_filter",
    "truncate",
    "double_finish",
    "no_usage",
    "crlf_frames",
    "comments",
    "split_frames",
    "no_final_newline",
];

impl Fault {
    /// Reads the short form of the `x-sim-fault` header: `cut`, or `cut:after_tokens=3`, or `status:code=418,body=no`.
    ///
    /// # Errors
    /// A sentence that names the unknown kind or the parameter that does not fit.
    pub fn parse(short: &str) -> Result<Self, String> {
        let (kind, params) = short.trim().split_once(':').unwrap_or((short.trim(), ""));
        let kind = kind.trim().replace('-', "_");
        if !KINDS.contains(&kind.as_str()) {
            return Err(format!("no fault kind `{kind}`; the kinds are {}", KINDS.join(", ")));
        }
        let mut fields = Map::new();
        for param in params.split(',').filter(|p| !p.trim().is_empty()) {
            let (name, value) = param.split_once('=').ok_or_else(|| {
                format!("fault `{kind}`: `{param}` is not a parameter; write it as name=value")
            })?;
            // What reads as JSON (numbers, booleans) is taken so; anything else is a string.
            let value = serde_json::from_str(value.trim()).unwrap_or_else(|_| Value::from(value.trim()));
            fields.insert(name.trim().to_owned(), value);
        }
        fields.insert("kind".to_owned(), Value::from(kind.clone()));
        serde_json::from_value(Value::Object(fields)).map_err(|e| format!("fault `{kind}`: {e}"))
    }

    /// The name under which scripts, logs and drills know it.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Status { .. } => "status",
            Fault::RateLimit { .. } => "rate_limit",
            Fault::Quota {} => "quota",
            Fault::Overloaded {} => "overloaded",
            Fault::ServerError { .. } => "server_error",
            Fault::Auth {} => "auth",
            Fault::EchoKey {} => "echo_key",
            Fault::ModelGone {} => "model_gone",
            Fault::ContextExceeded {} => "context_exceeded",
            Fault::Reset {} => "reset",
            Fault::Silence {} => "silence",
            Fault::SlowHeaders { .. } => "slow_headers",
            Fault::SlowFirstToken { .. } => "slow_first_token",
            Fault::Stall { .. } => "stall",
            Fault::Cut { .. } => "cut",
            Fault::ResetMid { .. } => "reset_mid",
            Fault::MalformedChunk { .. } => "malformed_chunk",
            Fault::InStreamError { .. } => "in_stream_error",
            Fault::ErrorIn200 {} => "error_in_200",
            Fault::Html200 {} => "html_200",
            Fault::Empty {} => "empty",
            Fault::EmptyBody {} => "empty_body",
            Fault::BadJson { .. } => "bad_json",
            Fault::FencedJson {} => "fenced_json",
            Fault::Refusal {} => "refusal",
            Fault::ContentFilter {} => "content_filter",
            Fault::Truncate {} => "truncate",
            Fault::DoubleFinish {} => "double_finish",
            Fault::NoUsage {} => "no_usage",
            Fault::CrlfFrames {} => "crlf_frames",
            Fault::Comments {} => "comments",
            Fault::SplitFrames {} => "split_frames",
            Fault::NoFinalNewline {} => "no_final_newline",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_short_form_and_keeps_its_name() {
        for kind in KINDS {
            let short = match *kind {
                "status" => "status:code=418".to_owned(),
                "slow_headers" | "slow_first_token" => format!("{kind}:ms=5"),
                _ => (*kind).to_owned(),
            };
            let fault = Fault::parse(&short).unwrap_or_else(|e| panic!("{short}: {e}"));
            assert_eq!(fault.kind(), *kind);
            assert_eq!(serde_json::to_value(&fault).unwrap()["kind"], *kind, "the JSON name is the same");
        }
    }

    #[test]
    fn parameters_are_read_by_name_and_wrong_ones_are_named() {
        assert_eq!(Fault::parse("cut:after_tokens=3"), Ok(Fault::Cut { after_tokens: 3 }));
        assert_eq!(
            Fault::parse("malformed-chunk:at=1,count=4"),
            Ok(Fault::MalformedChunk { at: 1, count: 4 })
        );
        assert!(Fault::parse("explode").unwrap_err().contains("no fault kind `explode`"));
        assert!(Fault::parse("cut:after=3").unwrap_err().contains("after"));
        assert!(Fault::parse("quota:x=1").is_err());
    }
}
