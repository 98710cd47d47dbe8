//! Decides which target serves a request, and what follows when one fails.
//!
//! Two pure functions carry the weight: [`plan()`] turns a request and the state of the world into steps, [`next()`] says
//! after every attempt what may happen now. `serve`, `explain`, `why-not` and every rehearsal call these two, so that
//! none of them can disagree with production. [`mod@file`] turns `pointsman.yaml` into the checked [`Policy`] they read.
//!
//! Nothing here waits, reads a clock, opens a file or draws a random number: time, health and seeds are arguments.
//! Start with [`mod@file`] for the configuration, with `decide` for the way of a request, with [`health`] for breakers.

mod admit;
mod data;
mod decide;
mod explain;
pub mod file;
mod hash;
pub mod health;
mod matching;
mod next;
mod plan;
mod policy;
mod provider;
mod rank;
mod rule;
mod server;
mod target;
mod team;
mod why_not;
mod workflow;
mod world;

pub use admit::{CostMiss, Out};
pub use data::{Baa, DataClass, DataMiss, Requirement, Retention, Terms, Training};
pub use decide::plan;
pub use explain::{Aftermath, Candidate, DenialNote, Explanation, RuleNote, StepNote, Then, explain};
pub use matching::How;
pub use next::{Ending, Limits, MAX_ATTEMPTS, Move, Tried, next};
pub use plan::{Denial, Plan, Step};
pub use policy::Policy;
pub use provider::{Provider, Redacted, SecretRef};
pub use rule::Rule;
pub use server::{Content, Database, Server, Shared, Store, Telemetry};
pub use target::Target;
pub use team::{Budget, Period, Team, TeamLimits};
pub use why_not::{Change, WhyNot, why_not};
pub use workflow::{
    CacheRule, Certify, Criticality, GoldenSet, Hold, Latency, Member, OnCut, Prefer, Reaction, Reactions,
    ResponseSchema, SemanticCache, StreamRule, Tier, Uncertified, Workflow,
};
pub use world::{Health, World};
