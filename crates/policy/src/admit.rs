//! Whether a target may serve a request at all: data rules, needs, window, price. Decided before any ranking.
//!
//! The order of the checks is the order of the reasons people read: a target that may not see the data is not also
//! reported as too small.

use crate::{DataMiss, Health, Policy, Target};
use model::{Capabilities, FailureKind, Money, Request, Tick, Timestamp, Usage, cost};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Room left for the answer when the client sets no limit.
pub(crate) const OUTPUT_FLOOR: u64 = 256;

/// Output tokens assumed by cost estimates when the client sets no limit (or the model's own limit, if smaller).
pub(crate) const ASSUMED_OUTPUT: u64 = 1024;

/// Why a candidate is not a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Out {
    /// A data class forbids it.
    Data {
        /// The class.
        class: Arc<str>,
        /// What is amiss.
        why: DataMiss,
    },
    /// It cannot do what is needed, or nobody says that it can.
    Needs {
        /// What is lacking.
        missing: Capabilities,
        /// Whether anybody says what it can do.
        known: bool,
    },
    /// Prompt and answer do not fit its window.
    Window {
        /// Tokens needed.
        needed: u64,
        /// Tokens it takes.
        window: u64,
    },
    /// It costs too much, or nobody knows what it costs.
    Cost {
        /// What is amiss.
        why: CostMiss,
        /// The workflow's limit.
        limit: Money,
    },
    /// Its breaker is open or its rate exhausted.
    Closed {
        /// For how long.
        #[serde(rename = "reopens_in_ms", serialize_with = "milliseconds")]
        reopens_in: Duration,
        /// For its rate alone.
        rate_limited: bool,
    },
    /// Out until its key or the file changes.
    OutOfService(FailureKind),
}

/// Why the price rules a candidate out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CostMiss {
    /// Its price is unknown, so no limit can be kept.
    UnknownPrice,
    /// The estimate is above the limit.
    Estimate(Money),
}

/// What is asked of every candidate of one request; the same for all of them.
pub(crate) struct Ask<'a> {
    pub(crate) request: &'a Request<'a>,
    /// What the workflow needs.
    pub(crate) needs: Capabilities,
    /// The data classes in force.
    pub(crate) classes: &'a [usize],
    pub(crate) max_cost: Option<Money>,
    /// A target that the client names itself is checked against data rules and health alone: it knows its model
    /// better than a catalog does, and the provider will say so if it does not.
    pub(crate) direct: bool,
    pub(crate) wall: Timestamp,
    pub(crate) tick: Tick,
}

impl Ask<'_> {
    /// The estimated cost of a candidate that may serve, `None` without a price.
    pub(crate) fn admit(
        &self,
        policy: &Policy,
        target: &Target,
        waives: Capabilities,
    ) -> Result<Option<Money>, Out> {
        for class in self.classes {
            policy
                .admits(&target.provider, *class, self.wall)
                .map_err(|why| Out::Data { class: policy.data_classes[*class].name.clone(), why })?;
        }
        let estimate = self.estimate(target);
        if self.direct {
            return Ok(estimate);
        }
        let missing = self.needs.union(self.request.needs).minus(waives).minus(target.facts.can);
        if !missing.is_empty() {
            return Err(Out::Needs { missing, known: target.can_known });
        }
        if let Some(window) = target.facts.context {
            let needed = self.tokens_needed();
            if needed > window {
                return Err(Out::Window { needed, window });
            }
        }
        if let Some(limit) = self.max_cost {
            match estimate {
                None => return Err(Out::Cost { why: CostMiss::UnknownPrice, limit }),
                Some(estimate) if estimate > limit => {
                    return Err(Out::Cost { why: CostMiss::Estimate(estimate), limit });
                }
                Some(_) => {}
            }
        }
        Ok(estimate)
    }

    /// Tokens of prompt and answer that a window must hold.
    pub(crate) fn tokens_needed(&self) -> u64 {
        self.request.estimated_tokens.saturating_add(self.request.max_output.unwrap_or(OUTPUT_FLOOR))
    }

    /// The estimated prompt and the output limit at list price, nothing cached.
    fn estimate(&self, target: &Target) -> Option<Money> {
        let output = self
            .request
            .max_output
            .unwrap_or_else(|| target.facts.max_output.unwrap_or(ASSUMED_OUTPUT).min(ASSUMED_OUTPUT));
        let usage =
            Usage { input: Some(self.request.estimated_tokens), output: Some(output), ..Usage::UNKNOWN };
        target.facts.rates.as_ref().and_then(|rates| cost(rates, &usage))
    }

    /// Whether the target's health lets it be called now.
    pub(crate) fn awake(&self, target: &Target, health: &Health) -> Result<(), Out> {
        match health.out {
            // In a slot that many models share, the end of one model says nothing of the others.
            Some(FailureKind::ModelGone) if target.shared => {}
            Some(kind) => return Err(Out::OutOfService(kind)),
            None => {}
        }
        match health.closed_until {
            Some(until) if until > self.tick && !health.probe => {
                Err(Out::Closed { reopens_in: until.since(self.tick), rate_limited: health.rate_limited })
            }
            _ => Ok(()),
        }
    }
}

impl Out {
    /// How far the candidate came before it was ruled out; the furthest of a route decides what the client reads.
    pub(crate) fn stage(&self) -> u8 {
        match self {
            Out::Data { .. } => 0,
            Out::Needs { .. } => 1,
            Out::Window { .. } => 2,
            Out::Cost { .. } => 3,
            Out::OutOfService(_) => 4,
            Out::Closed { .. } => 5,
        }
    }
}

impl fmt::Display for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |set: &Capabilities| set.iter().map(|c| c.name()).collect::<Vec<_>>().join(", ");
        match self {
            Out::Data { class, why } => write!(f, "data class {class}: {why}"),
            Out::Needs { missing, known: true } => write!(f, "lacks {}", list(missing)),
            Out::Needs { missing, known: false } => {
                write!(f, "nothing says that it can do {}", list(missing))
            }
            Out::Window { needed, window } => {
                write!(f, "needs {needed} tokens and its window is {window}")
            }
            Out::Cost { why: CostMiss::UnknownPrice, limit } => {
                write!(f, "its price is unknown, so max_cost {limit} cannot be kept")
            }
            Out::Cost { why: CostMiss::Estimate(estimate), limit } => {
                write!(f, "estimated at {estimate} US dollars, above max_cost {limit}")
            }
            Out::Closed { reopens_in, rate_limited: true } => {
                write!(f, "its rate is exhausted for another {}", crate::file::Written(*reopens_in))
            }
            Out::Closed { reopens_in, rate_limited: false } => {
                write!(f, "its breaker is open for another {}", crate::file::Written(*reopens_in))
            }
            Out::OutOfService(kind) => write!(f, "out of service since a failure of kind {kind}"),
        }
    }
}

/// A duration as a whole number of milliseconds.
pub(crate) fn milliseconds<S: serde::Serializer>(duration: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
