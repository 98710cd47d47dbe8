//! `workflows:`, except for routes.

use super::keys::{Key, Shape, key, shorten, table};
use super::load::Cx;
use super::tree::{Entry, Node};
use super::{capabilities, route, scalar};
use crate::{
    CacheRule, Certify, Criticality, GoldenSet, Hold, Latency, OnCut, Prefer, Reaction, ResponseSchema, Rule,
    SemanticCache, StreamRule, Uncertified, Workflow,
};
use model::{Capabilities, Capability, FailureGroup};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const WORKFLOW: &[Key<Workflow>] = &[
    key("description", "What it is for.", Shape::Text, |w: &mut Workflow, n, cx| {
        w.description = cx.text(n).map(Into::into);
    }),
    key(
        "criticality",
        "What is shed first when there is too much; normal unless set.",
        Shape::Words(Criticality::WORDS),
        |w, n, cx| {
            w.criticality = cx.word(n, Criticality::WORDS, Criticality::from_name).unwrap_or_default();
        },
    ),
    key("data_class", "The label that restricts providers, regions and terms.", Shape::Name, |w, n, cx| {
        if let Some(name) = cx.text(n)
            && cx.name(name, n.at, "data class")
        {
            w.data_class = Some(cx.data_class(name));
        }
    }),
    key("needs", "What every target must be able to do.", capabilities::SHAPE, |w, n, cx| {
        w.needs = w.needs.union(capabilities::read(n, cx));
    }),
    key(
        "response_schema",
        "The JSON Schema file every answer must fit.",
        Shape::Path,
        |w: &mut Workflow, n, cx| {
            w.response_schema = response_schema(n, cx);
            w.needs.insert(Capability::JsonSchema);
        },
    )
    .later("answer checks; until then its targets must only be able to hold a schema"),
    key("latency", "Its time budget.", Shape::Section(|| table(LATENCY)), |w, n, cx| {
        cx.section(n, LATENCY, &mut w.latency);
        if let Latency { first_token: Some(first), total: Some(total) } = w.latency
            && first > total
        {
            let hint = Some("one attempt cannot wait longer than the whole request may take".to_owned());
            cx.report.error(n.at, "first_token is longer than total", hint);
        }
    }),
    key("max_cost", "The most a request may cost by estimate, in US dollars.", Shape::Dollars, |w, n, cx| {
        w.max_cost = cx.parse(n, |text| {
            text.parse().map_err(|e: model::MoneyError| format!("write US dollars such as 0.02 ({e})"))
        });
    }),
    key(
        "route",
        "Where requests go, in order; a list inside is one tier.",
        Shape::Section(route::schema),
        |w, n, cx| {
            w.route = route::read(n, w.index, cx);
        },
    ),
    key("prefer", "How a tier is ordered; balanced unless set.", Shape::Words(Prefer::WORDS), |w, n, cx| {
        w.prefer = cx.word(n, Prefer::WORDS, Prefer::from_name).unwrap_or_default();
        if w.prefer == Prefer::Learned {
            cx.note_not_enforced(n.at, "prefer: learned", "learned routing; it ranks as balanced does");
        }
    }),
    key("on", "What follows a failure.", Shape::Section(on_schema), on),
    key(
        "stream",
        "How streams are held, and what follows a cut.",
        Shape::Section(|| table(STREAM)),
        |w, n, cx| {
            cx.section(n, STREAM, &mut w.stream);
        },
    ),
    key("golden", "Its test cases, JSON lines.", Shape::Path, |w: &mut Workflow, n, cx| {
        w.golden = golden(n, cx)
    })
    .later("evaluation"),
    key(
        "certify",
        "How fallbacks prove themselves.",
        Shape::Section(|| table(CERTIFY)),
        |w: &mut Workflow, n, cx| {
            let mut certify = Certify::default();
            cx.section(n, CERTIFY, &mut certify);
            w.certify = Some(certify);
        },
    )
    .later("certification; until then every fallback serves as `uncertified`, whatever `uncertified:` says"),
    key(
        "match",
        "A CEL expression over `request`: which unnamed requests belong to it.",
        Shape::Text,
        |w, n, cx| {
            w.rule = rule(n, cx);
        },
    ),
    key(
        "cache",
        "Which answers may be reused; none unless asked for.",
        Shape::Section(|| table(CACHE)),
        |w: &mut Workflow, n, cx| {
            let mut cache = CacheRule::default();
            cx.section(n, CACHE, &mut cache);
            w.cache = Some(cache);
        },
    )
    .later("caching"),
];

const LATENCY: &[Key<Latency>] = &[
    key(
        "first_token",
        "The longest wait of a stream's first token, per attempt.",
        Shape::Duration,
        |l: &mut Latency, n, cx| {
            l.first_token = positive(n, cx);
        },
    ),
    key(
        "total",
        "The longest a request may take, all attempts together; 10m unless set.",
        Shape::Duration,
        |l, n, cx| {
            l.total = positive(n, cx);
        },
    ),
];

const STREAM: &[Key<StreamRule>] = &[
    key(
        "hold",
        "What is held back until it is sure.",
        Shape::Words(Hold::WORDS),
        |s: &mut StreamRule, n, cx| {
            s.hold = cx.word(n, Hold::WORDS, Hold::from_name).unwrap_or_default();
            if s.hold == Hold::Whole {
                cx.note_not_enforced(
                    n.at,
                    "hold: whole",
                    "whole-answer holding; the first token is waited for",
                );
            }
        },
    ),
    key(
        "on_cut",
        "What follows a stream that breaks after content.",
        Shape::Words(OnCut::WORDS),
        |s, n, cx| {
            s.on_cut = cx.word(n, OnCut::WORDS, OnCut::from_name).unwrap_or_default();
            if s.on_cut != OnCut::Error {
                let what = format!("on_cut: {}", s.on_cut.name());
                cx.note_not_enforced(n.at, &what, "stream rescue; the client reads an error until then");
            }
        },
    ),
];

const CERTIFY: &[Key<Certify>] = &[
    key("margin", "How much worse a fallback may be.", Shape::Share, |c: &mut Certify, n, cx| {
        c.margin = cx.parse(n, scalar::share).unwrap_or(c.margin);
    }),
    key("confidence", "How sure one must be.", Shape::Share, |c, n, cx| {
        c.confidence = cx.parse(n, scalar::share).unwrap_or(c.confidence);
    }),
    key("expires", "How long a certificate holds.", Shape::Duration, |c, n, cx| {
        c.expires = positive(n, cx).unwrap_or(c.expires);
    }),
    key(
        "uncertified",
        "What a fallback without one may do.",
        Shape::Words(Uncertified::WORDS),
        |c, n, cx| {
            c.uncertified = cx.word(n, Uncertified::WORDS, Uncertified::from_name).unwrap_or(c.uncertified);
        },
    ),
];

const CACHE: &[Key<CacheRule>] = &[
    key(
        "exact",
        "The same request is answered from memory for so long.",
        Shape::Duration,
        |c: &mut CacheRule, n, cx| {
            c.exact = positive(n, cx);
        },
    ),
    key(
        "semantic",
        "A request with nearly the same meaning is.",
        Shape::Section(|| table(SEMANTIC)),
        |c, n, cx| {
            let mut semantic = SemanticCache { threshold: 970_000, lifetime: Duration::ZERO };
            cx.section(n, SEMANTIC, &mut semantic);
            if semantic.lifetime.is_zero() {
                cx.report.error(
                    n.at,
                    "a semantic cache says for how long",
                    Some("add `for: 10m`".to_owned()),
                );
            }
            c.semantic = Some(semantic);
        },
    ),
];

const SEMANTIC: &[Key<SemanticCache>] = &[
    key("threshold", "How alike, from 0 to 1.", Shape::Share, |s: &mut SemanticCache, n, cx| {
        s.threshold = cx.parse(n, scalar::share).unwrap_or(s.threshold);
    }),
    key("for", "For how long.", Shape::Duration, |s, n, cx| {
        s.lifetime = positive(n, cx).unwrap_or(Duration::from_secs(1));
    }),
];

fn positive(node: &Node, cx: &mut Cx<'_>) -> Option<Duration> {
    cx.parse(node, |text| match scalar::duration(text) {
        Ok(Duration::ZERO) => Err("nothing can be done in no time".to_owned()),
        other => other,
    })
}

fn on_schema() -> Value {
    let group = |g: &FailureGroup| (g.name().to_owned(), json!({"enum": Reaction::WORDS}));
    let properties: serde_json::Map<String, Value> = FailureGroup::ALL.iter().map(group).collect();
    json!({"type": ["object", "null"], "properties": properties, "additionalProperties": false})
}

/// `on:` has the failure groups as its keys, so that a new group needs no row here.
fn on(workflow: &mut Workflow, node: &Node, cx: &mut Cx<'_>) {
    if !cx.is_mapping(node) {
        return;
    }
    for Entry { key, key_at, value } in node.entries() {
        let Some(group) = FailureGroup::ALL.into_iter().find(|g| g.name() == key) else {
            let names = FailureGroup::ALL.map(FailureGroup::name);
            let hint = match super::nearest(key, names.into_iter()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("failures are {}", names.join(", ")),
            };
            cx.report.error(*key_at, format!("`{}` is not a failure", shorten(key)), Some(hint));
            continue;
        };
        let Some(reaction) = cx.word(value, Reaction::WORDS, Reaction::from_name) else { continue };
        let never_again =
            matches!(group, FailureGroup::Timeout | FailureGroup::Auth | FailureGroup::ModelGone);
        if reaction == Reaction::RetryThenNext && never_again {
            let what = format!("a target is never asked again after `{key}`: this acts as `next`");
            cx.report.warning(value.at, what, Some("write next".to_owned()));
        }
        if reaction == Reaction::RepairThenNext {
            if group != FailureGroup::SchemaViolation {
                let what =
                    format!("only schema_violation can be repaired: after `{key}` this acts as `next`");
                cx.report.warning(value.at, what, Some("write next or retry_then_next".to_owned()));
            } else {
                cx.note_not_enforced(value.at, "repair_then_next", "answer checks; it acts as `next`");
            }
        }
        if reaction == Reaction::LargerContext && group != FailureGroup::ContextExceeded {
            let what = format!("a larger window does not help after `{key}`");
            cx.report.warning(value.at, what, Some("write next".to_owned()));
        }
        workflow.on.set(group, reaction);
    }
}

fn rule(node: &Node, cx: &mut Cx<'_>) -> Option<Rule> {
    let text = cx.text(node)?;
    match Rule::compile(text) {
        Ok(rule) => Some(rule),
        Err(error) => {
            // Behind the quote where there is one; a block scalar's lines are not those of the file.
            let quote = usize::from(node.is_quoted());
            let at = if node.at.width > 1 { node.at.within(error.offset + quote) } else { node.at };
            cx.report.error(at, format!("this rule {}", clause(&error.what)), error.hint);
            None
        }
    }
}

/// Makes a compiler's message the end of a sentence.
fn clause(what: &str) -> String {
    match what {
        what if what.starts_with("yields") || what.starts_with("is ") => what.to_owned(),
        what => format!("cannot be understood: {what}"),
    }
}

fn response_schema(node: &Node, cx: &mut Cx<'_>) -> Option<ResponseSchema> {
    let path = cx.text(node)?;
    let text = cx.file(node, path)?;
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(_)) => Some(ResponseSchema { path: path.into(), text: text.into() }),
        Ok(_) => {
            let hint = Some("a JSON Schema is an object, such as {\"type\": \"object\"}".to_owned());
            cx.report.error(node.at, format!("{path} is JSON and not a schema"), hint);
            None
        }
        Err(error) => {
            cx.report.error(node.at, format!("{path} is not JSON"), Some(format!("mend it: {error}")));
            None
        }
    }
}

fn golden(node: &Node, cx: &mut Cx<'_>) -> Option<GoldenSet> {
    let path = cx.text(node)?;
    let text = cx.file(node, path)?;
    let mut cases = 0;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str::<serde_json::Map<String, Value>>(line) {
            Ok(_) => cases += 1,
            Err(error) => {
                let what = format!("line {} of {path} is not a JSON object", number + 1);
                cx.report.error(node.at, what, Some(format!("mend it: {error}")));
                return None;
            }
        }
    }
    if cases == 0 {
        cx.report.warning(
            node.at,
            format!("{path} holds no case"),
            Some("add a case, one JSON object a line".to_owned()),
        );
    }
    Some(GoldenSet { path: path.into(), cases })
}

/// Every workflow. Providers, targets and declared data classes are read already.
pub(crate) fn read(section: &Node, cx: &mut Cx<'_>) -> Vec<Workflow> {
    let mut workflows: Vec<Workflow> = Vec::new();
    if !cx.is_mapping(section) {
        return workflows;
    }
    for entry in section.entries() {
        if !cx.name(&entry.key, entry.key_at, "workflow") {
            continue;
        }
        let mut workflow = blank(workflows.len(), &entry.key);
        cx.workflow_places.push(entry.key_at);
        cx.member_places.push(Vec::new());
        cx.section(&entry.value, WORKFLOW, &mut workflow);
        if entry.value.get("route").is_none() {
            let hint = Some("add `route: [provider/model]`".to_owned());
            cx.report.error(entry.key_at, format!("the workflow `{}` has no route", entry.key), hint);
        }
        workflows.push(workflow);
    }
    workflows
}

fn blank(index: usize, name: &str) -> Workflow {
    Workflow {
        index,
        name: name.into(),
        description: None,
        criticality: Criticality::default(),
        data_class: None,
        needs: Capabilities::NONE,
        response_schema: None,
        latency: Latency::default(),
        max_cost: None,
        route: Vec::new(),
        prefer: Prefer::default(),
        on: crate::Reactions::default(),
        stream: StreamRule::default(),
        golden: None,
        certify: None,
        rule: None,
        cache: None,
    }
}
