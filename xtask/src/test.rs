//! `cargo xtask test`: what CI runs, step by step, in the order in which a mistake is cheapest to learn.
//!
//! Decides the steps, their order and how they are told; what each checks is in its own place.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::command::{cargo, run, run_in, works};
use crate::{Outcome, house, install, program, root};

/// One step: its name, what it shows, and how it is done.
struct Step {
    name: &'static str,
    shows: &'static str,
    perform: fn() -> Outcome,
}

const STEPS: [Step; 15] = [
    step("install", "what the tests need is on this machine", install::packages),
    step("fmt", "the code is formatted", || run(&cargo(), &["fmt", "--all", "--check"])),
    step("house", "the rules of the house hold", house::run),
    step("clippy", "no lint is broken", clippy),
    step("unit", "every Rust test passes", unit),
    step("doc", "the documentation builds, with every link", doc),
    step("deny", "dependencies: licences, sources, bans, advisories", deny),
    step("build", "the release builds", || run(&cargo(), &["build", "--release", "--package", "pointsman"])),
    step("examples", "every example passes `pointsman check`", examples),
    step("tour", "the demonstration's story holds", tour),
    step("clients-install", "the clients and the local model are installed", || run("tests/install.sh", &[])),
    step("clients", "the vendors' Python SDKs, over every pair of dialects", || pytest("clients", &[])),
    step("clients-node", "the vendors' Node SDKs, over every pair of dialects", node),
    step("local-model", "a real model answers when the cloud is cut off", || pytest("local_model", &[])),
    step("crash", "kill -9 at random instants loses nothing", || crash("10")),
];

const fn step(name: &'static str, shows: &'static str, perform: fn() -> Outcome) -> Step {
    Step { name, shows, perform }
}

/// Runs the steps that the arguments choose, or all. Prints a summary with each step's time and, as the last
/// line, `N passed, N failed` (with `, N skipped` where a failure left steps undone).
pub fn run_steps(arguments: &[String]) -> Outcome {
    let chosen = choose(arguments)?;
    if chosen.is_empty() {
        for step in &STEPS {
            println!("{:<16}{}", step.name, step.shows);
        }
        return Ok(());
    }
    let mut told: Vec<(&str, Duration, Outcome)> = Vec::new();
    for step in &chosen {
        println!("\n=== {}: {}", step.name, step.shows);
        let began = Instant::now();
        let outcome = (step.perform)();
        let failed = outcome.is_err();
        println!(
            "=== {}: {} after {}",
            step.name,
            if failed { "FAILED" } else { "passed" },
            shown(began.elapsed())
        );
        told.push((step.name, began.elapsed(), outcome));
        if failed {
            break;
        }
    }
    summary(&told, chosen.len())
}

fn choose(arguments: &[String]) -> Outcome<Vec<&'static Step>> {
    let known = |name: &String| {
        STEPS.iter().position(|step| step.name == name).ok_or_else(|| {
            let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
            format!("there is no step `{name}`; the steps are {}", names.join(", "))
        })
    };
    let mut chosen = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match (argument.as_str(), rest.next()) {
            ("--list", None) => return Ok(Vec::new()),
            ("--only", Some(name)) => chosen.push(&STEPS[known(name)?]),
            ("--from", Some(name)) => chosen.extend(&STEPS[known(name)?..]),
            _ => return Err("usage: cargo xtask test [--list] [--only STEP]... [--from STEP]".into()),
        }
    }
    if chosen.is_empty() {
        chosen.extend(&STEPS);
    }
    Ok(chosen)
}

fn summary(told: &[(&str, Duration, Outcome)], chosen: usize) -> Outcome {
    println!("\n=== summary");
    for (name, time, outcome) in told {
        let word = if outcome.is_ok() { "passed" } else { "FAILED" };
        println!("{name:<18}{word:<8}{:>8}", shown(*time));
    }
    let failed = told.iter().filter(|(.., outcome)| outcome.is_err()).count();
    let error = told.iter().find_map(|(name, _, outcome)| Some((name, outcome.as_ref().err()?)));
    if let Some((name, sentence)) = error {
        println!("{name}: {sentence}\nagain: cargo xtask test --only {name}");
    }
    let skipped = chosen - told.len();
    let tail = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    println!("{} passed, {failed} failed{tail}", told.len() - failed);
    // The sentence was just said; the exit code is what is left to say.
    if failed > 0 { std::process::exit(1) } else { Ok(()) }
}

fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

fn clippy() -> Outcome {
    run(&cargo(), &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
}

fn unit() -> Outcome {
    if !works(&cargo(), &["nextest", "--version"]) {
        return run(&cargo(), &["test", "--workspace"]);
    }
    run(&cargo(), &["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "fail"])?;
    // nextest leaves the examples in doc comments out.
    run(&cargo(), &["test", "--workspace", "--doc", "--quiet"])
}

fn doc() -> Outcome {
    let arguments = ["doc", "--workspace", "--no-deps", "--quiet", "--document-private-items"];
    run_in(
        &root(),
        &cargo(),
        &arguments,
        &[("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links")],
    )
}

/// cargo-deny reads the same advisory database as cargo-audit, from the same lock file, so one tool serves.
/// The database is a repository and not a package: where it cannot be reached, the rest is still checked, and
/// that the advisories were not is said aloud.
fn deny() -> Outcome {
    install::cargo_deny()?;
    run(&cargo(), &["deny", "--workspace", "check", "bans", "licenses", "sources"])?;
    const DATABASE: &str = "https://github.com/rustsec/advisory-db";
    let fetched = works(&cargo(), &["deny", "--workspace", "fetch", "db"]);
    if fetched {
        return run(&cargo(), &["deny", "--workspace", "check", "--disable-fetch", "advisories"]);
    }
    println!(
        "ADVISORIES SKIPPED: {DATABASE} could not be reached from here, so known vulnerabilities in the"
    );
    println!("dependencies were not looked for; run `cargo deny check advisories` where it can be");
    Ok(())
}

fn examples() -> Outcome {
    let folder = root().join("examples");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
    files.sort();
    if files.is_empty() {
        return Err(format!("{} holds no example", folder.display()));
    }
    let program = program().display().to_string();
    files.iter().try_for_each(|file| run(&program, &["check", "-c", &file.display().to_string()]))
}

fn tour() -> Outcome {
    run(&program().display().to_string(), &["demo", "--tour"])
}

/// The black-box tests run in `tests/`, in the environment that `tests/install.sh` makes there.
fn pytest(folder: &str, environment: &[(&str, &str)]) -> Outcome {
    let tests = root().join("tests");
    if !tests.join(folder).is_dir() {
        return Err(format!("tests/{folder} is missing"));
    }
    let binary = program().display().to_string();
    let mut all = vec![("POINTSMAN_BIN", binary.as_str())];
    all.extend(environment);
    let python = tests.join(".venv/bin/python").display().to_string();
    run_in(&tests, &python, &["-m", "pytest", "-q", folder], &all)
}

fn node() -> Outcome {
    let folder = root().join("tests/clients/node");
    let binary = program().display().to_string();
    run_in(&folder, "node", &["--test"], &[("POINTSMAN_BIN", &binary)])
}

/// The crash test with so many kills.
pub fn crash(kills: &str) -> Outcome {
    pytest("crash", &[("POINTSMAN_CRASH_ROUNDS", kills)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Vec<&'static str> {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        choose(&arguments).unwrap().iter().map(|step| step.name).collect()
    }

    #[test]
    fn without_arguments_every_step_is_chosen_in_order() {
        assert_eq!(names(&[]).len(), STEPS.len());
        assert_eq!(names(&[])[0], "install");
    }

    #[test]
    fn steps_can_be_chosen_alone_and_from_one_on() {
        assert_eq!(names(&["--only", "fmt", "--only", "deny"]), ["fmt", "deny"]);
        assert_eq!(names(&["--from", "local-model"]), ["local-model", "crash"]);
        assert!(names(&["--list"]).is_empty());
    }

    #[test]
    fn a_step_that_does_not_exist_is_an_error_that_names_those_that_do() {
        let said = choose(&["--only".to_owned(), "nothing".to_owned()]).err().unwrap();
        assert!(said.contains("no step `nothing`") && said.contains("clippy"));
    }
}
