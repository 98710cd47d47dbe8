//! `teams:`: who may call what, and how much.

use super::finding::nearest;
use super::keys::{Key, Shape, key, shorten, table};
use super::load::Cx;
use super::scalar;
use super::tree::{Kind, Node};
use crate::team::glob;
use crate::{Budget, Period, Team, TeamLimits, Workflow};
use model::Money;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

const PERIODS: &[&str] = &["hour", "day", "week", "month"];

pub(crate) const TEAM: &[Key<Team>] = &[
    key("workflows", "The workflows its keys may call.", Shape::List(&Shape::Name), |t: &mut Team, n, cx| {
        t.workflows = cx.list(n, |cx, item| {
            let name = cx.text(item)?;
            let names = cx.workflow_names.clone();
            if !names.iter().any(|w| &**w == name) {
                let hint = match nearest(name, names.iter().map(|w| &**w)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "name one of those under workflows, or add it there".to_owned(),
                };
                cx.report.error(item.at, format!("there is no workflow `{}`", shorten(name)), Some(hint));
                return None;
            }
            Some(name.into())
        });
    }),
    key(
        "targets",
        "Patterns of targets its keys may call directly, such as openai/*.",
        Shape::List(&Shape::Text),
        |t, n, cx| t.targets = cx.list(n, pattern),
    ),
    key(
        "budget",
        "What it may spend, window by window.",
        Shape::Section(budget_schema),
        |t: &mut Team, n, cx| {
            let single = std::slice::from_ref(n);
            let windows = if let Kind::List(items) = &n.kind { items.as_slice() } else { single };
            for window in windows {
                let mut draft = (None, None);
                cx.section(window, BUDGET, &mut draft);
                match draft {
                    (Some(usd), Some(per)) => t.budget.push(Budget { usd, per }),
                    _ if !cx.report.has_errors() => {
                        let hint = Some("write {usd: 500, per: month}".to_owned());
                        cx.report.error(window.at, "a budget names usd and per", hint);
                    }
                    _ => {}
                }
            }
        },
    )
    .later("budgets"),
    key("limits", "How fast it may go.", Shape::Section(|| table(LIMITS)), |t: &mut Team, n, cx| {
        cx.section(n, LIMITS, &mut t.limits);
    })
    .later("team limits"),
];

type Window = (Option<Money>, Option<Period>);

const BUDGET: &[Key<Window>] = &[
    key("usd", "US dollars.", Shape::Dollars, |b: &mut Window, n, cx| {
        b.0 = cx.parse(n, |text| {
            text.parse().map_err(|e: model::MoneyError| format!("write US dollars such as 500 ({e})"))
        });
    }),
    key("per", "In each calendar window, UTC.", Shape::Words(PERIODS), |b, n, cx| {
        b.1 = cx.word(n, PERIODS, |word| match word {
            "hour" => Some(Period::Hour),
            "day" => Some(Period::Day),
            "week" => Some(Period::Week),
            "month" => Some(Period::Month),
            _ => None,
        });
    }),
];

const LIMITS: &[Key<TeamLimits>] = &[
    key("requests_per_minute", "Requests in a minute.", Shape::Count, |l: &mut TeamLimits, n, cx| {
        l.requests_per_minute = cx.parse(n, scalar::count);
    }),
    key("tokens_per_minute", "Tokens in a minute, prompt and answer.", Shape::Count, |l, n, cx| {
        l.tokens_per_minute = cx.parse(n, scalar::count);
    }),
];

fn budget_schema() -> Value {
    let window = table(BUDGET);
    json!({"anyOf": [window, {"type": "array", "items": window}]})
}

/// A pattern of targets; one that fits no provider is a mistake.
fn pattern(cx: &mut Cx<'_>, item: &Node) -> Option<Arc<str>> {
    let text = cx.text(item)?;
    let head = text.split('/').next().unwrap_or_default();
    let fits =
        text.contains('/') && cx.providers.iter().any(|p| glob(head, &p.name)) || text.starts_with('*');
    if !fits {
        let near =
            nearest(head, cx.providers.iter().map(|p| &*p.name)).map(|n| format!("did you mean `{n}/*`?"));
        let hint = near.or_else(|| Some("write provider/model; `*` stands for any run".to_owned()));
        cx.report.warning(item.at, format!("`{}` fits no provider", shorten(text)), hint);
    }
    Some(text.into())
}

/// Every team; `None` where the file has no such section. Workflows are read already.
pub(crate) fn read(section: &Node, workflows: &[Workflow], cx: &mut Cx<'_>) -> HashMap<Arc<str>, Team> {
    cx.workflow_names = workflows.iter().map(|w| w.name.clone()).collect();
    let mut teams = HashMap::new();
    if !cx.is_mapping(section) {
        return teams;
    }
    for entry in section.entries() {
        if cx.name(&entry.key, entry.key_at, "team") {
            let name: Arc<str> = entry.key.as_str().into();
            let mut team = Team { name: name.clone(), ..Team::default() };
            cx.section(&entry.value, TEAM, &mut team);
            if team.workflows.is_empty() && team.targets.is_empty() {
                let hint = Some("add workflows, or targets such as [openai/*]".to_owned());
                cx.report.warning(entry.key_at, format!("the team `{name}` may call nothing"), hint);
            }
            teams.insert(name, team);
        }
    }
    teams
}
