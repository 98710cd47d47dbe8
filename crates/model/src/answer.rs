//! The neutral form of a whole answer.

use crate::{Part, Text, Usage};
use serde::{Deserialize, Serialize};

/// A finished answer of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<'a> {
    /// The vendor's id of the answer.
    pub id: Text<'a>,
    /// The model that the vendor says it was.
    pub model: Text<'a>,
    /// Seconds since the epoch, where the dialect says it.
    pub created: Option<i64>,
    /// What was said, in order.
    pub parts: Vec<Part<'a>>,
    /// Why it ended.
    pub stop: Stop,
    /// The stop sequence that ended it, where the dialect says which.
    pub stop_sequence: Option<Text<'a>>,
    /// Tokens.
    pub usage: Usage,
}

/// Why a model stopped. The names of this enum are the ledger's and the metrics'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Stop {
    EndTurn,
    /// The output limit of the request.
    Length,
    StopSequence,
    ToolUse,
    /// A filter of the vendor withheld or cut the answer.
    ContentFilter,
    /// The model declined.
    Refusal,
    /// The vendor paused a long turn, to be continued by sending it back.
    Pause,
    /// The model tried to call a tool and got it wrong.
    MalformedToolCall,
    /// The model's context was full.
    ContextExceeded,
    /// A reason with no neutral form.
    Other,
}
