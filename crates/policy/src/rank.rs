//! The order of equals: how `prefer` sorts the candidates of one tier.
//!
//! Ranking sees only candidates that may serve. Every order is total and depends on nothing but its inputs; ties are
//! broken by a draw from the request's seed, so that equals share the load.

use crate::{Health, Member, Prefer, hash};
use model::{Money, Request};
use smallvec::SmallVec;
use std::cmp::Ordering;
use std::time::Duration;

/// Calls under way to a target of unknown speed, above which it no longer counts as the fastest.
const EXPLORERS: u32 = 2;

/// A candidate that may serve.
pub(crate) struct Ranked<'p> {
    pub(crate) member: &'p Member,
    pub(crate) cost: Option<Money>,
    pub(crate) health: Health,
}

pub(crate) type Tier<'p> = SmallVec<[Ranked<'p>; 4]>;

/// What stays together under `prefer: sticky`: a session, else a key, else nothing does.
pub(crate) fn stickiness(request: &Request<'_>, seed: u64) -> u64 {
    match (request.session, request.caller) {
        (Some(session), _) => hash::fnv64(session.as_bytes()),
        (None, Some(caller)) => hash::fnv64(caller.key_id.as_bytes()),
        (None, None) => seed,
    }
}

/// Sorts one tier, best first.
pub(crate) fn order(prefer: Prefer, tier: &mut Tier<'_>, seed: u64, sticky: u64) {
    if tier.len() < 2 {
        return;
    }
    let scores: SmallVec<[f64; 4]> = match prefer {
        Prefer::Weighted => tier.iter().map(|c| lottery(c, seed)).collect(),
        Prefer::Sticky => tier.iter().map(|c| -hash::unit(sticky, c.member.target.hash)).collect(),
        Prefer::Cheapest => tier.iter().map(dollars).collect(),
        Prefer::Fastest => loads(tier),
        // `learned` has no model of past outcomes yet and does what the default does.
        Prefer::Balanced | Prefer::Learned => balanced(tier),
    };
    // A recovering target takes its place for its share of requests only, and stands last for the others.
    let eased = |c: &Ranked<'_>| {
        c.health.weight_permille < 1000
            && hash::unit(seed ^ 0x5eed, c.member.target.hash) * 1000.0 >= f64::from(c.health.weight_permille)
    };
    let loads = loads(tier);
    let mut keys: SmallVec<[Key; 4]> = tier
        .iter()
        .enumerate()
        .map(|(place, c)| Key {
            eased: eased(c),
            score: scores[place],
            load: loads[place],
            draw: hash::mix(seed, c.member.target.hash),
            place,
        })
        .collect();
    keys.sort_by(Key::compare);
    let mut old: SmallVec<[Option<Ranked<'_>>; 4]> = tier.drain(..).map(Some).collect();
    tier.extend(keys.iter().filter_map(|key| old[key.place].take()));
}

/// By what a candidate is sorted, first to last.
struct Key {
    eased: bool,
    score: f64,
    load: f64,
    draw: u64,
    place: usize,
}

impl Key {
    fn compare(&self, other: &Key) -> Ordering {
        self.eased
            .cmp(&other.eased)
            .then(self.score.total_cmp(&other.score))
            .then(self.load.total_cmp(&other.load))
            .then(self.draw.cmp(&other.draw))
    }
}

/// Estimated cost; an unknown one is the dearest.
fn dollars(candidate: &Ranked<'_>) -> f64 {
    candidate.cost.map_or(f64::INFINITY, |m| m.0 as f64)
}

/// Expected wait: the average time to the first token, times the calls that share the target and one more.
///
/// A target of unknown speed counts as fast as the fastest while few calls explore it, and as slow as the slowest
/// once they do: it is tried first, but not by everybody at once.
fn loads(tier: &[Ranked<'_>]) -> SmallVec<[f64; 4]> {
    let known = |pick: fn(Duration, Duration) -> Duration| {
        tier.iter().filter_map(|c| c.health.latency).reduce(pick).unwrap_or(Duration::from_secs(1))
    };
    let (fastest, slowest) = (known(Duration::min), known(Duration::max));
    tier.iter()
        .map(|c| {
            let wait = match c.health.latency {
                Some(latency) => latency,
                None if c.health.in_flight < EXPLORERS => fastest,
                None => slowest,
            };
            wait.as_secs_f64() * f64::from(c.health.in_flight.saturating_add(1))
        })
        .collect()
}

/// The product of two ranks from 1: by cost and by expected wait. Equal values share a rank.
fn balanced(tier: &[Ranked<'_>]) -> SmallVec<[f64; 4]> {
    let costs: SmallVec<[f64; 4]> = tier.iter().map(dollars).collect();
    let loads = loads(tier);
    let rank = |values: &[f64], value: f64| 1 + values.iter().filter(|v| **v < value).count();
    (0..tier.len()).map(|i| (rank(&costs, costs[i]) * rank(&loads, loads[i])) as f64).collect()
}

/// A draw whose order over a tier picks every member first in proportion to its weight (Efraimidis and Spirakis).
fn lottery(candidate: &Ranked<'_>, seed: u64) -> f64 {
    let weight = f64::from(candidate.member.weight);
    -hash::unit(seed, candidate.member.target.hash).ln() / weight.max(f64::MIN_POSITIVE)
}
