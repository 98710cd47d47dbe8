//! How a simulated provider is set up. Data only; [`crate::Sim::start`] reads it once.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// One simulated provider: a port that speaks every dialect by path.
///
/// Every field has a default, so `{}` is a whole configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimConfig {
    /// What scripts and logs call it, as in `anthropic`.
    pub name: String,
    /// Where it listens. Port 0 takes a free one; [`crate::SimHandle::addr`] tells which.
    pub listen: SocketAddr,
    /// Milliseconds from the request to the first token.
    pub first_token_ms: u64,
    /// Milliseconds between tokens. A whole answer waits for all of its tokens, like a streamed one.
    pub chunk_ms: u64,
    /// Every wait is varied by up to a quarter either way, from this seed; `None` keeps it exact.
    pub jitter_seed: Option<u64>,
    /// About how many tokens (of four characters) a plain answer has.
    pub tokens_per_answer: usize,
    /// How strict it is about the OpenAI dialect.
    pub vendor: Vendor,
    /// Which credentials it accepts.
    pub keys: Keys,
    /// What `GET /v1/models` lists. Any other model name is served as well.
    pub models: Vec<String>,
    /// Two simulated providers with the same voice give the same answer to the same question, which is what a
    /// resumed stream needs; another voice words it differently.
    pub voice: u64,
    /// How many requests the log keeps.
    pub log_entries: usize,
    /// Bytes of a request body that the log keeps.
    pub log_body_bytes: usize,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            name: "sim".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            first_token_ms: 20,
            chunk_ms: 4,
            jitter_seed: None,
            tokens_per_answer: 48,
            vendor: Vendor::default(),
            keys: Keys::default(),
            models: MODELS.iter().map(|m| (*m).to_owned()).collect(),
            voice: 0,
            log_entries: 100_000,
            log_body_bytes: 256 * 1024,
        }
    }
}

impl SimConfig {
    /// A provider of this name that answers without any delay, for tests.
    pub fn instant(name: &str) -> Self {
        Self { name: name.to_owned(), first_token_ms: 0, chunk_ms: 0, ..Self::default() }
    }
}

const MODELS: &[&str] = &[
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4o-mini",
    "gpt-5-mini",
    "text-embedding-3-small",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "claude-opus-4-8",
    "mistral-small-latest",
];

/// Whose rules the OpenAI dialect follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// OpenAI itself: unknown fields are refused, reasoning models refuse what they cannot take.
    #[default]
    Openai,
    /// A compatible server (Mistral, vLLM, ...): unknown fields are ignored, any model takes any parameter, a
    /// conversation that ends with the assistant's words is continued, calls without arguments have empty ones.
    Compatible,
}

/// Which credentials are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// Any credential, but there must be one: a gateway that forgets it gets the vendor's 401.
    #[default]
    Any,
    /// No check, like a self-hosted server.
    Open,
    /// These secrets and no other.
    Only(Vec<String>),
}
