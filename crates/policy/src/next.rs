//! What may follow an attempt. Called before the first one too, with nothing tried.
//!
//! Bounded whatever happens: at most [`MAX_ATTEMPTS`] calls a request, at most two to one step, none after the
//! deadline, none after the client has seen content.

use crate::decide::WORTH_WAITING;
use crate::{Plan, Reaction, Step, hash};
use model::{Code, FailureKind, Now, Tick};
use std::time::Duration;

/// Calls one request may make.
pub const MAX_ATTEMPTS: usize = 4;

const CONNECT: Duration = Duration::from_secs(2);
const IDLE: Duration = Duration::from_secs(15);
const JITTER_BASE: Duration = Duration::from_millis(250);
const JITTER_MOST: Duration = Duration::from_secs(4);

/// An attempt that did not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Index into [`Plan::steps`].
    pub step: usize,
    /// Why it did not serve.
    pub kind: FailureKind,
    /// When the call began.
    pub began: Tick,
    /// When it was over.
    pub ended: Tick,
    /// How long the provider asked us to stay away.
    pub retry_after: Option<Duration>,
    /// Whether the client has seen content of it.
    pub content_sent: bool,
}

/// What may happen now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Call this step.
    Take {
        /// Index into [`Plan::steps`].
        step: usize,
        /// After this wait; it ends before the deadline.
        wait: Duration,
        /// Within these limits.
        limits: Limits,
    },
    /// Hand the last failure (or refusal) to the client as it is.
    Return,
    /// Nothing more is allowed.
    Stop(Ending),
}

/// The time limits of one attempt, counted from its beginning, none beyond the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the first token of a stream, or the headers of a whole answer.
    pub first_token: Duration,
    /// Between two chunks.
    pub idle: Duration,
    /// Until the end: what remains of the request's time.
    pub total: Duration,
}

/// Why nothing more is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The time is up.
    Deadline,
    /// Every permitted step was tried, or would fail the same way.
    Exhausted,
    /// The attempts are used up.
    Attempts,
    /// The client has seen content, so nobody else may answer.
    AfterContent,
}

impl Ending {
    /// What the client reads, given what was tried.
    pub fn code(self, tried: &[Tried]) -> Code {
        let all = |test: fn(&Tried) -> bool| !tried.is_empty() && tried.iter().all(test);
        match self {
            Ending::Deadline => Code::Deadline,
            Ending::AfterContent => Code::StreamBroken,
            _ if all(|t| matches!(t.kind, FailureKind::RateLimited | FailureKind::Quota)) => {
                Code::RateLimited
            }
            _ if all(|t| t.kind == FailureKind::ContextExceeded) => Code::ContextExceeded,
            _ if all(|t| t.kind == FailureKind::ModelGone) => Code::UnknownModel,
            Ending::Exhausted | Ending::Attempts => Code::AllFailed,
        }
    }

    /// When it may be worth trying again: the soonest that any provider named.
    pub fn retry_after(self, tried: &[Tried], now: Now) -> Option<Duration> {
        tried.iter().filter_map(|t| Some(t.ended.after(t.retry_after?).since(now.tick))).min()
    }

    /// The word in `explain`.
    pub fn name(self) -> &'static str {
        match self {
            Ending::Deadline => "the deadline has passed",
            Ending::Exhausted => "no permitted step is left",
            Ending::Attempts => "the attempts are used up",
            Ending::AfterContent => "the client has seen content",
        }
    }
}

/// What may follow the attempts in `tried`, oldest first.
pub fn next(plan: &Plan, tried: &[Tried], now: Now) -> Move {
    let remaining = plan.deadline.since(now.tick);
    let walk = Walk { plan, tried, now, remaining };
    let Some(last) = tried.last() else { return walk.begin() };
    if last.content_sent {
        return Move::Stop(Ending::AfterContent);
    }
    let reaction = plan.on.to(last.kind);
    if reaction == Reaction::Return {
        return Move::Return;
    }
    if remaining.is_zero() || last.kind == FailureKind::Deadline {
        return Move::Stop(Ending::Deadline);
    }
    if tried.len() >= MAX_ATTEMPTS {
        return Move::Stop(Ending::Attempts);
    }
    match reaction {
        Reaction::Return => Move::Return,
        Reaction::LargerContext => walk.larger(last),
        Reaction::RetryThenNext => walk.retry(last).unwrap_or_else(|| walk.onward()),
        // A repair needs the answer and the schema beside each other; until that exists the next step is asked.
        Reaction::Next | Reaction::RepairThenNext => walk.onward(),
    }
}

struct Walk<'a> {
    plan: &'a Plan,
    tried: &'a [Tried],
    now: Now,
    remaining: Duration,
}

impl Walk<'_> {
    fn begin(&self) -> Move {
        if self.remaining.is_zero() {
            return Move::Stop(Ending::Deadline);
        }
        let wait = self.plan.steps.first().and_then(|s| s.not_before).map(|at| at.since(self.now.tick));
        match wait {
            Some(wait) if wait >= self.remaining => Move::Stop(Ending::Deadline),
            wait => self.take(0, wait.unwrap_or_default()),
        }
    }

    /// The same step once more, if this failure may pass by itself and it was called only once.
    fn retry(&self, last: &Tried) -> Option<Move> {
        let again = self.plan.may_retry && self.calls(last.step) == 1;
        let wait = match last.retry_after {
            Some(asked) if asked > WORTH_WAITING => return None,
            Some(asked) => last.ended.after(asked).since(self.now.tick),
            None => self.jitter(),
        };
        (again && wait < self.remaining).then(|| self.take(last.step, wait))
    }

    /// The first step that was not tried and that no failure so far rules out; else a short wait for a rate limit.
    fn onward(&self) -> Move {
        match (0..self.plan.steps.len()).find(|i| self.fresh(*i)) {
            Some(step) => self.take(step, Duration::ZERO),
            None => self.wait_for_rate().unwrap_or(Move::Stop(Ending::Exhausted)),
        }
    }

    /// The first fresh step with a larger window than the one that was too small. Without one, the client must read
    /// that its prompt is too long: it alone can shorten it.
    fn larger(&self, last: &Tried) -> Move {
        let window = |i: usize| self.plan.steps.get(i).and_then(|s: &Step| s.target.facts.context);
        let too_small = window(last.step);
        let larger = |i: &usize| match (window(*i), too_small) {
            (Some(w), Some(small)) => w > small,
            (Some(_), None) => true,
            (None, _) => false,
        };
        match (0..self.plan.steps.len()).filter(|i| self.fresh(*i)).find(larger) {
            Some(step) => self.take(step, Duration::ZERO),
            None => Move::Return,
        }
    }

    /// When nothing else is left: a step whose rate reopens within two seconds, if it was called only once.
    fn wait_for_rate(&self) -> Option<Move> {
        self.tried
            .iter()
            .filter(|t| t.kind == FailureKind::RateLimited && self.calls(t.step) == 1)
            .filter_map(|t| Some((t.ended.after(t.retry_after?).since(self.now.tick), t.step)))
            .filter(|(wait, _)| *wait <= WORTH_WAITING && *wait < self.remaining)
            .min()
            .map(|(wait, step)| self.take(step, wait))
    }

    fn calls(&self, step: usize) -> usize {
        self.tried.iter().filter(|t| t.step == step).count()
    }

    /// Not tried yet, and not behind a key that was refused or is out of credit.
    fn fresh(&self, step: usize) -> bool {
        let provider = |i: usize| self.plan.steps.get(i).map(|s| s.target.provider.index);
        self.tried.iter().all(|t| {
            let key_is_out = matches!(t.kind, FailureKind::Auth | FailureKind::Quota);
            t.step != step && !(key_is_out && provider(t.step) == provider(step))
        })
    }

    /// Full jitter: anything up to 250 ms for the first retry of a request, doubling, at most 4 s.
    fn jitter(&self) -> Duration {
        let retries = self.tried.windows(2).filter(|w| w[0].step == w[1].step).count() as u32;
        let most = JITTER_BASE.saturating_mul(1 << retries.min(4)).min(JITTER_MOST);
        most.mul_f64(hash::unit(self.plan.seed, self.tried.len() as u64))
    }

    fn take(&self, step: usize, wait: Duration) -> Move {
        let Some(planned) = self.plan.steps.get(step) else { return Move::Stop(Ending::Exhausted) };
        let total = self.remaining.saturating_sub(wait);
        // A whole answer may take long; while others could still serve, it may take half of what is left.
        let others = (0..self.plan.steps.len()).any(|i| i != step && self.fresh(i))
            && self.tried.len() + 1 < MAX_ATTEMPTS;
        let first = if others { planned.first_token_limit.min(total / 2) } else { planned.first_token_limit };
        let limits = Limits {
            connect: CONNECT.min(total),
            first_token: first.min(total),
            idle: IDLE.min(total),
            total,
        };
        Move::Take { step, wait, limits }
    }
}
