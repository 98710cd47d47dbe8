//! `cargo xtask fuzz`: every target of `fuzz/` in turn, and a table of what they did.
//!
//! The targets themselves are in `fuzz/`, in cargo-fuzz's layout. A finding stays in `fuzz/artifacts/TARGET/`.

use std::process::{Command, Stdio};

use crate::command::{cargo, output};
use crate::{Outcome, install, root};

/// What one target did.
struct Done {
    target: String,
    executions: Option<u64>,
    /// The line that says what was found.
    finding: Option<String>,
}

/// Runs the targets. `--seconds N` for each, `--only TARGET` for one.
pub fn run(arguments: &[String]) -> Outcome {
    let (mut seconds, mut only) = ("30".to_owned(), None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--seconds" if value.parse::<u32>().is_ok() => seconds.clone_from(value),
            "--only" => only = Some(value.clone()),
            _ => return Err("usage: cargo xtask fuzz [--seconds N] [--only TARGET]".into()),
        }
    }
    if !root().join("fuzz/Cargo.toml").is_file() {
        return Err("there is no fuzz/Cargo.toml, so there is nothing to fuzz".into());
    }
    install::cargo_fuzz()?;
    let targets = output(&cargo(), &["fuzz", "list"])?;
    let targets: Vec<&str> =
        targets.lines().filter(|target| only.as_ref().is_none_or(|only| only == target)).collect();
    if targets.is_empty() {
        return Err("no such target; `cargo fuzz list` names them".into());
    }
    let done: Vec<Done> = targets.iter().map(|target| fuzz(target, &seconds)).collect::<Outcome<_>>()?;
    println!("{:<32}{:>14}  finding", "target", "executions");
    for one in &done {
        let executions = one.executions.map_or_else(|| "unknown".into(), |count| count.to_string());
        println!("{:<32}{executions:>14}  {}", one.target, one.finding.as_deref().unwrap_or("none"));
    }
    match done.iter().filter(|one| one.finding.is_some()).count() {
        0 => Ok(()),
        found => Err(format!("{found} targets found something; the inputs are in fuzz/artifacts/")),
    }
}

/// A nightly toolchain if there is one; else the pinned one, told to allow what only nightly does.
fn fuzz(target: &str, seconds: &str) -> Outcome<Done> {
    let nightly = output("rustup", &["toolchain", "list"]).is_ok_and(|list| list.contains("nightly-"));
    let mut command = Command::new("cargo");
    if nightly {
        // Through rustup, whose `cargo` reads the first argument; the pinned one would not.
        command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").arg("+nightly");
    } else {
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    let limit = format!("-max_total_time={seconds}");
    println!("{target} for {seconds} s");
    let output = command
        .args([
            "fuzz",
            "run",
            target,
            "--",
            &limit,
            "-print_final_stats=1",
            "-rss_limit_mb=4096",
            "-timeout=10",
        ])
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("cargo fuzz could not be started: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let done = read(target, &said, output.status.success());
    if done.executions.is_none() && done.finding.is_none() {
        return Err(format!("{target} did not run: {}", last_lines(&said)));
    }
    Ok(done)
}

fn read(target: &str, said: &str, succeeded: bool) -> Done {
    let executions = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
        .and_then(|count| count.trim().parse().ok());
    let loud = ["panicked at", "ERROR: AddressSanitizer", "ERROR: libFuzzer", "SUMMARY:"];
    let line = || loud.iter().find_map(|word| said.lines().find(|line| line.contains(word)));
    // A failed run with statistics found something even if it does not say it in words known here.
    let finding = match (succeeded, line()) {
        (true, _) => None,
        (false, Some(line)) => Some(line.trim().to_owned()),
        (false, None) => executions.map(|_| "failed without a word".to_owned()),
    };
    Done { target: target.to_owned(), executions, finding }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_run_has_a_count_and_no_finding() {
        let done = read("t", "Done 12 runs\nstat::number_of_executed_units: 1234\n", true);
        assert_eq!((done.executions, done.finding), (Some(1234), None));
    }

    #[test]
    fn a_panic_is_the_finding() {
        let said =
            "thread '<unnamed>' panicked at src/x.rs:1:2:\nboom\n==1== ERROR: libFuzzer: deadly signal\n";
        let done = read("t", said, false);
        assert!(done.finding.unwrap().contains("panicked at src/x.rs"));
    }

    #[test]
    fn a_target_that_does_not_build_is_neither() {
        let done = read("t", "error[E0425]: cannot find value\n", false);
        assert!(done.executions.is_none() && done.finding.is_none());
    }
}
