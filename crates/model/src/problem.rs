//! What a client reads when we cannot serve: one table of code, status and hint. Causes go to logs and the ledger.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $hint:literal;)*) => {
        /// A stable public code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];
            /// The code as clients and the ledger see it.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }
            /// The HTTP status it travels with.
            pub fn status(self) -> u16 {
                match self { $(Code::$variant => $status,)* }
            }
            /// What the reader can do.
            pub fn hint(self) -> &'static str {
                match self { $(Code::$variant => $hint,)* }
            }
        }
    };
}

codes! {
    /// The body is not a request of the dialect.
    InvalidRequest = "invalid_request", 400, "Correct the request and send it again.";
    /// A top-level key stands twice or in two spellings.
    AmbiguousBody = "ambiguous_body", 400, "Send every top-level key once, in its documented spelling.";
    /// A part cannot be carried to any permitted target.
    CannotCarry = "cannot_carry", 400, "Remove the part, or name a workflow whose targets accept it.";
    /// The provider says that the request is at fault.
    ProviderRejected = "provider_rejected", 400, "Correct the request as the provider's message says.";
    /// A filter of the provider, or the model itself, declined.
    ContentFiltered = "content_filter", 400, "Change the prompt; sending it again will not help.";
    /// No permitted target has a window that large. Clients look for this very name.
    ContextExceeded = "context_length_exceeded", 400, "Shorten the conversation, or add a target with a larger window to the route.";
    /// The request would cost more than the workflow allows.
    MaxCost = "max_cost_exceeded", 400, "Lower the output limit or shorten the prompt, or raise the workflow's max_cost.";
    /// No key, or not one of ours.
    Unauthenticated = "invalid_api_key", 401, "Send a key made by `pointsman keys create`.";
    /// The key may not call this.
    NotAllowed = "not_allowed", 403, "Ask the gateway's owner to allow it for the key's team.";
    /// The data class leaves no target.
    DataRule = "data_rule", 403, "The data class of this request admits no target of the route; `pointsman explain` shows why.";
    /// No such path.
    NotFound = "not_found", 404, "See the documented paths of the gateway.";
    /// Neither a workflow nor a known model.
    UnknownModel = "model_not_found", 404, "Use a workflow, `provider/model`, or a model id that GET /v1/models lists.";
    /// Wrong method for the path.
    MethodNotAllowed = "method_not_allowed", 405, "Use the method the path documents.";
    /// The client took too long to send its body.
    RequestTimeout = "request_timeout", 408, "Send the whole request without pausing.";
    /// The body or a header is larger than allowed.
    TooLarge = "request_too_large", 413, "Send a smaller request.";
    /// Every permitted target is out of quota or rate.
    RateLimited = "rate_limited", 429, "Wait as Retry-After says, then send it again.";
    /// A bug of ours.
    Internal = "internal_error", 500, "Send it again; report it with the request id if it persists.";
    /// Every permitted step failed.
    AllFailed = "all_targets_failed", 502, "Send it again later; the ledger lists every attempt under the request id.";
    /// A stream broke after content.
    StreamBroken = "stream_broken", 502, "The answer is incomplete; send the request again.";
    /// We cannot record, so we do not send.
    NotDurable = "ledger_unavailable", 503, "Free disk space on the gateway; it serves again by itself.";
    /// We are stopping or starting.
    Unavailable = "unavailable", 503, "Send it again in a moment.";
    /// No target is healthy enough to try.
    NoTarget = "no_target_available", 503, "Every permitted target is out for now; wait as Retry-After says.";
    /// The deadline passed.
    Deadline = "deadline_exceeded", 504, "Allow more time, or route to a faster target.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error as a client reads it, before a dialect gives it its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The row of the table.
    pub code: Code,
    /// What happened and where, in a sentence. Never a provider's own words, except for `provider_rejected`.
    pub message: Cow<'static, str>,
    /// The field of the request at fault, where one is.
    pub field: Option<Cow<'static, str>>,
    /// Sets `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// A problem with a sentence.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Problem {
        Problem { code, message: message.into(), field: None, retry_after: None }
    }
    /// The sentence and what to do about it.
    pub fn sentence(&self) -> String {
        format!("{} {}", self.message, self.code.hint())
    }
}
