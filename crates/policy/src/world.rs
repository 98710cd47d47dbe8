//! What `plan` asks of the present: the health of a target, as whoever makes the calls has seen it.

use crate::Target;
use model::{FailureKind, Tick};
use std::time::Duration;

/// The live side of a decision. The binary answers from its breakers, tests answer from tables.
pub trait World {
    /// How a target is now.
    fn health(&self, target: &Target) -> Health;

    /// Whether the gateway's budget of retries on the same target has room (see [`crate::health::RetryBudget`]).
    fn may_retry(&self) -> bool {
        true
    }
}

/// How a target is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// Not to be called before this tick: its breaker is open or its rate is exhausted.
    pub closed_until: Option<Tick>,
    /// Whether it is closed for its rate alone, so that a short wait is worth while.
    pub rate_limited: bool,
    /// Out until its key or the file changes: the key is refused or spent, or the model is gone.
    pub out: Option<FailureKind>,
    /// Half-open: this request may be the one that probes.
    pub probe: bool,
    /// Peak-weighted average of the time to the first token; `None` while nothing was seen.
    pub latency: Option<Duration>,
    /// Calls under way.
    pub in_flight: u32,
    /// The share of its usual traffic while it recovers; 1000 when it is well.
    pub weight_permille: u16,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            closed_until: None,
            rate_limited: false,
            out: None,
            probe: false,
            latency: None,
            in_flight: 0,
            weight_permille: 1000,
        }
    }
}
