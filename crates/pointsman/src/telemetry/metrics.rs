//! Counters and histograms, resolved once per workflow and target so that a request only adds to atomics.

use model::{Dialect, End, FailureKind, Money, Usage};
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Seconds, from a cached answer to a long piece of reasoning.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    workflow: String,
    dialect: &'static str,
    end: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WorkflowLabels {
    workflow: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TargetLabels {
    target: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    target: String,
    failure: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    target: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    stage: &'static str,
    code: &'static str,
}

fn seconds() -> Histogram {
    Histogram::new(BUCKETS)
}

type Seconds<L> = Family<L, Histogram, fn() -> Histogram>;

/// Everything that `/metrics` shows.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    duration: Seconds<WorkflowLabels>,
    first_token: Seconds<WorkflowLabels>,
    attempts: Family<AttemptLabels, Counter>,
    attempt_duration: Seconds<TargetLabels>,
    attempt_first_token: Seconds<TargetLabels>,
    tokens: Family<TokenLabels, Counter>,
    cost: Family<TargetLabels, Counter<f64, AtomicU64>>,
    refused: Family<RefusedLabels, Counter>,
    open: Family<TargetLabels, Gauge>,
    lag: Gauge,
    ready: Gauge,
    /// Requests being answered right now.
    pub in_flight: Gauge,
}

impl Metrics {
    /// Registers every family.
    pub fn new() -> Metrics {
        let mut registry = Registry::with_prefix("pointsman");
        let metrics = Metrics {
            requests: Family::default(),
            duration: Family::new_with_constructor(seconds),
            first_token: Family::new_with_constructor(seconds),
            attempts: Family::default(),
            attempt_duration: Family::new_with_constructor(seconds),
            attempt_first_token: Family::new_with_constructor(seconds),
            tokens: Family::default(),
            cost: Family::default(),
            refused: Family::default(),
            open: Family::default(),
            lag: Gauge::default(),
            ready: Gauge::default(),
            in_flight: Gauge::default(),
            registry: Registry::default(),
        };
        let s = Unit::Seconds;
        registry.register("requests", "Requests, by how they ended", metrics.requests.clone());
        let help = "From admission to the end of the answer";
        registry.register_with_unit("request_duration", help, s.clone(), metrics.duration.clone());
        let help = "From admission to the first content of a stream";
        registry.register_with_unit("request_first_token", help, s.clone(), metrics.first_token.clone());
        let help = "Calls to providers, by failure; `none` served";
        registry.register("attempts", help, metrics.attempts.clone());
        let help = "From a call to the end of its answer";
        registry.register_with_unit("attempt_duration", help, s.clone(), metrics.attempt_duration.clone());
        let help = "From a call to its first content";
        registry.register_with_unit("attempt_first_token", help, s, metrics.attempt_first_token.clone());
        registry.register("tokens", "Tokens that providers reported, by kind", metrics.tokens.clone());
        let help = "US dollars of attempts whose cost is known; the ledger holds the exact figure";
        registry.register("cost_usd", help, metrics.cost.clone());
        let help = "Requests refused, by the stage that refused and the code the client read";
        registry.register("refused", help, metrics.refused.clone());
        registry.register("requests_in_flight", "Requests being answered", metrics.in_flight.clone());
        let help = "1 while a target is closed to traffic (breaker open, rate limited, or taken out), else 0";
        registry.register("target_closed", help, metrics.open.clone());
        let help = "Ledger rows in the journal that the database does not hold yet";
        registry.register("ledger_lag_rows", help, metrics.lag.clone());
        registry.register("ready", "1 while requests are accepted, else 0", metrics.ready.clone());
        Metrics { registry, ..metrics }
    }

    /// The text a Prometheus server reads. The arguments are what is read at the moment of the scrape: every target
    /// with whether it is closed, the ledger's lag in rows, and readiness.
    pub fn text<'a>(
        &self,
        targets: impl Iterator<Item = (&'a str, bool)>,
        lag: u64,
        ready: bool,
    ) -> Result<String, std::fmt::Error> {
        for (target, closed) in targets {
            self.open.get_or_create(&TargetLabels { target: target.to_owned() }).set(i64::from(closed));
        }
        self.lag.set(i64::try_from(lag).unwrap_or(i64::MAX));
        self.ready.set(i64::from(ready));
        let mut out = String::with_capacity(16 * 1024);
        encode(&mut out, &self.registry)?;
        Ok(out)
    }

    /// Counts a refusal.
    pub fn refuse(&self, stage: &'static str, code: &'static str) {
        self.refused.get_or_create(&RefusedLabels { stage, code }).inc();
    }

    /// The meter of a workflow; `direct` stands for requests that name a target.
    pub fn workflow(&self, name: &str) -> WorkflowMeter {
        let labels = WorkflowLabels { workflow: name.to_owned() };
        WorkflowMeter {
            name: name.to_owned(),
            requests: self.requests.clone(),
            ends: Default::default(),
            duration: self.duration.get_or_create_owned(&labels),
            first_token: self.first_token.get_or_create_owned(&labels),
        }
    }

    /// The meter of a target.
    pub fn target(&self, name: &str) -> TargetMeter {
        let target = TargetLabels { target: name.to_owned() };
        let tokens = |kind| self.tokens.get_or_create_owned(&TokenLabels { target: name.to_owned(), kind });
        let served = AttemptLabels { target: name.to_owned(), failure: "none" };
        TargetMeter {
            name: name.to_owned(),
            served: self.attempts.get_or_create_owned(&served),
            attempts: self.attempts.clone(),
            duration: self.attempt_duration.get_or_create_owned(&target),
            first_token: self.attempt_first_token.get_or_create_owned(&target),
            input: tokens("input"),
            output: tokens("output"),
            cache_read: tokens("cache_read"),
            cost: self.cost.get_or_create_owned(&target),
        }
    }
}

/// Counts the requests of one workflow.
#[derive(Debug)]
pub struct WorkflowMeter {
    name: String,
    requests: Family<RequestLabels, Counter>,
    ends: [[OnceLock<Counter>; 5]; 6],
    duration: Histogram,
    first_token: Histogram,
}

impl WorkflowMeter {
    /// Counts one request that ended.
    pub fn count(&self, dialect: Dialect, end: End, total: Duration, first_token: Option<Duration>) {
        let counter = self.ends[dialect as usize][end as usize].get_or_init(|| {
            let workflow = self.name.clone();
            self.requests.get_or_create_owned(&RequestLabels {
                workflow,
                dialect: dialect.name(),
                end: end.name(),
            })
        });
        counter.inc();
        self.duration.observe(total.as_secs_f64());
        if let Some(first) = first_token {
            self.first_token.observe(first.as_secs_f64());
        }
    }
}

/// Counts the attempts at one target.
#[derive(Debug)]
pub struct TargetMeter {
    name: String,
    served: Counter,
    attempts: Family<AttemptLabels, Counter>,
    duration: Histogram,
    first_token: Histogram,
    input: Counter,
    output: Counter,
    cache_read: Counter,
    cost: Counter<f64, AtomicU64>,
}

impl TargetMeter {
    /// Counts one attempt that ended.
    pub fn count(
        &self,
        failure: Option<FailureKind>,
        total: Duration,
        first_token: Option<Duration>,
        usage: &Usage,
        cost: Option<Money>,
    ) {
        match failure {
            None => self.served.inc(),
            Some(kind) => {
                let labels = AttemptLabels { target: self.name.clone(), failure: kind.name() };
                self.attempts.get_or_create(&labels).inc()
            }
        };
        self.duration.observe(total.as_secs_f64());
        if let Some(first) = first_token {
            self.first_token.observe(first.as_secs_f64());
        }
        self.input.inc_by(usage.input.unwrap_or(0));
        self.output.inc_by(usage.output.unwrap_or(0));
        self.cache_read.inc_by(usage.cache_read.unwrap_or(0));
        if let Some(cost) = cost {
            self.cost.inc_by(cost.0 as f64 / 1e9);
        }
    }
}
