//! How a target is doing: a breaker, an average of waits, closings by rate, and a budget for retries.
//!
//! Plain structs, one [`TargetHealth`] a slot of [`crate::Policy::targets`]; the binary keeps them behind locks and
//! passes the time in. [`TargetHealth::view`] is what [`crate::World::health`] answers.

use crate::Health;
use model::{FailureKind, Tick};
use std::time::Duration;

/// Failures in a row that open the breaker.
const IN_A_ROW: u32 = 5;
/// Calls in one window before their success rate counts.
const ENOUGH_CALLS: u32 = 10;
/// The window of the success rate.
const WINDOW: Duration = Duration::from_secs(10);
/// The first opening; it doubles with every failed probe.
const FIRST_OPENING: Duration = Duration::from_secs(1);
/// The longest opening.
const LONGEST_OPENING: Duration = Duration::from_secs(10);
/// A probe that has not come back after this is given up, and another may try.
const PROBE_PATIENCE: Duration = Duration::from_secs(60);
/// How long a recovering target takes to get back its usual traffic.
const SLOW_START: Duration = Duration::from_secs(10);
/// Its share at the beginning of that.
const SLOW_START_SHARE: u16 = 100;
/// How fast old waits are forgotten.
const LATENCY_DECAY: Duration = Duration::from_secs(10);
/// How long a rate limit without a reset closes a target.
const RATE_PAUSE: Duration = Duration::from_secs(1);
/// The longest that a provider's word closes a target for its rate; it is asked again after that.
const LONGEST_RATE_PAUSE: Duration = Duration::from_secs(3600);
/// A spent quota without a reset: asked again after this.
const QUOTA_PAUSE: Duration = Duration::from_secs(60);

/// A refused key or a model that is gone: asked again after this, in case somebody mended it.
const OUT_PAUSE: Duration = Duration::from_secs(300);

/// How one attempt ended, as far as health cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It served.
    Served,
    /// It did not, for this reason, and the provider asked us to stay away for so long.
    Failed(FailureKind, Option<Duration>),
    /// The client left, or we stopped: says nothing of the target.
    Abandoned,
}

/// The health of one target.
#[derive(Clone, Debug, Default)]
pub struct TargetHealth {
    breaker: Breaker,
    latency: PeakEwma,
    rate_closed_until: Option<Tick>,
    out: Option<(FailureKind, Option<Tick>)>,
    in_flight: u32,
}

impl TargetHealth {
    /// A target nobody has called.
    pub fn new() -> TargetHealth {
        TargetHealth::default()
    }

    /// A call begins. `false` when it may not after all: another request took the probe since the plan was made.
    /// The caller then skips the step; when `true`, it must call [`TargetHealth::end`] exactly once.
    pub fn begin(&mut self, now: Tick) -> bool {
        let admitted = self.breaker.begin(now);
        if admitted {
            self.in_flight = self.in_flight.saturating_add(1);
        }
        admitted
    }

    /// A call that began has ended. `first_token` is the wait for it, for streams that came so far.
    pub fn end(&mut self, outcome: Outcome, first_token: Option<Duration>, now: Tick) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(wait) = first_token {
            self.latency.observe(wait, now);
        }
        match outcome {
            Outcome::Served => {
                self.out = None;
                self.breaker.succeeded(now);
            }
            Outcome::Abandoned => self.breaker.abandoned(),
            Outcome::Failed(kind, retry_after) => self.failed(kind, retry_after, now),
        }
    }

    fn failed(&mut self, kind: FailureKind, retry_after: Option<Duration>, now: Tick) {
        match kind {
            FailureKind::RateLimited => {
                let pause = retry_after.unwrap_or(RATE_PAUSE).min(LONGEST_RATE_PAUSE);
                let until = now.after(pause);
                // The latest closing holds: a shorter one that arrives later does not open another's.
                self.rate_closed_until = Some(self.rate_closed_until.map_or(until, |u| u.max(until)));
                self.breaker.abandoned();
            }
            FailureKind::Quota => {
                self.out = Some((kind, Some(now.after(retry_after.unwrap_or(QUOTA_PAUSE)))));
                self.breaker.abandoned();
            }
            FailureKind::Auth | FailureKind::ModelGone => {
                self.out = Some((kind, Some(now.after(OUT_PAUSE))));
                self.breaker.abandoned();
            }
            // The request was at fault, or the model answered and we did not like it: the target works.
            FailureKind::SchemaViolation
            | FailureKind::ContextExceeded
            | FailureKind::Refusal
            | FailureKind::ContentFilter
            | FailureKind::BadRequest => self.breaker.succeeded(now),
            // Our own clock ran out: says nothing.
            FailureKind::Deadline => self.breaker.abandoned(),
            FailureKind::FirstTokenTimeout
            | FailureKind::Dns
            | FailureKind::Connect
            | FailureKind::Tls
            | FailureKind::Reset
            | FailureKind::ServerError
            | FailureKind::Overloaded
            | FailureKind::Cut
            | FailureKind::InBandError
            | FailureKind::Malformed
            | FailureKind::Empty
            | FailureKind::ConnectTimeout
            | FailureKind::Stall => self.breaker.failed(now),
        }
    }

    /// Takes back that key or model are out: an operator may have mended them.
    pub fn put_back(&mut self) {
        self.out = None;
    }

    /// How it is now.
    pub fn view(&self, now: Tick) -> Health {
        let rate = self.rate_closed_until.filter(|until| *until > now);
        let (open, probe) = self.breaker.state(now);
        let out = self.out.filter(|(_, until)| until.is_none_or(|until| until > now)).map(|(kind, _)| kind);
        Health {
            closed_until: rate.max(open),
            rate_limited: rate.is_some() && open.is_none(),
            out,
            probe: probe && rate.is_none(),
            latency: self.latency.get(now),
            in_flight: self.in_flight,
            weight_permille: self.breaker.weight(now),
        }
    }
}

/// Opens after failures in a row or a bad window, lets one probe through when its time is over, and eases traffic back.
#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
    in_a_row: u32,
    window_began: Tick,
    good: u32,
    bad: u32,
    recovered_at: Option<Tick>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open { until: Tick, opening: Duration, probe: Option<Tick> },
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker {
            state: State::Closed,
            in_a_row: 0,
            window_began: Tick(0),
            good: 0,
            bad: 0,
            recovered_at: None,
        }
    }
}

impl Breaker {
    /// Until when it is closed to traffic (`None` when it is not), and whether a request may probe.
    pub fn state(&self, now: Tick) -> (Option<Tick>, bool) {
        match self.state {
            State::Closed => (None, false),
            State::Open { until, .. } if now < until => (Some(until), false),
            State::Open { probe, .. } => match probe.map(|began| began.after(PROBE_PATIENCE)) {
                Some(patience) if now < patience => (Some(patience), false),
                _ => (None, true),
            },
        }
    }

    /// A call begins; the first one after the opening is the probe.
    pub fn begin(&mut self, now: Tick) -> bool {
        let (closed, may_probe) = self.state(now);
        if let State::Open { probe, .. } = &mut self.state
            && may_probe
        {
            *probe = Some(now);
        }
        closed.is_none()
    }

    /// A call served.
    pub fn succeeded(&mut self, now: Tick) {
        if matches!(self.state, State::Open { until, .. } if now >= until) {
            *self = Breaker { recovered_at: Some(now), window_began: now, ..Breaker::default() };
        }
        self.in_a_row = 0;
        self.turn_window(now);
        self.good = self.good.saturating_add(1);
    }

    /// A call says nothing of the target.
    pub fn abandoned(&mut self) {
        if let State::Open { probe, .. } = &mut self.state {
            *probe = None;
        }
    }

    /// A call failed.
    pub fn failed(&mut self, now: Tick) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.turn_window(now);
        self.bad = self.bad.saturating_add(1);
        match self.state {
            State::Open { until, opening, .. } if now >= until => {
                let opening = opening.saturating_mul(2).min(LONGEST_OPENING);
                self.state = State::Open { until: now.after(opening), opening, probe: None };
            }
            // A call from before the opening comes back: it tells nothing new.
            State::Open { .. } => {}
            State::Closed => {
                let calls = self.good.saturating_add(self.bad);
                let bad_window = calls >= ENOUGH_CALLS && self.good.saturating_mul(2) < calls;
                if self.in_a_row >= IN_A_ROW || bad_window {
                    let until = now.after(FIRST_OPENING);
                    self.state = State::Open { until, opening: FIRST_OPENING, probe: None };
                    self.recovered_at = None;
                }
            }
        }
    }

    fn turn_window(&mut self, now: Tick) {
        if now.since(self.window_began) >= WINDOW {
            self.window_began = now;
            self.good = 0;
            self.bad = 0;
        }
    }

    /// The share of its usual traffic, of 1000: rising in a line for ten seconds after a recovery.
    pub fn weight(&self, now: Tick) -> u16 {
        let Some(elapsed) = self.recovered_at.map(|at| now.since(at)).filter(|e| *e < SLOW_START) else {
            return 1000;
        };
        let risen =
            u64::from(1000 - SLOW_START_SHARE) * elapsed.as_micros() as u64 / SLOW_START.as_micros() as u64;
        SLOW_START_SHARE + risen as u16
    }
}

/// An average that jumps up to a worse value at once and comes down slowly: a target that turned slow is noticed
/// with its first slow answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeakEwma {
    value: Option<(f64, Tick)>,
}

impl PeakEwma {
    /// A wait was seen.
    pub fn observe(&mut self, wait: Duration, now: Tick) {
        let seen = wait.as_secs_f64();
        let value = match self.value {
            Some((old, _)) if seen >= old => seen,
            Some((old, at)) => {
                let fresh = 1.0 - (-now.since(at).as_secs_f64() / LATENCY_DECAY.as_secs_f64()).exp();
                // Calls that come in the same instant still count a little.
                old + (seen - old) * fresh.max(0.05)
            }
            None => seen,
        };
        self.value = Some((value, now));
    }

    /// The average; `None` while nothing was seen, or when what was seen is too old to mean anything.
    pub fn get(&self, now: Tick) -> Option<Duration> {
        const STALE: Duration = Duration::from_secs(600);
        self.value.filter(|(_, at)| now.since(*at) < STALE).map(|(value, _)| Duration::from_secs_f64(value))
    }
}

/// How many retries on the same target the whole gateway may make: a fifth of its requests, and three a second.
///
/// Without it, a provider that is down is asked twice as often as when it is up.
#[derive(Clone, Copy, Debug)]
pub struct RetryBudget {
    /// In thousandths of a retry.
    milli: u64,
    at: Tick,
}

impl Default for RetryBudget {
    fn default() -> RetryBudget {
        RetryBudget { milli: RetryBudget::MOST, at: Tick(0) }
    }
}

impl RetryBudget {
    const MOST: u64 = 30_000;
    const A_REQUEST: u64 = 200;
    const A_SECOND: u64 = 3000;

    /// A request was admitted: it earns a fifth of a retry.
    pub fn request(&mut self, now: Tick) {
        self.flow(now);
        self.milli = (self.milli + RetryBudget::A_REQUEST).min(RetryBudget::MOST);
    }

    /// Whether a retry may be planned.
    pub fn has_room(&self) -> bool {
        self.milli >= 1000
    }

    /// A retry was made.
    pub fn spend(&mut self, now: Tick) {
        self.flow(now);
        self.milli = self.milli.saturating_sub(1000);
    }

    fn flow(&mut self, now: Tick) {
        let elapsed = now.since(self.at).as_micros().min(u128::from(u32::MAX)) as u64;
        let earned = elapsed * RetryBudget::A_SECOND / 1_000_000;
        if earned > 0 {
            self.milli = (self.milli + earned).min(RetryBudget::MOST);
            self.at = now;
        }
    }
}
