//! A decision told in full: the same code as `plan` with a witness that takes notes, and `next` asked what would
//! follow every failure of every step. Nothing is told that was not decided.

mod show;

use crate::admit::{Out, milliseconds};
use crate::decide::{Witness, decide};
use crate::matching::{How, Meant};
use crate::{
    DataClass, Denial, Health, Limits, Move, Plan, Policy, Rule, Step, Target, Tried, Workflow, World, next,
};
use model::{FailureGroup, FailureKind, Money, Now, Permit, Request};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// The whole of a decision.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Which policy decided.
    pub policy_digest: Arc<str>,
    /// The workflow; `None` for a direct target, or when nothing was found.
    pub workflow: Option<Arc<str>>,
    /// How the request led there.
    pub matched: Option<How>,
    /// The `match` rules that were tried, in order.
    pub rules: Vec<RuleNote>,
    /// The label in force.
    pub data_class: Option<Arc<str>>,
    /// Every data class that holds, with its rule.
    pub data_rules: Vec<DataClass>,
    /// Every target of the route, in its order.
    pub candidates: Vec<Candidate>,
    /// The plan.
    pub steps: Vec<StepNote>,
    /// How long the request may take.
    #[serde(rename = "deadline_ms", serialize_with = "milliseconds")]
    pub deadline: Duration,
    /// Why there is no plan.
    pub denial: Option<DenialNote>,
}

/// One `match` rule that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleNote {
    /// Whose rule.
    pub workflow: Arc<str>,
    /// The expression.
    pub rule: Arc<str>,
    /// Whether it held.
    pub held: bool,
    /// Why it could not tell.
    pub error: Option<String>,
}

/// One target of the route.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// The tier, from 0.
    pub tier: usize,
    /// The target.
    pub target: Arc<str>,
    /// Whether it may serve.
    pub admitted: bool,
    /// Why not.
    pub out: Option<Out>,
    /// Why not, in words.
    pub reason: Option<String>,
    /// The most it should cost.
    pub estimated_cost_usd: Option<Money>,
    /// Its usual wait for a first token.
    pub first_token_ms: Option<u64>,
}

/// One step of the plan.
#[derive(Clone, Debug, Serialize)]
pub struct StepNote {
    /// The target.
    pub target: Arc<str>,
    /// The tier, from 0.
    pub tier: usize,
    /// Why it may be called.
    pub permit: Permit,
    /// What is lost by serving from here.
    pub gave_up: Vec<Arc<str>>,
    /// The most it should cost.
    pub estimated_cost_usd: Option<Money>,
    /// Its usual wait for a first token.
    pub first_token_ms: Option<u64>,
    /// How long it may take to send the first token.
    #[serde(serialize_with = "optional_milliseconds")]
    pub first_token_limit_ms: Option<Duration>,
    /// What each failure would lead to; empty where no failure leads here within the attempts a request has.
    pub after: Vec<Aftermath>,
}

/// What some failures of a step would lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Aftermath {
    /// The group, a key of `on:`.
    pub group: FailureGroup,
    /// Its failures that lead to this.
    pub failures: Vec<FailureKind>,
    /// To what.
    pub then: Then,
}

/// A [`Move`], for reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The same target once more, after a wait.
    Again {
        /// How long, for this request's seed.
        wait_ms: u64,
    },
    /// Another step.
    Step {
        /// Index into the steps.
        step: usize,
        /// Its target.
        target: Arc<str>,
    },
    /// The client gets the failure as it is.
    Return,
    /// The request fails, for this reason.
    Stop(&'static str),
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DenialNote {
    /// The code the client reads.
    pub code: &'static str,
    /// The HTTP status it travels with.
    pub status: u16,
    /// The rule of the policy.
    pub rule: String,
    /// What happened.
    pub message: String,
    /// When it may work.
    #[serde(serialize_with = "optional_milliseconds")]
    pub retry_after_ms: Option<Duration>,
}

/// Explains the decision that [`crate::plan()`] takes for the same arguments.
pub fn explain(
    policy: &Policy,
    request: &Request<'_>,
    world: &dyn World,
    now: Now,
    seed: u64,
) -> Explanation {
    let mut notes = Notes::default();
    let decided = decide(policy, request, world, now, seed, &mut notes);
    let Notes { workflow, matched, rules, data_rules, candidates } = notes;
    let (steps, deadline, data_class, denial) = match decided {
        Ok(plan) => {
            let deadline = plan.deadline.since(now.tick);
            (steps(&plan, now), deadline, plan.data_class.clone(), None)
        }
        Err(denial) => (Vec::new(), Duration::ZERO, None, Some(DenialNote::from(denial))),
    };
    Explanation {
        policy_digest: policy.digest.clone(),
        workflow,
        matched,
        rules,
        data_class,
        data_rules,
        candidates,
        steps,
        deadline,
        denial,
    }
}

/// The witness that takes notes.
#[derive(Default)]
pub(crate) struct Notes {
    workflow: Option<Arc<str>>,
    matched: Option<How>,
    rules: Vec<RuleNote>,
    data_rules: Vec<DataClass>,
    pub(crate) candidates: Vec<Candidate>,
}

impl Witness for Notes {
    fn tried_rule(&mut self, workflow: &Workflow, rule: &Rule, held: &Result<bool, String>) {
        self.rules.push(RuleNote {
            workflow: workflow.name.clone(),
            rule: rule.source().into(),
            held: *held == Ok(true),
            error: held.as_ref().err().cloned(),
        });
    }

    fn matched(&mut self, meant: &Meant, how: &How) {
        if let Meant::Workflow(workflow) = meant {
            self.workflow = Some(workflow.name.clone());
        }
        self.matched = Some(how.clone());
    }

    fn classified(&mut self, policy: &Policy, classes: &[usize]) {
        self.data_rules = classes.iter().map(|c| policy.data_classes[*c].clone()).collect();
    }

    fn out(&mut self, tier: usize, target: &Arc<Target>, why: &Out) {
        self.candidates.push(Candidate {
            tier,
            target: target.name.clone(),
            admitted: false,
            reason: Some(why.to_string()),
            out: Some(why.clone()),
            estimated_cost_usd: None,
            first_token_ms: None,
        });
    }

    fn admitted(&mut self, tier: usize, target: &Arc<Target>, cost: Option<Money>, health: &Health) {
        self.candidates.push(Candidate {
            tier,
            target: target.name.clone(),
            admitted: true,
            out: None,
            reason: None,
            estimated_cost_usd: cost,
            first_token_ms: health.latency.map(whole_milliseconds),
        });
    }
}

/// Walks the plan as a request would whose steps fail one after another, and asks `next` at every step what each
/// failure would lead to.
fn steps(plan: &Plan, now: Now) -> Vec<StepNote> {
    let mut notes: Vec<StepNote> = plan.steps().iter().map(note).collect();
    let mut tried: Vec<Tried> = Vec::new();
    let mut following = next(plan, &tried, now);
    while let Move::Take { step, limits: Limits { first_token, .. }, .. } = following {
        let after = |kind: FailureKind| {
            let failed = Tried {
                step,
                kind,
                began: now.tick,
                ended: now.tick,
                retry_after: None,
                content_sent: false,
            };
            (failed, next(plan, &[tried.as_slice(), &[failed]].concat(), now))
        };
        let outcomes: Vec<(FailureKind, Then)> = FailureKind::ALL
            .iter()
            .filter(|kind| **kind != FailureKind::Deadline)
            .map(|kind| (*kind, then(plan, step, after(*kind).1)))
            .collect();
        if let Some(note) = notes.get_mut(step) {
            note.first_token_limit_ms = Some(first_token);
            note.after = gather(outcomes);
        }
        // Onward by the first failure that leads to a step not seen yet.
        let onward = FailureKind::ALL.iter().map(|kind| after(*kind)).find(|(_, m)| {
            matches!(m, Move::Take { step: to, .. } if *to != step && !tried.iter().any(|t| t.step == *to))
        });
        let Some((failed, taken)) = onward else { break };
        tried.push(failed);
        following = taken;
    }
    notes
}

fn note(step: &Step) -> StepNote {
    StepNote {
        target: step.target().name.clone(),
        tier: step.tier(),
        permit: step.permit().clone(),
        gave_up: step.gave_up().to_vec(),
        estimated_cost_usd: step.estimated_cost(),
        first_token_ms: step.estimated_first_token().map(whole_milliseconds),
        first_token_limit_ms: None,
        after: Vec::new(),
    }
}

fn then(plan: &Plan, from: usize, taken: Move) -> Then {
    match taken {
        Move::Take { step, wait, .. } if step == from => Then::Again { wait_ms: whole_milliseconds(wait) },
        Move::Take { step, .. } => {
            let target = plan.steps().get(step).map_or_else(|| Arc::from(""), |s| s.target().name.clone());
            Then::Step { step, target }
        }
        Move::Return => Then::Return,
        Move::Stop(ending) => Then::Stop(ending.name()),
    }
}

/// Failures of one group with one outcome become one line.
fn gather(outcomes: Vec<(FailureKind, Then)>) -> Vec<Aftermath> {
    let mut lines: Vec<Aftermath> = Vec::new();
    for (kind, then) in outcomes {
        let group = kind.group();
        match lines.iter_mut().find(|line| line.group == group && line.then == then) {
            Some(line) => line.failures.push(kind),
            None => lines.push(Aftermath { group, failures: vec![kind], then }),
        }
    }
    lines
}

fn whole_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn optional_milliseconds<S: serde::Serializer>(duration: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => s.serialize_some(&whole_milliseconds(*duration)),
        None => s.serialize_none(),
    }
}

impl From<Denial> for DenialNote {
    fn from(denial: Denial) -> DenialNote {
        DenialNote {
            code: denial.code.name(),
            status: denial.code.status(),
            rule: denial.rule,
            message: denial.message,
            retry_after_ms: denial.retry_after,
        }
    }
}
