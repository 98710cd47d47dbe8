//! `cargo xtask soak`: the checks that are too long for every change.
//!
//! Decides only how long and how often; the checks themselves are where `test` has them.

use crate::{Outcome, bench, fuzz, test};

/// Ten minutes for each fuzz target, a hundred kills, then the bench. Goes on after a failure, because each
/// part stands for itself, and names all that failed.
pub fn run() -> Outcome {
    let parts: [(&str, Outcome); 3] = [
        ("fuzz", fuzz::run(&["--seconds".into(), "600".into()])),
        ("crash", test::crash("100")),
        ("bench", bench::run(&["--strict".into()])),
    ];
    let failed: Vec<String> =
        parts.into_iter().filter_map(|(name, outcome)| Some(format!("{name}: {}", outcome.err()?))).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n       ")) }
}
