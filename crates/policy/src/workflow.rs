//! A named task of an application: what it needs, what it may cost, where it may go and what it may lose.

use crate::{Rule, Target};
use model::{Capabilities, FailureGroup, FailureKind, Money};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// `workflows.<name>`.
#[derive(Clone, Debug, Serialize)]
pub struct Workflow {
    /// Its place in [`crate::Policy::workflows`].
    pub index: usize,
    /// Its name, which a client may send as the model.
    pub name: Arc<str>,
    /// What it is for.
    pub description: Option<Arc<str>>,
    /// What is shed first when there is too much.
    pub criticality: Criticality,
    /// Its data class, as an index into [`crate::Policy::data_classes`].
    pub data_class: Option<usize>,
    /// What every target must be able to do; a response schema adds `json_schema`.
    pub needs: Capabilities,
    /// The schema every answer must fit.
    pub response_schema: Option<ResponseSchema>,
    /// Its time budget.
    pub latency: Latency,
    /// The most a request may cost by estimate.
    pub max_cost: Option<Money>,
    /// Where requests go, tier by tier.
    pub route: Vec<Tier>,
    /// How a tier is ordered.
    pub prefer: Prefer,
    /// What follows each group of failures.
    pub on: Reactions,
    /// How streams are held and what follows a cut.
    pub stream: StreamRule,
    /// Its test cases.
    pub golden: Option<GoldenSet>,
    /// How fallbacks prove themselves.
    pub certify: Option<Certify>,
    /// Which requests without a name belong to it.
    #[serde(rename = "match")]
    pub rule: Option<Rule>,
    /// Which answers may be reused.
    pub cache: Option<CacheRule>,
}

/// One tier of a route: equals, to be ordered by `prefer`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tier {
    /// At least one.
    pub members: Vec<Member>,
}

/// A target in a tier.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Member {
    /// Whom to call.
    pub target: Arc<Target>,
    /// Its share where `prefer: weighted`.
    pub weight: u32,
    /// What is given up by serving from here; empty unless it is a downgrade.
    pub gave_up: Arc<[Arc<str>]>,
    /// The needs among what is given up: they are not asked of this target.
    pub waives: Capabilities,
}

/// What is shed first when there is too much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Criticality {
    Sheddable,
    #[default]
    Normal,
    High,
    Critical,
}

/// A JSON Schema, read when the policy was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResponseSchema {
    /// As the file names it.
    pub path: Arc<str>,
    /// Its text, checked to be a JSON object.
    pub text: Arc<str>,
}

/// `latency:`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// The longest wait of a streaming client for the first token of one attempt.
    pub first_token: Option<Duration>,
    /// The longest a request may take, all attempts together.
    pub total: Option<Duration>,
}

/// `prefer:`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    /// The least estimated cost.
    Cheapest,
    /// The least expected wait.
    Fastest,
    /// The least product of the ranks in cost and in wait.
    #[default]
    Balanced,
    /// By chance, in proportion to the weights.
    Weighted,
    /// The same target for the same session.
    Sticky,
    /// By a model of past outcomes.
    Learned,
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// The next step.
    Next,
    /// The same target once more, then the next step.
    RetryThenNext,
    /// The same target once more with what was wrong with its answer, then the next step.
    RepairThenNext,
    /// The client gets the failure as it is.
    Return,
    /// The next step with a larger window.
    LargerContext,
}

/// `on:`, complete: groups that the file leaves out have their defaults, failure by failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reactions {
    said: [Option<Reaction>; FailureGroup::ALL.len()],
}

/// `stream:`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StreamRule {
    /// What is held back until it is sure.
    pub hold: Hold,
    /// What follows a stream that breaks after content.
    pub on_cut: OnCut,
}

/// `stream.hold`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Headers wait for the first content.
    #[default]
    FirstToken,
    /// Everything waits for the end.
    Whole,
}

/// `stream.on_cut`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnCut {
    /// Another target goes on where it broke.
    Resume,
    /// Another target begins again, unseen until it diverges.
    Restart,
    /// The client reads an error.
    #[default]
    Error,
}

/// `golden:`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GoldenSet {
    /// As the file names it.
    pub path: Arc<str>,
    /// How many cases it holds.
    pub cases: usize,
}

/// `certify:`. Shares are in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Certify {
    /// How much worse a fallback may be, of one million.
    pub margin: u32,
    /// How sure one must be, of one million.
    pub confidence: u32,
    /// How long a certificate holds.
    pub expires: Duration,
    /// What an uncertified fallback may do.
    pub uncertified: Uncertified,
}

impl Default for Certify {
    fn default() -> Certify {
        Certify {
            margin: 50_000,
            confidence: 950_000,
            expires: Duration::from_secs(14 * 86_400),
            uncertified: Uncertified::LastResort,
        }
    }
}

/// `certify.uncertified`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Uncertified {
    /// Never serves.
    Deny,
    /// Serves after every certified step.
    LastResort,
    /// Serves in its place.
    Allow,
}

/// `cache:`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CacheRule {
    /// The same request is answered from memory for so long.
    pub exact: Option<Duration>,
    /// A request with nearly the same meaning is.
    pub semantic: Option<SemanticCache>,
}

/// `cache.semantic`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SemanticCache {
    /// How alike, of one million.
    pub threshold: u32,
    /// For how long.
    #[serde(rename = "for")]
    pub lifetime: Duration,
}

impl Reactions {
    /// Sets what the file says of a group.
    pub fn set(&mut self, group: FailureGroup, reaction: Reaction) {
        self.said[group as usize] = Some(reaction);
    }

    /// What the file says of a group, if it does.
    pub fn said(&self, group: FailureGroup) -> Option<Reaction> {
        self.said[group as usize]
    }

    /// What follows a failure: the file's word for its group, else the default for its kind.
    ///
    /// Whatever the file says, a target whose certificate is wrong, that was silent, that refuses the key, that is out
    /// of credit or whose model is gone is not asked again: the same call would fail the same way.
    pub fn to(&self, kind: FailureKind) -> Reaction {
        let reaction = self.said[kind.group() as usize].unwrap_or_else(|| Reactions::default_for(kind));
        match (reaction, kind) {
            (
                Reaction::RetryThenNext,
                FailureKind::Tls
                | FailureKind::ConnectTimeout
                | FailureKind::FirstTokenTimeout
                | FailureKind::Stall
                | FailureKind::Deadline
                | FailureKind::Quota
                | FailureKind::Auth
                | FailureKind::ModelGone,
            ) => Reaction::Next,
            (reaction, _) => reaction,
        }
    }

    /// The reaction where the file says nothing.
    pub fn default_for(kind: FailureKind) -> Reaction {
        match kind {
            FailureKind::Reset | FailureKind::ServerError | FailureKind::Overloaded => {
                Reaction::RetryThenNext
            }
            FailureKind::ContextExceeded => Reaction::LargerContext,
            FailureKind::Refusal | FailureKind::ContentFilter | FailureKind::BadRequest => Reaction::Return,
            FailureKind::SchemaViolation => Reaction::RepairThenNext,
            FailureKind::Dns
            | FailureKind::Connect
            | FailureKind::Tls
            | FailureKind::Cut
            | FailureKind::InBandError
            | FailureKind::Malformed
            | FailureKind::Empty
            | FailureKind::ConnectTimeout
            | FailureKind::FirstTokenTimeout
            | FailureKind::Stall
            | FailureKind::Deadline
            | FailureKind::RateLimited
            | FailureKind::Quota
            | FailureKind::Auth
            | FailureKind::ModelGone => Reaction::Next,
        }
    }
}

macro_rules! words {
    ($($type:ty { $($variant:ident = $word:literal,)* })*) => {$(
        impl $type {
            /// Every word the file may use, in order.
            pub const WORDS: &'static [&'static str] = &[$($word,)*];
            /// The file's word for it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
            /// The meaning of a word.
            pub fn from_name(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    )*};
}

words! {
    Criticality { Critical = "critical", High = "high", Normal = "normal", Sheddable = "sheddable", }
    Prefer {
        Cheapest = "cheapest", Fastest = "fastest", Balanced = "balanced",
        Weighted = "weighted", Sticky = "sticky", Learned = "learned",
    }
    Reaction {
        Next = "next", RetryThenNext = "retry_then_next", RepairThenNext = "repair_then_next",
        Return = "return", LargerContext = "larger_context",
    }
    Hold { FirstToken = "first_token", Whole = "whole", }
    OnCut { Resume = "resume", Restart = "restart", Error = "error", }
    Uncertified { Deny = "deny", LastResort = "last_resort", Allow = "allow", }
}

impl Workflow {
    /// Every member of every tier, with the tier's number.
    pub fn members(&self) -> impl Iterator<Item = (usize, &Member)> {
        self.route.iter().enumerate().flat_map(|(i, tier)| tier.members.iter().map(move |m| (i, m)))
    }
}
