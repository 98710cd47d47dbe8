//! The rows of the ledger: one a request, with one inside it for every attempt. `None` is unknown, never zero.

use crate::{Capabilities, Dialect, FailureKind, Money, RequestId, Timestamp, Usage};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The client got a whole answer.
    Served,
    /// We refused before any attempt.
    Denied,
    /// Every permitted step failed, or the stream broke after content.
    Failed,
    /// The client went away first.
    ClientLeft,
    /// The process died while the request was in flight.
    Unknown,
}

impl End {
    /// The ledger's word.
    pub fn name(self) -> &'static str {
        match self {
            End::Served => "served",
            End::Denied => "denied",
            End::Failed => "failed",
            End::ClientLeft => "client_left",
            End::Unknown => "unknown",
        }
    }
}

/// One request. Field names are those of `pointsman ledger export`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestRow {
    /// Its id.
    pub request_id: RequestId,
    /// When it was admitted.
    pub at: Timestamp,
    /// The workflow, `None` for a direct target.
    pub workflow: Option<Arc<str>>,
    /// The team of the key.
    pub team: Option<Arc<str>>,
    /// The public id of the key.
    pub key_id: Option<Arc<str>>,
    /// The client's dialect.
    pub dialect: Dialect,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// The data class in force.
    pub data_class: Option<Arc<str>>,
    /// Digest of the policy that decided.
    pub policy_digest: Arc<str>,
    /// How it ended.
    pub end: End,
    /// The code of the problem the client read, for requests that were not served.
    pub problem: Option<Arc<str>>,
    /// The target that served.
    pub served_by: Option<Arc<str>>,
    /// What a downgrade lost.
    pub gave_up: Vec<Arc<str>>,
    /// How the cache took part, if it did.
    pub cache: Option<Arc<str>>,
    /// All attempts together; `None` while any part is unknown.
    pub cost_usd: Option<Money>,
    /// All attempts together.
    pub usage: Usage,
    /// From admission to the first content, milliseconds.
    pub first_token_ms: Option<u64>,
    /// From admission to the end, milliseconds.
    pub total_ms: Option<u64>,
    /// In order.
    pub attempts: Vec<AttemptRow>,
    /// What was asked, so that the decision can be taken again.
    pub asked: Asked,
}

/// The facts a decision rests on, without any content.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The model field as the client wrote it.
    pub model: Box<str>,
    /// What the request needs of a model.
    pub needs: Capabilities,
    /// Prompt tokens, estimated from above.
    pub estimated_tokens: u64,
    /// The output limit the client set.
    pub max_output: Option<u64>,
}

/// One call that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// Index of the plan's step.
    pub step: u32,
    /// The target called.
    pub target: Arc<str>,
    /// When the call began.
    pub began: Timestamp,
    /// The provider's HTTP status.
    pub status: Option<u16>,
    /// Why it did not serve; `None` when it did.
    pub failure: Option<FailureKind>,
    /// What the provider said of the failure, bounded and redacted.
    pub detail: Option<Arc<str>>,
    /// From the call to the first content, milliseconds.
    pub first_token_ms: Option<u64>,
    /// From the call to its end, milliseconds.
    pub total_ms: Option<u64>,
    /// Its tokens.
    pub usage: Usage,
    /// Its cost.
    pub cost_usd: Option<Money>,
    /// Why it was permitted: `primary`, `direct`, `certified:<id>`, `uncertified`.
    pub permit: Arc<str>,
}
