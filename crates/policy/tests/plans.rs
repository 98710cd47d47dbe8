//! Case tables for `plan`: what a request means, who is in, in which order, and why not.
#![allow(clippy::unwrap_used)]

mod support;

use model::{Capabilities, Capability, Code, FailureKind, Permit, Session, Tick};
use policy::{Health, Move, Policy, next, plan};
use std::time::Duration;
use support::{NOW, Table, names, policy, request};

const FILE: &str = r#"
providers:
  openai: {region: us, terms: {retention: 30d, training: never}}
  anthropic: {region: us, terms: {retention: none, training: never, baa: 2027-06-30}}
  azure-eu: {preset: azure, base_url: https://acme-eu.openai.azure.com, region: eu, terms: {retention: none, training: never}}
  local: {dialect: openai, base_url: http://127.0.0.1:9000/v1, region: onprem, terms: {retention: none, training: never, baa: always}}
models:
  local/gemma: {context: 4000, price: {input: 0, output: 0}}
data_classes:
  phi: {regions: [us, onprem], require: {retention: none, training: never, baa: true}}
  eu_only: {regions: [eu]}
  strict_phi: {regions: [onprem], require: {retention: none, training: never, baa: true}}
workflows:
  triage:
    data_class: internal
    needs: [json_schema]
    latency: {first_token: 3s, total: 20s}
    max_cost: 0.02
    route:
      - anthropic/claude-sonnet-4-5
      - [openai/gpt-4.1, azure-eu/gpt-4.1]
      - {downgrade: local/gemma, gives_up: [json_schema, quality]}
  health:
    data_class: phi
    route: [openai/gpt-4.1, anthropic/claude-sonnet-4-5, local/gemma]
  helpdesk:
    match: 'request.headers["x-app"] == "helpdesk" && request.estimated_tokens < 4000'
    route: [openai/gpt-4.1-mini]
  cheap: {prefer: cheapest, route: [[anthropic/claude-sonnet-4-5, openai/gpt-4.1-mini, openai/gpt-4.1]]}
  fast: {prefer: fastest, route: [[anthropic/claude-sonnet-4-5, openai/gpt-4.1-mini, openai/gpt-4.1]]}
  weighted: {prefer: weighted, route: [[{target: openai/gpt-4.1, weight: 3}, {target: azure-eu/gpt-4.1, weight: 1}]]}
  sticky: {prefer: sticky, route: [[openai/gpt-4.1, azure-eu/gpt-4.1, anthropic/claude-sonnet-4-5]]}
  balanced: {route: [[anthropic/claude-sonnet-4-5, openai/gpt-4.1-mini, openai/gpt-4.1]]}
teams:
  support: {workflows: [triage, helpdesk], targets: ['openai/*']}
  idle: {workflows: [cheap]}
"#;

fn file() -> Policy {
    policy(FILE)
}

fn session(team: &str, workflows: &[&str], data_class: Option<&str>) -> Session {
    Session {
        key_id: "key_1".into(),
        team: team.into(),
        workflows: workflows.iter().map(|w| (*w).into()).collect(),
        data_class: data_class.map(Into::into),
    }
}

fn latency(ms: u64) -> Health {
    Health { latency: Some(Duration::from_millis(ms)), ..Health::default() }
}

fn closed(ms: u64, rate_limited: bool) -> Health {
    let until = NOW.tick.after(Duration::from_millis(ms));
    Health { closed_until: Some(until), rate_limited, ..Health::default() }
}

#[test]
fn a_request_means_the_first_thing_it_names() {
    let file = file();
    let helpdesk = [("x-app", "helpdesk")];
    // (header, model, headers, workflow, first step)
    type Case<'a> = (Option<&'a str>, &'a str, &'a [(&'a str, &'a str)], Option<&'a str>, &'a str);
    let cases: &[Case<'_>] = &[
        (Some("cheap"), "triage", &helpdesk, Some("cheap"), "openai/gpt-4.1-mini"),
        (None, "triage", &helpdesk, Some("triage"), "anthropic/claude-sonnet-4-5"),
        (None, "gpt-4.1", &helpdesk, Some("helpdesk"), "openai/gpt-4.1-mini"),
        (None, "gpt-4.1", &[], None, "openai/gpt-4.1"),
        (None, "azure-eu/gpt-4.1", &[], None, "azure-eu/gpt-4.1"),
        (None, "gpt-4.1-2025-04-14", &[], None, "openai/gpt-4.1-2025-04-14"),
        (None, "local/never-heard-of", &[], None, "local/never-heard-of"),
    ];
    for (header, model, headers, workflow, first) in cases {
        let mut request = request(model);
        (request.workflow, request.headers) = (*header, headers);
        let plan = plan(&file, &request, &Table::default(), NOW, 1).unwrap();
        assert_eq!(plan.workflow.as_ref().map(|w| &*w.name), *workflow, "{model}");
        assert_eq!(names(&plan)[0], *first, "{model}");
    }
}

#[test]
fn aliases_share_the_slot_of_their_model_and_unlisted_models_that_of_their_provider() {
    let file = file();
    let slot = |name: &str| file.direct(name).unwrap().index;
    assert_eq!(slot("openai/gpt-4.1"), slot("openai/gpt-4.1-2025-04-14"));
    assert_eq!(slot("openai/x1"), slot("openai/x2"));
    assert_ne!(slot("openai/x1"), slot("local/x1"));
    assert!(file.targets().iter().enumerate().all(|(i, t)| t.index == i));
    assert!(file.direct("nobody/x").is_none() && file.direct("openai/a b").is_none());
    assert!(file.direct(&format!("openai/{}", "x".repeat(300))).is_none());
}

#[test]
fn what_nothing_knows_is_refused_with_the_nearest_name() {
    let file = file();
    let mut by_header = request("gpt-4.1");
    by_header.workflow = Some("triaje");
    for (request, near) in
        [(by_header, "triage"), (request("gpt-4.2"), "gpt-4.1"), (request("opnai/gpt-4.1"), "openai/gpt-4.1")]
    {
        let denial = plan(&file, &request, &Table::default(), NOW, 1).unwrap_err();
        assert_eq!(denial.code, Code::UnknownModel);
        assert!(denial.message.contains(near), "{denial}");
    }
}

#[test]
fn a_key_calls_what_its_team_and_itself_may() {
    let file = file();
    let cases = [
        (session("support", &[], None), "triage", true),
        (session("support", &[], None), "cheap", false),
        (session("support", &["helpdesk"], None), "triage", false),
        (session("support", &[], None), "openai/gpt-4.1", true),
        (session("support", &[], None), "gpt-4.1-mini", true),
        (session("support", &[], None), "anthropic/claude-sonnet-4-5", false),
        (session("support", &["triage"], None), "openai/gpt-4.1", false),
        (session("nobody", &[], None), "triage", false),
    ];
    for (caller, model, allowed) in cases {
        let mut request = request(model);
        request.caller = Some(&caller);
        let decided = plan(&file, &request, &Table::default(), NOW, 1);
        match decided {
            Ok(_) => assert!(allowed, "{model} {caller:?}"),
            Err(denial) => {
                assert!(!allowed, "{model} {denial}");
                assert_eq!(denial.code, Code::NotAllowed);
            }
        }
    }
}

#[test]
fn tiers_stand_in_order_with_their_permits_and_what_they_give_up() {
    let plan = plan(&file(), &request("triage"), &Table::default(), NOW, 7).unwrap();
    let steps = plan.steps();
    assert_eq!(steps.len(), 4);
    assert_eq!(steps[0].permit(), &Permit::Primary);
    assert!(steps[1..].iter().all(|s| s.permit() == &Permit::Uncertified));
    assert_eq!(steps.iter().map(|s| s.tier()).collect::<Vec<_>>(), [0, 1, 1, 2]);
    // The downgrade lacks json_schema and says so: the need is waived for it, and for nobody else.
    assert_eq!(&*steps[3].target().name, "local/gemma");
    assert_eq!(steps[3].gave_up().iter().map(|g| &**g).collect::<Vec<_>>(), ["json_schema", "quality"]);
    assert!(steps[..3].iter().all(|s| s.gave_up().is_empty()));
    assert_eq!(plan.data_class.as_deref(), Some("internal"));
    assert_eq!(plan.deadline, NOW.tick.after(Duration::from_secs(20)));
    // 500 prompt tokens at 3 and 1024 assumed ones at 15 US dollars per million.
    assert_eq!(steps[0].estimated_cost().unwrap().to_string(), "0.01686");
}

#[test]
fn data_classes_fail_closed_and_only_ever_narrow() {
    let file = file();
    // (model, class of the key, class of the header, steps or the code of the refusal, label)
    type Case<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Result<&'a [&'a str], Code>, Option<&'a str>);
    let both: &[&str] = &["anthropic/claude-sonnet-4-5", "local/gemma"];
    let cases: &[Case<'_>] = &[
        ("health", None, None, Ok(both), Some("phi")),
        ("health", None, Some("internal"), Ok(both), Some("phi")),
        ("health", None, Some("strict_phi"), Ok(&["local/gemma"]), Some("strict_phi")),
        ("health", Some("strict_phi"), Some("phi"), Ok(&["local/gemma"]), Some("strict_phi")),
        ("health", None, Some("eu_only"), Err(Code::DataRule), None),
        ("health", None, Some("phii"), Err(Code::DataRule), None),
        ("openai/gpt-4.1", None, Some("phi"), Err(Code::DataRule), None),
        ("openai/gpt-4.1", Some("phi"), None, Err(Code::DataRule), None),
        ("local/anything", None, Some("phi"), Ok(&["local/anything"]), Some("phi")),
        ("azure-eu/gpt-4.1", None, Some("eu_only"), Ok(&["azure-eu/gpt-4.1"]), Some("eu_only")),
    ];
    for (model, key, header, expected, label) in cases {
        let caller = session("x", &[], *key);
        let mut open = file.clone();
        open.teams = None;
        let mut request = request(model);
        request.data_class = *header;
        request.caller = Some(&caller);
        match (plan(&open, &request, &Table::default(), NOW, 1), expected) {
            (Ok(plan), Ok(steps)) => {
                assert_eq!(names(&plan), *steps, "{model} {header:?}");
                assert_eq!(plan.data_class.as_deref(), *label, "{model} {header:?}");
            }
            (Err(denial), Err(code)) => assert_eq!(denial.code, *code, "{denial}"),
            (other, _) => panic!("{model} {key:?} {header:?}: {other:?}"),
        }
    }
}

#[test]
fn an_agreement_ends_with_its_last_day() {
    let file = file();
    let at = |y, m, d, h| {
        let now = model::Now { wall: model::Timestamp::from_civil(y, m, d, h, 59, 59), tick: NOW.tick };
        names(&plan(&file, &request("health"), &Table::default(), now, 1).unwrap()).len()
    };
    assert_eq!((at(2027, 6, 30, 23), at(2027, 7, 1, 0)), (2, 1));
}

#[test]
fn needs_windows_and_prices_keep_targets_out() {
    let file = file();
    let with = |edit: fn(&mut model::Request<'_>)| {
        let mut request = request("triage");
        edit(&mut request);
        plan(&file, &request, &Table::default(), NOW, 7)
    };
    let vision = with(|r| r.needs = Capabilities::NONE.with(Capability::Vision)).unwrap();
    assert!(!names(&vision).contains(&"local/gemma"));
    let long = with(|r| r.estimated_tokens = 3900).unwrap();
    assert!(!names(&long).contains(&"local/gemma"), "{:?}", names(&long));
    // 4096 output tokens at 15 and at 8 US dollars per million are above 0.02; the local model is free.
    let dear = with(|r| r.max_output = Some(4096)).unwrap_err();
    assert_eq!(dear.code, Code::MaxCost, "{dear}");
    let small = with(|r| (r.max_output, r.estimated_tokens) = (Some(1500), 100)).unwrap();
    assert_eq!(names(&small).last(), Some(&"local/gemma"));
    let huge = with(|r| r.estimated_tokens = 5_000_000).unwrap_err();
    assert_eq!(huge.code, Code::ContextExceeded);
    let audio = with(|r| r.needs = Capabilities::NONE.with(Capability::Audio)).unwrap_err();
    assert_eq!((audio.code, audio.rule.as_str()), (Code::CannotCarry, "workflows.triage.needs"));
    // What the client names itself is not second-guessed.
    let mut direct = request("openai/gpt-4.1");
    direct.needs = Capabilities::NONE.with(Capability::Audio);
    direct.estimated_tokens = 5_000_000;
    assert!(plan(&file, &direct, &Table::default(), NOW, 1).is_ok());
}

#[test]
fn prefer_orders_a_tier() {
    let file = file();
    let world = Table::default()
        .with("anthropic/claude-sonnet-4-5", latency(300))
        .with("openai/gpt-4.1", latency(500))
        .with("openai/gpt-4.1-mini", latency(900));
    let order = |model: &str| -> Vec<String> {
        let plan = plan(&file, &request(model), &world, NOW, 3).unwrap();
        names(&plan).iter().map(|n| n.split_once('/').unwrap().1.to_owned()).collect()
    };
    assert_eq!(order("cheap"), ["gpt-4.1-mini", "gpt-4.1", "claude-sonnet-4-5"]);
    assert_eq!(order("fast"), ["claude-sonnet-4-5", "gpt-4.1", "gpt-4.1-mini"]);
    // Ranks in cost times ranks in wait: mini 1x3, claude 3x1, gpt-4.1 2x2; the tie goes to the lesser wait.
    assert_eq!(order("balanced"), ["claude-sonnet-4-5", "gpt-4.1-mini", "gpt-4.1"]);
}

#[test]
fn calls_under_way_make_a_fast_target_slower_and_an_unknown_one_is_explored_by_few() {
    let file = file();
    let first = |claude: Health, mini: Health| {
        let world = Table::default()
            .with("anthropic/claude-sonnet-4-5", claude)
            .with("openai/gpt-4.1-mini", mini)
            .with("openai/gpt-4.1", latency(5000));
        names(&plan(&file, &request("fast"), &world, NOW, 3).unwrap())[0].to_owned()
    };
    let busy = Health { in_flight: 5, ..latency(300) };
    assert_eq!(first(busy, latency(900)), "openai/gpt-4.1-mini");
    let unknown = Health::default();
    let explored = Health { in_flight: 2, ..unknown };
    assert_eq!(first(Health { in_flight: 1, ..latency(300) }, unknown), "openai/gpt-4.1-mini");
    assert_eq!(first(Health { in_flight: 1, ..latency(300) }, explored), "anthropic/claude-sonnet-4-5");
}

#[test]
fn weights_share_and_sessions_stick() {
    let file = file();
    let firsts = (0..4000)
        .filter(|seed| {
            names(&plan(&file, &request("weighted"), &Table::default(), NOW, *seed).unwrap())[0]
                == "openai/gpt-4.1"
        })
        .count();
    assert!((2850..3150).contains(&firsts), "three of four: {firsts}");
    let mut spread = std::collections::BTreeMap::new();
    for i in 0..300 {
        let session = format!("session-{i}");
        let mut request = request("sticky");
        request.session = Some(&session);
        let first = |seed| names(&plan(&file, &request, &Table::default(), NOW, seed).unwrap())[0].to_owned();
        assert_eq!(first(1), first(2), "a session stays where it is");
        *spread.entry(first(1)).or_insert(0) += 1;
    }
    assert!(spread.len() == 3 && spread.values().all(|n| *n > 60), "{spread:?}");
}

#[test]
fn a_recovering_target_gets_its_share_and_no_more() {
    let file = file();
    let slow = Health { weight_permille: 100, ..latency(1) };
    let world = Table::default()
        .with("anthropic/claude-sonnet-4-5", slow)
        .with("openai/gpt-4.1", latency(500))
        .with("openai/gpt-4.1-mini", latency(900));
    let first = (0..2000).filter(|seed| {
        names(&plan(&file, &request("fast"), &world, NOW, *seed).unwrap())[0].starts_with("anthropic")
    });
    let share = first.count();
    assert!((140..260).contains(&share), "a tenth of 2000: {share}");
}

#[test]
fn sick_targets_are_passed_over_and_when_all_are_sick_the_client_learns_when_to_return() {
    let file = file();
    let world = Table::default()
        .with("openai/gpt-4.1", closed(5000, false))
        .with("anthropic/claude-sonnet-4-5", Health { out: Some(FailureKind::Auth), ..Health::default() });
    let mut request_ = request("health");
    assert_eq!(names(&plan(&file, &request_, &world, NOW, 1).unwrap()), ["local/gemma"]);

    let all = world.clone().with("local/gemma", closed(700, false));
    let denial = plan(&file, &request_, &all, NOW, 1).unwrap_err();
    assert_eq!((denial.code, denial.retry_after), (Code::NoTarget, Some(Duration::from_millis(700))));

    // A rate limit that ends soon is worth a wait; one that does not is a 429.
    let soon = Table::default().with("local/gemma", closed(700, true));
    request_.data_class = Some("strict_phi");
    let plan_ = plan(&file, &request_, &soon, NOW, 1).unwrap();
    let Move::Take { step: 0, wait, .. } = next(&plan_, &[], NOW) else { panic!("{plan_:?}") };
    assert_eq!(wait, Duration::from_millis(700));
    let late = Table::default().with("local/gemma", closed(2500, true));
    let denial = plan(&file, &request_, &late, NOW, 1).unwrap_err();
    assert_eq!((denial.code, denial.retry_after), (Code::RateLimited, Some(Duration::from_millis(2500))));
    // The one request that may probe does.
    let probe = Table::default().with("local/gemma", Health { probe: true, ..closed(0, false) });
    assert!(plan(&file, &request_, &probe, NOW, 1).unwrap().steps()[0].is_probe());
}

#[test]
fn a_target_too_slow_for_the_deadline_is_tried_last_and_not_dropped() {
    let world = Table::default().with("anthropic/claude-sonnet-4-5", latency(30_000));
    let plan = plan(&file(), &request("triage"), &world, NOW, 1).unwrap();
    assert_eq!(names(&plan).last(), Some(&"anthropic/claude-sonnet-4-5"));
    assert_eq!(plan.steps().len(), 4);
}

#[test]
fn the_tighter_deadline_wins_and_limits_follow_the_past() {
    let file = file();
    let limits = |model: &str, health: Health, edit: fn(&mut model::Request<'_>)| {
        let mut request = request(model);
        edit(&mut request);
        let target = if model == "triage" { "anthropic/claude-sonnet-4-5" } else { model };
        let plan = plan(&file, &request, &Table::default().with(target, health), NOW, 1).unwrap();
        let Move::Take { limits, .. } = next(&plan, &[], NOW) else { panic!() };
        limits
    };
    let seconds = Duration::from_secs;
    let stream = |_: &mut model::Request<'_>| {};
    assert_eq!(limits("triage", latency(100), stream).first_token, seconds(3), "the workflow's word");
    assert_eq!(limits("openai/gpt-4.1", latency(100), stream).first_token, seconds(2));
    assert_eq!(limits("openai/gpt-4.1", latency(2000), stream).first_token, seconds(6));
    assert_eq!(limits("openai/gpt-4.1", latency(9000), stream).first_token, seconds(10));
    assert_eq!(limits("openai/gpt-4.1", Health::default(), stream).total, seconds(600));
    assert_eq!(limits("anthropic/claude-sonnet-4-5", Health::default(), stream).first_token, seconds(60));
    let client = |r: &mut model::Request<'_>| r.deadline = Some(Duration::from_millis(1500));
    let tight = limits("triage", Health::default(), client);
    assert_eq!((tight.total, tight.first_token), (Duration::from_millis(1500), Duration::from_millis(750)));
    let whole = |r: &mut model::Request<'_>| (r.stream, r.max_output) = (false, Some(1000));
    assert_eq!(limits("openai/gpt-4.1", latency(100), whole).first_token, seconds(50));
    let _ = Tick(0);
}
