//! `cargo xtask bench`: builds the bench and the product for release, and runs the one on the other.
//!
//! What is measured and how is in the package `bench`, beside this one, so that only whoever benches compiles
//! its runtime.

use crate::command::{self, cargo};
use crate::{Outcome, program, target};

/// Runs the bench. The arguments are the bench's own; see `cargo xtask help`.
pub fn run(arguments: &[String]) -> Outcome {
    let floor_only = arguments.iter().any(|argument| argument == "--floor-only");
    command::run(&cargo(), &["build", "--quiet", "--release", "--package", "bench"])?;
    if !floor_only {
        command::run(&cargo(), &["build", "--quiet", "--release", "--package", "pointsman"])?;
    }
    let bench = target().join("release/bench").display().to_string();
    let gateway = program().display().to_string();
    let out = target().join("bench.json").display().to_string();
    let mut all = vec!["run", "--out", &out];
    if !floor_only {
        all.extend(["--gateway", &gateway]);
    }
    all.extend(arguments.iter().map(String::as_str));
    command::run(&bench, &all)?;
    println!("every figure of every round: {out}");
    Ok(())
}
