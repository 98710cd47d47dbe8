//! Case tables for `next`: what follows each failure, and the bounds that hold whatever happens.
#![allow(clippy::unwrap_used)]

mod support;

use model::{Code, FailureKind, Now};
use policy::{Ending, Move, Plan, Tried, next, plan};
use std::time::Duration;
use support::{NOW, Table, policy, request};

const FILE: &str = r#"
providers: {openai: {}, anthropic: {}, azure-eu: {preset: azure, base_url: https://acme.openai.azure.com}}
models: {openai/small: {context: 8000, can: [tools]}}
workflows:
  defaults: {route: [openai/small, openai/gpt-4.1-mini, anthropic/claude-sonnet-4-5, azure-eu/gpt-4.1, openai/gpt-4.1]}
  alone: {route: [openai/gpt-4.1], latency: {total: 20s}}
  strict: {route: [openai/gpt-4.1, anthropic/claude-sonnet-4-5], on: {outage: return, refusal: next, timeout: retry_then_next, quota: retry_then_next, auth: retry_then_next, context_exceeded: next}}
"#;

fn made(workflow: &str) -> Plan {
    plan(&policy(FILE), &request(workflow), &Table::default(), NOW, 5).unwrap()
}

fn tried(step: usize, kind: FailureKind) -> Tried {
    Tried { step, kind, began: NOW.tick, ended: NOW.tick, retry_after: None, content_sent: false }
}

/// What follows, in a word: the step taken (`again` for the same one), `return`, or the ending.
fn follows(plan: &Plan, tried: &[Tried]) -> String {
    match next(plan, tried, NOW) {
        Move::Take { step, .. } if tried.last().is_some_and(|t| t.step == step) => "again".to_owned(),
        Move::Take { step, .. } => step.to_string(),
        Move::Return => "return".to_owned(),
        Move::Stop(ending) => format!("{ending:?}"),
    }
}

#[test]
fn every_failure_has_its_default() {
    let plan = made("defaults");
    for kind in FailureKind::ALL {
        let expected = match kind {
            FailureKind::Reset | FailureKind::ServerError | FailureKind::Overloaded => "again",
            FailureKind::Refusal | FailureKind::ContentFilter | FailureKind::BadRequest => "return",
            FailureKind::Deadline => "Deadline",
            // The key of the provider is out, so its other models are skipped.
            FailureKind::Auth | FailureKind::Quota => "2",
            _ => "1",
        };
        assert_eq!(follows(&plan, &[tried(0, *kind)]), expected, "{kind}");
    }
}

#[test]
fn a_retry_comes_once_and_then_the_next_step() {
    let plan = made("defaults");
    let failed = tried(0, FailureKind::ServerError);
    let Move::Take { step: 0, wait, .. } = next(&plan, &[failed], NOW) else { panic!() };
    assert!(wait > Duration::ZERO && wait < Duration::from_millis(250), "{wait:?}");
    assert_eq!(follows(&plan, &[failed, failed]), "1");
    // A provider that asks for a short pause gets it; one that asks for a long one is left.
    let pause = |ms| Tried { retry_after: Some(Duration::from_millis(ms)), ..failed };
    let Move::Take { step: 0, wait, .. } = next(&plan, &[pause(1500)], NOW) else { panic!() };
    assert_eq!(wait, Duration::from_millis(1500));
    assert_eq!(follows(&plan, &[pause(2500)]), "1");
}

#[test]
fn what_the_file_says_wins_except_where_it_would_repeat_a_lost_call() {
    let plan = made("strict");
    let cases = [
        (FailureKind::ServerError, "return"),
        (FailureKind::Refusal, "1"),
        (FailureKind::Stall, "1"),
        (FailureKind::Auth, "1"),
        (FailureKind::Quota, "1"),
        (FailureKind::RateLimited, "again"),
        (FailureKind::ContextExceeded, "1"),
    ];
    for (kind, expected) in cases {
        assert_eq!(follows(&plan, &[tried(0, kind)]), expected, "{kind}");
    }
}

#[test]
fn a_prompt_too_long_goes_to_a_larger_window_or_back_to_the_client() {
    let plan = made("defaults");
    let too_long = |step| tried(step, FailureKind::ContextExceeded);
    assert_eq!(follows(&plan, &[too_long(0)]), "1");
    assert_eq!(follows(&plan, &[too_long(2)]), "1");
    assert_eq!(follows(&plan, &[too_long(0), too_long(1)]), "return", "nobody has more than a million");
    assert_eq!(follows(&made("alone"), &[too_long(0)]), "return");
}

#[test]
fn four_attempts_are_the_most() {
    let plan = made("defaults");
    let all: Vec<Tried> = (0..4).map(|i| tried(i, FailureKind::Connect)).collect();
    assert_eq!(follows(&plan, &all[..3]), "3");
    assert_eq!(follows(&plan, &all), "Attempts");
}

#[test]
fn nobody_else_answers_once_the_client_has_seen_content() {
    let plan = made("defaults");
    for kind in FailureKind::ALL {
        let seen = Tried { content_sent: true, ..tried(0, *kind) };
        assert_eq!(next(&plan, &[seen], NOW), Move::Stop(Ending::AfterContent), "{kind}");
    }
}

#[test]
fn a_rate_limit_is_waited_for_only_when_nothing_else_is_left_and_it_is_short() {
    let limited =
        |ms| Tried { retry_after: Some(Duration::from_millis(ms)), ..tried(0, FailureKind::RateLimited) };
    assert_eq!(follows(&made("defaults"), &[limited(100)]), "1");
    let alone = made("alone");
    let Move::Take { step: 0, wait, .. } = next(&alone, &[limited(1800)], NOW) else { panic!() };
    assert_eq!(wait, Duration::from_millis(1800));
    assert_eq!(follows(&alone, &[limited(2100)]), "Exhausted");
    assert_eq!(follows(&alone, &[limited(100), limited(100)]), "Exhausted");
    assert_eq!(Ending::Exhausted.code(&[limited(2100)]), Code::RateLimited);
    assert_eq!(Ending::Exhausted.retry_after(&[limited(2100)], NOW), Some(Duration::from_millis(2100)));
}

#[test]
fn nothing_begins_at_or_after_the_deadline() {
    let plan = made("alone");
    let at = |seconds| Now { tick: NOW.tick.after(Duration::from_secs(seconds)), ..NOW };
    assert_eq!(next(&plan, &[], at(20)), Move::Stop(Ending::Deadline));
    assert_eq!(next(&plan, &[tried(0, FailureKind::Connect)], at(20)), Move::Stop(Ending::Deadline));
    // The client still reads a refusal that came in the last moment.
    assert_eq!(next(&plan, &[tried(0, FailureKind::Refusal)], at(20)), Move::Return);
    let Move::Take { limits, .. } = next(&plan, &[], at(19)) else { panic!() };
    assert_eq!(
        (limits.total, limits.connect, limits.idle),
        (Duration::from_secs(1), Duration::from_secs(1), Duration::from_secs(1))
    );
}

#[test]
fn endings_have_their_codes() {
    let failures = |kinds: &[FailureKind]| kinds.iter().map(|k| tried(0, *k)).collect::<Vec<_>>();
    let cases = [
        (Ending::Deadline, failures(&[FailureKind::Stall]), Code::Deadline),
        (Ending::AfterContent, failures(&[FailureKind::Cut]), Code::StreamBroken),
        (Ending::Exhausted, failures(&[FailureKind::RateLimited, FailureKind::Quota]), Code::RateLimited),
        (Ending::Exhausted, failures(&[FailureKind::RateLimited, FailureKind::Connect]), Code::AllFailed),
        (Ending::Exhausted, failures(&[FailureKind::ContextExceeded]), Code::ContextExceeded),
        (Ending::Attempts, failures(&[FailureKind::Connect]), Code::AllFailed),
        (Ending::Exhausted, failures(&[FailureKind::ModelGone]), Code::UnknownModel),
        (Ending::Exhausted, failures(&[FailureKind::ModelGone, FailureKind::Connect]), Code::AllFailed),
    ];
    for (ending, tried, code) in cases {
        assert_eq!(ending.code(&tried), code, "{ending:?} {tried:?}");
    }
}
