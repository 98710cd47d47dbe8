//! The way of a request, as one enum: spans, refusal metrics, `explain` and ARCHITECTURE.md take their names from it.

use std::fmt;

/// A step of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Which dialect and operation a path means.
    Door,
    /// Who calls.
    Admit,
    /// The whole body, and what policy needs to know of it.
    Read,
    /// Which workflow it is, and what its plan may hold.
    Plan,
    /// The intent, durable before anything is sent.
    Reserve,
    /// Calls, one after another, until one serves.
    Attempt,
    /// The answer, in the client's dialect.
    Write,
    /// The settlement, durable before the end of the answer.
    Record,
}

impl Stage {
    /// The name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Door => "door",
            Stage::Admit => "admit",
            Stage::Read => "read",
            Stage::Plan => "plan",
            Stage::Reserve => "reserve",
            Stage::Attempt => "attempt",
            Stage::Write => "write",
            Stage::Record => "record",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
