//! What holds for every policy, every request and every run of bad luck.
#![allow(clippy::unwrap_used)]

mod support;

use model::{Capabilities, Capability, FailureKind, Now, Timestamp};
use policy::{Health, MAX_ATTEMPTS, Move, Policy, Tried, explain, next, plan};
use proptest::prelude::*;
use std::fmt::Write;
use std::time::Duration;
use support::{NOW, Table, load_text, request};

const MODELS: [&str; 4] = ["p0/m", "p1/m", "p2/m", "p3/m"];
const REGIONS: [&str; 4] = ["us", "eu", "onprem", ""];
const CLASSES: [&str; 3] = ["a", "b", "c"];
const REACTIONS: [&str; 5] = ["next", "retry_then_next", "repair_then_next", "return", "larger_context"];
const PREFERS: [&str; 6] = ["cheapest", "fastest", "balanced", "weighted", "sticky", "learned"];

/// What a provider says of itself: region, days of retention, never trains, the year its agreement ends.
type Said = (usize, Option<u8>, Option<bool>, Option<u16>);
/// What a class demands: regions as bits, days of retention, no training, an agreement.
type Demand = (u8, Option<u8>, bool, bool);

#[derive(Clone, Debug)]
struct World {
    said: Vec<Said>,
    demands: Vec<Demand>,
    tiers: Vec<Vec<usize>>,
    class: Option<usize>,
    prefer: usize,
    on: Vec<(usize, usize)>,
    total_ms: u64,
    health: Vec<(Option<u64>, bool, Option<u16>, u32)>,
}

fn worlds() -> impl Strategy<Value = World> {
    let said = (
        0..4usize,
        prop::option::of(0..60u8),
        prop::option::of(any::<bool>()),
        prop::option::of(2020..2040u16),
    );
    let demand = (0..8u8, prop::option::of(0..60u8), any::<bool>(), any::<bool>());
    let health = (prop::option::of(0..4000u64), any::<bool>(), prop::option::of(0..30_000u16), 0..5u32);
    (
        prop::collection::vec(said, 4),
        prop::collection::vec(demand, 3),
        prop::collection::vec(prop::collection::vec(0..4usize, 1..4), 1..4),
        prop::option::of(0..3usize),
        0..6usize,
        prop::collection::vec((0..9usize, 0..5usize), 0..5),
        1..30_000u64,
        prop::collection::vec(health, 4),
    )
        .prop_map(|(said, demands, tiers, class, prefer, on, total_ms, health)| World {
            said,
            demands,
            tiers,
            class,
            prefer,
            on,
            total_ms,
            health,
        })
}

impl World {
    fn text(&self) -> String {
        let mut text = String::from("providers:\n");
        for (i, (region, retention, training, baa)) in self.said.iter().enumerate() {
            let _ = write!(text, "  p{i}: {{dialect: openai, base_url: 'http://127.0.0.1/v1', terms: {{");
            let terms: Vec<String> = [
                retention
                    .map(|d| if d == 0 { "retention: none".to_owned() } else { format!("retention: {d}d") }),
                training.map(|t| format!("training: {}", if t { "never" } else { "allowed" })),
                baa.map(|y| format!("baa: {y}-06-30")),
            ]
            .into_iter()
            .flatten()
            .collect();
            let _ = write!(text, "{}}}", terms.join(", "));
            if !REGIONS[*region].is_empty() {
                let _ = write!(text, ", region: {}", REGIONS[*region]);
            }
            text.push_str("}\n");
        }
        text.push_str("data_classes:\n");
        for (name, (regions, retention, training, baa)) in CLASSES.iter().zip(&self.demands) {
            let listed: Vec<&str> = (0..3).filter(|i| regions & (1 << i) != 0).map(|i| REGIONS[i]).collect();
            let _ = write!(text, "  {name}: {{regions: [{}], require: {{baa: {baa}", listed.join(", "));
            if let Some(days) = retention {
                let _ = write!(
                    text,
                    ", retention: {}",
                    if *days == 0 { "none".to_owned() } else { format!("{days}d") }
                );
            }
            if *training {
                text.push_str(", training: never");
            }
            text.push_str("}}\n");
        }
        let _ = write!(text, "workflows:\n  w:\n    prefer: {}\n", PREFERS[self.prefer]);
        let _ = writeln!(text, "    latency: {{total: {}ms}}", self.total_ms);
        if let Some(class) = self.class {
            let _ = writeln!(text, "    data_class: {}", CLASSES[class]);
        }
        let mut seen = [false; 4];
        text.push_str("    route:\n");
        for tier in &self.tiers {
            let members: Vec<&str> = tier
                .iter()
                .filter(|m| !std::mem::replace(&mut seen[**m], true))
                .map(|m| MODELS[*m])
                .collect();
            if !members.is_empty() {
                let _ = writeln!(text, "      - [{}]", members.join(", "));
            }
        }
        let mut groups = [false; 9];
        let said: Vec<String> = self
            .on
            .iter()
            .filter(|(group, _)| !std::mem::replace(&mut groups[*group], true))
            .map(|(group, reaction)| {
                format!("{}: {}", model::FailureGroup::ALL[*group].name(), REACTIONS[*reaction])
            })
            .collect();
        let _ = writeln!(text, "    on: {{{}}}", said.join(", "));
        text
    }

    fn policy(&self) -> Policy {
        let loaded = load_text(&self.text());
        loaded.policy.unwrap_or_else(|| panic!("{:#?}\n{}", loaded.findings, self.text()))
    }

    fn table(&self) -> Table {
        self.health.iter().zip(MODELS).fold(
            Table::default(),
            |table, ((closed, rate, latency, calls), name)| {
                let health = Health {
                    closed_until: closed.map(|ms| NOW.tick.after(Duration::from_millis(ms))),
                    rate_limited: *rate,
                    latency: latency.map(|ms| Duration::from_millis(u64::from(ms))),
                    in_flight: *calls,
                    ..Health::default()
                };
                table.with(name, health)
            },
        )
    }

    /// The rule, told a second time and from scratch: may this provider see this class?
    fn may_see(&self, provider: usize, class: usize, now: Timestamp) -> bool {
        let (region, retention, training, baa) = self.said[provider];
        let (regions, longest, never, agreement) = self.demands[class];
        let (year, month, day, ..) = now.civil();
        let today = (year, month, day);
        region < 3
            && regions & (1 << region) != 0
            && longest.is_none_or(|longest| retention.is_some_and(|is| is <= longest))
            && (!never || training == Some(true))
            && (!agreement || baa.is_some_and(|end| today <= (i64::from(end), 6, 30)))
    }
}

/// One thing that can go wrong: kind, time it takes, what the provider asks for, whether content was seen.
type Mishap = (usize, u64, Option<u64>, bool);

fn mishaps() -> impl Strategy<Value = Vec<Mishap>> {
    let one =
        (0..FailureKind::ALL.len(), 0..8000u64, prop::option::of(0..5000u64), prop::bool::weighted(0.05));
    prop::collection::vec(one, 12)
}

proptest! {
    #[test]
    fn a_request_ends_within_its_bounds_and_its_data_rule(
        world in worlds(), mishaps in mishaps(), header in prop::option::of(0..3usize), seed: u64,
    ) {
        let policy = world.policy();
        let mut request = request("w");
        request.data_class = header.map(|c| CLASSES[c]);
        let Ok(plan) = plan(&policy, &request, &world.table(), NOW, seed) else { return Ok(()) };
        let mut tried: Vec<Tried> = Vec::new();
        let mut tick = NOW.tick;
        for mishap in mishaps.iter().chain(&mishaps) {
            let now = Now { tick, ..NOW };
            let Move::Take { step, wait, limits } = next(&plan, &tried, now) else { break };
            prop_assert!(tried.len() < MAX_ATTEMPTS, "a fifth attempt");
            let target = plan.steps()[step].target();
            for class in world.class.into_iter().chain(header) {
                prop_assert!(world.may_see(target.provider.index, class, NOW.wall), "{} saw {}", target.name, CLASSES[class]);
            }
            let begins = tick.after(wait);
            prop_assert!(begins < plan.deadline, "begins at the deadline or later");
            prop_assert!(begins.after(limits.total) <= plan.deadline, "may end after the deadline");
            prop_assert!(limits.first_token <= limits.total && limits.idle <= limits.total && limits.connect <= limits.total);
            let calls = tried.iter().filter(|t| t.step == step).count();
            prop_assert!(calls <= 1, "a third call of one step");
            prop_assert!(tried.iter().all(|t| !t.content_sent), "another answer after content");
            let (kind, takes, retry_after, content_sent) = *mishap;
            let ended = begins.after(Duration::from_millis(takes));
            tried.push(Tried {
                step,
                kind: FailureKind::ALL[kind],
                began: begins,
                ended,
                retry_after: retry_after.map(Duration::from_millis),
                content_sent,
            });
            tick = ended;
        }
        let now = Now { tick, ..NOW };
        let ended = !matches!(next(&plan, &tried, now), Move::Take { .. });
        prop_assert!(ended, "it never ends");
    }

    #[test]
    fn explain_tells_the_plan_that_plan_makes(
        world in worlds(), header in prop::option::of(0..3usize), seed: u64, tokens in 0..2_000_000u64,
        needs in 0..4u8, direct in prop::option::of(0..4usize),
    ) {
        let policy = world.policy();
        let mut request = request(direct.map_or("w", |d| MODELS[d]));
        request.data_class = header.map(|c| CLASSES[c]);
        request.estimated_tokens = tokens;
        if needs == 0 {
            request.needs = Capabilities::NONE.with(Capability::Tools);
        }
        let table = world.table();
        let told = explain(&policy, &request, &table, NOW, seed);
        match plan(&policy, &request, &table, NOW, seed) {
            Ok(plan) => {
                let planned: Vec<String> = plan.steps().iter().map(|s| format!("{} {:?}", s.target().name, s.permit())).collect();
                let told_steps: Vec<String> = told.steps.iter().map(|s| format!("{} {:?}", s.target, s.permit)).collect();
                prop_assert_eq!(planned, told_steps);
                prop_assert_eq!(plan.data_class, told.data_class.clone());
                prop_assert!(told.denial.is_none());
            }
            Err(denial) => {
                prop_assert_eq!(told.denial.as_ref().map(|d| (d.code, d.message.as_str())), Some((denial.code.name(), denial.message.as_str())));
                prop_assert!(told.steps.is_empty());
            }
        }
        let shown = told.to_string();
        prop_assert!(told.candidates.iter().all(|c| shown.contains(&*c.target)));
        prop_assert!(serde_json::to_value(&told).is_ok());
    }

    #[test]
    fn every_text_is_either_a_policy_or_explained(text in "[ a-z:{}\\[\\],\n'\"&*|>#-]{0,200}") {
        let loaded = load_text(&text);
        prop_assert!(loaded.policy.is_some() || !loaded.findings.is_empty());
        for finding in &loaded.findings {
            prop_assert!(finding.line >= 1 && finding.column >= 1 && !finding.to_string().is_empty());
        }
    }

    #[test]
    fn the_example_with_one_thing_broken_is_explained_and_never_panics(at in 0..2400usize, with in "[ a-z0-9:{}\\[\\],\n'\"]{0,3}", cut in 0..6usize) {
        let example = include_str!("../../../examples/pointsman.yaml");
        let start = (0..=at.min(example.len())).rev().find(|i| example.is_char_boundary(*i)).unwrap();
        let end = (start + cut..=example.len()).find(|i| example.is_char_boundary(*i)).unwrap_or(example.len());
        let text = format!("{}{with}{}", &example[..start], &example[end..]);
        let loaded = load_text(&text);
        prop_assert!(loaded.policy.is_some() || !loaded.findings.is_empty());
        for finding in &loaded.findings {
            prop_assert!(!finding.to_string().is_empty());
        }
    }
}
