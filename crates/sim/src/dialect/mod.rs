//! The wire languages of the simulated provider. A dialect checks a request as its vendor would, and words answers,
//! stream frames, errors and headers; it never waits, touches a socket or decides what is answered.
//!
//! One more dialect is one more file that implements [`Dialect`], and a line in [`route`].

mod anthropic;
mod openai;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::config::{SimConfig, Vendor};
use crate::json::Json;
use crate::play::Frame;
use crate::seed::Mint;
use http::{HeaderMap, Method};
use serde_json::{Map, Value};
use std::time::Duration;

/// What a dialect does.
pub(crate) trait Dialect: Sync {
    /// As scripts name it.
    fn name(&self) -> &'static str;

    /// The secret that the request carries where the vendor looks for it.
    fn credential<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str>;

    /// Checks a request for an answer as the vendor would.
    fn read(&self, call: &Call<'_>) -> Result<Ask, Refused>;

    /// The answer in one piece.
    fn whole(&self, ask: &Ask, answer: &Answer, mint: &Mint) -> Refused;

    /// The answer as a stream, terminator included.
    fn frames(&self, ask: &Ask, answer: &Answer, mint: &Mint) -> Vec<Frame>;

    /// Everything that is no conversation: model lists, token counts, embeddings.
    fn side(&self, endpoint: &Endpoint, call: &Call<'_>) -> Result<Json, Refused>;

    /// The vendor's error for a trouble.
    fn trouble(&self, trouble: &Trouble, mint: &Mint) -> Refused;

    /// The vendor's error inside a stream.
    fn error_frame(&self, mint: &Mint) -> Frame;

    /// The headers of every response.
    fn headers(&self, mint: &Mint, limits: &Limits) -> Vec<(&'static str, String)>;
}

/// A request with what is needed to judge it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Map<String, Value>,
    pub(crate) config: &'a SimConfig,
    pub(crate) mint: &'a Mint,
}

impl Call<'_> {
    pub(crate) fn strict(&self) -> bool {
        self.config.vendor == Vendor::Openai
    }
}

/// A status and a body: mostly of a refusal, in one case ([`Dialect::whole`]) of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) body: Json,
}

/// What can be wrong without regard to a request's content.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    MissingKey,
    BadKey(String),
    /// As [`Trouble::BadKey`], with the whole credential in the text.
    EchoKey(String),
    RateLimit,
    Quota,
    Overloaded,
    Server(u16),
    ModelGone(String),
    ContextExceeded(u64),
    Status(u16),
    NotJson(String),
    TooLarge,
    NoRoute(Method, String),
}

/// The state of the rate limits that the response headers tell.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) now: Duration,
    pub(crate) requests_left: u64,
    pub(crate) tokens_left: u64,
    pub(crate) resets_in: Duration,
    pub(crate) took: Duration,
}

impl Limits {
    pub(crate) const REQUESTS: u64 = 10_000;
    pub(crate) const TOKENS: u64 = 2_000_000;
}

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// An answer, streamed or whole.
    Answer,
    CountTokens,
    Embeddings,
    Models,
    Model(String),
}

/// Which dialect and endpoint a path means. Anything may stand before the known ending, as in Groq's
/// `/openai/v1/chat/completions` or in Azure's deployments.
pub(crate) fn route(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Option<(&'static dyn Dialect, Endpoint)> {
    let path = path.trim_end_matches('/');
    let listing: &'static dyn Dialect =
        if headers.contains_key("anthropic-version") { &anthropic::Anthropic } else { &openai::OpenAi };
    match *method {
        Method::POST if path.ends_with("/chat/completions") => Some((&openai::OpenAi, Endpoint::Answer)),
        Method::POST if path.ends_with("/embeddings") => Some((&openai::OpenAi, Endpoint::Embeddings)),
        Method::POST if path.ends_with("/messages") => Some((&anthropic::Anthropic, Endpoint::Answer)),
        Method::POST if path.ends_with("/messages/count_tokens") => {
            Some((&anthropic::Anthropic, Endpoint::CountTokens))
        }
        Method::GET if path.ends_with("/models") => Some((listing, Endpoint::Models)),
        Method::GET => {
            let (_, id) = path.split_once("/models/").filter(|(_, id)| !id.is_empty())?;
            Some((listing, Endpoint::Model(id.to_owned())))
        }
        _ => None,
    }
}

/// The dialect whose errors answer a path that leads nowhere.
pub(crate) fn fallback(headers: &HeaderMap) -> &'static dyn Dialect {
    if headers.contains_key("anthropic-version") { &anthropic::Anthropic } else { &openai::OpenAi }
}

/// The secret of an `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("authorization")?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim()).filter(|s| !s.is_empty())
}

/// A header's text.
fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().filter(|v| !v.is_empty())
}

/// What a value is, in the words of OpenAI's type errors.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "decimal",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_dialect_under_any_prefix() {
        let none = HeaderMap::new();
        let to = |method: Method, path: &str, headers: &HeaderMap| {
            route(&method, path, headers).map(|(d, e)| (d.name(), e))
        };
        assert_eq!(to(Method::POST, "/v1/chat/completions", &none), Some(("openai", Endpoint::Answer)));
        assert_eq!(
            to(Method::POST, "/openai/v1/chat/completions", &none),
            Some(("openai", Endpoint::Answer))
        );
        assert_eq!(to(Method::POST, "/v1/messages", &none), Some(("anthropic", Endpoint::Answer)));
        assert_eq!(to(Method::GET, "/v1/models", &none), Some(("openai", Endpoint::Models)));
        let mut versioned = HeaderMap::new();
        versioned.insert("anthropic-version", "2023-06-01".parse().unwrap());
        assert_eq!(to(Method::GET, "/v1/models", &versioned), Some(("anthropic", Endpoint::Models)));
        let one = Some(("openai", Endpoint::Model("gpt-4.1".to_owned())));
        assert_eq!(to(Method::GET, "/v1/models/gpt-4.1", &none), one);
        assert_eq!(to(Method::GET, "/v1/chat/completions", &none), None);
        assert_eq!(to(Method::POST, "/v1/nothing", &none), None);
    }
}
