//! The way of a decision: what the request means, which data classes hold, who may serve, in which order.
//!
//! One function does it for everybody. `plan` runs it with a witness that looks away; `explain` and `why-not` run
//! the same code with one that takes notes. Filters come before ranking and fail closed; ranking never brings a
//! target back.

use crate::admit::{Ask, Out};
use crate::matching::{self, How, Meant};
use crate::rank::{self, Ranked};
use crate::{
    Denial, Health, Latency, Member, Plan, Policy, Prefer, Reactions, Rule, Step, Target, Workflow, World,
};
use model::{Capabilities, Code, Money, Now, Permit, Request, Tick};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

/// How long a request may take when neither its workflow nor its client says.
pub(crate) const DEFAULT_TOTAL: Duration = Duration::from_secs(600);
/// A target whose rate is exhausted is waited for when nothing else is left and it reopens within this.
pub(crate) const WORTH_WAITING: Duration = Duration::from_secs(2);

/// Watches a decision. Every method does nothing unless a witness cares.
pub(crate) trait Witness {
    /// A rule was evaluated.
    fn tried_rule(&mut self, _workflow: &Workflow, _rule: &Rule, _held: &Result<bool, String>) {}
    /// The request means this.
    fn matched(&mut self, _meant: &Meant, _how: &How) {}
    /// These data classes hold.
    fn classified(&mut self, _policy: &Policy, _classes: &[usize]) {}
    /// A candidate is out.
    fn out(&mut self, _tier: usize, _target: &Arc<Target>, _why: &Out) {}
    /// A candidate may serve.
    fn admitted(&mut self, _tier: usize, _target: &Arc<Target>, _cost: Option<Money>, _health: &Health) {}
}

/// Looks away.
pub(crate) struct Blind;
impl Witness for Blind {}

/// Decides what is to be done for a request.
///
/// Pure: `world` answers for the health of targets, `now` is the present, `seed` breaks ties and jitters waits.
///
/// # Errors
/// A [`Denial`] when the request means nothing, its caller may not ask for it, or no target may serve it now.
pub fn plan(
    policy: &Policy,
    request: &Request<'_>,
    world: &dyn World,
    now: Now,
    seed: u64,
) -> Result<Plan, Denial> {
    decide(policy, request, world, now, seed, &mut Blind)
}

pub(crate) fn decide<W: Witness>(
    policy: &Policy,
    request: &Request<'_>,
    world: &dyn World,
    now: Now,
    seed: u64,
    witness: &mut W,
) -> Result<Plan, Denial> {
    let meant = matching::find(policy, request, witness)?;
    let workflow = match &meant {
        Meant::Workflow(workflow) => Some(workflow),
        Meant::Direct(_) => None,
    };
    let (classes, label) = classes(policy, request, workflow.map(|w| &**w))
        .map_err(|denial| Denial { workflow: workflow.map(|w| w.name.clone()), ..denial })?;
    witness.classified(policy, &classes);
    let latency = workflow.map_or(Latency::default(), |w| w.latency);
    let patience = latency.total.unwrap_or(DEFAULT_TOTAL);
    let total = request.deadline.map_or(patience, |client| client.min(patience));
    let mut draft = Draft {
        policy,
        world,
        witness,
        ask: Ask {
            request,
            needs: workflow.map_or(Capabilities::NONE, |w| w.needs),
            classes: &classes,
            max_cost: workflow.and_then(|w| w.max_cost),
            direct: workflow.is_none(),
            wall: now.wall,
            tick: now.tick,
        },
        prefer: workflow.map_or(Prefer::Balanced, |w| w.prefer),
        first_token: latency.first_token,
        total,
        seed,
        steps: SmallVec::new(),
        late: SmallVec::new(),
        nearest: None,
        reopening: None,
        worst: None,
    };
    match &meant {
        Meant::Workflow(workflow) => {
            for (tier, members) in workflow.route.iter().enumerate() {
                draft.tier(tier, &members.members);
            }
        }
        Meant::Direct(target) => {
            let member = Member {
                target: target.clone(),
                weight: 1,
                gave_up: policy.nothing.clone(),
                waives: Capabilities::NONE,
            };
            draft.tier(0, std::slice::from_ref(&member));
        }
    }
    let steps = draft.finish(workflow).map_err(|denial| Denial {
        workflow: workflow.map(|w| w.name.clone()),
        data_class: label.clone(),
        ..denial
    })?;
    Ok(Plan {
        on: workflow.map_or_else(Reactions::default, |w| w.on),
        workflow: workflow.cloned(),
        data_class: label,
        deadline: now.tick.after(total),
        patience,
        steps,
        seed,
        may_retry: world.may_retry(),
    })
}

type Classes = SmallVec<[usize; 3]>;

/// The data classes in force and their label for the ledger.
///
/// Workflow, key and header each may name one, and all of them hold together, so that none can lower another. The
/// label is the strictest; where two cannot be compared, both are named.
fn classes(
    policy: &Policy,
    request: &Request<'_>,
    workflow: Option<&Workflow>,
) -> Result<(Classes, Option<Arc<str>>), Denial> {
    let mut classes: Classes = workflow.and_then(|w| w.data_class).into_iter().collect();
    let key = request.caller.and_then(|c| c.data_class.as_deref());
    for (whence, name) in [("the key", key), ("x-pointsman-data-class", request.data_class)] {
        let Some(name) = name else { continue };
        // A class that the policy does not know has no rule that could be kept: refuse rather than guess.
        let Some((index, _)) = policy.data_class(name) else {
            let shown: String = name.chars().take(80).collect();
            let message = format!("The data class `{shown}` of {whence} is not one the policy knows.");
            return Err(Denial::new(Code::DataRule, "data_classes", message));
        };
        if !classes.contains(&index) {
            classes.push(index);
        }
    }
    let mut label: SmallVec<[usize; 3]> = SmallVec::new();
    for class in &classes {
        let rule = &policy.data_classes[*class];
        if label.iter().any(|l| policy.data_classes[*l].at_least_as_strict_as(rule)) {
            continue;
        }
        label.retain(|l| !rule.at_least_as_strict_as(&policy.data_classes[*l]));
        label.push(*class);
    }
    let label = match label.as_slice() {
        [] => None,
        [one] => Some(policy.data_classes[*one].name.clone()),
        many => {
            let names: Vec<&str> = many.iter().map(|l| &*policy.data_classes[*l].name).collect();
            Some(names.join("+").into())
        }
    };
    Ok((classes, label))
}

/// A plan in the making.
struct Draft<'a, W> {
    policy: &'a Policy,
    world: &'a dyn World,
    witness: &'a mut W,
    ask: Ask<'a>,
    prefer: Prefer,
    first_token: Option<Duration>,
    total: Duration,
    seed: u64,
    steps: SmallVec<[Step; 4]>,
    /// Steps that their past says will not make the deadline: tried when nothing else is left.
    late: SmallVec<[Step; 4]>,
    /// The step that reopens first among those closed for their rate alone.
    nearest: Option<(Tick, Step)>,
    /// The earliest reopening of any closed candidate.
    reopening: Option<Tick>,
    /// The reason of the candidate that came furthest.
    worst: Option<(Out, bool)>,
}

impl<W: Witness> Draft<'_, W> {
    /// Filters and orders one tier.
    fn tier(&mut self, tier: usize, members: &[Member]) {
        let mut fit: rank::Tier<'_> = SmallVec::new();
        for member in members {
            let target = &member.target;
            let health = self.world.health(target);
            let verdict = self.ask.admit(self.policy, target, member.waives);
            let cost = match verdict.and_then(|cost| self.ask.awake(target, &health).map(|()| cost)) {
                Ok(cost) => cost,
                Err(why) => {
                    self.rule_out(tier, member, &health, why);
                    continue;
                }
            };
            self.witness.admitted(tier, target, cost, &health);
            fit.push(Ranked { member, cost, health });
        }
        rank::order(self.prefer, &mut fit, self.seed, rank::stickiness(self.ask.request, self.seed));
        for candidate in &fit {
            let step = self.step(tier, candidate.member, candidate.cost, &candidate.health);
            match candidate.health.latency {
                Some(latency) if latency > self.total => self.late.push(step),
                _ => self.steps.push(step),
            }
        }
    }

    fn rule_out(&mut self, tier: usize, member: &Member, health: &Health, why: Out) {
        self.witness.out(tier, &member.target, &why);
        // Only what keeps otherwise fit targets out decides between "too fast" and "out for now".
        let rate = matches!(
            why,
            Out::Closed { rate_limited: true, .. } | Out::OutOfService(model::FailureKind::Quota)
        ) || !matches!(why, Out::Closed { .. } | Out::OutOfService(_));
        if let (Out::Closed { rate_limited, .. }, Some(until)) = (&why, health.closed_until) {
            self.reopening = Some(self.reopening.map_or(until, |earliest| earliest.min(until)));
            if *rate_limited && self.nearest.as_ref().is_none_or(|(earliest, _)| until < *earliest) {
                let cost = self.ask.admit(self.policy, &member.target, member.waives).unwrap_or(None);
                let step = Step { not_before: Some(until), ..self.step(tier, member, cost, health) };
                self.nearest = Some((until, step));
            }
        }
        match &mut self.worst {
            Some((worst, all_rates)) => {
                *all_rates &= rate;
                if why.stage() > worst.stage() {
                    *worst = why;
                }
            }
            None => self.worst = Some((why, rate)),
        }
    }

    fn step(&self, tier: usize, member: &Member, cost: Option<Money>, health: &Health) -> Step {
        let permit = match (self.ask.direct, tier) {
            (true, _) => Permit::Direct,
            (false, 0) => Permit::Primary,
            // Certificates do not exist yet; a fallback serves without one and says so.
            (false, _) => Permit::Uncertified,
        };
        Step {
            target: member.target.clone(),
            permit,
            gave_up: member.gave_up.clone(),
            estimated_cost: cost,
            estimated_first_token: health.latency,
            first_token_limit: self.first_token_limit(&member.target, health),
            not_before: None,
            probe: health.probe,
            tier,
        }
    }

    /// How long one attempt may wait for its first token.
    ///
    /// Streams: three times the usual wait, between 2 s and 10 s; 60 s where the request asks for thinking or the
    /// model may think and its usual wait is unknown; never more than the workflow allows. Whole answers send
    /// nothing before they are done, so they get 10 s and the time to write the answer at 25 tokens a second.
    fn first_token_limit(&self, target: &Target, health: &Health) -> Duration {
        const LEAST: Duration = Duration::from_secs(2);
        const MOST: Duration = Duration::from_secs(10);
        const THINKING: Duration = Duration::from_secs(60);
        const TOKENS_A_SECOND: u64 = 25;
        let request = self.ask.request;
        if !request.stream {
            let output = request.max_output.unwrap_or(crate::admit::ASSUMED_OUTPUT);
            let base = if target.reasons() { THINKING } else { MOST };
            return base.saturating_add(Duration::from_secs(output / TOKENS_A_SECOND));
        }
        let asked = request.needs.has(model::Capability::Reasoning);
        let limit = match health.latency {
            _ if asked => THINKING,
            Some(usual) if target.reasons() => usual.saturating_mul(3).clamp(MOST, THINKING),
            None if target.reasons() => THINKING,
            Some(usual) => usual.saturating_mul(3).clamp(LEAST, MOST),
            None => MOST,
        };
        self.first_token.map_or(limit, |workflow| workflow.min(limit))
    }

    fn finish(mut self, workflow: Option<&Arc<Workflow>>) -> Result<SmallVec<[Step; 4]>, Denial> {
        self.steps.extend(self.late.drain(..));
        if !self.steps.is_empty() {
            return Ok(self.steps);
        }
        if let Some((until, step)) = self.nearest.take() {
            let wait = until.since(self.ask.tick);
            if wait <= WORTH_WAITING && wait < self.total {
                return Ok(SmallVec::from_iter([step]));
            }
        }
        Err(self.denial(workflow))
    }

    fn denial(&self, workflow: Option<&Arc<Workflow>>) -> Denial {
        let section = |key: &str| match workflow {
            Some(w) => format!("workflows.{}.{key}", w.name),
            None => "direct".to_owned(),
        };
        let of = match workflow {
            Some(w) => format!("Every target of the workflow {} is out", w.name),
            None => "The target is out".to_owned(),
        };
        // A checked route has at least one member, so a reason is always there.
        let Some((worst, all_rates)) = &self.worst else {
            return Denial::new(Code::NoTarget, section("route"), of);
        };
        let (code, rule) = match worst {
            Out::Data { class, .. } => (Code::DataRule, format!("data_classes.{class}")),
            Out::Needs { .. } => (Code::CannotCarry, section("needs")),
            Out::Window { .. } => (Code::ContextExceeded, section("route")),
            Out::Cost { .. } => (Code::MaxCost, section("max_cost")),
            Out::OutOfService(_) | Out::Closed { .. } if *all_rates => (Code::RateLimited, section("route")),
            Out::OutOfService(_) | Out::Closed { .. } => (Code::NoTarget, section("route")),
        };
        let retry_after = self.reopening.map(|until| until.since(self.ask.tick));
        let message = match worst {
            // Health is ours to know: the client reads that it must wait, not which breaker is open.
            Out::OutOfService(_) | Out::Closed { .. } => format!("{of} for now."),
            why => format!("{of}; the nearest one: {why}."),
        };
        Denial { retry_after, ..Denial::new(code, rule, message) }
    }
}
