//! One request from admission to settlement. Whatever happens to it, it is settled once: by its caller, or when it is
//! dropped because the client went away. For a stream it travels inside the body.

use crate::gateway::Gateway;
use crate::path::Stage;
use crate::running::{Running, TargetSlot, WorkflowSlot};
use http::HeaderValue;
use model::{
    AttemptRow, Code, End, Failure, FailureKind, Money, Now, Permit, Problem, RequestRow, Tick, Usage, cost,
};
use policy::health::Outcome;
use policy::{Limits, Plan, Target, Tried};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A request under way.
pub struct Visit {
    /// The gateway it visits.
    pub gateway: Arc<Gateway>,
    /// The policy it was admitted under.
    pub running: Arc<Running>,
    /// The ledger's row, filled in as things happen.
    pub row: RequestRow,
    began: Tick,
    workflow: Arc<WorkflowSlot>,
    open: Option<Open>,
    settled: bool,
}

/// The attempt that is being made.
struct Open {
    slot: Option<Arc<TargetSlot>>,
    step: usize,
    began: Tick,
    first_token: Option<Tick>,
    target: Arc<Target>,
    /// Whether the target has all the time for its first token that policy would give it. If the client's own deadline or
    /// earlier attempts leave it less, its running out says nothing of the target.
    full_wait: bool,
}

impl Visit {
    /// Opens a visit for a row that was just admitted.
    pub fn new(gateway: Arc<Gateway>, running: Arc<Running>, row: RequestRow, now: Now) -> Visit {
        gateway.metrics.in_flight.inc();
        let workflow = Arc::clone(running.workflow(None));
        Visit { gateway, running, row, began: now.tick, workflow, open: None, settled: false }
    }

    /// Notes what the planner made of the request, whether it may go on or not.
    pub fn meant(&mut self, workflow: Option<&Arc<str>>, data_class: Option<&Arc<str>>) {
        self.row.workflow = workflow.cloned();
        self.row.data_class = data_class.cloned();
        let index = workflow.and_then(|name| self.running.policy.workflow(name)).map(|w| w.index);
        self.workflow = Arc::clone(self.running.workflow(index));
    }

    /// The workflow's slot.
    pub fn workflow(&self) -> &WorkflowSlot {
        &self.workflow
    }

    /// A target's name as a response header.
    pub fn target_header(&self, target: &Target) -> Option<HeaderValue> {
        self.running.slot(target).and_then(|slot| slot.header(target))
    }

    /// Begins an attempt: books it, durably, before anything is sent. `false` when another request took the probe of a
    /// recovering target since the plan was made; nothing is booked then.
    pub fn begin(&mut self, plan: &Plan, index: usize, limits: &Limits, now: Now) -> Result<bool, Problem> {
        let step = &plan.steps()[index];
        let target = step.target();
        let slot = self.running.slot(target).cloned();
        if slot.as_ref().is_some_and(|slot| !slot.health().begin(now.tick)) {
            return Ok(false);
        }
        self.row.attempts.push(AttemptRow {
            step: index as u32,
            target: Arc::clone(&target.name),
            began: now.wall,
            status: None,
            failure: None,
            detail: None,
            first_token_ms: None,
            total_ms: None,
            usage: Usage::UNKNOWN,
            cost_usd: None,
            permit: label(step.permit()),
        });
        if let Err(why) = self.gateway.store.journal().intend(&self.row) {
            self.row.attempts.pop();
            if let Some(slot) = &slot {
                slot.health().end(Outcome::Abandoned, None, now.tick);
            }
            tracing::error!(request_id = %self.row.request_id, %why, "not durable: nothing was sent");
            return Err(Problem {
                retry_after: Some(Duration::from_secs(5)),
                ..Problem::new(
                    Code::NotDurable,
                    "The gateway cannot record this request, so it was not sent.",
                )
            });
        }
        self.open = Some(Open {
            slot,
            step: index,
            began: now.tick,
            first_token: None,
            target: Arc::clone(target),
            full_wait: limits.first_token >= step.first_token_limit().min(plan.patience / 2),
        });
        Ok(true)
    }

    /// How long the attempt under way has taken so far.
    pub fn attempt_age(&self) -> Duration {
        self.open.as_ref().map_or(Duration::ZERO, |open| self.gateway.clock.tick().since(open.began))
    }

    /// The provider answered with this status.
    pub fn status(&mut self, status: u16) {
        if let Some(attempt) = self.row.attempts.last_mut() {
            attempt.status = Some(status);
        }
    }

    /// The first content arrived.
    pub fn first_token(&mut self) {
        let tick = self.gateway.clock.tick();
        if let (Some(open), Some(attempt)) = (&mut self.open, self.row.attempts.last_mut()) {
            open.first_token = Some(tick);
            attempt.first_token_ms = Some(millis(tick.since(open.began)));
            self.row.first_token_ms = Some(millis(tick.since(self.began)));
        }
    }

    /// What is known so far of the usage of the attempt under way.
    pub fn known(&mut self, usage: Usage) {
        if let (Some(_), Some(attempt)) = (&self.open, self.row.attempts.last_mut()) {
            attempt.usage = usage;
        }
    }

    /// Ends the attempt that served.
    pub fn succeeded(&mut self, usage: Usage) -> Option<Money> {
        self.close(None, usage);
        let attempt = self.row.attempts.last()?;
        self.row.served_by = Some(Arc::clone(&attempt.target));
        attempt.cost_usd
    }

    /// Ends the attempt whose answer declines and is handed to the client all the same.
    pub fn declined(&mut self, failure: &Failure, usage: Usage) -> Option<Money> {
        self.close(Some(failure), usage);
        self.succeeded(usage)
    }

    /// Ends the attempt that failed, and says what `next` needs to know of it.
    pub fn failed(&mut self, failure: &Failure, usage: Usage, content_sent: bool) -> Option<Tried> {
        let (step, began) = self.open.as_ref().map(|open| (open.step, open.began))?;
        tracing::debug!(
            request_id = %self.row.request_id,
            target = self.row.attempts.last().map(|a| &*a.target),
            failure = %failure.kind,
            status = failure.status,
            detail = failure.detail,
            "attempt failed"
        );
        self.close(Some(failure), usage);
        let ended = self.gateway.clock.tick();
        Some(Tried { step, kind: failure.kind, began, ended, retry_after: failure.retry_after, content_sent })
    }

    fn close(&mut self, failure: Option<&Failure>, usage: Usage) {
        let (Some(open), Some(attempt)) = (self.open.take(), self.row.attempts.last_mut()) else { return };
        let tick = self.gateway.clock.tick();
        let total = tick.since(open.began);
        let first_token = open.first_token.map(|at| at.since(open.began));
        attempt.total_ms = Some(millis(total));
        attempt.usage = usage;
        attempt.status = attempt.status.or(failure.and_then(|f| f.status));
        attempt.failure = failure.map(|f| f.kind);
        attempt.detail = failure.filter(|f| !f.detail.is_empty()).map(|f| f.detail.as_str().into());
        let rates = open.target.facts.rates.as_ref();
        attempt.cost_usd = match failure {
            Some(f) if unbilled(f, attempt.status) => Some(Money::ZERO),
            _ => rates.and_then(|rates| cost(rates, &usage)),
        };
        if let Some(slot) = &open.slot {
            let outcome = match failure {
                None => Outcome::Served,
                Some(f) if f.kind == FailureKind::FirstTokenTimeout && !open.full_wait => Outcome::Abandoned,
                // Of one unlisted model that is gone the others of its provider know nothing.
                Some(f) if f.kind == FailureKind::ModelGone && open.target.shared => Outcome::Abandoned,
                Some(f) => Outcome::Failed(f.kind, f.retry_after),
            };
            slot.health().end(outcome, first_token, tick);
            slot.meter(&self.gateway.metrics).count(
                attempt.failure,
                total,
                first_token,
                &usage,
                attempt.cost_usd,
            );
        }
    }

    /// Records how the request ended, durably, once. After an error the next start settles it as unknown.
    pub fn settle(&mut self, end: End, problem: Option<&Problem>) -> Result<(), Problem> {
        if self.settled {
            return Ok(());
        }
        self.settled = true;
        self.gateway.metrics.in_flight.dec();
        let tick = self.gateway.clock.tick();
        let total = tick.since(self.began);
        self.row.end = end;
        self.row.problem = problem.map(|p| p.code.name().into());
        self.row.total_ms = Some(millis(total));
        self.sum();
        let first_token = self.row.first_token_ms.map(Duration::from_millis);
        self.workflow.meter.count(self.row.dialect, end, total, first_token);
        let journal = self.gateway.store.journal();
        if let Err(why) = journal.settle(&self.row) {
            tracing::error!(request_id = %self.row.request_id, %why, "the settlement could not be recorded");
            self.gateway.metrics.refuse(Stage::Record.name(), Code::NotDurable.name());
            return Err(Problem::new(
                Code::NotDurable,
                "The gateway could not record how this request ended.",
            ));
        }
        Ok(())
    }

    /// Refuses: counts, settles and hands the problem back.
    pub fn refuse(&mut self, stage: Stage, problem: Problem) -> Problem {
        self.gateway.metrics.refuse(stage.name(), problem.code.name());
        let end = if self.row.attempts.is_empty() { End::Denied } else { End::Failed };
        match self.settle(end, Some(&problem)) {
            Ok(()) => problem,
            Err(worse) => worse,
        }
    }

    /// Adds the attempts up. A sum with an unknown part is unknown.
    fn sum(&mut self) {
        let attempts = &self.row.attempts;
        self.row.usage = Usage::UNKNOWN;
        for attempt in attempts {
            self.row.usage.add(&attempt.usage);
        }
        self.row.cost_usd = attempts
            .iter()
            .try_fold(Money::ZERO, |sum, attempt| attempt.cost_usd.and_then(|cost| sum.plus(cost)));
    }
}

impl Drop for Visit {
    /// Only the client's leaving (or our own end) drops a visit that nobody settled.
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        if let (Some(open), Some(attempt)) = (self.open.take(), self.row.attempts.last_mut()) {
            let tick = self.gateway.clock.tick();
            attempt.total_ms = Some(millis(tick.since(open.began)));
            if let Some(slot) = &open.slot {
                slot.health().end(Outcome::Abandoned, None, tick);
            }
        }
        // The error is logged where it happens; nobody is left to be told.
        let end = if std::thread::panicking() { End::Unknown } else { End::ClientLeft };
        drop(self.settle(end, None));
    }
}

/// The ledger's words for a permit.
fn label(permit: &Permit) -> Arc<str> {
    static WORDS: OnceLock<[Arc<str>; 3]> = OnceLock::new();
    let words =
        WORDS.get_or_init(|| [Permit::Primary, Permit::Direct, Permit::Uncertified].map(|p| p.name().into()));
    match permit {
        Permit::Primary => Arc::clone(&words[0]),
        Permit::Direct => Arc::clone(&words[1]),
        Permit::Uncertified => Arc::clone(&words[2]),
        Permit::Certified(id) => format!("certified:{id}").into(),
    }
}

/// Whether no vendor bills it: nothing was sent, or the status says that nothing was done.
fn unbilled(failure: &Failure, status: Option<u16>) -> bool {
    let never_sent = status.is_none()
        && matches!(
            failure.kind,
            FailureKind::Dns
                | FailureKind::Connect
                | FailureKind::Tls
                | FailureKind::ConnectTimeout
                | FailureKind::Auth
                | FailureKind::BadRequest
                | FailureKind::ModelGone
        );
    never_sent || status.is_some_and(|status| status >= 400)
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}
