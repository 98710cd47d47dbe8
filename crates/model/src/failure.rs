//! How an attempt can fail to serve. One name per class, used by `next`, the ledger, metrics, `explain` and drills.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

macro_rules! failures {
    ($($(#[$doc:meta])* $variant:ident = $name:literal in $group:ident,)*) => {
        /// The class of a failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FailureKind { $($(#[$doc])* $variant,)* }

        impl FailureKind {
            /// Every class, in order.
            pub const ALL: &'static [FailureKind] = &[$(FailureKind::$variant,)*];
            /// The name in ledger, metrics and `explain`.
            pub fn name(self) -> &'static str {
                match self { $(FailureKind::$variant => $name,)* }
            }
            /// The key of `on:` that decides what follows.
            pub fn group(self) -> FailureGroup {
                match self { $(FailureKind::$variant => FailureGroup::$group,)* }
            }
        }
    };
}

failures! {
    /// The provider's name could not be resolved; nothing was sent.
    Dns = "dns" in Outage,
    /// No connection; nothing was sent.
    Connect = "connect" in Outage,
    /// TLS failed or the certificate is wrong; nothing was sent. Never retried on the same target.
    Tls = "tls" in Outage,
    /// The connection broke before headers; the provider may have accepted the request.
    Reset = "reset" in Outage,
    /// 408, 500, 502, 503, 504 and their kin.
    ServerError = "server_error" in Outage,
    /// 529 and the bodies that mean it: the vendor is out of capacity, whatever the key.
    Overloaded = "overloaded" in Outage,
    /// The stream ended without its terminal event.
    Cut = "cut" in Outage,
    /// An error reported inside a stream or inside a 200.
    InBandError = "in_band_error" in Outage,
    /// Bytes that are not the dialect: HTML, broken JSON, too many malformed chunks.
    Malformed = "malformed" in Outage,
    /// A success without any content.
    Empty = "empty" in Outage,
    /// The connection was not made in time.
    ConnectTimeout = "connect_timeout" in Timeout,
    /// No headers or no first token in time.
    FirstTokenTimeout = "first_token_timeout" in Timeout,
    /// The stream went silent.
    Stall = "stall" in Timeout,
    /// The workflow's or the client's deadline passed.
    Deadline = "deadline" in Timeout,
    /// 429: too fast for now.
    RateLimited = "rate_limited" in Quota,
    /// Quota, credit or billing is exhausted, whatever the status.
    Quota = "quota" in Quota,
    /// The answer does not fit the response schema.
    SchemaViolation = "schema_violation" in SchemaViolation,
    /// The prompt is longer than the model's window.
    ContextExceeded = "context_exceeded" in ContextExceeded,
    /// The model declined.
    Refusal = "refusal" in Refusal,
    /// A filter of the vendor withheld the answer.
    ContentFilter = "content_filter" in Refusal,
    /// The credential is refused.
    Auth = "auth" in Auth,
    /// The model does not exist there any more.
    ModelGone = "model_gone" in ModelGone,
    /// The request is at fault; another target would say the same.
    BadRequest = "bad_request" in BadRequest,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The keys of a workflow's `on:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum FailureGroup {
    Outage,
    Timeout,
    Quota,
    SchemaViolation,
    ContextExceeded,
    Refusal,
    Auth,
    ModelGone,
    BadRequest,
}

impl FailureGroup {
    /// Every group, in order.
    pub const ALL: [FailureGroup; 9] = [
        FailureGroup::Outage,
        FailureGroup::Timeout,
        FailureGroup::Quota,
        FailureGroup::SchemaViolation,
        FailureGroup::ContextExceeded,
        FailureGroup::Refusal,
        FailureGroup::Auth,
        FailureGroup::ModelGone,
        FailureGroup::BadRequest,
    ];

    /// The key in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            FailureGroup::Outage => "outage",
            FailureGroup::Timeout => "timeout",
            FailureGroup::Quota => "quota",
            FailureGroup::SchemaViolation => "schema_violation",
            FailureGroup::ContextExceeded => "context_exceeded",
            FailureGroup::Refusal => "refusal",
            FailureGroup::Auth => "auth",
            FailureGroup::ModelGone => "model_gone",
            FailureGroup::BadRequest => "bad_request",
        }
    }
}

/// Why one attempt did not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The class, which steers everything.
    pub kind: FailureKind,
    /// The provider's HTTP status, where there was one.
    pub status: Option<u16>,
    /// How long the provider asked us to stay away: the latest of the exhausted dimensions.
    pub retry_after: Option<Duration>,
    /// What the provider said, bounded and with credentials removed. For logs and the ledger, never for clients,
    /// except `bad_request`, where the client must read it to act.
    pub detail: String,
}

impl Failure {
    /// A failure without status.
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Failure {
        Failure { kind, status: None, retry_after: None, detail: detail.into() }
    }
}
