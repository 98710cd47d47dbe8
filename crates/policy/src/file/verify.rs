//! What only the whole policy shows: routes that cannot serve, workflows nobody reaches, promises nobody keeps.

use super::finding::nearest;
use super::load::Cx;
use super::tree::{Node, Place};
use crate::admit::Ask;
use crate::{CostMiss, Criticality, Out, Policy, Prefer, Workflow};
use model::{Capabilities, Dialect, Operation, Request, Tick};

pub(crate) fn verify(policy: &Policy, root: &Node, cx: &mut Cx<'_>) {
    for workflow in &policy.workflows {
        let at = cx.workflow_places.get(workflow.index).copied().unwrap_or(Place::START);
        let node = root.get("workflows").and_then(|w| w.get(&workflow.name));
        label(policy, workflow, node, cx);
        members(policy, workflow, cx);
        fallback(workflow, at, cx);
        reach(policy, workflow, at, cx);
        if policy.bare(&workflow.name).is_some() {
            let what = format!("the workflow `{}` hides the model id of the same name", workflow.name);
            cx.report.warning(at, what, Some("rename it, unless that is the purpose".to_owned()));
        }
    }
    weights(policy, cx);
    anybody(policy, root, cx);
    if policy.teams.is_none()
        && let Some(first) = cx.workflow_places.first().copied()
    {
        let hint = Some("add `teams:` to say which keys may call what".to_owned());
        cx.report.note(first, "without teams: every key may call every workflow and target", hint);
    }
}

/// Somebody must serve. Where there is an error, a row may be missing because of it.
fn anybody(policy: &Policy, root: &Node, cx: &mut Cx<'_>) {
    if policy.providers.is_empty() && !cx.report.has_errors() {
        let at = root.get("providers").map_or(Place::START, |n| n.at);
        let hint = "add one, as in `openai: {}`, or set a key such as OPENAI_API_KEY and run `pointsman init --force`";
        cx.report.warning(at, "there is no provider, so nothing can be served", Some(hint.to_owned()));
    }
}

/// A data class that nothing declares restricts nothing; one letter off a declared one, that is a leak.
fn label(policy: &Policy, workflow: &Workflow, node: Option<&Node>, cx: &mut Cx<'_>) {
    let Some(class) = workflow.data_class.map(|i| &policy.data_classes[i]).filter(|c| !c.declared) else {
        return;
    };
    let at = node.and_then(|n| n.get("data_class")).map_or(Place::START, |n| n.at);
    let declared = policy.data_classes.iter().filter(|c| c.declared).map(|c| &*c.name);
    match nearest(&class.name, declared) {
        Some(near) => {
            let what = format!("there is no data class `{}`, so it restricts nothing", class.name);
            cx.report.warning(at, what, Some(format!("did you mean `{near}`?")));
        }
        None => {
            let what =
                format!("the data class `{}` has no rule: it labels, and restricts nothing", class.name);
            cx.report.note(at, what, Some(format!("add `{}` under data_classes to give it one", class.name)));
        }
    }
}

/// Every member must be able to serve some request: here, one that asks for nothing beyond the workflow.
fn members(policy: &Policy, workflow: &Workflow, cx: &mut Cx<'_>) {
    let request = Request {
        dialect: Dialect::OpenAi,
        operation: Operation::Chat,
        model: &workflow.name,
        workflow: None,
        data_class: None,
        stream: false,
        needs: Capabilities::NONE,
        estimated_tokens: 0,
        max_output: Some(0),
        deadline: None,
        session: None,
        headers: &[],
        caller: None,
    };
    let classes: Vec<usize> = workflow.data_class.into_iter().collect();
    let ask = Ask {
        request: &request,
        needs: workflow.needs,
        classes: &classes,
        max_cost: workflow.max_cost,
        direct: false,
        wall: cx.known.now,
        tick: Tick(0),
    };
    for (i, (_, member)) in workflow.members().enumerate() {
        let target = &member.target;
        let places = cx.member_places.get(workflow.index).map_or(&[][..], Vec::as_slice);
        let at = places.get(i).copied().unwrap_or(Place::START);
        if let Err(out) = ask.admit(policy, target, member.waives) {
            let what = format!("`{}` can never serve here: {out}", target.name);
            cx.report.warning(at, what, Some(remedy(&out, target)));
        } else if !target.can_known && !target.provider.self_hosted {
            let vendor = target.provider.preset.unwrap_or(&target.provider.name);
            let mut listed = cx.known.models.iter().filter(|m| m.provider == vendor).peekable();
            if listed.peek().is_some() {
                let near = nearest(&target.model, listed.map(|m| m.model.as_str()));
                let hint = near.map(|n| format!("did you mean `{}/{n}`?", target.provider.name));
                let hint =
                    hint.unwrap_or_else(|| format!("add `{}` under models if it is right", target.name));
                cx.report.warning(at, format!("the catalog does not know `{}`", target.name), Some(hint));
            }
        }
    }
}

fn remedy(out: &Out, target: &crate::Target) -> String {
    let (name, provider) = (&target.name, &target.provider.name);
    match out {
        Out::Data { .. } => {
            format!("set region and terms of `{provider}` as your agreement says, or remove it")
        }
        Out::Needs { missing, known: false } => {
            let words: Vec<&str> = missing.iter().map(|c| c.name()).collect();
            format!("add `{name}: {{can: [{}]}}` under models, if it can", words.join(", "))
        }
        Out::Needs { .. } => format!("remove it, or correct `can` of `{name}` under models"),
        Out::Cost { why: CostMiss::UnknownPrice, .. } => {
            format!("add `{name}: {{price: {{input: ..., output: ...}}}}` under models")
        }
        _ => "remove it".to_owned(),
    }
}

fn fallback(workflow: &Workflow, at: Place, cx: &mut Cx<'_>) {
    if workflow.criticality != Criticality::Critical || workflow.route.is_empty() {
        return;
    }
    if workflow.members().count() == 1 {
        let what = format!("the critical workflow `{}` has no fallback", workflow.name);
        cx.report.warning(at, what, Some("add a second target to its route".to_owned()));
    } else {
        let what = format!("the critical workflow `{}` has no certified fallback", workflow.name);
        let hint = "its fallbacks serve as `uncertified`; certification arrives later".to_owned();
        cx.report.warning(at, what, Some(hint));
    }
}

/// Whether anybody can reach it.
fn reach(policy: &Policy, workflow: &Workflow, at: Place, cx: &mut Cx<'_>) {
    if let Some(teams) = &policy.teams
        && !teams.values().any(|team| team.allows_workflow(&workflow.name))
    {
        let what = format!("no team may call the workflow `{}`", workflow.name);
        cx.report.warning(at, what, Some("add it to `workflows` of a team".to_owned()));
    }
    let Some(rule) = &workflow.rule else { return };
    let earlier = policy.rules().take_while(|(w, _)| w.index < workflow.index);
    for (other, before) in earlier {
        let always = before.source().trim() == "true";
        if always || before.source() == rule.source() {
            let what =
                format!("the rule of `{}` never decides: `{}` matches first", workflow.name, other.name);
            cx.report.warning(at, what, Some("put the narrower rule first".to_owned()));
            return;
        }
    }
}

fn weights(policy: &Policy, cx: &mut Cx<'_>) {
    let places = std::mem::take(&mut cx.weight_places);
    for (workflow, at) in places {
        let idle = policy.workflows.get(workflow).is_some_and(|w| w.prefer != Prefer::Weighted);
        if idle {
            let hint = Some("add prefer: weighted, or drop the weight".to_owned());
            cx.report.warning(at, "a weight counts under `prefer: weighted` only", hint);
        }
    }
}
