//! Which workflow or target a request means, and whether its caller may ask for it.
//!
//! In this order: the `x-pointsman-workflow` header; a model field that names a workflow; `match` rules in the order
//! of the file; `provider/model`; a bare model id. The first that fits decides, and is then checked against the
//! caller's team: a rule that leads somewhere forbidden is a refusal, not a reason to look further.

use crate::decide::Witness;
use crate::file::nearest;
use crate::rule::facts;
use crate::{Denial, Policy, Target, Workflow};
use model::{Code, Request, Session};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// What a request means.
#[derive(Clone, Debug)]
pub(crate) enum Meant {
    Workflow(Arc<Workflow>),
    Direct(Arc<Target>),
}

/// How that was found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// `x-pointsman-workflow` names it.
    Header,
    /// The model field names it.
    Name,
    /// This `match` rule holds.
    Rule(Arc<str>),
    /// The model field is `provider/model`.
    Target,
    /// The model field is a model id.
    BareId,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Header => f.write_str("the header x-pointsman-workflow names it"),
            How::Name => f.write_str("the model field names it"),
            How::Rule(source) => write!(f, "its match rule holds: {source}"),
            How::Target => f.write_str("the model field is provider/model"),
            How::BareId => f.write_str("the model field is a model id that the catalog knows"),
        }
    }
}

pub(crate) fn find<W: Witness>(
    policy: &Policy,
    request: &Request<'_>,
    witness: &mut W,
) -> Result<Meant, Denial> {
    let (meant, how) = meaning(policy, request, witness)?;
    witness.matched(&meant, &how);
    match (&meant, request.caller) {
        (_, None) => {}
        (Meant::Workflow(workflow), Some(caller)) => may_call_workflow(policy, caller, workflow)?,
        (Meant::Direct(target), Some(caller)) => may_call_target(policy, caller, target)?,
    }
    Ok(meant)
}

fn meaning<W: Witness>(
    policy: &Policy,
    request: &Request<'_>,
    witness: &mut W,
) -> Result<(Meant, How), Denial> {
    if let Some(name) = request.workflow {
        return match policy.workflow(name) {
            Some(workflow) => Ok((Meant::Workflow(workflow.clone()), How::Header)),
            None => Err(unknown(
                "x-pointsman-workflow",
                name,
                "a workflow",
                policy.workflows.iter().map(|w| &*w.name),
            )),
        };
    }
    if let Some(workflow) = policy.workflow(request.model) {
        return Ok((Meant::Workflow(workflow.clone()), How::Name));
    }
    let mut known = None;
    for (workflow, rule) in policy.rules() {
        let held = if rule.may_hold(request) {
            // What the rules read is gathered once, and only when one of them is evaluated.
            rule.holds(known.get_or_insert_with(|| facts(request, policy.rule_fields())))
        } else {
            Ok(false)
        };
        witness.tried_rule(workflow, rule, &held);
        if held == Ok(true) {
            let how = How::Rule(rule.source().into());
            return Ok((Meant::Workflow(workflow.clone()), how));
        }
    }
    if let Some(target) = policy.direct(request.model) {
        return Ok((Meant::Direct(target), How::Target));
    }
    if let Some(target) = policy.bare(request.model) {
        return Ok((Meant::Direct(target.clone()), How::BareId));
    }
    let mut names = policy.model_names();
    names.extend(policy.bare_ids());
    Err(unknown(
        "model",
        request.model,
        "a workflow, provider/model or a model id",
        names.iter().map(|n| &**n),
    ))
}

fn unknown<'a>(field: &str, name: &str, kinds: &str, names: impl Iterator<Item = &'a str>) -> Denial {
    let near = nearest(name, names).map(|n| format!(" Did you mean `{n}`?")).unwrap_or_default();
    let shown: String = name.chars().take(80).collect();
    Denial::new(Code::UnknownModel, field, format!("`{shown}` is not {kinds} of this gateway.{near}"))
}

fn may_call_workflow(policy: &Policy, caller: &Session, workflow: &Workflow) -> Result<(), Denial> {
    if !caller.workflows.is_empty() && !caller.workflows.contains(&workflow.name) {
        let message = format!("The key {} may not call the workflow {}.", caller.key_id, workflow.name);
        return Err(not_allowed("keys", message));
    }
    let Some(teams) = &policy.teams else { return Ok(()) };
    match teams.get(&caller.team) {
        Some(team) if team.allows_workflow(&workflow.name) => Ok(()),
        Some(team) => Err(not_allowed(
            &format!("teams.{}.workflows", team.name),
            format!("The team {} may not call the workflow {}.", team.name, workflow.name),
        )),
        None => Err(unknown_team(caller)),
    }
}

fn may_call_target(policy: &Policy, caller: &Session, target: &Target) -> Result<(), Denial> {
    if !caller.workflows.is_empty() {
        let message = format!("The key {} may call its workflows only, not {}.", caller.key_id, target.name);
        return Err(not_allowed("keys", message));
    }
    let Some(teams) = &policy.teams else { return Ok(()) };
    match teams.get(&caller.team) {
        Some(team) if team.allows_target(&target.name) => Ok(()),
        Some(team) => Err(not_allowed(
            &format!("teams.{}.targets", team.name),
            format!("The team {} may not call {} directly.", team.name, target.name),
        )),
        None => Err(unknown_team(caller)),
    }
}

fn unknown_team(caller: &Session) -> Denial {
    not_allowed(
        "teams",
        format!(
            "The key {} belongs to the team {}, which the policy does not list.",
            caller.key_id, caller.team
        ),
    )
}

fn not_allowed(rule: &str, message: String) -> Denial {
    Denial::new(Code::NotAllowed, rule, message)
}
