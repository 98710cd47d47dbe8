//! Breakers, averages and budgets over a clock that the tests turn.
#![allow(clippy::unwrap_used)]

use model::{FailureKind, Tick};
use policy::health::{Outcome, PeakEwma, RetryBudget, TargetHealth};
use std::time::Duration;

const START: Tick = Tick(5_000_000_000);

fn at(ms: u64) -> Tick {
    START.after(Duration::from_millis(ms))
}

fn fails(health: &mut TargetHealth, kind: FailureKind, now: Tick) {
    assert!(health.begin(now), "the call may begin");
    health.end(Outcome::Failed(kind, None), None, now);
}

fn serves(health: &mut TargetHealth, now: Tick) {
    assert!(health.begin(now), "the call may begin");
    health.end(Outcome::Served, None, now);
}

fn opened() -> TargetHealth {
    let mut health = TargetHealth::new();
    (0..5).for_each(|_| fails(&mut health, FailureKind::ServerError, at(0)));
    health
}

#[test]
fn five_failures_in_a_row_open_the_breaker_and_four_do_not() {
    let mut health = TargetHealth::new();
    (0..4).for_each(|_| fails(&mut health, FailureKind::Connect, at(0)));
    serves(&mut health, at(1));
    (0..4).for_each(|_| fails(&mut health, FailureKind::Connect, at(2)));
    assert_eq!(health.view(at(2)).closed_until, None);
    fails(&mut health, FailureKind::Stall, at(3));
    assert_eq!(health.view(at(3)).closed_until, Some(at(1003)));
    assert!(!health.begin(at(500)), "nobody calls while it is open");
}

#[test]
fn a_window_in_which_most_calls_fail_opens_it() {
    let mut health = TargetHealth::new();
    for _ in 0..4 {
        fails(&mut health, FailureKind::ServerError, at(0));
        serves(&mut health, at(0));
    }
    fails(&mut health, FailureKind::ServerError, at(1));
    assert_eq!(health.view(at(1)).closed_until, None, "nine calls are not enough to judge");
    fails(&mut health, FailureKind::ServerError, at(2));
    assert!(health.view(at(2)).closed_until.is_some(), "four of ten served");
    // The same calls over more than one window never meet.
    let mut slow = TargetHealth::new();
    for i in 0..20 {
        fails(&mut slow, FailureKind::ServerError, at(i * 6000));
        serves(&mut slow, at(i * 6000 + 3000));
    }
    assert_eq!(slow.view(at(120_000)).closed_until, None);
}

#[test]
fn one_request_probes_and_its_outcome_decides() {
    let mut health = opened();
    assert!(!health.view(at(999)).probe);
    assert!(health.view(at(1000)).probe);
    assert!(health.begin(at(1000)));
    let during = health.view(at(1001));
    assert!(!during.probe && during.closed_until.is_some(), "the others stay away while it probes");
    assert!(!health.begin(at(1001)));
    health.end(Outcome::Failed(FailureKind::ServerError, None), None, at(1100));
    assert_eq!(health.view(at(1100)).closed_until, Some(at(3100)), "the opening doubles");
    for (probe, reopens) in [(3100, 7100), (7100, 15_100), (15_100, 25_100), (25_100, 35_100)] {
        fails(&mut health, FailureKind::ServerError, at(probe));
        assert_eq!(health.view(at(probe)).closed_until, Some(at(reopens)), "up to ten seconds");
    }
    serves(&mut health, at(35_100));
    assert_eq!(health.view(at(35_100)).closed_until, None);
}

#[test]
fn a_probe_whose_client_left_gives_way_to_another() {
    let mut health = opened();
    assert!(health.begin(at(1000)));
    health.end(Outcome::Abandoned, None, at(1200));
    assert!(health.view(at(1200)).probe);
    // And one that never comes back does not close the target for ever.
    assert!(health.begin(at(1200)));
    assert!(!health.view(at(60_000)).probe && health.view(at(61_200)).probe);
}

#[test]
fn traffic_comes_back_in_a_line_over_ten_seconds() {
    let mut health = opened();
    serves(&mut health, at(1000));
    let shares: Vec<u16> =
        [0, 5000, 9999, 10_000].iter().map(|ms| health.view(at(1000 + ms)).weight_permille).collect();
    assert_eq!(shares, [100, 550, 999, 1000]);
}

#[test]
fn a_rate_limit_closes_until_its_reset_and_is_no_fault() {
    let mut health = TargetHealth::new();
    for _ in 0..6 {
        assert!(health.begin(at(0)));
        health.end(Outcome::Failed(FailureKind::RateLimited, Some(Duration::from_secs(30))), None, at(0));
    }
    let now = health.view(at(29_999));
    assert!(now.rate_limited && now.closed_until == Some(at(30_000)) && now.out.is_none());
    assert_eq!(health.view(at(30_000)).closed_until, None);
    // A shorter reset that arrives later does not open a longer one.
    health.end(Outcome::Failed(FailureKind::RateLimited, Some(Duration::from_secs(1))), None, at(10));
    assert_eq!(health.view(at(2000)).closed_until, Some(at(30_000)));
}

#[test]
fn refused_keys_and_gone_models_are_out_until_somebody_mends_them_or_five_minutes_have_passed() {
    for kind in [FailureKind::Auth, FailureKind::ModelGone] {
        let mut health = TargetHealth::new();
        fails(&mut health, kind, at(0));
        assert_eq!(health.view(at(299_999)).out, Some(kind));
        assert_eq!(health.view(at(300_000)).out, None);
        health.put_back();
        assert_eq!(health.view(at(1)).out, None);
    }
    let mut spent = TargetHealth::new();
    fails(&mut spent, FailureKind::Quota, at(0));
    assert_eq!(spent.view(at(59_999)).out, Some(FailureKind::Quota));
    assert_eq!(spent.view(at(60_000)).out, None, "a spent quota is asked again after a minute");
}

#[test]
fn the_clients_own_mistakes_never_open_the_breaker() {
    let own = [
        FailureKind::BadRequest,
        FailureKind::ContextExceeded,
        FailureKind::Refusal,
        FailureKind::ContentFilter,
        FailureKind::SchemaViolation,
        FailureKind::Deadline,
    ];
    let mut health = TargetHealth::new();
    for kind in own.into_iter().cycle().take(60) {
        fails(&mut health, kind, at(0));
    }
    let now = health.view(at(0));
    assert_eq!((now.closed_until, now.out, now.in_flight), (None, None, 0));
}

#[test]
fn the_average_jumps_up_at_once_and_comes_down_slowly() {
    let ms = Duration::from_millis;
    let mut average = PeakEwma::default();
    assert_eq!(average.get(at(0)), None);
    average.observe(ms(100), at(0));
    average.observe(ms(2000), at(100));
    assert_eq!(average.get(at(100)), Some(ms(2000)));
    average.observe(ms(100), at(1100));
    let soon = average.get(at(1100)).unwrap();
    assert!(soon > ms(1700) && soon < ms(1900), "{soon:?}");
    (2..60).for_each(|s| average.observe(ms(100), at(s * 1000)));
    assert!(average.get(at(60_000)).unwrap() < ms(120));
    assert_eq!(average.get(at(700_000)), None, "what is ten minutes old means nothing");
}

#[test]
fn calls_under_way_are_counted() {
    let mut health = TargetHealth::new();
    assert!(health.begin(at(0)) && health.begin(at(0)));
    assert_eq!(health.view(at(0)).in_flight, 2);
    health.end(Outcome::Abandoned, None, at(1));
    health.end(Outcome::Served, Some(Duration::from_millis(40)), at(1));
    let now = health.view(at(1));
    assert_eq!((now.in_flight, now.latency), (0, Some(Duration::from_millis(40))));
}

#[test]
fn retries_are_a_fifth_of_the_requests_and_three_a_second() {
    let mut budget = RetryBudget::default();
    while budget.has_room() {
        budget.spend(at(0));
    }
    (0..4).for_each(|_| budget.request(at(0)));
    assert!(!budget.has_room());
    budget.request(at(0));
    assert!(budget.has_room(), "five requests earn one");
    budget.spend(at(0));
    let mut made = 0;
    for tenth in 1..=10 {
        budget.request(at(tenth * 100));
        while budget.has_room() {
            budget.spend(at(tenth * 100));
            made += 1;
        }
    }
    assert_eq!(made, 5, "three for the second and two for ten requests");
}
