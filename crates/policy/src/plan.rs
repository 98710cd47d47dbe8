//! What `plan` hands out: steps that carry their permission, or a denial that names its rule.

use crate::{Reactions, Target, Workflow};
use model::{Code, Money, Permit, Problem, Tick};
use smallvec::SmallVec;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What is intended for one request. Only [`crate::plan()`] makes one.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The workflow; `None` for a direct target.
    pub workflow: Option<Arc<Workflow>>,
    /// The data class in force, for the ledger.
    pub data_class: Option<Arc<str>>,
    /// When the request must be over.
    pub deadline: Tick,
    /// How long the policy lets such a request take, whatever the client's own deadline.
    pub patience: Duration,
    pub(crate) steps: SmallVec<[Step; 4]>,
    pub(crate) on: Reactions,
    pub(crate) seed: u64,
    pub(crate) may_retry: bool,
}

/// One intended call. It cannot be built elsewhere, so a target that policy forbids cannot be called by a step.
#[derive(Clone, Debug)]
pub struct Step {
    pub(crate) target: Arc<Target>,
    pub(crate) permit: Permit,
    pub(crate) gave_up: Arc<[Arc<str>]>,
    pub(crate) estimated_cost: Option<Money>,
    pub(crate) estimated_first_token: Option<Duration>,
    pub(crate) first_token_limit: Duration,
    pub(crate) not_before: Option<Tick>,
    pub(crate) probe: bool,
    pub(crate) tier: usize,
}

impl Plan {
    /// The steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl Step {
    /// Whom to call.
    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }
    /// Why it may be called.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }
    /// What is lost by serving from here; empty unless it is a downgrade.
    pub fn gave_up(&self) -> &Arc<[Arc<str>]> {
        &self.gave_up
    }
    /// The most it should cost: the estimated prompt and the output limit at list price. `None` without a price.
    pub fn estimated_cost(&self) -> Option<Money> {
        self.estimated_cost
    }
    /// The wait for the first token that its past suggests.
    pub fn estimated_first_token(&self) -> Option<Duration> {
        self.estimated_first_token
    }
    /// How long its first token may take where the request has all the time.
    pub fn first_token_limit(&self) -> Duration {
        self.first_token_limit
    }
    /// Whether it is the one request that tries a target whose breaker was open.
    pub fn is_probe(&self) -> bool {
        self.probe
    }
    /// The tier of the route it comes from, from 0.
    pub fn tier(&self) -> usize {
        self.tier
    }
}

/// Why we refuse before any attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// What the client reads.
    pub code: Code,
    /// The rule of the policy, as a path into the file (`workflows.refund-triage.max_cost`) where there is one.
    pub rule: String,
    /// What happened, in a sentence.
    pub message: String,
    /// When it may work.
    pub retry_after: Option<Duration>,
    /// The workflow that was meant, where that is known.
    pub workflow: Option<Arc<str>>,
    /// The data class in force, where that is known.
    pub data_class: Option<Arc<str>>,
}

impl Denial {
    pub(crate) fn new(code: Code, rule: impl Into<String>, message: impl Into<String>) -> Denial {
        let (rule, message) = (rule.into(), message.into());
        Denial { code, rule, message, retry_after: None, workflow: None, data_class: None }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.code, self.message, self.rule)
    }
}

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Problem {
        Problem { retry_after: denial.retry_after, ..Problem::new(denial.code, denial.message) }
    }
}
