//! `route:`: tiers of targets. An item is a target, a tier (a list), a target with a weight, or a downgrade.

use super::finding::nearest;
use super::keys::{Field, Shape, shorten};
use super::load::Cx;
use super::tree::{Kind, Node};
use super::{capabilities, scalar};
use crate::{Member, Target, Tier};
use model::{Capabilities, Capability};
use serde_json::{Value, json};
use std::sync::Arc;

const MOST_MEMBERS: usize = 64;

const fn field(name: &'static str, doc: &'static str, shape: Shape) -> Field {
    Field { name, doc, shape, later: None }
}

const WEIGHTED: &[Field] = &[
    field("target", "provider/model", Shape::Text),
    field("weight", "Its share under `prefer: weighted`.", Shape::Count),
];

const DOWNGRADE: &[Field] = &[
    field("downgrade", "provider/model", Shape::Text),
    field("gives_up", "What is lost by serving from here.", Shape::List(&Shape::Text)),
];

pub(crate) fn schema() -> Value {
    let target = json!({"type": "string", "pattern": "^[^/]+/.+$"});
    let weighted = super::keys::object(WEIGHTED.iter());
    let downgrade = super::keys::object(DOWNGRADE.iter());
    let tier = json!({"type": "array", "minItems": 1, "items": {"anyOf": [target, weighted]}});
    json!({"type": ["array", "string"], "minItems": 1, "items": {"anyOf": [target, tier, weighted, downgrade]}})
}

pub(crate) fn read(node: &Node, workflow: usize, cx: &mut Cx<'_>) -> Vec<Tier> {
    let single = std::slice::from_ref(node);
    let items = match &node.kind {
        Kind::List(items) => items.as_slice(),
        Kind::Scalar { .. } if !node.is_null() => single,
        _ => {
            let hint = Some("write `route: [provider/model]`".to_owned());
            cx.report.error(node.at, format!("a list is expected here, not {}", node.kind_name()), hint);
            return Vec::new();
        }
    };
    if items.is_empty() {
        cx.report.error(node.at, "the route is empty", Some("add a target: provider/model".to_owned()));
    }
    let mut seen: Vec<Arc<str>> = Vec::new();
    let mut tiers = Vec::new();
    for item in items {
        let members: Vec<Member> = match &item.kind {
            Kind::List(inner) => {
                if inner.is_empty() {
                    cx.report.error(
                        item.at,
                        "the tier is empty",
                        Some("add a target: provider/model, or remove it".to_owned()),
                    );
                }
                inner.iter().filter_map(|node| member(node, true, workflow, &mut seen, cx)).collect()
            }
            _ => member(item, false, workflow, &mut seen, cx).into_iter().collect(),
        };
        if !members.is_empty() {
            tiers.push(Tier { members });
        }
    }
    if seen.len() > MOST_MEMBERS {
        let hint = Some(format!("keep at most {MOST_MEMBERS}; four are called at most"));
        cx.report.error(node.at, format!("the route names {} targets", seen.len()), hint);
    }
    tiers
}

fn member(
    node: &Node,
    in_tier: bool,
    workflow: usize,
    seen: &mut Vec<Arc<str>>,
    cx: &mut Cx<'_>,
) -> Option<Member> {
    let (named, weight, gives_up) = match &node.kind {
        Kind::Map(_) if node.get("downgrade").is_some() && in_tier => {
            let hint = Some("make it an item of the route itself".to_owned());
            cx.report.error(node.at, "a downgrade is a tier of its own", hint);
            return None;
        }
        Kind::Map(entries) => {
            let fields = if node.get("downgrade").is_some() { DOWNGRADE } else { WEIGHTED };
            for entry in entries {
                if !fields.iter().any(|f| f.name == entry.key) {
                    cx.unknown_key(&entry.key, entry.key_at, fields.iter());
                }
            }
            let Some(named) = node.get(fields[0].name) else {
                let hint = Some("write {target: provider/model, weight: 3}".to_owned());
                cx.report.error(node.at, "this names no target", hint);
                return None;
            };
            (named, node.get("weight"), node.get("gives_up"))
        }
        _ => (node, None, None),
    };
    let target = target(named, cx)?;
    if seen.contains(&target.name) {
        let what = format!("`{}` stands in the route already: this mention counts for nothing", target.name);
        cx.report.warning(
            named.at,
            what,
            Some("a request that failed there is not sent there again".to_owned()),
        );
        return None;
    }
    seen.push(target.name.clone());
    let weight = match weight {
        Some(node) => {
            cx.weight_places.push((workflow, node.at));
            cx.parse(node, |text| {
                let why = "a weight is a whole number from 1 to 1000000".to_owned();
                let weight = scalar::count(text).map_err(|_| why.clone())?;
                u32::try_from(weight).ok().filter(|w| (1..=1_000_000).contains(w)).ok_or(why)
            })?
        }
        None => 1,
    };
    let gave_up: Vec<Arc<str>> = match gives_up {
        Some(node) => cx.list(node, |cx, item| {
            let word = cx.text(item)?;
            if !super::keys::is_name(word) {
                let hint = Some(format!("use one word, such as {}", capabilities::NAMES.join(", ")));
                cx.report.error(item.at, format!("`{}` is not a word", shorten(word)), hint);
                return None;
            }
            Some(word.into())
        }),
        None => Vec::new(),
    };
    if node.get("downgrade").is_some() && gave_up.is_empty() {
        let hint = Some("add gives_up: [reasoning], or name the target plainly".to_owned());
        cx.report.warning(named.at, "a downgrade says what it gives up", hint);
    }
    let waives: Capabilities = gave_up.iter().filter_map(|word| word.parse::<Capability>().ok()).collect();
    cx.member_places[workflow].push(named.at);
    Some(Member { target, weight, gave_up: gave_up.into(), waives })
}

/// Finds or interns the target that a route names.
fn target(node: &Node, cx: &mut Cx<'_>) -> Option<Arc<Target>> {
    let text = cx.text(node)?.to_owned();
    let (provider, model) = match text.split_once('/') {
        Some((provider, model)) if !provider.is_empty() && !model.is_empty() => (provider, model),
        _ => {
            let hint = match cx.table.bare.get(text.as_str()) {
                Some(target) => format!("write `{}`", target.name),
                None => "write provider/model, such as openai/gpt-4.1".to_owned(),
            };
            cx.report.error(node.at, format!("`{}` is not a target", shorten(&text)), Some(hint));
            return None;
        }
    };
    if cx.broken_providers.iter().any(|name| name == provider) {
        return None;
    }
    let Some(row) = cx.providers.iter().find(|p| &*p.name == provider).cloned() else {
        let names = cx.providers.iter().map(|p| &*p.name).chain(cx.known.presets.iter().map(|p| p.name));
        let hint = match nearest(provider, names) {
            Some(near) => format!("did you mean `{near}/{}`?", shorten(model)),
            None => format!("add `{}` under providers", shorten(provider)),
        };
        cx.report.error(node.at, format!("there is no provider `{}`", shorten(provider)), Some(hint));
        return None;
    };
    if !model.bytes().all(|b| b.is_ascii_graphic()) || model.len() > 256 {
        let hint = Some("a model id holds no spaces and no letters beyond ASCII".to_owned());
        cx.report.error(node.at, "this is no model id", hint);
        return None;
    }
    Some(cx.table.intern(&row, model))
}
