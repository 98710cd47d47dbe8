//! What `explain` and `why-not` say, and that each change `why-not` proposes does what it says.
#![allow(clippy::unwrap_used)]

mod support;

use model::FailureKind;
use policy::{Health, explain, why_not};
use std::time::Duration;
use support::{NOW, Table, policy, request};

fn example(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn seen() -> Table {
    let latency = |ms| Health { latency: Some(Duration::from_millis(ms)), ..Health::default() };
    let until = NOW.tick.after(Duration::from_millis(4200));
    Table::default()
        .with("anthropic/claude-sonnet-4-5", latency(700))
        .with("openai/gpt-4.1", latency(450))
        .with("azure-eu/gpt-4.1", Health { closed_until: Some(until), ..latency(300) })
}

#[test]
fn the_contracts_example_is_explained() {
    let file = policy(&example("pointsman.yaml"));
    let told = explain(&file, &request("refund-triage"), &seen(), NOW, 11);
    insta::assert_snapshot!("refund_triage", told);
    // The digest follows the catalog's prices and is tested elsewhere.
    insta::assert_json_snapshot!(
        "refund_triage_json",
        policy::Explanation { policy_digest: "…".into(), ..told }
    );
    let headers = [("x-app", "helpdesk")];
    let mut by_rule = request("gpt-4.1");
    by_rule.headers = &headers;
    insta::assert_snapshot!("macro_drafting", explain(&file, &by_rule, &seen(), NOW, 11));
}

#[test]
fn a_refusal_is_explained_candidate_by_candidate() {
    let policy = policy(&example("phi.yaml"));
    let mut notes = request("meeting-notes");
    notes.data_class = Some("phi");
    let ill = Table::default()
        .with("anthropic/claude-sonnet-4-5", Health { out: Some(FailureKind::Auth), ..Health::default() });
    insta::assert_snapshot!("phi_refused", explain(&policy, &notes, &ill, NOW, 1));
}

const FILE: &str = r#"
providers:
  openai: {region: us, terms: {retention: 30d}}
  anthropic: {}
  mistral: {region: eu, terms: {retention: none, training: never, baa: always}}
  local: {dialect: openai, base_url: http://127.0.0.1:9000/v1, region: onprem, terms: {retention: none, training: never, baa: always}}
data_classes:
  phi: {regions: [us, onprem], require: {retention: none, training: never, baa: true}}
workflows:
  health: {data_class: phi, needs: [tools], max_cost: 0.005, route: [openai/gpt-4.1-mini, local/gemma, mistral/mistral-small-latest]}
  free: {route: [openai/gpt-4.1-mini]}
teams: {clinic: {workflows: [free]}}
"#;

#[test]
fn every_obstacle_has_its_smallest_change() {
    let policy = policy(FILE);
    let cases = [
        ("openai/gpt-4.1-mini", "openai_mini"),
        ("openai/gpt-4.1", "openai_not_in_the_route_and_too_dear"),
        ("anthropic/claude-sonnet-4-5", "anthropic_nothing_known"),
        ("mistral/mistral-small-latest", "mistral_in_the_wrong_region"),
        ("local/gemma", "local_unknown_model"),
    ];
    for (target, name) in cases {
        let told = why_not(&policy, target, "health", &request("health"), &Table::default(), NOW).unwrap();
        assert!(told.obstacle.is_none() && !told.changes.is_empty(), "{told}");
        insta::assert_snapshot!(name, told);
    }
}

#[test]
fn a_target_that_serves_needs_no_change() {
    let told =
        why_not(&policy(FILE), "gpt-4.1-mini", "free", &request("free"), &Table::default(), NOW).unwrap();
    assert!(told.changes.is_empty() && told.reasons.is_empty() && told.obstacle.is_none());
    assert_eq!(told.to_string(), "openai/gpt-4.1-mini already serves free\n");
}

#[test]
fn what_no_file_can_mend_is_said_so() {
    let policy = policy(FILE);
    let ill = Table::default()
        .with("openai/gpt-4.1-mini", Health { out: Some(FailureKind::Auth), ..Health::default() });
    let told = why_not(&policy, "openai/gpt-4.1-mini", "free", &request("free"), &ill, NOW).unwrap();
    assert!(told.changes.is_empty());
    assert_eq!(told.obstacle.as_deref(), Some("out of service since a failure of kind auth"));
    let long = model::Request { estimated_tokens: 2_000_000, ..request("free") };
    let told = why_not(&policy, "openai/gpt-4.1-mini", "free", &long, &Table::default(), NOW).unwrap();
    assert!(told.obstacle.is_some_and(|o| o.contains("window")));
}

#[test]
fn a_team_that_may_not_call_is_named() {
    let policy = policy(FILE);
    let caller = model::Session {
        key_id: "key_1".into(),
        team: "clinic".into(),
        workflows: Vec::new(),
        data_class: None,
    };
    let asked = model::Request { caller: Some(&caller), ..request("health") };
    let told = why_not(&policy, "openai/gpt-4.1-mini", "health", &asked, &Table::default(), NOW).unwrap();
    assert_eq!(told.changes[0].to_string(), "add health to teams.clinic.workflows");
    assert!(told.obstacle.is_none());
}

#[test]
fn names_that_nobody_knows_are_told_apart() {
    let policy = policy(FILE);
    let ask = |target, workflow| why_not(&policy, target, workflow, &request("x"), &Table::default(), NOW);
    assert_eq!(
        ask("openai/gpt-4.1", "helth").unwrap_err(),
        "there is no workflow `helth`; did you mean `health`?"
    );
    assert_eq!(
        ask("opnai/x", "free").unwrap_err(),
        "there is no provider `opnai` in the policy; did you mean `openai`?"
    );
}
