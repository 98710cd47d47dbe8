//! The smallest change to the file that would let a target serve a workflow, found by deciding again after each one.

use crate::admit::{CostMiss, Out};
use crate::decide::decide;
use crate::explain::Notes;
use crate::file::nearest;
use crate::policy::Parts;
use crate::{Baa, DataMiss, Member, Policy, Provider, Retention, Target, Tier, Training, Workflow, World};
use model::{Capabilities, Capability, Code, Money, Now, Rates, Request};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// What stands between a target and a workflow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhyNot {
    /// The target.
    pub target: Arc<str>,
    /// The workflow.
    pub workflow: Arc<str>,
    /// The reasons, in the order in which they were met.
    pub reasons: Vec<String>,
    /// The changes that would admit it together, each decided with; empty when it is admitted already.
    pub changes: Vec<Change>,
    /// What no change to the file can help; then the changes alone do not admit it.
    pub obstacle: Option<String>,
}

/// One change to the file.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Put the target at the end of the route.
    AddToRoute {
        /// Whose route.
        workflow: Arc<str>,
        /// The target.
        target: Arc<str>,
    },
    /// Say where the provider is.
    SetRegion {
        /// The provider.
        provider: Arc<str>,
        /// A region that is allowed.
        region: Arc<str>,
    },
    /// Let the class into the provider's region.
    AllowRegion {
        /// The class.
        class: Arc<str>,
        /// The provider's region.
        region: Arc<str>,
    },
    /// Say how long the provider keeps data.
    SetRetention {
        /// The provider.
        provider: Arc<str>,
        /// What is demanded.
        retention: Retention,
    },
    /// Say that the provider never trains.
    SetTraining {
        /// The provider.
        provider: Arc<str>,
    },
    /// Say until when the agreement stands.
    SetBaa {
        /// The provider.
        provider: Arc<str>,
    },
    /// Say that the model can do more.
    Declare {
        /// The target.
        target: Arc<str>,
        /// Everything it can do then.
        can: Capabilities,
    },
    /// Say what the model costs.
    SetPrice {
        /// The target.
        target: Arc<str>,
    },
    /// Allow more money.
    RaiseMaxCost {
        /// Whose limit.
        workflow: Arc<str>,
        /// To at least this.
        to: Money,
    },
    /// Let the team call the workflow.
    AllowWorkflow {
        /// The team.
        team: Arc<str>,
        /// The workflow.
        workflow: Arc<str>,
    },
}

/// Finds the smallest change that would admit `target` to `workflow`, for a request like `request`.
///
/// # Errors
/// A sentence, when there is no such workflow or no such provider.
pub fn why_not(
    policy: &Policy,
    target: &str,
    workflow: &str,
    request: &Request<'_>,
    world: &dyn World,
    now: Now,
) -> Result<WhyNot, String> {
    let Some(wanted) = policy.workflow(workflow) else {
        let near = nearest(workflow, policy.workflows.iter().map(|w| &*w.name));
        return Err(format!("there is no workflow `{workflow}`{}", did_you_mean(near)));
    };
    let Some(found) = policy.direct(target).or_else(|| policy.bare(target).cloned()) else {
        let provider = target.split('/').next().unwrap_or_default();
        let near = nearest(provider, policy.providers.iter().map(|p| &*p.name));
        return Err(format!("there is no provider `{provider}` in the policy{}", did_you_mean(near)));
    };
    let mut request = request.clone();
    request.workflow = Some(workflow);
    let mut answer = WhyNot {
        target: found.name.clone(),
        workflow: wanted.name.clone(),
        reasons: Vec::new(),
        changes: Vec::new(),
        obstacle: None,
    };
    // Every change removes one reason for good, and there are few kinds of reason.
    const MOST_CHANGES: usize = 16;
    let mut changed = policy.clone();
    for _ in 0..MOST_CHANGES {
        match verdict(&changed, &found.name, &request, world, now) {
            Verdict::In => return Ok(answer),
            Verdict::Blocked { reason, change } => {
                answer.reasons.push(reason);
                changed = change.applied_to(&changed);
                answer.changes.push(change);
            }
            Verdict::Hopeless(reason) => {
                answer.reasons.push(reason.clone());
                answer.obstacle = Some(reason);
                return Ok(answer);
            }
        }
    }
    answer.obstacle = Some("no change was found that admits it".to_owned());
    Ok(answer)
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default()
}

enum Verdict {
    In,
    Blocked { reason: String, change: Change },
    Hopeless(String),
}

/// Decides for the request, and says what keeps the target out.
fn verdict(
    policy: &Policy,
    target: &Arc<str>,
    request: &Request<'_>,
    world: &dyn World,
    now: Now,
) -> Verdict {
    let mut notes = Notes::default();
    let decided = decide(policy, request, world, now, 0, &mut notes);
    if decided.as_ref().is_ok_and(|plan| plan.steps().iter().any(|s| s.target().name == *target)) {
        return Verdict::In;
    }
    let workflow = request.workflow.unwrap_or_default();
    if let Some(candidate) = notes.candidates.iter().find(|c| c.target == *target) {
        return match &candidate.out {
            Some(out) => remedy(policy, workflow, target, out),
            None => Verdict::Hopeless("it may serve, and is not a step now".to_owned()),
        };
    }
    match decided {
        Err(denial) if denial.code == Code::NotAllowed => match request.caller {
            Some(caller) if policy.teams.as_ref().is_some_and(|t| t.contains_key(&caller.team)) => {
                let change = Change::AllowWorkflow { team: caller.team.clone(), workflow: workflow.into() };
                if caller.workflows.is_empty() {
                    Verdict::Blocked { reason: denial.message, change }
                } else {
                    Verdict::Hopeless(denial.message)
                }
            }
            _ => Verdict::Hopeless(denial.message),
        },
        Err(denial) if notes.candidates.is_empty() => Verdict::Hopeless(denial.message),
        _ => Verdict::Blocked {
            reason: format!("{target} is not in the route of {workflow}"),
            change: Change::AddToRoute { workflow: workflow.into(), target: target.clone() },
        },
    }
}

fn remedy(policy: &Policy, workflow: &str, name: &Arc<str>, out: &Out) -> Verdict {
    let hopeless = || Verdict::Hopeless(out.to_string());
    let Some(target) = policy.direct(name) else { return hopeless() };
    let provider = target.provider.name.clone();
    let change = match out {
        Out::Data { class, why } => match why {
            DataMiss::Region { is: Some(is), .. } => {
                Change::AllowRegion { class: class.clone(), region: is.clone() }
            }
            DataMiss::Region { is: None, allowed } => match allowed.first() {
                Some(region) => Change::SetRegion { provider, region: region.clone() },
                None => return hopeless(),
            },
            DataMiss::Retention { required, .. } => Change::SetRetention { provider, retention: *required },
            DataMiss::Training => Change::SetTraining { provider },
            DataMiss::Baa(_) => Change::SetBaa { provider },
        },
        Out::Needs { missing, .. } => {
            Change::Declare { target: name.clone(), can: target.facts.can.union(*missing) }
        }
        Out::Cost { why: CostMiss::UnknownPrice, .. } => Change::SetPrice { target: name.clone() },
        Out::Cost { why: CostMiss::Estimate(estimate), .. } => {
            Change::RaiseMaxCost { workflow: workflow.into(), to: *estimate }
        }
        Out::Window { .. } | Out::Closed { .. } | Out::OutOfService(_) => return hopeless(),
    };
    Verdict::Blocked { reason: out.to_string(), change }
}

impl Change {
    /// The policy as it would be with this change.
    fn applied_to(&self, policy: &Policy) -> Policy {
        let mut parts = policy.parts();
        match self {
            Change::AddToRoute { workflow, target } => {
                if let Some((provider, model)) = target.split_once('/')
                    && let Some(provider) = parts.providers.iter().find(|p| &*p.name == provider).cloned()
                {
                    let member = Member {
                        target: parts.table.intern(&provider, model),
                        weight: 1,
                        gave_up: policy.nothing.clone(),
                        waives: Capabilities::NONE,
                    };
                    edit_workflow(&mut parts, workflow, |w| w.route.push(Tier { members: vec![member] }));
                }
            }
            Change::SetRegion { provider, region } => {
                edit_provider(&mut parts, provider, |p| p.region = Some(region.clone()));
            }
            Change::AllowRegion { class, region } => {
                for rule in parts.data_classes.iter_mut().filter(|c| c.name == *class) {
                    rule.regions.get_or_insert_default().push(region.clone());
                }
            }
            Change::SetRetention { provider, retention } => {
                edit_provider(&mut parts, provider, |p| p.terms.retention = Some(*retention));
            }
            Change::SetTraining { provider } => {
                edit_provider(&mut parts, provider, |p| p.terms.training = Some(Training::Never));
            }
            Change::SetBaa { provider } => {
                edit_provider(&mut parts, provider, |p| p.terms.baa = Some(Baa::Always));
            }
            Change::Declare { target, can } => edit_target(&mut parts, target, |t| {
                t.facts.can = *can;
                t.can_known = true;
            }),
            // Free of charge stands in for the price that only the owner knows.
            Change::SetPrice { target } => {
                edit_target(&mut parts, target, |t| t.facts.rates = Some(Rates::default()));
            }
            Change::RaiseMaxCost { workflow, to } => {
                edit_workflow(&mut parts, workflow, |w| w.max_cost = Some(*to));
            }
            Change::AllowWorkflow { team, workflow } => {
                if let Some(team) = parts.teams.as_mut().and_then(|teams| teams.get_mut(team)) {
                    team.workflows.push(workflow.clone());
                }
            }
        }
        Policy::assemble(parts)
    }
}

fn edit_workflow(parts: &mut Parts, name: &str, edit: impl FnOnce(&mut Workflow)) {
    if let Some(slot) = parts.workflows.iter_mut().find(|w| &*w.name == name) {
        edit(Arc::make_mut(slot));
    }
}

fn edit_provider(parts: &mut Parts, name: &str, edit: impl FnOnce(&mut Provider)) {
    let Some(slot) = parts.providers.iter_mut().find(|p| &*p.name == name) else { return };
    edit(Arc::make_mut(slot));
    let changed = slot.clone();
    rebuild(parts, |target| {
        if target.provider.index == changed.index {
            target.provider = changed.clone();
        }
    });
}

fn edit_target(parts: &mut Parts, name: &str, edit: impl Fn(&mut Target)) {
    rebuild(parts, |target| {
        if &*target.name == name {
            edit(target);
        }
    });
}

/// Makes every target anew and points everything that held the old one to the new one.
fn rebuild(parts: &mut Parts, edit: impl Fn(&mut Target)) {
    let remake = |old: &Arc<Target>| {
        let mut target = Target::clone(old);
        edit(&mut target);
        Arc::new(target)
    };
    let new: HashMap<Arc<str>, Arc<Target>> =
        parts.table.by_name.iter().map(|(name, old)| (name.clone(), remake(old))).collect();
    let renew = |held: &mut Arc<Target>| {
        *held = new.get(&held.name).cloned().unwrap_or_else(|| remake(held));
    };
    parts.table.slots.iter_mut().for_each(renew);
    parts.table.bare.values_mut().for_each(renew);
    for workflow in &mut parts.workflows {
        for tier in &mut Arc::make_mut(workflow).route {
            tier.members.iter_mut().for_each(|m| renew(&mut m.target));
        }
    }
    parts.table.by_name = new;
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const IF_SO: &str = "(only if your agreement says so)";
        match self {
            Change::AddToRoute { workflow, target } => {
                write!(f, "add `- {target}` to workflows.{workflow}.route")
            }
            Change::SetRegion { provider, region } => {
                write!(f, "set providers.{provider}.region: {region} (only if that is where it is)")
            }
            Change::AllowRegion { class, region } => {
                write!(f, "add {region} to data_classes.{class}.regions (only if the data may go there)")
            }
            Change::SetRetention { provider, retention } => {
                write!(f, "set providers.{provider}.terms.retention: {retention} {IF_SO}")
            }
            Change::SetTraining { provider } => {
                write!(f, "set providers.{provider}.terms.training: never {IF_SO}")
            }
            Change::SetBaa { provider } => {
                write!(
                    f,
                    "set providers.{provider}.terms.baa to the day your agreement ends, or always {IF_SO}"
                )
            }
            Change::Declare { target, can } => {
                let can: Vec<&str> = can.iter().map(Capability::name).collect();
                write!(f, "set models.{target}.can: [{}] (only if it can)", can.join(", "))
            }
            Change::SetPrice { target } => {
                write!(
                    f,
                    "set models.{target}.price: {{input: ..., output: ...}}, in US dollars per million tokens"
                )
            }
            Change::RaiseMaxCost { workflow, to } => {
                write!(f, "raise workflows.{workflow}.max_cost to {to} or more")
            }
            Change::AllowWorkflow { team, workflow } => write!(f, "add {workflow} to teams.{team}.workflows"),
        }
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WhyNot { target, workflow, reasons, changes, obstacle } = self;
        if reasons.is_empty() {
            return writeln!(f, "{target} already serves {workflow}");
        }
        writeln!(f, "{target} does not serve {workflow}:")?;
        reasons.iter().try_for_each(|reason| writeln!(f, "  - {reason}"))?;
        if !changes.is_empty() {
            let verdict =
                if obstacle.is_none() { "this would admit it" } else { "this would help, and not suffice" };
            writeln!(f, "{verdict}:")?;
            changes.iter().try_for_each(|change| writeln!(f, "  - {change}"))?;
        }
        match obstacle {
            Some(obstacle) => writeln!(f, "no change to the file helps against this: {obstacle}"),
            None => Ok(()),
        }
    }
}
