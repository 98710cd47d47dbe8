//! Rows that look like a server's, made from a number so that every test can name the one it means.
#![allow(dead_code)]

use model::{
    Asked, AttemptRow, Capabilities, Capability, Dialect, End, FailureKind, Money, RequestId, RequestRow,
    Timestamp, Usage,
};

/// The first row's time: 2026-11-22 12:00 UTC.
pub const EPOCH_US: i64 = 1_795_348_800_000_000;

/// The id of row `n`; they are a millisecond apart.
pub fn id(n: u64) -> RequestId {
    RequestId::compose((EPOCH_US / 1000) as u64 + n, 7, n)
}

/// Row `n` as it stands before its only dispatch.
pub fn intent(n: u64) -> RequestRow {
    let at = Timestamp(EPOCH_US + n as i64 * 1000);
    RequestRow {
        request_id: id(n),
        at,
        workflow: Some("refund-triage".into()),
        team: Some("support".into()),
        key_id: Some("4hx2q8v0m3kd".into()),
        dialect: Dialect::OpenAi,
        stream: n.is_multiple_of(2),
        data_class: Some("internal".into()),
        policy_digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        end: End::Unknown,
        problem: None,
        served_by: None,
        gave_up: Vec::new(),
        cache: None,
        cost_usd: None,
        usage: Usage::UNKNOWN,
        first_token_ms: None,
        total_ms: None,
        attempts: vec![attempt(0, "anthropic/claude-sonnet-4-5", at)],
        asked: Asked {
            model: "refund-triage".into(),
            needs: Capabilities::NONE.with(Capability::JsonSchema),
            estimated_tokens: 412 + n % 1000,
            max_output: Some(512),
        },
    }
}

fn attempt(step: u32, target: &str, began: Timestamp) -> AttemptRow {
    AttemptRow {
        step,
        target: target.into(),
        began,
        status: None,
        failure: None,
        detail: None,
        first_token_ms: None,
        total_ms: None,
        usage: Usage::UNKNOWN,
        cost_usd: None,
        permit: "primary".into(),
    }
}

/// Row `n` served.
pub fn served(n: u64) -> RequestRow {
    let mut row = intent(n);
    let usage = Usage { input: Some(400 + n), output: Some(57), cache_read: Some(128), ..Usage::UNKNOWN };
    row.end = End::Served;
    row.served_by = Some("anthropic/claude-sonnet-4-5".into());
    row.cost_usd = Some(Money(1_234_500 + n as i64));
    row.usage = usage;
    row.first_token_ms = Some(310);
    row.total_ms = Some(1200 + n % 7);
    let attempt = &mut row.attempts[0];
    attempt.status = Some(200);
    attempt.first_token_ms = Some(309);
    attempt.total_ms = Some(1199);
    attempt.usage = usage;
    attempt.cost_usd = row.cost_usd;
    row
}

/// Row `n` before the dispatch of its second attempt, the first having failed.
pub fn second_intent(n: u64) -> RequestRow {
    let mut row = intent(n);
    let first = &mut row.attempts[0];
    first.status = Some(529);
    first.failure = Some(FailureKind::Overloaded);
    first.detail = Some("{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}".into());
    first.total_ms = Some(40);
    let began = Timestamp(row.at.0 + 41_000);
    row.attempts
        .push(AttemptRow { permit: "certified:cert_01".into(), ..attempt(1, "openai/gpt-4.1", began) });
    row
}

/// Row `n` denied before any dispatch.
pub fn denied(n: u64) -> RequestRow {
    RequestRow {
        end: End::Denied,
        problem: Some("data_rule".into()),
        attempts: Vec::new(),
        total_ms: Some(0),
        ..intent(n)
    }
}

/// Row `n` failed after two attempts, with something lost and everything odd about it.
pub fn failed(n: u64) -> RequestRow {
    RequestRow {
        end: End::Failed,
        problem: Some("all_targets_failed".into()),
        gave_up: vec!["reasoning".into(), "long, \"quoted\" context".into()],
        workflow: None,
        data_class: None,
        cache: Some("miss".into()),
        ..second_intent(n)
    }
}
