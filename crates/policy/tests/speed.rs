//! What planning costs: no allocation for a named workflow, and (on demand) nanoseconds.
//!
//! `cargo test --release -p policy --test speed -- --ignored --nocapture` prints the times.
#![allow(unsafe_code)]

mod support;

use model::Tick;
use policy::{Health, Plan, Policy, Target, Tried, World, next, plan};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};
use support::{NOW, policy, request};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is handed to the system's allocator unchanged; counting touches a plain thread-local cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Every target has been seen, as in a gateway that has run for a while.
struct Busy;

impl World for Busy {
    fn health(&self, target: &Target) -> Health {
        Health {
            latency: Some(Duration::from_millis(300 + target.index as u64 * 40)),
            in_flight: target.index as u32 % 7,
            ..Health::default()
        }
    }
}

/// Many workflows of two, three and four targets, half of them with a `match` rule.
fn many(workflows: usize) -> Policy {
    let mut text = String::from(
        "providers:\n  openai: {region: us, terms: {retention: 30d, training: never}}\n  anthropic: {region: us, terms: {retention: none, training: never, baa: always}}\n  mistral: {region: eu}\ndata_classes:\n  inner: {regions: [us, eu]}\nworkflows:\n",
    );
    for i in 0..workflows {
        let route = match i % 3 {
            0 => "[openai/gpt-4.1, anthropic/claude-sonnet-4-5]",
            1 => "[anthropic/claude-sonnet-4-5, [openai/gpt-4.1, openai/gpt-4.1-mini]]",
            _ => {
                "[[anthropic/claude-sonnet-4-5, openai/gpt-4.1, openai/gpt-4.1-mini, mistral/mistral-small-latest]]"
            }
        };
        let rule = if i % 2 == 0 {
            format!(", match: 'request.headers[\"x-app\"] == \"app-{i}\"'")
        } else {
            String::new()
        };
        let _ = writeln!(
            text,
            "  w{i}: {{route: {route}, data_class: inner, needs: [json_schema], max_cost: 0.05{rule}}}"
        );
    }
    policy(&text)
}

#[test]
fn planning_for_a_named_workflow_allocates_nothing() {
    let policy = many(9);
    for name in ["w0", "w1", "w2"] {
        let request = request(name);
        let before = ALLOCATIONS.get();
        let planned: Plan = plan(&policy, &request, &Busy, NOW, 3).unwrap();
        let first = next(&planned, &[], NOW);
        let failed = Tried {
            step: 0,
            kind: model::FailureKind::Connect,
            began: NOW.tick,
            ended: NOW.tick,
            retry_after: None,
            content_sent: false,
        };
        let second = next(&planned, &[failed], NOW);
        let made = ALLOCATIONS.get() - before;
        black_box((planned, first, second));
        assert_eq!(made, 0, "{name}");
    }
}

#[test]
#[ignore = "prints times; run it in release mode"]
fn nanoseconds_per_plan() {
    const ROUNDS: u32 = 200_000;
    let time = |what: &str, rounds: u32, run: &dyn Fn(u64)| {
        (0..rounds / 10).for_each(|i| run(u64::from(i)));
        let began = Instant::now();
        (0..rounds).for_each(|i| run(u64::from(i)));
        println!("{what}: {} ns", began.elapsed().as_nanos() / u128::from(rounds));
    };
    for workflows in [9, 120, 1200] {
        let policy = many(workflows);
        for (name, shape) in [("w0", "two tiers"), ("w1", "one and a tier of two"), ("w2", "a tier of four")]
        {
            let request = request(name);
            time(&format!("{workflows} workflows, {shape}"), ROUNDS, &|seed| {
                let _ = black_box(plan(&policy, &request, &Busy, NOW, seed));
            });
        }
        let direct = request("openai/gpt-4.1");
        let headers = [("x-app", "app-8"), ("user-agent", "x")];
        let by_rule = model::Request { headers: &headers, ..direct.clone() };
        time(&format!("{workflows} workflows, direct target behind all rules"), 2000, &|seed| {
            let _ = black_box(plan(&policy, &direct, &Busy, NOW, seed));
        });
        time(&format!("{workflows} workflows, the fifth rule matches"), 2000, &|seed| {
            let _ = black_box(plan(&policy, &by_rule, &Busy, NOW, seed));
        });
    }
    let plain = policy("providers: {openai: {}}");
    let direct = request("gpt-4.1");
    time("no rules, bare model id", ROUNDS, &|seed| {
        let _ = black_box(plan(&plain, &direct, &Busy, NOW, seed));
    });
    let planned = plan(&many(3), &request("w2"), &Busy, NOW, 1).unwrap();
    time("next, first step", ROUNDS, &|i| {
        let _ = black_box(next(&planned, &[], model::Now { tick: Tick(NOW.tick.0 + i), ..NOW }));
    });
}
