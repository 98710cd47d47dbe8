//! What a provider's error means: one class of failure, when to come back, and what it said, cleaned.
//!
//! The body is read before the status: an empty credit balance is a 400 at one vendor, an invalid key a 400 at
//! another, and `insufficient_quota` arrives as a 429. The rules are one table for all vendors, because compatible
//! servers borrow each other's codes; a dialect may overrule it first.

mod wait;

use crate::dialect::language;
use crate::json::{Fault, Kind, Reader};
use crate::providers::Row;
use crate::redact;
use http::HeaderMap;
use model::{Dialect, Failure, FailureKind, Timestamp};

/// Longest part of a body that is read for its error.
const LONGEST: usize = 64 << 10;

/// What an error body says, whatever its form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Type, code and status names, lower case, separated by spaces.
    pub names: String,
    /// The sentence, as written.
    pub message: String,
    /// Whether the body was an error of any known form.
    pub found: bool,
}

/// Classifies an answer that is not a success, or an error inside one.
///
/// `secret` is the key that was sent; it is removed from the detail should the provider have echoed it. `now` dates
/// resets that are given as a time of day.
pub fn classify(
    provider: Dialect,
    row: &Row,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
    secret: Option<&str>,
) -> Failure {
    let said = read(body);
    let kind = language(provider)
        .and_then(|l| l.classify(&said))
        .or_else(|| by_body(&said))
        .unwrap_or_else(|| by_status(status, &said, body));
    let retry_after = match kind {
        FailureKind::RateLimited
        | FailureKind::Quota
        | FailureKind::Overloaded
        | FailureKind::ServerError => wait::latest(row.limits, headers, &said.message, now),
        _ => None,
    };
    let words = if said.message.is_empty() { lossy(body) } else { said.message };
    let words = if words.is_empty() { format!("status {status} without a body") } else { words };
    Failure { kind, status: Some(status), retry_after, detail: redact::detail(&words, secret) }
}

/// The failure of an error inside a success: the class its body names, or [`FailureKind::InBandError`].
pub(crate) fn in_band(provider: Dialect, body: &str) -> Failure {
    let said = read(body.as_bytes());
    let kind = language(provider)
        .and_then(|l| l.classify(&said))
        .or_else(|| by_body(&said))
        .unwrap_or(FailureKind::InBandError);
    let words = if said.message.is_empty() { body } else { &said.message };
    let mut failure = Failure::new(kind, redact::detail(words, None));
    failure.retry_after = wait::in_words(&said.message);
    failure
}

fn lossy(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(2 * redact::LONGEST)]).into_owned()
}

/// Reads an error of any form that vendors use: an object or a string under `error`, fields at the top, or a list.
fn read(body: &[u8]) -> Said {
    let mut said = Said::default();
    let Ok(text) = crate::json::text(&body[..body.len().min(LONGEST)]) else { return said };
    let mut reader = Reader::new(text);
    // A broken or foreign body says what was found up to the fault.
    let _ = collect(&mut reader, &mut said, 0);
    said
}

fn collect(r: &mut Reader<'_>, said: &mut Said, depth: u32) -> Result<(), Fault> {
    if depth > 4 {
        return Ok(());
    }
    match r.kind()? {
        Kind::Array => r.array(|index, r| if index == 0 { collect(r, said, depth + 1) } else { Ok(()) }),
        Kind::String if depth > 0 => {
            let text = r.text()?;
            if said.message.is_empty() {
                said.message = text.decode().into_owned();
            }
            Ok(())
        }
        Kind::Object => r.object(|key, r| {
            match key {
                "error" | "errors" | "details" | "metadata" if r.kind()? != Kind::Null => {
                    said.found |= key.starts_with("error");
                    // `details` of some vendors are lists of objects with words of their own: names only.
                    let words = std::mem::take(&mut said.message);
                    collect(r, said, depth + 1)?;
                    if !words.is_empty() {
                        said.message = words;
                    }
                }
                "message" | "detail" | "msg" => match r.kind()? {
                    Kind::String => {
                        said.found = true;
                        let text = r.text()?;
                        said.message = text.decode().into_owned();
                    }
                    Kind::Object | Kind::Array => collect(r, said, depth + 1)?,
                    _ => {}
                },
                "type" | "code" | "status" | "error_code" | "reason" => {
                    if let Kind::String | Kind::Number = r.kind()? {
                        said.names.push(' ');
                        said.names.push_str(&r.value()?.trim_matches('"').to_ascii_lowercase());
                    }
                }
                _ => {}
            }
            Ok(())
        }),
        _ => Ok(()),
    }
}

/// One rule: names that decide by themselves, and phrases of the message that do.
struct Rule {
    kind: FailureKind,
    names: &'static [&'static str],
    phrases: &'static [&'static str],
}

/// First match wins; money before rate, rate before size, because their bodies share words.
const RULES: &[Rule] = &[
    Rule {
        kind: FailureKind::Quota,
        names: &[
            "insufficient_quota",
            "billing_error",
            "billing_hard_limit_reached",
            "billing_not_active",
            "spend_limit_reached",
            "exceeded_current_quota_error",
            "insufficient_balance",
            "insufficient_credits",
            "credits_exhausted",
            "payment_required",
            "ramp_limit_exceeded",
        ],
        phrases: &[
            "credit balance is too low",
            "insufficient balance",
            "insufficient credit",
            "exceeded your current quota",
            "requires more credits",
            "specified api usage limits",
            "used all available credits",
            "monthly spending limit",
            "not have enough credit",
        ],
    },
    Rule {
        kind: FailureKind::RateLimited,
        names: &[
            "rate_limit_error",
            "rate_limit_exceeded",
            "rate_limited",
            "too_many_requests",
            "resource_exhausted",
        ],
        phrases: &["rate limit reached", "rate limit exceeded", "too many requests"],
    },
    Rule {
        kind: FailureKind::Overloaded,
        names: &[
            "overloaded_error",
            "engine_overloaded",
            "overloaded",
            "capacity_exceeded",
            "server_overloaded",
            "insufficient_system_resource",
            "slow_down",
        ],
        phrases: &["is overloaded", "currently overloaded", "at capacity", "no instances available"],
    },
    Rule {
        kind: FailureKind::ContextExceeded,
        names: &["context_length_exceeded", "exceed_context_size_error", "context_window_exceeded"],
        phrases: &[
            "maximum context length",
            "context length exceeded",
            "context window",
            "prompt is too long",
            "input is too long",
            "exceed context limit",
            "exceeds the available context size",
            "reduce the length of the messages",
            "too large for model with",
            "maximum prompt length",
        ],
    },
    Rule {
        kind: FailureKind::Auth,
        names: &[
            "invalid_api_key",
            "authentication_error",
            "invalid_authentication",
            "unauthorized",
            "permission_error",
            "account_deactivated",
            "api_key_invalid",
            "unauthenticated",
        ],
        phrases: &[
            "incorrect api key",
            "invalid api key",
            "invalid x-api-key",
            "api key not valid",
            "no auth credentials",
            "invalid authentication",
            "api key is invalid",
            "authentication fails",
        ],
    },
    Rule {
        kind: FailureKind::ModelGone,
        names: &[
            "model_not_found",
            "model_decommissioned",
            "deploymentnotfound",
            "model_not_available",
            "invalid_model",
        ],
        phrases: &[
            "model does not exist",
            "model not found",
            "has been decommissioned",
            "is not a valid model",
            "no endpoints found for",
            "model has been deprecated",
        ],
    },
    Rule {
        kind: FailureKind::ContentFilter,
        names: &[
            "content_filter",
            "content_policy_violation",
            "responsibleaipolicyviolation",
            "misalignment",
        ],
        phrases: &[
            "content management policy",
            "content filtering policy",
            "input was flagged",
            "requires moderation",
        ],
    },
];

/// What the body alone decides.
fn by_body(said: &Said) -> Option<FailureKind> {
    let message = said.message.to_ascii_lowercase();
    let named =
        |name: &&str| said.names.split(' ').any(|n| n == *name || n.ends_with(*name) && name.len() > 12);
    if let Some(rule) = RULES.iter().find(|r| r.names.iter().any(named)) {
        return Some(rule.kind);
    }
    if said.names.split(' ').any(|n| n == "not_found_error") && message.contains("model") {
        return Some(FailureKind::ModelGone);
    }
    if message.contains("the model `") && message.contains("does not exist") {
        return Some(FailureKind::ModelGone);
    }
    RULES.iter().find(|r| r.phrases.iter().any(|phrase| message.contains(phrase))).map(|rule| rule.kind)
}

/// What the status says when the body does not.
fn by_status(status: u16, said: &Said, body: &[u8]) -> FailureKind {
    match status {
        401 | 403 => FailureKind::Auth,
        402 => FailureKind::Quota,
        404 | 410 => FailureKind::ModelGone,
        413 => FailureKind::ContextExceeded,
        429 => FailureKind::RateLimited,
        // 498 is one vendor's way to say that its flexible tier is full.
        498 | 529 => FailureKind::Overloaded,
        408 | 409 | 425 | 500.. => FailureKind::ServerError,
        // A page of a proxy is no verdict on the request.
        400..=499 if said.found || body.is_empty() => FailureKind::BadRequest,
        _ => FailureKind::Malformed,
    }
}
