//! The neutral form of a streamed answer: parts that start, grow and end, one after another or interleaved by index.
//!
//! A decoder guarantees: `Start` first and once; every `PartDelta` between the `PartStart` and `PartEnd` of its index;
//! tool arguments complete (`{}` when there were none) before their `PartEnd`; `Stop` once; nothing after `End`.
//! A stream without `End` was cut, whatever else it said.

use crate::{Dialect, Failure, Stop, Text, Usage};

/// One thing that happened in a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The vendor accepted the request. Not content: nothing is promised to the client yet.
    Start {
        /// The vendor's id of the answer.
        id: Text<'a>,
        /// The model that the vendor says it is.
        model: Text<'a>,
    },
    /// A part begins. Indices count from 0 in order of first appearance.
    PartStart {
        /// Which part.
        index: u32,
        /// What it is.
        kind: PartKind<'a>,
    },
    /// A part grows.
    PartDelta {
        /// Which part.
        index: u32,
        /// By what.
        delta: Delta<'a>,
    },
    /// A part is complete.
    PartEnd {
        /// Which part.
        index: u32,
    },
    /// The model stopped.
    Stop {
        /// Why.
        stop: Stop,
        /// At which stop sequence, where the dialect says it.
        sequence: Option<Text<'a>>,
    },
    /// What is known of usage; later reports update earlier ones.
    Usage(Usage),
    /// The vendor reported an error inside the stream. The stream is over.
    Failed(Failure),
    /// The dialect's own terminator: the answer is whole.
    End,
}

/// What kind of part begins.
#[derive(Clone, Debug, PartialEq)]
pub enum PartKind<'a> {
    /// Words.
    Text,
    /// Thinking the client may see.
    Reasoning,
    /// Thinking only the vendor can read, whole at once.
    Redacted(Dialect, Text<'a>),
    /// Words that decline.
    Refusal,
    /// A call; its arguments follow as deltas.
    ToolCall {
        /// The vendor's id of the call.
        id: Text<'a>,
        /// The tool.
        name: Text<'a>,
    },
}

/// By what a part grows.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta<'a> {
    /// Words (of text, thinking or refusal).
    Text(Text<'a>),
    /// A fragment of the JSON text of a call's arguments.
    Arguments(Text<'a>),
    /// The seal over a thinking part, with the dialect that issued it.
    Signature(Dialect, Text<'a>),
}

impl Event<'_> {
    /// Whether a client that sees this event has seen content, so that no other target may answer any more.
    pub fn is_content(&self) -> bool {
        match self {
            Event::PartDelta { delta, .. } => match delta {
                Delta::Text(text) | Delta::Arguments(text) => !text.is_empty(),
                Delta::Signature(..) => true,
            },
            Event::PartStart { kind, .. } => {
                matches!(kind, PartKind::ToolCall { .. } | PartKind::Redacted(..))
            }
            _ => false,
        }
    }
}
